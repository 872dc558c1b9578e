"""One image as the bytes of a calibrated TIFF or PNG file, with a text that says where it comes from."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.units import VOXEL, to_nm

_METRE = 1e9  # nm
_MOST_DENSITY = 2**31 - 1  # pixels a metre that a PNG can say


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What every picture of a set shares: the edge of its square pixels, and what grey value 0 and a step of one mean."""

    pixel_size: float
    unit: str  # "voxel" where no length is known
    low: float = 0.0  # grey value = low + step × what is stored
    step: float = 1.0


def tiff_bytes(image: NDArray[Any], calibration: Calibration, text: str) -> bytes:
    """An ImageJ TIFF of an image (y, x) of uint8, uint16 or float32: pixel size, straight-line grey scale, `text` as its info.

    Of colours (3, y, x) it is an RGB image where they are uint8, which is all that ImageJ knows as such, else a composite of
    the channels red, green and blue, which our reader takes as colours again.

    The keys of the description are ImageJ's own (ij.io.FileInfo, ij.io.TiffDecoder): unit, spacing, cf = 0 (a straight line)
    with c0 and c1.
    """
    import tifffile

    words: dict[str, Any] = {"axes": "YX", "Info": text}
    rgb = image.ndim == 3 and image.dtype == np.uint8
    if rgb:
        image = np.ascontiguousarray(np.moveaxis(image, 0, -1))
        words["axes"] = "YXS"
    elif image.ndim == 3:
        words |= {"axes": "CYX", "mode": "composite", "Labels": ["Red", "Green", "Blue"]}
    resolution = None
    if calibration.unit != VOXEL:
        # With no spacing a pixel of 1 nm would look like that of a program that was never told a scale.
        words |= {"unit": calibration.unit, "spacing": calibration.pixel_size}
        resolution = (1 / calibration.pixel_size,) * 2
    if image.dtype.kind == "u" and (calibration.low, calibration.step) != (0.0, 1.0):
        words |= {"cf": 0, "c0": calibration.low, "c1": calibration.step, "vunit": "grey"}
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        image,
        imagej=True,
        photometric="rgb" if rgb else "minisblack",
        resolution=resolution,
        resolutionunit="none" if resolution is not None else None,
        metadata=words,
    )
    return file.getvalue()


def png_bytes(image: NDArray[Any], calibration: Calibration, text: str) -> bytes:
    """A PNG of an image (y, x), in colour (3, y, x), of uint8 or uint16.

    It says its pixel size (pHYs, pixels a metre), and has `text` as its description.
    """
    import imagecodecs

    pixels = np.ascontiguousarray(np.moveaxis(image, 0, -1)) if image.ndim == 3 else image
    data = bytes(imagecodecs.png_encode(pixels, level=4))
    more = _chunk(b"iTXt", b"Description\0\0\0\0\0" + text.encode("utf-8"))
    if calibration.unit != VOXEL:
        density = round(_METRE / to_nm(calibration.pixel_size, calibration.unit))
        if 0 < density <= _MOST_DENSITY:
            more = _chunk(b"pHYs", struct.pack(">IIB", density, density, 1)) + more
    head = 8 + 25  # the signature and the header chunk, which must be the first
    return data[:head] + more + data[head:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
