"""Microtome: cut volumes into slices, train networks on them, let evolution find the best one.

The names below are a promise to scripts; they are imported when first used, for a fast start.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from microtome.errors import MicrotomeError
    from microtome.search.driver import run
    from microtome.search.optimise import search
    from microtome.slices.planes.cut import cut
    from microtome.training.build import build_network
    from microtome.volumes.read import open_volume

_HOMES = {
    "MicrotomeError": "microtome.errors",
    "open_volume": "microtome.volumes.read",
    "cut": "microtome.slices.planes.cut",
    "build_network": "microtome.training.build",
    "search": "microtome.search.optimise",
    "run": "microtome.search.driver",
}
__all__ = ["MicrotomeError", "__version__", "build_network", "cut", "open_volume", "run", "search"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'microtome' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
