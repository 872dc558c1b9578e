"""How far the grey values of a volume are alike: its autocovariance along each axis, and the guard band that follows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.volume import Volume

Lags = tuple[float, float, float]
Voxels = tuple[int, int, int]
_EDGE = 192  # voxels: a longer volume is measured in three such boxes along its diagonal
_LINES = 32  # lines an axis and direction
_LENGTH = math.exp(-1)
_DECAYED = 0.1
_UNCORRELATED = 0.02  # of the variance: what neighbours share less of is noise


@dataclass(frozen=True)
class Correlation:
    """Lags in voxels along z, y, x at which the autocovariance first falls below 1/e and below a tenth of its value at 0.

    Noise that neighbours do not share is left out of the value at 0, else it would hide how far the structure reaches.
    `bounded`: it fell within half of what was measured on every axis; else those lags are lower bounds.
    """

    length: Lags
    decay: Lags
    bounded: bool = True

    @property
    def guard(self) -> Voxels:
        """The guard band that makes the sets independent: where a tenth is left, a voxel at least."""
        z, y, x = (max(1, math.ceil(lag - 1e-6)) for lag in self.decay)
        return (z, y, x)


_MEASURED: WeakKeyDictionary[Volume, Correlation] = WeakKeyDictionary()


def correlation_of(volume: Volume) -> Correlation:
    """Measure a volume once: at most three boxes of 192³ voxels are read, one after the other."""
    found = _MEASURED.get(volume)
    if found is None:
        found = measure([np.asarray(volume[box]) for box in _boxes(volume.shape)])
        _MEASURED[volume] = found
    return found


def measure(boxes: Sequence[NDArray[Any]]) -> Correlation:
    """The correlation of parts (z, y, x) of one volume; their common mean is taken off, so that slow changes count."""
    total, number = 0.0, 0
    for box in boxes:
        finite = box[np.isfinite(box)] if box.dtype.kind == "f" else box
        total, number = total + float(finite.sum(dtype=np.float64)), number + finite.size
    mean = total / number if number else 0.0
    lags = [_lags([_covariance(_lines(box, axis), mean) for box in boxes]) for axis in range(3)]
    length, decay = (tuple(lag[k] for lag in lags) for k in (0, 1))
    return Correlation(_three(length), _three(decay), all(lag[2] for lag in lags))


def _three(values: Sequence[float]) -> Lags:
    z, y, x = values
    return (z, y, x)


def _boxes(shape: Voxels) -> Iterator[tuple[slice, ...]]:
    places = (0.0, 0.5, 1.0) if max(shape) > _EDGE else (0.0,)
    for place in places:
        starts = [round(place * max(0, n - _EDGE)) for n in shape]
        yield tuple(slice(s, min(s + _EDGE, n)) for s, n in zip(starts, shape, strict=True))


def _lines(box: NDArray[Any], axis: int) -> NDArray[np.float64]:
    """Evenly spread lines (m, n) of a box along an axis."""
    moved = np.moveaxis(box, axis, -1)
    strides = [max(1, math.ceil(n / _LINES)) for n in moved.shape[:2]]
    picked = moved[:: strides[0], :: strides[1]]
    return np.ascontiguousarray(picked, dtype=np.float64).reshape(-1, moved.shape[-1])


def _covariance(lines: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """The autocovariance of lines (m, n) at lags 0 … n // 2, over the pairs of finite values; by FFT with zeros behind."""
    n = lines.shape[1]
    known = np.isfinite(lines)
    values = np.where(known, lines - mean, 0.0)

    def summed(array: NDArray[Any]) -> NDArray[np.float64]:
        power = np.abs(np.fft.rfft(array, 2 * n, axis=1)) ** 2
        back: NDArray[np.float64] = np.fft.irfft(power.sum(axis=0), 2 * n)[: n // 2 + 1]
        return back

    pairs = np.maximum(np.rint(summed(known.astype(np.float64))), 1.0)
    result: NDArray[np.float64] = summed(values) / pairs
    return result


def _lags(covariances: Sequence[NDArray[np.float64]]) -> tuple[float, float, bool]:
    """Where the mean covariance first falls below 1/e and a tenth, and whether it did."""
    mean = np.mean(covariances, axis=0)
    if len(mean) < 2 or mean[0] <= 0 or mean[1] <= _UNCORRELATED * mean[0]:
        return 0.0, 0.0, True
    # A straight line through lags 1 and 2 meets lag 0 at the variance of what is no noise.
    start = min(float(mean[0]), max(float(mean[1]), float(2 * mean[1] - mean[2]))) if len(mean) > 2 else float(mean[1])
    rest = np.concatenate([[1.0], mean[1:] / start])
    length, _ = _crossing(rest, _LENGTH)
    decay, fell = _crossing(rest, _DECAYED)
    return length, decay, fell


def _crossing(values: NDArray[np.float64], level: float) -> tuple[float, bool]:
    """The first place where values at 0, 1, … fall below a level, by straight lines; the last place where they do not."""
    below = np.flatnonzero(values < level)
    if below.size == 0:
        return float(len(values) - 1), False
    k = int(below[0])
    return k - 1 + float((values[k - 1] - level) / (values[k - 1] - values[k])), True
