"""How the slices of one volume are cut: its particles analytically where it is drawn from particles, else its voxels."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from microtome.slices.geometry import Array, Grid
from microtome.slices.grey import FULL
from microtome.slices.plan import SlicePlan
from microtome.slices.planes.discs import CellList, cut_discs
from microtome.slices.planes.voxels import cut_voxels
from microtome.volumes.volume import Volume

_LISTS: WeakKeyDictionary[Volume, CellList] = WeakKeyDictionary()  # the particles do not hang on the plan
_CUBE = 1e-2  # relative: a pixel may differ by so much between directions, and is then taken as square


@dataclass(frozen=True, eq=False)
class Sampler:
    """Cuts the images of a plan out of one volume; grey values are those of the volume's voxels."""

    volume: Volume
    grid: Grid
    particles: CellList | None = None
    voxel: Array | None = None  # (3,) edges in the particles' unit

    @classmethod
    def of(cls, volume: Volume, grid: Grid, plan: SlicePlan) -> Sampler:
        """The volume's sampler; particles are cut analytically unless the plan asks for voxels or pixels are no squares."""
        if volume.structure is None or plan.particles == "voxels":
            return cls(volume, grid)
        voxel = np.asarray(volume.structure.box) / volume.shape
        edges = voxel * grid.spacing
        if edges.max() > edges.min() * (1 + _CUBE):
            return cls(volume, grid)
        particles = _LISTS.get(volume)
        if particles is None:
            particles = _LISTS[volume] = CellList.of(volume.structure)
        return cls(volume, grid, particles, voxel)

    def cut(self, centres: Array, axes: Array, *, threads: int | None = None) -> NDArray[np.float32]:
        """Images (n, pixels, pixels) at centres (n, 3) in voxels with axes (n, 2, 3), unit vectors in physical space."""
        grid = self.grid
        if self.particles is None or self.voxel is None:
            return cut_voxels(self.volume, grid, centres, axes, threads=threads)
        # Voxel i reaches from i to i + 1 edges: its centre, voxel coordinate i, lies half an edge behind its beginning.
        places = (np.asarray(centres) + 0.5) * self.voxel
        pixel = float(np.mean(self.voxel * grid.spacing))
        slab = grid.slab * pixel
        shares = cut_discs(self.particles, places, axes, size=grid.pixels, pixel=pixel, thickness=slab, threads=threads)
        return shares * np.float32(FULL)
