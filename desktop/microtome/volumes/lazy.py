"""Arrays that stay on disk until a part of them is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.memory import need_memory

__all__ = ["PagedArray", "ReadPages", "expanded", "need_memory"]
ReadPages = Callable[[Sequence[int]], Iterator[NDArray[Any]]]


@dataclass(frozen=True, kw_only=True, eq=False)
class PagedArray:
    """A stack (z, y, x) of which pages are read when they are asked for; `read(indices)` yields them in that order.

    An array that is read by smaller blocks says so by an attribute `chunks` (z, y, x); cutting then reads boxes, not pages.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    read: ReadPages
    name: str = "The volume"

    def __getitem__(self, key: Any) -> NDArray[Any]:
        keys = expanded(key)
        first, rest = keys[0], keys[1:]
        if isinstance(first, int | np.integer):
            if not -self.shape[0] <= first < self.shape[0]:
                raise IndexError(f"slice {first} of {self.shape[0]}")
            page = next(iter(self.read([int(first) % self.shape[0]])))
            return np.asarray(page[rest])
        indices = np.arange(self.shape[0])[first]
        shape = np.empty(self.shape[1:], dtype=bool)[rest].shape
        need_memory(int(len(indices) * np.prod(shape, dtype=np.int64)) * self.dtype.itemsize, self.name)
        out = np.empty((len(indices), *shape), dtype=self.dtype)
        for i, page in enumerate(self.read([int(n) for n in indices])):
            out[i] = page[rest]
        return out


def expanded(key: Any) -> tuple[Any, ...]:
    """An index as one entry an axis (z, y, x)."""
    keys = key if isinstance(key, tuple) else (key,)
    if any(k is Ellipsis for k in keys):
        at = next(i for i, k in enumerate(keys) if k is Ellipsis)
        keys = (*keys[:at], *(slice(None) for _ in range(4 - len(keys))), *keys[at + 1 :])
    if len(keys) > 3:
        raise IndexError(f"a volume has three axes, not {len(keys)}")
    return (*keys, *(slice(None) for _ in range(3 - len(keys))))
