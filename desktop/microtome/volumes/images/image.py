"""Single 2-D images (TIFF, PNG, BMP, JPEG): their size from the header, their grey values."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.store.atomic import explain
from microtome.volumes.grey import GreyRule, colour_words, to_grey
from microtome.volumes.images.bmp import decode_bmp
from microtome.volumes.lazy import need_memory
from microtome.volumes.scale.companions import image_companions
from microtome.volumes.scale.tags import PRINT
from microtome.volumes.scale.weigh import Reported, Scale
from microtome.volumes.tiff.header import bones

TIFF = (".tif", ".tiff")
PLAIN = (".png", ".bmp", ".jpg", ".jpeg")
IMAGES = (*TIFF, *PLAIN)
_HEAD = 2**16  # bytes in which the scale of a PNG stands, if it does
_METRE = 1e9  # nm


def is_image(path: Path) -> bool:
    """Whether a file's name says that it is an image; hidden files are none."""
    return path.suffix.lower() in IMAGES and not path.name.startswith(".")


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) from the header of an image; FileError where it is missing, empty, or not what its name says."""
    if path.suffix.lower() in TIFF:
        found = bones(path, most=1)
        size = found.sizes[0] if found.sizes else None
    else:
        size = _plain_size(path)
    if size is None or min(size) < 1:
        raise FileError(f"{path} is damaged, or not the image that its name says.", "Copy or export it again.")
    return size


def _plain_size(path: Path) -> tuple[int, int] | None:
    try:
        with open(path, "rb") as file:
            head = file.read(32)
            if not head:
                raise FileError(f"{path} is empty (0 bytes).", "Copy or export it again.")
            if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) >= 24:
                width, height = struct.unpack(">II", head[16:24])
                return height, width
            if head[:2] == b"BM" and len(head) >= 26:
                width, height = struct.unpack("<ii", head[18:26])
                return abs(height), width  # a negative height: rows from the top
            if head[:2] == b"\xff\xd8":
                return _jpeg_size(file)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise explain(error, path, "read") from error
    return None


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    """Walk the segments to the frame header (ITU-T T.81, B.2.2)."""
    at = 2
    while True:
        file.seek(at)
        head = file.read(9)
        if len(head) < 9 or head[0] != 0xFF:
            return None
        kind, length = head[1], int.from_bytes(head[2:4], "big")
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[5:9])
            return height, width
        at += 2 + length


def _whole_png(data: bytes) -> bool:
    """Whether every chunk up to IEND is there with the right checksum (PNG specification, section 5.3)."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + length]
        check = data[at + 8 + length : at + 12 + length]
        if len(check) < 4 or zlib.crc32(body) != struct.unpack(">I", check)[0]:
            return False
        if body[:4] == b"IEND":
            return True
        at += 12 + length
    return False


def _whole_jpeg(data: bytes) -> bool:
    """Whether the scan is ended by its marker (ITU-T T.81, B.1.1.3); a decoder fills what is missing with grey in silence."""
    at = 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == 0xDA:  # start of scan: coded data follow, in which the marker cannot stand by chance
            return data.find(b"\xff\xd9", at) >= 0
        at += 2 + length
    return False


def decoded(path: Path) -> NDArray[Any]:
    """The pixels of a PNG, BMP or JPEG as they are stored: (y, x) or (y, x, samples); FileError where it is damaged."""
    import imagecodecs

    height, width = image_size(path)
    need_memory(height * width * 8, str(path))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise explain(error, path, "read") from error
    ending = path.suffix.lower()
    if ending == ".bmp":
        return decode_bmp(data, path)
    if not (_whole_png(data) if ending == ".png" else _whole_jpeg(data)):
        raise FileError(f"{path} is damaged: a part of it is missing or changed.", "Copy or export it again.")
    try:
        image: NDArray[Any] = imagecodecs.png_decode(data) if ending == ".png" else imagecodecs.jpeg_decode(data)
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:  # every codec's own error is a RuntimeError
        raise FileError(f"{path} is damaged and cannot be decoded ({error}).", "Copy or export it again.") from error
    return image


def read_image(path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The grey values (y, x) of one image and what was found about it; a TIFF must hold one page."""
    if path.suffix.lower() in TIFF:
        from microtome.volumes.tiff.stack import open_tiff

        raw = open_tiff(path, alone=True)
        if raw.voxels.shape[0] != 1:
            raise InputError(f"{path} holds {raw.voxels.shape[0]} pages; a slice is one image.", "Open it as a volume.")
        page = raw.voxels[0]
        return (page if page.dtype.isnative else page.astype(page.dtype.newbyteorder("="))), raw.findings
    image = decoded(path)
    if image.ndim == 2:
        return to_grey(image, GreyRule()), ()
    samples = image.shape[-1]
    rule = GreyRule.make(samples=samples, colours=3 if samples >= 3 else 1)
    words = (colour_words(image, rule),) if rule.colour else ()
    return to_grey(image, rule), (*words, *rule.findings)


def image_report(path: Path) -> Reported:
    """What the header of an image and the files beside it say of its pixel size; FileError where it cannot be read.

    PNG and BMP count pixels a metre: what is coarser than 10 µm a pixel is a screen's or a printer's, and is not taken.
    """
    width = image_size(path)[1]
    if path.suffix.lower() in TIFF:
        from microtome.volumes.tiff.stack import tiff_scale

        return tiff_scale(path) + image_companions(path, width)
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise explain(error, path, "read") from error
    density = _png_density(head) if head[:4] == b"\x89PNG" else _bmp_density(head)
    own = Reported()
    if density is not None and min(density) > 0 and max(_METRE / n for n in density) <= PRINT:
        own = Reported(
            scales=(Scale(source=f"{path.suffix[1:].upper()} header", y=_METRE / density[0], x=_METRE / density[1]),)
        )
    return image_companions(path, width) + own


def _png_density(head: bytes) -> tuple[int, int] | None:
    """Pixels a metre (y, x) of the chunk pHYs (PNG specification, section 11.3.5.3), which stands before the first IDAT."""
    at = 8
    while at + 12 <= len(head):
        (length,) = struct.unpack_from(">I", head, at)
        kind = head[at + 4 : at + 8]
        if kind == b"pHYs" and length == 9 and at + 17 <= len(head):
            x, y, unit = struct.unpack_from(">IIB", head, at + 8)
            return (y, x) if unit == 1 else None
        if kind == b"IDAT":
            return None
        at += 12 + length
    return None


def _bmp_density(head: bytes) -> tuple[int, int] | None:
    """Pixels a metre (y, x) of a BITMAPINFOHEADER."""
    if head[:2] != b"BM" or len(head) < 46:
        return None
    x, y = struct.unpack_from("<ii", head, 38)
    return y, x
