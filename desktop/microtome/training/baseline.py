"""What simple methods reach on the same slices: grey histogram and spectrum by hand, then a linear classifier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.slices.imageset import ImageSet

HISTOGRAM_BINS = 16
SPECTRUM_BINS = 32
_CHUNK = 512
_REGULARISATION = 1.0


def baseline(image_set: ImageSet) -> dict[str, float]:
    """Mean class accuracy on the evaluation set of LDA and of logistic regression on hand-made features.

    Both learn from the training set alone; the bins of the histogram come from it too.
    """
    # scikit-learn takes a second to import.
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, evaluation = image_set.split("train"), image_set.split("evaluation")
    edges = histogram_edges(image_set.images, train)
    known, unknown = features(image_set.images, train, edges), features(image_set.images, evaluation, edges)
    labels, truth = image_set.labels[train], image_set.labels[evaluation]
    if len(np.unique(labels)) < 2:
        return {}
    methods: dict[str, Any] = {
        # Shrinkage (Ledoit and Wolf): the features are many and correlated for few images.
        "histogram + spectrum, LDA": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        "histogram + spectrum, logistic regression": LogisticRegression(C=_REGULARISATION, max_iter=5000),
    }
    result = {}
    for name, method in methods.items():
        told = make_pipeline(StandardScaler(), method).fit(known, labels).predict(unknown)
        result[name] = float(np.mean([np.mean(told[truth == c] == c) for c in np.unique(truth)]))
    return result


def histogram_edges(images: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Edges (HISTOGRAM_BINS + 1,) between the 0.5 and 99.5 % quantiles of the chosen images' grey values; the ends are open."""
    step = max(1, len(chosen) // 256)
    low, high = np.quantile(np.stack([images[i] for i in chosen[::step]]), [0.005, 0.995])
    if high <= low:
        high = low + 1.0
    edges = np.linspace(float(low), float(high), HISTOGRAM_BINS + 1)
    edges[0], edges[-1] = -np.inf, np.inf
    return edges


def features(images: NDArray[np.float32], chosen: NDArray[np.int64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features (n, HISTOGRAM_BINS + 2 + SPECTRUM_BINS): shares of the histogram, mean, deviation, radial spectrum."""
    parts = [_features(np.asarray(part, dtype=np.float64), edges) for part in _chunks(images, chosen)]
    return np.concatenate(parts) if parts else np.empty((0, HISTOGRAM_BINS + 2 + SPECTRUM_BINS))


def _chunks(images: NDArray[np.float32], chosen: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(chosen), _CHUNK):
        yield images[chosen[start : start + _CHUNK]]


def _features(images: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    n, size = len(images), images[0].size
    bins = np.clip(np.searchsorted(edges, images.reshape(n, -1), side="right") - 1, 0, HISTOGRAM_BINS - 1)
    flat = (bins + np.arange(n)[:, None] * HISTOGRAM_BINS).ravel()
    histogram = np.bincount(flat, minlength=n * HISTOGRAM_BINS).reshape(n, HISTOGRAM_BINS) / size
    mean, deviation = images.mean(axis=(1, 2)), images.std(axis=(1, 2))
    return np.column_stack([histogram, mean, deviation, radial_spectrum(images)])


def radial_spectrum(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """log₁₀ of the power spectrum's mean over rings (n, SPECTRUM_BINS), from frequency 0 to Nyquist.

    A Hann window keeps the edges of the image out of it; the mean grey value is taken away before. A ring without a
    frequency (small images) repeats the one inside it.
    """
    n, h, w = images.shape
    window = np.outer(np.hanning(h), np.hanning(w))
    centred = (images - images.mean(axis=(1, 2), keepdims=True)) * window
    power = np.abs(np.fft.rfft2(centred)) ** 2 / (window**2).sum()
    frequency = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None, :]).ravel()
    ring = np.minimum((frequency / 0.5 * SPECTRUM_BINS).astype(int), SPECTRUM_BINS)  # beyond Nyquist: left out below
    sums = np.zeros((n, SPECTRUM_BINS + 1))
    for k, row in enumerate(power.reshape(n, -1)):
        sums[k] = np.bincount(ring, weights=row, minlength=SPECTRUM_BINS + 1)
    counts = np.bincount(ring, minlength=SPECTRUM_BINS + 1)
    means = sums[:, :-1] / np.maximum(counts[:-1], 1)
    for b in np.flatnonzero(counts[:-1] == 0):
        means[:, b] = means[:, b - 1]
    result: NDArray[np.float64] = np.log10(means + 1e-12)
    return result
