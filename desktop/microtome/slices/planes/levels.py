"""Coarser levels of a volume for pixels that are much wider than its voxels: those of a copy in bricks, else made in memory.

Both are made by the same arithmetic along the same steps, so that a slice hangs on neither.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from microtome.slices.planes.cut import threads_of
from microtome.volumes.bricks import EDGE, Bricks, Shape
from microtome.volumes.copies.pyramid import is_labels, levels_of
from microtome.volumes.memory import need_memory
from microtome.volumes.volume import Volume

_KEPT: WeakKeyDictionary[Volume, tuple[Shape, Volume]] = WeakKeyDictionary()  # the last level made of each volume


def level_of(volume: Volume, coarseness: Shape) -> tuple[Volume, Shape]:
    """The level whose voxels are `coarseness` (z, y, x) of the volume's, and how many: 1 along an axis of one voxel.

    Voxel i of the level is the mean of the voxels f·i … f·i + f − 1; of phases that are named by numbers, the most frequent.
    Made on first use, by reading the volume once; FileError where an eighth of it does not fit into memory.
    """
    z, y, x = (1 if n == 1 else f for n, f in zip(volume.shape, coarseness, strict=True))
    wanted = (z, y, x)
    if wanted == (1, 1, 1):
        return volume, wanted
    kept = _KEPT.get(volume)
    if kept is not None and kept[0] == wanted:
        return kept[1], wanted
    factor, found = _stored(volume, wanted)
    labels = is_labels(volume)
    for target in _path(volume, factor, wanted):
        ratio = tuple(t // f for t, f in zip(target, factor, strict=True))
        found, factor = _halved(found, (ratio[0], ratio[1], ratio[2]), labels=labels), target
    _KEPT[volume] = (wanted, found)
    return found, wanted


def _path(volume: Volume, begun: Shape, wanted: Shape) -> Iterator[Shape]:
    """The factors of the levels to make, one after the other: as a copy's, as far as these lead, then by halves."""
    now = begun
    for level in levels_of(volume.shape, volume.voxel_size):
        if level.factor != now and _divides(now, level.factor) and _divides(level.factor, wanted):
            now = level.factor
            yield now
    while now != wanted:
        z, y, x = (min(2 * f, w) for f, w in zip(now, wanted, strict=True))
        now = (z, y, x)
        yield now


def _divides(factor: Shape, other: Shape) -> bool:
    return all(f <= o for f, o in zip(factor, other, strict=True))  # powers of 2


def _stored(volume: Volume, wanted: Shape) -> tuple[Shape, Volume]:
    """The coarsest level that a copy holds and `wanted` can be made of."""
    best: tuple[Shape, Volume] = ((1, 1, 1), volume)
    if isinstance(volume.voxels, Bricks):
        for (_, factor), level in zip(volume.voxels.coarser, volume.levels, strict=True):
            if _divides(factor, wanted):
                best = (factor, level)
    return best


def _halved(volume: Volume, ratio: Shape, *, labels: bool) -> Volume:
    """A volume in memory whose voxels are `ratio` (z, y, x) voxels of another, as a copy's levels are made."""
    from microtome.volumes.copies import brick_kernel

    z, y, x = (-(-n // f) for n, f in zip(volume.shape, ratio, strict=True))
    depth = EDGE * ratio[0]
    slab = depth * volume.shape[1] * volume.shape[2]
    need_memory((z * y * x + slab) * volume.dtype.itemsize, volume.source or "A coarser level of the volume")
    out = np.empty((z, y, x), volume.dtype)
    how = brick_kernel.MEAN if volume.dtype.kind not in "biu" else brick_kernel.ROUNDED
    how = brick_kernel.FREQUENT if labels else how
    with ThreadPoolExecutor(threads_of(None)) as pool:
        for low in range(0, z, EDGE):
            part = np.ascontiguousarray(volume[low * ratio[0] : low * ratio[0] + depth])
            bricks = _as_bricks(part)

            def row(j: int, bricks: Any = bricks, shape: Shape = part.shape, to: Any = out[low : low + EDGE]) -> None:
                cell, brick = np.empty(math.prod(ratio), to.dtype), np.empty((EDGE, EDGE, EDGE), to.dtype)
                for i in range(0, x, EDGE):
                    brick_kernel.coarser(bricks, shape, ratio, (0, j // EDGE, i // EDGE), how, cell, brick)
                    place = to[:, j : j + EDGE, i : i + EDGE]
                    place[:] = brick[: place.shape[0], : place.shape[1], : place.shape[2]]

            list(pool.map(row, range(0, y, EDGE)))
    size = None
    if volume.voxel_size is not None:
        a, b, c = (s * f for s, f in zip(volume.voxel_size, ratio, strict=True))
        size = (a, b, c)
    return Volume(voxels=out, voxel_size=size, unit=volume.unit, source=volume.source)


def _as_bricks(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """An array as bricks (bz, by, bx, 64, 64, 64) where it lies; what is beyond its edge must not be looked at."""
    counts = [-(-n // EDGE) for n in array.shape]
    strides = (*(EDGE * s for s in array.strides), *array.strides)
    return np.lib.stride_tricks.as_strided(array, (*counts, EDGE, EDGE, EDGE), strides, writeable=False)
