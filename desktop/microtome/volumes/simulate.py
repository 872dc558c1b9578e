"""Simulated structures: make one, draw it into voxels, save it as a TIFF that keeps its voxel size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from microtome.errors import InputError, PluginError
from microtome.plugin import Structure
from microtome.registry import registry
from microtome.store.atomic import replacing
from microtome.volumes.lazy import need_memory
from microtome.volumes.structure import check
from microtome.volumes.units import NM, to_nm
from microtome.volumes.volume import Size, Volume

_VOXELS_A_DIAMETER = 5
_FINE = 4  # points along a boundary voxel's edge
_MOST_VOXELS = 2**33
_IMAGEJ_LIMIT = 2**32 - 2**25  # bytes; beyond, a plain BigTIFF


def simulate(kind: str, *, seed: int = 0, parameters: Mapping[str, Any] | None = None) -> Structure:
    """Run a generator; the same kind, seed and parameters give the same structure to the bit.

    Raises UnknownNameError or InputError for settings that do not exist, are out of range or cannot be packed.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed must be a whole number from 0, not {seed!r}.")
    plugin = registry().get("generator", kind)
    structure = plugin.call(np.random.default_rng(seed), **dict(parameters or {}))
    if not isinstance(structure, Structure):
        raise PluginError(f"The generator {kind} gave no structure but {type(structure).__name__}.", "Mend the plugin.")
    return check(structure)


def default_voxel_size(structure: Structure) -> float:
    """The voxel edge that draws a typical sphere five voxels wide, in the structure's unit."""
    return 2 * float(np.median(structure.radii)) / _VOXELS_A_DIAMETER


def voxelise(structure: Structure, voxel_size: float | Size | None = None) -> Volume:
    """The structure as voxels (uint8; 0 … 255 is the share of a voxel that is covered), volume-exact.

    `voxel_size` is one edge or (z, y, x) in the structure's unit (None: `default_voxel_size`). A box holds whole voxels, so
    the edge is changed to the nearest that divides it. Voxel i reaches from i to i+1 edges, its centre is voxel coordinate i.
    """
    box = np.asarray(structure.box, dtype=float)
    wanted = np.broadcast_to(np.asarray(default_voxel_size(structure) if voxel_size is None else voxel_size, dtype=float), (3,))
    if not (np.isfinite(wanted).all() and (wanted > 0).all()):
        raise InputError(f"voxel_size must be positive, not {voxel_size!r}.")
    if (wanted > box).any():
        raise InputError(f"Voxels of {wanted.max():g} {structure.unit} are larger than the box.", "Make them smaller.")
    number = np.maximum(1, np.rint(box / wanted)).astype(np.int64)
    if np.prod(number.astype(float)) > _MOST_VOXELS:
        raise InputError(
            f"{' × '.join(str(n) for n in number)} voxels are more than can be drawn.",
            "Make the voxels larger, or the box smaller.",
        )
    need_memory(int(np.prod(number)), "The structure's voxels")
    from microtome.volumes.voxel_kernel import draw_spheres

    out = np.zeros(tuple(number), dtype=np.uint8)
    voxel = box / number
    draw_spheres(out, np.ascontiguousarray(structure.centres), structure.radii, voxel, _FINE, np.array(structure.wraps))
    nm = [to_nm(float(v), structure.unit) for v in voxel]
    return Volume(voxels=out, voxel_size=(nm[0], nm[1], nm[2]), unit=NM, source="simulated", nonfinite=0, structure=structure)


def save_tiff(volume: Volume, path: Path) -> None:
    """Write a volume as an ImageJ TIFF (a BigTIFF where that cannot hold it) with its voxel size in nm.

    The file appears whole or not at all; FileError says why it could not be written.
    """
    with replacing(path) as file:
        write_tiff(volume, file)


def write_tiff(volume: Volume, file: IO[bytes]) -> None:
    """Write a volume as TIFF into an open binary file."""
    import tifffile

    data = volume.as_array()
    imagej = data.dtype.name in ("uint8", "uint16", "float32") and data.nbytes < _IMAGEJ_LIMIT
    metadata: dict[str, Any] = {"axes": "ZYX"}
    resolution: tuple[float, float] | None = None
    if volume.voxel_size is not None:
        z, y, x = (to_nm(v, volume.unit) for v in volume.voxel_size)
        metadata |= {"spacing": z, "unit": NM}
        resolution = (1 / x, 1 / y)
    tifffile.imwrite(
        file,
        data,
        imagej=imagej,
        bigtiff=not imagej,
        photometric="minisblack",
        resolution=resolution,
        resolutionunit="none" if resolution is not None else None,
        metadata=metadata,
    )
