"""Masks that lie beside micrographs: told from the images by their names and, where names are not enough, by their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import MicrotomeError

_CLEAR = "mask masks seg segm segmentation labelmap gt groundtruth annot annotation annotations"
_VAGUE = "segmented label labels labeled labelled binary bin th thresh threshold roi prediction pred"
_SURE = frozenset(_CLEAR.split())
_WORDS = _SURE | frozenset(_VAGUE.split())
_FEW = 16  # grey values: more than a mask of some phases has, fewer than any micrograph


def _words(stem: str) -> list[str]:
    return [w for w in re.split(r"[\s_.\-]+", stem.lower()) if w]


def _folder_is(path: Path) -> bool:
    return any(w in _WORDS for w in _words(path.parent.name))


def split_masks(
    files: Sequence[Path], read: Callable[[Path], NDArray[Any]], *, root: Path | None = None
) -> tuple[list[Path], list[Path]]:
    """(images, masks) among some files, in their order; `read` gives the grey values of one.

    A name with mask, seg, gt, … beside an image of the same name without that word is a mask (a_mask.png beside a.png, or
    beside a_sem.png); other names of the kind (…_th, …_label, a folder masks/ below `root`) are where they hold a few grey
    values only. What cannot be read is left among the images, so that it is said when they are opened.
    """
    plain: dict[tuple[str, ...], int] = {}
    for file in files:
        words = _words(file.stem)
        if not _marked(file, root):
            for key in {tuple(words), tuple(words[:-1]), tuple(words[1:])} - {()}:
                plain[key] = plain.get(key, 0) + 1
    images: list[Path] = []
    masks: list[Path] = []
    for file in files:
        marked = _marked(file, root)
        is_mask = bool(marked) and ((marked <= _SURE and _rest(file) in plain) or _few_values(file, read))
        (masks if is_mask else images).append(file)
    return (images, masks) if images else (list(files), [])


def _marked(file: Path, root: Path | None) -> set[str]:
    """The words of a mask at either end of a name, or of its folder below `root`."""
    words = _words(file.stem)
    found = {w for w in (words[:1] + words[-1:] if len(words) > 1 else words) if w in _WORDS}
    below = root is not None and file.parent != root and root in file.parents
    return found | ({"folder"} if below and _folder_is(file) else set())


def _rest(file: Path) -> tuple[str, ...]:
    words = _words(file.stem)
    if len(words) > 1 and words[-1] in _WORDS:
        return tuple(words[:-1])
    return tuple(words[1:]) if words and words[0] in _WORDS else tuple(words)


def _few_values(file: Path, read: Callable[[Path], NDArray[Any]]) -> bool:
    try:
        return len(np.unique(read(file))) <= _FEW
    except MicrotomeError:
        return False
