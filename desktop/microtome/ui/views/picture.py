"""A slice as a picture: its contrast, its shades, and the image that a view paints."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage

from microtome.ui.colourmaps import LABELS, NAMES, ramp

_STRIP = 64  # rows: a strip's float32 copy stays in the processor's cache
_OPAQUE = 0xFF000000


@dataclass(frozen=True)
class Contrast:
    """What value is black and what white, in which colours."""

    low: float = 0.0
    high: float = 255.0
    colours: str = "grey"  # one of colourmaps.NAMES
    inverted: bool = False


@dataclass(frozen=True)
class Display:
    """A part of a picture on the screen: the part (left, top, right, bottom, as shares), and its size in pixels."""

    part: tuple[float, float, float, float]
    width: int
    height: int


@dataclass(frozen=True)
class Picture:
    """One slice: its voxels, how large a pixel is, its contrast, and the image of them.

    `voxels` (h, w) may be every `stride`-th of the slice's `shape` (rows, columns) pixels, each of the size `pixel` (height,
    width) in `unit`.
    """

    voxels: NDArray[Any]
    pixel: tuple[float, float] = (1.0, 1.0)
    unit: str = "voxel"
    contrast: Contrast = Contrast()
    shape: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (1, 1)
    shades: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8), repr=False)
    image: QImage = field(default_factory=QImage, repr=False)
    display: Display | None = None  # what `shown` shows, at the size of the screen
    shown: QImage = field(default_factory=QImage, repr=False)
    rgb: NDArray[Any] | None = field(default=None, repr=False)  # (3, h, w) where it is shown in colours of its own

    @classmethod
    def of(
        cls,
        voxels: NDArray[Any],
        contrast: Contrast,
        *,
        pixel: tuple[float, float] = (1.0, 1.0),
        unit: str = "voxel",
        shape: tuple[int, int] | None = None,
        stride: tuple[int, int] = (1, 1),
        display: Display | None = None,
        rgb: NDArray[Any] | None = None,
    ) -> Picture:
        """Shade the voxels, and scale them for the screen where it is known what of them is shown (in any thread).

        `rgb` (3, h, w): colours of their own, which are shown instead of shades of grey.
        """
        shades = shade(voxels, contrast)
        height, width = shades.shape
        own = rgb if contrast.colours == NAMES[0] else None
        if own is not None:
            image = as_image(own_colours(own, contrast))
        else:
            # The image reads the array's memory: the picture holds both.
            image = QImage(shades.data, width, height, shades.strides[0], QImage.Format.Format_Indexed8)
            image.setColorTable(colour_table(contrast, raw=voxels.dtype == np.uint8))
        made = cls(voxels, pixel, unit, contrast, shape or (height, width), stride, shades, image, rgb=own)
        return made if display is None else replace(made, display=display, shown=scaled(made, display))

    @property
    def extent(self) -> tuple[float, float]:
        """Height and width in `unit`."""
        return (self.shape[0] * self.pixel[0], self.shape[1] * self.pixel[1])

    def value(self, row: int, column: int) -> float:
        """The value of a pixel (or of its neighbour, where not all were read)."""
        i, j = row // self.stride[0], column // self.stride[1]
        return float(self.voxels[min(i, self.voxels.shape[0] - 1), min(j, self.voxels.shape[1] - 1)])

    def colour(self, row: int, column: int) -> tuple[float, float, float] | None:
        """Red, green and blue of a pixel that is shown in them."""
        if self.rgb is None:
            return None
        red, green, blue = (float(v) for v in self.rgb[:, row // self.stride[0], column // self.stride[1]])
        return red, green, blue

    def source(self, part: tuple[float, float, float, float]) -> QRectF:
        """A part of the picture in pixels of `image`."""
        across, down = self.shape[1] / self.stride[1], self.shape[0] / self.stride[0]
        left, top, right, bottom = part
        return QRectF(left * across, top * down, (right - left) * across, (bottom - top) * down)


def scaled(picture: Picture, display: Display) -> QImage:
    """The part of a picture at its size on the screen, each pixel the mean of the voxels in it; null where it is enlarged.

    An enlarged picture is painted from its voxels, which stay square.
    """
    source = picture.source(display.part).toAlignedRect().intersected(picture.image.rect())
    if display.width >= source.width() or display.height < 1 or display.width < 1:
        return QImage()
    cut = picture.image if source == picture.image.rect() else picture.image.copy(source)
    height = min(display.height, source.height()) or 1
    return cut.scaled(display.width, height, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)


def levels_of(voxels: NDArray[Any], low: float = 0.2, high: float = 99.8) -> tuple[float, float]:
    """The percentiles `low` and `high` (%) of the finite values; (0, 1) where there are none."""
    step = max(1, math.isqrt(voxels.size // 250_000 + 1))
    sample = np.asarray(voxels[::step, ::step])
    sample = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample.ravel()
    if sample.size == 0:
        return (0.0, 1.0)
    first, last = (float(v) for v in np.percentile(sample, (low, high)))
    if first == last:
        first, last = float(sample.min()), float(sample.max())
    return (first, last) if last > first else (first - 0.5, first + 0.5)


def grey_levels(voxels: NDArray[Any], levels: tuple[float, float]) -> NDArray[np.uint8]:
    """Map values to 0 … 255 between the levels; NaN becomes 0."""
    return _stretched(voxels, levels, 0.0)


def own_colours(rgb: NDArray[Any], contrast: Contrast) -> NDArray[np.uint8]:
    """Red, green and blue (3, h, w) between the levels, the same for all three."""
    found = np.stack([grey_levels(channel, (contrast.low, contrast.high)) for channel in rgb])
    return 255 - found if contrast.inverted else found


def as_image(grey: NDArray[np.uint8]) -> QImage:
    """An image that owns its pixels: of grey levels (h, w), or of red, green and blue (3, h, w)."""
    if grey.ndim == 3:
        pixels = np.ascontiguousarray(np.moveaxis(grey, 0, -1))
        height, width, _ = pixels.shape
        return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    height, width = grey.shape
    return QImage(grey.data, width, height, width, QImage.Format.Format_Grayscale8).copy()


def shade(voxels: NDArray[Any], contrast: Contrast) -> NDArray[np.uint8]:
    """Entries of `colour_table` (h, w): 1 … 255 between the levels, 0 for NaN; eight-bit voxels are their own entries."""
    if voxels.dtype == np.uint8:
        return np.ascontiguousarray(voxels)
    if contrast.colours != LABELS:
        return _stretched(voxels, (contrast.low, contrast.high), 1.0)
    if voxels.dtype.kind == "f":
        known = np.isfinite(voxels)
        whole = np.where(known, np.rint(np.where(known, voxels, 0)), 0).astype(np.int64)
    else:
        whole = voxels.astype(np.int64)
    # Negative labels are labels, too; 0 alone is the background.
    return np.ascontiguousarray(np.where(whole == 0, 0, (whole - 1) % 255 + 1).astype(np.uint8))


def _stretched(voxels: NDArray[Any], levels: tuple[float, float], base: float) -> NDArray[np.uint8]:
    """Values to base … 255 between the levels, rounded; NaN to 0."""
    low, high = levels
    factor = (255.0 - base) / max(high - low, 1e-30)
    out = np.empty(voxels.shape, np.uint8)
    for first in range(0, len(voxels), _STRIP):
        part = voxels[first : first + _STRIP]
        # Large offsets need double precision: 16777217 − 16777216 is 0 in single.
        wide = np.float64 if part.dtype.itemsize > 4 or (part.dtype.kind in "iu" and part.dtype.itemsize == 4) else np.float32
        with np.errstate(all="ignore"):
            strip = np.subtract(part, wide(low), dtype=wide)
            strip *= wide(factor)
            strip += wide(base + 0.5)
            np.clip(strip, base, 255.0, out=strip)
            if part.dtype.kind == "f":
                strip[np.isnan(strip)] = 0.0
            out[first : first + _STRIP] = strip
    return out


def colour_table(contrast: Contrast, *, raw: bool) -> list[int]:
    """256 colours (0xAARRGGBB) of shades; `raw`: of eight-bit values themselves. NaN is transparent."""
    colours = ramp(contrast.colours).astype(np.int64)
    words = _OPAQUE | colours[:, 0] << 16 | colours[:, 1] << 8 | colours[:, 2]
    if contrast.colours == LABELS:
        return [int(w) for w in words]
    if contrast.inverted:
        words = words[::-1]
    if raw:
        share = (np.arange(256) - contrast.low) / max(contrast.high - contrast.low, 1e-30)
        return [int(w) for w in words[np.rint(np.clip(share, 0, 1) * 255).astype(int)]]
    table = [int(w) for w in words[np.rint(np.linspace(0, 255, 255)).astype(int)]]
    return [0, *table]
