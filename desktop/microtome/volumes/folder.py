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
from microtome.volumes.images import TIFF, image_size, is_image, read_image
from microtome.volumes.lazy import PagedArray

_FEWEST_SLICES = 3


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


def is_stack(files: Sequence[Path]) -> bool:
    """Whether the images of a folder are the slices of one volume: a numbered series of one size, one image a file."""
    if len(files) < _FEWEST_SLICES or numbering(files) is None or multipage(files[0]):
        return False
    try:
        return len({image_size(f) for f in files}) == 1
    except FileError:
        return True  # a damaged slice is said when the stack is opened


def multipage(file: Path) -> bool:
    """Whether an image file is a TIFF of several pages, by its header."""
    from microtome.volumes.tiffheader import bones

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
    usual = int(np.median(steps)) if len(steps) else 1
    missing = [n for a, b in itertools.pairwise(present) for n in range(a + usual, b, max(1, usual))][:1000]
    if not missing:
        return ""
    names = ", ".join(str(n) for n in missing[:5]) + (", …" if len(missing) > 5 else "")
    one = len(missing) == 1
    return f"{'Slice' if one else 'Slices'} {names} {'is' if one else 'are'} missing; their neighbours were joined."


def open_folder(folder: Path) -> RawVolume:
    """The images of a folder, in natural order, as the slices of one volume, read when they are needed.

    Raises FileError for a folder without images or with a damaged one, InputError where the images differ in size or kind.
    """
    files = images_in(folder)
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
    numbers = numbering(files)
    if numbers is None and len(files) > 1:
        findings = (*findings, "The names are not one numbered series; the images were stacked in the order of their names.")
    elif numbers is not None and (gaps := _gaps(numbers)):
        findings = (*findings, gaps)

    def read(indices: Sequence[int]) -> Iterator[NDArray[Any]]:
        for i in indices:
            page, _ = read_image(files[i])
            if page.shape != first.shape or page.dtype != first.dtype:
                raise InputError(
                    f"{files[i]} is {page.shape} {page.dtype}, {files[0].name} is {first.shape} {first.dtype}.",
                    "The slices of a volume are alike: export them in one go.",
                )
            yield page

    voxels = PagedArray(shape=(len(files), *first.shape), dtype=first.dtype, read=read, name=str(folder))
    return RawVolume(voxels=voxels, source=str(folder), findings=findings)
