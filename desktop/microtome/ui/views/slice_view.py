"""Paint one slice of a volume: fitted or zoomed, with scale bar and the value under the mouse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from microtome.ui.numbers import length
from microtome.ui.theme import GRID, current

_NICE = (1.0, 2.0, 5.0)
_MOST_ZOOM = 64.0


@dataclass(frozen=True)
class Picture:
    """One slice, ready to paint: its voxels, their grey levels 0 … 255, and how large a pixel is."""

    voxels: NDArray[Any]  # (h, w), as in the volume
    grey: NDArray[np.uint8]  # (h, w), contiguous
    pixel: tuple[float, float] = (1.0, 1.0)  # height and width of a pixel in `unit`
    unit: str = "voxel"
    levels: tuple[float, float] = (0.0, 255.0)


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
    low, high = levels
    scaled = (np.asarray(voxels, dtype=np.float32) - np.float32(low)) * np.float32(255.0 / max(high - low, 1e-30))
    np.nan_to_num(scaled, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    return np.ascontiguousarray(np.clip(scaled, 0.0, 255.0).astype(np.uint8))


def as_image(grey: NDArray[np.uint8]) -> QImage:
    """A grey image that owns its pixels."""
    height, width = grey.shape
    return QImage(grey.data, width, height, width, QImage.Format.Format_Grayscale8).copy()


def nice_length(longest: float) -> float:
    """The largest of 1, 2, 5 × 10ⁿ that is not above `longest`."""
    if longest <= 0 or not math.isfinite(longest):
        return 0.0
    power = 10.0 ** math.floor(math.log10(longest))
    return max(n * power for n in _NICE if n * power <= longest * (1 + 1e-9))


class SliceView(QWidget):
    """Shows a Picture. The wheel asks for another slice, Ctrl + wheel zooms, dragging moves, a double click fits."""

    stepped = Signal(int)  # slices to go on (negative: back)
    hovered = Signal(object)  # (row, column, value) or None

    def __init__(self) -> None:
        super().__init__()
        self.setMouseTracking(True)
        self.setMinimumSize(160, 160)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.picture: Picture | None = None
        self.busy = ""  # words over the picture while a newer one is read
        self._image = QImage()
        self._zoom = 1.0
        self._middle = QPointF(0.5, 0.5)  # of the picture, as shares, in the middle of the view
        self._grip: QPointF | None = None

    def show_picture(self, picture: Picture | None) -> None:
        """Paint another picture; zoom and place stay."""
        self.picture = picture
        self._image = as_image(picture.grey) if picture is not None else QImage()
        self.busy = ""
        self.update()

    def show_busy(self, words: str) -> None:
        """Say what is being waited for."""
        self.busy = words
        self.update()

    def fit(self) -> None:
        """Show the whole picture."""
        self._zoom, self._middle = 1.0, QPointF(0.5, 0.5)
        self.update()

    def sizeHint(self) -> QSize:
        """Roomy."""
        return QSize(480, 480)

    def target(self) -> QRectF:
        """Where the picture lies in the widget; its pixels have their physical aspect."""
        if self.picture is None:
            return QRectF()
        height = self.picture.grey.shape[0] * self.picture.pixel[0]
        width = self.picture.grey.shape[1] * self.picture.pixel[1]
        scale = self._zoom * min(self.width() / width, self.height() / height)
        w, h = width * scale, height * scale
        return QRectF(self.width() / 2 - self._middle.x() * w, self.height() / 2 - self._middle.y() * h, w, h)

    def pixel_at(self, position: QPointF) -> tuple[int, int] | None:
        """Row and column of the picture under a point of the widget, or None beside it."""
        area = self.target()
        if self.picture is None or not area.contains(position):
            return None
        rows, columns = self.picture.grey.shape
        i = int((position.y() - area.top()) / area.height() * rows)
        j = int((position.x() - area.left()) / area.width() * columns)
        return (min(i, rows - 1), min(j, columns - 1))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Picture, scale bar, words."""
        theme, painter = current(), QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.sunken))
        if self.picture is not None:
            area = self.target()
            # Voxels stay square where they are enlarged; a reduced picture is smoothed, or it would sparkle.
            smooth = area.width() < self._image.width()
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
            painter.drawImage(area, self._image)
            self._paint_scale(painter, area)
        if self.busy:
            self._paint_words(painter, self.busy)
        painter.end()

    def _paint_scale(self, painter: QPainter, area: QRectF) -> None:
        assert self.picture is not None
        across = self.picture.grey.shape[1] * self.picture.pixel[1]
        per_pixel = across / area.width()
        nice = nice_length(min(self.width(), area.width()) * 0.3 * per_pixel)
        if nice <= 0:
            return
        width = nice / per_pixel
        words = length(nice, self.picture.unit)
        metrics = painter.fontMetrics()
        right = min(area.right(), float(self.width())) - 1.5 * GRID
        bottom = min(area.bottom(), float(self.height())) - 1.5 * GRID
        wide = max(width, float(metrics.horizontalAdvance(words)))
        high = metrics.height()
        plate = QRectF(right - wide - GRID, bottom - high - 1.5 * GRID, wide + 2 * GRID, high + 2 * GRID)
        painter.fillRect(plate, QColor(0, 0, 0, 150))
        painter.setPen(QPen(QColor("white")))
        inner = plate.adjusted(0, GRID / 4, 0, -1.1 * GRID)
        painter.drawText(inner, Qt.AlignmentFlag.AlignCenter, words)
        left = plate.center().x() - width / 2
        painter.fillRect(QRectF(left, bottom - GRID / 2, width, 3), QColor("white"))

    def _paint_words(self, painter: QPainter, words: str) -> None:
        metrics = painter.fontMetrics()
        plate = QRectF(0, 0, metrics.horizontalAdvance(words) + 3 * GRID, metrics.height() + GRID)
        plate.moveCenter(QPointF(self.rect().center()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 170))
        painter.drawRoundedRect(plate, 4, 4)
        painter.setPen(QColor("white"))
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, words)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Another slice, or with Ctrl another zoom about the mouse."""
        turns = event.angleDelta().y() / 120
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._zoom_about(event.position(), 1.25**turns)
        elif turns:
            self.stepped.emit(round(turns) or (1 if turns > 0 else -1))
        event.accept()

    def _zoom_about(self, at: QPointF, factor: float) -> None:
        before = self.target()
        if before.isEmpty():
            return
        self._zoom = min(_MOST_ZOOM, max(1.0, self._zoom * factor))
        share = QPointF((at.x() - before.left()) / before.width(), (at.y() - before.top()) / before.height())
        after = self.target()
        self._middle += QPointF(
            (after.left() + share.x() * after.width() - at.x()) / after.width(),
            (after.top() + share.y() * after.height() - at.y()) / after.height(),
        )
        if self._zoom == 1.0:
            self._middle = QPointF(0.5, 0.5)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the picture."""
        self._grip = event.position()

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """Let go of it."""
        self._grip = None

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Show the whole picture."""
        self.fit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move a zoomed picture, and tell what is under the mouse."""
        area = self.target()
        if self._grip is not None and self._zoom > 1.0:
            moved = event.position() - self._grip
            self._middle -= QPointF(moved.x() / area.width(), moved.y() / area.height())
            self._grip = event.position()
            self.update()
        place = self.pixel_at(event.position())
        found = None if place is None or self.picture is None else (*place, self.picture.voxels[place])
        self.hovered.emit(found)
