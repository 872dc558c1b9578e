"""How cutting gets at voxels: straight in memory, in a mapped file whose pages are given back, or in parts that are read.

What a volume is decides the way and the time, never the result: all ways end in the same compiled arithmetic.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError
from microtome.volumes.bricks import EDGE, Bricks
from microtome.volumes.mapped import checked
from microtome.volumes.memory import WINDOW, fits_whole, map_of, mapped_bytes, need_memory, touched, working_bytes
from microtome.volumes.volume import Volume

Shape = tuple[int, int, int]
Tile = tuple[int, int, int, int, int, int]  # slices, rows and columns: first, end, top, bottom, left, right
Ranges = NDArray[np.int64]  # (3, 2): first voxel and the one behind the last along z, y, x; beyond the volume where it wraps
_WRAP = 2  # as kernel.WRAP, which loads the compiler
_FAR = 1e9  # voxels; beyond, rounding is no longer small against a voxel


@dataclass(frozen=True, kw_only=True)
class Job:
    """Slices to cut: centres (n, 3), vectors (n, 2, 3) from pixel to pixel, where they go (n, h, w), what is outside.

    `which` (n,): the slice of `out` that each pose is for, where they are in another order.
    """

    centres: NDArray[np.float64]
    steps: NDArray[np.float64]
    out: NDArray[np.float32]
    outside: int
    which: NDArray[np.int64]

    @classmethod
    def of(cls, centres: NDArray[np.float64], steps: NDArray[np.float64], out: NDArray[np.float32], outside: int) -> Job:
        """A job whose poses are in the order of their places: what one slice brought near is still there for the next."""
        near = np.clip(centres // EDGE, -1, 2**20).astype(np.int64) + 1
        which = np.argsort(_curve(near), kind="stable")
        return cls(centres=centres[which], steps=steps[which], out=out, outside=outside, which=which)

    @property
    def tile(self) -> Tile:
        """All of it."""
        n, h, w = self.out.shape
        return (0, n, 0, h, 0, w)


def _curve(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers (n,) of places (n, 3), whole numbers from 0, along Morton's curve: what is near on it is near in space."""
    found = np.zeros(len(places), np.int64)
    for bit in range(21):
        for axis in range(3):
            found |= (places[:, axis] >> bit & 1) << (3 * bit + 2 - axis)
    return found


def fill(volume: NDArray[Any] | Volume, job: Job, workers: int) -> None:
    """Cut the slices of a job out of an array or a volume, with so many threads; FileError where a source cannot be read."""
    shape: Shape = volume.shape
    direct, file = _direct(volume)
    if direct is not None:
        _cut_direct(direct, shape, file, job, workers)
        return
    assert isinstance(volume, Volume)
    chunks = getattr(volume.voxels, "chunks", None)
    if chunks is None or (chunks[1] >= shape[1] and chunks[2] >= shape[2]):
        # One voxel of a plane costs as much as all of it: each plane is read once for all slices.
        _sweep(volume, job, 1 if chunks is None else int(chunks[0]))
        return
    # In the order of their places, so that what neighbours read is still in the system's cache.
    boxes = _boxes(job, shape, working_bytes() // volume.dtype.itemsize)
    for tile, box in sorted(boxes, key=lambda b: tuple(b[1][:, 0] // EDGE)):
        _run(readable(_read(volume, box)), shape, _origin(box, shape), job, tile, (0, shape[0]))


def _direct(volume: NDArray[Any] | Volume) -> tuple[Any, mmap.mmap | None]:
    """The voxels as the compiled code reads them where they lie, and the map that they are of; None where they must be read."""
    if isinstance(volume, np.ndarray):
        voxels: Any = volume
    else:
        at_hand = volume.at_hand()
        voxels = volume.voxels if at_hand is None else at_hand
    array = voxels.blocks if isinstance(voxels, Bricks) else voxels
    if not isinstance(array, np.ndarray):
        return None, None
    file = map_of(array)
    strange = array.dtype.itemsize > 8 or (array.dtype.itemsize == 2 and array.dtype.kind == "f")
    if strange and isinstance(volume, Volume) and (file is not None or isinstance(voxels, Bricks)):
        return None, None  # compiled code does not know these numbers: they are changed part by part
    return readable(checked(array)), file


def readable(array: NDArray[Any]) -> Any:
    """Voxels as the compiled code reads them, read-only: a view where that is possible.

    Numbers of the other byte order become a pair: their bits, and an empty array of what they mean.
    """
    array = np.asarray(array)
    if array.dtype.kind == "b":
        array = array.view(np.uint8)
    elif array.dtype.itemsize == 2 and array.dtype.kind == "f":
        array = array.astype(np.float32)
    elif array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    meaning = None if array.dtype.isnative else np.empty(0, array.dtype.newbyteorder("="))
    array = array.view() if meaning is None else array.view(f"u{array.itemsize}")
    array.flags.writeable = False  # one compiled version for files and for arrays in memory
    return array if meaning is None else (array, meaning)


def _run(voxels: Any, shape: Shape, origin: Shape, job: Job, tile: Tile, planes: tuple[int, int]) -> None:
    # Compiled code is loaded when first needed: it costs the start of a program half a second.
    from microtome.slices.planes import kernel

    pairs, strides = _pairs(voxels)
    poses = (job.centres, job.steps, job.which)
    kernel.slices(voxels, pairs, strides, shape, origin, poses, job.out, tile, planes, job.outside)


def _pairs(voxels: Any) -> tuple[NDArray[Any], Shape]:
    """The memory of an array as numbers of two voxels, one at each byte, and its strides in bytes, for kernel.slices.

    The strides are 0 where it cannot be read so: in bricks, of the other byte order, wider than 32 bits, or where neighbours
    along x do not lie side by side.
    """
    plain = isinstance(voxels, np.ndarray) and voxels.ndim == 3 and voxels.itemsize <= 4 and sys.byteorder == "little"
    pair = np.dtype(f"u{2 * voxels.itemsize}") if plain else np.dtype(np.uint16)
    if plain and min(voxels.shape) > 1 and voxels.strides[2] == voxels.itemsize and min(voxels.strides) > 0:
        span = sum((n - 1) * s for n, s in zip(voxels.shape, voxels.strides, strict=True)) + voxels.itemsize
        bytes_ = np.lib.stride_tricks.as_strided(voxels.view(np.uint8), (span,), (1,), writeable=False)
        return np.ndarray((span - pair.itemsize + 1,), pair, bytes_.data, strides=(1,)), voxels.strides
    # As read-only and as little aligned, so that the compiled code is the same.
    return np.ndarray((2,), pair, bytes(pair.itemsize + 1), strides=(1,)), (0, 0, 0)


# --- where the voxels lie


def _cut_direct(voxels: Any, shape: Shape, file: mmap.mmap | None, job: Job, workers: int) -> None:
    n, h, w = job.out.shape
    array = voxels[0] if isinstance(voxels, tuple) else voxels
    # A file that may be kept in memory as a whole is cut as if it were there; what was touched is counted in the end.
    whole = file is None or fits_whole(array.nbytes)
    if whole:
        # A few ranges a thread level out unequal slices; each slice depends on nothing but its pose.
        bounds = np.linspace(0, n, min(n, 4 * workers if workers > 1 else 1) + 1).astype(int).tolist()
        pieces = [_Piece((a, b, 0, h, 0, w), (0, shape[0]), 0) for a, b in pairwise(bounds)]
    else:
        pieces = list(_mapped_pieces(array, shape, job, max(1, mapped_bytes() // (2 * workers))))

    def cut(piece: _Piece) -> None:
        _run(voxels, shape, (0, 0, 0), job, piece.tile, piece.planes)
        if file is not None and not whole:
            touched(file, piece.touched)

    if workers == 1 or len(pieces) == 1:
        for piece in pieces:
            cut(piece)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(cut, pieces))
    if file is not None and whole:
        cost = _touched_bytes(array, _ranges(job, job.tile, shape), h * w).sum(dtype=np.float64)
        touched(file, int(min(cost, array.nbytes)))


@dataclass(frozen=True)
class _Piece:
    """A part of a job: of a tile the pixels whose voxels begin in some planes; and how many bytes of a map it touches."""

    tile: Tile
    planes: tuple[int, int]
    touched: int


def _mapped_pieces(array: NDArray[Any], shape: Shape, job: Job, most: int) -> Iterator[_Piece]:
    """Pieces that touch at most about `most` bytes of a map: several slices where they touch little, else a part of one."""
    n, h, w = job.out.shape
    ranges = _ranges(job, job.tile, shape)
    costs = _touched_bytes(array, ranges, h * w)
    first, total = 0, 0
    for k in range(n):
        if first < k and total + costs[k] > most:
            yield _Piece((first, k, 0, h, 0, w), (0, shape[0]), total)
            first, total = k, 0
        if costs[k] > most:
            tile = (k, k + 1, 0, h, 0, w)
            by_planes = array.ndim == 6 or abs(array.strides[0]) == max(abs(s) for s in array.strides)
            yield from (
                _by_planes(array, shape, tile, ranges[k], most) if by_planes else _by_tiles(array, shape, job, tile, most)
            )
            first = k + 1
        else:
            total += int(costs[k])
    if first < n:
        yield _Piece((first, n, 0, h, 0, w), (0, shape[0]), total)


def _by_planes(array: NDArray[Any], shape: Shape, tile: Tile, ranges: Ranges, most: int) -> Iterator[_Piece]:
    """A slice in pieces between planes: each place of the file is touched once."""
    thin = 1 if array.ndim == 3 else EDGE
    layer = ranges.copy()
    layer[0] = (0, thin)
    cost = int(_touched_bytes(array, layer[None], np.iinfo(np.int64).max)[0])
    thick = thin * max(1, most // max(1, cost))
    found = 0
    for part, _ in _wrapped(int(ranges[0, 0]), int(ranges[0, 1]), shape[0]):
        for low in range(part.start // thin * thin, part.stop, thick):
            high = min(low + thick, shape[0])
            found += 1
            yield _Piece(tile, (low, high), cost * -(-(high - low) // thin))
    if not found:
        yield _Piece(tile, (0, shape[0]), 0)


def _by_tiles(array: NDArray[Any], shape: Shape, job: Job, tile: Tile, most: int) -> Iterator[_Piece]:
    """A slice in tiles, for a map whose planes do not lie one behind the other."""
    pixels = (tile[3] - tile[2]) * (tile[5] - tile[4])
    cost = int(_touched_bytes(array, _ranges(job, tile, shape), pixels)[0])
    if cost <= most or pixels <= 64:
        yield _Piece(tile, (0, shape[0]), cost)
        return
    for half in _halves(tile):
        yield from _by_tiles(array, shape, job, half, most)


def _halves(tile: Tile) -> tuple[Tile, Tile]:
    first, end, top, bottom, left, right = tile
    if bottom - top >= right - left:
        middle = (top + bottom) // 2
        return (first, end, top, middle, left, right), (first, end, middle, bottom, left, right)
    middle = (left + right) // 2
    return (first, end, top, bottom, left, middle), (first, end, top, bottom, middle, right)


def _touched_bytes(array: NDArray[Any], ranges: Ranges, pixels: int) -> NDArray[np.int64]:
    """At most how many bytes of a map slices (ranges (n, 3, 2) of voxels) of so many pixels bring into memory."""
    lengths = np.maximum(ranges[:, :, 1] - ranges[:, :, 0], 0)
    if array.ndim == 6:
        count = np.maximum(-(-ranges[:, :, 1] // EDGE) - ranges[:, :, 0] // EDGE, 0)
        box = count[:, 0] * count[:, 1] * (count[:, 2] * EDGE**3 * array.itemsize + WINDOW)
    else:
        slow, middle, fast = np.argsort([-abs(s) for s in array.strides], kind="stable")
        steps = [abs(s) for s in array.strides]
        run = lengths[:, middle] * steps[middle] + lengths[:, fast] * steps[fast] + WINDOW
        box = np.where(lengths.min(axis=1) > 0, lengths[:, slow] * run, 0)
    bytes_: NDArray[np.int64] = np.minimum(box, float(pixels) * 4 * WINDOW).astype(np.int64)
    return bytes_


# --- what of a volume slices reach


def _ranges(job: Job, tile: Tile, shape: Shape) -> Ranges:
    """The voxels (n, 3, 2) that the tile of each slice reaches, a voxel wider; clipped to the volume unless it goes on."""
    first, end, top, bottom, left, right = tile
    _, h, w = job.out.shape
    centres, steps = job.centres[first:end], job.steps[first:end]
    low, high = np.full((end - first, 3), np.inf), np.full((end - first, 3), -np.inf)
    for i in (top, bottom - 1):
        for j in (left, right - 1):
            corner = centres + (i - 0.5 * (h - 1)) * steps[:, 0] + (j - 0.5 * (w - 1)) * steps[:, 1]
            low, high = np.minimum(low, corner), np.maximum(high, corner)
    size = np.array(shape, dtype=np.float64)
    if job.outside == _WRAP:
        far = (np.maximum(np.abs(low), np.abs(high)) > _FAR) | (high - low + 5 > size)
        begin, behind = np.where(far, 0, np.floor(low) - 1), np.where(far, size, np.floor(high) + 3)
    else:
        inside = size - 1 if job.outside == 1 else size  # the nearest voxel is always one
        begin = np.clip(np.floor(low) - 1, 0, inside)
        behind = np.clip(np.floor(high) + 3, begin if job.outside == 0 else begin + 1, size)
    return np.stack([begin, behind], axis=2).astype(np.int64)


def _boxes(job: Job, shape: Shape, most: int) -> list[tuple[Tile, Ranges]]:
    """Tiles with the boxes (3, 2) of voxels that they need, none of more than `most` voxels if it can be divided."""
    n, h, w = job.out.shape
    every = _ranges(job, job.tile, shape)
    found: list[tuple[Tile, Ranges]] = []
    for k in range(n):
        todo: list[tuple[Tile, Ranges]] = [((k, k + 1, 0, h, 0, w), every[k])]
        while todo:
            tile, box = todo.pop()
            single = tile[3] - tile[2] <= 1 and tile[5] - tile[4] <= 1
            if single or _voxels(box) <= most:
                found.append((tile, box))
            else:
                todo += [(half, _ranges(job, half, shape)[0]) for half in _halves(tile)]
    return found


def _voxels(box: Ranges) -> int:
    return int(np.prod(np.maximum(box[:, 1] - box[:, 0], 0)))


def _origin(box: Ranges, shape: Shape) -> Shape:
    z, y, x = (int(low) % n for low, n in zip(box[:, 0], shape, strict=True))
    return (z, y, x)


def _read(volume: Volume, box: Ranges) -> NDArray[Any]:
    """The voxels of a box; along an axis where it goes beyond the volume it goes on at the beginning."""
    pieces = [_wrapped(int(low), int(behind), n) for (low, behind), n in zip(box, volume.shape, strict=True)]
    need_memory(_voxels(box) * volume.dtype.itemsize, volume.source or "The volume")
    out = np.zeros([max(1, int(behind - low)) for low, behind in box], volume.dtype)
    for z, to_z in pieces[0]:
        for y, to_y in pieces[1]:
            for x, to_x in pieces[2]:
                out[to_z, to_y, to_x] = _same(volume[z, y, x], out[to_z, to_y, to_x].shape, volume)
    return out


def _same(part: NDArray[Any], shape: tuple[int, ...], volume: Volume) -> NDArray[Any]:
    if part.shape != shape:
        raise FileError(f"{volume.source or 'The volume'} has changed since it was opened.", "Open it again.")
    return part


def _wrapped(low: int, behind: int, n: int) -> list[tuple[slice, slice]]:
    """What to read along an axis for [low, behind), and where it goes."""
    found, at = [], low
    while at < behind:
        start = at % n
        length = min(n - start, behind - at)
        found.append((slice(start, start + length), slice(at - low, at - low + length)))
        at += length
    return found


# --- sources that are read by planes


def _sweep(volume: Volume, job: Job, depth: int) -> None:
    """Go through the planes that are needed, in their order, and cut of every slice what begins in them.

    `depth` planes cost as much as one of them.
    """
    shape, (n, h, w) = volume.shape, job.out.shape
    job.out.fill(np.nan)
    reached = [
        [part for part, _ in _wrapped(int(low), int(behind), shape[0])] for low, behind in _ranges(job, job.tile, shape)[:, 0]
    ]
    needed = sorted({g for parts in reached for p in parts for g in range(p.start // depth, -(-p.stop // depth))})
    plane = shape[1] * shape[2] * volume.dtype.itemsize
    previous: tuple[int, NDArray[Any]] | None = None  # the plane behind the last ones: the next begin with it
    for groups in _runs(needed, max(1, working_bytes() // (plane * depth))):
        low, high = groups[0] * depth, min((groups[-1] + 1) * depth, shape[0])
        part, previous = _planes(volume, low, high, wrap=job.outside == _WRAP, first=previous)
        voxels = readable(part)
        for k in range(n):
            if any(p.start < high and p.stop > low for p in reached[k]):
                _run(voxels, shape, (low, 0, 0), job, (k, k + 1, 0, h, 0, w), (low, high))


def _runs(groups: list[int], most: int) -> Iterator[list[int]]:
    run: list[int] = []
    for group in groups:
        if run and (group != run[-1] + 1 or len(run) == most):
            yield run
            run = []
        run.append(group)
    if run:
        yield run


def _planes(
    volume: Volume, low: int, high: int, *, wrap: bool, first: tuple[int, NDArray[Any]] | None
) -> tuple[NDArray[Any], tuple[int, NDArray[Any]] | None]:
    """The planes [low, high) and the one behind them, with the latter for the next call, which then need not read it again."""
    n = volume.shape[0]
    behind = high if high < n else (0 if wrap else -1)
    shape = (high - low + (behind >= 0), *volume.shape[1:])
    need_memory(int(np.prod(shape, dtype=np.int64)) * volume.dtype.itemsize, volume.source or "The volume")
    out = np.empty(shape, volume.dtype)
    known = first is not None and first[0] == low
    if first is not None and known:
        out[0] = first[1]
    start, end = low + int(known), high + (behind == high)
    if start < end:
        out[start - low : end - low] = _same(volume[start:end], out[start - low : end - low].shape, volume)
    if behind == 0:
        out[-1] = volume[0]
    return out, ((behind, out[-1].copy()) if behind > 0 else None)
