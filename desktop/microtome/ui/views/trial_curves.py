"""Validation accuracy of every trial over its epochs: the best few coloured, the chosen one strong, the rest grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt

from microtome.results.fold import RunState, TrialState
from microtome.results.tables import ranked
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import current
from microtome.ui.views.legend import LegendEntry
from microtome.ui.views.plots import Plot, PlotCard

_TOP = 3
_POINTS = 20_000  # of all grey curves together; older ones are left out beyond it


class TrialCurvesCard(PlotCard):
    """One grey line holds all trials in the background, so that thousands of trials are still one drawing."""

    def __init__(self, desk: Desk, name: str) -> None:
        theme = current()
        self.state = RunState()
        self._chosen: int | None = None
        self._kept: frozenset[int] | None = None
        plot = Plot(tr("epoch"), tr("validation accuracy, %"), whole_x=True)
        super().__init__(desk, tr("Curves of the trials"), plot, self._table, f"{name}-curves")
        self._rest = plot.line("rest", theme.grey_curve, width=1.0)
        self._running = plot.line("running", theme.warn, Qt.PenStyle.DotLine, 1.6)
        self._top = [plot.line(f"top {i}", theme.class_colour(i), theme.class_style(i)) for i in range(_TOP)]
        self._strong = plot.line("chosen", theme.text, width=2.6)

    def show_run(self, state: RunState) -> None:
        """Draw every trial's epochs."""
        self.state = state
        theme, kept = current(), self._kept
        best = [t for t in ranked(state) if kept is None or t.number in kept][:_TOP]
        running = [t for t in state.running_trials() if t.epochs]
        front = {t.number for t in [*best, *running]}
        rest, points = [], 0
        for trial in reversed(state.trials.values()):
            if trial.number in front or not trial.epochs or (kept is not None and trial.number not in kept):
                continue
            points += len(trial.epochs)
            if points > _POINTS:
                break
            rest.append(trial)
        _draw(self._rest, rest)
        _draw(self._running, running)
        entries = []
        for i, line in enumerate(self._top):
            _draw(line, best[i : i + 1])
            if i < len(best):
                value = f"{100 * (best[i].value or 0):.1f} %"
                name = tr("trial {n}", n=best[i].number)
                entries.append(LegendEntry(name, theme.class_colour(i), theme.class_style(i), value))
        if running:
            entries.append(LegendEntry(tr("running"), theme.warn, Qt.PenStyle.DotLine))
        self.show_legend([*entries, LegendEntry(tr("others"), theme.grey_curve)])
        self.choose(self._chosen)

    def restrict(self, kept: frozenset[int] | None) -> None:
        """Show only these trials; None: all."""
        self._kept = kept
        self.show_run(self.state)

    def choose(self, number: int | None) -> None:
        """Draw a trial strong."""
        self._chosen = number
        trial = self.state.trials.get(number) if number is not None else None
        _draw(self._strong, [trial] if trial is not None else [])

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        header = ["trial", "epoch", "train_loss", "validation_loss", "train_accuracy", "validation_accuracy"]
        rows = [
            [t.number, e.epoch + 1, e.train_loss, e.validation_loss, e.train_accuracy, e.validation_accuracy]
            for t in self.state.trials.values()
            for e in t.epochs
        ]
        return header, rows


def _draw(line: Any, trials: Sequence[TrialState]) -> None:
    """Show trials as one line; as dots where none of them has a second epoch to draw a line to."""
    dots = bool(trials) and all(len(t.epochs) < 2 for t in trials)
    if dots:
        colour = line.opts["pen"].color()
        line.setSymbolBrush(colour)
        line.setSymbolPen(None)
        line.setSymbolSize(6)
    x, y = _joined(trials)
    # Gaps part lines; a scatter of dots warns of them.
    x, y = (x[~np.isnan(x)], y[~np.isnan(x)]) if dots else (x, y)
    # Emptied first: whichever of symbol and data comes first is drawn with the other's old value.
    line.setData([], [])
    line.setSymbol("o" if dots else None)
    line.setData(x, y)


def _joined(trials: Sequence[TrialState]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(epochs, accuracies in percent) of all trials in one line, with a gap after each."""
    x: list[float] = []
    y: list[float] = []
    for trial in trials:
        x.extend(e.epoch + 1 for e in trial.epochs)
        y.extend(100 * e.validation_accuracy for e in trial.epochs)
        x.append(np.nan)
        y.append(np.nan)
    return np.array(x, dtype=float), np.array(y, dtype=float)
