"""What a TIFF file promises against what it holds: a part of a stack is never taken for the whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from microtome.errors import FileError, InputError
from microtome.volumes.tiff.header import TiffBones
from microtome.volumes.tiff.layout import Layout
from microtome.volumes.tiff.parser import bits_of

if TYPE_CHECKING:
    import tifffile

_FLAT = "XYS"
_MOST_PAGES_CHECKED = 50_000
_TIGHTEST = {1: 1, 5: 4096, 8: 1100, 32773: 128, 32946: 1100}
"""How much the codecs (none, LZW, Deflate, PackBits) can shrink at best: a page that claims more is damaged."""


def check_promise(path: Path, file: tifffile.TiffFile) -> None:
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


def check_sizes(path: Path, layout: Layout, sizes: Sequence[tuple[int, int]]) -> None:
    """Raise InputError where a page that is to be a slice says another size; tifffile compares fewer of them."""
    for i in (layout.pages or ()) if not layout.files else ():
        if i < len(sizes) and sizes[i] != layout.shape[1:]:
            raise InputError(
                f"{path} holds pages of different sizes ({layout.shape[1]} × {layout.shape[2]}, page {i + 1}: "
                f"{sizes[i][0]} × {sizes[i][1]}); slices of one volume are alike.",
                "Split it into one file a volume, or export it again.",
            )


def check_segments(path: Path, file: tifffile.TiffFile, layout: Layout, chain: TiffBones) -> tuple[int, ...]:
    """Raise FileError where the voxels would reach beyond the end of the file, or be fewer than the page is large.

    Returns where each page's voxels begin, if they lie there as they are, in one piece a page; () where they are coded, or
    where the whole stack lies in one piece.
    """
    page = file.pages[layout.first].keyframe
    bits = bits_of(page)
    if layout.offset is not None:
        voxels = int(np.prod((*layout.outer, *layout.shape[1:]), dtype=np.int64))
        needed = layout.offset + voxels * int(page.samplesperpixel) * bits // 8
        if needed > chain.file_bytes:
            raise FileError(
                f"{path} is incomplete: {needed} bytes are promised, {chain.file_bytes} are there.", "Copy or export it again."
            )
        return ()
    # Pages in other files are checked when they are read.
    own = layout.pages is not None and not layout.files
    indices: Sequence[int] = layout.pages or () if own else range(len(file.pages))
    chunks = float(np.prod([int(n) for n in page.chunked], dtype=np.float64))
    packed = int(page.imagelength) * (int(page.imagewidth) * int(page.samplesperpixel) * bits // 8)
    tightest = _TIGHTEST.get(int(page.compression))
    starts: list[int] = []
    for i in indices[:_MOST_PAGES_CHECKED]:
        one = file.pages[i]
        offsets, counts = one.dataoffsets, one.databytecounts
        reach = max((o + c for o, c in zip(offsets, counts, strict=True)), default=0)
        short = tightest is not None and sum(counts) * tightest < packed
        if reach > chain.file_bytes or len(offsets) < chunks or short:
            raise FileError(f"{path} is incomplete: voxels of page {i + 1} are missing.", "Copy or export it again.")
        if sum(counts) == packed == reach - offsets[0] and _as_they_are(one.keyframe, layout):
            starts.append(int(offsets[0]))
    return tuple(starts) if own and len(starts) == layout.shape[0] else ()


def _as_they_are(page: tifffile.TiffPage, layout: Layout) -> bool:
    """Whether the bytes of a page are its voxels row by row."""
    plain = (page.compression, page.predictor, page.fillorder, page.is_tiled) == (1, 1, 1, False)
    return plain and bits_of(page) == 8 * layout.dtype.itemsize and layout.dtype != bool
