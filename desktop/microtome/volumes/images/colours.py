"""The three colours of an image that is stored as RGB, and whether they differ so clearly that it is a colour image."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from microtome.store.atomic import explain
from microtome.volumes.images.image import TIFF, decoded, is_image
from microtome.volumes.lazy import need_memory
from microtome.volumes.tiff.colours import channels_of, holds_colours
from microtome.volumes.tiff.parser import opened

_LEAST = 0.02  # of the range of values: what the colours of a pixel differ by on average; a codec's rounding makes less
_PNG_COLOURS = (2, 3, 6)  # colour types with red, green and blue, a palette, or transparency beside them
_JPEG_HEAD = 2**16  # bytes: segments in front of a frame header that is looked for
_KEPT = 20_000  # images whose answer is kept


def read_colours(path: Path) -> NDArray[Any] | None:
    """Red, green and blue (3, y, x) of an image in its own dtype; None where it is stored as grey.

    Three channels of a TIFF that are named red, green and blue are colours, too. Transparency and whatever else lies behind
    the colours is left out: it is no property of a specimen. The numbers of a TIFF with a colour table count as grey, as
    everywhere; so does a slice of voxels in a file that is no image (an array, raw). Raises FileError for a damaged file.
    """
    if path.suffix.lower() in TIFF:
        return _tiff_colours(path)
    if not is_image(path):
        return None
    image = decoded(path)
    if image.ndim != 3 or image.shape[2] < 3:
        return None
    return np.ascontiguousarray(np.moveaxis(image[..., :3], -1, 0))


def is_coloured(path: Path) -> bool:
    """Whether the colours of an image differ clearly: by 2 % of its range of values, as a mean over its pixels.

    So an electron micrograph that was saved as RGB, with a coloured mark perhaps or after a lossy codec, is none. Answers are
    kept until a file changes. Raises FileError where it cannot be read.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise explain(error, path, "read") from error
    return _is_coloured(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=_KEPT)
def _is_coloured(path: Path, _changed: int, _size: int) -> bool:
    colours = read_colours(path) if _may_have_colours(path) else None
    return colours is not None and differ(colours)


def differ(colours: NDArray[Any]) -> bool:
    """Whether colours (3, y, x) differ clearly."""
    exact = np.nan_to_num(colours.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    apart, span = np.ptp(exact, axis=0).mean(dtype=np.float64), float(np.ptp(exact))
    return bool(span > 0 and apart > _LEAST * span)


def _may_have_colours(path: Path) -> bool:
    """What the header says: most sets of grey images need no second look at their pixels."""
    ending = path.suffix.lower()
    if not is_image(path):
        return False
    if ending in (*TIFF, ".bmp"):
        return True  # a TIFF's pixels are read only where its first page is RGB; a bitmap's header says little
    try:
        with open(path, "rb") as file:
            if ending == ".png":
                head = file.read(26)
                return len(head) < 26 or head[25] in _PNG_COLOURS
            return _jpeg_components(file) != 1
    except OSError as error:
        raise explain(error, path, "read") from error


def _jpeg_components(file: BinaryIO) -> int:
    """Components of the frame header (ITU-T T.81, B.2.2); 0 where it is not near the beginning."""
    at = 2
    while at < _JPEG_HEAD:
        file.seek(at)
        head = file.read(10)
        if len(head) < 10 or head[0] != 0xFF:
            return 0
        if 0xC0 <= head[1] <= 0xCF and head[1] not in (0xC4, 0xC8, 0xCC):
            return head[9]
        at += 2 + int.from_bytes(head[2:4], "big")
    return 0


def _tiff_colours(path: Path) -> NDArray[Any] | None:
    with opened(path, alone=True) as file:
        if holds_colours(file):
            return channels_of(file)
        page = file.pages.first
        samples = int(page.samplesperpixel)
        if samples < 3 or getattr(page.photometric, "name", "") not in ("RGB", "YCBCR"):
            return None
        need_memory(int(page.nbytes), str(path))
        image = page.asarray()
        planar = page.axes.find("S") < page.axes.find("Y")
    front = image[:3] if planar else np.moveaxis(image[..., :3], -1, 0)
    native = front if front.dtype.isnative else front.astype(front.dtype.newbyteorder("="))
    return np.ascontiguousarray(native)
