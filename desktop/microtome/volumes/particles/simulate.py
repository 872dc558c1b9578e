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
from microtome.volumes.particles.drawn import default_voxel_size as default_voxel_size
from microtome.volumes.particles.drawn import drawn
from microtome.volumes.particles.structure import check
from microtome.volumes.units import NM, to_nm
from microtome.volumes.volume import Size, Volume

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


def voxelise(structure: Structure, voxel_size: float | Size | None = None) -> Volume:
    """The structure as a volume of voxels in nm that are drawn when they are read: see `drawn`.

    `voxel_size` is one edge or (z, y, x) in the structure's unit (None: `default_voxel_size`). Raises InputError for voxels
    that make no sense.
    """
    return Volume.from_raw(drawn(structure, voxel_size, source="simulated"))


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
