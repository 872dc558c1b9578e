"""Bayesian optimisation over ranks: a Gaussian process of our own, quick enough for a thousand short trials."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Parameter, Space, search

__version__ = "1"
Array = NDArray[np.float64]
_MOST = 160  # points that the process is made of: the best of all and the latest
_DRAWN, _MUTATED, _PARENTS = 250, 200, 8  # candidates an ask
_GROWTH = 1.25  # the length scales are found again when there are so many times the points
_BLIND = 0.25  # share of points drawn at random, against a process that is wrong


class _Axes:
    """The axes as columns of numbers: a numeric axis is its position 0 … 1, a choice one column a value."""

    def __init__(self, space: Space) -> None:
        self.space = space
        axes: list[Parameter] = list(space)
        self._levels = [axis.count if axis.kind == "choice" or not axis.log else None for axis in axes]
        self._choices = [axis.kind == "choice" for axis in axes]
        self._names = [axis.name for axis in axes]
        self._axes = axes
        self.owners = np.concatenate([[i] * (len(a.choices) if a.kind == "choice" else 1) for i, a in enumerate(axes)])

    def snapped(self, u: Array) -> Array:
        """The positions (n, axes) of the values nearest to u, those of axes that do not exist there in the middle."""
        out = u.copy()
        for i, (axis, levels) in enumerate(zip(self._axes, self._levels, strict=True)):
            if levels is not None:
                out[:, i] = (np.minimum(np.floor(u[:, i] * levels), levels - 1) + 0.5) / levels
            elif axis.kind == "int":
                ends = math.log(axis.low - 0.5), math.log(axis.high + 0.5)
                values = np.clip(np.rint(np.exp(ends[0] + u[:, i] * (ends[1] - ends[0]))), axis.low, axis.high)
                out[:, i] = (np.log(values) - ends[0]) / (ends[1] - ends[0])
        exists: dict[str, NDArray[np.bool_]] = {}
        for axis in self._axes:
            self._existence(axis, out, exists)
        for i, name in enumerate(self._names):
            out[~exists[name], i] = 0.5
        return out

    def _existence(self, axis: Parameter, u: Array, known: dict[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
        if axis.name not in known:
            if axis.when is None:
                known[axis.name] = np.ones(len(u), bool)
            else:
                place = self._names.index(axis.when[0])
                parent = self._axes[place]
                wanted = np.array([parent.position(value) for value in axis.when[1]])
                fits = (np.abs(u[:, place, None] - wanted) < 1e-9).any(1)
                known[axis.name] = fits & self._existence(parent, u, known)
        return known[axis.name]

    def columns(self, u: Array) -> Array:
        """Positions (n, axes) as columns (n, more): two different values of a choice are 1 apart, whichever they are."""
        parts = []
        for i, axis in enumerate(self._axes):
            if self._choices[i]:
                index = np.minimum((u[:, i] * len(axis.choices)).astype(int), len(axis.choices) - 1)
                parts.append(np.eye(len(axis.choices))[index] / math.sqrt(2))
            else:
                parts.append(u[:, i : i + 1])
        return np.concatenate(parts, axis=1)


class _Process:
    """A Gaussian process with a Matérn 5/2 covariance, one length scale an axis, of standardised values."""

    def __init__(self, axes: int, owners: NDArray[np.int64]) -> None:
        self._axes, self._owners = axes, owners
        self._theta = np.append(np.full(axes, math.log(0.7)), math.log(0.1))  # log of the lengths and of the noise's variance

    def learn(self, x: Array, y: Array) -> None:
        """Find length scales and noise: their most probable values after y (n,) at x (n, columns)."""
        from scipy.optimize import minimize

        squares = np.zeros((self._axes, len(x), len(x)))
        for column, owner in enumerate(self._owners):
            squares[owner] += (x[:, None, column] - x[None, :, column]) ** 2

        def loss(theta: Array) -> tuple[float, Array]:
            scaled = squares * np.exp(-2 * theta[:-1])[:, None, None]
            d = np.sqrt(5 * scaled.sum(0))
            decay, noise = np.exp(-d), math.exp(theta[-1])
            covariance = (1 + d + d**2 / 3) * decay + noise * np.eye(len(x))
            inverse = np.linalg.inv(covariance)
            solved = inverse @ y
            inner = 0.5 * (inverse - np.outer(solved, solved))
            slope = np.einsum("kij,ij->k", scaled, 5 / 3 * (1 + d) * decay * inner)
            value = 0.5 * (float(y @ solved) + float(np.linalg.slogdet(covariance)[1]))
            # Priors: lengths near the edge of the space, as most axes matter little; a noise of some percent.
            centre = np.append(np.full(self._axes, math.log(1.0)), math.log(0.05))
            width = np.append(np.full(self._axes, 0.8), 1.0)
            off = (theta - centre) / width
            return value + 0.5 * float(off @ off), np.append(slope, noise * np.trace(inner)) + off / width

        bounds = [(math.log(0.05), math.log(20.0))] * self._axes + [(math.log(1e-3), 0.0)]
        found = minimize(loss, self._theta, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 15})
        self._theta = found.x

    def know(self, x: Array, y: Array, pending: Array) -> None:
        """Take the values y (n,) at x; points under way are taken to be what is expected of them."""
        from scipy.linalg import cho_factor, cho_solve

        self._x, self._mean = x, float(y.mean())
        both = np.concatenate([x, pending]) if len(pending) else x
        factor = cho_factor(self._covariance(x, x) + self._noise(len(x)), lower=True)
        weights = cho_solve(factor, y - self._mean)
        if len(pending):
            believed = self._covariance(pending, x) @ weights
            factor = cho_factor(self._covariance(both, both) + self._noise(len(both)), lower=True)
            weights = cho_solve(factor, np.concatenate([y - self._mean, believed]))
        self._x, self._weights, self._factor = both, weights, factor[0]

    def predict(self, x: Array) -> tuple[Array, Array]:
        """Mean and deviation (n,) at x (n, columns)."""
        from scipy.linalg import solve_triangular

        across = self._covariance(x, self._x)
        explained = solve_triangular(self._factor, across.T, lower=True)
        variance = np.maximum(1.0 - (explained**2).sum(0), 1e-9)
        return self._mean + across @ self._weights, np.sqrt(variance)

    def _noise(self, n: int) -> Array:
        return math.exp(self._theta[-1]) * np.eye(n)

    def _covariance(self, a: Array, b: Array) -> Array:
        lengths = np.exp(self._theta[:-1])[self._owners]
        a, b = a / lengths, b / lengths
        squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
        d = np.sqrt(5 * np.maximum(squares, 0.0))
        result: Array = (1 + d + d**2 / 3) * np.exp(-d)
        return result


class _Bayes:
    """Sobol points first, then by Thompson's rule: of random points and children of the best, the one with the best draw.

    Every candidate's value is drawn from what the process holds possible there. Beginnings of trials are cheap and tell little:
    drawing spreads them, where the highest expected improvement would crowd them around the first quick learners.

    What a part of a trial gave is known beside what whole ones gave: it is lifted by what trials gain from there on, and the
    share of a trial is one more axis of the process, so that it learns how far the beginning tells the end. Of each point only
    what its longest part gave counts: its own beginning, which is noisier, would pull it back.
    """

    def __init__(self, space: Space, budget: int, seed: int) -> None:
        from scipy.stats import qmc

        self._space, self._axes = space, _Axes(space)
        self._rng = np.random.default_rng(seed)
        self._sobol = qmc.Sobol(len(space), rng=self._rng)
        self._start = max(4, min(len(space) + 2, budget // 4))
        self._process = _Process(len(space) + 1, np.append(self._axes.owners, len(space)))
        self._learnt = 0
        self._told: dict[tuple[Any, ...], dict[float, float | None]] = {}  # point → share of a trial → value
        self._places: dict[tuple[Any, ...], list[float]] = {}  # of all points, along the axes
        self._pending: set[tuple[Any, ...]] = set()
        self._asked = 0

    def ask(self) -> dict[str, Any]:
        self._asked += 1
        if self._asked <= self._start or sum(None not in values.values() for values in self._told.values()) < self._start:
            point = self._fresh(self._sobol.random(1) for _ in range(50))
        elif self._rng.random() < _BLIND:
            point = self._fresh(self._rng.random((1, len(self._space))) for _ in range(50))
        else:
            point = self._fresh(iter([self._ranked()]))
        key = tuple(point.items())
        self._pending.add(key)
        self._places[key] = self._space.positions(point)
        return point

    def tell(self, parameters: dict[str, Any], value: float | None) -> None:
        """Told again, the latest value of a share of a trial counts."""
        share = getattr(value, "share", 1.0)
        key = tuple(parameters.items())
        self._pending.discard(key)
        self._places[key] = self._space.positions(parameters)
        finite = value is not None and math.isfinite(value)
        self._told.setdefault(key, {})[share] = float(value) if finite and value is not None else None

    def _fresh(self, batches: Any) -> dict[str, Any]:
        """The first point of the batches that was not asked for or told yet; else the last seen."""
        point: dict[str, Any] = {}
        for batch in batches:
            for u in batch:
                point = self._space.at(u)
                if tuple(point.items()) not in self._places:
                    return point
        return point

    def _known(self) -> tuple[Array, Array, Array]:
        """Positions (n, axes), places of the shares 0 … 1 (n,) and lifted, warped values (n,) of all points."""
        shares = sorted({share for values in self._told.values() for share in values})
        lift = dict.fromkeys(shares, 0.0)
        for low, high in reversed(list(itertools.pairwise(shares))):
            gains = [
                above - below
                for values in self._told.values()
                if (below := values.get(low)) is not None and (above := values.get(high)) is not None
            ]
            lift[low] = lift[high] + (float(np.median(gains)) if gains else 0.0)
        last = [(key, max(values)) for key, values in self._told.items()]
        rows = [(key, share, None if (value := self._told[key][share]) is None else value + lift[share]) for key, share in last]
        least = math.log(min(shares)) or -1.0
        place = np.array([1.0 - math.log(share) / least for _, share, _ in rows])
        return np.array([self._places[key] for key, _, _ in rows]), place, _warped([value for _, _, value in rows])

    def _ranked(self) -> Array:
        """Candidates (n, axes), the most promising first."""
        u, share, y = self._known()
        if len(u) > _MOST:
            best = np.argsort(-y, kind="stable")[: _MOST // 3]
            chosen = np.union1d(best, np.arange(len(u) - (_MOST - len(best)), len(u)))
            u, share, y = u[chosen], share[chosen], y[chosen]
        x = self._columns(u, share)
        if len(u) >= _GROWTH * self._learnt or len(u) < self._learnt:
            self._process.learn(x, y)
            self._learnt = len(u)
        waiting = np.array([self._places[key] for key in sorted(self._pending, key=str)]).reshape(-1, len(self._space))
        self._process.know(x, y, self._columns(waiting))
        candidates = self._axes.snapped(self._candidates(u, y))
        mean, deviation = self._process.predict(self._columns(candidates))
        ranked: Array = candidates[np.argsort(-(mean + deviation * self._rng.normal(size=len(mean))), kind="stable")[:50]]
        return ranked

    def _columns(self, u: Array, share: Array | None = None) -> Array:
        """Positions as the process's columns, of whole trials where no share is said."""
        last = np.ones(len(u)) if share is None else share
        return np.concatenate([self._axes.columns(u), last[:, None]], axis=1)

    def _candidates(self, u: Array, y: Array) -> Array:
        drawn = self._rng.random((_DRAWN, len(self._space)))
        parents = u[np.argsort(-y, kind="stable")[:_PARENTS]]
        children = parents[self._rng.integers(len(parents), size=_MUTATED)]
        changed = self._rng.random(children.shape) < np.maximum(0.3, 1.5 / len(self._space))
        steps = self._rng.normal(size=children.shape) * self._rng.choice([0.03, 0.1, 0.3], size=(_MUTATED, 1))
        moved = np.where(self._choices(), self._rng.random(children.shape), np.clip(children + steps, 0.0, 1.0))
        return np.concatenate([drawn, np.where(changed, moved, children)])

    def _choices(self) -> NDArray[np.bool_]:
        return np.array([axis.kind == "choice" for axis in self._space])


def _warped(values: list[float | None]) -> Array:
    """Values to maximise as numbers of deviation about 1: what lies below the median counts by its rank alone.

    So a few trials that diverged do not squeeze the good ones together (half-rank warping, as in Vizier's designer: Song et
    al., arXiv:2408.11527). Failed trials are the worst.
    """
    from scipy.special import ndtri

    least = min((v for v in values if v is not None), default=0.0)
    y = np.array([least if v is None else v for v in values])
    middle = float(np.median(y))
    above = y[y >= middle]
    spread = math.sqrt(float(np.mean((above - middle) ** 2))) or 1.0
    ranks = np.argsort(np.argsort(y, kind="stable"), kind="stable")
    low = y < middle
    warped = (y - middle) / spread
    warped[low] = ndtri((ranks[low] + 0.5) / len(y))
    return warped


@search("bayes", label="Bayesian optimisation over ranks", family="model")
def bayes(space: Space, budget: int, seed: int) -> object:
    """A Gaussian process of its own, in milliseconds a trial; bad trials count by rank, so failures do not blind it."""
    return _Bayes(space, budget, seed)
