"""The honest winner: the best trials, trained again on fresh seeds and slices, ranked with intervals; ties are said."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame

from microtome.events import Ranked
from microtome.results.fold import RunState
from microtome.results.scores import Score
from microtome.ui.i18n import tr
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.views.interval_bars import Bar, IntervalBars
from microtome.ui.widgets import column, label


class RankingCard(QFrame):
    """Hidden until a trial was trained again; `picked` carries a trial's number."""

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.bars = IntervalBars(tr("Trained again"), from_zero=False)
        self.bars.picked.connect(lambda key: self.picked.emit(int(key)))
        self.words = label("", "muted", wrap=True, selectable=True)
        head = label(tr("The best, trained again on fresh seeds and slices"), "heading")
        self.setLayout(column(head, self.bars, self.words, margin=GRID + 4, gap=6))
        self.hide()

    def show_run(self, state: RunState) -> None:
        """Show the ranking, or, before there is one, what has been measured."""
        self.setVisible(bool(state.retrained or state.ranked))
        if state.ranked is not None:
            self._show_ranked(state.ranked, Score.of(list(state.trials.values())))
        elif state.retrained:
            values: dict[int, list[float]] = {}
            factor = Score.of(list(state.trials.values())).factor
            for again in state.retrained:
                values.setdefault(again.trial, []).append(factor * again.value)
            bars = [
                Bar(tr("trial {n}", n=n), sum(v) / len(v), min(v), max(v), tr("{n} seeds", n=len(v)), key=str(n))
                for n, v in values.items()
            ]
            self.bars.show_bars(sorted(bars, key=lambda b: -b.value))
            self.words.setText(tr("Under way: mean, lowest and highest of the seeds so far."))

    def _show_ranked(self, ranked: Ranked, score: Score) -> None:
        factor = score.factor
        bars = [
            Bar(
                tr("trial {n}", n=name),
                factor * mean,
                factor * low,
                factor * high,
                score.measured(mean, low, high),
                strong=int(name) in ranked.tied or i == 0,
                key=name,
            )
            for i, (name, (mean, low, high)) in enumerate(sorted(ranked.means.items(), key=lambda item: -item[1][0]))
        ]
        self.bars.show_bars(bars)
        self.words.setText(said(ranked.words) + " " + tr("Intervals: 95 %."))
