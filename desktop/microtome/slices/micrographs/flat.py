"""The micrographs of a class: files by folder, pattern or table of labels, without masks, each with its specimen and set."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.slices.micrographs.labels import Labelled, Labels, read_labels
from microtome.slices.micrographs.masks import split_masks
from microtome.slices.plan import ClassSource, Micrographs
from microtome.store.atomic import explain
from microtome.volumes.images.folder import images_in, natural
from microtome.volumes.images.image import read_image

_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Flat:
    """One micrograph: its file; the groups that it belongs to; its set and pixel size where a table gives them."""

    path: Path
    groups: tuple[str, ...] = ()
    set_name: str = ""
    pixel_size: float | None = None
    unit: str = ""


def image_files(pattern: str) -> list[Path]:
    """The image files of a folder, a glob pattern or a single path, in natural order; FileError where there are none."""
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        files = images_in(path)
    else:
        # Path.glob takes no absolute patterns.
        files = sorted((Path(f) for f in glob.glob(pattern, recursive=True) if Path(f).is_file()), key=natural)  # noqa: PTH207
    if not files:
        raise FileError(f"There are no images at {pattern}.", "Give a folder of images, or a pattern like folder/*.tif.")
    return files


def micrographs_of(source: ClassSource) -> tuple[list[Flat], list[str]]:
    """The micrographs of a class and what was left out or guessed, in words.

    Files come from the class's own patterns; without any, and where there is a table of labels, from its rows of this class.
    A table gives groups and sets to files of patterns too. Raises FileError and InputError for files, tables and groups that
    make no sense.
    """
    settings = source.micrographs
    said: list[str] = []
    rows: Mapping[Path, Labelled] = {}
    if settings.labels:
        table = labels_of(settings)
        rows = {r.path.resolve(): r for r in table.rows}
        said += table.findings
    files: list[Path] = []
    for pattern in source.images:
        found = image_files(pattern)
        if settings.masks and not Path(pattern).is_file():
            found, masks = split_masks(found, _grey, root=_root(pattern))
            said += [_left_out(source.name, masks)] if masks else []
        files += found
    if not source.images and settings.labels and not (source.volumes or source.simulated):
        files = [r.path for r in rows.values() if r.class_name == source.name]
        if not files:
            raise InputError(
                f"{settings.labels} has no image of class “{source.name}”.",
                f"Its classes are {', '.join(labels_of(settings).classes)}.",
            )
    return [_flat(file, rows.get(file.resolve()), settings) for file in dict.fromkeys(files)], said


def labels_of(settings: Micrographs) -> Labels:
    """The table of labels of some settings, read once for all classes."""
    path = Path(settings.labels)
    try:
        state = path.stat()
    except OSError as error:
        raise explain(error, path, "read the labels") from error
    return _labels(settings, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2)
def _labels(settings: Micrographs, _changed: int, _size: int) -> Labels:
    groups = [g.strip() for g in settings.group_columns.split(",") if g.strip()]
    return read_labels(
        Path(settings.labels),
        image=settings.image_column,
        label=settings.class_column,
        groups=groups,
        set_column=settings.set_column,
    )


def _grey(path: Path) -> NDArray[Any]:
    return read_image(path)[0]


def _root(pattern: str) -> Path:
    """The folder of a pattern: all before its first wildcard."""
    parts = Path(pattern).parts
    plain = next((i for i, p in enumerate(parts) if glob.has_magic(p)), len(parts))
    return Path(*parts[:plain])


def _left_out(name: str, masks: Sequence[Path]) -> str:
    names = ", ".join(m.name for m in masks[:_NAMED]) + (", …" if len(masks) > _NAMED else "")
    return f"{len(masks)} masks beside the images of “{name}” were left out: {names}."


def _flat(file: Path, row: Labelled | None, settings: Micrographs) -> Flat:
    groups = [] if row is None else [f"{column} {value}" for column, value in row.groups]
    if settings.group:
        groups.append(_group(file, settings.group))
    if row is None:
        return Flat(path=file, groups=tuple(groups))
    return Flat(path=file, groups=tuple(groups), set_name=row.set_name, pixel_size=row.pixel_size, unit=row.unit)


def _group(file: Path, pattern: str) -> str:
    if pattern == "folder":
        return f"folder {file.resolve().parent}"
    try:
        match = re.search(pattern, file.as_posix())
    except re.error as error:
        raise InputError(f"micrographs.group is no regular expression: {error}.", r"Write folder, or specimen(\d+).") from error
    if match is None:
        raise InputError(
            f"Nothing in {file} matches micrographs.group, “{pattern}”.",
            "Write a pattern that every path has, or leave it empty.",
        )
    return "name " + " ".join(match.groups(default="") or (match[0],))
