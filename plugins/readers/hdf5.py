"""Readers of HDF5 files, and of the XDMF text beside them."""

from __future__ import annotations

from pathlib import Path

from microtome.plugin import Field, FileError, InputError, RawVolume, reader
from microtome.volumes.formats.containers import Found, one_of
from microtome.volumes.formats.hdf5 import SIGNATURE, open_hdf5
from microtome.volumes.formats.xdmf import XdmfArray, arrays_of, spacing_beside
from microtome.volumes.mapped import mapped
from microtome.volumes.scale.attributes import meant

_ENDINGS = (".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".nx5", ".cxi", ".dream3d", ".ims", ".h5ebsd", ".nc")


@reader("hdf5", label="HDF5", extensions=_ENDINGS, recognises=lambda _path, head: head.startswith(SIGNATURE))
def hdf5(
    path: Path,
    *,
    dataset: str = Field("", help="The data set's path, as /entry/data, where there are several volumes"),
    channel: int = Field(-1, -1, 4096, help="Which channel, from 0, of a data set with several; -1: it has one"),
    time: int = Field(-1, -1, 10_000_000, help="Which point in time, from 0, of a series; -1: it has one"),
    index: str = Field("", help="Where further axes are cut, from 0, as 3 or 3x0"),
) -> RawVolume:
    """A data set of an HDF5 file (also NeXus, DREAM.3D, Imaris, netCDF 4), read by chunks when they are needed."""
    _check_start(path)
    return open_hdf5(path, dataset=dataset, channel=channel, time=time, index=index, beside=meant(spacing_beside(path), ""))


def _check_start(path: Path) -> None:
    """Raise FileError where an HDF5 signature is at none of its places (0, 512, 1024, 2048, …)."""
    with open(path, "rb") as file:
        head = file.read(8)
        if not head:
            raise FileError(f"{path} is empty (0 bytes).", "Copy or export it again.")
        if head[:3] == b"CDF":
            raise InputError(f"{path} is a netCDF file of version 3, which is not read.", "Convert it: nccopy -k nc4.")
        at = 512
        while head != SIGNATURE and len(head) == 8 and at <= 2**20:
            file.seek(at)
            head, at = file.read(8), 2 * at
    if head != SIGNATURE:
        raise FileError(f"{path} is no HDF5 file.", "Copy or export it again.")


@reader("xdmf", label="XDMF", extensions=(".xmf", ".xdmf"))
def xdmf(
    path: Path,
    *,
    dataset: str = Field("", help="The array's name, as Grid/Attribute, where there are several volumes"),
    channel: int = Field(-1, -1, 4096, help="Which channel, from 0, of an array with several; -1: it has one"),
    time: int = Field(-1, -1, 10_000_000, help="Which point in time, from 0, of a series; -1: it has one"),
    index: str = Field("", help="Where further axes are cut, from 0, as 3 or 3x0"),
) -> RawVolume:
    """An array that an XDMF text describes, in the HDF5 or raw file that it names."""
    arrays = arrays_of(path)
    found = [Found(name=a.name, shape=a.shape, dtype=a.dtype) for a in arrays]
    one = arrays[found.index(one_of(found, dataset, path))]
    if not one.file.is_file():
        raise FileError(f"{one.file} is not there; {path.name} says that its voxels are.", "Copy it beside.")
    size, unit = meant(one.spacing, "")
    if not one.inside:
        return _binary(path, one)
    volume = open_hdf5(
        one.file, dataset=one.inside, channel=channel, time=time, index=index, beside=(size, unit), name=str(path)
    )
    if _long(one.shape) != _long(volume.voxels.shape) and len(one.shape) == 3:
        shape = " × ".join(str(n) for n in one.shape)
        there = " × ".join(str(n) for n in volume.voxels.shape)
        raise FileError(f"{path} says that {one.inside} is {shape}, but it is {there}.", f"Open {one.file.name} itself.")
    return volume


def _long(shape: tuple[int, ...]) -> list[int]:
    return [n for n in shape if n > 1]


def _binary(path: Path, one: XdmfArray) -> RawVolume:
    shape = (1,) * (3 - len(one.shape)) + one.shape
    if len(shape) != 3:
        raise InputError(f"{one.name} of {path} has {len(shape)} axes; a volume has three.", "Export one volume of it.")
    size, unit = meant(one.spacing, "")
    voxels = mapped(one.file, one.dtype, shape=shape, offset=one.seek)
    return RawVolume(voxels=voxels, voxel_size=size, unit=unit, source=str(path))
