"""What a drop may add: one candidate a volume or folder of images, with its class; and what must be asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from microtome.errors import MicrotomeError
from microtome.questions import Choice, Question
from microtome.volumes.copies.copying import copy_bytes, needs_copy
from microtome.volumes.drop import DropItem, examine, examine_one
from microtome.volumes.grey import BRIGHTNESS_TAKEN
from microtome.volumes.memory import fits_whole
from microtome.volumes.read import Description, describe, open_volume

#: What file names say of shape and type is no part of a class's name: cement_128x128x128_uint8.
_SIZES = re.compile(r"[ _-]*\d+x\d+(x\d+)?([ _-]*(u?int|float)\d+)?$", re.IGNORECASE)
Naming = Literal["file", "folder"]


@dataclass(frozen=True)
class Candidate:
    """One thing that may be added. `ways`: how it can be understood, the one in use first ("volume", "images")."""

    description: Description
    folder: str = ""  # the folder that would give the class its name
    ways: tuple[str, ...] = ()
    answer: str = ""  # what was chosen of a file that holds several volumes: "/entry/data"
    slow: str = ""  # why it is worth a fast copy
    copy_bytes: int = 0  # that the copy takes

    @property
    def name(self) -> str:
        """What it is called in the project: the file, and what of it."""
        return f"{self.description.name} · {self.answer}" if self.answer else self.description.name

    def class_name(self, naming: Naming) -> str:
        """The class that is proposed."""
        path = Path(self.description.path)
        own = path.name if path.is_dir() else _SIZES.sub("", path.name.split(".")[0]) or path.stem
        return self.folder or own if naming == "folder" else own


@dataclass(frozen=True)
class Asked:
    """A file that can be added once its question is answered; `options` are the answers so far, `said` in words."""

    path: str
    question: Question
    reason: str
    options: dict[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    folder: str = ""
    file_bytes: int = 0

    @property
    def name(self) -> str:
        """The file's name."""
        return Path(self.path).name


@dataclass
class Dropped:
    """What a drop holds: candidates, questions, sentences about what cannot be used, and projects to open."""

    candidates: list[Candidate] = field(default_factory=list)
    questions: list[Asked] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)  # (item, sentence)
    projects: list[Path] = field(default_factory=list)
    naming: Naming = "file"


def look_at(paths: list[Path]) -> Dropped:
    """Read the headers of what was dropped (in a background thread); a bad item is a sentence, the rest is kept."""
    found = Dropped()
    folders: list[Path] = []
    for item in examine(paths):
        path = Path(item.path)
        inside = next((f for f in folders if f in path.parents), None)
        if item.description is not None and item.description.kind == "classes folder":
            folders.append(path)
        if item.description is None:
            _gather_rest(found, item, "" if inside is None else _class_folder(inside, path), {}, ())
        elif item.description.kind == "project":
            found.projects.append(Path(item.description.path))
        else:
            _gather(found, item.description, "")
    return found


def answered(asked: Asked, choices: Sequence[Choice]) -> Dropped:
    """What a file is under each of the answers (in a background thread): candidates, next questions, or why it cannot be."""
    found = Dropped()
    for choice in choices:
        options, said = {**asked.options, **choice.options}, (*asked.said, choice.label)
        item = examine_one(asked.path, options)
        if item.description is None:
            _gather_rest(found, item, asked.folder, options, said)
        else:
            words = "" if asked.question.kind == "raw" else " · ".join(said)
            found.candidates.append(_candidate(item.description, asked.folder, words))
    return found


def _gather_rest(found: Dropped, item: DropItem, folder: str, options: dict[str, Any], said: tuple[str, ...]) -> None:
    """What is not known yet, or cannot be used at all."""
    if item.question is None:
        found.problems.append((Path(item.path).name, item.error))
        return
    path = Path(item.path)
    size = path.stat().st_size if path.is_file() else 0
    found.questions.append(Asked(item.path, item.question, item.error, options, said, folder, size))


def _class_folder(dropped: Path, path: Path) -> str:
    """The folder that would give the class its name: the one below what was dropped, else that itself."""
    parts = path.relative_to(dropped).parts
    return parts[0] if len(parts) > 1 else dropped.name


def _gather(found: Dropped, description: Description, folder: str) -> None:
    if description.kind != "classes folder":
        found.candidates.append(_candidate(description, folder))
        return
    found.problems += [(description.name, finding) for finding in description.findings]
    for child in description.children:
        nested = Path(child.path).is_dir()
        if nested:
            found.naming = "folder"
        # A folder of folders: each is a class. A folder of files: the folder may be one class, or each file one.
        _gather(found, child, folder or Path(child.path if nested else description.path).name)


def _candidate(description: Description, folder: str, answer: str = "") -> Candidate:
    """A candidate, opened where it is so large that it may be slow to read."""
    made = Candidate(description, folder, _ways(description), answer)
    if description.kind != "volume" or fits_whole(description.memory_bytes):
        return made
    try:
        volume = open_volume(description.path, **description.options)
    except MicrotomeError:
        return made  # it was readable a moment ago: what happened since is said when it is opened
    return replace(made, slow=needs_copy(volume), copy_bytes=copy_bytes(volume))


def _ways(description: Description) -> tuple[str, ...]:
    if description.kind == "images folder":
        return ("images", "volume") if description.shape is not None else ("images",)
    if description.kind == "volume" and description.reader == "folder":
        # Voxels have no colour: what is in colour was taken by a camera, an image at a time.
        return ("images", "volume") if BRIGHTNESS_TAKEN in description.findings else ("volume", "images")
    return ()


def understood(candidate: Candidate, way: str) -> Description:
    """The description under another way to understand a folder; may read headers. MicrotomeError where it cannot be."""
    description = candidate.description
    if not way or (way == "images") == (description.kind == "images folder"):
        return description
    if way == "images":
        return replace(description, kind="images folder", options={})
    return describe(description.path, reader="folder")
