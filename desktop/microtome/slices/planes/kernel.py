"""The compiled loops of cutting: trilinear interpolation on planes, a tile of slices a call, without Python's lock.

The voxels may lie as an array (z, y, x), as one of the other byte order (a pair of its bits and an example of what they mean),
or in bricks (bz, by, bx, 64, 64, 64); an array may be a part of the volume that begins at `origin`. The arithmetic is the same
for all, so that the results are, to the bit: coordinates are float64, weights and blends float32 for integers of 16 bits or
less (within 1e-6 of their range) and float64 for all else.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from microtome.slices.planes import runs
from microtome.slices.planes.runs import blend, kind_of, real
from microtome.volumes.compiled import compiled

NAN, NEAREST, WRAP = 0, 1, 2
#: A point within so many voxels outside the volume's outermost voxel centres is on them: rounding of the caller's poses.
TOLERANCE = 1e-9


def _voxel(volume: Any, z: Any, y: Any, x: Any) -> Any:
    """The voxel at whole-numbered places."""
    raise NotImplementedError("a piece of compiled code")


def _of_array(volume: Any, z: Any, y: Any, x: Any) -> Any:
    return volume[z, y, x]


def _of_bricks(volume: Any, z: Any, y: Any, x: Any) -> Any:
    six, low = np.uintp(6), np.uintp(63)
    return volume[z >> six, y >> six, x >> six, z & low, y & low, x & low]


def _of_two(volume: Any, z: Any, y: Any, x: Any) -> Any:
    raw = volume[0][z, y, x]
    turned = np.uint16((raw >> np.uint16(8)) | (raw << np.uint16(8)))
    return turned.view(volume[1].dtype)


def _of_four(volume: Any, z: Any, y: Any, x: Any) -> Any:
    raw = volume[0][z, y, x]
    pairs = np.uint32(((raw >> np.uint32(8)) & np.uint32(0x00FF00FF)) | ((raw & np.uint32(0x00FF00FF)) << np.uint32(8)))
    turned = np.uint32((pairs >> np.uint32(16)) | (pairs << np.uint32(16)))
    return turned.view(volume[1].dtype)


def _of_eight(volume: Any, z: Any, y: Any, x: Any) -> Any:
    raw = volume[0][z, y, x]
    ones, twos = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
    pairs = ((raw >> np.uint64(8)) & ones) | ((raw & ones) << np.uint64(8))
    fours = ((pairs >> np.uint64(16)) & twos) | ((pairs & twos) << np.uint64(16))
    turned = np.uint64((fours >> np.uint64(32)) | (fours << np.uint64(32)))
    return turned.view(volume[1].dtype)


def _choose(volume: Any, z: Any, y: Any, x: Any) -> Any:
    if isinstance(volume, types.BaseTuple):
        return {16: _of_two, 32: _of_four, 64: _of_eight}[volume[0].dtype.bitwidth]
    return _of_bricks if volume.ndim == 6 else _of_array


def _whole(volume: Any) -> bool:
    """Whether the voxels are whole numbers; known when the loop is compiled."""
    raise NotImplementedError("a piece of compiled code")


def _yes(volume: Any) -> bool:
    return True


def _no(volume: Any) -> bool:
    return False


def _choose_whole(volume: Any) -> Any:
    return _yes if isinstance(kind_of(volume), types.Integer) else _no


overload(_voxel)(_choose)
overload(_whole)(_choose_whole)


@compiled
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


@compiled
def _near(start: float, step: float, bottom: float, top: float, low: int, high: int) -> tuple[int, int]:
    """Narrow the pixels [low, high) of a row to those whose coordinate may lie in [bottom, top), a pixel wider."""
    if step == 0.0:
        return (low, high) if bottom <= start < top else (low, low)
    first, second = (bottom - start) / step, (top - start) / step
    if first > second:
        first, second = second, first
    first, second = min(max(first - 2.0, float(low)), float(high)), min(max(second + 2.0, float(low)), float(high))
    return int(first), int(second)


@compiled
def _clamped(value: float, last: float) -> float:
    return min(max(value, 0.0), last)


@compiled
def _wrapped(value: float, period: float) -> float:
    value -= math.floor(value / period) * period
    return 0.0 if value >= period else value


@compiled
def _blend(volume: Any, z: Any, y: Any, x: Any, fz: Any, fy: Any, fx: Any) -> Any:
    """Interpolate between eight voxels: z, y and x are pairs of whole-numbered places."""
    (z0, z1), (y0, y1), (x0, x1) = z, y, x
    kind = type(real(volume))
    wz, wy, wx = kind(fz), kind(fy), kind(fx)
    a = blend(kind(_voxel(volume, z0, y0, x0)), kind(_voxel(volume, z0, y0, x1)), wx, volume)
    b = blend(kind(_voxel(volume, z0, y1, x0)), kind(_voxel(volume, z0, y1, x1)), wx, volume)
    c = blend(kind(_voxel(volume, z1, y0, x0)), kind(_voxel(volume, z1, y0, x1)), wx, volume)
    d = blend(kind(_voxel(volume, z1, y1, x0)), kind(_voxel(volume, z1, y1, x1)), wx, volume)
    return blend(blend(a, b, wy, volume), blend(c, d, wy, volume), wz, volume)


@compiled
def _value(volume: Any, origin: Any, z: float, y: float, x: float) -> Any:
    """The value at a point inside the volume. A neighbour of weight zero is not touched: it may be NaN or outside."""
    z0, y0, x0 = np.uintp(z), np.uintp(y), np.uintp(x)
    fz, fy, fx = z - z0, y - y0, x - x0
    z0, y0, x0 = z0 - np.uintp(origin[0]), y0 - np.uintp(origin[1]), x0 - np.uintp(origin[2])
    z1, y1, x1 = z0 + np.uintp(fz > 0.0), y0 + np.uintp(fy > 0.0), x0 + np.uintp(fx > 0.0)
    return _blend(volume, (z0, z1), (y0, y1), (x0, x1), fz, fy, fx)


@compiled
def _interior(start: float, step: float, last: float, low: int, high: int) -> bool:
    """Whether the pixels [low, high) of a row lie in [0, last): a coordinate between those of the ends is no farther out."""
    first, second = start + low * step, start + (high - 1) * step
    return 0.0 <= first < last and 0.0 <= second < last


@compiled
def _inside(volume: Any, origin: Any, z: float, y: float, x: float) -> Any:
    """The value between eight voxels of whole numbers: none of them is NaN, so that one of weight zero does no harm."""
    z0, y0, x0 = np.int64(z), np.int64(y), np.int64(x)
    fz, fy, fx = z - np.float64(z0), y - np.float64(y0), x - np.float64(x0)
    a, b, c = np.uintp(z0) - np.uintp(origin[0]), np.uintp(y0) - np.uintp(origin[1]), np.uintp(x0) - np.uintp(origin[2])
    one = np.uintp(1)
    return _blend(volume, (a, a + one), (b, b + one), (c, c + one), fz, fy, fx)


@compiled
def _periodic(volume: Any, shape: Any, origin: Any, z: float, y: float, x: float) -> Any:
    """The value at a point of the periodically continued volume: voxel n is voxel 0."""
    n_z, n_y, n_x = shape
    z, y, x = _wrapped(z, n_z), _wrapped(y, n_y), _wrapped(x, n_x)
    z0, y0, x0 = np.int64(z), np.int64(y), np.int64(x)
    fz, fy, fx = z - z0, y - y0, x - x0
    # A part of the volume that begins at `origin` goes on at the volume's beginning, beyond its end.
    a = (z0 - np.int64(origin[0]) + n_z) % n_z
    b = (y0 - np.int64(origin[1]) + n_y) % n_y
    c = (x0 - np.int64(origin[2]) + n_x) % n_x
    z1 = (a + 1) % n_z if fz > 0.0 else a
    y1 = (b + 1) % n_y if fy > 0.0 else b
    x1 = (c + 1) % n_x if fx > 0.0 else c
    pairs = (np.uintp(a), np.uintp(z1)), (np.uintp(b), np.uintp(y1)), (np.uintp(c), np.uintp(x1))
    return _blend(volume, pairs[0], pairs[1], pairs[2], fz, fy, fx)


@compiled
def _fill(
    volume: Any, shape: Any, origin: Any, start: Any, step: Any, row: Any, left: int, right: int, planes: Any, outside: int
) -> None:
    """Fill the pixels [left, right) of a row (w,): pixel j lies at start + j·step (z, y, x)."""
    (z, y, x), (dz, dy, dx) = start, step
    n_z, n_y, n_x = shape
    last_z, last_y, last_x = n_z - 1.0, n_y - 1.0, n_x - 1.0
    some = planes[0] > 0 or planes[1] < n_z
    if outside == WRAP:
        for j in range(left, right):
            if some and not planes[0] <= _wrapped(z + j * dz, n_z) < planes[1]:
                continue
            row[j] = _periodic(volume, shape, origin, z + j * dz, y + j * dy, x + j * dx)
        return
    low, high = left, right
    if outside == NAN:
        low, high = _range(z, dz, last_z, low, high)
        low, high = _range(y, dy, last_y, low, high)
        low, high = _range(x, dx, last_x, low, high)
        if low >= high:
            low = high = right
    for j in range(left, low):
        row[j] = np.nan
    for j in range(high, right):
        row[j] = np.nan
    if some:
        # What lies beyond the volume is on its first or last plane.
        bottom = -np.inf if planes[0] == 0 else float(planes[0])
        top = np.inf if planes[1] == n_z else float(planes[1])
        low, high = _near(z, dz, bottom, top, low, high)
    elif _whole(volume) and low < high:
        inside = _interior(z, dz, last_z, low, high) and _interior(y, dy, last_y, low, high)
        if inside and _interior(x, dx, last_x, low, high):
            for j in range(low, high):
                row[j] = _inside(volume, origin, z + j * dz, y + j * dy, x + j * dx)
            return
    for j in range(low, high):
        at_z, at_y, at_x = _clamped(z + j * dz, last_z), _clamped(y + j * dy, last_y), _clamped(x + j * dx, last_x)
        if not some or planes[0] <= at_z < planes[1]:
            row[j] = _value(volume, origin, at_z, at_y, at_x)


@compiled
def _quick(start: Any, step: Any, shape: Any, left: int, right: int, planes: Any) -> tuple[int, int]:
    """The pixels [low, high) of a row between which all lie in [0, last) on each axis, and begin in the planes."""
    (z, y, x), (dz, dy, dx), (n_z, n_y, n_x) = start, step, shape
    bottom, top = float(planes[0]), min(float(planes[1]), n_z - 1.0)
    low, high = left, right
    if planes[0] > 0 or planes[1] < n_z:
        low, high = _near(z, dz, bottom, top, low, high)
    while low < high and not (
        bottom <= z + low * dz < top and 0.0 <= y + low * dy < n_y - 1.0 and 0.0 <= x + low * dx < n_x - 1.0
    ):
        low += 1
    while low < high and not (
        bottom <= z + (high - 1) * dz < top
        and 0.0 <= y + (high - 1) * dy < n_y - 1.0
        and 0.0 <= x + (high - 1) * dx < n_x - 1.0
    ):
        high -= 1
    return low, high


@compiled
def slices(
    volume: Any, pairs: Any, strides: Any, shape: Any, origin: Any, poses: Any, out: Any, tile: Any, planes: Any, outside: int
) -> None:
    """Fill a tile of out (n, h, w) with slices of a volume of `shape` (z, y, x) voxels.

    pairs: the volume's memory from its first voxel on as numbers of two voxels, one at each byte; strides: the bytes between
    voxels, all 0 where it cannot be read so. poses: centres (n, 3) in voxel coordinates, steps (n, 2, 3), the voxel vectors
    from a pixel to the one below and to its right, and which slice of `out` each is. tile: the poses, rows and columns (first,
    end, top, bottom, left, right) to fill; where `planes` (low, high) are not all, only the pixels whose voxels begin in these
    planes are. Results are float32.
    """
    centres, steps, which = poses
    h, w = out.shape[1], out.shape[2]
    first, end, top, bottom, left_end, right_end = tile
    # A part of the volume may go on at the volume's beginning where it wraps.
    whole = planes[0] == 0 and planes[1] == shape[0] and origin[0] == 0 and origin[1] == 0 and origin[2] == 0
    quick = strides[2] > 0 and (whole or outside != WRAP)
    begin = np.int64(origin[0]) * strides[0] + np.int64(origin[1]) * strides[1] + np.int64(origin[2]) * strides[2]
    offsets, weights = np.zeros((2, runs.LENGTH), np.int64), np.full((3, 2, runs.LENGTH), real(volume))
    loaded = np.empty((4, runs.LENGTH), pairs.dtype)
    # The run before, whose voxels are on their way: which half of the buffers it is in, its pixels and its place in `out`.
    half, count, place = 0, 0, (0, 0, 0)
    for n in range(first, end):
        k = which[n]
        dz, dy, dx = steps[n, 1, 0], steps[n, 1, 1], steps[n, 1, 2]
        for i in range(top, bottom):
            up, left = i - 0.5 * (h - 1), -0.5 * (w - 1)
            z = centres[n, 0] + up * steps[n, 0, 0] + left * dz
            y = centres[n, 1] + up * steps[n, 0, 1] + left * dy
            x = centres[n, 2] + up * steps[n, 0, 2] + left * dx
            start, step = (z, y, x), (dz, dy, dx)
            low, high = _quick(start, step, shape, left_end, right_end, planes) if quick else (right_end, right_end)
            # What is left of the quick pixels, and what is right of them; all of the row where there are none.
            for begun, behind in ((left_end, low), (high, right_end)):
                if begun < behind:
                    _fill(volume, shape, origin, start, step, out[k, i], begun, behind, planes, outside)
            for begun in range(low, high, runs.LENGTH):
                more = min(runs.LENGTH, high - begun)
                runs.place((start, step), begun, more, strides, begin, 1 - half, offsets, weights)
                runs.load(pairs, offsets, half, count, more, strides, loaded)
                runs.mix(volume, loaded, weights, half, count, out, place)
                half, count, place = 1 - half, more, (k, i, begun)
    runs.load(pairs, offsets, half, count, 0, strides, loaded)
    runs.mix(volume, loaded, weights, half, count, out, place)
