"""Weights inherited: which finished trial of a search is the nearest relative of a point."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from microtome.plugin import Parameter, Space
from microtome.search.recipe import Recipe
from microtome.search.records import COUNTED, Record, Records


def parent_of(records: Records, recipe: Recipe, number: int, parameters: Mapping[str, Any]) -> Record | None:
    """The trial whose weights a trial begins with: the nearest of those that are finished, the better of equally near ones.

    None where the search does not let trials inherit. What a trial began with it keeps, whatever has finished since; a twin
    begins with what its twin began with, so that one is the other's answer. Trials of other slices are no relatives.
    """
    if recipe.search is None or not recipe.search.inherit:
        return None
    if number in records.trials:
        return _named(records, records.trials[number].inherited)
    twin = next((r for r in records.trials.values() if r.parameters == parameters), None)
    if twin is not None:
        return _named(records, twin.inherited)
    space, slices = recipe.search.space, _slices(parameters)
    relatives = [r for r in records.trials.values() if r.outcome in COUNTED and r.key and _slices(r.parameters) == slices]
    return min(
        relatives,
        key=lambda r: (distance(r.parameters, parameters, space), -(r.value if r.value is not None else -math.inf), r.number),
        default=None,
    )


def distance(one: Mapping[str, Any], other: Mapping[str, Any], space: Space) -> float:
    """Euclidean distance in the unit cube of the axes; two unlike choices, or an axis that only one has, are 1 apart."""
    axes: dict[str, Parameter] = {axis.name: axis for axis in space}
    names = [*axes, *(name for name in {**one, **other} if name not in axes)]
    return math.hypot(*(_apart(one.get(name), other.get(name), axes.get(name)) for name in names))


def _apart(one: Any, other: Any, axis: Parameter | None) -> float:
    if one == other:
        return 0.0
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (one, other))
    if axis is None or axis.kind == "choice" or not numbers or (axis.log and min(one, other) <= 0):
        return 1.0
    return abs(axis.position(one) - axis.position(other))


def _slices(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name.startswith("slices.")}


def _named(records: Records, name: str) -> Record | None:
    return records.trials.get(int(name.rpartition("/")[2])) if name else None
