"""Coarser levels of a volume: which there are, how they are made of bricks, and a small overview of any volume."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.bricks import EDGE, Shape, blocks_of
from microtome.volumes.memory import WINDOW, map_of, touched
from microtome.volumes.volume import Size, Volume

_NEAR = 1.5  # voxels whose edges differ by less than this factor are near cubes
_MOST_LABELS = 16  # distinct whole numbers; more of them are grey values
_LOOKED_AT = 8  # slices, to tell labels from grey values


@dataclass(frozen=True)
class Level:
    """One level of a copy: its file, its voxels, and how many of the first level's (z, y, x) make one of them."""

    file: str
    shape: Shape
    factor: Shape


def levels_of(shape: Shape, voxel_size: Size | None) -> tuple[Level, ...]:
    """The levels of a volume, down to one brick; an axis of longer voxels is halved when the others have come near."""
    edges = voxel_size or (1.0, 1.0, 1.0)
    factor: Shape = (1, 1, 1)
    found = [Level("level-0.npy", shape, factor)]
    while max(shape) > EDGE:
        now = [e * f for e, f in zip(edges, factor, strict=True)]
        shortest = min(e for e, n in zip(now, shape, strict=True) if n > 1)
        halved = [n > 1 and e <= _NEAR * shortest for e, n in zip(now, shape, strict=True)]
        z, y, x = (-(-n // 2) if h else n for n, h in zip(shape, halved, strict=True))
        fz, fy, fx = (f * 2 if h else f for f, h in zip(factor, halved, strict=True))
        shape, factor = (z, y, x), (fz, fy, fx)
        found.append(Level(f"level-{len(found)}.npy", shape, factor))
    return tuple(found)


def is_labels(volume: Volume) -> bool:
    """Whether the voxels name phases (few distinct whole numbers) and must not be averaged; looks at a few slices."""
    if volume.dtype.kind == "b":
        return True
    if volume.dtype.kind not in "iu":
        return False
    depth = volume.shape[0]
    known: set[int] = set()
    for z in sorted({int(i) for i in np.linspace(0, depth - 1, _LOOKED_AT)}):
        known.update(np.unique(volume[z]).tolist())
        if len(known) > _MOST_LABELS:
            return False
    return True


def first_byte(file: IO[bytes]) -> int:
    """Where the voxels of a level's file begin."""
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    return file.tell()


def make_layers(folder: Path, levels: tuple[Level, ...], before: int, done: int, *, labels: bool) -> None:
    """Make the layers of bricks of the coarser levels that have become whole since `before` planes of the first were done.

    They are on disk when this returns. Nothing else of them is touched, so that the same call may be made again.
    """
    for fine, coarse in pairwise(levels):
        layers = range(_whole_layers(levels, coarse, before), _whole_layers(levels, coarse, done))
        if not layers:
            break
        for layer in layers:
            _make_layer(folder, fine, coarse, layer, labels=labels)


def _whole_layers(levels: tuple[Level, ...], level: Level, planes: int) -> int:
    """The layers of bricks of a level that are whole once so many planes of the first level are there."""
    depth = levels[0].shape[0]
    if planes >= depth:
        return blocks_of(level.shape)[0]
    return planes // level.factor[0] // EDGE


def _make_layer(folder: Path, fine: Level, coarse: Level, layer: int, *, labels: bool) -> None:
    from microtome.volumes.copies import brick_kernel

    source = np.load(folder / fine.file, mmap_mode="r", allow_pickle=False)
    file = map_of(source)
    ratio = tuple(c // f for c, f in zip(coarse.factor, fine.factor, strict=True))
    whole = source.dtype.kind in "iu"
    how = brick_kernel.FREQUENT if labels else brick_kernel.ROUNDED if whole else brick_kernel.MEAN
    cell = np.empty(math.prod(ratio), source.dtype)
    _, by, bx = blocks_of(coarse.shape)
    row = np.empty((bx, EDGE, EDGE, EDGE), source.dtype)
    with open(folder / coarse.file, "r+b") as target:
        start = first_byte(target)
        for ky in range(by):
            for kx in range(bx):
                brick_kernel.coarser(source, fine.shape, ratio, (layer, ky, kx), how, cell, row[kx])
            if file is not None:
                touched(file, row.nbytes * math.prod(ratio) + 4 * WINDOW)
            target.seek(start + (layer * by + ky) * row.nbytes)
            target.write(row.data)
        target.flush()
        os.fsync(target.fileno())


def thumbnail(volume: Volume, most_voxels: int) -> tuple[NDArray[Any], tuple[float, float, float]]:
    """A coarse overview of a volume (z, y, x) of at most `most_voxels`, and how many of its voxels (z, y, x) one stands for.

    Taken from a coarser level where a copy holds one, else by leaving voxels out (not by averaging), so that its voxels are
    near cubes where the voxel size is known. Reads slice by slice: never more memory than the overview and one slice.
    """
    edges = volume.voxel_size or (1.0, 1.0, 1.0)
    ways = []
    for level in (volume, *volume.levels):
        sizes = [e * n / m for e, n, m in zip(edges, volume.shape, level.shape, strict=True)]
        steps = _strides(level.shape, sizes, most_voxels)
        ways.append((_left(level.shape, steps), level, steps))
    most = max(count for count, _, _ in ways)
    _, best, stride = next(way for way in reversed(ways) if 2 * way[0] >= most)  # averaged, where that costs little detail
    rows = (slice(None, None, stride[1]), slice(None, None, stride[2]))
    planes = range(0, best.shape[0], stride[0])
    first = best[0][rows]
    out = np.empty((len(planes), *first.shape), first.dtype)
    for i, z in enumerate(planes):
        out[i] = first if i == 0 else best[(z, *rows)]
    fz, fy, fx = (s * n / m for s, n, m in zip(stride, volume.shape, best.shape, strict=True))
    return out, (fz, fy, fx)


def _left(shape: Shape, stride: Shape) -> int:
    return math.prod(-(-n // s) for n, s in zip(shape, stride, strict=True))


def _strides(shape: Shape, edges: list[float], most: int) -> Shape:
    """The steps along z, y, x that leave at most so many voxels, as near to cubes as can be."""
    cube = min(edges)
    while True:
        z, y, x = (min(n, max(1, round(cube / e))) for n, e in zip(shape, edges, strict=True))
        if _left(shape, (z, y, x)) <= most or (z, y, x) == shape:
            return (z, y, x)
        cube *= 1.1
