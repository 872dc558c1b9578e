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
    order = known[np.lexsort(tuple(-points[known, k] for k in reversed(range(points.shape[1]))))]
    front = np.empty((0, points.shape[1]))
    for i in order:
        point = points[i]
        beaten = (front >= point).all(axis=1) & (front > point).any(axis=1)
        if not beaten.any():
            inside[i] = True
            front = np.vstack([front, point])
    return inside


def pareto_front(state: RunState, costs: Sequence[str]) -> list[TrialState]:
    """The trials that no other beats in value and all of these costs, by falling value."""
    trials = [t for t in ranked(state) if all(COSTS[c](t) is not None for c in costs)]
    rows = [[t.value or 0.0, *(-(COSTS[c](t) or 0.0) for c in costs)] for t in trials]
    mask = nondominated(np.array(rows, dtype=float).reshape(len(trials), 1 + len(costs)))
    return [t for t, good in zip(trials, mask, strict=True) if good]
