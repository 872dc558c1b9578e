"""The bones of a TIFF file: its chain of pages and their sizes, walked without decoding anything."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from microtome.errors import FileError
from microtome.store.atomic import explain

_SIGNATURES = {b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True)}
_WIDTH, _HEIGHT = 256, 257
_INTEGERS = {3: "H", 4: "I", 16: "Q"}
_MOST_TAGS = 4096


@dataclass(frozen=True, kw_only=True)
class TiffBones:
    """What the chain of image directories says: (height, width) of each page; `broken` in words where it ends wrongly."""

    sizes: tuple[tuple[int, int], ...]
    file_bytes: int
    broken: str = ""


def is_tiff(head: bytes) -> bool:
    """Whether a file that begins with these four bytes calls itself a TIFF."""
    return head[:4] in _SIGNATURES


def bones(path: Path, *, most: int | None = None) -> TiffBones:
    """Walk the chain of pages (at most `most`); FileError where the file is missing, empty or no TIFF.

    Layout: TIFF 6.0 specification, section 2, and the BigTIFF design (8-byte offsets, 20-byte entries).
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            head = file.read(16)
            if size == 0:
                raise FileError(f"{path} is empty (0 bytes).", "Copy or export it again.")
            if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
                raise FileError(f"{path} is a web page under the name of a TIFF.", "The download failed: fetch it again.")
            if not is_tiff(head):
                raise FileError(f"{path} is not a TIFF file.", "Give it its right extension, or export it as TIFF.")
            return _walk(file, head, size, most)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise explain(error, path, "read") from error


def _walk(file: BinaryIO, head: bytes, size: int, most: int | None) -> TiffBones:
    order, big = _SIGNATURES[head[:4]]
    sizes: list[tuple[int, int]] = []
    seen: set[int] = set()
    try:
        (offset,) = struct.unpack(order + ("Q" if big else "I"), head[8:16] if big else head[4:8])
        while offset and (most is None or len(sizes) < most):
            if offset in seen:
                return _ended(sizes, size, "its pages run in a circle")
            if offset >= size:
                return _ended(sizes, size, f"page {len(sizes) + 1} would lie behind the end of the file")
            seen.add(offset)
            page, offset = _directory(file, offset, order, big)
            sizes.append(page)
    except (struct.error, OverflowError):
        return _ended(sizes, size, f"the directory of page {len(sizes) + 1} is cut off")
    return TiffBones(sizes=tuple(sizes), file_bytes=size)


def _ended(sizes: list[tuple[int, int]], size: int, why: str) -> TiffBones:
    return TiffBones(sizes=tuple(sizes), file_bytes=size, broken=why)


def _directory(file: BinaryIO, offset: int, order: str, big: bool) -> tuple[tuple[int, int], int]:
    """The (height, width) of one image directory, and where the next one lies (0: it was the last)."""
    entry, count_format, next_format, value_at = (20, "Q", "Q", 12) if big else (12, "H", "I", 8)
    file.seek(offset)
    (count,) = struct.unpack(order + count_format, file.read(struct.calcsize(count_format)))
    if count > _MOST_TAGS:
        raise struct.error("no directory has so many entries")
    data = file.read(count * entry)
    (following,) = struct.unpack(order + next_format, file.read(struct.calcsize(next_format)))
    found: dict[int, int] = {}
    for start in range(0, len(data) - entry + 1, entry):
        tag, kind = struct.unpack_from(order + "HH", data, start)
        if tag in (_WIDTH, _HEIGHT) and kind in _INTEGERS:
            (found[tag],) = struct.unpack_from(order + _INTEGERS[kind], data, start + value_at)
    return (found.get(_HEIGHT, 0), found.get(_WIDTH, 0)), following
