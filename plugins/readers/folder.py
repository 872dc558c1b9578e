"""Reader of a folder of slices."""

from __future__ import annotations

from pathlib import Path

from microtome.plugin import RawVolume, reader
from microtome.volumes.images.folder import open_folder


@reader("folder", label="Folder of slices", extensions=(), folders=True)
def folder(path: Path) -> RawVolume:
    """A folder of images (TIFF, PNG, BMP, JPEG) as the slices of one volume, in natural order."""
    return open_folder(path)
