"""Accuracy against what it costs: every trial a dot, those that nothing beats joined by a line; a second cost as colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QBoxLayout, QComboBox

from microtome.results.fold import RunState
from microtome.results.pareto import COSTS, pareto_front
from microtome.results.scores import Score
from microtome.results.tables import ranked
from microtome.results.words import number
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import with_commas
from microtome.ui.theme import GRID, current
from microtome.ui.views.legend import LegendEntry
from microtome.ui.views.plots import Plot, show_score
from microtome.ui.views.search.dots import DotCard, shade_dots
from microtome.ui.widgets import Choice, label, row

_DECADES = 0.9  # of an axis, up to which all of its ticks have room for their words


class ParetoCard(DotCard):
    """Two costs at once: one across, another as the colour of the dots; then the front is that of all three."""

    def __init__(self, desk: Desk, name: str) -> None:
        theme = current()
        self.state = RunState()
        super().__init__(desk, tr("Value against cost"), Plot(tr("Cost"), tr("value, %")), self._table, f"{name}-pareto")
        words = {"seconds": tr("training time, s"), "parameters": tr("network weights"), "epochs": tr("epochs")}
        self.cost = Choice([(key, words[key]) for key in COSTS], "seconds")
        self.cost.setAccessibleName(tr("Cost"))
        self.third = Choice([("", tr("colour: none")), *((key, tr("colour: {name}", name=words[key])) for key in COSTS)])
        self.third.setAccessibleName(tr("A second cost, as colour"))
        for choice in (self.third, self.cost):
            choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            choice.setMinimumContentsLength(9)
            choice.activated.connect(lambda _: self._changed())
        self.empty = label("", "muted", wrap=True)
        body = self.layout()
        assert isinstance(body, QBoxLayout)
        body.insertLayout(1, row(self.cost, self.third, gap=GRID))
        body.addWidget(self.empty)
        self._rest = self.dots(6, pen=None, brush=pg.mkBrush(theme.grey_curve))
        self._front = self.dots(9, pen=None, brush=pg.mkBrush(theme.accent))
        self._inside: NDArray[np.bool_] = np.zeros(0, dtype=bool)  # of the dots: which are in the front
        self._line = self.plot.line("front", theme.accent, width=1.6)
        # Times and sizes of networks span decades.
        self.plot.setLogMode(x=True, y=False)
        axis = self.plot.getPlotItem().getAxis("bottom")
        axis.logTickStrings = partial(_plain, axis)
        self._changed()

    def show_run(self, state: RunState) -> None:
        """Draw the trials that count and have such costs."""
        self.state = state
        self._measure()

    def show_cost(self, name: str) -> None:
        """Show another cost across."""
        self.cost.choose(name)
        self._changed()

    def _changed(self) -> None:
        # What lies across cannot be the colour as well.
        for choice, other in ((self.cost, self.third), (self.third, self.cost)):
            model = choice.model()
            assert isinstance(model, QStandardItemModel)
            for i in range(choice.count()):
                model.item(i).setEnabled(choice.itemData(i) != other.value())
        self._measure()
        self.plot.show_all()

    def _measure(self) -> None:
        """Where every trial lies, and which of them make the front."""
        keys = [key for key in (self.cost.value(), self.third.value()) if key]
        costs = [(t, [COSTS[key](t) or 0.0 for key in keys]) for t in ranked(self.state)]
        drawn = [(t, found) for t, found in costs if min(found) > 0]
        score = Score.of([t for t, _ in drawn])
        numbers = np.array([t.number for t, _ in drawn], dtype=np.int64)
        logs = np.log10(np.array([found for _, found in drawn], dtype=float).reshape(-1, len(keys)))
        self._inside = np.isin(numbers, [t.number for t in pareto_front(self.state, keys)])
        places = np.column_stack([logs[:, 0], [score.factor * (t.value or 0.0) for t, _ in drawn]])
        # A front of three lies among the rest: it is told by its size.
        self._front.opts["pen"] = pg.mkPen(current().text, width=1) if len(keys) > 1 else pg.mkPen(None)
        self.show_dots(numbers, places, [(self._rest, ~self._inside), (self._front, self._inside)])
        shares = _cheapness(logs[:, 1]) if len(keys) > 1 else self._inside.astype(float)
        shade_dots(self._rest, shares[~self._inside])
        shade_dots(self._front, shares[self._inside])
        show_score(self.plot, score)
        self.plot.getPlotItem().setLabel("bottom", self.cost.currentText() + tr(" (log)"))
        self.empty.setVisible(not drawn)
        self.empty.setText(tr("No trial has said this cost yet."))
        self._tell(10 ** logs[:, 1] if len(keys) > 1 else None)

    def _tell(self, third: NDArray[np.float64] | None) -> None:
        """The legend; `third` are the costs that colour the dots."""
        theme = current()
        if third is None or not len(third):
            front, rest = tr("nothing beats these in both"), tr("trials")
            entries = [LegendEntry(front, theme.accent, marker="dot"), LegendEntry(rest, theme.grey_curve, marker="dot")]
        else:
            entries = [
                LegendEntry(number(float(f"{third.min():.3g}")), theme.accent, marker="dot"),
                LegendEntry(number(float(f"{third.max():.3g}")), theme.grey_curve, marker="dot"),
                LegendEntry(tr("large: nothing beats these in all three"), theme.text, marker="dot"),
            ]
        self.show_legend(entries)

    def show_kept(self) -> None:
        """Show what the brushes keep, and join what is left of the front."""
        super().show_kept()
        ends = self.places[self._inside & self.seen] if not self.third.value() else np.zeros((0, 2))
        ends = ends[np.argsort(ends[:, 0])]
        # A plotted line takes its own logarithm; dots do not.
        self._line.setData(10 ** ends[:, 0], ends[:, 1])

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        names = list(COSTS)
        front = {name: {t.number for t in pareto_front(self.state, [name])} for name in names}
        header = ["trial", "value", *names, *(f"front_{name}" for name in names)]
        trials = ranked(self.state)
        return header, [
            [t.number, t.value, *(COSTS[n](t) for n in names), *(t.number in front[n] for n in names)] for t in trials
        ]


def _cheapness(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 for the dearest … 1 for the cheapest, by their logarithms."""
    if not len(logs) or logs.max() <= logs.min():
        return np.ones(len(logs))
    share: NDArray[np.float64] = (logs.max() - logs) / (logs.max() - logs.min())
    return share


def _plain(axis: Any, logs: Sequence[float], _scale: float, _spacing: float) -> list[str]:
    """Ticks of a logarithmic axis as plain numbers: `10`, not `10¹`, `2` beside it, and `100 000`.

    Over more than a decade 1, 2 and 5 alone are named: there is no room for the others.
    """
    few = axis.range[1] - axis.range[0] <= _DECADES
    values = [float(f"{10**at:.3g}") for at in logs]
    named = [few or round(10 ** (at - math.floor(at + 1e-9))) in (1, 2, 5) for at in logs]
    words = [with_commas(round(v)) if v >= 1000 else number(v) for v in values]
    return [text if there else "" for text, there in zip(words, named, strict=True)]
