"""Where slices lie: random orientations, how far a slice reaches, physical directions as voxel vectors.

All vectors are (z, y, x). `axes` (n, 2, 3) are the image's down and right directions, unit vectors in physical space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from microtome.errors import InputError
from microtome.volumes.units import VOXEL, to_nm

Array = NDArray[np.float64]
#: Down and right directions of the fixed planes, as a viewer shows them.
PLANES: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "xy": ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "xz": ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    "yz": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
}


def random_axes(rng: np.random.Generator, n: int, orientation: str = "random") -> Array:
    """Draw the axes (n, 2, 3) of n slices: uniform over all rotations, or those of a fixed plane (xy, xz, yz).

    A normalised 4-D normal is a uniform unit quaternion, hence a uniform rotation (Muller 1959; Shoemake 1992).
    """
    if orientation in PLANES:
        return np.repeat(np.array([PLANES[orientation]]), n, axis=0)
    if orientation != "random":
        raise InputError(f"orientation cannot be {orientation!r}.", "Known: random, xy, xz, yz.")
    q = rng.standard_normal((n, 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    down = np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], axis=1)
    right = np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=1)
    return np.stack([down, right], axis=1)


def normals(axes: Array) -> Array:
    """The normals (n, 3) of slices: right-handed with down and right."""
    return np.cross(axes[:, 0], axes[:, 1])


def extents(axes: Array, size: int | tuple[int, int], step: float = 1.0) -> Array:
    """The half edges (n, 3), in voxels, of the boxes that hold the slices' outermost pixel centres.

    axes (n, 2, 3) may be voxel vectors of any length; size (h, w) pixels, step voxels a pixel (times the vectors' length).
    """
    h, w = (size, size) if isinstance(size, int) else size
    reach: Array = np.abs(axes[:, 0]) * ((h - 1) / 2 * step) + np.abs(axes[:, 1]) * ((w - 1) / 2 * step)
    return reach


def voxel_steps(axes: Array, spacing: ArrayLike) -> Array:
    """Voxel vectors (n, 2, 3) from pixel to pixel; spacing (3,) is a pixel's edge in voxels along z, y and x.

    Where voxels are no cubes, the axes are orthogonal in physical space but not here.
    """
    steps: Array = axes * np.asarray(spacing, dtype=np.float64)
    return steps


def spacing_in_voxels(
    pixel: float, unit: str, voxel_size: Sequence[float] | None, voxel_unit: str
) -> tuple[float, float, float]:
    """A pixel's edge, `pixel` in `unit`, in voxels along z, y and x; unit "voxel" takes voxels for cubes of edge 1."""
    if unit == VOXEL:
        return (pixel, pixel, pixel)
    if voxel_size is None:
        raise InputError("The voxel size is not known.", "Enter it, or give the field of view in voxels.")
    z, y, x = (to_nm(pixel, unit) / to_nm(float(v), voxel_unit) for v in voxel_size)
    return (z, y, x)


@dataclass(frozen=True)
class Grid:
    """The pixels of a slice in a volume: how far apart (in voxels along z, y, x), how many an edge, in which planes.

    Where a pixel is wider than a voxel, it is the mean of `oversampling`² points inside it: picking single points would
    make noise and moiré of what is finer than a pixel.
    """

    spacing: tuple[float, float, float]
    pixels: int
    orientation: str

    @property
    def oversampling(self) -> int:
        """Points an edge of a pixel."""
        return int(min(max(1, round(max(self.spacing))), 16))

    @property
    def size(self) -> int:
        """Points an edge of a slice."""
        return self.pixels * self.oversampling

    def steps(self, axes: Array) -> Array:
        """Voxel vectors (n, 2, 3) from point to point."""
        return voxel_steps(axes, self.spacing) / self.oversampling

    def reach(self, axes: Array) -> Array:
        """Half edges (n, 3) of the boxes that hold all points of the slices, in voxels."""
        return extents(self.steps(axes), self.size)

    def average(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pixels (n, pixels, pixels) of points (n, size, size)."""
        k = self.oversampling
        if k == 1:
            return points
        blocks = points.reshape(len(points), self.pixels, k, self.pixels, k)
        means: NDArray[np.float32] = blocks.mean(axis=(2, 4), dtype=np.float32)
        return means
