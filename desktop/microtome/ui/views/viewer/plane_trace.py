"""The trace of the free plane on a fixed plane: a line with handles; its middle moves the plane, its ends tilt it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from microtome.ui.views.pose import Pose, Vector, trace
from microtome.ui.views.viewer.slice_view import PictureView

_REACH = 9.0  # pixels from a handle that still take it
_APART = 26.0  # pixels between handles at least
_SHARE = 0.35  # of the seen line, from its middle to an end handle


class PlaneTrace:
    """The line of the free plane in the view of a fixed one.

    `sizes` are the voxel's edges and `shape` the volume's voxels along z, y, x; `place` is the voxel of the fixed plane.
    """

    def __init__(self, axis: int, changed: Callable[[Pose, bool], None], colour: str) -> None:
        self.axis = axis
        self.pose = Pose()
        self.place = 0
        self.shape: tuple[int, int, int] = (1, 1, 1)
        self.sizes: tuple[float, float, float] = (1.0, 1.0, 1.0)
        self._changed, self._colour = changed, colour
        self._held = ""  # "", "middle" or "end"
        self._pivot: Vector = np.zeros(3)
        self._angle = 0.0

    def _rest(self) -> tuple[int, int]:
        first, second = (a for a in range(3) if a != self.axis)
        return first, second

    def _space(self, at: QPointF, view: PictureView) -> Vector:
        """The point under the mouse, from the middle of the volume."""
        voxel = np.zeros(3)
        voxel[self.axis] = self.place
        voxel[list(self._rest())] = view.place_at(at)
        return (voxel - (np.array(self.shape) - 1) / 2) * self.sizes

    def _point(self, space: Vector, view: PictureView) -> QPointF:
        voxel = space / self.sizes + (np.array(self.shape) - 1) / 2
        row, column = voxel[list(self._rest())]
        return view.point_of(float(row), float(column))

    def line(self, view: PictureView) -> tuple[QPointF, QPointF] | None:
        """The line's ends in the view, as far as they are seen; None where the plane does not cut this one."""
        place = (self.place - (self.shape[self.axis] - 1) / 2) * self.sizes[self.axis]
        found = trace(self.pose, self.axis, place, np.array(self.shape) * self.sizes)
        if found is None or view.picture is None:
            return None
        seen = view.target().intersected(QRectF(view.rect()))
        return _clipped(self._point(found[0], view), self._point(found[1], view), seen)

    def handles(self, view: PictureView) -> tuple[QPointF, QPointF, QPointF] | None:
        """The middle handle and the two at the ends."""
        line = self.line(view)
        if line is None:
            return None
        middle, along = (line[0] + line[1]) / 2, line[1] - line[0]
        long = math.hypot(along.x(), along.y())
        # On a short line the handles stand beyond its ends, or they would lie on each other.
        half = along * (max(_SHARE * long, _APART) / max(long, 1e-6))
        return middle, middle - half, middle + half

    def paint(self, painter: QPainter, view: PictureView) -> None:
        """Line and handles, with a dark rim so that they are seen on any grey."""
        line, handles = self.line(view), self.handles(view)
        if line is None or handles is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for colour, width in ((QColor(0, 0, 0, 140), 3.5), (QColor(self._colour), 1.5)):
            painter.setPen(QPen(colour, width))
            painter.drawLine(*line)
        painter.setPen(QPen(QColor(0, 0, 0, 200), 1))
        painter.setBrush(QColor(self._colour))
        painter.drawRect(QRectF(handles[0].x() - 5, handles[0].y() - 5, 10, 10))
        for end in handles[1:]:
            painter.drawEllipse(end, 5.5, 5.5)

    def _hit(self, at: QPointF, view: PictureView) -> str:
        handles = self.handles(view)
        if handles is None:
            return ""
        near = [math.hypot(h.x() - at.x(), h.y() - at.y()) for h in handles]
        return "" if min(near) > _REACH else "middle" if near[0] == min(near) else "end"

    def grip(self, at: QPointF, view: PictureView) -> bool:
        """Take the handle under the mouse."""
        self._held = self._hit(at, view)
        handles = self.handles(view)
        if not self._held or handles is None:
            return False
        self._pivot = self._space(handles[0], view)
        self._angle = self._angle_of(at, view)
        return True

    def _angle_of(self, at: QPointF, view: PictureView) -> float:
        first, second = self._rest()
        away = self._space(at, view) - self._pivot
        return math.degrees(math.atan2(away[second], away[first]))

    def drag(self, at: QPointF, view: PictureView) -> None:
        """Move the plane to the mouse, or tilt it after the mouse about the fixed plane's normal."""
        if self._held == "middle":
            self._changed(self.pose.through(self._space(at, view)), False)
        elif self._held == "end":
            angle = self._angle_of(at, view)
            axis = np.zeros(3)
            # Turns read (z, y, x) as a right-handed triple: about z from y to x, about x from z to y, but about y from x to z.
            axis[self.axis] = -1.0 if self.axis == 1 else 1.0
            turned, self._angle = angle - self._angle, angle
            self._changed(self.pose.tilted(axis, turned, self._pivot), False)

    def release(self) -> None:
        """Ask for the fine picture."""
        self._held = ""
        self._changed(self.pose, True)

    def cursor(self, at: QPointF, view: PictureView) -> Qt.CursorShape | None:
        """What the handle under the mouse would do."""
        return {"middle": Qt.CursorShape.SizeAllCursor, "end": Qt.CursorShape.PointingHandCursor}.get(self._hit(at, view))


def _clipped(a: QPointF, b: QPointF, area: QRectF) -> tuple[QPointF, QPointF] | None:
    """The part of a line in a rectangle (Liang and Barsky 1984)."""
    low, high = 0.0, 1.0
    d = b - a
    for p, q in (
        (-d.x(), a.x() - area.left()),
        (d.x(), area.right() - a.x()),
        (-d.y(), a.y() - area.top()),
        (d.y(), area.bottom() - a.y()),
    ):
        if p == 0:
            if q < 0:
                return None
        elif p < 0:
            low = max(low, q / p)
        else:
            high = min(high, q / p)
    return (a + d * low, a + d * high) if low < high else None
