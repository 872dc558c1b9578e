"""Accuracy against what it costs: every trial a dot, those that nothing beats joined by a line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Signal

from microtome.results.axes import value_scale
from microtome.results.fold import RunState
from microtome.results.pareto import COSTS, pareto_front
from microtome.results.tables import ranked
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import current
from microtome.ui.views.legend import LegendEntry
from microtome.ui.views.plots import Plot, PlotCard
from microtome.ui.widgets import Choice, label


class ParetoCard(PlotCard):
    """`picked` carries a trial's number."""

    picked = Signal(int)

    def __init__(self, desk: Desk, name: str) -> None:
        theme = current()
        self.state = RunState()
        super().__init__(desk, tr("Value against cost"), Plot(tr("Cost"), tr("value, %")), self._table, f"{name}-pareto")
        words = {"seconds": tr("training time, s"), "parameters": tr("weights of the network"), "epochs": tr("epochs")}
        self.cost = Choice([(key, words[key]) for key in COSTS], "seconds")
        self.cost.setAccessibleName(tr("Cost"))
        self.cost.activated.connect(lambda _: self._changed())
        self.head.addWidget(self.cost)
        self.empty = label("", "muted", wrap=True)
        self.layout().addWidget(self.empty)  # type: ignore[union-attr]
        self._chosen: int | None = None
        self._kept: frozenset[int] | None = None
        self._points: list[tuple[float, float, int]] = []
        self._all: list[tuple[float, float, int]] = []
        self._front: set[int] = set()
        self._rest = pg.ScatterPlotItem(size=6, pen=None, brush=pg.mkBrush(theme.grey_curve))
        self._front_dots = pg.ScatterPlotItem(size=9, pen=None, brush=pg.mkBrush(theme.accent))
        self._ring = pg.ScatterPlotItem(size=15, pen=pg.mkPen(theme.text, width=2), brush=None)
        self._line = self.plot.line("front", theme.accent, width=1.6)
        for item in (self._rest, self._front_dots, self._ring):
            self.plot.addItem(item)
        # Times and sizes of networks span decades.
        self.plot.setLogMode(x=True, y=False)
        self.plot.picked.connect(self._clicked)
        self.show_legend(
            [
                LegendEntry(tr("nothing beats these in both"), theme.accent, marker="dot"),
                LegendEntry(tr("trials"), theme.grey_curve, marker="dot"),
            ]
        )

    def show_run(self, state: RunState) -> None:
        """Draw the trials that count and have such a cost."""
        self.state = state
        self._measure()

    def restrict(self, kept: frozenset[int] | None) -> None:
        """Show only these trials; None: all."""
        self._kept = kept
        self._draw()

    def _changed(self) -> None:
        self._measure()
        self.plot.show_all()

    def _measure(self) -> None:
        """Where every trial lies, and which of them make the front."""
        key, cost = self.cost.value(), COSTS[self.cost.value()]
        costs = [(t, cost(t) or 0.0) for t in ranked(self.state)]
        factor, title = value_scale([t for t, _ in costs])
        self._all = [(math.log10(c), factor * (t.value or 0.0), t.number) for t, c in costs if c > 0]
        self._front = {t.number for t in pareto_front(self.state, [key])}
        self.plot.getPlotItem().setLabel("left", tr(title).lower() if factor == 100 else tr(title))
        self.plot.getPlotItem().setLabel("bottom", self.cost.currentText() + tr(" (log)"))
        self._draw()

    def _draw(self) -> None:
        kept = self._kept
        self._points = [p for p in self._all if kept is None or p[2] in kept]
        self._rest.setData(pos=np.array([p[:2] for p in self._points], dtype=float).reshape(-1, 2))
        ends = sorted(p for p in self._points if p[2] in self._front)
        self._front_dots.setData(pos=np.array([p[:2] for p in ends], dtype=float).reshape(-1, 2))
        # A plotted line takes its own logarithm; dots do not.
        self._line.setData([10 ** p[0] for p in ends], [p[1] for p in ends])
        self.empty.setVisible(not self._points)
        self.empty.setText(tr("No trial has said this cost yet.") if not self._all else "")
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
        names = list(COSTS)
        front = {name: {t.number for t in pareto_front(self.state, [name])} for name in names}
        header = ["trial", "value", *names, *(f"front_{name}" for name in names)]
        trials = ranked(self.state)
        return header, [
            [t.number, t.value, *(COSTS[n](t) for n in names), *(t.number in front[n] for n in names)] for t in trials
        ]
