"""The best value so far, over trials or time, with every trial as a dot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Signal

from microtome.results.axes import value_scale
from microtome.results.fold import COUNTED, RunState, TrialState
from microtome.results.tables import current_value, trial_rows
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import current
from microtome.ui.views.legend import LegendEntry
from microtome.ui.views.plots import Plot, PlotCard, axis_font
from microtome.ui.widgets import Choice

#: What is special about a trial → its symbol.
_SYMBOLS = {"reused": "s", "promoted": "t1", "paused": "t", "early": "d"}


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
        self._marks = {
            kind: pg.ScatterPlotItem(size=8, symbol=symbol, pen=pg.mkPen(theme.muted), brush=None)
            for kind, symbol in _SYMBOLS.items()
        }
        self._kept: frozenset[int] | None = None
        self._ring = pg.ScatterPlotItem(size=13, pen=pg.mkPen(theme.text, width=2), brush=None)
        for item in (self._dots, self._others, *self._marks.values(), self._ring):
            self.plot.addItem(item)
        # Room for the figure above the last step.
        self.plot.getPlotItem().vb.setDefaultPadding(0.1)
        self._stairs = self.plot.line("best", theme.accent, width=2.4)
        self._label = pg.TextItem(color=theme.accent, anchor=(1, -0.1))  # below: the best lies at the upper edge
        self._label.setFont(axis_font())
        self.plot.getPlotItem().addItem(self._label, ignoreBounds=True)
        self.plot.picked.connect(self._clicked)
        self._tell({})

    def _tell(self, marked: Mapping[str, Sequence[Any]]) -> None:
        """The legend: special marks only where there are any."""
        theme = current()
        words = {
            "reused": tr("known before"),
            "promoted": tr("went on"),
            "paused": tr("waiting"),
            "early": tr("begun early"),
        }
        entries = [
            LegendEntry(tr("best so far"), theme.accent),
            LegendEntry(tr("trials"), theme.grey_curve, marker="dot"),
            LegendEntry(tr("stopped early"), theme.faint, marker="cross"),
        ]
        entries += [LegendEntry(words[kind], theme.muted, marker=_SYMBOLS[kind]) for kind, found in marked.items() if found]
        self.show_legend(entries)

    def restrict(self, kept: frozenset[int] | None) -> None:
        """Show the dots of these trials only; None: all. The stairs stay."""
        self._kept = kept
        self.show_run(self.state)

    def show_run(self, state: RunState) -> None:
        """Draw what has ended so far."""
        self.state = state
        over_time = self.over.value() == "time"
        scale, unit = _time_scale(state) if over_time else (1.0, tr("trials"))
        self.plot.getPlotItem().setLabel("bottom", unit)
        counted: list[tuple[float, float]] = []
        others: list[tuple[float, float]] = []
        marked: dict[str, list[tuple[float, float]]] = {kind: [] for kind in _SYMBOLS}
        self._points = []
        ended = state.ended_trials()
        waiting = [t for t in state.trials.values() if t.outcome == "paused"]
        factor, _ = value_scale([*ended, *waiting])
        for count, trial in enumerate([*ended, *waiting], start=1):
            value = current_value(trial)
            if value is None or (self._kept is not None and trial.number not in self._kept):
                continue
            when = trial.ended or (trial.spans[-1][2] if trial.spans else state.updated)
            x = (when - state.started) / scale if over_time else float(count)
            (counted if trial.outcome in COUNTED else others).append((x, factor * value))
            for kind in _kinds(trial):
                marked[kind].append((x, factor * value))
            self._points.append((x, factor * value, trial.number))
        self._dots.setData(pos=np.array(counted, dtype=float).reshape(-1, 2))
        self._others.setData(pos=np.array(others, dtype=float).reshape(-1, 2))
        for kind, places in marked.items():
            self._marks[kind].setData(pos=np.array(places, dtype=float).reshape(-1, 2))
        self._tell(marked)
        self._draw_stairs(over_time, scale)
        self.choose(self._chosen)

    def _draw_stairs(self, over_time: bool, scale: float) -> None:
        factor, title = value_scale(list(self.state.trials.values()))
        steps = [(seconds / scale if over_time else float(n), factor * best) for n, seconds, best in self.state.staircase()]
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
            self._label.setPlainText(f"{corners[-1][1]:.1f} %" if factor == 100 else f"{corners[-1][1]:.4g}")
            if factor != 100:
                self.plot.getPlotItem().setLabel("left", tr(title))
            self._label.setPos(*corners[-1])

    def choose(self, number: int | None) -> None:
        """Ring the dot of a trial."""
        self._chosen = number
        self._ring.setData(pos=np.array([(x, y) for x, y, n in self._points if n == number], dtype=float).reshape(-1, 2))

    def _changed_axis(self) -> None:
        self.show_run(self.state)
        self.plot.show_all()

    def _clicked(self, x: float, y: float) -> None:
        found = self.plot.nearest(x, y, self._points)
        if found is not None:
            self.picked.emit(found)

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        return trial_rows(self.state)


def _kinds(trial: TrialState) -> list[str]:
    """What is special about a trial."""
    signs = {
        "reused": trial.outcome == "reused",
        "promoted": trial.promotions > 0,
        "paused": trial.outcome == "paused",
        "early": trial.speculative,
    }
    return [kind for kind, true in signs.items() if true]


def _time_scale(state: RunState) -> tuple[float, str]:
    seconds = state.updated - state.started
    if seconds < 300:
        return 1.0, tr("seconds")
    return (60.0, tr("minutes")) if seconds < 2 * 3600 else (3600.0, tr("hours"))
