"""Uncompressed BMP images, decoded here: a damaged one must be a sentence, and a C decoder may take the program with it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError, InputError

_DEPTHS = (1, 4, 8, 24, 32)


def decode_bmp(data: bytes, path: Path) -> NDArray[Any]:
    """The pixels of a BMP: (y, x) of its palette's greys, or (y, x, 3) RGB.

    Layout: BITMAPFILEHEADER and BITMAPINFOHEADER (Microsoft, “Bitmap storage”). Raises FileError where the file is cut off,
    InputError for a compressed one.
    """
    try:
        (start, header, width, height, _, depth, compression) = struct.unpack_from("<10xIIiiHHI", data)
        (used,) = struct.unpack_from("<46xI", data)
    except struct.error as error:
        raise FileError(f"{path} is incomplete: its header is cut off.", "Copy or export it again.") from error
    if compression != 0 or depth not in _DEPTHS or header < 40:
        raise InputError(f"{path} is a BMP of a rare kind (compressed, or {depth} bit).", "Save it as PNG or TIFF.")
    rows, stride = abs(height), (width * depth + 31) // 32 * 4
    if width < 1 or rows < 1 or start + rows * stride > len(data):
        raise FileError(f"{path} is incomplete: {width} × {rows} pixels are promised.", "Copy or export it again.")
    raw = np.frombuffer(data, np.uint8, rows * stride, start).reshape(rows, stride)
    # Rows lie from the bottom up, unless the height is negative.
    raw = raw if height < 0 else raw[::-1]
    if depth >= 24:
        return raw[:, : width * depth // 8].reshape(rows, width, depth // 8)[..., 2::-1].copy()
    return _through_palette(_indices(raw, depth)[:, :width], data, 14 + header, used or 1 << depth, path)


def _indices(raw: NDArray[np.uint8], depth: int) -> NDArray[np.uint8]:
    if depth == 8:
        return raw
    if depth == 1:
        return np.unpackbits(raw, axis=1)
    return np.stack([raw >> 4, raw & 15], axis=-1).reshape(len(raw), -1)


def _through_palette(indices: NDArray[np.uint8], data: bytes, at: int, used: int, path: Path) -> NDArray[Any]:
    count = min(used, 256)
    if at + 4 * count > len(data) or indices.max(initial=0) >= count:
        raise FileError(f"{path} is damaged: its colour table does not fit its pixels.", "Copy or export it again.")
    table = np.frombuffer(data, np.uint8, 4 * count, at).reshape(count, 4)[:, 2::-1]
    colours = table[indices]
    grey = bool((table[:, 0] == table[:, 1]).all() and (table[:, 0] == table[:, 2]).all())
    return np.ascontiguousarray(colours[..., 0] if grey else colours)
