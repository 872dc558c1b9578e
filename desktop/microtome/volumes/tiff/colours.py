"""Colours that a TIFF holds as three channels by name: what ImageJ makes of RGB in more than eight bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.lazy import need_memory

if TYPE_CHECKING:
    import tifffile

COLOURS = ("red", "green", "blue")
"""What the three channels are called, in any letters."""


def holds_colours(file: tifffile.TiffFile) -> bool:
    """Whether a file is one ImageJ image of three grey channels that are named red, green and blue."""
    words = file.imagej_metadata or {}
    labels = words.get("Labels")
    if not isinstance(labels, list) or tuple(str(name).strip().lower() for name in labels) != COLOURS:
        return False
    found = file.series[0]
    return bool(found.axes == "CYX" and found.shape[0] == len(COLOURS))


def channels_of(file: tifffile.TiffFile) -> NDArray[Any]:
    """Red, green and blue (3, y, x) of a file that `holds_colours`, in native byte order.

    Raises a MicrotomeError where memory is short.
    """
    need_memory(int(file.series[0].nbytes), str(file.filehandle.path))
    image = file.series[0].asarray()
    return np.ascontiguousarray(image if image.dtype.isnative else image.astype(image.dtype.newbyteorder("=")))
