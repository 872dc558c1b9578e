"""Cut particles without voxels: every sphere that a plane or a slab meets becomes a disc, each pixel its covered share."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from microtome.errors import InputError
from microtome.plugin import Structure
from microtome.slices.planes.cut import pixels_of, poses_of, threads_of
from microtome.volumes.particles.structure import check

Array = NDArray[np.float64]
_PARTICLES_A_CELL = 4.0
_MOST_CELLS = 2**24
_NODES = 4  # of each panel of the quadrature through a slab


@dataclass(frozen=True, eq=False)
class CellList:
    """A structure's particles sorted by cells, so that a plane finds those near it."""

    centres: Array  # (n, 3), sorted by cell; along periodic axes inside the box
    radii: Array  # (n,)
    first: NDArray[np.int64]  # (cells + 1,)
    corner: Array  # (3,) where cell (0, 0, 0) begins
    edge: Array  # (3,) of a cell
    number: NDArray[np.int64]  # (3,) cells an axis
    period: Array  # (3,) 0: not periodic

    @classmethod
    def of(cls, structure: Structure) -> CellList:
        """Sort a structure's particles; InputError for one that makes no sense."""
        check(structure)
        centres, wraps = structure.centres, np.array(structure.wraps)
        box = np.asarray(structure.box, dtype=np.float64)
        corner = np.where(wraps, 0.0, centres.min(axis=0))
        # An open axis ends a little behind its last particle; one of no extent still needs a cell.
        extent = np.where(wraps, box, np.maximum(centres.max(axis=0) - corner, structure.radii.max()) * (1 + 1e-9))
        edge = (np.prod(extent) * _PARTICLES_A_CELL / len(centres)) ** (1 / 3)
        number = np.maximum(1, np.floor(extent / max(edge, structure.radii.max()))).astype(np.int64)
        while np.prod(number.astype(float)) > _MOST_CELLS:
            number = np.maximum(1, number // 2)
        index = np.minimum(((centres - corner) / (extent / number)).astype(np.int64), number - 1)
        cell = (index[:, 0] * number[1] + index[:, 1]) * number[2] + index[:, 2]
        order = np.argsort(cell, kind="stable")
        first = np.searchsorted(cell[order], np.arange(int(np.prod(number)) + 1)).astype(np.int64)
        return cls(
            centres=np.ascontiguousarray(centres[order]),
            radii=np.ascontiguousarray(structure.radii[order], dtype=np.float64),
            first=first,
            corner=corner,
            edge=extent / number,
            number=number,
            period=np.where(wraps, box, 0.0),
        )


def cut_discs(
    particles: Structure | CellList,
    centres: ArrayLike,
    axes: ArrayLike,
    *,
    size: int | tuple[int, int],
    pixel: float,
    thickness: float = 0.0,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Cut n slices of h × w pixels out of a structure of spheres → float32 (n, h, w), each pixel's covered share 0 … 1.

    centres (n, 3) are the slices' centres and `pixel` the edge of a pixel, in the structure's unit; axes (n, 2, 3) unit vectors
    down and right; `thickness` of a slab about the plane, through which the shares are averaged (0: the plane itself). The area
    of each disc is exact, whatever the size of the pixels; shares of discs that overlap add up, to 1 at most, as they do in the
    drawn voxels. Periodic images take part. The same to the bit for any number of threads. Raises InputError for numbers that
    make no sense.
    """
    if not 0 < pixel < math.inf or not 0 <= thickness < math.inf:
        raise InputError(f"A pixel must have an edge above 0 and a slab a thickness from 0, not {pixel!r} and {thickness!r}.")
    cells = particles if isinstance(particles, CellList) else CellList.of(particles)
    places, directions = poses_of(centres, axes)
    h, w = pixels_of(size)
    workers = threads_of(threads)
    out = np.empty((len(places), h, w), np.float32)
    if out.size == 0:
        return out
    from microtome.slices.planes import disc_kernel

    nodes = np.array(np.polynomial.legendre.leggauss(_NODES), dtype=np.float64)
    bounds = np.linspace(0, len(out), min(len(out), 4 * workers if workers > 1 else 1) + 1).astype(int)
    spheres = (cells.centres, cells.radii, cells.first)
    grid = (cells.corner, cells.edge, cells.number, cells.period)
    sizes = (float(pixel), float(thickness))

    def part(i: int) -> None:
        disc_kernel.discs(spheres, grid, places, directions, sizes, nodes, out, bounds[i], bounds[i + 1])

    if len(bounds) == 2:
        part(0)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(part, range(len(bounds) - 1)))
    return out
