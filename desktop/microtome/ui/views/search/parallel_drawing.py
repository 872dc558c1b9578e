"""Drawing parallel coordinates: thousands of lines as a few paths, axes with their scales, brushes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyqtgraph.Qt.internals import PrimitiveArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen

from microtome.results.axes import Axis
from microtome.ui.i18n import tr
from microtome.ui.theme import current
from microtome.ui.views.plots import axis_font, faded
from microtome.ui.views.search.brushes import MISSING, Stretch
from microtome.ui.views.search.colours import by_value

BOTTOM, SIDE = 34, 60
_TITLE = 18  # pixels of a line of titles
_SHADES = 8
_SMOOTH = 800  # lines: more are drawn without anti-aliasing, which nobody sees in a crowd
_THIN = 1.4  # pixels; Qt fills such lines faster than those of one pixel
Array = NDArray[np.float64]
Scale = tuple[float, float, float, float]


class Frame:
    """From axes and places to pixels, for one size of the view; `lines`: how many the titles take turns in."""

    def __init__(self, width: float, height: float, axes: int, lines: int = 1) -> None:
        self.width, self.height, self.title_lines = width, height, lines
        self.titles = 6 + _TITLE * lines  # pixels from the top: there an axis is held by its title
        self.top = self.titles + 8
        room = width - 2 * SIDE
        step = room / (axes - 1) if axes > 1 else 0.0
        self.x: Array = np.array([SIDE + step * i if axes > 1 else width / 2 for i in range(axes)], dtype=np.float64)
        self.step = step if axes > 1 else room

    def title_place(self, i: int) -> QRectF:
        """Where the title of an axis is written: as wide as it may be without touching the next one in its line."""
        room = max(40.0, min(self.step * self.title_lines - 8, 2.2 * SIDE))
        left = min(max(2.0, float(self.x[i]) - room / 2), self.width - room - 2)
        return QRectF(left, 4 + _TITLE * (i % self.title_lines), room, _TITLE)

    def y(self, place: float) -> float:
        """The pixel of a place 0 … 1."""
        return self.height - BOTTOM - place * (self.height - self.top - BOTTOM)

    def place(self, y: float) -> float:
        """The place of a pixel."""
        return (self.height - BOTTOM - y) / max(1.0, self.height - self.top - BOTTOM)

    def lines(self, points: Array) -> Array:
        """(n, axes) pixels in y; what is missing lies in the lane below."""
        return self.height - BOTTOM - np.where(np.isnan(points), MISSING, points) * (self.height - self.top - BOTTOM)


def paint_lines(painter: QPainter, x: Array, y: Array, pen: QPen) -> None:
    """Lines (n, axes) of one pen, stretch by stretch: Qt strokes a path of them as one outline, a hundred times slower."""
    n, axes = y.shape
    if n and axes > 1:
        drawn = PrimitiveArray(QLineF, 4)
        drawn.resize(n * (axes - 1))
        ends = drawn.ndarray().reshape(n, axes - 1, 4)
        ends[:, :, 0], ends[:, :, 1], ends[:, :, 2], ends[:, :, 3] = x[:-1], y[:, :-1], x[1:], y[:, 1:]
        painter.setPen(pen)
        painter.drawLines(*drawn.drawargs())


def paint_crowd(painter: QPainter, x: Array, y: Array, colour: QColor) -> None:
    """All lines in one colour."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, len(y) <= _SMOOTH)
    paint_lines(painter, x, y, QPen(colour, _THIN))


def paint_by_value(painter: QPainter, x: Array, y: Array, values: Array, low: float, high: float) -> None:
    """Lines shaded by their values, the best ones on top; NaN: no value."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, len(y) <= _SMOOTH)
    theme = current()
    none = np.isnan(values)
    paint_lines(painter, x, y[none], QPen(QColor(theme.line), _THIN))
    share = np.clip((values - low) / (high - low), 0, 1) if high > low else np.ones(len(values))
    shade = np.where(none, -1, np.minimum(_SHADES - 1, np.nan_to_num(share) * _SHADES)).astype(int)
    for k in range(_SHADES):
        colour = by_value(theme, low + (k + 0.5) / _SHADES * (high - low), low, high)
        paint_lines(painter, x, y[shade == k], QPen(colour, _THIN))


def paint_axis(
    painter: QPainter, frame: Frame, i: int, axis: Axis, font: QFont, *, focused: bool, colours: Scale | None = None
) -> None:
    """The line of an axis, its title above, its scale beside. `colours`: values at its ends and of the colours' ends."""
    theme, x = current(), float(frame.x[i])
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(QColor(theme.accent if focused else theme.faint), 2.0 if focused else 1.2))
    painter.drawLine(QPointF(x, frame.y(0)), QPointF(x, frame.y(1)))
    if colours is not None:  # of the values: the axis tells what the lines' colours mean
        for share in np.arange(0.0, 1.0, 0.02):
            colour = by_value(theme, colours[0] + share * (colours[1] - colours[0]), *colours[2:])
            painter.fillRect(QRectF(x - 3, frame.y(share + 0.02), 6, frame.y(0) - frame.y(0.02) + 0.5), colour)
    place_of_title = frame.title_place(i)
    room = int(place_of_title.width())
    title, log = tr(axis.title), tr(" (log)") if axis.log else ""
    painter.setFont(font)
    # The scale tells of itself: its word is the first to go where there is no room.
    title += log if painter.fontMetrics().horizontalAdvance(title + log) <= room else ""
    painter.setPen(QColor(theme.accent if focused else theme.text))
    cut = painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, room)
    painter.drawText(place_of_title, Qt.AlignmentFlag.AlignCenter, cut)
    painter.setFont(axis_font())
    for place, words in axis.ticks(5):
        y = frame.y(place)
        painter.setPen(QPen(QColor(theme.faint), 1))
        painter.drawLine(QPointF(x - 3, y), QPointF(x + 3, y))
        _halo(painter, x + 5, y, tr(words) if axis.choices else words)


def paint_lane(painter: QPainter, frame: Frame, *, missing: bool) -> None:
    """The words of the lane below, where any trial lies in it."""
    if not missing:
        return
    painter.setFont(axis_font())
    theme = current()
    painter.setPen(QPen(faded(theme.faint, 90), 1, Qt.PenStyle.DotLine))
    y = frame.y(MISSING)
    painter.drawLine(QPointF(frame.x[0], y), QPointF(frame.x[-1], y))
    painter.setPen(QColor(theme.muted))
    painter.drawText(QRectF(2, y - 8, SIDE - 8, 16), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, tr("none"))


def paint_brush(painter: QPainter, frame: Frame, i: int, stretch: Stretch, axis: Axis) -> None:
    """A stretch on an axis, with its ends in the axis's own units."""
    theme, x = current(), float(frame.x[i])
    top, bottom = frame.y(stretch[1]), frame.y(stretch[0])
    place = QRectF(x - 7, top, 14, bottom - top)
    painter.setPen(QPen(QColor(theme.accent), 1.4))
    painter.fillRect(place, faded(theme.accent, 70))
    painter.drawRoundedRect(place, 3, 3)
    if axis.choices or bottom - top < 26:
        return
    painter.setFont(axis_font())
    painter.setPen(QColor(theme.accent))
    for share, y in ((stretch[1], top + 6), (stretch[0], bottom - 6)):
        if share >= 0:
            _halo(painter, x + 9, y, f"{axis.value_at(share):.3g}", theme.accent)


def _halo(painter: QPainter, x: float, y: float, words: str, colour: str = "") -> None:
    """Words that can be read above lines, their left end at x."""
    theme = current()
    room = painter.fontMetrics().horizontalAdvance(words) + 4
    place = QRectF(x, y - 7, room, 14)
    painter.fillRect(place, faded(theme.surface, 205))
    painter.setPen(QColor(colour or theme.muted))
    painter.drawText(place, Qt.AlignmentFlag.AlignCenter, words)
