"""What methods without a network reach on the same slices: hand-made features, learnt from the training set alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from microtome.slices.imageset import ImageSet
from microtome.training.baseline_features import gradient_features, spectrum_features
from microtome.training.baseline_folds import folds
from microtome.training.metrics import confusion, mean_accuracy

GRADIENTS = "HOG + SVM"
SPECTRUM = "radial spectrum + logistic regression"
MOST = 3000
"""Images of each set that baselines learn from and are measured on, so that they take a minute at most."""
_CHUNK = 256

Features = NDArray[np.float64]
Labels = NDArray[np.int64]
Stop = Callable[[], str]


class BaselineStoppedError(Exception):
    """The work was asked to end; nothing of it is kept."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one method says about images of the evaluation set."""

    name: str
    details: str  # how it was set, in words
    images: Labels  # (n,) numbers in the image set
    predicted: Labels  # (n,)


class _Method(Protocol):
    """Learns labels from features under one of several settings."""

    settings: Sequence[Any]
    usual: Any  # the setting where there is nothing to choose by

    def among(self, learn: NDArray[np.bool_], ask: NDArray[np.bool_], setting: Any) -> Labels:
        """What it says about some of the known images when it has learnt from others of them."""

    def about(self, unknown: Features, setting: Any) -> Labels:
        """What it says about other images when it has learnt from all known ones."""

    @staticmethod
    def words(setting: Any) -> str:
        """A setting as one reads it."""


def baselines(
    image_set: ImageSet, should_stop: Stop = lambda: "", told: Callable[[str], None] = lambda name: None
) -> list[Told]:
    """HOG + SVM, and radial power spectrum + mean + deviation → logistic regression (34 numbers), on the evaluation set.

    Their settings are chosen on folds of the training set, whole volumes or slabs together; the validation set is not used.
    Of more than 3000 images those evenly apart are taken. [] where there are fewer than two classes to learn. told(name)
    before each method. Raises BaselineStoppedError where should_stop() says a word.
    """
    train, evaluation = (evenly(image_set.split(name), MOST) for name in ("train", "evaluation"))
    labels = image_set.labels[train]
    if len(np.unique(labels)) < 2 or len(evaluation) == 0:
        return []
    parts = folds(image_set, train)
    of_all = f"{len(train)} images" if len(train) == len(image_set.split("train")) else f"{len(train)} of the images"
    found = []
    methods: tuple[tuple[str, Callable[..., Features], Callable[..., _Method]], ...] = (
        (SPECTRUM, spectrum_features, _Regression),
        (GRADIENTS, gradient_features, _Margin),
    )
    for name, features, kind in methods:
        told(name)
        known, unknown = (
            np.concatenate(list(_chunks(image_set.images, chosen, features, should_stop))) for chosen in (train, evaluation)
        )
        # The folds share one scale: it knows no labels, and they only choose a setting.
        scale = _Scale.of(known)
        method = kind(scale(known), labels)
        setting = _choose(method, labels, parts, should_stop)
        details = f"{method.words(setting)}, learnt from {of_all}"
        found.append(Told(name=name, details=details, images=evaluation, predicted=method.about(scale(unknown), setting)))
    return found


def evenly(indices: Labels, most: int) -> Labels:
    """At most so many of the indices, evenly apart: classes and volumes keep their shares."""
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).round().astype(np.int64)]


def _chunks(
    images: NDArray[np.float32], chosen: Labels, features: Callable[[NDArray[np.float32]], Features], should_stop: Stop
) -> Iterator[Features]:
    for start in range(0, len(chosen), _CHUNK):
        _check(should_stop)
        yield features(images[chosen[start : start + _CHUNK]])


def _check(should_stop: Stop) -> None:
    if should_stop():
        raise BaselineStoppedError


def _choose(method: _Method, labels: Labels, parts: Labels, should_stop: Stop) -> Any:
    """The setting that does best on the folds; the first among equals."""
    if parts.max(initial=0) == 0:
        return method.usual
    accuracies = []
    for setting in method.settings:
        told = np.zeros_like(labels)
        for part in range(int(parts.max()) + 1):
            _check(should_stop)
            told[parts == part] = method.among(parts != part, parts == part, setting)
        accuracies.append(mean_accuracy(confusion(labels, told, int(labels.max()) + 1)))
    return method.settings[int(np.argmax(accuracies))]


@dataclass(frozen=True)
class _Scale:
    """Brings every feature to mean 0 and deviation 1 over the images that it was made of."""

    mean: Features
    deviation: Features

    @classmethod
    def of(cls, known: Features) -> _Scale:
        deviation = known.std(axis=0)
        return cls(known.mean(axis=0), np.where(deviation > 1e-12, deviation, 1.0))

    def __call__(self, features: Features) -> Features:
        result: Features = (features - self.mean) / self.deviation
        return result


class _Regression:
    """Logistic regression; all classes count alike."""

    settings: Sequence[float] = (0.1, 1.0, 10.0, 100.0)  # C
    usual = 1.0

    def __init__(self, known: Features, labels: Labels) -> None:
        self._known, self._labels = known, labels

    def among(self, learn: NDArray[np.bool_], ask: NDArray[np.bool_], setting: float) -> Labels:
        return _Regression(self._known[learn], self._labels[learn]).about(self._known[ask], setting)

    def about(self, unknown: Features, setting: float) -> Labels:
        # scikit-learn takes a second to import.
        from sklearn.linear_model import LogisticRegression

        learnt = LogisticRegression(C=setting, class_weight="balanced", max_iter=5000).fit(self._known, self._labels)
        return np.asarray(learnt.predict(unknown), dtype=np.int64)

    @staticmethod
    def words(setting: float) -> str:
        return f"C = {setting:g}"


class _Margin:
    """A support vector machine, linear or with radial basis functions exp(−‖x − y‖² / features); all classes count alike.

    The products of all pairs of known images are taken once for all settings and folds: from thousands of features each, a
    fit would take minutes.
    """

    #: Kernel and C; linear ones are small, for there are thousands of features.
    settings: Sequence[tuple[str, float]] = (
        ("linear", 1e-4),
        ("linear", 1e-3),
        ("linear", 1e-2),
        ("RBF", 1.0),
        ("RBF", 3.0),
        ("RBF", 10.0),
    )
    usual = ("RBF", 3.0)

    def __init__(self, known: Features, labels: Labels) -> None:
        self._known, self._labels = known, labels
        self._products = known @ known.T
        self._squares = np.diag(self._products)

    def among(self, learn: NDArray[np.bool_], ask: NDArray[np.bool_], setting: tuple[str, float]) -> Labels:
        kernel, strength = setting
        own = self._kernel(kernel, self._products[np.ix_(learn, learn)], self._squares[learn], self._squares[learn])
        asked = self._kernel(kernel, self._products[np.ix_(ask, learn)], self._squares[ask], self._squares[learn])
        return self._told(own, self._labels[learn], asked, strength)

    def about(self, unknown: Features, setting: tuple[str, float]) -> Labels:
        kernel, strength = setting
        own = self._kernel(kernel, self._products, self._squares, self._squares)
        asked = self._kernel(kernel, unknown @ self._known.T, (unknown**2).sum(axis=1), self._squares)
        return self._told(own, self._labels, asked, strength)

    def _kernel(self, name: str, products: Features, rows: Features, columns: Features) -> Features:
        if name == "linear":
            return products
        result: Features = np.exp(-np.maximum(rows[:, None] + columns - 2 * products, 0) / self._known.shape[1])
        return result

    @staticmethod
    def _told(own: Features, labels: Labels, asked: Features, strength: float) -> Labels:
        from sklearn.svm import SVC

        learnt = SVC(C=strength, kernel="precomputed", class_weight="balanced").fit(own, labels)
        return np.asarray(learnt.predict(asked), dtype=np.int64)

    @staticmethod
    def words(setting: tuple[str, float]) -> str:
        return f"{setting[0]} kernel, C = {setting[1]:g}"
