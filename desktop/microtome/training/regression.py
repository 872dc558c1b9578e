"""Networks that tell a number: the scale of its values, the error that a training makes smaller, and how good it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.events import EpochEnded
from microtome.intervals import Interval
from microtome.registry import registry
from microtome.slices.imageset import ImageSet
from microtome.training.spec import ImportanceSpec, TrainingSpec, TrialSpec

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]
Point = tuple[float, float, float, int]
"""A volume: its value, the mean and the standard deviation of what is told of its images, and how many they are."""
FEW = 3
"""Volumes; of fewer an interval cannot be told from how they differ."""
_RESAMPLES = 10_000


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Mean and standard deviation of the values of the training images; a network tells (value − mean) / deviation."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Numbers) -> Scale:
        """Of the values (n,) of training images; InputError where one is missing, or all are alike."""
        if not np.isfinite(values).all():
            raise InputError("Some images carry no value to learn.", "Give every volume a value, and cut the slices again.")
        deviation = float(values.std()) if len(values) else 0.0
        if deviation <= 1e-12 * max(1.0, float(np.abs(values).max(initial=0.0))):
            raise InputError(
                "All training images carry the same value; there is nothing to learn.",
                "Add volumes: whole volumes are held apart for validation and evaluation.",
            )
        return cls(mean=float(values.mean()), deviation=deviation)

    def standard(self, values: Numbers) -> Numbers:
        """Values as a network tells them."""
        result: Numbers = (values - self.mean) / self.deviation
        return result

    def real(self, told: NDArray[Any]) -> Numbers:
        """What a network tells as values."""
        result: Numbers = np.asarray(told, dtype=np.float64) * self.deviation + self.mean
        return result


def names_of(settings: TrainingSpec, classes: tuple[str, ...]) -> tuple[str, ...]:
    """What the answers of a network are called: the classes, or the one number."""
    return ("value",) if settings.target == "value" else classes


def scale_of(spec: TrialSpec, image_set: ImageSet) -> Scale | None:
    """The scale of the values that a trial learns; None where it learns classes. Raises InputError as Scale.of does.

    Also where its settings want of numbers what only classes have.
    """
    if spec.training.target != "value":
        return None
    names = [item["name"] for item in spec.training.augmentations]
    mixing = [name for name in names if registry().get("augmentation", name).extra["mixes"]]
    check_settings(spec.training, spec.importance, mixing)
    if not np.isfinite(image_set.values).all():
        raise InputError("Some images carry no value to learn.", "Give every volume a value, and cut the slices again.")
    return Scale.of(image_set.values[image_set.split("train")])


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How well numbers are told: mean squared error, mean absolute error, and R²."""

    n: int
    mse: float
    mae: float
    r2: float

    @property
    def rmse(self) -> float:
        """The root of the mean squared error, in the values' unit."""
        return math.sqrt(self.mse)


def fit_of(true: Numbers, told: Numbers, spread: float) -> Fit:
    """MSE = ⟨(told − true)²⟩, MAE = ⟨|told − true|⟩, R² = 1 − MSE / Var(true), over images (n,).

    Where all true values are alike (one volume), Var is `spread`², that of the training values: Consonni's Q²_F3
    (J. Chemometrics 24 (2010) 194).
    """
    errors = told - true
    mse = float((errors**2).mean())
    return Fit(n=len(true), mse=mse, mae=float(np.abs(errors).mean()), r2=1 - mse / _variance(true, spread))


def _variance(true: Numbers, spread: float) -> float:
    variance = float(true.var())
    return variance if variance > 1e-24 * max(1.0, float((true**2).max())) else spread**2


def points_of(true: Numbers, told: Numbers, volumes: Indices) -> tuple[Point, ...]:
    """A point a volume, in the order of their numbers; the standard deviation is that of its images (0 of one)."""
    found = []
    for number in np.unique(volumes):
        own = told[volumes == number]
        deviation = float(own.std(ddof=1)) if len(own) > 1 else 0.0
        found.append((float(true[volumes == number][0]), float(own.mean()), deviation, len(own)))
    return tuple(found)


def residuals_of(ended: EpochEnded) -> dict[str, float]:
    """How far the validation set was told wrong in an epoch (root mean square): a slice, and the mean of a volume's slices."""
    if ended.mse is None:
        return {}
    squares = [(mean - true) ** 2 for true, mean, _, _ in ended.points]
    whole = math.sqrt(sum(squares) / len(squares)) if squares else math.sqrt(ended.mse)
    return {"rmse": math.sqrt(ended.mse), "volume_rmse": whole, "volumes": float(len(squares))}


def residual(known: Mapping[str, Any], slices: int) -> float | None:
    """How far what is told of so many slices may be wrong: as on the validation set; None where a model file does not say.

    The mean of several slices is as good as the means of volumes were there; of fewer than three volumes that is not known,
    and the error of single slices stands for it, which is larger.
    """
    several = slices > 1 and known.get("volumes", 0) >= FEW
    found = known.get("volume_rmse" if several else "rmse")
    return None if found is None else float(found)


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """R² of several methods on the same images, drawn anew: (methods, draws)."""

    draws: Numbers
    whole: bool  # whole volumes were drawn, not images
    count: int  # of those

    @classmethod
    def of(cls, true: Numbers, told: Sequence[Numbers], volumes: Indices, spread: float, seed: int = 0) -> Bootstrap:
        """Of what each method told of images (n,).

        Whole volumes are drawn with replacement where there are three or more, for the images of one share their value and
        much of their error; else images. 10 000 draws (Efron & Tibshirani 1993); those without any spread of values count by
        the spread of the training values, as in fit_of.
        """
        whole = len(np.unique(volumes)) >= FEW
        groups = np.unique(volumes, return_inverse=True)[1].reshape(-1) if whole else np.arange(len(true))
        count = int(groups.max()) + 1
        # Values about their mean: their squares then lose nothing.
        centred = true - true.mean()
        weights = [np.ones(len(true)), centred, centred**2, *((one - true) ** 2 for one in told)]
        parts = np.stack([np.bincount(groups, w, count) for w in weights], axis=1)
        rng, even = np.random.default_rng(seed), np.full(count, 1 / count)
        draws = []
        for _ in range(10):  # in parts: thousands of images times thousands of draws would fill a memory
            sums = rng.multinomial(count, even, _RESAMPLES // 10).astype(np.float64) @ parts
            n, first, second = sums[:, :3].T
            variance = second / n - (first / n) ** 2
            alike = variance <= 1e-9 * max(float(centred.var()), 1e-9 * spread**2)
            draws.append(1 - sums[:, 3:].T / n / np.where(alike, spread**2, variance))
        return cls(draws=np.concatenate(draws, axis=1), whole=whole, count=count)

    def interval(self, method: int, value: float, confidence: float = 0.95) -> Interval:
        """Percentiles of a method's R², widened to hold `value`, which was measured."""
        return _between(self.draws[method], value, confidence)

    def gain(self, method: int, other: int, value: float, confidence: float = 0.95) -> Interval:
        """Percentiles of one method's R² less another's."""
        return _between(self.draws[method] - self.draws[other], value, confidence)

    @property
    def words(self) -> str:
        """What the intervals are of, in a sentence."""
        if self.whole:
            return f"The interval is that of drawing the {self.count} volumes anew."
        return (
            "Slices of one volume share its value: with fewer than three volumes to be measured on, the interval tells nothing "
            "of other volumes, and is too narrow."
        )


def _between(draws: Numbers, value: float, confidence: float) -> Interval:
    low, high = np.quantile(draws, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return min(value, float(low)), max(value, float(high))


def split_words(volumes: Mapping[str, Sequence[int]]) -> str:
    """A warning where what a value is told of was not held out as whole volumes; "" where it was.

    `volumes`: the numbers of the volumes that each set's images come from.
    """
    if set(volumes.get("train", ())) & set(volumes.get("evaluation", ())):
        return (
            "The sets are parts of the same volumes: R² says how well the values of these volumes are recognised in other "
            "parts of them, not how well that of a new volume is told. Three volumes or more are held apart as wholes."
        )
    return ""


def check_settings(settings: TrainingSpec, importance: ImportanceSpec, mixing: Sequence[str]) -> None:
    """InputError where the settings want of a number what only classes have; `mixing`: augmentations that mix classes."""
    wrong = [
        (settings.balance != "none", 'training.balance = "none"'),
        (settings.label_smoothing > 0, "training.label_smoothing = 0"),
        (importance.candidates > 1, "importance.candidates = 0"),
        (bool(mixing), f"no {', '.join(mixing)} among the augmentations"),
    ]
    for is_wrong, right in wrong:
        if is_wrong:
            raise InputError("A network that tells a value has no classes, but a setting is about them.", f"Set {right}.")
