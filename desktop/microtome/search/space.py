"""Search spaces: from a recipe's table to typed axes, with every mistake said; earlier points in a space that was edited."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from microtome.errors import InputError, UnknownNameError, nearest
from microtome.plugin import Parameter, Space

_RANGE = ("low", "high", "log", "type", "when")
_CHOICE = ("choices", "when")


def space_from_table(table: Mapping[str, Any]) -> Space:
    """Read `{"a": {low, high, log}, "b": [choice, …]}`; an axis is whole-numbered where low and high are.

    `when = {"b" = [value, …]}` in an axis's table: the axis exists only where b has one of the values. An axis of choices is
    then written `{choices = […], when = {…}}`.
    """
    space = Space(tuple(_axis(name, value) for name, value in table.items()))
    _check_conditions(space)
    return space


def carried(point: Mapping[str, Any], space: Space, *, defaults: Mapping[str, Any]) -> dict[str, Any] | None:
    """An earlier trial's point as one of an edited space; None where it lies outside.

    `defaults` are the settings that the trial had beside its point: what it has on axes that were added since. An axis with
    one value left was frozen, which says that its value does not matter, so trials at others stay known. An axis that was
    narrowed leaves out what lies beyond it.
    """
    values: dict[str, Any] = {}
    for axis in space:
        if axis.count == 1:
            values[axis.name] = axis.at(0.5)
        elif axis.name in point or axis.name in defaults:
            value = _legal(axis, point[axis.name] if axis.name in point else defaults[axis.name])
            if value is not None:
                values[axis.name] = value
    # What is missing may be missing only where the axis does not exist.
    complete = {axis.name: values.get(axis.name, axis.at(0.5)) for axis in space}
    return space.active(complete) if set(space.active(complete)) <= set(values) else None


def _legal(axis: Parameter, value: Any) -> Any:
    """The value in the axis's own type, None where it is none of the axis's."""
    if axis.kind == "choice":
        return next((c for c in axis.choices if c == value and isinstance(c, bool) == isinstance(value, bool)), None)
    if isinstance(value, bool) or not isinstance(value, int | float) or not axis.low <= value <= axis.high:
        return None
    if axis.kind == "int":
        return int(value) if value == round(value) else None
    return float(value)


def _axis(name: str, value: Any) -> Parameter:
    if isinstance(value, list | tuple):
        return _choice(name, value, None)
    if not isinstance(value, Mapping):
        raise InputError(f"“{name}” must be {{ low = …, high = … }} or a list of choices, not {value!r}.")
    known = _CHOICE if "choices" in value else _RANGE
    for key in value:
        if key not in known:
            raise UnknownNameError(f"There is no setting “{key}” in the axis “{name}”.", nearest(key, known))
    when = _when(name, value["when"]) if "when" in value else None
    if "choices" not in value:
        return _numeric(name, value, when)
    if not isinstance(value["choices"], list | tuple):
        raise InputError(f"The choices of “{name}” must be a list, not {value['choices']!r}.")
    return _choice(name, value["choices"], when)


def _choice(name: str, choices: list[Any] | tuple[Any, ...], when: tuple[str, tuple[Any, ...]] | None) -> Parameter:
    if not choices:
        raise InputError(f"“{name}” has no choices.", "Give at least one value.")
    return Parameter(name=name, kind="choice", choices=tuple(choices), when=when)


def _numeric(name: str, value: Mapping[str, Any], when: tuple[str, tuple[Any, ...]] | None) -> Parameter:
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
    return Parameter(name=name, kind="int" if whole else "float", low=float(low), high=float(high), log=log, when=when)


def _when(name: str, value: Any) -> tuple[str, tuple[Any, ...]]:
    example = 'Write when = { "network.batch_norm" = [true] }.'
    if not isinstance(value, Mapping) or len(value) != 1:
        raise InputError(f"when of “{name}” must name one other axis and its values, not {value!r}.", example)
    [(parent, values)] = value.items()
    wanted = tuple(values) if isinstance(values, list | tuple) else (values,)
    if not wanted:
        raise InputError(f"when of “{name}” gives no value of “{parent}”, so it would never exist.", example)
    return str(parent), wanted


def _check_conditions(space: Space) -> None:
    axes: dict[str, Parameter] = {axis.name: axis for axis in space}
    for axis in space:
        seen = [axis.name]
        here: Parameter = axis
        while here.when is not None:
            parent, wanted = here.when
            if parent in seen:
                raise InputError(f"“{axis.name}” depends on itself through when.", "Take one of the conditions out.")
            if parent not in axes:
                hint = nearest(parent, [name for name in axes if name != axis.name])
                raise UnknownNameError(f"“{here.name}” depends on “{parent}”, which is no axis of the space.", hint)
            if axes[parent].count is None:
                raise InputError(
                    f"“{here.name}” cannot depend on “{parent}”, which is continuous.", "Name one with few values."
                )
            for value in wanted:
                if _legal(axes[parent], value) is None:
                    raise InputError(f"“{here.name}” depends on {value!r}, which “{parent}” never is.", "Take that value out.")
            seen.append(parent)
            here = axes[parent]
