"""The compiled loops of cutting: trilinear interpolation on planes, one call a range of slices, without Python's lock."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtome.volumes.compiled import compiled, inlined

NAN, NEAREST, WRAP = 0, 1, 2
#: A point within so many voxels outside the volume's outermost voxel centres is on them: rounding of the caller's poses.
TOLERANCE = 1e-9


@inlined
def _range(start: float, step: float, last: float, low: int, high: int) -> tuple[int, int]:
    """Narrow the pixels [low, high) of a row to those whose coordinate start + j·step lies in [0, last]."""
    if step == 0.0:
        inside = -TOLERANCE <= start <= last + TOLERANCE
        return (low, high) if inside else (low, low)
    first, second = (-TOLERANCE - start) / step, (last + TOLERANCE - start) / step
    if first > second:
        first, second = second, first
    # Clipped as floats: a far-away pose would overflow the integers. One pixel wider, then exact by the comparison below.
    low = max(low, math.floor(min(max(first, -1.0), float(high))))
    high = min(high, math.ceil(max(min(second, float(high)), -1.0)) + 1)
    while low < high and not (-TOLERANCE <= start + low * step <= last + TOLERANCE):
        low += 1
    while high > low and not (-TOLERANCE <= start + (high - 1) * step <= last + TOLERANCE):
        high -= 1
    return low, high


@inlined
def _clamped(value: float, last: float) -> float:
    return min(max(value, 0.0), last)


@inlined
def _wrapped(value: float, period: float) -> float:
    value -= math.floor(value / period) * period
    return 0.0 if value >= period else value


@inlined
def _blend(volume: Any, z0: int, z1: int, y0: int, y1: int, x0: int, x1: int, fz: float, fy: float, fx: float) -> float:
    """Interpolate between eight voxels."""
    a = np.float64(volume[z0, y0, x0])
    a += fx * (np.float64(volume[z0, y0, x1]) - a)
    b = np.float64(volume[z0, y1, x0])
    b += fx * (np.float64(volume[z0, y1, x1]) - b)
    c = np.float64(volume[z1, y0, x0])
    c += fx * (np.float64(volume[z1, y0, x1]) - c)
    d = np.float64(volume[z1, y1, x0])
    d += fx * (np.float64(volume[z1, y1, x1]) - d)
    a += fy * (b - a)
    c += fy * (d - c)
    return a + fz * (c - a)


@inlined
def _value(volume: Any, z: float, y: float, x: float) -> Any:
    """The value at a point inside the volume. A neighbour of weight zero is not touched: it may be NaN or outside."""
    z0, y0, x0 = np.uintp(z), np.uintp(y), np.uintp(x)
    fz, fy, fx = z - z0, y - y0, x - x0
    return _blend(volume, z0, z0 + np.uintp(fz > 0.0), y0, y0 + np.uintp(fy > 0.0), x0, x0 + np.uintp(fx > 0.0), fz, fy, fx)


@inlined
def _periodic(volume: Any, z: float, y: float, x: float) -> Any:
    """The value at a point of the periodically continued volume: voxel n is voxel 0."""
    n_z, n_y, n_x = volume.shape
    z, y, x = _wrapped(z, n_z), _wrapped(y, n_y), _wrapped(x, n_x)
    z0, y0, x0 = np.uintp(z), np.uintp(y), np.uintp(x)
    z1 = np.uintp((z0 + 1) % n_z)
    y1 = np.uintp((y0 + 1) % n_y)
    x1 = np.uintp((x0 + 1) % n_x)
    fz, fy, fx = z - z0, y - y0, x - x0
    return _blend(volume, z0, z1 if fz > 0.0 else z0, y0, y1 if fy > 0.0 else y0, x0, x1 if fx > 0.0 else x0, fz, fy, fx)


@compiled
def slices(volume: Any, centres: Any, steps: Any, out: Any, first: int, end: int, outside: int) -> None:
    """Fill out[first:end] (n, h, w) with slices of `volume` (z, y, x).

    centres (n, 3) are voxel coordinates, steps (n, 2, 3) the voxel vectors from a pixel to the one below and to its right.
    Coordinates and weights are float64, results float32.
    """
    h, w = out.shape[1], out.shape[2]
    last_z, last_y, last_x = volume.shape[0] - 1.0, volume.shape[1] - 1.0, volume.shape[2] - 1.0
    for k in range(first, end):
        dz, dy, dx = steps[k, 1, 0], steps[k, 1, 1], steps[k, 1, 2]
        for i in range(h):
            up, left = i - 0.5 * (h - 1), -0.5 * (w - 1)
            z = centres[k, 0] + up * steps[k, 0, 0] + left * dz
            y = centres[k, 1] + up * steps[k, 0, 1] + left * dy
            x = centres[k, 2] + up * steps[k, 0, 2] + left * dx
            row = out[k, i]
            if outside == WRAP:
                for j in range(w):
                    row[j] = _periodic(volume, z + j * dz, y + j * dy, x + j * dx)
                continue
            low, high = _range(z, dz, last_z, 0, w)
            low, high = _range(y, dy, last_y, low, high)
            low, high = _range(x, dx, last_x, low, high)
            if outside == NEAREST:
                low, high = 0, w
            elif low >= high:
                low = high = w
            for j in range(low):
                row[j] = np.nan
            for j in range(low, high):
                at_z, at_y, at_x = z + j * dz, y + j * dy, x + j * dx
                row[j] = _value(volume, _clamped(at_z, last_z), _clamped(at_y, last_y), _clamped(at_x, last_x))
            for j in range(high, w):
                row[j] = np.nan
