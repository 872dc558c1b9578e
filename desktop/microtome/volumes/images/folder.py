"""Folders: what lies in them, and slices in natural order as one volume."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.plugin import RawVolume
from microtome.store.atomic import explain
from microtome.volumes.images.image import TIFF, image_report, image_size, is_image, read_image
from microtome.volumes.lazy import PagedArray
from microtome.volumes.scale.companions import stack_companions
from microtome.volumes.scale.weigh import Reported, Weighed, weigh

_FEWEST_SLICES = 3
_CLEAR_SERIES = 8  # slices from which on a stray image beside them is told from a second series
_MOST_NAMED = 6
_ALIKE = 1e-3


def natural(path: Path) -> list[tuple[int, int | str]]:
    """A key that sorts 2 before 10, by the name alone."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(p)) if p.isdecimal() else (1, p) for p in parts if p]


def entries(folder: Path) -> list[Path]:
    """What lies in a folder in natural order, without hidden things; FileError where it cannot be read."""
    try:
        return sorted((p for p in folder.iterdir() if not p.name.startswith((".", "__"))), key=natural)
    except OSError as error:
        raise explain(error, folder, "read the folder") from error


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder in natural order."""
    return [p for p in entries(folder) if is_image(p) and p.is_file()]


def numbering(files: Sequence[Path]) -> list[int] | None:
    """The running numbers of a series of slices: the one number in the names that differs; None where they are no series.

    `im001.tif, im002.tif` and `0.png … 29.png` are series, `a_1_th.bmp, a_2_sem.bmp` is not.
    """
    split = [re.split(r"(\d+)", f.name) for f in files]
    if len({len(s) for s in split}) != 1:
        return None
    columns = list(zip(*split, strict=True))
    varying = [i for i, column in enumerate(columns) if len({int(c) if i % 2 else c for c in column}) > 1]
    if len(varying) != 1 or varying[0] % 2 == 0:
        return None
    numbers = [int(c) for c in columns[varying[0]]]
    return numbers if len(set(numbers)) == len(numbers) else None


def series_in(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The slices among the images of a folder, and what lies beside them (an overview, a thumbnail): few to a clear series.

    Where there is no clear series all images are slices.
    """
    groups: dict[str, list[Path]] = {}
    for file in files:
        groups.setdefault(re.sub(r"\d+", "#", file.name), []).append(file)
    largest = max(groups.values(), key=len, default=[])
    beside = [f for f in files if f not in set(largest)]
    if not beside or len(largest) < _CLEAR_SERIES or len(beside) > max(1, len(largest) // 10) or numbering(largest) is None:
        return list(files), []
    return largest, beside


def is_stack(files: Sequence[Path]) -> bool:
    """Whether the images of a folder are the slices of one volume: a numbered series of one size, one image a file."""
    slices, _ = series_in(files)
    if len(slices) < _FEWEST_SLICES or numbering(slices) is None or multipage(slices[0]):
        return False
    try:
        return len({image_size(f) for f in slices}) == 1
    except FileError:
        return True  # a damaged slice is said when the stack is opened


def multipage(file: Path) -> bool:
    """Whether an image file is a TIFF of several pages, by its header."""
    from microtome.volumes.tiff.header import bones

    if file.suffix.lower() not in TIFF:
        return False
    try:
        return len(bones(file, most=2).sizes) > 1
    except FileError:
        return False


def _gaps(numbers: Sequence[int]) -> str:
    """What is said of missing numbers in a series, "" where none is missing."""
    present = sorted(numbers)
    steps = np.diff(present)
    usual = max(1, int(np.median(steps))) if len(steps) else 1
    runs = [(a + usual, (b - a - 1) // usual) for a, b in itertools.pairwise(present) if b - a > usual]
    count = sum(n for _, n in runs)
    if not count:
        return ""
    shown = [str(first) if n == 1 else f"{first} to {first + (n - 1) * usual}" for first, n in runs[:_MOST_NAMED]]
    names = ", ".join(shown) + (f", … ({count} in all)" if len(runs) > _MOST_NAMED else "")
    one = count == 1
    return f"{'Slice' if one else 'Slices'} {names} {'is' if one else 'are'} missing; their neighbours were joined."


def open_folder(folder: Path) -> RawVolume:
    """The images of a folder, in natural order, as the slices of one volume, read when they are needed.

    Raises FileError for a folder without images or with a damaged one, InputError where the images differ in size or kind.
    """
    files, beside = series_in(images_in(folder))
    if not files:
        raise FileError(f"There are no images in {folder}.", "Choose a folder with TIFF, PNG, BMP or JPEG slices.")
    sizes = [image_size(f) for f in files]
    for file, size in zip(files, sizes, strict=True):
        if size != sizes[0]:
            raise InputError(
                f"The images in {folder} differ in size: {files[0].name} is {sizes[0][0]} × {sizes[0][1]}, "
                f"{file.name} is {size[0]} × {size[1]}.",
                "The slices of a volume are of one size: move the others out.",
            )
    first, findings = read_image(files[0])
    findings = (*findings, *_order_findings(files, beside))
    scale = _scale(folder, files, sizes[0][1])

    def read(indices: Sequence[int]) -> Iterator[NDArray[Any]]:
        for i in indices:
            page, _ = read_image(files[i])
            if page.shape != first.shape or page.dtype != first.dtype:
                raise InputError(
                    f"{files[i]} is {page.shape} {page.dtype}, {files[0].name} is {first.shape} {first.dtype}.",
                    "The slices of a volume are alike: export them in one go.",
                )
            yield page

    return RawVolume(
        voxels=PagedArray(shape=(len(files), *first.shape), dtype=first.dtype, read=read, name=str(folder)),
        voxel_size=scale.voxel_size,
        source=str(folder),
        findings=(*findings, *scale.findings),
        metadata=scale.metadata,
    )


def _order_findings(files: Sequence[Path], beside: Sequence[Path]) -> tuple[str, ...]:
    """What is said of the names: gaps, no series, what was left out."""
    said: list[str] = []
    numbers = numbering(files)
    if numbers is None and len(files) > 1:
        said.append("The names are not one numbered series; the images were stacked in the order of their names.")
    elif numbers is not None and (gaps := _gaps(numbers)):
        said.append(gaps)
    if beside:
        names = ", ".join(f.name for f in beside[:_MOST_NAMED]) + (", …" if len(beside) > _MOST_NAMED else "")
        verbs = ("is", "was") if len(beside) == 1 else ("are", "were")
        said.append(f"{names} {verbs[0]} beside the numbered series and {verbs[1]} left out.")
    return tuple(said)


def _scale(folder: Path, files: Sequence[Path], width: int) -> Weighed:
    """The voxel size by the first slice's header and the folder's companions; slices that say otherwise are named."""
    report = image_report(files[0])
    said: list[str] = []
    for file in {files[len(files) // 2], files[-1]} - {files[0]}:
        other = weigh(image_report(file), 1).voxel_size
        own = weigh(report, 1).voxel_size
        if own is not None and other is not None and max(abs(a / b - 1) for a, b in zip(own, other, strict=True)) > _ALIKE:
            said.append(
                f"The slices were not taken at one scale: the pixel of {files[0].name} is {own[1]:g} × {own[2]:g} nm, "
                f"that of {file.name} {other[1]:g} × {other[2]:g} nm."
            )
    # A stack of one file is a single image, for which the pixel is enough.
    return weigh(report + stack_companions(folder, width) + Reported(findings=tuple(sorted(said))), len(files))
