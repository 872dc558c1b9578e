"""Engines that learn nothing from what they are told: grid, random, quasi-random."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from microtome.plugin import Parameter, Space, search

__version__ = "2"
_REDRAWS = 50  # tries for a point that was not proposed yet


class _Grid:
    """Walks over all combinations of a few levels an axis, far from where it has just been."""

    def __init__(self, space: Space, budget: int) -> None:
        self._space = space
        self._axes = [(axis.name, levels) for axis, levels in zip(space, _levels(space, budget), strict=True)]
        self._total = math.prod(len(levels) for _, levels in self._axes)
        self._stride = _stride(self._total)
        self._next = 0
        self._seen: set[tuple[Any, ...]] = set()

    def ask(self) -> dict[str, Any] | None:
        while self._next < self._total:
            index = self._next * self._stride % self._total
            self._next += 1
            values = {}
            for name, levels in self._axes:
                index, digit = divmod(index, len(levels))
                values[name] = levels[digit]
            point: dict[str, Any] = self._space.active(values)
            # Combinations that differ only in an axis that does not exist there are one.
            if tuple(point.items()) not in self._seen:
                self._seen.add(tuple(point.items()))
                return point
        return None

    def tell(self, parameters: dict[str, Any], value: float | None) -> None:
        """Nothing is learnt."""


def _levels(space: Space, budget: int) -> list[list[Any]]:
    """The values of every axis: all choices, and as many levels of the numbers as the budget allows."""
    counts = [len(axis.choices) if axis.kind == "choice" else 1 for axis in space]
    most = [axis.count if axis.count is not None else budget for axis in space]
    growing = [i for i, axis in enumerate(space) if axis.kind != "choice"]
    while growing:
        for i in list(growing):
            larger = math.prod(counts) // counts[i] * (counts[i] + 1)
            if counts[i] >= most[i] or larger > budget:
                growing.remove(i)
            else:
                counts[i] += 1
    return [_spread(axis, count) for axis, count in zip(space, counts, strict=True)]


def _spread(axis: Parameter, count: int) -> list[Any]:
    if axis.kind == "choice":
        return list(axis.choices)
    if count == 1:
        return [axis.at(0.5)]
    return list(dict.fromkeys(axis.at(i / (count - 1)) for i in range(count)))


def _stride(total: int) -> int:
    """A step near the golden section of `total` that meets every index once."""
    wanted = max(1, round(total * 0.618))
    return next(s for d in itertools.count() for s in (wanted + d, wanted - d) if s >= 1 and math.gcd(s, total) == 1)


class _Random:
    """Draws points, none twice while there are others."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._rng = np.random.default_rng(seed)
        self._seen: set[tuple[Any, ...]] = set()

    def _draw(self) -> list[float]:
        return [float(u) for u in self._rng.random(len(self._space))]

    def ask(self) -> dict[str, Any]:
        for _ in range(_REDRAWS):
            point: dict[str, Any] = self._space.at(self._draw())
            if tuple(point.items()) not in self._seen:
                break
        self._seen.add(tuple(point.items()))
        return point

    def tell(self, parameters: dict[str, Any], value: float | None) -> None:
        """Nothing is learnt."""


class _QuasiRandom(_Random):
    """Takes the points of a scrambled Sobol sequence."""

    def __init__(self, space: Space, seed: int) -> None:
        from scipy.stats import qmc

        super().__init__(space, seed)
        self._sobol = qmc.Sobol(len(space), scramble=True, rng=self._rng)

    def _draw(self) -> list[float]:
        return [float(u) for u in self._sobol.random(1)[0]]


@search("grid", label="Grid", family="exhaustive")
def grid(space: Space, budget: int, seed: int) -> object:
    """Every combination of evenly spaced levels, as many as the budget allows, in an order that spreads."""
    return _Grid(space, budget)


@search("random", label="Random", family="sampling")
def random(space: Space, budget: int, seed: int) -> object:
    """Independent random points: the yardstick for every other engine."""
    return _Random(space, seed)


@search("quasi-random", label="Quasi-random (Sobol)", family="sampling")
def quasi_random(space: Space, budget: int, seed: int) -> object:
    """Points that fill the space evenly, without gaps and clumps."""
    return _QuasiRandom(space, seed)
