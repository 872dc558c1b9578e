"""A coarse copy of a volume of any size, and the surface in it where the grey value passes a level."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.volume import Size, Volume

MOST = 160
"""An overview has at most as many voxels as a cube of this edge."""
_MOST_READ = 2**28  # bytes; of a larger volume the voxels in between are left out, not averaged
_CHUNK = 2**26  # bytes that are read at once
_MOST_FACES = 1_500_000
_SMOOTHING = 0.8  # voxels of the overview: removes single-voxel noise, keeps what is three voxels wide
_BINS = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Overview:
    """Few voxels (z, y, x; float32, finite) that stand for a whole volume of the physical size `box` in `unit`."""

    voxels: NDArray[np.float32]
    box: Size
    unit: str
    shape: tuple[int, int, int]  # of the volume

    @property
    def pitch(self) -> NDArray[np.float64]:
        """The distance between voxels (z, y, x), in `unit`; voxel i reaches from i to i + 1 of it."""
        return np.asarray(np.asarray(self.box, dtype=np.float64) / np.asarray(self.voxels.shape))

    def levels(self) -> tuple[float, float]:
        """The grey values between which almost all voxels lie (0.2 and 99.8 %)."""
        low, high = (float(v) for v in np.percentile(self.voxels, (0.2, 99.8)))
        if low == high:
            low, high = float(self.voxels.min()), float(self.voxels.max())
        return (low, high) if high > low else (low - 0.5, low + 0.5)


def extent_of(volume: Volume) -> tuple[Size, str]:
    """The edges (z, y, x) of a volume and their unit; in voxels where their size is not known."""
    size = volume.physical_size
    if size is not None:
        return size, volume.unit
    z, y, x = volume.shape
    return (float(z), float(y), float(x)), "voxel"


def overview(volume: Volume, *, most: int = MOST) -> Overview:
    """Read an overview of at most `most`³ voxels, about as long as wide, in bounded memory.

    Up to 256 MB every voxel is averaged in; of a larger volume only evenly spread slices and pixels are read. NaN and
    infinite voxels count as the lowest value. Raises what reading raises.
    """
    box, unit = extent_of(volume)
    steps = _steps(volume.shape, box, most**3)
    whole = volume.memory_bytes <= _MOST_READ
    depth, rows, columns = (math.ceil(n / s) for n, s in zip(volume.shape, steps, strict=True))
    out = np.empty((depth, rows, columns), dtype=np.float32)
    page = max(1, volume.shape[1] * volume.shape[2] * volume.dtype.itemsize)
    slabs = max(1, _CHUNK // (page * steps[0]))
    for start in range(0, depth, slabs if whole else 1):
        end = min(depth, start + slabs) if whole else start + 1
        first, last = start * steps[0], min(end * steps[0], volume.shape[0])
        if whole:
            out[start:end] = _means(volume[first:last], steps)
        else:
            middle = min((first + last) // 2, volume.shape[0] - 1)
            thin = max(1, steps[1] // 2), max(1, steps[2] // 2)
            out[start] = _means(volume[middle, :: thin[0], :: thin[1]][None], (1, steps[1] // thin[0], steps[2] // thin[1]))[
                0, :rows, :columns
            ]
    finite = np.isfinite(out)
    if not finite.all():
        out[~finite] = float(out[finite].min()) if finite.any() else 0.0
    return Overview(voxels=out, box=box, unit=unit, shape=volume.shape)


def _steps(shape: tuple[int, int, int], box: Size, most: int) -> tuple[int, int, int]:
    """How many voxels of each axis become one, so that what comes out is near to cubes and no more than `most`."""
    pitch = [b / n for b, n in zip(box, shape, strict=True)]

    def at(edge: float) -> tuple[int, int, int]:
        z, y, x = (max(1, min(n, round(edge / p))) for n, p in zip(shape, pitch, strict=True))
        return (z, y, x)

    edge = min(pitch)
    while math.prod(math.ceil(n / s) for n, s in zip(shape, at(edge), strict=True)) > most:
        edge *= 1.05
    return at(edge)


def _means(part: NDArray[Any], steps: tuple[int, int, int]) -> NDArray[np.float32]:
    """The means of blocks; a last block that is not whole is the mean of what there is of it."""
    made: NDArray[Any] = np.asarray(part, dtype=np.float32)
    for axis, step in enumerate(steps):
        if step > 1:
            starts = np.arange(0, made.shape[axis], step)
            counts = np.diff(np.append(starts, made.shape[axis])).astype(np.float32)
            made = np.add.reduceat(made, starts, axis=axis) / counts.reshape([-1 if a == axis else 1 for a in range(3)])
    return np.asarray(made, dtype=np.float32)


def otsu_level(voxels: NDArray[np.float32]) -> float:
    """The grey value that separates two kinds of voxels best: Otsu, IEEE Trans. SMC 9 (1979) 62, on 256 bins."""
    low, high = float(voxels.min()), float(voxels.max())
    if not low < high:
        return low
    counts, edges = np.histogram(voxels, bins=_BINS, range=(low, high))
    middles = (edges[:-1] + edges[1:]) / 2
    below, mass = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    between[~np.isfinite(between)] = -1.0
    # A valley without voxels is a plateau of equal worth: its middle.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return float(edges[1:][best].mean())


@dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """Triangles: vertices (n, 3) and unit normals (n, 3) as (z, y, x) in the overview's unit, faces (m, 3); its level."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    normals: NDArray[np.float32]
    level: float


def isosurface(view: Overview, level: float | None = None) -> Surface:
    """The surface around all that is brighter than `level` (None: Otsu's), closed at the faces of the volume.

    Marching cubes (Lewiner et al., J. Graph. Tools 8 (2003) 1) on the lightly smoothed overview; a surface of more than
    1.5 million triangles (noise) is made again from an overview of half the edge. Empty where nothing passes the level.
    """
    from scipy.ndimage import gaussian_filter

    voxels = np.asarray(gaussian_filter(view.voxels, _SMOOTHING, mode="nearest"), dtype=np.float32)
    at = otsu_level(voxels) if level is None else float(level)
    while True:
        made = _march(voxels, at, view.box)
        if len(made.faces) <= _MOST_FACES or max(voxels.shape) <= 16:
            return made
        z, y, x = (2 if n > 8 else 1 for n in voxels.shape)
        voxels = _means(voxels, (z, y, x))


def _march(voxels: NDArray[np.float32], level: float, box: Size) -> Surface:
    from skimage.measure import marching_cubes

    none = Surface(
        vertices=np.zeros((0, 3), np.float32),
        faces=np.zeros((0, 3), np.int32),
        normals=np.zeros((0, 3), np.float32),
        level=level,
    )
    low, high = float(voxels.min()), float(voxels.max())
    if not low < level <= high:
        return none
    # A dark shell closes the surface where the volume ends; what the shell adds is laid back onto the volume's faces.
    closed = np.pad(voxels, 1, constant_values=min(low, 2 * level - high))
    vertices, faces, normals, _ = marching_cubes(closed, level, allow_degenerate=False)
    if len(faces) == 0:
        return none
    shape = np.asarray(voxels.shape, dtype=np.float32)
    # Index i of the padded array is the middle of voxel i - 1, half a voxel from its faces.
    vertices = np.clip(vertices - 0.5, 0.0, shape)
    pitch = (np.asarray(box) / shape).astype(np.float32)
    turned = normals / pitch  # a normal is a covector: it stretches the other way
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    turned = np.where(length > 0, turned / np.maximum(length, 1e-30), np.float32(0.577))
    return Surface(
        vertices=np.ascontiguousarray(vertices * pitch, dtype=np.float32),
        faces=np.ascontiguousarray(faces, dtype=np.int32),
        normals=np.ascontiguousarray(turned, dtype=np.float32),
        level=level,
    )
