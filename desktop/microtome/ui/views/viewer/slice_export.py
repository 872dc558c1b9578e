"""Save what a viewer shows: its picture as PNG with scale bar and pixel size, its voxels as a calibrated TIFF."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QIODevice, QSizeF
from PySide6.QtGui import QImage, QPainter

from microtome.errors import FileError, InputError
from microtome.store.atomic import replacing
from microtome.ui.i18n import tr
from microtome.ui.numbers import length
from microtome.ui.views.viewer.slice_view import PictureView
from microtome.volumes.units import nanometres

_MOST = 8192  # pixels of a saved picture's edge
_MOST_INT = 2**32 - 1  # of a TIFF's rational
_IMAGEJ = ("uint8", "uint16", "float32")
_PER_METRE = 2**31 - 1


@dataclass(frozen=True)
class Exported:
    """A slice to be saved: voxels (h, w), the size of a pixel (height, width) in `unit`, and what is said of it."""

    voxels: NDArray[Any]
    pixel: tuple[float, float]
    unit: str
    words: dict[str, str] = field(default_factory=dict)


def back_to(voxels: NDArray[np.float32], dtype: str) -> NDArray[Any]:
    """Interpolated values in a volume's dtype: rounded and kept inside its range where it counts; outside (NaN) is 0."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return voxels.astype(kind)
    if kind.kind == "b":
        kind = np.dtype(np.uint8)
    info = np.iinfo(kind)
    whole = np.clip(np.rint(np.nan_to_num(voxels.astype(np.float64), nan=0.0)), info.min, info.max)
    # The largest 64-bit numbers are not among doubles: clipping could round up out of the range.
    above = whole >= float(info.max)
    found = np.where(above, 0, whole).astype(kind)
    found[above] = info.max
    return found


def rational(value: float) -> tuple[int, int]:
    """A positive number as a quotient of 32-bit numbers, to 1e-9; InputError where there is none."""
    if not math.isfinite(value) or not 1 / _MOST_INT < value < _MOST_INT:
        raise InputError(tr("A pixel of this size cannot be written into a TIFF file."), tr("Choose another pixel size."))
    if value >= 1:
        found = Fraction(value).limit_denominator(max(1, int(_MOST_INT / value)))
        return found.numerator, found.denominator
    found = Fraction(1 / value).limit_denominator(max(1, int(_MOST_INT * value)))
    return found.denominator, found.numerator


def save_tiff(exported: Exported, path: Path) -> None:
    """Save a slice as a TIFF file of its own dtype; pixel size in the resolution tags and ImageJ's unit, the pose in words.

    Raises FileError where it cannot be written.
    """
    import tifffile

    voxels = exported.voxels
    if voxels.dtype == np.float16:
        voxels = voxels.astype(np.float32)
    known = nanometres(exported.unit) is not None
    words = "\n".join(f"{k} = {v}" for k, v in exported.words.items())
    options: dict[str, Any] = {"photometric": "minisblack", "software": "Microtome"}
    if voxels.dtype.name in _IMAGEJ:
        options |= {"imagej": True, "metadata": {"axes": "YX", "Info": words}}
        if known:
            height, width = exported.pixel
            options["resolution"] = (rational(1 / width), rational(1 / height))
            options["metadata"] |= {"unit": exported.unit}
    else:
        # ImageJ's own header knows no such numbers; it and others then read the tags, which know centimetres.
        options["metadata"] = {"axes": "YX", **exported.words}
        factor = nanometres(exported.unit)
        if factor is not None:
            height, width = (p * factor / 1e7 for p in exported.pixel)
            options |= {"resolution": (rational(1 / width), rational(1 / height)), "resolutionunit": "CENTIMETER"}
            options["metadata"] |= {"unit": "cm"}
    with replacing(path) as file:
        tifffile.imwrite(file, voxels, **options)


def screenshot(view: PictureView) -> QImage:
    """What a view shows of its picture, at the picture's own resolution where that is finer than the screen's.

    The image knows its pixels a metre (a PNG's pHYs) and says its pixel size in words.
    """
    picture, area = view.picture, view.target()
    if picture is None or area.isEmpty():
        raise InputError("There is no picture to save yet.", "Wait until it is read.")
    seen = area.intersected(view.rect().toRectF()).toAlignedRect()
    scale = picture.shape[1] / area.width()
    scale = min(max(1.0, scale), _MOST / max(seen.width(), seen.height()))
    image = QImage((QSizeF(seen.size()) * scale).toSize(), QImage.Format.Format_RGB32)
    image.fill(0)
    painter = QPainter(image)
    painter.scale(scale, scale)
    painter.translate(-seen.topLeft())
    view.paint_picture(painter, fine=True)
    painter.end()
    per_pixel = picture.extent[1] / area.width() / scale
    factor = nanometres(picture.unit)
    image.setText("Software", "Microtome")
    image.setText("PixelSize", length(per_pixel, picture.unit))
    if factor is not None and 1e9 / (per_pixel * factor) < _PER_METRE:
        image.setDotsPerMeterX(round(1e9 / (per_pixel * factor)))
        image.setDotsPerMeterY(round(1e9 / (per_pixel * factor)))
    return image


def save_png(image: QImage, path: Path) -> None:
    """Save a picture as PNG, as a whole or not at all; FileError where it cannot be written."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    # PySide6's stubs know no name for a QIODevice's format but bytes.
    if not image.save(buffer, "PNG"):  # type: ignore[call-overload]
        raise FileError(tr("The picture is too large for {path}.", path=path), tr("Make the window smaller."))
    with replacing(path) as file:
        file.write(buffer.data().data())
