"""Reader of TIFF stacks."""

from __future__ import annotations

from pathlib import Path

from microtome.plugin import Field, RawVolume, reader
from microtome.volumes.tiff.header import is_tiff
from microtome.volumes.tiff.stack import open_tiff


@reader("tiff", label="TIFF stack", extensions=(".tif", ".tiff"), recognises=lambda _path, head: is_tiff(head))
def tiff(
    path: Path,
    *,
    channel: int = Field(-1, -1, 4096, help="Which channel, from 0, of a file with several; -1: it has one"),
    time: int = Field(-1, -1, 1_000_000, help="Which point in time, from 0, of a series; -1: it has one"),
    image: int = Field(-1, -1, 4096, help="Which image, from 0, of a file with several of their own sizes; -1: it has one"),
) -> RawVolume:
    """TIFF stacks: multi-page, BigTIFF, ImageJ, OME; compressed, tiled, 1 to 64 bit, float, RGB of grey."""
    return open_tiff(path, channel=channel, time=time, image=image)
