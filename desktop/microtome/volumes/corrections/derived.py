"""Voxels that are computed from other voxels when they are asked for, a part of a slice at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.volumes.lazy import need_memory

#: (z, rows, columns) → that part of slice z; the rows and columns are non-empty slices with step 1 inside the array.
ReadPart = Callable[[int, slice, slice], NDArray[Any]]
_KEPT = 2**26  # bytes of the slices computed last


class DerivedArray:
    """An array (z, y, x) of which `part` computes what is asked for; the slices computed last are kept, read-only.

    whole: a part costs as much as its slice, which is then computed and kept. A row through all slices thus takes the memory of
    that row and of a few slices, however large the volume is. May be read from several threads.
    """

    def __init__(
        self, shape: tuple[int, int, int], dtype: np.dtype[Any], part: ReadPart, *, whole: bool = False, name: str = ""
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.name = name or "The volume"
        self._part = part
        self._whole = whole
        self._pages: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._lock = Lock()

    def __getitem__(self, key: Any) -> NDArray[Any]:
        first, rows, columns = _expanded(key)
        (ys, in_rows), (xs, in_columns) = _span(rows, self.shape[1]), _span(columns, self.shape[2])
        if isinstance(first, int | np.integer):
            return np.asarray(self._read(_index(int(first), self.shape[0]), ys, xs)[in_rows, in_columns])
        indices = np.arange(self.shape[0])[first]
        extent = (ys.stop - ys.start, xs.stop - xs.start)
        inner = np.empty(extent, dtype=bool)[in_rows, in_columns].shape
        need_memory(int(len(indices) * np.prod(inner, dtype=np.int64)) * self.dtype.itemsize, self.name)
        out = np.empty((len(indices), *inner), dtype=self.dtype)
        for i, z in enumerate(indices):
            out[i] = self._read(int(z), ys, xs)[in_rows, in_columns]
        return out

    def _read(self, z: int, ys: slice, xs: slice) -> NDArray[Any]:
        full = (ys.start, ys.stop, xs.start, xs.stop) == (0, self.shape[1], 0, self.shape[2])
        with self._lock:
            page = self._pages.get(z)
            if page is not None:
                self._pages.move_to_end(z)
        if page is None:
            if not full and not self._whole:
                return self._part(z, ys, xs)
            page = self._part(z, slice(0, self.shape[1]), slice(0, self.shape[2]))
            page = page.view()
            page.flags.writeable = False
            self._keep(z, page)
        return np.asarray(page[ys, xs])

    def _keep(self, z: int, page: NDArray[Any]) -> None:
        with self._lock:
            self._pages[z] = page
            while len(self._pages) > 2 and len(self._pages) * page.nbytes > _KEPT:
                self._pages.popitem(last=False)


def _expanded(key: Any) -> tuple[Any, Any, Any]:
    """An index as one entry an axis."""
    keys = key if isinstance(key, tuple) else (key,)
    at = next((i for i, k in enumerate(keys) if k is Ellipsis), None)
    if at is not None:
        keys = (*keys[:at], *(slice(None) for _ in range(4 - len(keys))), *keys[at + 1 :])
    if len(keys) > 3:
        raise IndexError(f"a volume has three axes, not {len(keys)}")
    padded = [*keys, *(slice(None) for _ in range(3 - len(keys)))]
    return padded[0], padded[1], padded[2]


def _index(i: int, size: int) -> int:
    if not -size <= i < size:
        raise IndexError(f"index {i} of {size}")
    return i % size


def _span(key: Any, size: int) -> tuple[slice, Any]:
    """What of an axis must be read for an index, and the index into that."""
    if isinstance(key, int | np.integer):
        i = _index(int(key), size)
        return slice(i, i + 1), 0
    if not isinstance(key, slice):
        return slice(0, size), key
    wanted = range(size)[key]
    if not wanted:
        return slice(0, 1), slice(0, 0)
    return slice(min(wanted), max(wanted) + 1), slice(None, None, wanted.step)


def working(dtype: np.dtype[Any]) -> type[Any]:
    """The floating-point type that holds every value of `dtype` (8- and 16-bit: float32)."""
    return np.float32 if dtype.itemsize <= 2 or dtype == np.float32 else np.float64


def back(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Computed grey values in the volume's own dtype: whole numbers are rounded and clipped, floats stay what they are."""
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    if dtype.kind == "b":
        return np.asarray(values >= 0.5)
    info = np.iinfo(dtype)
    top = np.asarray(info.max, dtype=values.dtype)
    if float(top) > info.max:  # 2**63 - 1 is no float: the next one below it is
        top = np.nextafter(top, values.dtype.type(0))
    return np.asarray(np.clip(np.rint(values), values.dtype.type(info.min), top).astype(dtype))


def numbers(known: Mapping[str, Any], key: str, count: int, step: str, *, width: int = 1) -> NDArray[np.float64]:
    """What was measured for each slice, (count,) or (count, width); InputError where it belongs to another volume."""
    try:
        values = np.asarray(known.get(key, ()), dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != ((count,) if width == 1 else (count, width)) or not np.isfinite(values).all():
        raise InputError(
            f"What was measured for “{step}” does not fit this volume of {count} slices.",
            "Measure it again, or remove the step.",
        )
    return values
