"""How the pages of a TIFF make one stack: which image of several, which axis is z, which channel and point in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from microtome.errors import FileError, InputError
from microtome.questions import Choice, Question, QuestionError

if TYPE_CHECKING:
    import tifffile

_FLAT = "XYS"
_WORDS = {"C": ("channels", "channel"), "T": ("points in time", "time"), "I": ("images", "image")}
_MOST_CHOICES = 500
_FEW = 4  # channels: more images than that under this name are slices that a program has tagged wrongly

Axes = list[tuple[str, int]]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How pages make a stack: what to pick of further axes, and the page of each slice where one page is one."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    order: str  # "<" or ">"
    series: int = 0  # in the file's own list
    first: int = 0  # the page that tells how all of them are coded
    outer: tuple[int, ...] = ()  # lengths of the axes in front of y and x
    pick: tuple[int | slice, ...] = ()  # of these axes, where there is more than z
    pages: tuple[int, ...] | None = None
    files: tuple[Path, ...] = ()  # that each slice's page lies in, where they are several
    offset: int | None = None  # of all voxels, where they lie in one piece
    findings: tuple[str, ...] = ()


def layout_of(path: Path, file: tifffile.TiffFile, chosen: Mapping[str, int]) -> Layout:
    """The stack in a file; `chosen` are numbers from 0 (-1: not chosen) of the axes C and T and of the images I in it.

    Raises QuestionError where one must be chosen, FileError for a file that is only a part, InputError where there is no stack.
    """
    series = [s for s in file.series if not _aside(s)]
    if not series or min((*series[0].shape, 1)) < 1 or series[0].dtype is None:
        raise FileError(f"{path} holds no image.", "Export it again.")
    main = series[0]
    if len(series) > 1:
        stack = _alike(file, series)
        if stack is not None:
            return stack
        main = series[_chosen_image(path, file, series, chosen.get("I", -1))]
        chosen = {**chosen, "I": -1}
    pages = list(main.pages)  # walked once: each walk reads every page's tags anew
    if any(p is None for p in pages):
        raise FileError(
            f"{path} is only a part: planes of it lie in other files that are not there, or are missing.",
            "Put all files of the set into one folder, or export the stack as one file.",
        )
    return _one_series(path, file, main, pages, chosen)


def _aside(series: tifffile.TiffPageSeries) -> bool:
    """Whether a series is a smaller copy of another, or a mask."""
    page = series.keyframe
    return bool(page.is_reduced or page.is_mask) if page is not None else False


def _alike(file: tifffile.TiffFile, series: Sequence[Any]) -> Layout | None:
    """Pages of one size that differ in their coding only are one stack; None where they are more than one.

    So are pages that a program wrote one by one with tifffile, which describes each of them as an array of its own.
    """
    if not all(s.kind == "generic" or (s.kind == "shaped" and s.axes == "YX") for s in series):
        return None
    pages = [(i, p) for i, p in enumerate(file.pages) if not (p.keyframe.is_reduced or p.keyframe.is_mask)]
    if len({(p.shape, str(p.dtype)) for _, p in pages}) > 1:
        return None
    page = file.pages.first
    size = dict(zip(page.axes, page.shape, strict=True))
    return Layout(
        shape=(len(pages), size["Y"], size["X"]),
        dtype=page.dtype,
        order=file.byteorder,
        pages=tuple(i for i, _ in pages),
    )


def _chosen_image(path: Path, file: tifffile.TiffFile, series: Sequence[Any], chosen: int) -> int:
    """Which of several images is meant; QuestionError where that was not said."""
    if 0 <= chosen < len(series):
        return chosen
    names = _ome_names(file, "Image") if file.is_ome else []
    flat = [tuple(n for a, n in zip(s.axes, s.shape, strict=True) if a != "S") for s in series]
    sizes = {shape[-2:] for shape in flat}
    what = "images of different sizes or kinds" if len(sizes) > 1 else f"{len(series)} separate images"
    shown = " and ".join(" × ".join(str(n) for n in shape) for shape in flat[:2]) + (", …" if len(flat) > 2 else "")
    if chosen >= 0:
        raise InputError(f"{path} has {len(series)} images; there is no number {chosen}.", f"Give 0 to {len(series) - 1}.")
    choices = tuple(
        Choice(
            options={"image": i},
            label=f"image {i}" + (f" · {names[i]}" if i < len(names) and names[i] else ""),
            detail=f"{' × '.join(str(n) for n in shape)} {one.dtype}",
        )
        for i, (one, shape) in enumerate(zip(series, flat, strict=True))
    )
    raise QuestionError(
        f"{path} holds {what} ({shown}); slices of one volume are alike.",
        f"Choose one: image = 0 to {len(series) - 1}; or split it into one file a volume.",
        Question(text="Which of its images is the volume?", choices=choices[:_MOST_CHOICES]),
    )


def _one_series(
    path: Path, file: tifffile.TiffFile, main: tifffile.TiffPageSeries, every: Sequence[Any], chosen: Mapping[str, int]
) -> Layout:
    axes = _named(main)
    size = dict(axes)
    if len(size) != len(axes) or "Y" not in size or "X" not in size:
        raise InputError(f"{path} has the axes {main.axes}; a volume has z, y and x.", "Export it as a plain stack.")
    outer = [(a, n) for a, n in axes if a not in _FLAT]
    depth_axis, findings = _depth_axis(path, file, [(a, n) for a, n in outer if n > 1], chosen)
    pick: list[int | slice] = []
    for axis, n in outer:
        if axis == depth_axis:
            pick.append(slice(None))
            continue
        index = max(0, chosen.get(axis, -1))
        if index >= n:
            many, option = _WORDS.get(axis, (f"of the axis {axis}", axis))
            raise InputError(f"{path} has {n} {many}; there is no number {index}.", f"Give {option} = 0 to {n - 1}.")
        pick.append(index)
    depth = size[depth_axis] if depth_axis else 1
    picked = _pages_of(every, outer, pick)
    pages = picked if len(picked) == depth else []
    files = tuple(Path(p.parent.filehandle.path) for p in pages)
    return Layout(
        shape=(depth, size["Y"], size["X"]),
        dtype=main.dtype,
        order=file.byteorder,
        series=file.series.index(main),
        first=main.keyframe.index,
        outer=tuple(n for _, n in outer),
        pick=tuple(pick),
        pages=tuple(p.index for p in pages) if pages else None,
        files=files if len({*files}) > 1 or not all(p.parent is file for p in pages) else (),
        offset=main.dataoffset,
        findings=findings,
    )


def _named(main: tifffile.TiffPageSeries) -> Axes:
    """The axes with their lengths; of two that nobody named the first counts volumes, as numpy writes them."""
    names = list(main.axes)
    unknown = [i for i, a in enumerate(names) if a in "QI"]
    if len(unknown) == 2:
        names[unknown[0]], names[unknown[1]] = "I", "Z"
    elif len(unknown) == 1:
        names[unknown[0]] = "Z" if "Z" not in names else "I"
    return list(zip(names, main.shape, strict=True))


def _pages_of(every: Sequence[Any], outer: Axes, pick: Sequence[int | slice]) -> list[Any]:
    """The page of each slice, where every page of the series holds one plane; else none."""
    lengths = [n for _, n in outer]
    if len(every) != int(np.prod(lengths, dtype=np.int64)):
        return []
    chosen = np.arange(len(every)).reshape(lengths)[tuple(pick)] if lengths else np.zeros(1, int)
    return [every[int(i)] for i in np.atleast_1d(chosen).ravel()]


def _depth_axis(path: Path, file: tifffile.TiffFile, axes: Axes, chosen: Mapping[str, int]) -> tuple[str, tuple[str, ...]]:
    """Which axis is z ("": there is one image); what else is long must have been chosen of, or this asks."""
    left = [(a, n) for a, n in axes if chosen.get(a, -1) < 0]
    depths = [a for a, _ in left if a not in _WORDS]
    if len(depths) > 1:
        raise InputError(f"{path} has {len(left) + 2} axes; a volume has three.", "Export one volume of it.")
    if not depths and len(left) == 1 and (left[0][0] == "T" or left[0][1] > _FEW):
        axis, n = left[0]
        return axis, (f"Its {n} images are tagged as {_WORDS[axis][0]}; they were taken as slices.",)
    for axis, n in left:
        if axis in _WORDS:
            raise which_of(path, axis, n, _channel_names(file, n) if axis == "C" else ())
    return (depths[0] if depths else ""), ()


def which_of(path: Path, axis: str, n: int, names: Sequence[str] = ()) -> QuestionError:
    """The question which of `n` channels (C), points in time (T) or images (I) is the volume; `names` of the first of them."""
    many, option = _WORDS[axis]
    choices = tuple(
        Choice(options={option: i}, label=f"{option} {i}" + (f" · {names[i]}" if i < len(names) and names[i] else ""))
        for i in range(min(n, _MOST_CHOICES))
    )
    said = f" ({', '.join(names[:8])})" if any(names) else ""
    return QuestionError(
        f"{path} has {n} {many}{said}; a volume has one.",
        f"Choose one: {option} = 0 to {n - 1}.",
        Question(text=f"Which of its {n} {many} is the volume?", choices=choices),
    )


def _channel_names(file: tifffile.TiffFile, n: int) -> list[str]:
    """The channels' names of an OME or ImageJ file; none where it gives none."""
    if file.is_ome:
        return _ome_names(file, "Channel")[:n]
    words = file.imagej_metadata or {}
    labels = words.get("Labels")
    if isinstance(labels, list) and len(labels) >= n:
        return [str(name).splitlines()[0].strip() if str(name).strip() else "" for name in labels[:n]]
    return []


def _ome_names(file: tifffile.TiffFile, kind: str) -> list[str]:
    try:
        root = ElementTree.fromstring(file.ome_metadata or "")
    except (ElementTree.ParseError, ValueError):
        return []
    return [e.get("Name", "") for e in root.iter() if e.tag.rpartition("}")[2] == kind]
