"""The cross-hair of linked planes: where the other two planes cut this one; clicking or dragging moves it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from microtome.ui.views.viewer.slice_view import PictureView

_GAP = 10.0  # pixels about the crossing that stay free: one wants to see what is there

_THIN = 6.0  # pixels of a picture that a line along it would hide


class CrossHair:
    """Two lines through a voxel (row, column), each in the colour of the plane that it stands for."""

    def __init__(self, moved: Callable[[int, int], None], row_colour: str, column_colour: str) -> None:
        self.row = self.column = 0.0
        self._moved = moved
        self._colours = (row_colour, column_colour)

    def paint(self, painter: QPainter, view: PictureView) -> None:
        """Both lines over what is seen of the picture, open about the crossing."""
        at = view.point_of(self.row, self.column)
        seen = view.target().intersected(QRectF(view.rect()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        x, y = round(at.x()) + 0.5, round(at.y()) + 0.5
        lines = (
            (QPointF(seen.left(), y), QPointF(x - _GAP, y), QPointF(x + _GAP, y), QPointF(seen.right(), y)),
            (QPointF(x, seen.top()), QPointF(x, y - _GAP), QPointF(x, y + _GAP), QPointF(x, seen.bottom())),
        )
        for colour, across, (a, b, c, d) in zip(self._colours, (seen.height(), seen.width()), lines, strict=True):
            if across < _THIN:
                continue
            painter.setPen(QPen(QColor(colour), 1))
            if a.x() <= b.x() and a.y() <= b.y():
                painter.drawLine(a, b)
            if c.x() <= d.x() and c.y() <= d.y():
                painter.drawLine(c, d)

    def grip(self, at: QPointF, view: PictureView) -> bool:
        """A click anywhere in the picture moves it there."""
        if view.pixel_at(at) is None:
            return False
        self.drag(at, view)
        return True

    def drag(self, at: QPointF, view: PictureView) -> None:
        """Follow the mouse, inside the picture."""
        if view.picture is None:
            return
        row, column = view.place_at(at)
        rows, columns = view.picture.shape
        self._moved(min(max(round(row), 0), rows - 1), min(max(round(column), 0), columns - 1))

    def release(self) -> None:
        """Nothing is left to do."""

    def cursor(self, at: QPointF, view: PictureView) -> Qt.CursorShape | None:
        """A cross over the picture."""
        return Qt.CursorShape.CrossCursor if view.pixel_at(at) is not None else None
