"""The compiled loop that makes a brick of a coarser level out of the finer level's bricks."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtome.volumes.compiled import compiled

_EDGE = 64
MEAN, ROUNDED, FREQUENT = 0, 1, 2


@compiled
def _most_frequent(cell: Any, count: int) -> Any:
    best, found = 0, cell[0]
    for a in range(count):
        same = 0
        for b in range(count):
            if cell[b] == cell[a]:
                same += 1
        if same > best:
            best, found = same, cell[a]
    return found


@compiled
def _mean(cell: Any, count: int, whole: bool) -> float:
    total, numbers = 0.0, 0
    for a in range(count):
        value = np.float64(cell[a])
        if value == value:
            total += value
            numbers += 1
    if numbers == 0:
        return np.nan
    mean = total / numbers
    return np.floor(mean + 0.5) if whole else mean


@compiled
def coarser(fine: Any, shape: Any, ratio: Any, at: Any, how: int, cell: Any, out: Any) -> None:
    """Fill the brick `out` (64, 64, 64) number `at` of a level that takes `ratio` (z, y, x) voxels of `fine` together.

    fine: bricks (bz, by, bx, 64, 64, 64) of a level of `shape` voxels. A voxel is the mean of those that are there
    (NaN left out), the ROUNDED mean, or the most FREQUENT of them (the first of equals). `cell` is room for as many
    values as are taken together. Beyond the edge the last voxel is repeated.
    """
    (n_z, n_y, n_x), (f_z, f_y, f_x) = shape, ratio
    m_z, m_y, m_x = (n_z + f_z - 1) // f_z, (n_y + f_y - 1) // f_y, (n_x + f_x - 1) // f_x
    for k in range(_EDGE):
        low_z = min(at[0] * _EDGE + k, m_z - 1) * f_z
        for j in range(_EDGE):
            low_y = min(at[1] * _EDGE + j, m_y - 1) * f_y
            for i in range(_EDGE):
                low_x = min(at[2] * _EDGE + i, m_x - 1) * f_x
                count = 0
                for z in range(low_z, min(low_z + f_z, n_z)):
                    for y in range(low_y, min(low_y + f_y, n_y)):
                        for x in range(low_x, min(low_x + f_x, n_x)):
                            cell[count] = fine[z >> 6, y >> 6, x >> 6, z & 63, y & 63, x & 63]
                            count += 1
                if how == FREQUENT:
                    out[k, j, i] = _most_frequent(cell, count)
                else:
                    out[k, j, i] = _mean(cell, count, how == ROUNDED)
