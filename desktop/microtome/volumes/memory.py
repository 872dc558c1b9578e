"""The memory that the process may keep: a cap in bytes, what is refused beyond it, and mapped pages that are given back."""

from __future__ import annotations

import functools
import mmap
import os
import re
import sys
import threading
import weakref
from typing import Any, Protocol

import numpy as np
import psutil
from numpy.typing import NDArray

from microtome import settings
from microtome.errors import FileError, InputError
from microtome.volumes.mapped import MappedFile, checked

VARIABLE = "MICROTOME_MEMORY"
SETTING = "memory_limit"
WINDOW = 2**21 if sys.platform == "linux" else 2**16
"""Bytes about a touched place that may come into memory with it: Linux maps what is cached in pieces of up to 2 MiB."""
_SPARE = 0.9  # of the memory that is free now, the share that one array may take
_DEFAULT = 0.5  # of the machine's memory
_WHOLE = 1 / 8  # of the cap: a volume up to this is read as a whole where that makes cutting quick
_KEPT = 1 / 2  # of the cap: what volumes that were read as a whole may take together
_MAPPED = 1 / 8  # of the cap: pages of maps that may stay between two times of giving back …
_MOST_MAPPED = 80 * 2**20  # … and no more than this: pages that are needed again come back from the system's cache
_SMALL = 2**24  # bytes that are granted under any cap: the one piece that work needs to go on
_READ_AT_ONCE = 2**25  # bytes that are read from a watched map's file, not through the map
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def parse_bytes(text: str) -> int:
    """A size as people write it: 700 MB, 2GiB, 1.5 G, or a plain number of bytes. Raises InputError for anything else."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if not match or match[2] not in _UNITS or float(match[1]) <= 0:
        raise InputError(f"“{text}” is no size of memory.", "Write it as 700 MB or 2 GiB.")
    return max(1, int(float(match[1]) * _UNITS[match[2]]))


def memory_limit() -> int:
    """The bytes that this process may keep: the environment's MICROTOME_MEMORY, the setting, or half of the machine's."""
    return _limit(os.environ.get(VARIABLE, ""), os.environ.get("MICROTOME_HOME", ""))


def set_memory_limit(text: str) -> None:
    """Keep the cap as a setting ("" takes the default again); InputError where it is no size."""
    if text:
        parse_bytes(text)
    settings.put(SETTING, text)
    _limit.cache_clear()


@functools.lru_cache(maxsize=4)
def _limit(said: str, _home: str) -> int:
    if said:
        return parse_bytes(said)
    kept = settings.load().get(SETTING)
    try:
        return parse_bytes(str(kept)) if kept else int(_DEFAULT * psutil.virtual_memory().total)
    except InputError:  # a settings file that was edited by hand never keeps the program from starting
        return int(_DEFAULT * psutil.virtual_memory().total)


def memory_used() -> int:
    """The bytes that this process keeps by itself: without libraries and mapped files, which the system can take back."""
    info = psutil.Process().memory_info()
    return max(0, int(info.rss) - int(getattr(info, "shared", 0)))


def need_memory(size: int, what: str) -> None:
    """Raise FileError where `size` bytes more do not fit under the cap, or into the memory that is free now."""
    limit = memory_limit()
    left = limit if size <= _SMALL else limit - memory_used()
    if size > left:
        raise FileError(
            f"{what} needs {_gib(size)} of memory; {_gib(max(0, left))} of the {_gib(limit)} that Microtome may take are left.",
            "Crop or bin the volume, or let Microtome take more memory (View › Memory limit).",
        )
    free = psutil.virtual_memory().available
    if size > _SPARE * free:
        raise FileError(
            f"{what} needs {_gib(size)} of memory; {_gib(free)} are free.",
            "Close other programs, crop or bin the volume, or save it as an uncompressed TIFF, which need not be loaded.",
        )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**29 else f"{size / 2**20:.1f} MiB"


def fits_whole(size: int) -> bool:
    """Whether a volume of `size` bytes is small enough to be read as a whole when that makes work on it quick."""
    if size > _WHOLE * memory_limit():
        return False
    return size <= _SMALL or size <= min(_SPARE * psutil.virtual_memory().available, memory_limit() - memory_used())


def working_bytes() -> int:
    """The bytes that one piece of a volume may take while it is worked on."""
    return max(2**18, min(int(memory_limit() / 16), 2**28))


class Keeper(Protocol):
    """What holds voxels in memory and can let go of them, to read them again when they are needed."""

    def let_go(self) -> None: ...


_kept: dict[int, tuple[weakref.ref[Keeper], int]] = {}
_lock = threading.RLock()


def keep(holder: Keeper, size: int) -> None:
    """Note that `holder` holds `size` bytes now; who was noted longest ago lets go where all hold more than their share."""
    with _lock:
        key = id(holder)
        _kept.pop(key, None)
        _kept[key] = (weakref.ref(holder, lambda _gone: _forget(key)), size)
        most = _KEPT * memory_limit()
        while len(_kept) > 1 and sum(n for _, n in _kept.values()) > most:
            oldest, _ = _kept.pop(next(iter(_kept)))
            gone = oldest()
            if gone is not None:
                gone.let_go()


def _forget(key: int) -> None:
    with _lock:
        _kept.pop(key, None)


# --- mapped files

_maps: dict[int, weakref.ref[mmap.mmap]] = {}  # read-only maps of which something was touched since pages were given back
_tally = {"touched": 0, "others": 0}  # bytes: at most brought into memory since then; of the files that were there before


def map_of(array: Any) -> mmap.mmap | None:
    """The read-only map of a file that an array is a view of, or None."""
    while isinstance(array, np.ndarray):
        array = array.base
    if isinstance(array, memoryview):
        array = array.obj
    # A private map that was written to would lose what was written.
    return array if isinstance(array, mmap.mmap) and memoryview(array).readonly else None


def mapped_bytes() -> int:
    """The bytes of mapped files that may stay in the process's memory."""
    return int(min(_MAPPED * memory_limit(), _MOST_MAPPED))


def touched(file: mmap.mmap, size: int) -> None:
    """Note that up to `size` bytes of a map were brought into memory; beyond `mapped_bytes` all maps give theirs back.

    What is given back stays in the system's cache as long as there is room, so that it is there at once when it is needed
    again; but it no longer counts as this process's memory. Where the system has no such call (Windows) nothing is done.
    """
    with _lock:
        key = id(file)
        if not _maps:
            _tally["others"] = max(_tally["others"], (_file_bytes() or 0) - size)
        if key not in _maps:
            _maps[key] = weakref.ref(file, lambda _gone: _closed(key))
        _tally["touched"] += size
        if _tally["touched"] <= mapped_bytes():
            return
        there = _file_bytes()
        if there is not None and there - _tally["others"] <= mapped_bytes() // 2:
            _tally["touched"] = max(0, there - _tally["others"])  # fewer than feared: most places lay close together
        else:
            give_back()


def give_back() -> None:
    """Give the pages of all maps that were read back to the system now; they stay readable."""
    with _lock:
        for reference in list(_maps.values()):
            file = reference()
            if file is not None and not file.closed and hasattr(file, "madvise"):
                file.madvise(mmap.MADV_DONTNEED)
        _maps.clear()
        _tally.update(touched=0, others=_file_bytes() or 0)


def _closed(key: int) -> None:
    with _lock:
        _maps.pop(key, None)


def _file_bytes() -> int | None:
    """The bytes of mapped files, libraries included, that are in this process's memory now; None where nobody tells."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[2]) * mmap.PAGESIZE
    except OSError:
        return None


def touches(view: NDArray[Any]) -> int:
    """At most how many bytes of its file a view of a map brings into memory when it is read."""
    if view.size == 0:
        return 0
    span = sum((n - 1) * abs(s) for n, s in zip(view.shape, view.strides, strict=True)) + view.itemsize
    runs = view.size
    for n, s in zip(view.shape, view.strides, strict=True):
        if abs(s) == view.itemsize:
            runs = view.size // n
            break
    return min(int(span) + WINDOW, runs * (view.size // runs * view.itemsize + WINDOW))


def read_mapped(array: NDArray[Any], key: tuple[Any, ...]) -> NDArray[Any]:
    """array[key] of a memory-mapped array (integers and slices), as a native copy; pages are given back on the way.

    Raises FileError where the copy does not fit into memory.
    """
    watched = isinstance(array, MappedFile)
    source = checked(array).view(np.ndarray)[key]
    need_memory(source.nbytes, str(getattr(array, "filename", None) or "The part of the volume"))
    if watched and source.flags.c_contiguous and 0 < source.nbytes <= _READ_AT_ONCE:
        part = np.asarray(array[key])  # by an ordinary read
        return part.astype(part.dtype.newbyteorder("="), copy=False)
    out = np.empty(source.shape, source.dtype.newbyteorder("="))
    file = map_of(array)
    if file is None or source.ndim == 0:
        out[...] = source
        return out
    _copy(source, out, file, max(WINDOW, mapped_bytes() // 4))
    return out


def _copy(source: NDArray[Any], out: NDArray[Any], file: mmap.mmap, most: int) -> None:
    size = touches(source)
    if size <= most or source.size == 1:
        out[...] = source
        touched(file, size)
        return
    spans = [(n - 1) * abs(s) for n, s in zip(source.shape, source.strides, strict=True)]
    axis = int(np.argmax(spans))
    if source.shape[axis] == 1:
        axis = int(np.argmax(source.shape))
    half = source.shape[axis] // 2
    for part in (slice(0, half), slice(half, None)):
        chosen = (*(slice(None) for _ in range(axis)), part)
        _copy(source[chosen], out[chosen], file, most)
