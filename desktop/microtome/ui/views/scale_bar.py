"""The scale bar of a picture, and words on a plate over it."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from microtome.ui.numbers import length
from microtome.ui.theme import GRID

_SMALL = 240.0  # pixels of a picture; in smaller ones the words are smaller, too
_NICE = (1.0, 2.0, 5.0)


def nice_length(longest: float) -> float:
    """The largest of 1, 2, 5 × 10ⁿ that is not above `longest`."""
    if longest <= 0 or not math.isfinite(longest):
        return 0.0
    power = 10.0 ** math.floor(math.log10(longest))
    return max(n * power for n in _NICE if n * power <= longest * (1 + 1e-9))


def paint_scale_bar(painter: QPainter, seen: QRectF, per_pixel: float, unit: str) -> None:
    """A bar of a round length in the lower right corner of what is seen; `per_pixel`: units a pixel of the painter."""
    nice = nice_length(max(seen.width(), 90.0) * 0.3 * per_pixel)
    if nice <= 0:
        return
    painter.save()
    width = nice / per_pixel
    words = length(nice, unit)
    if seen.width() < _SMALL:
        font = painter.font()
        font.setPixelSize(round(painter.fontInfo().pixelSize() * 0.8))
        painter.setFont(font)
    metrics = painter.fontMetrics()
    wide, high = max(width, float(metrics.horizontalAdvance(words))), metrics.height()
    right, bottom = seen.right() - 1.5 * GRID, seen.bottom() - 1.5 * GRID
    plate = QRectF(right - wide - GRID, bottom - high - 1.5 * GRID, wide + 2 * GRID, high + 2 * GRID)
    painter.fillRect(plate, QColor(0, 0, 0, 150))
    painter.setPen(QColor("white"))
    painter.drawText(plate.adjusted(0, GRID / 4, 0, -1.1 * GRID), Qt.AlignmentFlag.AlignCenter, words)
    painter.fillRect(QRectF(plate.center().x() - width / 2, bottom - GRID / 2, width, 3), QColor("white"))
    painter.restore()


def paint_words(painter: QPainter, middle: QPointF, words: str, most: float = 480.0) -> None:
    """Words on a dark plate about a point, in lines of at most so many pixels."""
    wrap = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
    room = QRectF(0, 0, max(most, 80.0), 2000)
    room.moveCenter(middle)
    inner = painter.boundingRect(room, wrap, words)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 170))
    painter.drawRoundedRect(inner.adjusted(-1.5 * GRID, -GRID / 2, 1.5 * GRID, GRID / 2), 4, 4)
    painter.setPen(QColor("white"))
    painter.drawText(inner, wrap, words)
