"""The shortcut audit: can the mean, the deviation, the histogram or the voxel size alone tell the classes apart?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.intervals import wilson
from microtome.slices.blocks.split import SETS
from microtome.slices.colour import tint
from microtome.slices.geometry import Array
from microtome.slices.grey import luminance

Images = NDArray[np.float32]
Ints = NDArray[np.int64]
_BINS = 16
_MOST = 2000  # images a class and set
_ROWS = 512
_CONFIDENCE = 0.999  # several cues are tried: chance must not be taken for one
_CLEAR = 0.2  # of the way from chance to certainty
STRONG = 0.75
_SHRINK = 1e-2  # of the mean variance, added to every direction
#: What is looked at, in words.
CUES = {
    "mean": "the mean grey value",
    "deviation": "the standard deviation of the grey values",
    "histogram": f"the histogram of the grey values ({_BINS} bins)",
    "tint": "the colour of the image as a whole (its white balance, stain or lamp)",
    "voxel size": "the voxel size of the volume (as sharpness)",
}


@dataclass(frozen=True)
class Shortcut:
    """How well one cue alone tells the classes: mean class accuracy on n validation images, with its 95 % interval."""

    cue: str
    accuracy: float
    interval: tuple[float, float]
    n: int
    chance: float
    strength: str  # none | clear | strong

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "interval": list(self.interval)}

    def words(self) -> str:
        """What was found, as a sentence."""
        low, high = self.interval
        return (
            f"{CUES[self.cue][:1].upper()}{CUES[self.cue][1:]} alone tells {100 * self.accuracy:.0f} % of {self.n} validation "
            f"images (95 % interval {100 * low:.0f} … {100 * high:.0f} %; chance {100 * self.chance:.0f} %)."
        )


def shortcuts(images: Images, labels: Ints, sets: Ints, voxel_sizes: Array) -> list[Shortcut]:
    """Try every cue: a linear classifier learns it on the training images and is asked about the validation images.

    images (n, h, w) as the network will see them, or (n, 3, h, w), whose grey cues are those of their brightness; voxel_sizes
    (n, 3) of the volume that each comes from, in pixels. At most 2000 images a class and set are read. Fewer than two classes
    have no shortcut.
    """
    classes = np.unique(labels)
    if len(classes) < 2:
        return []
    train, validation = (_some(labels, sets, k) for k in (SETS.index("train"), SETS.index("validation")))
    known, asked = _looked_at(images, train), _looked_at(images, validation)
    scale = _Scale.of(known)
    found = []
    for cue in CUES:
        if cue == "voxel size":
            learned, shown = np.log(voxel_sizes[train]), np.log(voxel_sizes[validation])
            if np.ptp(learned, axis=0).max() < 1e-3:
                continue
        elif cue == "tint" and known.tint.shape[1] == 0:
            continue
        else:
            learned, shown = scale.features(cue, known), scale.features(cue, asked)
        said = classify(learned, labels[train], shown)
        found.append(_judged(cue, said, labels[validation], classes))
    return found


def advice(found: Sequence[Shortcut], normalisation: str, *, simulated: bool = False) -> list[str]:
    """Warnings for cues that tell the classes, the strongest first, with what to do."""
    told = sorted((s for s in found if s.strength != "none"), key=lambda s: -s.accuracy)
    if not told:
        return []
    words = " ".join(s.words() for s in told)
    hints = []
    if any(s.cue in ("mean", "deviation", "histogram") for s in told):
        if normalisation != "slice":
            hints.append("compare with normalisation by slice")
        else:
            hints.append("compare with matched histograms")
        if simulated:
            hints.append("give all simulated structures equal volume fractions")
    if any(s.cue == "tint" for s in told):
        hints.append("take the images as grey (micrographs.colour), or balance their white")
    if any(s.cue == "voxel size" for s in told):
        hints.append("use volumes of one voxel size, or bin the finer ones")
    strong = any(s.strength == "strong" for s in told)
    start = "A shortcut tells the classes" if strong else "A cue helps to tell the classes"
    listed = "; ".join(hints)
    return [f"{start} without looking at the structure. {words} If that is no property of the materials, {listed}."]


def classify(learned: Array, labels: Ints, shown: Array) -> Ints:
    """Linear discriminant analysis with equal priors: features (n, f) with labels (n,) → labels of features (m, f).

    Fisher's discriminant (1936): the class whose mean is nearest in the metric of the pooled covariance, which a part of the
    mean variance makes invertible.
    """
    classes = np.unique(labels)
    centre, width = learned.mean(axis=0), learned.std(axis=0)
    width = np.where(width > 1e-9, width, 1.0)
    learned, shown = (learned - centre) / width, (shown - centre) / width
    means = np.array([learned[labels == c].mean(axis=0) for c in classes])
    rest = learned - means[np.searchsorted(classes, labels)]
    covariance = rest.T @ rest / max(1, len(rest) - len(classes))
    size = len(covariance)
    covariance += (_SHRINK * np.trace(covariance) / size + 1e-9) * np.eye(size)
    weights = np.linalg.solve(covariance, means.T)
    scores = shown @ weights - 0.5 * (means.T * weights).sum(axis=0)
    said: Ints = classes[scores.argmax(axis=1)]
    return said


def _judged(cue: str, said: Ints, true: Ints, classes: Ints) -> Shortcut:
    by_class = [float(np.mean(said[true == c] == c)) for c in classes if (true == c).any()]
    accuracy, n, chance = float(np.mean(by_class)), len(true), 1 / len(classes)
    right = round(accuracy * n)
    sure = wilson(right, n, _CONFIDENCE)[0] > chance
    part = (accuracy - chance) / (1 - chance)
    strength = "none" if not sure or part < _CLEAR else "strong" if part >= STRONG else "clear"
    return Shortcut(cue, accuracy, wilson(right, n), n, chance, strength)


def _some(labels: Ints, sets: Ints, which: int) -> Ints:
    """Images of a set, at most so many of each class, evenly spread."""
    chosen = []
    for label in np.unique(labels):
        mine = np.flatnonzero((labels == label) & (sets == which))
        if len(mine) > _MOST:
            mine = mine[np.linspace(0, len(mine) - 1, _MOST).astype(np.int64)]
        chosen.append(mine)
    return np.sort(np.concatenate(chosen))


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is kept of images: mean and deviation (n,), 65 quantiles (n, 65), and the tint (n, 2), in grey (n, 0)."""

    mean: Array
    deviation: Array
    quantiles: Array
    tint: Array


def _looked_at(images: Images, chosen: Ints) -> _Seen:
    tints: list[Array] = []
    mean, deviation, quantiles = np.empty(len(chosen)), np.empty(len(chosen)), np.empty((len(chosen), 65))
    for start in range(0, len(chosen), _ROWS):
        part = slice(start, start + _ROWS)
        shown = np.asarray(images[chosen[part]])
        flat = np.sort(luminance(shown).reshape(len(chosen[part]), -1), axis=1)
        mean[part], deviation[part] = flat.mean(axis=1, dtype=np.float64), flat.std(axis=1, dtype=np.float64)
        quantiles[part] = flat[:, np.linspace(0, flat.shape[1] - 1, 65).round().astype(int)]
        tints.append(tint(shown) if shown.ndim == 4 else np.zeros((len(shown), 0)))
    return _Seen(mean, deviation, quantiles, np.concatenate(tints))


@dataclass(frozen=True, eq=False)
class _Scale:
    """What the training images give: the bounds of bins that hold equal parts of all pixels, and the middle of each cue."""

    bounds: Array
    unit: float  # the spread of all grey values
    middle: tuple[float, float]  # of means, and of the logarithms of deviations

    @classmethod
    def of(cls, seen: _Seen) -> _Scale:
        unit = float(seen.quantiles.std()) or 1.0
        first = cls(np.quantile(seen.quantiles, np.linspace(0, 1, _BINS + 1)[1:-1]), unit, (0.0, 0.0))
        return cls(
            first.bounds, unit, (float(first._value("mean", seen).mean()), float(first._value("deviation", seen).mean()))
        )

    def _value(self, cue: str, seen: _Seen) -> Array:
        # To five digits: what rounding made is no cue.
        values = seen.mean / self.unit if cue == "mean" else np.log(np.maximum(seen.deviation / self.unit, 1e-5))
        rounded: Array = np.round(values, 5)
        return rounded - self.middle[cue == "deviation"]

    def features(self, cue: str, seen: _Seen) -> Array:
        """One cue of each image, (n, features); squares let a linear rule see a spread, square roots even out counts."""
        if cue == "tint":
            shade: Array = np.round(seen.tint / self.unit, 5)
            return shade
        if cue == "histogram":
            level = np.searchsorted(self.bounds, seen.quantiles, side="right")
            roots: Array = np.sqrt((level[:, :, None] == np.arange(_BINS)).mean(axis=1))
            return roots
        value = self._value(cue, seen)
        return np.stack([value, value**2], axis=1)
