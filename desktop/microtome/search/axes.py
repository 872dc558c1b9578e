"""Axes of a search as their settings are: continuous where a setting takes fractions, whole-numbered where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard

from microtome.errors import InputError, nearest

Try = Callable[[Mapping[str, Any]], object]
"""Sets dotted parameters in a recipe; InputError where a value is none of its setting's."""


def as_settings(table: Mapping[str, Any], try_values: Try) -> dict[str, Any]:
    """The table with each range of the kind that its setting is, however its ends are written.

    `dropout = { low = 0, high = 1 }` is continuous, and `epochs = { low = 1e1, high = 1e2 }` whole-numbered: otherwise the one
    would try nothing between its ends, and every trial of the other would fail. Other mistakes are for the check of the space.
    """
    return {name: _as_setting(name, value, try_values) for name, value in table.items()}


def _as_setting(name: str, value: Any, try_values: Try) -> Any:
    if not isinstance(value, Mapping) or "type" in value:
        return value
    low, high = value.get("low"), value.get("high")
    if not _is_number(low) or not _is_number(high) or not low < high:
        return value
    if _takes(name, low + (high - low) / 2.0**0.5, try_values):  # between whole numbers, whatever the ends
        return {**value, "type": "float"} if isinstance(low, int) and isinstance(high, int) else value
    return {**value, "low": int(low), "high": int(high)} if low == int(low) and high == int(high) else value


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _takes(name: str, value: float, try_values: Try) -> bool:
    try:
        try_values({name: value})
    except InputError:
        return False
    return True


def meant(name: str, settings: Mapping[str, Iterable[str]]) -> str:
    """A hint for a name that begins with no section: the settings that are called so, with their sections."""
    section, dot, _ = name.partition(".")
    full = [f"{where}.{key}" for where, keys in settings.items() for key in keys if key == name]
    return f"Did you mean “{'” or “'.join(full)}”?" if full and not dot else nearest(section, list(settings))
