"""Rules that stop a trial which has fallen behind, and every schedule by its name."""

from __future__ import annotations

import math
import statistics

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError, UnknownNameError, nearest
from microtome.search.stopping.rungs import Promotion, Stopping
from microtome.search.stopping.schedule import Scheduler

DEFAULT = "asha"
"""What "auto" stands for; see decision 0012."""
NAMES = ("none", "auto", "asha", "asha-stop", "median", "curve")


class Median(Scheduler):
    """A trial stops where its best value lies below the median of the other trials' mean values so far
    (Golovin et al., Google Vizier, KDD 2017)."""

    def __init__(self, max_epochs: int | None = None, *, others: int = 4) -> None:
        super().__init__(max_epochs)
        self._warm_up = max(1, (max_epochs or 5) // 5)
        self._others = others
        self._means: dict[int, list[float]] = {}  # trial → mean of its values, after each epoch

    def _behind(self, trial: int, epochs: int, value: float) -> bool:
        means = self._means.setdefault(trial, [])
        kept = len(means)
        number = value if math.isfinite(value) else -math.inf
        latest = (means[-1] * kept + number * (epochs - kept)) / epochs if kept else number
        means.extend([latest] * (epochs - kept))
        if epochs <= self._warm_up:
            return False
        theirs = [m[epochs - 1] for t, m in self._means.items() if t != trial and len(m) >= epochs]
        return len(theirs) >= self._others and self.curves[trial][-1] < statistics.median(theirs)


class Curve(Scheduler):
    """A trial stops where it will beat the best value so far with a probability below 5 %, by its own learning curve.

    The curve is taken for a power law, y(t) = a − b·t^(−c) + noise (Domhan et al., IJCAI 2015, have it among their families;
    Viering & Loog, TPAMI 2022, find it the best of the simple ones). For each of eight exponents c the rest is linear, so
    posterior and evidence are exact (Bishop, Pattern Recognition and Machine Learning, 3.49–3.58 and 3.86); their mixture
    gives the distribution of y after the last epoch. The prior of a lies around the middle of all trials, that of b around 0,
    both as wide as the range of all values from first epochs to last; the noise is that of all trials' second differences.
    What it cannot know: a curve that leaps after a plateau, as with a falling learning rate, is stopped wrongly.
    """

    EXPONENTS = np.geomspace(0.15, 2.5, 8)

    def __init__(self, max_epochs: int | None, *, least: float = 0.05, others: int = 4) -> None:
        if max_epochs is None:
            raise InputError("The rule “curve” must know how long a full trial is.", "Give max_epochs.")
        super().__init__(max_epochs)
        self._last = max_epochs
        self._least = least
        self._others = others
        self._warm_up = max(3, math.ceil(max_epochs / 9))
        self._values: dict[int, list[float]] = {}
        self._noises: dict[int, float] = {}  # trial → variance of its noise

    def _behind(self, trial: int, epochs: int, value: float) -> bool:
        mine = self._values.setdefault(trial, [])
        if not math.isfinite(value):
            return True
        mine.extend([value] * (epochs - len(mine)))
        if len(mine) >= 4:
            self._noises[trial] = float(np.mean(np.diff(mine, 2) ** 2) / 6)
        others = [c for t, c in self.curves.items() if t != trial and len(c) >= self._warm_up and math.isfinite(c[0])]
        if epochs < self._warm_up or len(others) < self._others:
            return False
        ends = [c[-1] for c in others]
        width = max(ends) - min(c[0] for c in others)
        return self.probability(mine, best=max(ends), centre=statistics.median(ends), width=width) < self._least

    def probability(self, values: list[float], *, best: float, centre: float, width: float) -> float:
        """That a curve (one value an epoch) ends above `best`; `centre` and `width` are those of the prior."""
        width = max(width, 1e-3 * max(1.0, abs(best)))
        noise = max(statistics.median(self._noises.values()) if self._noises else 0.0, (0.01 * width) ** 2)
        mean, variance, evidence = extrapolate(
            np.asarray(values), self._last, self.EXPONENTS, centre=centre, width=width, noise=noise
        )
        weights = np.exp(evidence - evidence.max())
        beyond = [0.5 * math.erfc((best - m) / math.sqrt(2 * v)) for m, v in zip(mean, variance, strict=True)]
        return float(np.dot(weights / weights.sum(), beyond))


Numbers = NDArray[np.float64]


def extrapolate(
    values: Numbers, last: int, exponents: Numbers, *, centre: float, width: float, noise: float
) -> tuple[Numbers, Numbers, Numbers]:
    """Mean, variance and log evidence of a power law's value after epoch `last`, for each exponent.

    `values` (n,) after epochs 1 … n; the asymptote's prior is N(centre, width²), the coefficient's N(0, width²), the noise's
    variance is given. All of it is one Gaussian process with the covariance width²·(1 + s^−c·t^−c).
    """
    epochs = np.arange(1, len(values) + 1, dtype=np.float64)
    basis = epochs[None, :] ** -exponents[:, None]  # (c, n)
    final = float(last) ** -exponents
    covariance = width**2 * (1 + basis[:, :, None] * basis[:, None, :]) + noise * np.eye(len(values))
    across = width**2 * (1 + basis * final[:, None])
    deviation = np.broadcast_to(values - centre, basis.shape)
    solved = np.linalg.solve(covariance, np.stack([deviation, across], axis=2))
    mean = centre + np.einsum("cn,cn->c", across, solved[:, :, 0])
    variance = width**2 * (1 + final**2) + noise - np.einsum("cn,cn->c", across, solved[:, :, 1])
    evidence = -0.5 * (np.einsum("cn,cn->c", deviation, solved[:, :, 0]) + np.linalg.slogdet(covariance)[1])
    return mean, np.maximum(variance, noise), evidence


def make_scheduler(name: str | None, *, max_epochs: int | None) -> Scheduler:
    """The schedule of a name (see NAMES; None: "none"). Raises UnknownNameError, InputError where it needs max_epochs."""
    match DEFAULT if name == "auto" else name:
        case "asha":
            return Promotion(max_epochs)
        case "asha-stop":
            return Stopping(max_epochs)
        case "median":
            return Median(max_epochs)
        case "curve":
            return Curve(max_epochs)
        case None | "none":
            return Scheduler(max_epochs)
        case _:
            raise UnknownNameError(f"There is no early stopping “{name}”.", nearest(str(name), NAMES))
