"""A small histogram of a volume's grey values with the two limits of its contrast, to be dragged."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QLinearGradient, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from microtome.ui.colourmaps import LABELS, ramp
from microtome.ui.i18n import tr
from microtome.ui.theme import current
from microtome.ui.viewing import Statistics
from microtome.ui.views.picture import Contrast

_STRIP = 6  # pixels of the colours below the counts
_EDGE = 4  # pixels beside them, so that a limit at the end can be taken


class Histogram(QWidget):
    """Counts on a logarithmic scale; the nearer limit follows the mouse, a double click takes the volume's own levels."""

    dragged = Signal(float, float)
    reset = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Histogram"))
        self.setToolTip(tr("Grey values of the volume (logarithmic counts). Drag the two limits; a double click is Auto."))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(96)
        self.setMaximumWidth(320)
        self.setFixedHeight(36)
        self.statistics: Statistics | None = None
        self.contrast = Contrast()
        self._held = -1

    def sizeHint(self) -> QSize:
        """Small."""
        return QSize(180, 36)

    def show_statistics(self, statistics: Statistics | None) -> None:
        """Show the counts of a volume; None: not known yet."""
        self.statistics = statistics
        self.update()

    def show_contrast(self, contrast: Contrast) -> None:
        """Show the limits and colours in use; a limit that is held stays with the mouse."""
        self.contrast = contrast
        self.update()

    def _range(self) -> tuple[float, float]:
        if self.statistics is None:
            return (self.contrast.low, max(self.contrast.high, self.contrast.low + 1e-30))
        return (float(self.statistics.edges[0]), float(self.statistics.edges[-1]))

    def x_of(self, value: float) -> float:
        """Where a value lies, at the edge where it is beyond it."""
        first, last = self._range()
        share = (value - first) / max(last - first, 1e-30)
        return _EDGE + min(1.0, max(0.0, share)) * (self.width() - 2 * _EDGE)

    def value_at(self, x: float) -> float:
        """The value at a place."""
        first, last = self._range()
        return first + min(1.0, max(0.0, (x - _EDGE) / max(1, self.width() - 2 * _EDGE))) * (last - first)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Counts, colours, limits."""
        theme, painter = current(), QPainter(self)
        base = self.height() - _STRIP
        painter.fillRect(QRectF(_EDGE, 0, self.width() - 2 * _EDGE, base), QColor(theme.sunken))
        left, right = self.x_of(self.contrast.low), self.x_of(self.contrast.high)
        if self.contrast.colours != LABELS:
            painter.fillRect(QRectF(left, 0, right - left, base), QColor(theme.accent_soft))
        if self.statistics is not None:
            heights = np.log1p(self.statistics.counts)
            heights = heights / max(float(heights.max()), 1e-9) * (base - 2)
            wide = (self.width() - 2 * _EDGE) / len(heights)
            colour = QColor(theme.muted)
            for i, high in enumerate(heights):
                painter.fillRect(QRectF(_EDGE + i * wide, base - high, max(wide, 1.0), high), colour)
        self._paint_colours(painter, left, right, base)
        if self.contrast.colours != LABELS:
            painter.setPen(QPen(QColor(theme.accent), 2))
            for x in (left, right):
                painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        painter.end()

    def _paint_colours(self, painter: QPainter, left: float, right: float, base: float) -> None:
        colours = ramp(self.contrast.colours)
        if self.contrast.colours == LABELS:
            self._paint_labels(painter, base)
            return
        if self.contrast.inverted:
            colours = colours[::-1]
        gradient = QLinearGradient(left, 0, max(right, left + 1), 0)
        for i in range(0, 256, 15):
            gradient.setColorAt(i / 255, QColor(*(int(c) for c in colours[i])))
        painter.fillRect(QRectF(_EDGE, base, self.width() - 2 * _EDGE, _STRIP), gradient)

    def _paint_labels(self, painter: QPainter, base: float) -> None:
        if self.statistics is None:
            return
        edges = self.statistics.edges
        values = np.rint((edges[:-1] + edges[1:]) / 2).astype(np.int64)
        wide = (self.width() - 2 * _EDGE) / len(values)
        for i, colour in enumerate(ramp(LABELS)[np.where(values == 0, 0, (values - 1) % 255 + 1)]):
            painter.fillRect(QRectF(_EDGE + i * wide, base, max(wide, 1.0), _STRIP), QColor(*(int(c) for c in colour)))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the nearer limit."""
        if event.button() == Qt.MouseButton.LeftButton and self.contrast.colours != LABELS:
            x = event.position().x()
            left, right = self.x_of(self.contrast.low), self.x_of(self.contrast.high)
            self._held = 0 if abs(x - left) < abs(x - right) or (left == right and x < left) else 1
            self.mouseMoveEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move it; the two do not pass each other."""
        if self._held < 0:
            return
        first, last = self._range()
        least = (last - first) / 256
        value, levels = self.value_at(event.position().x()), [self.contrast.low, self.contrast.high]
        levels[self._held] = min(value, levels[1] - least) if self._held == 0 else max(value, levels[0] + least)
        self.contrast = Contrast(levels[0], levels[1], self.contrast.colours, self.contrast.inverted)
        self.update()
        self.dragged.emit(*levels)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """Let go."""
        self._held = -1

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """The volume's own levels."""
        self._held = -1
        self.reset.emit()
