"""Reader of MATLAB files: versions 4 to 7 through scipy, 7.3 as the HDF5 that it is."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, FileError, RawVolume, reader
from microtome.volumes.damage import reason
from microtome.volumes.formats.containers import Box, Found, Picked, WholeArray, is_numeric, one_of, pick
from microtome.volumes.formats.hdf5 import SIGNATURE, check_whole, data_sets, lazy, opened
from microtome.volumes.lazy import need_memory

_DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    NotImplementedError,
    MemoryError,
    RuntimeError,
    EOFError,
    UnboundLocalError,  # of scipy, for a class of numbers that it does not know
    struct.error,
    zlib.error,
)
_CLASSES = {
    "double": "f8",
    "single": "f4",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "int64": "i8",
    "uint64": "u8",
    "logical": "u1",
}
_TIGHTEST = 1032  # Deflate's best: bytes out of one


@reader("mat", label="MATLAB", extensions=(".mat",), recognises=lambda _path, head: head.startswith(b"MATLAB "))
def mat(
    path: Path,
    *,
    variable: str = Field("", help="The variable's name, where the file holds several volumes"),
    channel: int = Field(-1, -1, 4096, help="Which channel, from 0, of a variable with several; -1: it has one"),
    index: str = Field("", help="Where further axes are cut, from 0, as 3 or 3x0"),
) -> RawVolume:
    """MATLAB variables A(y, x, z): rows are y, columns x, pages z, as MATLAB shows them; a further axis is asked about."""
    with open(path, "rb") as file:
        head = file.read(520)
    if not head:
        raise FileError(f"{path} is empty (0 bytes).", "Copy or export it again.")
    if head[512:520] == SIGNATURE or head.startswith(SIGNATURE):
        return _hdf5(path, variable, channel, index)
    return _older(path, variable, channel, index)


def _axes(rank: int) -> str:
    """Letters of MATLAB's axes: rows, columns, pages, and what comes behind."""
    return "yxzabdefgh"[:rank]


def _hdf5(path: Path, variable: str, channel: int, index: str) -> RawVolume:
    """Version 7.3 keeps A(y, x, z) as an HDF5 data set (z, x, y)."""
    with opened(path) as file:
        found, others = data_sets(file, lambda name, _data: not name.startswith("#"))
        found = [
            Found(name=f.name.strip("/"), shape=f.shape, dtype=f.dtype, axes=_axes(len(f.shape))[::-1])
            for f in found
            if len(f.shape) <= 10
        ]
        one = one_of(found, variable, path, option="variable", what="variable", others=others)
        given = {"variable": one.name} if variable or len(found) > 1 else {}
        picked = pick(one, path, channel=channel, index=index, given=given)
        data = file[one.name]
        findings, chunks = check_whole(data, path), data.chunks
    said = (f"Of {len(found)} variables {one.name} was taken.",) if len(found) > 1 and not variable else ()
    return RawVolume(
        voxels=lazy(path, one, picked, chunks),
        source=str(path),
        findings=(*said, *findings),
        metadata={"variable": one.name},
    )


def _older(path: Path, variable: str, channel: int, index: str) -> RawVolume:
    import scipy.io

    try:
        listed = scipy.io.whosmat(str(path))
    except (*_DAMAGE, scipy.io.matlab.MatReadError) as error:
        raise FileError(f"{path} cannot be read as a MATLAB file ({reason(error, most=120)}).", "Save it again.") from error
    found, others = [], []
    for name, shape, kind in listed:
        dtype = np.dtype(_CLASSES.get(kind, "O"))
        counts = tuple(int(n) for n in shape)
        if is_numeric(counts, dtype) and len(counts) <= 10:
            found.append(Found(name=name, shape=counts, dtype=dtype, axes=_axes(len(counts))))
        else:
            others.append(name)
    one = one_of(found, variable, path, option="variable", what="variable", others=others)
    given = {"variable": one.name} if variable or len(found) > 1 else {}
    picked = pick(one, path, channel=channel, index=index, given=given)
    if math.prod(one.shape) > max(1024, path.stat().st_size) * _TIGHTEST:
        raise FileError(f"{path} is damaged: {one.name} promises more numbers than it can hold.", "Save it again.")
    said = (f"Of {len(found)} variables {one.name} was taken.",) if len(found) > 1 and not variable else ()
    voxels = WholeArray(shape=picked.shape, dtype=one.dtype, name=str(path), load=lambda: _loaded(path, one, picked))
    return RawVolume(voxels=voxels, source=str(path), findings=said, metadata={"variable": one.name})


def _loaded(path: Path, one: Found, picked: Picked) -> NDArray[Any]:
    """The variable as a volume; scipy reads it as a whole."""
    import scipy.io

    need_memory(2 * math.prod(one.shape) * one.dtype.itemsize, str(path))
    try:
        array = scipy.io.loadmat(str(path), variable_names=[one.name])[one.name]
    except (*_DAMAGE, scipy.io.matlab.MatReadError) as error:
        raise FileError(f"{path} cannot be read as a MATLAB file ({reason(error, most=120)}).", "Save it again.") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif":
        raise FileError(f"{one.name} of {path} holds no real numbers.", "Save its absolute value.")
    if array.shape != one.shape:
        raise FileError(f"{one.name} of {path} is {array.shape}, not {one.shape} as the file says.", "Save it again.")
    everything: Box = (slice(0, picked.shape[0], 1), slice(0, picked.shape[1], 1), slice(0, picked.shape[2], 1))
    return picked.arranged(array[picked.key(everything)]).astype(one.dtype, copy=False)
