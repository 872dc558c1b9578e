"""Personal settings that never change a result: recent projects, theme, language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from microtome.errors import MicrotomeError
from microtome.paths import config_dir
from microtome.store.atomic import FORMAT, read_json, write_json

_RECENT = 10


def load() -> dict[str, Any]:
    """The settings; a missing or damaged file counts as empty."""
    try:
        data = read_json(config_dir() / "settings.json")
    except MicrotomeError:
        return {}
    data.pop(FORMAT, None)
    return data


def put(key: str, value: Any) -> None:
    """Keep one setting; where the folder cannot be written it is forgotten, since nothing hangs on it."""
    try:
        write_json(config_dir() / "settings.json", {**load(), key: value})
    except MicrotomeError:
        return


def recent() -> list[Path]:
    """Recent projects that still exist, newest first."""
    return [Path(p) for p in load().get("recent", []) if (Path(p) / "project.json").is_file()]


def add_recent(path: Path) -> None:
    """Move a project to the front of the recent ones."""
    rest = [str(p) for p in recent() if p != path]
    put("recent", [str(path), *rest][:_RECENT])
