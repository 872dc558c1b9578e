"""One parameter against the value: every trial a dot, coloured by when it ended; choices as strips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Signal
from PySide6.QtGui import QColor

from microtome.results.axes import Axis, places, value_scale
from microtome.results.fold import RunState, TrialState
from microtome.results.tables import trial_rows
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import current
from microtome.ui.views.confusion import mixed
from microtome.ui.views.legend import LegendEntry
from microtome.ui.views.plots import Plot, PlotCard
from microtome.ui.widgets import Choice

_SHADES = 24
_STRIP = 0.62  # of a choice's room, over which its dots are strewn


class SlicePlotCard(PlotCard):
    """`picked` carries a trial's number."""

    picked = Signal(int)

    def __init__(self, desk: Desk, name: str) -> None:
        self.state = RunState()
        super().__init__(desk, tr("One parameter"), Plot(tr("Parameter"), tr("value, %")), self._table, f"{name}-slice")
        self.parameter = Choice([])
        self.parameter.setAccessibleName(tr("Parameter"))
        self.parameter.activated.connect(lambda _: self._changed())
        self.head.addWidget(self.parameter)
        self._axes: list[Axis] = []
        self._chosen: int | None = None
        self._kept: frozenset[int] | None = None
        self._points: list[tuple[float, float, int]] = []
        self._grey = pg.ScatterPlotItem(size=6, pen=None, brush=pg.mkBrush(current().line))
        self._dots = pg.ScatterPlotItem(size=7, pen=None)
        self._ring = pg.ScatterPlotItem(size=14, pen=pg.mkPen(current().text, width=2), brush=None)
        for item in (self._grey, self._dots, self._ring):
            self.plot.addItem(item)
        self.plot.picked.connect(self._clicked)
        entries = [
            LegendEntry(tr("first trials"), current().grey_curve, marker="dot"),
            LegendEntry(tr("last trials"), current().accent, marker="dot"),
        ]
        self.show_legend(entries)

    def show_run(self, state: RunState, axes: Sequence[Axis]) -> None:
        """Draw the trials that have a value, on one of these axes."""
        self.state = state
        self._axes = [a for a in axes if a.name]
        names = [a.name for a in self._axes]
        if names != [self.parameter.itemData(i) for i in range(self.parameter.count())]:
            before = self.parameter.value()
            self.parameter.clear()
            for axis in self._axes:
                self.parameter.addItem(tr(axis.title), axis.name)
            self.parameter.choose(before)
        self._draw()

    def show_parameter(self, name: str) -> None:
        """Show another parameter."""
        self.parameter.choose(name)
        self._changed()

    def _changed(self) -> None:
        self._draw()
        self.plot.show_all()

    def restrict(self, kept: frozenset[int] | None) -> None:
        """Colour only these trials; None: all."""
        self._kept = kept
        self._draw()

    def _draw(self) -> None:
        axis = next((a for a in self._axes if a.name == self.parameter.value()), None)
        trials = [t for t in self.state.trials.values() if t.value is not None]
        factor, title = value_scale(trials)
        self.plot.getPlotItem().setLabel("left", tr(title).lower() if factor == 100 else tr(title))
        if axis is None or not trials:
            self._points = []
            for item in (self._grey, self._dots, self._ring):
                item.setData(pos=np.zeros((0, 2)))
            return
        x = places(trials, [axis])[:, 0]
        x = x + _jitter(trials, axis)
        y = np.array([factor * (t.value or 0.0) for t in trials])
        known = ~np.isnan(x)
        self._points = [(float(x[i]), float(y[i]), trials[i].number) for i in np.flatnonzero(known)]
        kept = known & np.array([self._kept is None or t.number in self._kept for t in trials])
        grey = known & ~kept
        self._grey.setData(pos=np.column_stack([x[grey], y[grey]]))
        when = np.argsort(np.argsort([t.ended or self.state.updated for t in trials]))
        shade = (when * _SHADES // max(1, len(trials))).astype(int)
        brushes = [pg.mkBrush(_shade(k)) for k in range(_SHADES)]
        chosen = np.flatnonzero(kept)
        self._dots.setData(pos=np.column_stack([x[kept], y[kept]]), brush=[brushes[shade[i]] for i in chosen])
        bottom = self.plot.getPlotItem().getAxis("bottom")
        bottom.setTicks([[(place, tr(words) if axis.choices else words) for place, words in axis.ticks(7)]])
        bottom.setLabel(tr(axis.title) + (tr(" (log)") if axis.log else ""))
        self.choose(self._chosen)

    def choose(self, number: int | None) -> None:
        """Ring the dot of a trial."""
        self._chosen = number
        self._ring.setData(pos=np.array([(x, y) for x, y, n in self._points if n == number], dtype=float).reshape(-1, 2))

    def _clicked(self, x: float, y: float) -> None:
        found = self.plot.nearest(x, y, self._points)
        if found is not None:
            self.picked.emit(found)

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        return trial_rows(self.state)


def _jitter(trials: Sequence[TrialState], axis: Axis) -> Any:
    """Where on its strip each trial of a choice lies: by its number, so that it never moves."""
    if not axis.choices:
        return np.zeros(len(trials))
    turn = np.array([t.number for t in trials]) * 0.618033988749895 % 1.0
    return (turn - 0.5) * _STRIP / len(axis.choices)


def _shade(k: int) -> QColor:
    return mixed(current().grey_curve, current().accent, k / (_SHADES - 1))
