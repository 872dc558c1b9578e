"""Stripes along one edge of a slice: the curtains of an ion beam, the lines of a scan."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LIMIT = 3.0  # deviations of the differences between neighbours that may count at first
_SURE = 1.5  # deviations from the stripe beyond which a difference is an edge of the structure
_ROUNDS = 4


def stripes_of(page: NDArray[Any], *, length: float, width: float) -> NDArray[Any]:
    """The stripes along y in a slice (y, x) of floats: what is longer than about `length` and narrower than `width` pixels.

    Differences between neighbours along x are averaged along y by a Gaussian and summed up again along x; what varies slowly
    along x is left out. In Fourier space that is the wedge of Münch et al., Opt. Express 17 (2009) 8567, without the split into
    wavelets. The average is robust (Cauchy weights, reweighted): differences at the structure's edges do not count, so that
    pores cast no stripes and structure is not taken for one.
    """
    steps = np.diff(page, axis=1, prepend=page[:, :1])
    spread = _deviation(steps)
    if spread == 0:
        return np.zeros_like(page)
    stripe = smooth(np.clip(steps, -_LIMIT * spread, _LIMIT * spread), length / 2, axis=0)
    for _ in range(_ROUNDS):
        left = steps - stripe
        fine = max(_SURE * _deviation(left), 1e-6 * spread)
        weight = 1 / (1 + (left / fine) ** 2) ** 2
        stripe = smooth(weight * steps, length / 2, axis=0) / np.maximum(smooth(weight, length / 2, axis=0), 1e-3)
    summed = np.cumsum(stripe, axis=1, dtype=page.dtype)
    return np.asarray(summed - smooth(summed, width / 2, axis=1))


def _deviation(values: NDArray[Any]) -> float:
    return 1.4826 * float(np.median(np.abs(values)))


def smooth(image: NDArray[Any], sigma: float, *, axis: int) -> NDArray[Any]:
    """A Gaussian along one axis, mirrored at the edges, by cosine transform: as quick for a wide one as for a narrow one."""
    from scipy.fft import dct, idct

    count = image.shape[axis]
    waves = np.exp(-0.5 * (np.pi * sigma * np.arange(count) / count) ** 2).astype(image.dtype)
    waves = waves[:, None] if axis == 0 else waves[None, :]
    return np.asarray(idct(dct(image, axis=axis, norm="ortho") * waves, axis=axis, norm="ortho"))


def stripe_index(spectrum: NDArray[Any]) -> tuple[float, float]:
    """How much stronger than their surroundings the waves of stripes along y and along x are: (along y, along x), 1 where none.

    `spectrum` is the Fourier transform of a windowed picture. Stripes along y lie on the line ky = 0; its power is compared,
    for each kx, with that a few waves beside it (structure that only prefers a direction is broad there, stripes are not).
    """
    power = np.abs(spectrum) ** 2
    return _line_excess(power), _line_excess(power.T)


def _line_excess(power: NDArray[Any]) -> float:
    count, across = power.shape
    if count < 64 or across < 64:
        return 1.0
    # From 5 waves across the picture (below lie shading and large structure) to three quarters of the finest.
    low, high = 5, max(6, 3 * across // 8)
    line = power[:, low:high][[-1, 0, 1]].mean(axis=0)
    beside = np.array([*range(5, 13), *range(-12, -4)])
    surroundings = np.median(power[beside][:, low:high], axis=0) / np.log(2) + 1e-30
    # Power scatters like an exponential: its median over ln 2 is its mean. The median over kx is not led by single waves.
    return float(np.median(line / surroundings))
