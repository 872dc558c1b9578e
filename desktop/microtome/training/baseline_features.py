"""Hand-made features of slices: histograms of oriented gradients, and the radial power spectrum with mean and deviation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from microtome.slices.grey import luminance

SPECTRUM_BINS = 32
_LARGEST = 128  # pixels an edge: what gradients are counted on
_CELL = 8  # pixels an edge
_ORIENTATIONS = 9


def spectrum_features(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Features (n, 2 + SPECTRUM_BINS) of images (n, h, w): mean, standard deviation, radial power spectrum.

    Of images in colour (n, 3, h, w) those of their brightness.
    """
    exact = luminance(np.asarray(images)).astype(np.float64)
    return np.column_stack([exact.mean(axis=(1, 2)), exact.std(axis=(1, 2)), radial_spectrum(exact)])


def gradient_features(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Histograms of oriented gradients (n, features) of images (n, h, w) or the brightness of (n, 3, h, w), 128 pixels at most.

    Dalal & Triggs (CVPR 2005): 9 orientations, cells of 8 × 8 pixels, blocks of 2 × 2 cells, L2-Hys. Images of fewer than 16
    pixels have cells of half their edge.
    """
    # scikit-image takes half a second to import.
    from skimage.feature import hog

    small = reduced(luminance(np.asarray(images)).astype(np.float64), _LARGEST)
    cells = tuple(max(1, min(_CELL, edge // 2)) for edge in small.shape[1:])
    found = [
        hog(image, orientations=_ORIENTATIONS, pixels_per_cell=cells, cells_per_block=(2, 2), block_norm="L2-Hys")
        for image in small
    ]
    result: NDArray[np.float64] = np.stack(found)
    return result


def reduced(images: NDArray[np.float64], largest: int) -> NDArray[np.float64]:
    """Images (n, h, w) as means of squares of pixels, the fewest by which no edge is longer than `largest`."""
    n, h, w = images.shape
    factor = max(1, -(-max(h, w) // largest))
    if factor == 1:
        return images
    rows, columns = max(1, h // factor), max(1, w // factor)
    squares = images[:, : rows * factor, : columns * factor].reshape(n, rows, -1, columns, factor)
    result: NDArray[np.float64] = squares.mean(axis=(2, 4))
    return result


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
