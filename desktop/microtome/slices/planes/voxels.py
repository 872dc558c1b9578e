"""Slices out of voxels as a grid lays them: pixels that are means of what they cover, slabs, periodic continuation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from microtome.slices.geometry import Array, Grid
from microtome.slices.planes.cut import Outside, sample
from microtome.slices.planes.levels import level_of
from microtome.volumes.volume import Volume


def cut_voxels(volume: Volume, grid: Grid, centres: Array, axes: Array, *, threads: int | None = None) -> NDArray[np.float32]:
    """Images (n, pixels, pixels) at centres (n, 3) in voxels with axes (n, 2, 3), unit vectors in physical space.

    Each pixel is the mean of points inside it, and through the slab about it; where it is wider than eight voxels they are
    points of a coarser level of the volume, which is then thought to go on beyond its edge as it ends.
    """
    level, factor = level_of(volume, grid.coarseness)
    factors = np.asarray(factor, dtype=np.float64)
    # Voxel i of the level lies where the middle of its voxels of the volume is.
    places = (np.asarray(centres, dtype=np.float64) - (factors - 1) / 2) / factors
    steps, through = grid.steps(axes) / factors, grid.through(axes) / factors
    outside: Outside = "wrap" if any(grid.period) else "nan" if level is volume else "nearest"
    total: NDArray[np.float32] | None = None
    layers = grid.layers
    for layer in layers:
        points = sample(level, places + layer * through, steps, size=grid.size, threads=threads, outside=outside)
        images = grid.average(points)
        total = images if total is None else total + images
    assert total is not None  # a plane is one layer
    return total if len(layers) == 1 else total / np.float32(len(layers))
