"""Reader of headerless voxels; what the user does not say is taken from the name and the size, or asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, FileError, InputError, RawVolume, reader

Shape = tuple[int, int, int]
_TYPE = re.compile(r"(?<![a-z])(?:(u?int|float|u|i|f)(8|16|32|64)|(8|16|32|64)[-_ ]?bit)[-_]?(le|be)?(?![a-z0-9])")
_SHAPE = re.compile(r"(?<!\d)(\d{1,6})[x×X](\d{1,6})[x×X](\d{1,6})(?!\d)")
_LETTERS = {"uint": "u", "int": "i", "float": "f", "u": "u", "i": "i", "f": "f"}
_LEGAL = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8")
_CLEARLY = 0.8  # the smoother of two readings must be rougher than the other by this factor, or the name stays ambiguous
_SAMPLE = 2**22  # voxels looked at to tell two readings apart


@reader("raw", label="Headerless raw voxels", extensions=(".raw", ".vol", ".bin", ".dat"))
def raw(
    path: Path,
    *,
    shape: str = Field("", help="Voxels along z, y, x, as 128x256x256"),
    dtype: str = Field("", help="uint8, int16, uint16, float32, … also with an ending: uint16le, uint16be"),
    offset: int = Field(0, 0, None, unit="bytes", help="Length of a header to skip"),
    byte_order: str = Field("", choices=("", "little", "big"), help="Of numbers longer than a byte; little where not said"),
) -> RawVolume:
    """Headerless voxels (.raw, .vol, .bin, .dat), memory-mapped, in the order z, y, x (x runs fastest)."""
    size = _size(path)
    name = path.name.lower()
    kind = _dtype(dtype, byte_order) if dtype else _named_dtype(name, byte_order)
    found: tuple[str, ...] = ()
    if shape:
        dims = _given_shape(shape)
        kind = kind or _dtype_by_size(dims, size - offset, path, byte_order)
    else:
        dims, kind, found = _guess(path, name, size - offset, kind, byte_order)
    needed = int(np.prod(dims, dtype=np.int64)) * kind.itemsize
    if needed > size - offset:
        raise FileError(
            f"{path} is too short: {_words(dims)} voxels of {kind.name} are {needed} bytes, {max(0, size - offset)} are there.",
            "Correct shape, dtype or offset, or copy the file again.",
        )
    if needed < size - offset:
        found = (*found, f"{size - offset - needed} bytes behind the last voxel were not read; is the shape right?")
    voxels = np.memmap(path, kind, "r", offset, dims)
    return RawVolume(voxels=voxels, source=str(path), findings=(*found, *_order_finding(voxels)))


def _size(path: Path) -> int:
    size = path.stat().st_size
    if size == 0:
        raise FileError(f"{path} is empty (0 bytes).", "Copy or export it again.")
    return size


def _words(shape: Shape) -> str:
    return " × ".join(str(n) for n in shape)


def _given_shape(text: str) -> Shape:
    numbers = re.findall(r"\d+", text)
    if len(numbers) != 3 or re.sub(r"[\dxX×, \[\]()]", "", text) or min(int(n) for n in numbers) < 1:
        raise InputError(f"shape must be three whole numbers (z, y, x), none of them zero, not “{text}”.")
    return (int(numbers[0]), int(numbers[1]), int(numbers[2]))


def _dtype(text: str, byte_order: str) -> np.dtype[Any]:
    """The dtype that a user named: numpy's names, also with le or be behind."""
    match = _TYPE.fullmatch(text.strip().lower().lstrip("<>=|"))
    marks = {"<": "little", ">": "big", "le": "little", "be": "big"}
    plain = re.fullmatch(r"[<>=|]?([uif])([1248])", text.strip().lower())
    if plain:
        code, order = plain[1] + plain[2], byte_order or marks.get(text.strip()[0], "")
    elif match and match[1]:
        code, order = f"{_LETTERS[match[1]]}{int(match[2]) // 8}", byte_order or marks.get(match[4] or text.strip()[0], "")
    else:
        code, order = "", ""
    if code not in _LEGAL:
        raise InputError(f"dtype cannot be “{text}”.", "Known: uint8, int8, uint16, int16, uint32, int32, float32, float64.")
    return np.dtype((">" if order == "big" else "<") + code)


def _named_dtype(name: str, byte_order: str) -> np.dtype[Any] | None:
    """The dtype that a file name tells, as `…_uint16le.raw` or `…_8bit_…`; None where it tells none, or two."""
    found = set()
    for match in _TYPE.finditer(name):
        code = (
            f"{_LETTERS[match[1]]}{int(match[2]) // 8}" if match[1] else {"8": "u1", "16": "u2", "32": "f4"}.get(match[3], "")
        )
        if code in _LEGAL:
            order = byte_order or {"be": "big"}.get(match[4] or "", "little")
            found.add((">" if order == "big" else "<") + code)
    return np.dtype(found.pop()) if len(found) == 1 else None


def _dtype_by_size(dims: Shape, size: int, path: Path, byte_order: str) -> np.dtype[Any]:
    """The dtype that the size leaves no doubt of, for a shape that is known."""
    voxels = int(np.prod(dims, dtype=np.int64))
    each = size // voxels if size % voxels == 0 else 0
    if each == 1:
        return np.dtype("u1")
    if each == 2:
        return np.dtype(">u2" if byte_order == "big" else "<u2")
    what = f"{size / voxels:g} bytes" if voxels else "no bytes"
    raise InputError(
        f"{path} does not say what its numbers are ({what} a voxel for {_words(dims)} voxels).", 'Give dtype = "float32", …'
    )


def _guess(
    path: Path, name: str, size: int, kind: np.dtype[Any] | None, byte_order: str
) -> tuple[Shape, np.dtype[Any], tuple[str, ...]]:
    """Shape and dtype from the name and the size; InputError where they do not tell, or tell two things."""
    shapes = {tuple(int(n) for n in m.groups()) for m in _SHAPE.finditer(name)}
    if len(shapes) != 1:
        raise InputError(f"{path} has no header and its name does not say its shape.", _advice(size, kind))
    (a, b, c) = shapes.pop()
    dims: Shape = (a, b, c)
    if min(dims) < 1:
        raise InputError(f"{path} would have the shape {_words(dims)}.", "Give shape = [z, y, x].")
    kind = kind or _dtype_by_size(dims, size, path, byte_order)
    if int(np.prod(dims, dtype=np.int64)) * kind.itemsize != size:
        raise InputError(
            f"{path} is {size} bytes long; the {_words(dims)} voxels of {kind.name} that its name tells would be "
            f"{int(np.prod(dims, dtype=np.int64)) * kind.itemsize}.",
            "Give shape = [z, y, x], dtype and offset.",
        )
    said = f"Taken from the name and the size: {_words(dims)} voxels of {kind.name}."
    if a == c:
        return dims, kind, (said,)
    turned: Shape = (c, b, a)
    first, second = (_roughness(path, kind, d) for d in (dims, turned))
    if min(first, second) > _CLEARLY * max(first, second):
        raise InputError(
            f"{path} does not say whether its name counts z, y, x or x, y, z.",
            f"Give shape = [{a}, {b}, {c}] or shape = [{c}, {b}, {a}] (z, y, x).",
        )
    dims = dims if first < second else turned
    return (
        dims,
        kind,
        (f"Taken from the name and the size: {_words(dims)} voxels (z, y, x; the smoother order) of {kind.name}.",),
    )


def _advice(size: int, kind: np.dtype[Any] | None) -> str:
    """A hint with the cube that would fit, as an example only."""
    for width in [kind.itemsize] if kind is not None else [1, 2, 4]:
        edge = round((size / width) ** (1 / 3))
        if edge**3 * width == size:
            return f"Give shape = [z, y, x] and dtype; a cube would be shape = [{edge}, {edge}, {edge}]."
    return "Give shape = [z, y, x] and dtype."


def _roughness(path: Path, kind: np.dtype[Any], dims: Shape) -> float:
    """Mean step between rows over the spread of values: small where the row length is right."""
    plane = dims[1] * dims[2]
    planes = max(1, min(dims[0], _SAMPLE // plane))
    start = (dims[0] - planes) // 2
    voxels = np.memmap(path, kind, "r", 0, dims)[start : start + planes].astype(np.float64)
    return _relative(np.diff(voxels, axis=1), voxels)


def _relative(steps: NDArray[Any], values: NDArray[Any]) -> float:
    spread = float(np.nanstd(values))
    return float(np.nanmean(np.abs(steps))) / spread if spread > 0 and steps.size else 1.0


def _order_finding(voxels: NDArray[Any]) -> tuple[str, ...]:
    """A sentence where whole numbers look much smoother in the other byte order."""
    if voxels.dtype.kind not in "ui" or voxels.dtype.itemsize == 1:
        return ()
    middle = voxels[voxels.shape[0] // 2, : _SAMPLE // max(1, voxels.shape[2]) + 1]
    here, there = (
        _relative(np.diff(m.astype(np.float64), axis=1), m.astype(np.float64)) for m in (middle, middle.view(_swapped(voxels)))
    )
    if there < _CLEARLY / 2 * here:
        other = "big" if voxels.dtype.byteorder in "=<|" else "little"
        return (f'The byte order looks wrong: the other one is much smoother (byte_order = "{other}").',)
    return ()


def _swapped(voxels: NDArray[Any]) -> np.dtype[Any]:
    return voxels.dtype.newbyteorder("S")
