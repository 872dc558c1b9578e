"""Reader of NRRD volumes, attached and detached (NRRD0001 to NRRD0005, teem.sourceforge.net/nrrd/format.html)."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, FileError, InputError, LazyArray, RawVolume, reader
from microtome.volumes.formats.containers import BoxArray, Found, Picked, WholeArray, pick
from microtome.volumes.formats.streams import Codec, check_promise, unpacked
from microtome.volumes.mapped import mapped
from microtome.volumes.scale.attributes import meant

_MOST = 2**20  # bytes of a header
_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_CODES = {word: code for code, words in _TYPES.items() for word in words}
_CODECS: dict[str, Codec] = {"gz": "gzip", "gzip": "gzip", "bz2": "bzip2", "bzip2": "bzip2"}
_TEXT = ("txt", "text", "ascii")
_SPACE = ("domain", "space")


@reader("nrrd", label="NRRD", extensions=(".nrrd", ".nhdr"), recognises=lambda _path, head: head.startswith(b"NRRD000"))
def nrrd(
    path: Path,
    *,
    channel: int = Field(-1, -1, 4096, help="Which channel, from 0, of a volume with several; -1: it has one"),
    time: int = Field(-1, -1, 10_000_000, help="Which point in time, from 0, of a series; -1: it has one"),
    index: str = Field("", help="Where further axes are cut, from 0, as 3 or 3x0"),
) -> RawVolume:
    """NRRD volumes: raw (memory-mapped), gzip, bzip2 and text; spacings or space directions give the voxel size."""
    words, behind = _header(path)
    sizes = _whole_numbers(words.get("sizes", ""), path, "sizes")
    if not sizes or min(sizes) < 1 or words.get("dimension", str(len(sizes))).strip() != str(len(sizes)):
        raise FileError(f"{path} is damaged: its sizes are “{words.get('sizes', '')[:60]}”.", "Export it again.")
    dtype = _dtype(words, path)
    # The file counts the fastest axis first; a volume counts it last.
    shape = tuple(reversed(sizes))
    found = Found(name="", shape=shape, dtype=dtype, axes=_axes(words, len(sizes)))
    if len(shape) < 2:
        raise InputError(f"{path} has one axis; a volume has three.", "Export the volume.")
    picked = pick(found, path, channel=channel, time=time, index=index, given={})
    size, unit, findings = _spacing(words, len(sizes))
    spacing = picked.of(tuple(reversed(size)), size[0]) if size is not None else None
    spacing, unit = meant(spacing, unit)
    voxels = _voxels(path, words, behind, found, picked)
    return RawVolume(voxels=voxels, voxel_size=spacing, unit=unit, source=str(path), findings=findings)


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The fields in small letters, and where the header ends."""
    with open(path, "rb") as file:
        head = file.read(_MOST)
    if not head:
        raise FileError(f"{path} is empty (0 bytes).", "Copy or export it again.")
    if not head.startswith(b"NRRD000"):
        raise FileError(f"{path} is no NRRD file.", "Copy or export it again.")
    blank = re.search(rb"\r?\n\r?\n", head)
    end = blank.end() if blank else len(head)
    words: dict[str, str] = {}
    for line in head[:end].decode("utf-8", "replace").splitlines()[1:]:
        key, colon, value = line.partition(":")
        if colon and not line.startswith("#") and not value.startswith("="):
            words[re.sub(r"[ _]", "", key.strip().lower())] = value.strip()
    if blank is None and "datafile" not in words:
        raise FileError(f"{path} is incomplete: its header does not end.", "Copy or export it again.")
    return words, end


def _whole_numbers(text: str, path: Path, what: str) -> list[int]:
    try:
        return [int(n) for n in text.split()]
    except ValueError:
        raise FileError(f"{path} is damaged: its {what} are “{text[:60]}”.", "Export it again.") from None


def _dtype(words: dict[str, str], path: Path) -> np.dtype[Any]:
    code = _CODES.get(words.get("type", "").lower())
    if code is None:
        raise InputError(f"{path} holds numbers of the type “{words.get('type', '')[:40]}”.", "Save whole numbers or floats.")
    endian = words.get("endian", "").lower()
    encoded = words.get("encoding", "raw").lower() not in _TEXT
    if endian not in ("little", "big") and code[1] != "1" and encoded:
        raise FileError(f"{path} does not say its byte order (endian).", "Add the line “endian: little” to its header.")
    return np.dtype((">" if endian == "big" else "<") + code)


def _axes(words: dict[str, str], rank: int) -> str:
    """Letters of the axes in the volume's order (slowest first), "" where nothing says that they are not z, y, x."""
    kinds = words.get("kinds", "").lower().split()
    none = [d == "none" for d in _vectors(words.get("spacedirections", ""))]
    if len(kinds) != rank:
        kinds = ["list" if n else "space" for n in none] if len(none) == rank and any(none) else []
    spatial = [i for i, kind in enumerate(kinds) if kind in _SPACE]
    if len(kinds) != rank or len(spatial) not in (2, 3):
        return ""
    others = iter("abdefghij")
    space = iter("xyz")
    letters = [
        next(space)
        if i in spatial
        else "t"
        if kind == "time"
        else "c"
        if _colour(kind) and rank - len(spatial) == 1
        else next(others)
        for i, kind in enumerate(kinds)
    ]
    return "".join(reversed(letters))


def _colour(kind: str) -> bool:
    return "color" in kind or kind in ("list", "vector", "2-vector", "3-vector", "4-vector", "scalar")


def _vectors(text: str) -> list[str]:
    return re.findall(r"none|\([^)]*\)", text.lower())


def _spacing(words: dict[str, str], rank: int) -> tuple[tuple[float, ...] | None, str, tuple[str, ...]]:
    """The spacing an axis (the file's order) with its unit: the lengths of the space directions, or the spacings."""
    vectors = _vectors(words.get("spacedirections", ""))
    if len(vectors) == rank:
        lengths = [_length(v) for v in vectors]
        return _agreed(lengths, {u.strip() for u in re.findall(r'"([^"]*)"', words.get("spaceunits", ""))})
    spacings = words.get("spacings", "").split()
    if len(spacings) == rank:
        units = [u.strip() for u in re.findall(r'"([^"]*)"', words.get("units", ""))]
        lengths = [_number(s) for s in spacings]
        kept = {u for u, n in zip(units, lengths, strict=False) if math.isfinite(n)} if len(units) == rank else set(units)
        return _agreed(lengths, kept)
    return None, "", ()


def _agreed(lengths: list[float], units: set[str]) -> tuple[tuple[float, ...] | None, str, tuple[str, ...]]:
    units.discard("")
    if len(units) > 1:
        return None, "", (f"The file gives its spacings in several units ({', '.join(sorted(units))}); they were ignored.",)
    known = [n for n in lengths if math.isfinite(n)]
    if not known:
        return None, "", ()
    # An axis that is not of space (a channel) has no spacing, and needs none.
    return tuple(n if math.isfinite(n) else 1.0 for n in lengths), next(iter(units), ""), ()


def _length(vector: str) -> float:
    parts = [_number(p) for p in vector.strip("()").split(",")]
    return math.sqrt(sum(p * p for p in parts))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _voxels(path: Path, words: dict[str, str], behind: int, found: Found, picked: Picked) -> LazyArray:
    file = _data_file(path, words)
    offset = behind if file == path else 0
    encoding = words.get("encoding", "raw").lower()
    skip = _skip(words, "byteskip", path)
    for _ in range(_skip(words, "lineskip", path)):
        offset = _next_line(file, offset)
    size = math.prod(found.shape) * found.dtype.itemsize
    dtype = found.dtype.newbyteorder("=")
    if encoding == "raw":
        if skip == -1:
            offset, skip = file.stat().st_size - size, 0
        if offset < 0:
            raise FileError(f"{file} is incomplete: {size} bytes are promised.", "Copy or export it again.")
        array = mapped(file, found.dtype, shape=found.shape, offset=offset + skip)
        return BoxArray.of(array, picked, str(path))
    if encoding in _TEXT:
        return WholeArray(
            shape=picked.shape, dtype=dtype, name=str(path), load=lambda: _cut(_text(file, offset, found), picked)
        )
    codec = _CODECS.get(encoding)
    if codec is None:
        raise InputError(f"{path} is encoded as “{encoding[:40]}”, which is not read.", "Save it as raw or gzip.")
    check_promise(path, size, file.stat().st_size - offset, codec)
    return WholeArray(
        shape=picked.shape,
        dtype=dtype,
        name=str(path),
        load=lambda: _cut(unpacked(file, offset, codec, found.shape, found.dtype, skip=max(0, skip)), picked),
    )


def _cut(array: NDArray[Any], picked: Picked) -> NDArray[Any]:
    everything = tuple(slice(0, n, 1) for n in picked.shape)
    return picked.arranged(array[picked.key((everything[0], everything[1], everything[2]))])


def _data_file(path: Path, words: dict[str, str]) -> Path:
    name = words.get("datafile", "")
    if not name:
        return path
    if name.upper().startswith("LIST") or "%" in name:
        raise InputError(f"The voxels of {path} are spread over several files.", "Save them in one file (unu save).")
    file = path.parent / name
    if not file.is_file():
        raise FileError(f"{file} is not there; {path.name} says that its voxels are.", "Copy it beside.")
    return file


def _skip(words: dict[str, str], name: str, path: Path) -> int:
    text = words.get(name, "0")
    count = _whole_numbers(text, path, name)
    if len(count) != 1 or count[0] < -1 or count[0] > 2**40:
        raise FileError(f"{path} is damaged: its {name} is “{text[:40]}”.", "Export it again.")
    return count[0]


def _next_line(file: Path, offset: int) -> int:
    with open(file, "rb") as stream:
        stream.seek(offset)
        line = stream.readline(_MOST)
    return offset + len(line)


def _text(file: Path, offset: int, found: Found) -> NDArray[Any]:
    with open(file, "rb") as stream:
        stream.seek(offset)
        text = stream.read(math.prod(found.shape) * 32 + 1)
    try:
        numbers = np.array(text.split(), dtype=np.float64)
    except ValueError as error:
        raise FileError(f"{file} is damaged: its text is not all numbers ({error}).", "Export it again.") from error
    if numbers.size < math.prod(found.shape):
        raise FileError(
            f"{file} is incomplete: {numbers.size} of {math.prod(found.shape)} numbers are there.", "Copy it again."
        )
    with np.errstate(all="ignore"):
        return numbers[: math.prod(found.shape)].astype(found.dtype).reshape(found.shape)
