"""What a method without a network tells of the numbers that volumes carry: ridge regression on the radial spectrum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from microtome.slices.imageset import ImageSet
from microtome.training.baseline import MOST, BaselineStoppedError, evenly
from microtome.training.baseline_features import spectrum_features
from microtome.training.baseline_folds import folds
from microtome.training.regression import Numbers

RIDGE = "radial spectrum + ridge regression"
_STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)
_CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class ToldOf:
    """What one method tells of all images of the evaluation set."""

    name: str
    details: str  # how it was set, in words
    told: Numbers  # (n,)


def baselines_of_values(
    image_set: ImageSet, should_stop: Callable[[], str] = lambda: "", told: Callable[[str], None] = lambda name: None
) -> list[ToldOf]:
    """Radial power spectrum + mean + deviation → ridge regression (34 numbers), learnt from the training set alone.

    Its strength is chosen on folds of the training set, whole volumes together. Of more than 3000 training images those evenly
    apart are taken. told(name) before it begins. Raises BaselineStoppedError where should_stop() says a word.
    """
    told(RIDGE)
    train, evaluation = evenly(image_set.split("train"), MOST), image_set.split("evaluation")
    known, unknown = (_features(image_set, chosen, should_stop) for chosen in (train, evaluation))
    values, parts = image_set.values[train], folds(image_set, train)
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    deviation = np.where(deviation > 1e-12, deviation, 1.0)
    known, unknown = (known - mean) / deviation, (unknown - mean) / deviation
    strength = _chosen(known, values, parts)
    details = f"strength {strength:g}, learnt from {len(train)} images"
    return [ToldOf(name=RIDGE, details=details, told=ridge(known, values, unknown, strength))]


def _features(
    image_set: ImageSet, chosen: np.ndarray[tuple[int], np.dtype[np.int64]], should_stop: Callable[[], str]
) -> Numbers:
    found = []
    for start in range(0, len(chosen), _CHUNK):
        if should_stop():
            raise BaselineStoppedError
        found.append(spectrum_features(image_set.images[chosen[start : start + _CHUNK]]))
    return np.concatenate(found)


def _chosen(known: Numbers, values: Numbers, parts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """The strength of the least squared error on the folds; 10 where there is one fold only."""
    if parts.max(initial=0) == 0:
        return 10.0
    errors = []
    for strength in _STRENGTHS:
        told = np.zeros(len(values))
        for part in range(int(parts.max()) + 1):
            out = parts == part
            told[out] = ridge(known[~out], values[~out], known[out], strength)
        errors.append(float(((told - values) ** 2).mean()))
    return _STRENGTHS[int(np.argmin(errors))]


def ridge(known: Numbers, values: Numbers, unknown: Numbers, strength: float) -> Numbers:
    """Values of unknown features (m, k) by w = (XᵀX + strength)⁻¹ Xᵀy of known ones (n, k), both about their means.

    Hoerl & Kennard, Technometrics 12 (1970) 55.
    """
    centre, middle = known.mean(axis=0), values.mean()
    x = known - centre
    weights = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ (values - middle))
    result: Numbers = (unknown - centre) @ weights + middle
    return result
