"""How much each parameter mattered in a search, with intervals: what a random forest loses when one is shuffled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST = 15
"""Trials, below which nothing is said: the intervals would reach from nothing to everything."""
_MOST = 2000  # trials that are looked at: the newest hundred thousand would say the same, much later
_FORESTS = 24  # resamples, each with a forest of its own
_TREES = 32
_OUTSIDE = -0.25  # where a parameter lies that a trial does not have: beside the axis, as a value of its own


@dataclass(frozen=True)
class Importance:
    """One parameter's share of the explained variance of the value: median and 90 % interval over resampled trials."""

    name: str
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Ranking:
    """All parameters, most important first; how many trials; how much of the variance unseen trials let one explain (R²)."""

    parameters: tuple[Importance, ...]
    trials: int
    explained: float


def rank_parameters(
    names: Sequence[str],
    points: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    seed: int = 0,
    report: Callable[[float], object] = lambda share: None,
    should_stop: Callable[[], object] = lambda: "",
) -> Ranking:
    """Permutation importance (Breiman, Machine Learning 45 (2001) 5) over bootstrap resamples of the trials.

    `points` (n, parameters) are places 0 … 1 with NaN where a trial has no such parameter, `values` (n,) to be maximised.
    Each resample fits a forest to trials drawn with replacement and shuffles one parameter at a time among the trials that
    were not drawn; the fall of R² there, cut at 0 and divided by the sum over the parameters, is the parameter's share. The
    spread over resamples holds for a search over the same space with as many trials. The values are turned into ranks
    first, so that a few failures far below do not explain everything. Empty below LEAST trials.
    """
    if len(values) < LEAST or len(names) == 0:
        return Ranking((), len(values), 0.0)
    rng = np.random.default_rng(seed)
    chosen = np.arange(len(values)) if len(values) <= _MOST else np.sort(rng.choice(len(values), _MOST, replace=False))
    x = np.where(np.isnan(points[chosen]), _OUTSIDE, points[chosen])
    y = _ranks(values[chosen])
    shares, explained = [], []
    for k in range(_FORESTS):
        if should_stop():
            break
        found = _resample(x, y, rng)
        if found is not None:
            falls, score = found
            total = falls.sum()
            shares.append(falls / total if total > 0 else np.zeros(len(names)))
            explained.append(score)
        report((k + 1) / _FORESTS)
    if not shares:
        return Ranking((), len(values), 0.0)
    low, middle, high = np.quantile(np.array(shares), [0.05, 0.5, 0.95], axis=0)
    made = [Importance(n, float(middle[i]), float(low[i]), float(high[i])) for i, n in enumerate(names)]
    made.sort(key=lambda m: -m.share)
    return Ranking(tuple(made), len(values), float(max(0.0, np.median(explained))))


def _resample(
    x: NDArray[np.float64], y: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], float] | None:
    """(fall of R² a parameter, R²) on the trials that were not drawn; None where too few are left or all are equal."""
    from sklearn.ensemble import RandomForestRegressor

    drawn = rng.integers(0, len(y), len(y))
    rest = np.setdiff1d(np.arange(len(y)), drawn)
    if len(rest) < 4 or np.ptp(y[rest]) == 0:
        return None
    forest = RandomForestRegressor(_TREES, min_samples_leaf=2, max_features=0.7, random_state=int(rng.integers(2**31)))
    forest.fit(x[drawn], y[drawn])
    score = _explained(y[rest], forest.predict(x[rest]))
    falls = np.zeros(x.shape[1])
    for k in range(x.shape[1]):
        shuffled = x[rest].copy()
        rng.shuffle(shuffled[:, k])
        falls[k] = max(0.0, score - _explained(y[rest], forest.predict(shuffled)))
    return falls, score


def _explained(truth: NDArray[np.float64], said: NDArray[np.float64]) -> float:
    return 1.0 - float(((truth - said) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    made: NDArray[np.float64] = rankdata(values) / len(values)
    return made
