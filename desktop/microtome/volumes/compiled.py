"""The decorator of compiled loops: without Python's lock, and kept on disk where there is a place to keep them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

from microtome.paths import cache_dir

F = TypeVar("F", bound=Callable[..., Any])


def _can_cache() -> bool:
    """True where compiled code can be kept: beside this file, or else below the user's cache folder."""
    if os.access(Path(__file__).parent, os.W_OK):
        return True
    folder = cache_dir() / "numba"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    numba.config.CACHE_DIR = str(folder)
    return os.access(folder, os.W_OK)


_CACHE = _can_cache()


def compiled(function: F) -> F:
    """Compile a loop over numpy arrays when it is first called."""
    loop: F = numba.njit(nogil=True, cache=_CACHE)(function)
    return loop


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a piece of a loop into each loop that calls it (numba's numbers are not Python's: its types are its own)."""
    piece: Callable[..., Any] = numba.njit(nogil=True, cache=_CACHE, inline="always")(function)
    return piece
