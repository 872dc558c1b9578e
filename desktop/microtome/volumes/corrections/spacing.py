"""Where slices of uneven thickness lie in depth, from how alike they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.corrections.registration import Pair, chained

Floats = NDArray[np.float64]
REACH = 3  # how many slices back each is to be compared with
_ROUNDS = 6
_THINNEST = 0.02  # of the usual thickness: below it two slices are one
_AROUND = 41  # slices over which structure may change its fineness
_ALIKE = 0.05  # correlation below which a pair says nothing of its distance


def depths(found: Sequence[Pair], count: int) -> Floats:
    """The depth of each of `count` slices in units of the mean distance, from 0 to count - 1, increasing.

    Correlation falls with distance, in the same way everywhere: the curve is fitted to all pairs (a parabola, made monotone),
    each pair's distance is read off it, the distances are put together by least squares, and again (after Sporring et al.,
    ISBI 2014, 157, and Hanslovsky et al., Bioinformatics 33 (2017) 1379). Slow changes along z cannot be told from structure:
    only what is quicker than about 40 slices is followed. Even where the pairs say nothing.
    """
    from scipy.ndimage import gaussian_filter1d

    even = np.arange(count, dtype=np.float64)
    first, second = np.array([p.first for p in found], dtype=np.int64), np.array([p.second for p in found], dtype=np.int64)
    unlike = 1 - np.array([p.alike for p in found], dtype=np.float64)
    use = unlike < 1 - _ALIKE
    lag = second - first
    if count < 4 or len(np.unique(lag[use])) < 3 or (use & (lag == 1)).sum() < count / 2:
        return even
    unlike = unlike / _fineness(first + lag / 2, lag, unlike, count)
    place = even.copy()
    for _ in range(_ROUNDS):
        distance = _read_off(place[second] - place[first], unlike, use)
        weight = np.where(use, 1.0 / lag**2, 1e-6)
        place = chained(first, second, np.where(use, distance, lag), weight, count)
        place = _increasing(place)
    return _increasing(place - gaussian_filter1d(place - even, _AROUND / 4, mode="reflect"))


def _increasing(place: Floats) -> Floats:
    """Steps of at least the least thickness, and the length of as many even ones."""
    steps = np.maximum(np.diff(place), _THINNEST)
    return np.asarray(np.concatenate([[0.0], np.cumsum(steps)]) * len(steps) / steps.sum())


def _fineness(at: Floats, lag: NDArray[np.int64], unlike: Floats, count: int) -> Floats:
    """How much faster than usual structure changes around each pair: 1 on the average."""
    from scipy.ndimage import gaussian_filter1d, median_filter

    near = lag == 1
    here = median_filter(unlike[near], size=min(_AROUND, int(near.sum())) | 1, mode="reflect")
    here = gaussian_filter1d(here, _AROUND / 4, mode="reflect")
    found = np.interp(at, at[near], here) / np.median(here)
    return np.asarray(np.maximum(found, 1e-6))


def _read_off(distance: Floats, unlike: Floats, use: NDArray[np.bool_]) -> Floats:
    """The distance that belongs to each pair's unlikeness, by the curve that fits all of them best."""
    curve = np.polynomial.Polynomial.fit(distance[use], unlike[use], 2)
    grid = np.linspace(0, distance[use].max() * 1.2, 400)
    rising = np.maximum.accumulate(curve(grid)) + np.arange(len(grid)) * 1e-9
    return np.asarray(np.interp(unlike, rising, grid))
