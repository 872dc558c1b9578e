"""Readers of NumPy's own files."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, FileError, InputError, RawVolume, nearest, reader

_DAMAGE = (
    RuntimeError,
    tokenize.TokenError,  # from a header of Python literals
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    SyntaxError,
    MemoryError,
    OverflowError,
    UnicodeError,
    AttributeError,
)


def _volume(array: NDArray[Any], path: Path) -> RawVolume:
    if array.dtype.kind not in "buif":
        raise InputError(f"{path} holds {array.dtype}, which are no grey values.", "Save whole or floating-point numbers.")
    if array.ndim == 2:
        array = array[None]
    elif array.ndim > 3 and array.size:
        # Axes of length 1 say nothing; a volume keeps its own.
        array = array.reshape([n for n in array.shape if n > 1]) if sum(n > 1 for n in array.shape) == 3 else array
    if array.ndim != 3 or array.size == 0:
        shape = " × ".join(str(n) for n in array.shape) or "a single number"
        raise InputError(f"{path} has the shape {shape}; a volume has three axes, none of them empty.", "Save (z, y, x).")
    if array.dtype == bool:
        array = array.view(np.uint8)
    return RawVolume(voxels=array, source=str(path))


@reader("npy", label="NumPy array", extensions=(".npy",), recognises=lambda _path, head: head[:6] == b"\x93NUMPY")
def npy(path: Path) -> RawVolume:
    """NumPy arrays (.npy), memory-mapped."""
    with open(path, "rb") as file:
        head = file.read(6)
    if head != b"\x93NUMPY":
        what = "is empty (0 bytes)" if not head else "is no NumPy array"
        raise FileError(f"{path} {what}.", "Save it again with numpy.save.")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except _DAMAGE as error:
        reason = "it holds Python objects" if "allow_pickle" in str(error) else str(error)[:120]
        raise FileError(f"{path} cannot be read as an array ({reason}).", "Save it again with numpy.save.") from error
    return _volume(array, path)


@reader("npz", label="NumPy archive", extensions=(".npz",))
def npz(path: Path, *, array: str = Field("", help="The array's name, where the archive holds several")) -> RawVolume:
    """NumPy archives (.npz): the only array with three axes, or the one that is named."""
    try:
        # Our own file object: np.load would leave its own open where the archive is damaged.
        with open(path, "rb") as file, zipfile.ZipFile(file), np.load(path, allow_pickle=False) as archive:
            names = list(archive.files)
            name = array or _only(archive, names, path)
            if name not in names:
                raise InputError(f"{path} holds no array “{name}”.", nearest(name, names))
            data: NDArray[Any] = archive[name]
    except (*_DAMAGE, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        if isinstance(error, FileError | InputError):
            raise
        raise FileError(f"{path} cannot be read as an archive of arrays ({str(error)[:120]}).", "Save it again.") from error
    return _volume(data, path)


def _only(archive: Any, names: list[str], path: Path) -> str:
    volumes = names if len(names) == 1 else [n for n in names if archive[n].ndim == 3]
    if len(volumes) != 1:
        raise InputError(
            f"{path} holds {len(volumes)} volumes ({', '.join(volumes or names)}).",
            f'Choose one: array = "{(volumes or names or ["name"])[0]}".',
        )
    return volumes[0]
