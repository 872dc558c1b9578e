"""What a drop may add: one candidate a volume or folder of images, with the class it is proposed for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from microtome.volumes.drop import examine
from microtome.volumes.read import Description, describe

#: What file names say of shape and type is no part of a class's name: cement_128x128x128_uint8.
_SIZES = re.compile(r"[ _-]*\d+x\d+(x\d+)?([ _-]*(u?int|float)\d+)?$", re.IGNORECASE)
Naming = Literal["file", "folder"]


@dataclass(frozen=True)
class Candidate:
    """One thing that may be added. `ways`: how it can be understood, the one in use first ("volume", "images")."""

    description: Description
    folder: str = ""  # the folder that would give the class its name
    ways: tuple[str, ...] = ()

    def class_name(self, naming: Naming) -> str:
        """The class that is proposed."""
        path = Path(self.description.path)
        own = path.name if path.is_dir() else _SIZES.sub("", path.name.split(".")[0]) or path.stem
        return self.folder or own if naming == "folder" else own


@dataclass
class Dropped:
    """What a drop holds: candidates, sentences about what cannot be used, and projects to open."""

    candidates: list[Candidate] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)  # (item, sentence)
    projects: list[Path] = field(default_factory=list)
    naming: Naming = "file"


def look_at(paths: list[Path]) -> Dropped:
    """Read the headers of what was dropped (in a background thread); a bad item is a sentence, the rest is kept."""
    found = Dropped()
    for item in examine(paths):
        if item.description is None:
            found.problems.append((Path(item.path).name, item.error))
        elif item.description.kind == "project":
            found.projects.append(Path(item.description.path))
        else:
            _gather(found, item.description, "")
    return found


def _gather(found: Dropped, description: Description, folder: str) -> None:
    if description.kind != "classes folder":
        found.candidates.append(Candidate(description, folder, _ways(description)))
        return
    for child in description.children:
        nested = Path(child.path).is_dir()
        if nested:
            found.naming = "folder"
        # A folder of folders: each is a class. A folder of files: the folder may be one class, or each file one.
        _gather(found, child, folder or Path(child.path if nested else description.path).name)


def _ways(description: Description) -> tuple[str, ...]:
    if description.kind == "images folder":
        return ("images", "volume") if description.shape is not None else ("images",)
    if description.kind == "volume" and Path(description.path).is_dir():
        return ("volume", "images")
    return ()


def understood(candidate: Candidate, way: str) -> Description:
    """The description under another way to understand a folder; may read headers. MicrotomeError where it cannot be."""
    description = candidate.description
    if not way or way == candidate.ways[0]:
        return description
    if way == "images":
        return replace(description, kind="images folder", options={})
    return describe(description.path, reader="folder")
