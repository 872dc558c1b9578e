"""Runs of pixels inside a volume, compiled: where they lie, the voxels about them, and the blend, each a plain loop of its own.

Memory decides the speed of oblique slices: nearly every pixel needs four lines of memory that no pixel shortly before it
needed. So the places of a run are computed first (a loop that becomes vector instructions), its voxels are asked for while
those of the run before are loaded, and these are then blended (vector instructions again). Two voxels that lie side by side
along x are loaded as one number, a pair.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic, overload

from microtome.volumes.compiled import compiled

LENGTH = 128
"""Pixels of a run: their offsets, weights and pairs stay in the first cache."""


def real(volume: Any) -> Any:
    """An example of the numbers that voxels are blended in: float32 where it holds them exactly, else float64."""
    raise NotImplementedError("a piece of compiled code")


def blend(a: Any, b: Any, weight: Any, volume: Any) -> Any:
    """a + weight · (b − a); where voxels may be NaN, b does not matter at a weight of zero."""
    raise NotImplementedError("a piece of compiled code")


def _low(pair: Any, volume: Any) -> Any:
    """The first voxel of a pair."""
    raise NotImplementedError("a piece of compiled code")


def _high(pair: Any, volume: Any) -> Any:
    """The second voxel of a pair."""
    raise NotImplementedError("a piece of compiled code")


def kind_of(volume: Any) -> Any:
    """The type of a volume's voxels, when a loop is compiled."""
    return volume[1].dtype if isinstance(volume, types.BaseTuple) else volume.dtype


def _single(volume: Any) -> Any:
    return np.float32(0)


def _double(volume: Any) -> Any:
    return np.float64(0)


def _choose_real(volume: Any) -> Any:
    kind = kind_of(volume)
    return _single if isinstance(kind, types.Integer) and kind.bitwidth <= 16 else _double


def _plain(a: Any, b: Any, weight: Any, volume: Any) -> Any:
    return a + weight * (b - a)


def _careful(a: Any, b: Any, weight: Any, volume: Any) -> Any:
    return a + weight * ((b if weight > 0.0 else a) - a)


def _choose_blend(a: Any, b: Any, weight: Any, volume: Any) -> Any:
    return _plain if isinstance(kind_of(volume), types.Integer) else _careful


_KINDS: dict[Any, Any] = {
    types.uint8: np.uint8,
    types.int8: np.int8,
    types.uint16: np.uint16,
    types.int16: np.int16,
    types.uint32: np.uint32,
    types.int32: np.int32,
}


def _part(volume: Any, which: int) -> Any:
    kind = kind_of(volume)
    by = np.uint64(which * kind.bitwidth)
    voxel: Any = _KINDS.get(kind)

    def whole(pair: Any, volume: Any) -> Any:
        return voxel(pair >> by)

    def floating(pair: Any, volume: Any) -> Any:
        return np.uint32(pair >> by).view(np.float32)

    def never(pair: Any, volume: Any) -> Any:
        return np.float64(np.nan)  # wider voxels, or those of the other byte order, are not cut in pairs

    if kind == types.float32:
        return floating
    return never if voxel is None else whole


def _choose_low(pair: Any, volume: Any) -> Any:
    return _part(volume, 0)


def _choose_high(pair: Any, volume: Any) -> Any:
    return _part(volume, 1)


overload(real)(_choose_real)
overload(blend)(_choose_blend)
overload(_low)(_choose_low)
overload(_high)(_choose_high)


@intrinsic  # type: ignore[untyped-decorator]
def _ask_for(typing: Any, pairs: Any, offset: Any) -> Any:
    """Ask for the line of memory at an offset in bytes, and go on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        place = builder.gep(builder.bitcast(array.data, byte), [arguments[1]])
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        builder.call(fetch, [place, number(0), number(3), number(1)])  # to read, into the nearest cache, data
        return context.get_dummy_value()

    return types.void(pairs, offset), generate


@compiled
def place(row: Any, first: int, count: int, strides: Any, begin: int, half: int, offsets: Any, weights: Any) -> None:
    """The offsets in bytes, and the weights along z, y, x, of the pixels first … first + count − 1 of a row.

    row: where its pixel 0 lies and the step to the next (z, y, x), in voxels; strides (z, y, x) in bytes; begin: the offset of
    the first voxel there is; half: which half (0, 1) of offsets (2, LENGTH) and weights (3, 2, LENGTH) they go to.
    """
    ((z, y, x), (dz, dy, dx)), (sz, sy, sx) = row, strides
    for j in range(count):
        n = np.float64(first + j)
        at_z, at_y, at_x = z + n * dz, y + n * dy, x + n * dx
        i_z, i_y, i_x = np.int32(at_z), np.int32(at_y), np.int32(at_x)
        weights[0, half, j] = at_z - np.float64(i_z)
        weights[1, half, j] = at_y - np.float64(i_y)
        weights[2, half, j] = at_x - np.float64(i_x)
        offsets[half, j] = np.int64(i_z) * sz + np.int64(i_y) * sy + np.int64(i_x) * sx - begin


@compiled
def load(pairs: Any, offsets: Any, half: int, count: int, more: int, strides: Any, loaded: Any) -> None:
    """Load the four pairs (4, LENGTH) of each pixel of a run while asking for those of the one that comes next.

    half: of offsets (2, LENGTH), the run's; the other is that of the next. count, more: their pixels.
    """
    sz, sy, _ = strides
    both, coming = min(count, more), 1 - half
    for j in range(both):
        o = offsets[coming, j]
        _ask_for(pairs, o)
        _ask_for(pairs, o + sy)
        _ask_for(pairs, o + sz)
        _ask_for(pairs, o + sz + sy)
        _load(pairs, offsets[half, j], sz, sy, loaded, j)
    for j in range(both, more):
        o = offsets[coming, j]
        _ask_for(pairs, o)
        _ask_for(pairs, o + sy)
        _ask_for(pairs, o + sz)
        _ask_for(pairs, o + sz + sy)
    for j in range(both, count):
        _load(pairs, offsets[half, j], sz, sy, loaded, j)


@compiled
def _load(pairs: Any, offset: int, sz: int, sy: int, loaded: Any, j: int) -> None:
    loaded[0, j] = pairs[np.uintp(offset)]
    loaded[1, j] = pairs[np.uintp(offset + sy)]
    loaded[2, j] = pairs[np.uintp(offset + sz)]
    loaded[3, j] = pairs[np.uintp(offset + sz + sy)]


@compiled
def mix(volume: Any, loaded: Any, weights: Any, half: int, count: int, out: Any, place: Any) -> None:
    """Blend the pairs of a run into the pixels of `out` from place (slice, row, column) on."""
    k, i, left = place
    kind = type(real(volume))
    for j in range(count):
        fz, fy, fx = weights[0, half, j], weights[1, half, j], weights[2, half, j]
        q = loaded[0, j]
        a = blend(kind(_low(q, volume)), kind(_high(q, volume)), fx, volume)
        q = loaded[1, j]
        b = blend(kind(_low(q, volume)), kind(_high(q, volume)), fx, volume)
        q = loaded[2, j]
        c = blend(kind(_low(q, volume)), kind(_high(q, volume)), fx, volume)
        q = loaded[3, j]
        d = blend(kind(_low(q, volume)), kind(_high(q, volume)), fx, volume)
        out[k, i, np.uintp(left + j)] = blend(blend(a, b, fy, volume), blend(c, d, fy, volume), fz, volume)
