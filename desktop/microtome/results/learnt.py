"""What a search has taught about each parameter, as tested statements: no difference, a bad end, a good stretch, worse choices.

The trials of an engine that learns are not spread evenly and not independent, so each statement speaks of this search only;
the tests are by ranks, corrected for their number by Holm's rule, and an absence of difference is only stated where a
difference of any size would have been seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from microtome.results.axes import Axis

Kind = Literal["no-difference", "fails-above", "fails-below", "best-between", "worse-choices"]
Array = NDArray[np.float64]
LEAST = 20
"""Trials with a value, below which nothing is stated."""
_MOST = 1000
_CERTAIN = 0.01  # adjusted p below which a difference is stated
_DOUBT = 0.2  # p above which none is, if the effect's upper bound is small as well
_SMALL = 0.1  # share of the variance of ranks that may be missed
_BINS = 4
_SHUFFLES = 4000
_RESAMPLES = 200
_NARROW = 0.6  # of the stretch that was tried: a wider one is not worth narrowing to


@dataclass(frozen=True)
class Lesson:
    """One statement. `value` is the best one to freeze at; `low`, `high` the range to narrow to; `choices`
    those to keep, `worse` those that are not among them.

    `count` of `total` trials failed beyond the threshold (fails-…).
    """

    kind: Kind
    name: str
    p: float
    n: int
    value: Any = None
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    worse: tuple[Any, ...] = ()
    count: int = 0
    total: int = 0


def holm(p: Sequence[float]) -> list[float]:
    """The p values adjusted for their number (Holm, Scand. J. Stat. 6 (1979) 65): never below the plain ones, at most 1."""
    adjusted, running = [1.0] * len(p), 0.0
    for place, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        running = max(running, min(1.0, (len(p) - place) * p[i]))
        adjusted[i] = running
    return adjusted


def learn(
    axes: Sequence[Axis],
    points: Array,
    values: Array,
    failed: NDArray[np.bool_],
    *,
    seed: int = 0,
    report: Callable[[float], object] = lambda share: None,
    should_stop: Callable[[], object] = lambda: "",
) -> list[Lesson]:
    """The statements that hold, the surest first, at most one an axis of each kind.

    `points` (n, axes) are places 0 … 1 on the axes (NaN: no such parameter), `values` (n,) to be maximised (NaN: none),
    `failed` (n,) whether a trial came to nothing.
    """
    rng = np.random.default_rng(seed)
    if len(values) > _MOST:
        kept = np.sort(rng.choice(len(values), _MOST, replace=False))
        points, values, failed = points[kept], values[kept], failed[kept]
    found: list[Lesson] = []
    for family in (_fails, _worse_choices, _best_between, _no_difference):
        if should_stop():
            break
        tested = [lesson for k, axis in enumerate(axes) for lesson in family(axis, points[:, k], values, failed, rng)]
        if family is _no_difference:
            found += tested  # a correction would only make a difference easier to deny
        else:
            adjusted = holm([t.p for t in tested])
            found += [replace(lesson, p=p) for lesson, p in zip(tested, adjusted, strict=True) if p < _CERTAIN]
        report(len(found))
    said = {lesson.name for lesson in found if lesson.kind != "no-difference"}
    return [lesson for lesson in found if lesson.kind != "no-difference" or lesson.name not in said]


def _groups(axis: Axis, x: Array, y: Array) -> list[Array]:
    """The values by choice, or by quarters of the trials along the axis; groups below five trials are left out."""
    if axis.choices:
        parts = [y[x == (i + 0.5) / len(axis.choices)] for i in range(len(axis.choices))]
    else:
        edges = np.unique(np.quantile(x, np.linspace(0, 1, _BINS + 1)))
        parts = [y[np.searchsorted(edges[1:-1], x, side="right") == i] for i in range(max(1, len(edges) - 1))]
    return [part for part in parts if len(part) >= 5]


def _effect(groups: Sequence[Array]) -> float:
    """ε²: the share of the variance of ranks between the groups, without what chance gives; 0 … 1."""
    from scipy.stats import rankdata

    joined = rankdata(np.concatenate(groups))
    n, k = len(joined), len(groups)
    total = ((joined - joined.mean()) ** 2).sum()
    if total == 0 or n <= k:
        return 0.0
    ends = np.cumsum([len(g) for g in groups])[:-1]
    between = sum(len(part) * (part.mean() - joined.mean()) ** 2 for part in np.split(joined, ends))
    return float(max(0.0, 1.0 - (total - between) / total * (n - 1) / (n - k)))


def _no_difference(axis: Axis, x: Array, y: Array, failed: NDArray[np.bool_], rng: np.random.Generator) -> list[Lesson]:
    """Kruskal–Wallis between the groups; stated where the effect's 95 % bound is small, so that few trials say nothing."""
    from scipy.stats import kruskal

    known = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[known], y[known]
    if len(y) < LEAST or np.ptp(y) == 0:
        return []
    groups = _groups(axis, x, y)
    if len(groups) < 2 or np.ptp(np.concatenate(groups)) == 0:
        return []
    p = float(kruskal(*groups).pvalue)
    if p <= _DOUBT:
        return []
    again = [_effect([rng.choice(g, len(g)) for g in groups]) for _ in range(_RESAMPLES)]
    if np.quantile(again, 0.95) > _SMALL:
        return []
    best = axis.value_at(float(x[np.argmax(y)]))
    return [Lesson("no-difference", axis.name, p, len(y), value=best)]


def _fails(axis: Axis, x: Array, y: Array, failed: NDArray[np.bool_], rng: np.random.Generator) -> list[Lesson]:
    """The end of an axis beyond which most trials failed: the threshold that separates best, its p by shuffling the failures.

    Shuffling includes the choice of the threshold, so looking for the best one is paid for.
    """
    known = ~np.isnan(x)
    x, bad = x[known], failed[known]
    if axis.choices or len(x) < LEAST or bad.sum() < 4 or bad.all():
        return []
    order = np.argsort(x, kind="stable")
    x, bad = x[order], bad[order]
    made = []
    for side in ("fails-above", "fails-below"):
        xs, bs = (x[::-1], bad[::-1]) if side == "fails-above" else (x, bad)
        score, place = _sharpest(bs[None, :].astype(float), xs)
        if place[0] < 0:
            continue
        beyond = int(place[0]) + 1
        count = int(bs[:beyond].sum())
        if beyond < 5 or count < 0.6 * beyond or count / beyond < 2 * max(1e-9, (bs.sum() - count) / (len(bs) - beyond)):
            continue
        shuffled = rng.permuted(np.broadcast_to(bs.astype(float), (_SHUFFLES, len(bs))), axis=1)
        null, _ = _sharpest(shuffled, xs)
        p = float((1 + (null >= score[0] - 1e-12).sum()) / (1 + _SHUFFLES))
        edge = axis.value_at(float(xs[beyond - 1] + xs[beyond]) / 2)
        low, high = (axis.low, edge) if side == "fails-above" else (edge, axis.high)
        made.append(Lesson(side, axis.name, p, len(x), low=low, high=high, count=count, total=beyond))
    return made


def _sharpest(bad: Array, x: Array) -> tuple[Array, NDArray[np.intp]]:
    """(score, place) a row: the standardised excess of failures among the first trials, at the place where it is largest.

    A place splits only between different x; −1 where there is none.
    """
    n = x.size
    first = np.arange(1, n)
    allowed = (x[1:] != x[:-1]) & (first >= 5) & (n - first >= 5)
    if not allowed.any():
        return np.full(len(bad), -np.inf), np.full(len(bad), -1)
    share = bad.mean(axis=1, keepdims=True)
    excess = np.cumsum(bad, axis=1)[:, :-1] - first * share
    spread = np.sqrt(np.maximum(share * (1 - share), 1e-12) * first * (n - first) / max(1, n - 1))
    score = np.where(allowed, excess / spread, -np.inf)
    place = score.argmax(axis=1)
    return score[np.arange(len(bad)), place], place


def _best_between(axis: Axis, x: Array, y: Array, failed: NDArray[np.bool_], rng: np.random.Generator) -> list[Lesson]:
    """Where the best third lies closer together than a third drawn by chance."""
    known = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[known], y[known]
    third = len(y) // 3
    if axis.choices or len(y) < LEAST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return []
    best = np.sort(x[np.argsort(-y, kind="stable")[:third]])
    low, high = float(best[0]), float(best[-1])
    if high - low > _NARROW * np.ptp(x):
        return []
    order = rng.permuted(np.broadcast_to(np.arange(len(x)), (_SHUFFLES, len(x))), axis=1)[:, :third]
    null = np.ptp(x[order], axis=1)
    p = float((1 + (null <= high - low + 1e-12).sum()) / (1 + _SHUFFLES))
    # A little room at both ends: the best value may lie just beyond the best trial.
    room = 0.05 * (high - low)
    ends = (axis.value_at(max(float(x.min()), low - room)), axis.value_at(min(float(x.max()), high + room)))
    return [Lesson("best-between", axis.name, p, len(y), low=ends[0], high=ends[1])]


def _worse_choices(axis: Axis, x: Array, y: Array, failed: NDArray[np.bool_], rng: np.random.Generator) -> list[Lesson]:
    """Choices whose values lie below those of the best choice: one-sided Mann–Whitney, Holm over the choices.

    Which choice is the best is seen in the same values, and might have been any: each p counts once for each of them.
    """
    from scipy.stats import mannwhitneyu

    known = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[known], y[known]
    if not axis.choices or len(y) < LEAST:
        return []
    groups = {c: y[x == (i + 0.5) / len(axis.choices)] for i, c in enumerate(axis.choices)}
    tried = {c: g for c, g in groups.items() if len(g) >= 5}
    if len(tried) < 2:
        return []
    best = max(tried, key=lambda c: float(np.median(tried[c])))
    others = [c for c in tried if c != best]
    plain = [float(mannwhitneyu(tried[c], tried[best], alternative="less").pvalue) for c in others]
    p = holm([min(1.0, len(tried) * chance) for chance in plain])
    worse = [c for c, chance in zip(others, p, strict=True) if chance < _CERTAIN]
    if not worse:
        return []
    kept = tuple(c for c in axis.choices if c not in worse)
    surest = max(chance for c, chance in zip(others, p, strict=True) if c in worse)
    return [Lesson("worse-choices", axis.name, surest, len(y), value=best, choices=kept, worse=tuple(worse))]
