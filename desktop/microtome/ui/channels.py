"""How many channels the images of a project will have, as far as that can be told while a page waits."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from microtome.errors import MicrotomeError
from microtome.session import Session


def channels_of(session: Session) -> int:
    """1, or 3 in colour; of "auto" by the first image of each class: cutting looks at all of them."""
    project = session.project
    entries = [] if project is None else [v for v in project.volumes if v.class_name]
    wanted = str(session.value("micrographs.colour"))
    if project is None or not entries or wanted == "grey" or not all(v.images for v in entries):
        return 1
    if wanted == "rgb":
        return 3
    first = {v.class_name: project.resolve(v) for v in reversed(entries)}
    return 3 if 2 * sum(map(_is_coloured, first.values())) > len(first) else 1


def _is_coloured(path: Path) -> bool:
    from microtome.volumes.images.colours import is_coloured

    try:
        return is_coloured(_first(str(path), path.stat().st_mtime_ns))
    except (MicrotomeError, OSError):
        return False  # said where it is opened


@lru_cache(maxsize=256)
def _first(path: str, _changed: int) -> Path:
    from microtome.slices.micrographs.flat import image_files

    return image_files(path)[0]
