"""What a drop of files and folders means: each item described from its headers, or a sentence that says why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from microtome.errors import MicrotomeError
from microtome.volumes.folder import images_in, is_stack
from microtome.volumes.images import is_image
from microtome.volumes.read import Description, describe


@dataclass(frozen=True, kw_only=True)
class DropItem:
    """One thing of a drop: its description, or `error` (one sentence with what to do) where it cannot be used.

    A folder of classes carries its volumes as the description's `children`.
    """

    path: str
    description: Description | None = None
    error: str = ""


def examine(paths: Iterable[str | Path]) -> list[DropItem]:
    """Describe what was dropped, in its order; one bad item never hides the others. Reads headers: for a background thread.

    All slices of a folder dropped as files are that folder: one volume. What cannot be read inside a folder is an item of
    its own behind the folder's.
    """
    items: list[DropItem] = []
    for path in _gathered([Path(p) for p in paths]):
        try:
            found = describe(path)
        except MicrotomeError as error:
            items.append(DropItem(path=str(path), error=str(error)))
            continue
        items.append(DropItem(path=str(path), description=found))
        items.extend(DropItem(path=at, error=words) for at, words in _problems(found))
    return items


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
        if len(mine) > 1 and mine == {p.name for p in everything} and is_stack(everything):
            stacks.add(folder)
    return list(dict.fromkeys(p.parent if p in images and p.parent in stacks else p for p in unique))
