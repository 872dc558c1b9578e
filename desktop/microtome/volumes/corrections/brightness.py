"""How bright each slice is, and what it should be beside its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_GAINS = (0.25, 4.0)  # beyond these a slice is another picture, not a brighter one
_MOST = 2**20  # voxels of a slice that are looked at


def level(page: NDArray[Any], *, quantiles: bool) -> tuple[float, float]:
    """The centre and spread of a slice's grey values: mean and deviation, or median and the distance of the quartiles.

    (0, 0) for a slice without a finite voxel; large slices are looked at in an even sample.
    """
    stride = max(1, int(np.ceil(np.sqrt(page.size / _MOST))))
    values = np.asarray(page[::stride, ::stride], dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 0.0
    if quantiles:
        low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
        return float(middle), float(high - low)
    return float(values.mean()), float(values.std())


@dataclass(frozen=True, kw_only=True)
class Equalised:
    """For each slice: new grey value = (grey value - centre) · gain + target."""

    centre: Floats
    gain: Floats
    target: Floats


def equalise(centre: Floats, spread: Floats, *, window: int, with_gain: bool) -> Equalised:
    """Bring each slice's centre (and spread) to those usual around it: a running median over `window` slices (0: over all).

    Slices without a spread (empty ones) are left as they are, and do not count for the others.
    """
    alive = spread > 0
    gain, target = np.ones(len(centre)), centre.copy()
    if alive.any():
        target[alive] = usual(centre[alive], window)
        if with_gain:
            gain[alive] = np.clip(usual(spread[alive], window) / spread[alive], *_GAINS)
    return Equalised(centre=centre, gain=gain, target=target)


def usual(values: Floats, window: int) -> Floats:
    """A running median over `window` values beside their line, smoothed by a Gaussian of a quarter of it; 0: of all."""
    from scipy.ndimage import gaussian_filter1d, median_filter

    if window == 0 or window >= 2 * len(values):
        return np.full(len(values), np.median(values))
    # Around a line: mirrored at the ends, a steady rise would be bent flat there.
    z = np.arange(len(values))
    line = np.polynomial.Polynomial.fit(z, values, 1)(z) if len(values) > 2 else np.zeros(len(values))
    running = median_filter(values - line, size=window | 1, mode="reflect")
    return np.asarray(line + gaussian_filter1d(running, window / 4, mode="reflect"))
