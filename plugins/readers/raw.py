"""Reader of headerless voxels: shape and type are given, taken from a sidecar, the name and the size, or asked for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, FileError, InputError, QuestionError, RawVolume, reader
from microtome.volumes.formats.raw import Sample, better_order, file_bytes, file_size, guesses, question
from microtome.volumes.formats.rawname import NameSays, Shape, given_dtype, given_shape, name_says
from microtome.volumes.formats.sidecar import Sidecar, sidecar
from microtome.volumes.mapped import mapped

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
    size = file_size(path)
    says = name_says(path.name)
    kind = given_dtype(dtype, byte_order) if dtype else _named_dtype(says, byte_order)
    found: tuple[str, ...] = ()
    beside = None if shape else sidecar(path)
    if shape:
        dims = given_shape(shape)
        kind = kind or _dtype_by_size(dims, size - offset, path, byte_order)
    elif beside is not None and (told := _told(path, beside, kind, size)) is not None:
        dims, kind, offset = told
        found = (f"Taken from {beside.name}: {_words(dims)} voxels of {kind.name}.", *_conflicts(beside, says, dims))
    else:
        if beside is not None:
            found = (f"{beside.name} beside it does not fit its length of {size} bytes and was not used.",)
            beside = None
        dims, kind, more = _guess(path, size - offset, kind, byte_order, says, offset)
        found = (*found, *more)
    needed = math.prod(dims) * kind.itemsize
    if needed > size - offset:
        raise FileError(
            f"{path} is too short: {_words(dims)} voxels of {kind.name} are {needed} bytes, {max(0, size - offset)} are there.",
            "Correct shape, dtype or offset, or copy the file again.",
        )
    if needed < size - offset:
        found = (*found, f"{size - offset - needed} bytes behind the last voxel were not read; is the shape right?")
    voxels = mapped(path, kind, shape=dims, offset=offset)
    return RawVolume(
        voxels=voxels,
        voxel_size=beside.voxel_size if beside else None,
        unit=beside.unit if beside else "nm",
        source=str(path),
        findings=(*found, *_order_finding(path, kind, offset)),
    )


def _words(shape: Shape) -> str:
    return " × ".join(str(n) for n in shape)


def _named_dtype(says: NameSays, byte_order: str) -> np.dtype[Any] | None:
    """The dtype that a file name tells, as `…_uint16le.raw` or `…_8bit_…`; None where it tells none, or two."""
    return given_dtype(says.codes[0], byte_order or says.byte_order) if len(says.codes) == 1 else None


def _told(path: Path, beside: Sidecar, kind: np.dtype[Any] | None, size: int) -> tuple[Shape, np.dtype[Any], int] | None:
    """Shape, dtype and offset by the sidecar, where they fit the file's length; the smoother byte order if it says none."""
    assert beside.shape is not None
    voxels = math.prod(beside.shape)
    code = beside.code or {1: "u1", 2: "u2"}.get((size - beside.offset) // voxels if kind is None else 0, "")
    if code:
        kind = given_dtype(code, beside.byte_order)
        if not beside.byte_order:
            kind = better_order(file_bytes(path).behind(beside.offset), kind)
    if kind is None or beside.offset + voxels * kind.itemsize > size:
        return None
    return beside.shape, kind, beside.offset


def _conflicts(beside: Sidecar, says: NameSays, dims: Shape) -> tuple[str, ...]:
    if len(says.shapes) != 1 or sorted(says.shapes[0]) == sorted(dims):
        return ()
    return (f"The name says {_words(says.shapes[0])}, {beside.name} says {_words(dims)}; the latter was taken.",)


def _dtype_by_size(dims: Shape, size: int, path: Path, byte_order: str) -> np.dtype[Any]:
    """The dtype that the size leaves no doubt of, for a shape that is known."""
    voxels = math.prod(dims)
    each = size // voxels if size % voxels == 0 else 0
    if each == 1:
        return np.dtype("u1")
    if each == 2:
        return given_dtype("u2", byte_order) if byte_order else better_order(file_bytes(path), np.dtype("u2"))
    raise _asked(
        path,
        f"{path} does not say what its numbers are ({size / voxels:g} bytes a voxel for {_words(dims)} voxels).",
        'Give dtype = "float32", …',
        byte_order=byte_order,
    )


def _asked(path: Path, message: str, hint: str, *, dtype: str = "", byte_order: str = "", offset: int = 0) -> QuestionError:
    """The question with the guesses, the likeliest first."""
    found = guesses(path, dtype=dtype, byte_order=byte_order, offset=offset or None)
    likely = f" Likely: {found[0].label} (z, y, x)." if found and found[0].steps[0] < _CLEARLY else ""
    return QuestionError(message, hint + likely, question(path, found))


def _guess(
    path: Path, size: int, kind: np.dtype[Any] | None, byte_order: str, says: NameSays, offset: int
) -> tuple[Shape, np.dtype[Any], tuple[str, ...]]:
    """Shape and dtype from the name and the size; QuestionError where they do not tell, or tell two things."""
    dims = _named_shape(says, size, kind)
    if dims is None:
        advice = _advice(size, kind)
        raise _asked(
            path, f"{path} has no header and its name does not say its shape.", advice, byte_order=byte_order, offset=offset
        )
    if min(dims) < 1:
        raise InputError(f"{path} would have the shape {_words(dims)}.", "Give shape = [z, y, x].")
    kind = kind or _dtype_by_size(dims, size, path, byte_order)
    needed = math.prod(dims) * kind.itemsize
    if needed != size:
        raise _asked(
            path,
            f"{path} is {size} bytes long; the {_words(dims)} voxels of {kind.name} that its name tells would be {needed}.",
            "Give shape = [z, y, x], dtype and offset.",
            offset=offset,
        )
    if dims[0] == dims[2] or dims == says.lettered:
        return dims, kind, (f"Taken from the name and the size: {_words(dims)} voxels of {kind.name}.",)
    turned: Shape = (dims[2], dims[1], dims[0])
    first, second = (_roughness(path, kind, d, offset) for d in (dims, turned))
    if min(first, second) > _CLEARLY * max(first, second):
        raise _asked(
            path,
            f"{path} does not say whether its name counts z, y, x or x, y, z.",
            f"Give shape = {list(dims)} or shape = {list(turned)} (z, y, x).",
            dtype=kind.str,
            byte_order=byte_order,
            offset=offset,
        )
    dims = dims if first < second else turned
    found = f"Taken from the name and the size: {_words(dims)} voxels (z, y, x; the smoother order) of {kind.name}."
    return dims, kind, (found,)


def _named_shape(says: NameSays, size: int, kind: np.dtype[Any] | None) -> Shape | None:
    """The one shape that the name tells: with letters, with crosses, or three numbers in a row that fit the size."""
    if says.lettered is not None:
        return says.lettered
    if len(says.shapes) == 1:
        return says.shapes[0]
    widths = (kind.itemsize,) if kind is not None else (1, 2)
    fitting = [s for s in (*says.shapes, *says.spaced) if min(s) > 1 and math.prod(s) * 8 >= size]
    fitting = [s for s in fitting if any(math.prod(s) * w == size for w in widths)]
    return fitting[0] if len(fitting) == 1 else None


def _advice(size: int, kind: np.dtype[Any] | None) -> str:
    """A hint with the cube that would fit, as an example only."""
    for width in [kind.itemsize] if kind is not None else [1, 2, 4]:
        edge = round((size / width) ** (1 / 3))
        if edge**3 * width == size:
            return f"Give shape = [z, y, x] and dtype; a cube would be shape = [{edge}, {edge}, {edge}]."
    return "Give shape = [z, y, x] and dtype."


def _roughness(path: Path, kind: np.dtype[Any], dims: Shape, offset: int) -> float:
    """Mean step between rows over the spread of values: small where the row length is right."""
    plane = dims[1] * dims[2]
    planes = max(1, min(dims[0], _SAMPLE // plane))
    start = (dims[0] - planes) // 2
    voxels = np.memmap(path, kind, "r", offset, dims)[start : start + planes].astype(np.float64)
    return _relative(np.diff(voxels, axis=1), voxels)


def _relative(steps: NDArray[Any], values: NDArray[Any]) -> float:
    with np.errstate(all="ignore"):  # wrongly read floats overflow
        spread = float(np.nanstd(values)) if np.isfinite(values).any() else 0.0
        return float(np.nanmean(np.abs(steps))) / spread if 0 < spread < np.inf and steps.size else 1.0


def _order_finding(path: Path, kind: np.dtype[Any], offset: int) -> tuple[str, ...]:
    """A sentence where the numbers look much smoother in the other byte order."""
    if kind.itemsize == 1:
        return ()
    data = file_bytes(path).behind(offset)
    here, there = (Sample(data=data, kind=k).step(1) for k in (kind, kind.newbyteorder("S")))
    if there < _CLEARLY / 2 * here:
        other = "big" if kind.byteorder in "=<|" else "little"
        return (f'The byte order looks wrong: the other one is much smoother (byte_order = "{other}").',)
    return ()
