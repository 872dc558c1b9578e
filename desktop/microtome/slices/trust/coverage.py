"""Which voxels the slices of each set read: counted voxel by voxel, in cells where a volume has too many of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.slices.blocks.split import SETS, Box
from microtome.slices.geometry import Array, Grid
from microtome.volumes.compiled import compiled

_MOST_CELLS = 2**23  # 84 MB while they are counted
_MOST_COUNT = 2**16 - 1
_BATCH = 256  # slices between two looks at `superseded`


@dataclass(frozen=True, eq=False)
class Coverage:
    """How many slices of each set read something of each cell of a volume.

    A cell is a cube of `cell` voxels an edge (1: the figures are of voxels, exactly), cut off at the volume's end.
    """

    counts: NDArray[np.uint16]  # (3, z, y, x), in the order of SETS
    cell: int
    shape: tuple[int, int, int]  # of the volume, in voxels

    def weights(self) -> NDArray[np.float64]:
        """The voxels of each cell (z, y, x)."""
        edges = [np.minimum(self.cell, n - self.cell * np.arange(math.ceil(n / self.cell))) for n in self.shape]
        return np.asarray(edges[0][:, None, None] * edges[1][:, None] * edges[2], dtype=np.float64)

    def share(self, set_name: str) -> float:
        """The part of the volume's voxels that the set reads."""
        return self._share(self.counts[SETS.index(set_name)] > 0)

    def share_of(self, set_name: str, box: Box) -> float:
        """The part of a block's voxels that the set reads, as far as cells lie in the block with their first voxel."""
        part = tuple(slice(math.ceil(a / self.cell), math.ceil(b / self.cell)) for a, b in zip(box.low, box.high, strict=True))
        weights = self.weights()[part]
        read = self.counts[SETS.index(set_name)][part] > 0
        return float((weights * read).sum() / weights.sum()) if weights.size else 0.0

    def shared(self) -> float:
        """The part of the volume's voxels that slices of two sets or three read; cells larger than a voxel overstate it."""
        return self._share((self.counts > 0).sum(axis=0) > 1)

    def _share(self, which: NDArray[np.bool_]) -> float:
        weights = self.weights()
        return float((weights * which).sum() / weights.sum())


def cell_of(shape: Sequence[int], most_cells: int = _MOST_CELLS) -> int:
    """The edge of a cell in voxels, so that a volume has at most so many cells."""
    cell = 1
    while math.prod(math.ceil(n / cell) for n in shape) > most_cells:
        cell += 1
    return cell


def coverage(
    shape: tuple[int, int, int],
    grid: Grid,
    centres: Array,
    axes: Array,
    sets: NDArray[np.int64],
    *,
    most_cells: int = _MOST_CELLS,
    superseded: Callable[[], bool] = lambda: False,
) -> Coverage | None:
    """Count the slices with centres (n, 3), axes (n, 2, 3) and sets (n,) of a volume; None once `superseded()` holds.

    A slice reads the up to eight voxels around each of its points, as trilinear interpolation does.
    """
    cell = cell_of(shape, most_cells)
    counts = np.zeros((len(SETS), *(math.ceil(n / cell) for n in shape)), dtype=np.uint16)
    last = np.full(counts.shape[1:], -1, dtype=np.int32)
    steps = grid.steps(axes)
    # Cells of several voxels are met by points that lie closer than half a cell, too.
    stride = max(1, math.floor(cell / 2 / max(float(np.linalg.norm(steps, axis=2).max(initial=0.0)), 1e-9)))
    for start in range(0, len(centres), _BATCH):
        if superseded():
            return None
        stop = min(start + _BATCH, len(centres))
        _count(
            counts,
            last,
            np.array(shape),
            cell,
            centres[start:stop],
            steps[start:stop],
            sets[start:stop],
            grid.size,
            stride,
            start,
        )
    return Coverage(counts, cell, shape)


@compiled
def _count(
    counts: Any, last: Any, shape: Any, cell: int, centres: Any, steps: Any, sets: Any, size: int, stride: int, first: int
) -> None:
    """Add each slice once to every cell that it reads; `last` holds the slice that was counted last in a cell."""
    half = (size - 1) / 2.0
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for i in range(len(centres)):
        number = first + i
        for u in range(0, size + stride - 1, stride):
            v0 = min(u, size - 1) - half
            for v in range(0, size + stride - 1, stride):
                v1 = min(v, size - 1) - half
                for a in range(3):
                    at = centres[i, a] + v0 * steps[i, 0, a] + v1 * steps[i, 1, a]
                    at = min(max(at, 0.0), shape[a] - 1.0)
                    below = math.floor(at + 1e-9)
                    low[a] = below // cell
                    high[a] = min(below + (1 if at - below > 1e-9 else 0), shape[a] - 1) // cell
                for z in range(low[0], high[0] + 1):
                    for y in range(low[1], high[1] + 1):
                        for x in range(low[2], high[2] + 1):
                            if last[z, y, x] != number:
                                last[z, y, x] = number
                                if counts[sets[i], z, y, x] < _MOST_COUNT:
                                    counts[sets[i], z, y, x] += 1
