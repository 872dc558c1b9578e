"""Search spaces: from a recipe's table to typed axes, with every mistake said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from microtome.errors import InputError, UnknownNameError, nearest
from microtome.plugin import Parameter, Space

_KEYS = ("low", "high", "log", "type")


def space_from_table(table: Mapping[str, Any]) -> Space:
    """Read `{"a": {low, high, log}, "b": [choice, …]}`; an axis is whole-numbered where low and high are."""
    return Space(tuple(_axis(name, value) for name, value in table.items()))


def _axis(name: str, value: Any) -> Parameter:
    if isinstance(value, list | tuple):
        if not value:
            raise InputError(f"“{name}” has no choices.", "Give at least one value.")
        return Parameter(name=name, kind="choice", choices=tuple(value))
    if not isinstance(value, Mapping):
        raise InputError(f"“{name}” must be {{ low = …, high = … }} or a list of choices, not {value!r}.")
    for key in value:
        if key not in _KEYS:
            raise UnknownNameError(f"There is no setting “{key}” in the axis “{name}”.", nearest(key, _KEYS))
    return _numeric(name, value)


def _numeric(name: str, value: Mapping[str, Any]) -> Parameter:
    ends = []
    for key in ("low", "high"):
        end = value.get(key)
        if isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end):
            raise InputError(f"“{name}” needs a number as {key}, not {end!r}.")
        ends.append(end)
    low, high = ends
    log = bool(value.get("log", False))
    if low > high:
        raise InputError(f"“{name}” has low = {low:g} above high = {high:g}.", "Exchange the two.")
    if log and low <= 0:
        raise InputError(f"“{name}” is logarithmic, so low = {low:g} must be above 0.", "Raise low, or set log = false.")
    whole = isinstance(low, int) and isinstance(high, int) and value.get("type") != "float"
    return Parameter(name=name, kind="int" if whole else "float", low=float(low), high=float(high), log=log)
