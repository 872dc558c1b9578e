"""Brushes over the axes of parallel coordinates: stretches of an axis that a trial must lie in to be kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MISSING = -0.09
"""Where trials lie that have no value on an axis: in a lane below it, which can be brushed like the rest."""
_LEAST = 0.008  # of an axis: a shorter stretch is a click

Stretch = tuple[float, float]
Numbers = NDArray[np.int64]
"""Numbers of trials: what brushes keep is told to every view as such, None where there is no brush."""


def keeps(kept: Numbers | None, numbers: Numbers) -> NDArray[np.bool_]:
    """Which of these trials are among the kept ones; None: all."""
    return np.ones(len(numbers), dtype=bool) if kept is None else np.isin(numbers, kept)


class Brushes:
    """Stretches by axis name: one axis keeps what lies in any of its stretches, a trial must be kept by every axis."""

    def __init__(self) -> None:
        self.by_axis: dict[str, list[Stretch]] = {}

    def __bool__(self) -> bool:
        return any(self.by_axis.values())

    def add(self, axis: str, first: float, last: float) -> int | None:
        """A new stretch between two places; its index, or None where it is too short to be meant."""
        low, high = _ordered(first, last)
        if high - low < _LEAST:
            return None
        self.by_axis.setdefault(axis, []).append((low, high))
        return len(self.by_axis[axis]) - 1

    def put(self, axis: str, index: int, first: float, last: float) -> None:
        """Give a stretch other ends."""
        self.by_axis[axis][index] = _ordered(first, last)

    def move(self, axis: str, index: int, by: float) -> None:
        """Shift a stretch; at the ends of the axis it stops whole."""
        low, high = self.by_axis[axis][index]
        by = min(max(by, MISSING - 0.03 - low), 1.0 - high)
        self.by_axis[axis][index] = (low + by, high + by)

    def remove(self, axis: str, index: int) -> None:
        """Take a stretch away."""
        del self.by_axis[axis][index]

    def clear(self, axis: str | None = None) -> None:
        """Take away all stretches, or those of an axis."""
        if axis is None:
            self.by_axis.clear()
        else:
            self.by_axis.pop(axis, None)

    def at(self, axis: str, place: float, reach: float = 0.0) -> int | None:
        """The index of the newest stretch over a place of an axis, or within `reach` of its ends."""
        stretches = self.by_axis.get(axis, [])
        return next(
            (i for i in reversed(range(len(stretches))) if stretches[i][0] - reach <= place <= stretches[i][1] + reach), None
        )

    def mask(self, axes: Sequence[str], points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n,) which trials are kept; `points` (n, axes) with NaN for the missing. An axis that is gone keeps all."""
        kept = np.ones(len(points), dtype=bool)
        for k, name in enumerate(axes):
            stretches = self.by_axis.get(name)
            if not stretches:
                continue
            at = np.where(np.isnan(points[:, k]), MISSING, points[:, k])
            inside = np.zeros(len(points), dtype=bool)
            for low, high in stretches:
                inside |= (at >= low) & (at <= high)
            kept &= inside
        return kept


def _ordered(first: float, last: float) -> Stretch:
    low, high = sorted((min(1.0, max(MISSING - 0.03, first)), min(1.0, max(MISSING - 0.03, last))))
    # At an end the whole end is meant, whatever the rounding of the pixels.
    return (low, 1.0 if high > 0.995 else high)
