"""How well a network tells the classes: counts by class, means of class accuracies; imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from microtome.events import EpochEnded

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


def best_epoch(epochs: Sequence[EpochEnded]) -> EpochEnded | None:
    """The epoch of the highest validation accuracy; among equals that of the lowest validation loss; None before the first."""

    def quality(ended: EpochEnded) -> tuple[float, float, int]:
        loss = math.inf if ended.validation_loss is None else ended.validation_loss
        return (ended.validation_accuracy, -loss, -ended.epoch)

    return max(epochs, key=quality, default=None)
