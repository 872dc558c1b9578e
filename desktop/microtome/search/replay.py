"""What would each engine have needed? Engines replayed on the finished trials of a search, by their nearest neighbours.

The ledger answers only near what was tried: where an engine asks far from every trial, the answer is that of the nearest
ones, and nothing is better than the best trial of the search. So the replay compares engines on this landscape as far as it
is known; it does not say what an engine would have found beyond it. The search's own engine chose where the landscape is
known well, which favours its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.plugin import Parameter, Space
from microtome.search.engine import make_engine

LEAST = 15
"""Finished trials, below which there is no landscape to replay on."""
_NEIGHBOURS = 3
_GOOD = 0.95  # quantile of the trials' values: an engine that reaches it has arrived
Array = NDArray[np.float64]


@dataclass(frozen=True)
class EngineReplay:
    """One engine: its best value so far after each trial, a row a seed, and the trials it needed (None: never arrived)."""

    engine: str
    curves: tuple[tuple[float, ...], ...]
    needed: tuple[int | None, ...]


@dataclass(frozen=True)
class Replay:
    """All engines on one landscape: its best value, and what counts as arrived."""

    engines: tuple[EngineReplay, ...]
    best: float
    target: float
    trials: int
    budget: int
    skipped: dict[str, str] = field(default_factory=dict)  # engine → why it could not be replayed


class Landscape:
    """Values over a space, as far as finished trials tell: the mean of the nearest three, weighted by 1 / distance²."""

    def __init__(self, trials: Sequence[tuple[dict[str, Any], float]], space: Space) -> None:
        self._axes: tuple[Parameter, ...] = space.parameters
        known = [(p, v) for p, v in trials if np.isfinite(v)]
        if len(known) < LEAST:
            raise InputError(
                f"Only {len(known)} trials have ended; {LEAST} are needed to compare engines on them.",
                "Wait until the search has gone on.",
            )
        self.points = np.array([self._place(p) for p, _ in known])
        self.values = np.array([v for _, v in known])

    def _place(self, parameters: dict[str, Any]) -> list[float]:
        """0 … 1 an axis; a choice is a corner of its own (one place a choice); an axis that is not there lies beside."""
        made: list[float] = []
        for axis in self._axes:
            value = parameters.get(axis.name)
            if axis.kind == "choice":
                # Two different choices are √2 · 0.5 apart: as far as half of a numeric axis or more.
                made += [0.5 * (value == c) for c in axis.choices]
            else:
                made.append(-0.5 if value is None else axis.position(value))
        return made

    def value(self, parameters: dict[str, Any]) -> float:
        """The value of a point: a trial's own where it was tried."""
        squares: Array = ((self.points - np.array(self._place(parameters))) ** 2).sum(axis=1)
        near = np.argsort(squares, kind="stable")[:_NEIGHBOURS]
        if squares[near[0]] < 1e-12:
            return float(self.values[squares < 1e-12].mean())
        weights = 1.0 / squares[near]
        return float((weights * self.values[near]).sum() / weights.sum())


def replay_engines(
    trials: Sequence[tuple[dict[str, Any], float]],
    space: Space,
    engines: Sequence[str],
    seeds: Sequence[int],
    *,
    budget: int | None = None,
    workers: int = 1,
    report: Callable[[float], object] = lambda share: None,
    should_stop: Callable[[], object] = lambda: "",
) -> Replay:
    """Let each engine search the landscape of `trials` (parameters, value to be maximised) once a seed.

    `budget` trials each (default: as many as the search had, at most 100); with `workers` above 1 as many points are asked
    before the first of them is told, as beside each other. An engine has arrived when it has found what the best
    twentieth of the trials reach: the very best one may have been luck, which
    the neighbours smooth away. An engine that cannot search this space is left out, saying why.
    """
    land = Landscape(trials, space)
    budget = min(100, len(land.values)) if budget is None else budget
    best = float(land.values.max())
    target = float(np.quantile(land.values, _GOOD))
    made: list[EngineReplay] = []
    skipped: dict[str, str] = {}
    total, done = len(engines) * len(seeds), 0
    for engine in engines:
        curves: list[tuple[float, ...]] = []
        for seed in seeds:
            if should_stop():
                return Replay(tuple(made), best, target, len(land.values), budget, skipped)
            try:
                curves.append(_one(land, space, engine, budget, seed, workers))
            except InputError as error:
                skipped[engine] = str(error)
                break
            done += 1
            report(done / total)
        if curves and engine not in skipped:
            made.append(EngineReplay(engine, tuple(curves), tuple(_arrival(c, target) for c in curves)))
    return Replay(tuple(made), best, target, len(land.values), budget, skipped)


def _one(land: Landscape, space: Space, engine: str, budget: int, seed: int, workers: int) -> tuple[float, ...]:
    """The best value so far after each trial; an engine that runs out (a finished grid) stays where it is."""
    search = make_engine(engine, space, budget=budget, seed=seed, workers=workers)
    curve: list[float] = []
    top = -np.inf
    while len(curve) < budget:
        asked: list[dict[str, Any]] = []
        while len(asked) < min(workers, budget - len(curve)) and (point := search.ask()) is not None:
            asked.append(point)
        if not asked:
            break
        for point in asked:
            value = land.value(point)
            search.tell(point, value)
            top = max(top, value)
            curve.append(float(top))
    return tuple(curve + [float(top)] * (budget - len(curve)))


def _arrival(curve: Sequence[float], target: float) -> int | None:
    return next((i for i, value in enumerate(curve, start=1) if value >= target), None)


def summarise(replayed: EngineReplay, budget: int) -> tuple[float, float, float]:
    """(median, low, high) of the trials needed over the seeds, quartiles; one that never arrived lies beyond the budget."""
    needed = np.array([n if n is not None else budget + 1 for n in replayed.needed], dtype=float)
    low, middle, high = np.quantile(needed, [0.25, 0.5, 0.75])
    return float(middle), float(low), float(high)
