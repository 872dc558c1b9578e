"""The scale of the colours by which numbers are shown: a strip from the smallest to the greatest, with both written beside."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from microtome.ui.colourmaps import shade_of
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID, current

_LONG, _THICK = 96, 8
_STOPS = 16


class ValueScale(QWidget):
    """Hidden where there are no numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: tuple[float, float] | None = None
        self.unit = ""
        self.setAccessibleName(tr("Scale of the values"))
        self.setToolTip(tr("Volumes in the order of their values"))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self.hide()

    def show_ends(self, ends: tuple[float, float] | None, unit: str) -> None:
        """From the smallest to the greatest number, in `unit`; None: none."""
        self.ends, self.unit = ends, unit
        self.setVisible(ends is not None)
        self.updateGeometry()
        self.update()

    def words(self) -> tuple[str, str]:
        """What is written at both ends; the unit behind the last."""
        low, high = self.ends or (0.0, 0.0)
        return f"{low:.4g}", f"{high:.4g} {self.unit}".rstrip()

    def sizeHint(self) -> QSize:
        """Both numbers and the strip."""
        measure = self.fontMetrics()
        first, last = self.words()
        return QSize(
            measure.horizontalAdvance(first) + _LONG + measure.horizontalAdvance(last) + 2 * GRID, measure.height() + 4
        )

    def minimumSizeHint(self) -> QSize:
        """As it is."""
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The strip between the numbers."""
        painter = QPainter(self)
        first, last = self.words()
        measure, y = self.fontMetrics(), (self.height() - _THICK) / 2
        base = round((self.height() + measure.ascent() - measure.descent()) / 2)
        left = measure.horizontalAdvance(first) + GRID
        strip = QRectF(left, y, _LONG, _THICK)
        colours = QLinearGradient(strip.topLeft(), strip.topRight())
        for i in range(_STOPS + 1):
            colours.setColorAt(i / _STOPS, QColor(shade_of(i / _STOPS, (0.0, 1.0))))
        painter.fillRect(strip, colours)
        painter.setPen(QColor(current().muted))
        painter.drawText(0, base, first)
        painter.drawText(left + _LONG + GRID, base, last)
        painter.end()
