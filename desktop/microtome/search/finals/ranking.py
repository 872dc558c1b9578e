"""Which of some retrained trials is taken: means with Student intervals, paired tests on the same seeds, ties said in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from microtome.errors import InputError

_LEVEL = 0.05  # of the tests, all of them together


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A trial's values on the fresh seeds, in the same order for all; `parameters`: weights of its network."""

    trial: int
    values: tuple[float, ...]
    parameters: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What came of it; p values are those of paired t-tests against the first, Holm's correction included."""

    means: dict[int, tuple[float, float, float]]  # trial → (mean, low, high), 95 %; the highest mean first
    p: dict[int, float]  # of all but the first; none with a single seed
    tied: tuple[int, ...]  # the first, and those that cannot be told from it
    winner: int
    words: str


def rank(contenders: Sequence[Contender], *, grain: float = 0.0, bounds: tuple[float, float] | None = None) -> Ranking:
    """Rank trials by the means of their values.

    `grain`: the step of the values, 1/n where they are shares of n images: no spread is taken to be smaller than what rounding
    to it makes (grain/√12), so that three equal values are no proof. `bounds`: what no value can leave. Those whose paired
    difference from the first has p ≥ 0.05 (Student; Holm, Scand. J. Statist. 6 (1979) 65) are tied with it. Taken is the
    smallest network among the tied ones that lie within one standard error of that difference (Breiman et al., Classification
    and Regression Trees, 1984, ch. 3), else the first. Raises InputError where the trials have unlike numbers of values.
    """
    if not contenders or len({len(c.values) for c in contenders}) != 1 or not contenders[0].values:
        raise InputError("A ranking needs trials with the same number of values each.")
    order = sorted(contenders, key=lambda c: (-_mean(c.values), c.trial))
    first, rest = order[0], order[1:]
    means = {c.trial: _interval(c.values, grain, bounds) for c in order}
    if len(first.values) == 1:
        tied = tuple(c.trial for c in order)
        return Ranking(means=means, p={}, tied=tied, winner=first.trial, words=_alone(first) if not rest else _untested(first))
    gaps = {c.trial: _paired(first.values, c.values, grain) for c in rest}
    p = _holm({trial: found[1] for trial, found in gaps.items()})
    tied = (first.trial, *(t for t in p if p[t] >= _LEVEL))
    near = [c for c in order if c is first or (c.trial in tied and _gap(first, c) <= gaps[c.trial][0])]
    taken = min(near, key=lambda c: (c.parameters, -_mean(c.values), c.trial))
    words = _words(order, taken, p, tied)
    return Ranking(means=means, p=p, tied=tied, winner=taken.trial, words=words)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _gap(first: Contender, other: Contender) -> float:
    return _mean(first.values) - _mean(other.values)


def _deviation(values: Sequence[float], least: float) -> float:
    mean = _mean(values)
    return max(least, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)))


def _interval(values: Sequence[float], grain: float, bounds: tuple[float, float] | None) -> tuple[float, float, float]:
    """(mean, low, high) by Student's t; of a single value all that is possible, or, where that is unknown, the value."""
    mean, n = _mean(values), len(values)
    if n == 1:
        return (mean, *(bounds or (mean, mean)))
    # scipy.stats takes long to import.
    from scipy.stats import t

    half = float(t.ppf(0.975, n - 1)) * _deviation(values, grain / math.sqrt(12)) / math.sqrt(n)
    low, high = mean - half, mean + half
    return (mean, low, high) if bounds is None else (mean, max(bounds[0], low), min(bounds[1], high))


def _paired(one: Sequence[float], other: Sequence[float], grain: float) -> tuple[float, float]:
    """(standard error, two-sided p) of the paired difference."""
    from scipy.stats import t

    gaps = [a - b for a, b in zip(one, other, strict=True)]
    n, mean = len(gaps), _mean(gaps)
    error = _deviation(gaps, grain / math.sqrt(6)) / math.sqrt(n)
    if error == 0:
        return 0.0, 1.0 if mean == 0 else 0.0
    return error, min(1.0, 2 * float(t.sf(abs(mean) / error, n - 1)))


def _holm(p: Mapping[int, float]) -> dict[int, float]:
    """Holm's adjusted p values, in the order given."""
    found: dict[int, float] = {}
    highest = 0.0
    for i, trial in enumerate(sorted(p, key=lambda k: p[k])):
        highest = max(highest, min(1.0, (len(p) - i) * p[trial]))
        found[trial] = highest
    return {trial: found[trial] for trial in p}


# --- words


def _alone(first: Contender) -> str:
    return f"Trial {first.trial} alone was trained again."


def _untested(first: Contender) -> str:
    return f"One seed each cannot tell the trials apart; trial {first.trial} is taken, the highest."


def _words(order: Sequence[Contender], taken: Contender, p: Mapping[int, float], tied: Sequence[int]) -> str:
    first = order[0]
    if len(order) == 1:
        return _alone(first)
    if len(tied) == 1:
        highest = max(p.values())
        return f"Trial {first.trial} is better than the others on the same seeds ({_p(highest, 'at most')})."
    others = [p[t] for t in tied[1:]]
    names = ", ".join(str(t) for t in tied[:-1]) + f" and {tied[-1]}"
    said = _p(others[0]) if len(others) == 1 else _p(min(others), "at least")
    return f"Trials {names} cannot be told apart ({said}); {_why(order, taken, tied)}."


def _why(order: Sequence[Contender], taken: Contender, tied: Sequence[int]) -> str:
    first = order[0]
    if taken is not first:
        smaller = taken.parameters < first.parameters
        return f"trial {taken.trial} is taken, " + ("the smaller network" if smaller else "which is as small")
    if any(c.trial in tied and c.parameters < first.parameters for c in order):
        return f"trial {first.trial} is taken, since no smaller network comes within a standard error of it"
    return f"trial {first.trial} is taken, which has the highest mean and no smaller network beside it"


def _p(value: float, bound: str = "") -> str:
    text = "p < 0.001" if value < 0.001 else f"p = {value:.2g}"
    if bound and "<" not in text:
        text = f"p {'≤' if bound == 'at most' else '≥'} {value:.2g}"
    return text
