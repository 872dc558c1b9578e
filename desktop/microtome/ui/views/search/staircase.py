"""The best value so far, over trials or time, with every trial as a dot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from microtome.results.fold import COUNTED, RunState, TrialState
from microtome.results.scores import Score
from microtome.results.tables import current_value, trial_rows
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import current
from microtome.ui.views.legend import LegendEntry
from microtome.ui.views.plots import Plot, axis_font, faded, show_score
from microtome.ui.views.search.dots import DotCard
from microtome.ui.widgets import Choice
from microtome.ui.words import mark_words

#: What is special about a trial → its symbol.
_SYMBOLS = {"reused": "s", "promoted": "t1", "paused": "t", "early": "d"}


class StaircaseCard(DotCard):
    """`picked` carries a trial's number."""

    def __init__(self, desk: Desk, name: str) -> None:
        theme = current()
        self.state = RunState()
        super().__init__(desk, tr("Best so far"), Plot(tr("trials"), tr("value, %")), self._table, f"{name}-staircase")
        self.over = Choice([("trials", tr("over trials")), ("time", tr("over time"))], "trials")
        self.over.currentIndexChanged.connect(lambda _: self._changed_axis())
        self.head.addWidget(self.over)
        self._counted = self.dots(6, pen=None, brush=pg.mkBrush(theme.grey_curve))
        self._others = self.dots(6, symbol="x", pen=pg.mkPen(theme.faint), brush=None)
        self._marks = {
            kind: self.dots(8, symbol=symbol, pen=pg.mkPen(theme.muted), brush=None) for kind, symbol in _SYMBOLS.items()
        }
        # Room for the figure above the last step.
        self.plot.getPlotItem().vb.setDefaultPadding(0.1)
        self._stairs = self.plot.line("best", theme.accent, width=2.4)
        self._label = pg.TextItem(
            color=theme.accent, anchor=(1, -0.1), fill=faded(theme.surface, 200)
        )  # below: the best lies at the upper edge
        self._label.setFont(axis_font())
        self.plot.getPlotItem().addItem(self._label, ignoreBounds=True)
        self._tell({})

    def _tell(self, marked: Mapping[str, bool]) -> None:
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
            LegendEntry(tr("stopped early"), theme.faint, marker="cross", tip=mark_words("stopped")),
        ]
        entries += [
            LegendEntry(words[kind], theme.muted, marker=_SYMBOLS[kind], tip=mark_words(kind))
            for kind, found in marked.items()
            if found
        ]
        self.show_legend(entries)

    def show_run(self, state: RunState) -> None:
        """Draw what has ended so far."""
        self.state = state
        over_time = self.over.value() == "time"
        scale, unit = _time_scale(state) if over_time else (1.0, tr("trials"))
        self.plot.getPlotItem().setLabel("bottom", unit)
        shown = [*state.ended_trials(), *(t for t in state.trials.values() if t.outcome == "paused")]
        factor = Score.of(shown).factor
        drawn = [(i, t, value) for i, t in enumerate(shown, start=1) if (value := current_value(t)) is not None]
        x = [(_when(t, state) - state.started) / scale if over_time else float(i) for i, t, _ in drawn]
        numbers = np.array([t.number for _, t, _ in drawn], dtype=np.int64)
        counted = np.array([t.outcome in COUNTED for _, t, _ in drawn], dtype=bool)
        marked = _marked([t for _, t, _ in drawn])
        groups = [(self._counted, counted), (self._others, ~counted), *((self._marks[kind], marked[kind]) for kind in _SYMBOLS)]
        self.show_dots(numbers, np.column_stack([x, [factor * value for _, _, value in drawn]]), groups)
        self._tell({kind: bool(mask.any()) for kind, mask in marked.items()})
        self._draw_stairs(over_time, scale)

    def _draw_stairs(self, over_time: bool, scale: float) -> None:
        score = Score.of(list(self.state.trials.values()))
        show_score(self.plot, score)
        factor = score.factor
        steps = [(seconds / scale if over_time else float(n), factor * best) for n, seconds, best in self.state.staircase()]
        corners: list[tuple[float, float]] = []
        for x, best in steps:
            if corners:
                corners.append((x, corners[-1][1]))
            corners.append((x, best))
        if len(self.places) and corners:
            corners.append((max(corners[-1][0], float(self.places[:, 0].max())), corners[-1][1]))
        drawn = np.array(corners, dtype=float).reshape(-1, 2)
        self._stairs.setData(drawn[:, 0], drawn[:, 1])
        self._label.setVisible(bool(corners))
        if corners:
            self._label.setPlainText(score.words(corners[-1][1] / factor))
            self._label.setPos(*corners[-1])

    def _changed_axis(self) -> None:
        self.show_run(self.state)
        self.plot.show_all()

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        return trial_rows(self.state)


def _when(trial: TrialState, state: RunState) -> float:
    """When a trial ended, or was last worked on."""
    return trial.ended or (trial.spans[-1][2] if trial.spans else state.updated)


def _marked(trials: Sequence[TrialState]) -> dict[str, NDArray[np.bool_]]:
    """What is special → which of the trials are."""
    signs = {
        "reused": [t.outcome == "reused" for t in trials],
        "promoted": [t.promotions > 0 for t in trials],
        "paused": [t.outcome == "paused" for t in trials],
        "early": [t.speculative for t in trials],
    }
    return {kind: np.array(found, dtype=bool) for kind, found in signs.items()}


def _time_scale(state: RunState) -> tuple[float, str]:
    seconds = state.updated - state.started
    if seconds < 300:
        return 1.0, tr("seconds")
    return (60.0, tr("minutes")) if seconds < 2 * 3600 else (3600.0, tr("hours"))
