"""A colour bar with its values, over the picture of a view."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter

from microtome.ui.colourmaps import LABELS, ramp
from microtome.ui.numbers import number
from microtome.ui.theme import GRID
from microtome.ui.views.viewer.slice_view import PictureView

_WIDE = 12
_TICKS = 5
_LEAST = 90  # pixels of a view's height below which there is no room


class ColourBar:
    """Which colour is which value: an overlay that takes no mouse."""

    def paint(self, painter: QPainter, view: PictureView) -> None:
        """The bar at the left edge of what is seen, the highest value on top."""
        if view.picture is None or view.picture.contrast.colours == LABELS or view.height() < _LEAST:
            return
        if view.picture.rgb is not None:
            return  # no one colour stands for a grey value
        contrast = view.picture.contrast
        seen = view.target().intersected(QRectF(view.rect()))
        high = min(200.0, seen.height() - 7 * GRID)
        if high < 5 * GRID:
            return
        colours = ramp(contrast.colours)[::-1] if contrast.inverted else ramp(contrast.colours)
        values = [contrast.low + i / (_TICKS - 1) * (contrast.high - contrast.low) for i in range(_TICKS)]
        words = [number(v, 4) for v in values]
        metrics = painter.fontMetrics()
        wide = max(metrics.horizontalAdvance(w) for w in words)
        left, top = max(seen.left(), 0.0) + 1.5 * GRID, seen.center().y() - high / 2
        painter.fillRect(QRectF(left - 6, top - 10, _WIDE + wide + 22, high + 20), QColor(0, 0, 0, 150))
        gradient = QLinearGradient(0, top + high, 0, top)
        for i in range(0, 256, 15):
            gradient.setColorAt(i / 255, QColor(*(int(c) for c in colours[i])))
        painter.fillRect(QRectF(left, top, _WIDE, high), gradient)
        painter.setPen(QColor("white"))
        for i, word in enumerate(words):
            y = top + high * (1 - i / (_TICKS - 1))
            painter.drawLine(QPointF(left + _WIDE, y), QPointF(left + _WIDE + 4, y))
            area = QRectF(left + _WIDE + 8, y - metrics.height() / 2, wide + 2, metrics.height())
            painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, word)

    def grip(self, _at: QPointF, _view: PictureView) -> bool:
        """It is no handle."""
        return False

    def drag(self, _at: QPointF, _view: PictureView) -> None:
        """It cannot be dragged."""

    def release(self) -> None:
        """Nothing was held."""

    def cursor(self, _at: QPointF, _view: PictureView) -> Qt.CursorShape | None:
        """The mouse's shape stays as it is."""
        return None
