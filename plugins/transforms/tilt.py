"""Transform: the foreshortening of a face that is seen at an angle."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from microtome.plugin import Field, InputError, RawVolume, transform


def _words(_known: dict[str, Any], *, angle: float) -> str:
    return f"y pixel size divided by sin {angle:g}° for the tilt of the cut face"


@transform("tilt", label="FIB tilt", order=20, once=True, words=_words)
def tilt(
    volume: RawVolume,
    known: dict[str, Any],
    *,
    angle: float = Field(
        52.0, 5.0, 90.0, unit="°", help="Between the electron beam and the cut face: 52° (FEI, Thermo), 54° (Zeiss)"
    ),
) -> RawVolume:
    """Divide the y pixel size by the sine of the angle at which a FIB-cut face was seen; the voxels stay as they are."""
    if volume.metadata.get("tilt_corrected"):
        raise InputError(
            f"The microscope has already corrected the tilt of {volume.source or 'this volume'}.",
            "Remove the correction “FIB tilt”.",
        )
    if volume.voxel_size is None:
        raise InputError(
            f"The voxel size of {volume.source or 'this volume'} is not known, so its tilt cannot be corrected.",
            "Give the voxel size first.",
        )
    z, y, x = volume.voxel_size
    size = (z, y / math.sin(math.radians(angle)), x)
    return replace(volume, voxel_size=size, metadata={**volume.metadata, "tilt_corrected": True})
