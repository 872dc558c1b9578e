"""What a drop of files and folders means: each item described from its headers, or a sentence that says why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microtome.errors import MicrotomeError
from microtome.questions import Question, QuestionError
from microtome.volumes.images.folder import images_in, is_stack, series_in
from microtome.volumes.images.image import is_image
from microtome.volumes.read import Description, describe


@dataclass(frozen=True, kw_only=True)
class DropItem:
    """One thing of a drop: its description, or `error` (one sentence with what to do) where it cannot be used.

    A folder of classes carries its volumes as the description's `children`. Where a `question` stands beside the error, the
    item can be used once it is answered: `examine_one(path, options)` with the choice's options is then the next step.
    """

    path: str
    description: Description | None = None
    error: str = ""
    question: Question | None = None


def examine(paths: Iterable[str | Path]) -> list[DropItem]:
    """Describe what was dropped, in its order; one bad item never hides the others. Reads headers: for a background thread.

    All slices of a folder dropped as files are that folder: one volume. What cannot be read inside a folder is an item of
    its own behind the folder's.
    """
    items: list[DropItem] = []
    for path in _gathered([Path(p) for p in paths]):
        item = examine_one(path)
        items.append(item)
        if item.description is not None:
            # A file of a folder may only need an answer: its question is asked as if it had been dropped by itself.
            items.extend(_again(at, words) for at, words in _problems(item.description))
    return items


def examine_one(path: str | Path, options: dict[str, Any] | None = None) -> DropItem:
    """Describe one item under reader options, as they stand in its question's choices."""
    try:
        return DropItem(path=str(path), description=describe(path, **(options or {})))
    except QuestionError as error:
        return DropItem(path=str(path), error=str(error), question=error.question)
    except MicrotomeError as error:
        return DropItem(path=str(path), error=str(error))


def _again(path: str, words: str) -> DropItem:
    item = examine_one(path)
    return item if item.question is not None else DropItem(path=path, error=words)


def _problems(description: Description) -> list[tuple[str, str]]:
    """What cannot be read in a folder and the folders below it."""
    below = [problem for child in description.children for problem in _problems(child)]
    return [*description.problems, *below]


def _gathered(paths: Sequence[Path]) -> list[Path]:
    """The paths without repetition; where they hold every slice of a stack, its folder in place of them."""
    unique = list(dict.fromkeys(paths))
    images = [p for p in unique if is_image(p) and p.is_file()]
    stacks: set[Path] = set()
    for folder in dict.fromkeys(p.parent for p in images):
        mine = {p.name for p in images if p.parent == folder}
        try:
            everything = images_in(folder)
        except MicrotomeError:
            continue
        if len(mine) > 1 and mine >= {p.name for p in series_in(everything)[0]} and is_stack(everything):
            stacks.add(folder)
    return list(dict.fromkeys(p.parent if p in images and p.parent in stacks else p for p in unique))
