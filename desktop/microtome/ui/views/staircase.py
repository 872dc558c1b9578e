"""The best value so far, over trials or time, with every trial as a dot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Signal

from microtome.results.fold import COUNTED, RunState
from microtome.results.tables import trial_rows
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import current
from microtome.ui.views.legend import LegendEntry
from microtome.ui.views.plots import Plot, PlotCard, axis_font
from microtome.ui.widgets import Choice

_NEAR = 0.03  # of the plot's width and height: how close a click must be to a dot


class StaircaseCard(PlotCard):
    """`picked` carries a trial's number."""

    picked = Signal(int)

    def __init__(self, desk: Desk, name: str) -> None:
        theme = current()
        self.state = RunState()
        self._chosen: int | None = None
        self._points: list[tuple[float, float, int]] = []
        super().__init__(desk, tr("Best so far"), Plot(tr("trials"), tr("value, %")), self._table, f"{name}-staircase")
        self.over = Choice([("trials", tr("over trials")), ("time", tr("over time"))], "trials")
        self.over.currentIndexChanged.connect(lambda _: self._changed_axis())
        self.head.addWidget(self.over)
        self._dots = pg.ScatterPlotItem(size=6, pen=None, brush=pg.mkBrush(theme.grey_curve))
        self._others = pg.ScatterPlotItem(size=6, symbol="x", pen=pg.mkPen(theme.faint), brush=None)
        self._ring = pg.ScatterPlotItem(size=13, pen=pg.mkPen(theme.text, width=2), brush=None)
        for item in (self._dots, self._others, self._ring):
            self.plot.addItem(item)
        # Room for the figure above the last step.
        self.plot.getPlotItem().vb.setDefaultPadding(0.1)
        self._stairs = self.plot.line("best", theme.accent, width=2.4)
        self._label = pg.TextItem(color=theme.accent, anchor=(1, 1.1))
        self._label.setFont(axis_font())
        self.plot.getPlotItem().addItem(self._label, ignoreBounds=True)
        self.plot.picked.connect(self._clicked)
        self.show_legend(
            [
                LegendEntry(tr("best so far"), theme.accent),
                LegendEntry(tr("trials"), theme.grey_curve, marker="dot"),
                LegendEntry(tr("stopped early"), theme.faint, marker="cross"),
            ]
        )

    def show_run(self, state: RunState) -> None:
        """Draw what has ended so far."""
        self.state = state
        over_time = self.over.value() == "time"
        scale, unit = _time_scale(state) if over_time else (1.0, tr("trials"))
        self.plot.getPlotItem().setLabel("bottom", unit)
        counted: list[tuple[float, float]] = []
        others: list[tuple[float, float]] = []
        self._points = []
        for count, trial in enumerate(state.ended_trials(), start=1):
            value = trial.value
            if value is None:
                best = trial.best
                value = best.validation_accuracy if best is not None else None
            if value is None:
                continue
            x = (trial.ended - state.started) / scale if over_time else float(count)
            (counted if trial.outcome in COUNTED else others).append((x, 100 * value))
            self._points.append((x, 100 * value, trial.number))
        self._dots.setData(pos=np.array(counted, dtype=float).reshape(-1, 2))
        self._others.setData(pos=np.array(others, dtype=float).reshape(-1, 2))
        self._draw_stairs(over_time, scale)
        self.choose(self._chosen)

    def _draw_stairs(self, over_time: bool, scale: float) -> None:
        steps = [(seconds / scale if over_time else float(n), 100 * best) for n, seconds, best in self.state.staircase()]
        corners: list[tuple[float, float]] = []
        for x, best in steps:
            if corners:
                corners.append((x, corners[-1][1]))
            corners.append((x, best))
        if self._points and corners:
            corners.append((max(corners[-1][0], *(p[0] for p in self._points)), corners[-1][1]))
        drawn = np.array(corners, dtype=float).reshape(-1, 2)
        self._stairs.setData(drawn[:, 0], drawn[:, 1])
        self._label.setVisible(bool(corners))
        if corners:
            self._label.setPlainText(f"{corners[-1][1]:.1f} %")
            self._label.setPos(*corners[-1])

    def choose(self, number: int | None) -> None:
        """Ring the dot of a trial."""
        self._chosen = number
        self._ring.setData(pos=np.array([(x, y) for x, y, n in self._points if n == number], dtype=float).reshape(-1, 2))

    def _changed_axis(self) -> None:
        self.show_run(self.state)
        self.plot.show_all()

    def _clicked(self, x: float, y: float) -> None:
        (left, right), (low, high) = self.plot.getPlotItem().vb.viewRange()
        width, height = max(right - left, 1e-12), max(high - low, 1e-12)
        near = [(((px - x) / width) ** 2 + ((py - y) / height) ** 2, n) for px, py, n in self._points]
        if near and min(near)[0] < _NEAR**2:
            self.picked.emit(min(near)[1])

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        return trial_rows(self.state)


def _time_scale(state: RunState) -> tuple[float, str]:
    seconds = state.updated - state.started
    if seconds < 300:
        return 1.0, tr("seconds")
    return (60.0, tr("minutes")) if seconds < 2 * 3600 else (3600.0, tr("hours"))
