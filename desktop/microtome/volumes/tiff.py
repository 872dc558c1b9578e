"""TIFF stacks: in every legal form a lazy grey array (z, y, x), or a sentence that says why not."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.plugin import LazyArray, RawVolume
from microtome.volumes.grey import GreyRule, colour_words, to_grey
from microtome.volumes.lazy import PagedArray, need_memory
from microtome.volumes.scale import weigh
from microtome.volumes.tiffheader import bones
from microtome.volumes.tiffsize import tiff_report

if TYPE_CHECKING:
    import tifffile

DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    OSError,
    EOFError,
    MemoryError,
    RuntimeError,  # every codec's own error is one
    struct.error,
)
"""What tifffile and its codecs are known to raise on damaged files."""
_FLAT = "XYS"
_MOST_PAGES_CHECKED = 50_000
_TIGHTEST = {1: 1, 5: 4096, 8: 1100, 32773: 128, 32946: 1100}
"""How much the codecs (none, LZW, Deflate, PackBits) can shrink at best: a page that claims more is damaged."""

# What tifffile says of a damaged file is said in our own sentence; its log lines would only spoil a terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
logging.getLogger("tifffile").propagate = False


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How pages make a stack: what to pick of further axes, and the page of each slice where one page is one."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    order: str  # "<" or ">"
    pick: tuple[int | slice, ...] = ()  # of the axes in front of y and x, for a file that is read as a whole
    pages: tuple[int, ...] | None = None
    offset: int | None = None  # of the voxels, where they lie in one piece
    findings: tuple[str, ...] = ()


@contextmanager
def opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF; whatever its parser or a codec raises on damage becomes a FileError with the reason."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            yield file
    except MicrotomeError:
        raise
    except DAMAGE as error:
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise FileError(f"{path} is damaged and cannot be read ({reason}).", "Copy or export it again.") from error


def open_tiff(path: Path, *, channel: int = -1, time: int = -1) -> RawVolume:
    """The stack in a TIFF file, memory-mapped where it lies in one piece, else read by pages as they are needed.

    `channel` and `time` choose of a file with several (-1: there is nothing to choose). Raises FileError for a damaged or
    truncated file, InputError for one that is no grey volume.
    """
    chain = bones(path)
    if chain.broken:
        raise FileError(
            f"{path} is incomplete: {chain.broken} ({len(chain.sizes)} whole pages are there).", "Copy or export it again."
        )
    if not chain.sizes:
        raise FileError(f"{path} holds no image.", "Export it again.")
    # A damaged header makes tifffile divide by zero in numpy: that is an error below, not a warning on the terminal.
    with opened(path) as file, np.errstate(all="ignore"):
        layout = _layout(path, file, {"C": channel, "T": time})
        _check_sizes(path, layout, chain.sizes)
        page = file.pages.first
        rule = _rule(path, page)
        _check_segments(path, file, layout, chain.file_bytes)
        findings = layout.findings
        if rule.colour:
            findings = (*findings, *_colour_findings(path, page, rule))
        scale = weigh(tiff_report(file), layout.shape[0])
    return RawVolume(
        voxels=_array(path, layout, rule),
        voxel_size=scale.voxel_size,
        source=str(path),
        findings=(*findings, *scale.findings, *rule.findings),
        metadata=scale.metadata,
    )


def _layout(path: Path, file: tifffile.TiffFile, chosen: dict[str, int]) -> _Layout:
    _check_promise(path, file)
    series = [s for s in file.series if not _reduced(s)]
    if not series or min((*series[0].shape, 1)) < 1 or series[0].dtype is None:
        raise FileError(f"{path} holds no image.", "Export it again.")
    if len(series) > 1:
        return _many_series(path, file, series)
    main = series[0]
    if any(p is None for p in main.pages):
        raise FileError(
            f"{path} is only a part: planes of it lie in other files that are not there, or are missing.",
            "Put all files of the set into one folder, or export the stack as one file.",
        )
    return _one_series(path, main, chosen, file.byteorder)


def _reduced(series: tifffile.TiffPageSeries) -> bool:
    page = series.keyframe
    return bool(page.is_reduced) if page is not None else False


def _check_promise(path: Path, file: tifffile.TiffFile) -> None:
    """Raise FileError where ImageJ's or tifffile's header promises more images than the file holds."""
    words = file.imagej_metadata or {}
    promised = words.get("images")
    main = file.series[0]
    planes = int(np.prod([n for a, n in zip(main.axes, main.shape, strict=True) if a not in _FLAT], dtype=np.int64))
    if isinstance(promised, int) and promised > planes:
        raise FileError(
            f"{path} is incomplete: its header promises {promised} images, {planes} {'is' if planes == 1 else 'are'} there.",
            "Copy or export it again.",
        )
    shaped = file.shaped_metadata
    if shaped and isinstance(shaped[0].get("shape"), list | tuple) and not words:
        wanted = int(np.prod(shaped[0]["shape"], dtype=np.int64))
        if wanted > sum(int(np.prod(s.shape, dtype=np.int64)) for s in file.series):
            shape = " × ".join(str(n) for n in shaped[0]["shape"])
            raise FileError(f"{path} is incomplete: its header promises {shape} voxels.", "Copy or export it again.")


def _many_series(path: Path, file: tifffile.TiffFile, series: list[Any]) -> _Layout:
    """Pages of one size that differ in their coding only are one stack; anything else is not one volume."""
    indices, kinds = [], set()
    for i, page in enumerate(file.pages):
        if not page.is_reduced:
            indices.append(i)
            kinds.add((page.shape, str(page.dtype)))
    if len(kinds) > 1:
        first, second = (" × ".join(str(n) for n in shape) for shape, _ in sorted(kinds, key=str)[:2])
        raise InputError(
            f"{path} holds images of different sizes or kinds ({first}, {second}, …); slices of one volume are alike.",
            "Split it into one file a volume.",
        )
    if not all(s.kind == "generic" for s in series):
        raise InputError(f"{path} holds {len(series)} separate images.", "Save each as a file of its own.")
    shape, dtype = file.pages.first.shape, file.pages.first.dtype
    axes = file.pages.first.axes
    size = dict(zip(axes, shape, strict=True))
    return _Layout(shape=(len(indices), size["Y"], size["X"]), dtype=dtype, order=file.byteorder, pages=tuple(indices))


def _one_series(path: Path, main: tifffile.TiffPageSeries, chosen: dict[str, int], order: str) -> _Layout:
    size = dict(zip(main.axes, main.shape, strict=True))
    if len(size) != len(main.axes) or "Y" not in size or "X" not in size:
        raise InputError(f"{path} has the axes {main.axes}; a volume has z, y and x.", "Export it as a plain stack.")
    outer = [(a, n) for a, n in zip(main.axes, main.shape, strict=True) if a not in _FLAT]
    depth_axis, findings = _depth_axis(path, [(a, n) for a, n in outer if n > 1], chosen)
    pick: list[int | slice] = []
    for axis, n in outer:
        if axis == depth_axis:
            pick.append(slice(None))
            continue
        index = max(0, chosen.get(axis, -1))
        if index >= n:
            raise InputError(f"{path} has {n} of the axis {axis}; there is no number {index}.", f"Give 0 to {n - 1}.")
        pick.append(index)
    depth = size[depth_axis] if depth_axis else 1
    plain = all(n == 1 or a == depth_axis for a, n in outer)
    pages = tuple(range(depth)) if plain and len(main.pages) == depth else None
    return _Layout(
        shape=(depth, size["Y"], size["X"]),
        dtype=main.dtype,
        order=order,
        pick=tuple(pick),
        pages=tuple(main.pages[i].index for i in pages) if pages is not None else None,
        offset=main.dataoffset if plain else None,
        findings=findings,
    )


def _depth_axis(path: Path, axes: list[tuple[str, int]], chosen: dict[str, int]) -> tuple[str, tuple[str, ...]]:
    """Which axis is z ("": there is one image); what else is long must have been chosen of, or this raises InputError."""
    left = [(a, n) for a, n in axes if chosen.get(a, -1) < 0]
    words = {"C": ("channels", "channel"), "T": ("points in time", "time")}
    depths = [a for a, _ in left if a not in words]
    if len(depths) > 1:
        raise InputError(f"{path} has {len(left) + 2} axes; a volume has three.", "Export one volume of it.")
    if not depths and len(left) == 1 and (left[0][0] == "T" or left[0][1] > 4):
        axis, n = left[0]
        return axis, (f"Its {n} images are tagged as {words[axis][0]}; they were taken as slices.",)
    for axis, n in left:
        if axis in words:
            many, option = words[axis]
            raise InputError(f"{path} has {n} {many}; a volume has one.", f"Choose one: {option} = 0 to {n - 1}.")
    return (depths[0] if depths else ""), ()


def _rule(path: Path, page: tifffile.TiffPage) -> GreyRule:
    """How a page's samples become one grey value; InputError for print colours."""
    name = getattr(page.photometric, "name", str(page.photometric))
    samples = int(page.samplesperpixel)
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    if name in ("SEPARATED", "LOGLUV", "CIELAB", "ICCLAB", "ITULAB", "CFA") or samples > 4:
        raise InputError(
            f"{path} is a colour image of a kind ({name}, {samples} samples) that has no grey value.", "Save it as grey or RGB."
        )
    colours = 3 if name in ("RGB", "YCBCR") or samples >= 3 else 1
    planar = samples > 1 and page.axes.find("S") < page.axes.find("Y")
    table = page.colormap if name == "PALETTE" else None
    invert = (1 << bits) - 1 if name == "MINISWHITE" and page.dtype.kind in "ub" else None
    return GreyRule.make(samples=samples, colours=colours, planar=planar, invert=invert, table=table)


def _colour_findings(path: Path, page: tifffile.TiffPage, rule: GreyRule) -> tuple[str, ...]:
    need_memory(int(page.nbytes), str(path))
    return (colour_words(page.asarray(), rule),)


def _check_sizes(path: Path, layout: _Layout, sizes: Sequence[tuple[int, int]]) -> None:
    """Raise InputError where a page that is to be a slice says another size; tifffile compares fewer of them."""
    for i in layout.pages or ():
        if i < len(sizes) and sizes[i] != layout.shape[1:]:
            raise InputError(
                f"{path} holds pages of different sizes ({layout.shape[1]} × {layout.shape[2]}, page {i + 1}: "
                f"{sizes[i][0]} × {sizes[i][1]}); slices of one volume are alike.",
                "Split it into one file a volume, or export it again.",
            )


def _check_segments(path: Path, file: tifffile.TiffFile, layout: _Layout, file_bytes: int) -> None:
    """Raise FileError where the voxels would reach beyond the end of the file."""
    page = file.pages.first
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    if layout.offset is not None:
        needed = layout.offset + int(np.prod(layout.shape, dtype=np.int64)) * int(page.samplesperpixel) * bits // 8
        if needed > file_bytes:
            raise FileError(
                f"{path} is incomplete: {needed} bytes are promised, {file_bytes} are there.", "Copy or export it again."
            )
        return
    indices: Sequence[int] = layout.pages if layout.pages is not None else range(len(file.pages))
    for i in indices[:_MOST_PAGES_CHECKED]:
        one = file.pages[i]
        offsets, counts = one.dataoffsets, one.databytecounts
        reach = max((o + c for o, c in zip(offsets, counts, strict=True)), default=0)
        packed = int(page.imagelength) * (int(page.imagewidth) * int(page.samplesperpixel) * bits // 8)
        tightest = _TIGHTEST.get(int(page.compression))
        if (
            reach > file_bytes
            or len(offsets) < np.prod([int(n) for n in page.chunked], dtype=np.float64)
            or (tightest is not None and sum(counts) * tightest < packed)
        ):
            raise FileError(f"{path} is incomplete: voxels of page {i + 1} are missing.", "Copy or export it again.")


def _array(path: Path, layout: _Layout, rule: GreyRule) -> LazyArray:
    dtype = np.dtype("uint8") if layout.dtype == bool else layout.dtype.newbyteorder("=")
    if layout.offset is not None and rule.plain and layout.dtype != bool:
        return _mapped(path, layout)
    read = _by_pages(path, layout, rule) if layout.pages is not None else _as_whole(path, layout, rule)
    return PagedArray(shape=layout.shape, dtype=dtype, read=read, name=str(path))


def _mapped(path: Path, layout: _Layout) -> LazyArray:
    assert layout.offset is not None
    try:
        return np.memmap(path, dtype=layout.order + layout.dtype.char, mode="r", offset=layout.offset, shape=layout.shape)
    except (OSError, ValueError) as error:
        raise FileError(f"{path} cannot be mapped ({error}).", "Copy it to a local disk.") from error


def _by_pages(path: Path, layout: _Layout, rule: GreyRule) -> Any:
    pages = layout.pages or ()

    def read(indices: Sequence[int]) -> Iterator[NDArray[Any]]:
        with opened(path) as file:
            for i in indices:
                yield _page(path, file, pages[i], layout, rule)

    return read


def _page(path: Path, file: tifffile.TiffFile, index: int, layout: _Layout, rule: GreyRule) -> NDArray[Any]:
    """One decoded slice."""
    page = file.pages[index]
    need_memory(int(np.prod(page.shape, dtype=np.int64)) * layout.dtype.itemsize, str(path))
    with np.errstate(all="ignore"):
        return _fitting(path, to_grey(page.asarray(), rule), layout.shape[1:])


def _as_whole(path: Path, layout: _Layout, rule: GreyRule) -> Any:
    kept: list[NDArray[Any]] = []

    def read(indices: Sequence[int]) -> Iterator[NDArray[Any]]:
        if not kept:
            with opened(path) as file:
                need_memory(int(np.prod(file.series[0].shape, dtype=np.int64)) * layout.dtype.itemsize, str(path))
                picked = file.series[0].asarray()[layout.pick] if layout.pick else file.series[0].asarray()
            flat = picked.reshape(-1, *picked.shape[-(3 if rule.samples > 1 else 2) :])
            kept.append(np.stack([_fitting(path, to_grey(page, rule), layout.shape[1:]) for page in flat]))
        for i in indices:
            yield kept[0][i]

    return read


def _fitting(path: Path, page: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if page.shape != shape:
        raise FileError(f"{path} has changed, or is damaged: a slice is {page.shape}, not {shape}.", "Open it again.")
    return page
