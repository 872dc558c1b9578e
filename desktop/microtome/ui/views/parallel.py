"""Parallel coordinates: an axis a parameter, the last one the value; a line a trial, coloured by its value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from microtome.plugin import Parameter
from microtome.results.fold import RunState, TrialState
from microtome.results.tables import short, varied
from microtome.results.words import number
from microtome.ui.i18n import tr
from microtome.ui.theme import current
from microtome.ui.views.colours import bounds, by_value
from microtome.ui.views.plots import axis_font

_TOP, _BOTTOM, _SIDE = 30, 20, 56
_LINES = 400  # best and newest; more would be one grey block


@dataclass(frozen=True)
class Axis:
    """One axis: what it shows, and from where to where."""

    name: str
    title: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[Any, ...] = ()

    def place(self, value: Any) -> float | None:
        """0 (bottom) … 1 (top), or None where the value is not on the axis."""
        if self.choices:
            if value not in self.choices:
                return None
            return (self.choices.index(value) + 0.5) / len(self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        low, high, at = (
            (math.log(v) if v > 0 else -math.inf for v in (self.low, self.high, value))
            if self.log
            else (
                self.low,
                self.high,
                value,
            )
        )
        if not math.isfinite(at):
            return None
        return 0.5 if high <= low else min(1.0, max(0.0, (at - low) / (high - low)))

    def ends(self) -> tuple[str, str]:
        """What is written at the bottom and at the top."""
        return number(self.low), number(self.high)


def axes_of(state: RunState, space: Mapping[str, Parameter]) -> list[Axis]:
    """The axes of a run: the parameters that differ, with the space's ranges and scales, and the value in percent."""
    trials = list(state.trials.values())
    made = []
    for name in varied(trials):
        values = [t.parameters[name] for t in trials if name in t.parameters]
        axis = space.get(name)
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        if axis is not None and axis.kind == "choice":
            made.append(Axis(name, short(name), choices=axis.choices))
        elif axis is not None:
            # Trials of an earlier, wider space stay on the axis.
            low, high = min([axis.low, *numbers]), max([axis.high, *numbers])
            made.append(Axis(name, short(name), low, high, axis.log and low > 0))
        elif len(numbers) == len(values) and numbers:
            made.append(Axis(name, short(name), min(numbers), max(numbers)))
        else:
            made.append(Axis(name, short(name), choices=tuple(dict.fromkeys(values))))
    known = [100 * t.value for t in trials if t.value is not None]
    return [*made, Axis("", tr("Value, %"), min(known, default=0.0), max(known, default=100.0))]


class ParallelView(QWidget):
    """Painted once into a picture for each change; the chosen trial is drawn above it. `picked` carries a trial's number."""

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.state = RunState()
        self.space: Mapping[str, Parameter] = {}
        self._axes: list[Axis] = []
        self._drawn: list[TrialState] = []
        self._chosen: int | None = None
        self._picture: QPixmap | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Parallel coordinates"))

    def show_run(self, state: RunState) -> None:
        """Draw the trials that have a value."""
        self.state = state
        self._axes = axes_of(state, self.space)
        valued = sorted((t for t in state.trials.values() if t.value is not None), key=lambda t: t.value or 0.0)
        if len(valued) > _LINES:
            newest = {t.number for t in sorted(valued, key=lambda t: t.ended)[-_LINES // 2 :]}
            best = {t.number for t in valued[-_LINES // 2 :]}
            valued = [t for t in valued if t.number in newest | best]
        self._drawn = valued
        self._picture = None
        self.update()

    def choose(self, number_: int | None) -> None:
        """Draw a trial strong."""
        self._chosen = number_
        self.update()

    def sizeHint(self) -> QSize:
        """Room for the names."""
        return QSize(480, 220)

    def minimumSizeHint(self) -> QSize:
        """Narrow, with the names cut."""
        return QSize(200, 170)

    def _x(self, i: int) -> float:
        room = self.width() - 2 * _SIDE
        return _SIDE + (room * i / (len(self._axes) - 1) if len(self._axes) > 1 else room / 2)

    def _y(self, share: float) -> float:
        return self.height() - _BOTTOM - share * (self.height() - _TOP - _BOTTOM)

    def _line(self, trial: TrialState) -> QPolygonF:
        points = []
        for i, axis in enumerate(self._axes):
            value = 100 * (trial.value or 0.0) if not axis.name else trial.parameters.get(axis.name)
            share = axis.place(value)
            if share is not None:
                points.append(QPointF(self._x(i), self._y(share)))
        return QPolygonF(points)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The picture, then the chosen trial."""
        ratio = self.devicePixelRatioF()
        painter = QPainter(self)
        if len(self._axes) > 1:
            if self._picture is None or self._picture.size() != self.size() * ratio:
                self._picture = self._painted(ratio)
            painter.drawPixmap(0, 0, self._picture)
            trial = self.state.trials.get(self._chosen) if self._chosen is not None else None
            if trial is not None:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.setPen(QPen(QColor(current().text), 2.6))
                painter.drawPolyline(self._line(trial))
        painter.end()

    def _painted(self, ratio: float) -> QPixmap:
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(current().surface)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        low, high = bounds([t.value for t in self._drawn])
        for trial in self._drawn:  # from the worst to the best, which lies on top
            painter.setPen(QPen(by_value(current(), trial.value, low, high), 1.4))
            painter.drawPolyline(self._line(trial))
        for i, axis in enumerate(self._axes):
            self._paint_axis(painter, i, axis)
        painter.end()
        return picture

    def _paint_axis(self, painter: QPainter, i: int, axis: Axis) -> None:
        theme, x = current(), self._x(i)
        painter.setPen(QPen(QColor(theme.faint), 1.2))
        painter.drawLine(QPointF(x, self._y(0)), QPointF(x, self._y(1)))
        room = (self._x(1) - self._x(0)) - 8 if len(self._axes) > 1 else 120.0
        title = tr(axis.title) + (tr(" (log)") if axis.log else "")
        painter.setFont(self.font())
        painter.setPen(QColor(theme.text))
        cut = painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, int(max(40.0, min(room, 2.0 * _SIDE))))
        painter.drawText(_around(x, 0, 16), Qt.AlignmentFlag.AlignCenter, cut)
        painter.setFont(axis_font())
        painter.setPen(QColor(theme.muted))
        if axis.choices:
            for choice in axis.choices:
                share = axis.place(choice) or 0.0
                words = tr(choice) if isinstance(choice, str) else number(choice)
                _halo(painter, QRectF(x - 50, self._y(share) - 18, 100, 15), words)
            return
        low, high = axis.ends()
        painter.drawText(_around(x, self.height() - _BOTTOM + 2, 16), Qt.AlignmentFlag.AlignCenter, low)
        painter.drawText(_around(x, 15, 15), Qt.AlignmentFlag.AlignCenter, high)

    def trial_at(self, point: QPointF) -> int | None:
        """The number of the trial whose line passes within six pixels of a point."""
        nearest, found = 6.0, None
        for trial in self._drawn:
            line = self._line(trial)
            points: Sequence[QPointF] = [line.at(i) for i in range(line.size())]
            for a, b in pairwise(points):
                if a.x() <= point.x() <= b.x() and b.x() > a.x():
                    share = (point.x() - a.x()) / (b.x() - a.x())
                    distance = abs(a.y() + share * (b.y() - a.y()) - point.y())
                    if distance <= nearest:
                        nearest, found = distance, trial.number
        return found

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Pick the nearest line."""
        found = self.trial_at(event.position())
        if found is not None:
            self.picked.emit(found)


def _around(x: float, top: float, height: float) -> QRectF:
    return QRectF(x - _SIDE, top, 2 * _SIDE, height)


def _halo(painter: QPainter, place: QRectF, words: str) -> None:
    """Words that can be read above lines."""
    room = painter.fontMetrics().horizontalAdvance(words) + 6
    back = QColor(current().surface)
    back.setAlpha(215)
    painter.fillRect(QRectF(place.center().x() - room / 2, place.top(), room, place.height()), back)
    painter.drawText(place, Qt.AlignmentFlag.AlignCenter, words)
