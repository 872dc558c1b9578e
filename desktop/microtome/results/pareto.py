"""Which trials nothing beats in two or three objectives at once: accuracy against time against size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from microtome.results.fold import RunState, TrialState
from microtome.results.tables import ranked

#: What a trial costs, in the order of the page; smaller is better.
COSTS: dict[str, Callable[[TrialState], float | None]] = {
    "seconds": lambda t: t.costs.get("seconds", t.seconds or None),
    "parameters": lambda t: t.costs.get("parameters"),
    "epochs": lambda t: t.costs.get("epochs", float(len(t.epochs)) or None),
}


def nondominated(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the points (n, objectives), all to be maximised, no other point equals or beats in every objective.

    A point dominates another where it is nowhere worse and somewhere better (Pareto); equal points stay together. Points
    with a NaN are never in the front. Sorted by the first objective, so that a point is only compared with the front so far.
    """
    inside = np.zeros(len(points), dtype=bool)
    known = np.flatnonzero(~np.isnan(points).any(axis=1))
    if points.shape[1] == 2:
        inside[known] = _staircase(points[known, 0], points[known, 1])
        return inside
    order = known[np.lexsort(tuple(-points[known, k] for k in reversed(range(points.shape[1]))))]
    front = np.empty((0, points.shape[1]))
    for i in order:
        point = points[i]
        beaten = (front >= point).all(axis=1) & (front > point).any(axis=1)
        if not beaten.any():
            inside[i] = True
            front = np.vstack([front, point])
    return inside


def _staircase(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The front of two objectives: best in the second of all with the same first, and above all with a greater first."""
    if not len(first):
        return np.zeros(0, dtype=bool)
    _, group = np.unique(-first, return_inverse=True)  # 0: the greatest
    best = np.full(int(group.max()) + 1, -np.inf)
    np.maximum.at(best, group, second)
    above = np.concatenate([[-np.inf], np.maximum.accumulate(best)[:-1]])
    made: NDArray[np.bool_] = (second == best[group]) & (second > above[group])
    return made


def pareto_front(state: RunState, costs: Sequence[str]) -> list[TrialState]:
    """The trials that no other beats in value and all of these costs, by falling value."""
    known = [(t, [COSTS[c](t) for c in costs]) for t in ranked(state)]
    rows = [(t, [t.value or 0.0, *(-c for c in found if c is not None)]) for t, found in known]
    rows = [(t, row) for t, row in rows if len(row) == 1 + len(costs)]
    mask = nondominated(np.array([row for _, row in rows], dtype=float).reshape(len(rows), 1 + len(costs)))
    return [t for (t, _), good in zip(rows, mask, strict=True) if good]
