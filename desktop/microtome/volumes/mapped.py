"""Memory-mapped voxels that look at their file before they are touched: a file that shrank would end the whole program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from microtome.errors import FileError
from microtome.store.atomic import explain

Stamp = tuple[int, int]
"""Size and time of change of a file."""
READ_AT_ONCE = 2**26
"""Bytes; a part up to this size is read at once, a larger one stays mapped."""


class MappedFile(np.memmap[Any, Any]):
    """A read-only memory map that raises FileError at an access after its file was changed, cut off or taken away.

    The system answers a look at mapped bytes that are no longer there (behind the end of a file that shrank, on a network drive
    that went away) with a signal that no program survives, and at changed ones with other voxels in silence. Each access
    therefore compares the file's size and time of change with those at opening, and a part of up to 64 MiB is read at once: in
    one piece by an ordinary read, whose failure is an error, else copied. What remains is code that works on the whole array
    while its file is cut off: `checked` looks at the file once before it starts.
    """

    _path: Path | None = None
    _stamp: Stamp | None = None
    _start: int = 0  # the address of the byte at `offset`

    def __array_finalize__(self, obj: Any) -> None:
        """Let views know the file that they look at; a copy looks at none."""
        super().__array_finalize__(obj)
        if getattr(self, "_mmap", None) is not None:
            self._path = getattr(obj, "_path", None)
            self._stamp = getattr(obj, "_stamp", None)
            self._start = getattr(obj, "_start", 0)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """What is calculated from the voxels is an ordinary array or number."""
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    def __getitem__(self, key: Any) -> Any:
        """A part of the voxels, after a look at the file."""
        self.check()
        part = super().__getitem__(key)
        if not isinstance(part, MappedFile):
            return part
        if part._path is None:
            return np.asarray(part)
        return part if part.nbytes > READ_AT_ONCE else _read(part)

    def check(self) -> None:
        """Raise FileError where the file is not what it was when it was opened."""
        if self._path is not None and self._stamp is not None:
            unchanged(self._path, self._stamp)


def mapped(path: Path, dtype: DTypeLike, *, shape: tuple[int, ...], offset: int = 0) -> NDArray[Any]:
    """The array that lies in a file from `offset` (bytes) on, memory-mapped, read-only and watched.

    Raises FileError where the file is missing, too short for `shape`, or cannot be mapped.
    """
    kind = np.dtype(dtype)
    stamp = stamp_of(path)
    needed = offset + int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    if needed > stamp[0]:
        raise FileError(f"{path} is incomplete: {needed} bytes are promised, {stamp[0]} are there.", "Copy or export it again.")
    try:
        array = MappedFile(path, dtype=kind, mode="r", offset=offset, shape=shape)
    except (OSError, ValueError) as error:
        raise FileError(f"{path} cannot be mapped ({error}).", "Copy it to a local disk.") from error
    array._path, array._stamp, array._start = path, stamp, array.ctypes.data - offset
    return array


def mapped_pages(path: Path, dtype: DTypeLike, *, shape: tuple[int, int, int], starts: Sequence[int]) -> NDArray[Any] | None:
    """A stack whose pages begin at `starts` (bytes), mapped where they follow each other at one distance, else None.

    Between the pages something else may lie, as the directories of a TIFF do.
    """
    kind = np.dtype(dtype)
    page = shape[1] * shape[2] * kind.itemsize
    steps = set(np.diff(np.asarray(starts, dtype=np.int64)).tolist())
    step = steps.pop() if len(steps) == 1 else page
    if steps or step < page or step % kind.itemsize:
        return None
    whole = mapped(path, kind, shape=(((len(starts) - 1) * step + page) // kind.itemsize,), offset=starts[0])
    strides = (step, shape[2] * kind.itemsize, kind.itemsize)
    return np.lib.stride_tricks.as_strided(whole, shape, strides, subok=True, writeable=False)


def view_of(array: NDArray[Any], key: tuple[int | slice, ...]) -> NDArray[Any]:
    """A part of a mapped array that stays mapped and watched, however small it is; nothing is read."""
    view: NDArray[Any] = np.memmap.__getitem__(array, key) if isinstance(array, MappedFile) else array[key]
    return view


def checked(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself, after a look at its file where it is a watched map: for code that is handed a whole array."""
    if isinstance(array, MappedFile):
        array.check()
    return array


def _read(part: MappedFile) -> NDArray[Any]:
    """The voxels of a part in memory: by one ordinary read where they lie in one piece."""
    path = part._path
    if path is None or not part.flags.c_contiguous or part.size == 0:
        return np.array(part, subok=False)
    try:
        found = np.fromfile(path, part.dtype, part.size, offset=part.ctypes.data - part._start)
    except OSError as error:
        raise explain(error, path, "read") from error
    if found.size != part.size:
        raise _changed(path)
    return found.reshape(part.shape)


def _changed(path: Path) -> FileError:
    return FileError(f"{path} has changed since it was opened.", "Open it again.")


def stamp_of(path: Path) -> Stamp:
    """What tells a file from a changed one; FileError where it is not there (any more)."""
    try:
        found = path.stat()
    except OSError as error:
        raise explain(error, path, "read") from error
    return found.st_size, found.st_mtime_ns


def unchanged(path: Path, stamp: Stamp) -> None:
    """Raise FileError where a file is not what it was when `stamp` was taken."""
    if stamp_of(path) != stamp:
        raise _changed(path)
