"""TIFF files through tifffile, with whatever its parser and codecs raise on damage made a sentence."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from microtome.errors import FileError, MicrotomeError
from microtome.store.atomic import explain
from microtome.volumes.damage import reason

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

# What tifffile says of a damaged file is said in our own sentence; its log lines would only spoil a terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
logging.getLogger("tifffile").propagate = False


@contextmanager
def opened(path: Path, *, alone: bool = False) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF; whatever its parser or a codec raises on damage becomes a FileError with the reason.

    `alone`: its own pages, also where its OME header says that they belong to a set of several files.
    """
    import tifffile

    try:
        # A damaged header makes tifffile divide by zero in numpy: that is an error, not a warning on the terminal.
        with tifffile.TiffFile(path, is_ome=False if alone else None) as file, np.errstate(all="ignore"):
            yield file
    except MicrotomeError:
        raise
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno:  # the system's: a file that is gone, a network that is down
            raise explain(error, path, "read") from error
        raise FileError(f"{path} is damaged and cannot be read ({reason(error)}).", "Copy or export it again.") from error


def bits_of(page: tifffile.TiffPage) -> int:
    """Bits a sample, the most where samples differ."""
    return page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
