"""Where slices lie: random orientations, how far a slice reaches, physical directions as voxel vectors.

All vectors are (z, y, x). `axes` (n, 2, 3) are the image's down and right directions, unit vectors in physical space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from microtome.errors import InputError
from microtome.volumes.units import VOXEL, to_nm

Array = NDArray[np.float64]
_FINE = 4.0  # points an edge of a pixel at least, before a coarser level is taken
#: Down and right directions of the fixed planes, as a viewer shows them.
PLANES: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "xy": ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "xz": ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    "yz": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
}


#: How slices may lie: any way, near a plane across z, turned in that plane, or fixed.
ORIENTATIONS = ("random", "cone", "xy-rotated", *PLANES)


def random_axes(rng: np.random.Generator, n: int, orientation: str = "random", *, cone: float = 15.0) -> Array:
    """Draw the axes (n, 2, 3) of n slices: uniform over all rotations, near z, turned about z, or those of a fixed plane.

    "cone": the normal is uniform over the cap within `cone` degrees about z, the direction in which a microscope mills, and
    the image turned in its plane at random; "xy-rotated": the same with the normal along z. A normalised 4-D normal is a
    uniform unit quaternion, hence a uniform rotation (Muller 1959; Shoemake 1992); the height of a point that is uniform on
    a cap is uniform (Archimedes). InputError for another orientation, or a cone outside 0 … 90.
    """
    if orientation in PLANES:
        return np.repeat(np.array([PLANES[orientation]]), n, axis=0)
    if orientation not in ORIENTATIONS:
        raise InputError(f"orientation cannot be {orientation!r}.", f"Known: {', '.join(ORIENTATIONS)}.")
    if orientation != "random":
        if not 0 <= cone <= 90:
            raise InputError(f"A cone opens by 0 to 90 degrees about its middle, not by {cone!r}.")
        return _about_z(rng, n, 1.0 if orientation == "xy-rotated" else math.cos(math.radians(cone)))
    q = rng.standard_normal((n, 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    down = np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], axis=1)
    right = np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=1)
    return np.stack([down, right], axis=1)


def _about_z(rng: np.random.Generator, n: int, least: float) -> Array:
    """Axes (n, 2, 3) whose normal has a height along z uniform over least … 1, and whose image is turned uniformly."""
    height, azimuth, turn = 1 - (1 - least) * rng.random(n), 2 * np.pi * rng.random(n), 2 * np.pi * rng.random(n)
    # Turned in the plane xy first, then tilted about the line across the azimuth.
    c, s = np.cos(azimuth), np.sin(azimuth)
    across = np.stack([np.zeros(n), -s, c], axis=1)
    tilted = np.stack([-np.sqrt(1 - height**2), height * c, height * s], axis=1)
    angle = (turn - azimuth)[:, None]
    down = np.cos(angle) * tilted + np.sin(angle) * across
    right = np.cos(angle) * across - np.sin(angle) * tilted
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
    make noise and moiré of what is finer than a pixel. Where it is wider than eight, the points are taken from a coarser level
    of the volume, `coarseness` voxels (z, y, x) each.
    """

    spacing: tuple[float, float, float]
    pixels: int
    orientation: str
    cone: float = 0.0  # degrees, of the orientation "cone"
    slab: float = 0.0  # pixels along the normal that grey values are averaged through
    period: tuple[int, int, int] = (0, 0, 0)  # voxels after which the volume repeats along z, y, x, where slices may use that

    @property
    def coarseness(self) -> tuple[int, int, int]:
        """Voxels along z, y, x of the level that points are taken from: a power of 2, a quarter of a pixel at most."""
        if any(self.period):
            return (1, 1, 1)  # a coarser level has another period
        z, y, x = (2 ** max(0, math.floor(math.log2(s / _FINE))) for s in self.spacing)
        return (z, y, x)

    @property
    def oversampling(self) -> int:
        """Points an edge of a pixel."""
        return max(1, round(max(s / f for s, f in zip(self.spacing, self.coarseness, strict=True))))

    @property
    def size(self) -> int:
        """Points an edge of a slice."""
        return self.pixels * self.oversampling

    @property
    def layers(self) -> Array:
        """Where the layers of points of a slab lie (m,), in pixels along the normal: a voxel or less apart; 0 for a plane."""
        voxels = self.slab * max(s / f for s, f in zip(self.spacing, self.coarseness, strict=True))
        number = max(1, math.ceil(voxels - 1e-9))
        layers: Array = ((np.arange(number) + 0.5) / number - 0.5) * self.slab
        return layers

    def axes(self, rng: np.random.Generator, n: int) -> Array:
        """Draw the axes (n, 2, 3) of n slices."""
        return random_axes(rng, n, self.orientation, cone=self.cone)

    def steps(self, axes: Array) -> Array:
        """Voxel vectors (n, 2, 3) from point to point."""
        return voxel_steps(axes, self.spacing) / self.oversampling

    def through(self, axes: Array) -> Array:
        """Voxel vectors (n, 3), a pixel long, along the normals."""
        vectors: Array = normals(axes) * np.asarray(self.spacing)
        return vectors

    def reach(self, axes: Array) -> Array:
        """Half edges (n, 3) of the boxes that hold all points of the slices, in voxels."""
        reach = extents(self.steps(axes), self.size)
        return reach + np.abs(self.through(axes)) * self.layers[-1] if self.slab else reach

    def average(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pixels (n, pixels, pixels) of points (n, size, size)."""
        k = self.oversampling
        if k == 1:
            return points
        blocks = points.reshape(len(points), self.pixels, k, self.pixels, k)
        means: NDArray[np.float32] = blocks.mean(axis=(2, 4), dtype=np.float32)
        return means
