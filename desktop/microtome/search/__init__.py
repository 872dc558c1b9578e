"""Recipes, search spaces, engines, trials in parallel, and the driver of a run."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _CallableModule(ModuleType):
    """`microtome.search` names this package and the function that is promised to scripts: calling one calls the other."""

    def __call__(self, *positional: Any, **named: Any) -> Any:
        from microtome.search.optimise import search

        return search(*positional, **named)


# Importing this package puts it into `microtome` under the function's name, whatever was there before.
sys.modules[__name__].__class__ = _CallableModule
