"""Bars with intervals: a row a name, its value as a bar or a dot, its interval as a whisker, its words at the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from microtome.ui.theme import current
from microtome.ui.views.plots import axis_font, faded

_ROW = 24
_SHARE = 0.34  # of the width, which the names take at most
_WORDS = 104


@dataclass(frozen=True)
class Bar:
    """One row; `low` … `high` is the interval."""

    name: str
    value: float
    low: float
    high: float
    words: str = ""
    strong: bool = True
    key: str = ""


class IntervalBars(QWidget):
    """`picked` carries a row's key. `from_zero`: bars from 0; else dots between the lowest and the highest end."""

    picked = Signal(str)

    def __init__(self, name: str, *, from_zero: bool = True) -> None:
        super().__init__()
        self.bars: list[Bar] = []
        self._from_zero = from_zero
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_bars(self, bars: Sequence[Bar]) -> None:
        """Show these rows."""
        self.bars = list(bars)
        self.setAccessibleDescription("; ".join(f"{b.name} {b.words}" for b in self.bars))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """A line a row."""
        return QSize(300, _ROW * max(1, len(self.bars)) + 4)

    def minimumSizeHint(self) -> QSize:
        """As high as it must be."""
        return QSize(200, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Names, bars, whiskers, words."""
        painter, theme = QPainter(self), current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        widest = max((self.fontMetrics().horizontalAdvance(b.name) for b in self.bars), default=0)
        left = min(self.width() * _SHARE, widest + 14)
        room = max(20.0, self.width() - left - _WORDS)
        ends = [e for b in self.bars for e in (b.low, b.high, b.value)] or [0.0, 1.0]
        low, high = (0.0 if self._from_zero else min(ends)), max(ends)
        scale = room / (high - low) if high > low else 0.0
        for i, bar in enumerate(self.bars):
            middle = i * _ROW + _ROW / 2
            first, last, at = (left + (v - low) * scale for v in (bar.low, bar.high, bar.value))
            painter.setFont(self.font())
            painter.setPen(QColor(theme.text if bar.strong else theme.muted))
            place = QRectF(0, middle - 10, left - 10, 20)
            name = painter.fontMetrics().elidedText(bar.name, Qt.TextElideMode.ElideRight, int(place.width()))
            painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, name)
            colour = theme.accent if bar.strong else theme.grey_curve
            if self._from_zero:
                painter.fillRect(QRectF(left, middle - 6, max(1.0, at - left), 12), faded(colour, 150))
            painter.setPen(QPen(QColor(theme.text if bar.strong else theme.muted), 1.4))
            painter.drawLine(QPointF(first, middle), QPointF(last, middle))
            for end in (first, last):
                painter.drawLine(QPointF(end, middle - 4), QPointF(end, middle + 4))
            if not self._from_zero:
                painter.setBrush(QColor(colour))
                painter.drawEllipse(QPointF(at, middle), 4, 4)
            painter.setFont(axis_font())
            painter.setPen(QColor(theme.muted))
            words = QRectF(self.width() - _WORDS + 6, middle - 9, _WORDS - 6, 18)
            painter.drawText(words, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, bar.words)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Pick a row."""
        row = int(event.position().y() // _ROW)
        if 0 <= row < len(self.bars) and self.bars[row].key:
            self.picked.emit(self.bars[row].key)
