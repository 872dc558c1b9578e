"""How well a network tells the classes: counts by class, means of class accuracies, intervals. Imports no torch itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Z95 = 1.959963984540054
PerClass = dict[str, tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A network measured on a set of images: mean loss (None: not a number) and the confusion counts."""

    loss: float | None
    confusion: NDArray[np.int64]  # (k, k): rows true, columns predicted

    @property
    def accuracy(self) -> float:
        """The mean of the class accuracies."""
        return mean_accuracy(self.confusion)

    def per_class(self, classes: Sequence[str]) -> PerClass:
        """class → (correct, total)."""
        return per_class(self.confusion, classes)

    def rows(self) -> tuple[tuple[int, ...], ...]:
        """The confusion counts as plain numbers."""
        return tuple(tuple(int(n) for n in row) for row in self.confusion)


def confusion(true: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Counts (k, k) of images by true class (rows) and predicted class (columns)."""
    pairs = np.asarray(true, dtype=np.int64) * classes + np.asarray(predicted, dtype=np.int64)
    counts: NDArray[np.int64] = np.bincount(pairs.ravel(), minlength=classes * classes).reshape(classes, classes)
    return counts


def mean_accuracy(counts: NDArray[Any]) -> float:
    """The mean, over the classes that have images, of the share of their images told rightly; 0 without images."""
    totals = counts.sum(axis=1)
    there = totals > 0
    return float((np.diag(counts)[there] / totals[there]).mean()) if there.any() else 0.0


def per_class(counts: NDArray[Any], classes: Sequence[str]) -> PerClass:
    """class → (correct, total) of confusion counts."""
    return {name: (int(counts[i, i]), int(counts[i].sum())) for i, name in enumerate(classes)}


def wilson(correct: float, total: float) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (JASA 22 (1927) 209); (0, 1) where nothing was counted."""
    if total <= 0:
        return (0.0, 1.0)
    share, z2 = correct / total, _Z95**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return (max(0.0, middle - half), min(1.0, middle + half))


def mean_interval(found: PerClass) -> tuple[float, float]:
    """The 95 % interval of the mean class accuracy: Wilson's, with the number of images that carries the same variance.

    For equal accuracies p the mean of k class accuracies has the variance p(1−p)·Σ(1/n)/k², as one of k²/Σ(1/n) images has;
    with n images in every class that is all of them.
    """
    counted = [(correct, total) for correct, total in found.values() if total > 0]
    if not counted:
        return (0.0, 1.0)
    accuracy = sum(correct / total for correct, total in counted) / len(counted)
    images = len(counted) ** 2 / sum(1 / total for _, total in counted)
    return wilson(accuracy * images, images)
