"""Older files are brought to today's format by one decorated function a version; newer ones open read-only."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microtome.errors import NewerFormatError
from microtome.store.atomic import FORMAT, read_json, write_json

Step = Callable[[dict[str, Any]], dict[str, Any]]
_steps: dict[tuple[str, int], Step] = {}


def migration(kind: str, start: int) -> Callable[[Step], Step]:
    """Register the step that brings a `kind` file from version `start` to `start + 1`."""

    def decorate(step: Step) -> Step:
        _steps[kind, start] = step
        return step

    return decorate


def load(path: Path, kind: str, version: int) -> dict[str, Any]:
    """Read a JSON file of ours in today's `version`; an older one is migrated in memory and saved after a copy.

    Raises NewerFormatError where the file is newer than this program.
    """
    data = read_json(path)
    found = int(data.get(FORMAT, 1))
    if found > version:
        raise NewerFormatError(
            f"{path} was written by a newer Microtome (format {found}, this one knows {version}).",
            "It opens read-only; install the newer version to change it.",
        )
    if found < version:
        for step in range(found, version):
            data = {**_steps[kind, step](data), FORMAT: step + 1}
        shutil.copy2(path, path.with_suffix(f".v{found}{path.suffix}"))
        write_json(path, {k: v for k, v in data.items() if k != FORMAT}, version)
    return data
