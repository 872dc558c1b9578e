"""Reader of single images."""

from __future__ import annotations

from pathlib import Path

from microtome.plugin import RawVolume, reader
from microtome.volumes.images import read_image


@reader("image", label="Image", extensions=(".png", ".bmp", ".jpg", ".jpeg"))
def image(path: Path) -> RawVolume:
    """One 2-D image (PNG, BMP, JPEG) as a volume of one slice."""
    grey, findings = read_image(path)
    return RawVolume(voxels=grey[None], source=str(path), findings=findings)
