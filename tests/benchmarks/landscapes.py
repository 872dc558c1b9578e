"""Recorded learning curves as landscapes that answer any point of their space: the nearest one, or an interpolation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.stats import qmc

from microtome.plugin import Space
from microtome.search.space import space_from_table

DATA = Path(__file__).resolve().parent / "data"
Array = NDArray[np.float64]
_SAMPLE = 14  # the best of an interpolated landscape is sought among 2 to this power points, and the recorded ones
_LOUDEST = 0.04
_ROOM = 0.01
MODELS = ("interpolated", "nearest")


def about() -> dict[str, Any]:
    """What the recordings are: space, epochs, landscapes."""
    found: dict[str, Any] = json.loads((DATA / "curves.json").read_text(encoding="utf-8"))
    return found


@dataclass
class Landscape:
    """Curves (epochs,) of validation accuracy and seconds an epoch for every point of a space.

    "nearest": the truth that counts is the running mean over five epochs of the nearest recorded configuration's curve.
    "interpolated": it is a Gaussian process through all of them (ARD Matérn 5/2 on the axes' positions, one for all epochs),
    that of −log(ceiling − accuracy), the ceiling 1 % above the best smoothed curve, so that it spreads the good ones and
    overshoots nowhere. It is smooth where the recordings are few, which favours engines that model smoothness; the nearest one
    is rough everywhere, which favours none. The reality lies between.

    What is seen of either has noise besides, as loud as that of the nearest recorded one: what its curve deviates from its own
    running mean, at most 4 %. Every trial has it in another order and sign, as a training with another seed would: were it
    always the same, the place would be good or bad luck for ever, and whoever looks at first epochs could never find it again.
    """

    name: str
    model: str
    space: Space
    positions: Array
    accuracy: Array
    seconds: Array
    best: float = field(init=False)
    share: float = field(init=False)  # of the space within 1 % of the best

    def __post_init__(self) -> None:
        scale = np.array([0.5 if axis.kind == "choice" else 1.0 for axis in self.space])
        self._scale = scale
        self._mean = self.accuracy.mean(0)
        self._process = _fit(self.positions, self.accuracy) if self.model == "interpolated" else None
        self._smoothed = _smooth(self.accuracy)
        self._noise = np.clip(self.accuracy - self._smoothed, -_LOUDEST, _LOUDEST)
        if self._process is None:
            ends = self._smoothed.max(1)
        else:
            rows = qmc.Sobol(len(self.space), rng=np.random.default_rng(0)).random_base2(_SAMPLE)
            snapped = np.array([self.space.positions(self.space.at(row)) for row in rows])
            ends = np.concatenate([self._process.predict(u).max(1) for u in (*np.array_split(snapped, 32), self.positions)])
        self.best = float(ends.max())
        self.share = float((ends >= 0.99 * self.best).mean())

    @property
    def epochs(self) -> int:
        """Of a full trial."""
        return int(self.accuracy.shape[1])

    def answer(self, point: dict[str, Any], rng: np.random.Generator) -> tuple[Array, Array, Array]:
        """What a trial of a point sees after each epoch, its true accuracy, and the seconds of each: (epochs,) all three."""
        u = np.array(self.space.positions(point))
        near = int(np.argmin((((self.positions - u) * self._scale) ** 2).sum(1)))
        truth = self._smoothed[near] if self._process is None else self._process.predict(u[None])[0]
        noise = rng.permutation(self._noise[near]) * rng.choice([-1.0, 1.0], size=self.epochs)
        return np.clip(truth + noise, 0.0, 1.0), truth, self.seconds[near]


def _smooth(curves: Array, width: int = 5) -> Array:
    """The running mean (n, epochs) over `width` epochs, over fewer at the ends."""
    epochs = curves.shape[1]
    spans = [slice(max(0, e - width // 2), min(epochs, e + width // 2 + 1)) for e in range(epochs)]
    return np.stack([curves[:, span].mean(1) for span in spans], axis=1)


class _Process:
    def __init__(self, u: Array, y: Array, theta: Array) -> None:
        self._u, self._lengths = u, np.exp(theta[:-1])
        self._ceiling = np.maximum.accumulate(_smooth(y).max(0)) + _ROOM
        y = -np.log(np.maximum(self._ceiling - y, _ROOM))
        self._mean = y.mean(0)
        kernel = _matern(u, u, self._lengths) + np.exp(theta[-1]) * np.eye(len(u))
        self._weights = cho_solve(cho_factor(kernel), y - self._mean)

    def predict(self, u: Array) -> Array:
        return self._ceiling - np.exp(-(self._mean + _matern(u, self._u, self._lengths) @ self._weights))


def _matern(a: Array, b: Array, lengths: Array) -> Array:
    d = np.sqrt(
        np.maximum(((a / lengths) ** 2).sum(1)[:, None] + ((b / lengths) ** 2).sum(1) - 2 * (a / lengths) @ (b / lengths).T, 0)
    )
    d *= np.sqrt(5)
    result: Array = (1 + d + d**2 / 3) * np.exp(-d)
    return result


def _fit(u: Array, y: Array) -> _Process:
    """Length scales and noise by maximum likelihood of the best accuracies; the weights for every epoch's."""
    z = _smooth(y).max(1)
    z = -np.log(z.max() + _ROOM - z)
    z = (z - z.mean()) / z.std()

    squares = (u.T[:, :, None] - u.T[:, None, :]) ** 2  # (axes, n, n)

    def loss(theta: Array) -> tuple[float, Array]:
        scaled = squares * np.exp(-2 * theta[:-1])[:, None, None]
        d = np.sqrt(5 * scaled.sum(0))
        decay = np.exp(-d)
        noise = np.exp(theta[-1])
        inverse = np.linalg.inv((1 + d + d**2 / 3) * decay + noise * np.eye(len(z)))
        solved = inverse @ z
        variance = float(z @ solved) / len(z)
        inner = 0.5 * (inverse - np.outer(solved, solved) / variance)
        slope = np.einsum("kij,ij->k", scaled, 5 / 3 * (1 + d) * decay * inner)
        determinant = -float(np.linalg.slogdet(inverse)[1])
        return 0.5 * (len(z) * np.log(variance) + determinant), np.append(slope, noise * np.trace(inner))

    bounds = [(np.log(0.1), np.log(20.0))] * u.shape[1] + [(np.log(1e-3), 0.0)]
    start = np.append(np.zeros(u.shape[1]), np.log(0.1))
    found = minimize(loss, start, bounds=bounds, jac=True, method="L-BFGS-B", options={"maxiter": 30})
    return _Process(u, y, found.x)


def fit_quality(landscape: Landscape, folds: int = 5) -> tuple[float, float]:
    """Cross-validated R² and rank correlation of the best accuracies: how far the interpolation knows the landscape."""
    from scipy.stats import spearmanr

    order = np.random.default_rng(0).permutation(len(landscape.positions))
    truth, guess = _smooth(landscape.accuracy).max(1), np.zeros(len(order))
    for part in np.array_split(order, folds):
        rest = np.setdiff1d(order, part)
        if landscape.model == "interpolated":
            guess[part] = _fit(landscape.positions[rest], landscape.accuracy[rest]).predict(landscape.positions[part]).max(1)
        else:
            distance = ((landscape.positions[part][:, None] - landscape.positions[rest][None]) ** 2).sum(2)
            guess[part] = truth[rest][distance.argmin(1)]
    r2 = 1 - float(((guess - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())
    return r2, float(spearmanr(guess, truth).statistic)


@lru_cache(maxsize=16)
def landscape(name: str, model: str = "interpolated") -> Landscape:
    """A recorded landscape by name; FileNotFoundError where it was not recorded."""
    space = space_from_table(about()["space"])
    with np.load(DATA / f"curves-{name}.npz") as data:
        accuracy = data["accuracy"].astype(np.float64) / 1e4
        positions, seconds = data["positions"].astype(np.float64), data["seconds"].astype(np.float64)
    return Landscape(name, model, space, positions, accuracy, seconds)
