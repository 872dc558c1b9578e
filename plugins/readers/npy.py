"""Readers of NumPy's own files."""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, FileError, InputError, RawVolume, reader
from microtome.volumes.formats.containers import BoxArray, Found, Picked, WholeArray, one_of, pick
from microtome.volumes.mapped import mapped

_MAGIC = b"\x93NUMPY"
_DAMAGE = (
    RuntimeError,
    tokenize.TokenError,  # from a header of Python literals
    ValueError,
    TypeError,
    EOFError,
    LookupError,
    SyntaxError,
    MemoryError,
    OverflowError,
    UnicodeError,
    AttributeError,
    RecursionError,
    NotImplementedError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)
Header = tuple[tuple[int, ...], bool, np.dtype[Any], int]
"""Shape, whether the first axis runs fastest (Fortran), dtype, and where the numbers begin"""


@reader("npy", label="NumPy array", extensions=(".npy",), recognises=lambda _path, head: head[:6] == _MAGIC)
def npy(
    path: Path,
    *,
    channel: int = Field(-1, -1, 4096, help="Which channel, from 0, of an array with several; -1: it has one"),
    index: str = Field("", help="Where further axes are cut, from 0, as 3 or 3x0"),
) -> RawVolume:
    """NumPy arrays (.npy), memory-mapped."""
    with open(path, "rb") as file:
        head = file.read(6)
        if head != _MAGIC:
            what = "is empty (0 bytes)" if not head else "is no NumPy array"
            raise FileError(f"{path} {what}.", "Save it again with numpy.save.")
        file.seek(0)
        header = _header(file, path)
    found = _found(header, "", path)
    picked = pick(found, path, channel=channel, index=index, given={})
    return RawVolume(voxels=_mapped(path, header, header[3], picked), source=str(path))


@reader("npz", label="NumPy archive", extensions=(".npz",))
def npz(
    path: Path,
    *,
    array: str = Field("", help="The array's name, where the archive holds several"),
    channel: int = Field(-1, -1, 4096, help="Which channel, from 0, of an array with several; -1: it has one"),
    index: str = Field("", help="Where further axes are cut, from 0, as 3 or 3x0"),
) -> RawVolume:
    """NumPy archives (.npz): the only array with three axes, or the one that is named; memory-mapped if not compressed."""
    headers: dict[str, Header] = {}
    found, others = [], []
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            members = {m.filename.removesuffix(".npy"): m for m in archive.infolist() if m.filename.endswith(".npy")}
            for name, member in members.items():
                with archive.open(member) as stream:
                    header = _header(stream, path)
                if len(header[0]) >= 2 and header[2].kind in "buif" and math.prod(header[0]) > 0:
                    headers[name] = header
                    found.append(Found(name=name, shape=header[0], dtype=header[2]))
                else:
                    others.append(name)
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    if array in others:
        raise InputError(f"{array} of {path} is no array of real numbers with axes that a volume has.", "Name another one.")
    one = one_of(found, array, path, option="array", what="array", others=others)
    picked = pick(one, path, channel=channel, index=index, given={"array": one.name} if array or len(found) > 1 else {})
    said = (f"Of {len(members)} arrays {one.name} was taken.",) if len(found) > 1 and not array else ()
    voxels = _member(path, members[one.name], headers[one.name], picked)
    return RawVolume(voxels=voxels, source=str(path), findings=said)


def _damaged(path: Path, error: BaseException) -> FileError:
    return FileError(f"{path} cannot be read as arrays of NumPy ({str(error)[:120]}).", "Save it again with numpy.")


def _header(file: IO[bytes], path: Path) -> Header:
    """The header of an array (NEP 1); FileError where it makes no sense."""
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        return tuple(int(n) for n in shape), fortran, dtype, file.tell()
    except _DAMAGE as error:
        if isinstance(error, zlib.error | zipfile.BadZipFile):
            raise
        raise FileError(f"{path} cannot be read as an array ({str(error)[:120]}).", "Save it again with numpy.save.") from error


def _found(header: Header, name: str, path: Path) -> Found:
    """The array of a header; InputError for numbers that are no grey values, and for axes that no volume has."""
    shape, _, dtype, _ = header
    if dtype.hasobject:
        raise InputError(f"{path} holds Python objects, which are no grey values.", "Save whole or floating-point numbers.")
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise InputError(f"{path} holds {dtype}, which are no grey values.", "Save whole or floating-point numbers.")
    if len(shape) < 2 or math.prod(shape) == 0:
        words = " × ".join(str(n) for n in shape) or "a single number"
        raise InputError(f"{path} has the shape {words}; a volume has three axes, none of them empty.", "Save (z, y, x).")
    return Found(name=name, shape=shape, dtype=dtype)


def _mapped(path: Path, header: Header, start: int, picked: Picked) -> Any:
    """What was picked of the array whose numbers begin at `start`."""
    shape, fortran, dtype, _ = header
    kind = np.dtype(np.uint8) if dtype.kind == "b" else dtype
    array = mapped(path, kind, shape=shape[::-1] if fortran else shape, offset=start)
    return BoxArray.of(array.transpose() if fortran else array, picked, str(path))


def _member(path: Path, member: zipfile.ZipInfo, header: Header, picked: Picked) -> Any:
    """A member of an archive: mapped where it is stored as it is, else unpacked when it is first asked for."""
    shape, fortran, dtype, behind = header
    promised = math.prod(shape) * dtype.itemsize
    if behind + promised > member.file_size:
        raise FileError(f"{path} is incomplete: {member.filename} promises {promised} bytes.", "Save it again.")
    if member.compress_type == zipfile.ZIP_STORED:
        with open(path, "rb") as file:
            file.seek(member.header_offset + 26)
            name_length, extra_length = struct.unpack("<2H", file.read(4))
        return _mapped(path, header, member.header_offset + 30 + name_length + extra_length + behind, picked)

    def load() -> NDArray[Any]:
        out = np.empty(promised, np.uint8)
        try:
            with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
                stream.read(behind)
                at = 0
                while at < promised and (piece := stream.read(min(2**20, promised - at))):
                    out[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
                    at += len(piece)
                stream.read(1)  # at the end the archive's own checksum is compared
        except _DAMAGE as error:
            raise _damaged(path, error) from error
        if at < promised:
            raise FileError(f"{path} is incomplete: {promised} bytes are promised, {at} are there.", "Save it again.")
        array = out.view(np.uint8 if dtype.kind == "b" else dtype).reshape(shape, order="F" if fortran else "C")
        z, y, x = picked.shape
        return picked.arranged(array[picked.key((slice(0, z, 1), slice(0, y, 1), slice(0, x, 1)))])

    kind = np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")
    return WholeArray(shape=picked.shape, dtype=kind, load=load, name=str(path))
