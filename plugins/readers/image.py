"""Reader of single images."""

from __future__ import annotations

from pathlib import Path

from microtome.plugin import RawVolume, reader
from microtome.volumes.images.image import image_report, read_image
from microtome.volumes.scale.weigh import weigh


@reader("image", label="Image", extensions=(".png", ".bmp", ".jpg", ".jpeg"))
def image(path: Path) -> RawVolume:
    """One 2-D image (PNG, BMP, JPEG) as a volume of one slice."""
    grey, findings = read_image(path)
    scale = weigh(image_report(path), 1)
    return RawVolume(
        voxels=grey[None],
        voxel_size=scale.voxel_size,
        source=str(path),
        findings=(*findings, *scale.findings),
        metadata=scale.metadata,
    )
