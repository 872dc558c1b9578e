"""A legend in one strip: line samples with names and values, wrapped to the width, painted in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QHelpEvent, QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from microtome.ui.theme import GRID, current

_SAMPLE = 20
_LINE = 18
_GAP = 2 * GRID
_OUTLINES = {
    "s": ((-3, -3), (3, -3), (3, 3), (-3, 3)),
    "t": ((-4, -3), (4, -3), (0, 4)),
    "t1": ((-4, 3), (4, 3), (0, -4)),
    "d": ((0, -4), (3, 0), (0, 4), (-3, 0)),
}


#: Blocks of a timeline: what lies over their colour.
_HATCHES = {
    "block": Qt.BrushStyle.NoBrush,
    "hatched": Qt.BrushStyle.BDiagPattern,
    "crossed": Qt.BrushStyle.DiagCrossPattern,
}


@dataclass(frozen=True)
class LegendEntry:
    """One line of a plot."""

    name: str
    colour: str
    style: Qt.PenStyle = Qt.PenStyle.SolidLine
    value: str = ""
    # Instead of a line: "dot" | "cross" | "s" | "t" | "t1" | "d" (pyqtgraph's symbols), "block", "hatched", "crossed", "bar".
    marker: str = ""
    widest: str = "100.0 %"  # room that is kept for the value, so that nothing jumps as it changes
    tip: str = ""  # what it means, where the name alone may not say it
    over: str = ""  # colour of a hatch


class LegendStrip(QWidget):
    """Names in the theme's colours, values beside them."""

    def __init__(self, entries: Sequence[LegendEntry] = ()) -> None:
        super().__init__()
        self._entries: list[LegendEntry] = []
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.show_entries(entries)

    def show_entries(self, entries: Sequence[LegendEntry]) -> None:
        """Show these lines."""
        if list(entries) == self._entries:
            return
        self._entries = list(entries)
        self.setAccessibleName(", ".join(f"{e.name} {e.value}".strip() for e in self._entries))
        self._fit()
        self.update()

    def texts(self) -> list[str]:
        """What is written, entry by entry."""
        return [f"{e.name} {e.value}".strip() for e in self._entries]

    def tip_at(self, point: QPoint) -> str:
        """What the entry under a point means; "" where that is said by its name, or there is none."""
        places = self._places(self.width())[0]
        return next((e.tip for e, place in zip(self._entries, places, strict=True) if place.contains(point)), "")

    def event(self, event: QEvent) -> bool:
        """Say what an entry means while the mouse rests on it."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.tip_at(event.pos()), self)
            return True
        return super().event(event)

    def _places(self, width: int) -> tuple[list[QRect], int]:
        """Where each entry lies, and the height of all."""
        metrics = self.fontMetrics()
        places, x, y = [], 0, 0
        for entry in self._entries:
            room = max(metrics.horizontalAdvance(entry.value), metrics.horizontalAdvance(entry.widest) if entry.value else 0)
            # A name that would not fit is cut off, its value is not.
            size = min(width, _SAMPLE + 6 + metrics.horizontalAdvance(entry.name) + (6 + room if room else 0) + 2)
            if x and x + size > width:
                x, y = 0, y + _LINE
            places.append(QRect(x, y, size, _LINE))
            x += size + _GAP
        return places, (y + _LINE if places else 0)

    def _fit(self) -> None:
        height = max(_LINE, self._places(max(1, self.width()))[1])
        if height != self.minimumHeight():
            self.setFixedHeight(height)

    def sizeHint(self) -> QSize:
        """One line."""
        return QSize(120, _LINE)

    def minimumSizeHint(self) -> QSize:
        """May be narrow: it wraps."""
        return QSize(60, _LINE)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Wrap anew."""
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Sample, name, value."""
        theme, painter = current(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = self.fontMetrics()
        flag = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        for entry, place in zip(self._entries, self._places(self.width())[0], strict=True):
            middle = place.center().y() + 0.5
            self._paint_sample(painter, entry, place.left(), middle)
            value = metrics.horizontalAdvance(entry.value)
            words = place.adjusted(_SAMPLE + 6, 0, -(value + 6) if value else 0, 0)
            painter.setPen(QColor(theme.muted))
            name = metrics.elidedText(entry.name, Qt.TextElideMode.ElideMiddle, words.width())
            painter.drawText(words, flag, name)
            painter.setPen(QColor(theme.text))
            left = words.left() + metrics.horizontalAdvance(name) + 6
            painter.drawText(QRect(left, place.top(), place.right() - left + 8, _LINE), flag, entry.value)
        painter.end()

    @staticmethod
    def _paint_sample(painter: QPainter, entry: LegendEntry, left: float, middle: float) -> None:
        centre = QPointF(left + _SAMPLE - 6, middle)
        painter.setPen(QPen(QColor(entry.colour), 2.2 if not entry.marker else 1.4, entry.style))
        if entry.marker == "dot":
            painter.setBrush(QColor(entry.colour))
            painter.drawEllipse(centre, 2.5, 2.5)
        elif entry.marker == "cross":
            for turn in (1, -1):
                painter.drawLine(centre + QPointF(-3, -3 * turn), centre + QPointF(3, 3 * turn))
        elif entry.marker in _HATCHES:
            block = QRectF(left + 2, middle - 6, _SAMPLE - 4, 12)
            painter.fillRect(block, QColor(entry.colour))
            if entry.over:
                painter.fillRect(block, QBrush(QColor(entry.over), _HATCHES[entry.marker]))
        elif entry.marker == "bar":
            painter.fillRect(QRectF(left + _SAMPLE - 8, middle - 7, 3, 14), QColor(entry.colour))
        elif entry.marker in _OUTLINES:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPolygon(QPolygonF([centre + QPointF(x, y) for x, y in _OUTLINES[entry.marker]]))
        else:
            painter.drawLine(QPointF(left, middle), QPointF(left + _SAMPLE, middle))
