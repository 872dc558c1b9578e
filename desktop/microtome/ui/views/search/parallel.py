"""Parallel coordinates: an axis a parameter, the last one the value; a line a trial; brushes that keep what lies in them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from microtome.plugin import Parameter
from microtome.results.axes import VALUE, Axis, axes_of, places, value_scale
from microtome.results.fold import RunState, TrialState
from microtome.ui.i18n import tr
from microtome.ui.theme import current
from microtome.ui.views.search.brushes import Brushes, Numbers
from microtome.ui.views.search.colours import bounds
from microtome.ui.views.search.parallel_drawing import (
    Frame,
    Scale,
    paint_axis,
    paint_brush,
    paint_by_value,
    paint_crowd,
    paint_lane,
    paint_lines,
)
from microtome.ui.views.search.parallel_hand import BrushHand

_NEAR = 6.0  # pixels: how close a click must be to a line


class ParallelView(QWidget):
    """The crowd is painted once into a picture; what is kept by the brushes and the chosen trial are drawn above it.

    Drag along an axis to brush, again for a second stretch; drag a stretch or its end to move it, click it to remove it, drag
    a title to reorder. Keys: left and right choose an axis, space brushes it, up and down move the stretch (with shift:
    grow), Ctrl + left or right moves the axis, Delete removes the stretch, Escape all. `picked` carries a trial's number;
    `brushed` comes after each change of what is kept.
    """

    picked = Signal(int)
    brushed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.state = RunState()
        self.space: Mapping[str, Parameter] = {}
        self.brushes = Brushes()
        self.axes: list[Axis] = []
        self.trials: list[TrialState] = []
        self.kept = np.zeros(0, dtype=bool)
        self._order: list[str] = []  # of the user
        self._numbers: Numbers = np.zeros(0, dtype=np.int64)
        self._points = np.zeros((0, 0))
        self._values, self._bounds = np.zeros(0), (0.0, 1.0)
        self._chosen: int | None = None
        self.focus_axis = 0
        self.hand = BrushHand(self)
        self._crowd: QPixmap | None = None
        self._bright: QPixmap | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(tr("Parallel coordinates"))

    # --- what is shown

    def show_run(self, state: RunState) -> None:
        """Draw the trials that have ended, in the order of their values; the brushes stay."""
        self.state = state
        axes = axes_of(state, self.space)
        place = {name: i for i, name in enumerate(self._order)}
        self.axes = sorted(axes, key=lambda a: place.get(a.name, len(place))) if place else axes
        shown = [t for t in state.trials.values() if t.value is not None or t.ended > 0]
        self.trials = sorted(shown, key=lambda t: -1e300 if t.value is None else t.value)
        self._numbers = np.array([t.number for t in self.trials], dtype=np.int64)
        self._points = places(self.trials, self.axes)
        self._values = np.array([np.nan if t.value is None else t.value for t in self.trials], dtype=float)
        self._bounds = bounds([t.value for t in self.trials])
        self._crowd = None
        self.brush_again(say=bool(self.brushes))

    def choose(self, number: int | None) -> None:
        """Draw a trial strong."""
        self._chosen = number
        self.update()

    def clear_brushes(self) -> None:
        """Keep every trial again."""
        self.brushes.clear()
        self.brush_again()

    def brush_again(self, *, say: bool = True) -> None:
        """Keep what the brushes keep now, and `say` so."""
        self.kept = self.brushes.mask([a.name for a in self.axes], self._points)
        self._bright = None
        self.update()
        if say:
            self.brushed.emit()

    def kept_numbers(self) -> Numbers | None:
        """The numbers of the trials that the brushes keep; None where there is no brush."""
        return self._numbers[self.kept] if self.brushes else None

    def sizeHint(self) -> QSize:
        """Room for the names."""
        return QSize(480, 260)

    def minimumSizeHint(self) -> QSize:
        """Narrow, with the names cut."""
        return QSize(200, 190)

    # --- painting

    def frame(self) -> Frame:
        """Where axes and places lie now."""
        axes, metrics = len(self.axes), self.fontMetrics()
        one = Frame(self.width(), self.height(), axes)
        # Titles too long for their room take turns in two lines, each with twice as much.
        tight = any(metrics.horizontalAdvance(tr(a.title)) > one.title_place(i).width() for i, a in enumerate(self.axes))
        return Frame(self.width(), self.height(), axes, 2) if tight else one

    def paintEvent(self, event: QPaintEvent) -> None:
        """The crowd, the kept, the axes, the chosen trial."""
        painter = QPainter(self)
        if len(self.axes) > 1:
            frame, ratio = self.frame(), self.devicePixelRatioF()
            if self._crowd is None or self._crowd.size() != self.size() * ratio:
                self._crowd, self._bright = self._painted(frame, ratio, kept=False), None
            if self._bright is None:
                self._bright = self._painted(frame, ratio, kept=True)
            painter.drawPixmap(0, 0, self._bright)
            self._paint_chosen(painter, frame)
            for i, axis in enumerate(self.axes):
                for stretch in self.brushes.by_axis.get(axis.name, []):
                    paint_brush(painter, frame, i, stretch, axis)
        painter.end()

    def _painted(self, frame: Frame, ratio: float, *, kept: bool) -> QPixmap:
        """The crowd alone in grey; or above it what is kept, and the axes."""
        if kept and self._crowd is not None:
            picture = self._crowd.copy() if self.brushes else _blank(self.size(), ratio)
        else:
            picture = _blank(self.size(), ratio)
        painter = QPainter(picture)
        lines = frame.lines(self._points)
        if not kept:
            paint_crowd(painter, frame.x, lines, QColor(current().line))
        else:
            low, high = self._bounds
            paint_by_value(painter, frame.x, lines[self.kept], self._values[self.kept], low, high)
            paint_lane(painter, frame, missing=bool(np.isnan(self._points).any()))
            factor = value_scale(self.trials)[0]
            for i, axis in enumerate(self.axes):
                focused = self.hasFocus() and i == self.focus_axis
                paint_axis(painter, frame, i, axis, self.font(), focused=focused, colours=_colours(axis, factor, self._bounds))
        painter.end()
        return picture

    def _paint_chosen(self, painter: QPainter, frame: Frame) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = self._points[self._numbers == self._chosen]
        paint_lines(painter, frame.x, frame.lines(line), QPen(QColor(current().text), 2.6))

    # --- finding

    def trial_at(self, point: QPointF) -> int | None:
        """The number of the trial whose line passes within six pixels of a point; a kept one first."""
        frame = self.frame()
        right = int(np.searchsorted(frame.x, point.x()))
        if not len(self.trials) or not 0 < right < len(self.axes):
            return None
        lines = frame.lines(self._points)
        share = (point.x() - frame.x[right - 1]) / max(1e-9, frame.x[right] - frame.x[right - 1])
        distance = np.abs(lines[:, right - 1] * (1 - share) + lines[:, right] * share - point.y())
        distance = np.where(self.kept, distance, np.inf)
        # Of equally near lines the better one lies on top.
        nearest = len(distance) - 1 - int(np.argmin(distance[::-1]))
        return self.trials[nearest].number if distance[nearest] <= _NEAR else None

    def axis_at(self, x: float, reach: float) -> int | None:
        """The axis nearest to x, None where it is further than `reach` pixels."""
        frame = self.frame()
        if not len(self.axes):
            return None
        nearest = int(np.argmin(np.abs(frame.x - x)))
        return nearest if abs(frame.x[nearest] - x) <= reach else None

    def move_axis(self, axis: int, target: int) -> None:
        """Put an axis at another place in the row."""
        names = [a.name for a in self.axes]
        names.insert(target, names.pop(axis))
        self._order, self.focus_axis = names, target
        self.show_run(self.state)

    # --- the hand

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of a brush, an axis or its title; elsewhere pick the nearest line."""
        if event.button() == Qt.MouseButton.LeftButton and self.axes and not self.hand.press(event.position()):
            found = self.trial_at(event.position())
            if found is not None:
                self.picked.emit(found)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Brush while the mouse is down; else show what could be taken hold of."""
        if self.axes:
            self.hand.move(event.position(), event.globalPosition().toPoint())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self.hand.release(event.position())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Clear the axis."""
        self.hand.clear(event.position())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose, brush and move axes (see the class)."""
        if not self.axes or not self.hand.key(event):
            super().keyPressEvent(event)


def _colours(axis: Axis, factor: float, ends: tuple[float, float]) -> Scale | None:
    """Of the axis of the values: its ends and those of the colours."""
    return (axis.low, axis.high, factor * ends[0], factor * ends[1]) if axis.name == VALUE else None


def _blank(size: QSize, ratio: float) -> QPixmap:
    picture = QPixmap(size * ratio)
    picture.setDevicePixelRatio(ratio)
    picture.fill(current().surface)
    return picture
