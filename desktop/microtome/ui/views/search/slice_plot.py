"""One parameter against the value: every trial a dot, coloured by when it ended; choices as strips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg

from microtome.results.axes import Axis, places
from microtome.results.fold import RunState, TrialState
from microtome.results.scores import Score
from microtome.results.tables import trial_rows
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import current
from microtome.ui.views.legend import LegendEntry
from microtome.ui.views.plots import Plot, show_score
from microtome.ui.views.search.dots import DotCard, shade_dots, show_spots
from microtome.ui.widgets import Choice

_STRIP = 0.62  # of a choice's room, over which its dots are strewn


class SlicePlotCard(DotCard):
    """`picked` carries a trial's number."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.state = RunState()
        super().__init__(desk, tr("One parameter"), Plot(tr("Parameter"), tr("value, %")), self._table, f"{name}-slice")
        self.parameter = Choice([])
        self.parameter.setAccessibleName(tr("Parameter"))
        self.parameter.activated.connect(lambda _: self._changed())
        self.head.addWidget(self.parameter)
        self._axes: list[Axis] = []
        # What the brushes leave out stays where it was, in grey, below.
        self._grey = self.dots(6, pen=None, brush=pg.mkBrush(current().line))
        self._coloured = self.dots(7, pen=None)
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

    def _draw(self) -> None:
        axis = next((a for a in self._axes if a.name == self.parameter.value()), None)
        trials = [t for t in self.state.trials.values() if t.value is not None]
        score = Score.of(trials)
        show_score(self.plot, score)
        if axis is None or not trials:
            self.show_dots(np.zeros(0, dtype=np.int64), np.zeros((0, 2)), [])
            return
        x = places(trials, [axis])[:, 0]
        x = x + _jitter(trials, axis)
        y = np.array([score.factor * (t.value or 0.0) for t in trials])
        known = ~np.isnan(x)
        when = np.argsort(np.argsort([t.ended or self.state.updated for t in trials]))
        numbers = np.array([t.number for t in trials], dtype=np.int64)[known]
        everywhere = np.ones(len(numbers), dtype=bool)
        self.show_dots(numbers, np.column_stack([x, y])[known], [(self._grey, everywhere), (self._coloured, everywhere)])
        shade_dots(self._coloured, when[known] / len(trials))
        bottom = self.plot.getPlotItem().getAxis("bottom")
        bottom.setTicks([[(place, tr(words) if axis.choices else words) for place, words in axis.ticks(7)]])
        bottom.setLabel(tr(axis.title) + (tr(" (log)") if axis.log else ""))

    def show_kept(self) -> None:
        """Colour what the brushes keep."""
        super().show_kept()
        show_spots(self._grey, ~self.seen)

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        return trial_rows(self.state)


def _jitter(trials: Sequence[TrialState], axis: Axis) -> Any:
    """Where on its strip each trial of a choice lies: by its number, so that it never moves."""
    if not axis.choices:
        return np.zeros(len(trials))
    turn = np.array([t.number for t in trials]) * 0.618033988749895 % 1.0
    return (turn - 0.5) * _STRIP / len(axis.choices)
