"""Validation accuracy of every trial over its epochs: the best few coloured, the chosen one strong, the rest as a density."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from microtome.results.fold import RunState, TrialState
from microtome.results.scores import Score
from microtome.results.tables import ranked
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import current
from microtome.ui.views.legend import LegendEntry
from microtome.ui.views.plots import Plot, PlotCard, faded, show_score
from microtome.ui.views.search.brushes import Numbers, keeps

_TOP = 3
_POINTS = 20_000  # of all grey curves together; older ones are left out beyond it
_HALF = 100  # curves that lie on each other so that half of the background is seen: about as many as the plot has pixels
_FAINTEST, _STRONGEST = 13, 150  # alpha: a lone curve of thousands is still seen, one of a few is still behind the best
_HALO = 4.6  # pixels of background around a coloured curve
Points = NDArray[np.float64]


class TrialCurvesCard(PlotCard):
    """One grey line holds all trials in the background, so that thousands of trials are still one drawing."""

    def __init__(self, desk: Desk, name: str) -> None:
        theme = current()
        self.state = RunState()
        self._chosen: int | None = None
        self._kept: Numbers | None = None
        self._ranked: list[TrialState] = []
        self._best: list[int] = []  # numbers of those in colour
        self._entries: list[LegendEntry] = []
        self._epochs, self._score, self._runs = Score(), Score(), False
        self._crowd = _Crowd([], 1.0)
        plot = Plot(tr("epoch"), tr("validation accuracy, %"), whole_x=True)
        super().__init__(desk, tr("Curves of the trials"), plot, self._table, f"{name}-curves")
        self._rest = plot.line("rest", theme.grey_curve, width=1.0)
        self._running = plot.line("running", theme.warn, Qt.PenStyle.DotLine, 1.6)
        self._top = [plot.line(f"top {i}", theme.class_colour(i), theme.class_style(i)) for i in range(_TOP)]
        self._strong = plot.line("chosen", theme.text, width=2.6)
        for line in (*self._top, self._strong):
            line.setShadowPen(pg.mkPen(faded(theme.surface, 190), width=_HALO))

    def show_run(self, state: RunState) -> None:
        """Draw every trial's epochs."""
        self.state = state
        self._ranked = ranked(state)
        curved = [t for t in state.trials.values() if t.epochs]
        # Of a network that tells a number, an epoch's accuracy is its R².
        self._epochs = Score("R²" if any(t.epochs[-1].r2 is not None for t in curved) else "share")
        if self._epochs.kind == "R²":
            show_score(self.plot, self._epochs)
        self._crowd = _Crowd([t for t in curved if t.outcome != "running"], self._epochs.factor)
        self._score = Score.of(self._ranked)
        running = [t for t in curved if t.outcome == "running"]
        self._runs = bool(running)
        self._draw(self._running, running)
        self._draw_kept()

    def restrict(self, kept: Numbers | None) -> None:
        """Show only these trials, and those that run; None: all."""
        self._kept = kept
        self._draw_kept()

    def _draw_kept(self) -> None:
        theme = current()
        wanted = None if self._kept is None else set(self._kept.tolist())
        best = list(islice((t for t in self._ranked if wanted is None or t.number in wanted), _TOP))
        x, y = self._crowd.lines(self._kept, [t.number for t in best])
        self._rest.setPen(pg.mkPen(_shade(int(np.isnan(x).sum())), width=1))
        _show(self._rest, x, y)
        entries = []
        for i, line in enumerate(self._top):
            self._draw(line, best[i : i + 1])
            if i < len(best):
                name, value = tr("trial {n}", n=best[i].number), self._score.words(best[i].value)
                entries.append(LegendEntry(name, theme.class_colour(i), theme.class_style(i), value))
        if self._runs:
            entries.append(LegendEntry(tr("running"), theme.warn, Qt.PenStyle.DotLine))
        self._entries = [*entries, LegendEntry(tr("others"), theme.grey_curve)]
        self._best = [t.number for t in best]
        self.choose(self._chosen)

    def choose(self, number: int | None) -> None:
        """Draw a trial strong; one of the best in its own colour."""
        self._chosen = number
        trial = self.state.trials.get(number) if number is not None else None
        place = self._best.index(number) if number in self._best else None
        theme = current()
        colour = theme.text if place is None else theme.class_colour(place)
        style = Qt.PenStyle.SolidLine if place is None else theme.class_style(place)
        self._strong.setPen(pg.mkPen(colour, width=2.8, style=style))
        self._draw(self._strong, [trial] if trial is not None else [])
        named = trial is not None and bool(trial.epochs) and place is None
        chosen = [LegendEntry(tr("trial {n}, chosen", n=number), theme.text)] if named else []
        self.show_legend([*self._entries, *chosen])

    def _draw(self, line: Any, trials: Sequence[TrialState]) -> None:
        _show(line, *_joined(trials, self._epochs.factor))

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        header = ["trial", "epoch", "train_loss", "validation_loss", "train_accuracy", "validation_accuracy"]
        rows = [
            [t.number, e.epoch + 1, e.train_loss, e.validation_loss, e.train_accuracy, e.validation_accuracy]
            for t in self.state.trials.values()
            for e in t.epochs
        ]
        return header, rows


class _Crowd:
    """All curves in one pair of arrays, a gap after each: a brush picks from it instead of joining them again."""

    def __init__(self, trials: Sequence[TrialState], factor: float) -> None:
        self.x, self.y = _joined(trials, factor)
        numbers = np.array([t.number for t in trials], dtype=np.int64)
        self._owner = np.repeat(numbers, [len(t.epochs) + 1 for t in trials])

    def lines(self, kept: Numbers | None, without: Sequence[int]) -> tuple[Points, Points]:
        """(epochs, accuracies) of the kept trials without some; of too many the latest."""
        chosen = np.flatnonzero(keeps(kept, self._owner) & ~np.isin(self._owner, without))
        if len(chosen) > _POINTS:
            first = self._owner[chosen[-_POINTS]]
            chosen = chosen[-_POINTS:][self._owner[chosen[-_POINTS:]] != first]  # the first one is not whole
        return self.x[chosen], self.y[chosen]


def _shade(curves: int) -> QColor:
    """The colour of each of so many curves: the more there are the paler, so that where they lie close is told by shade."""
    alpha = 1 - 0.5 ** (_HALF / max(1, curves))
    return faded(current().muted, round(min(_STRONGEST, max(_FAINTEST, 255 * alpha))))


def _show(line: Any, x: Points, y: Points) -> None:
    """Show curves with gaps between them; as dots where none of them has a second epoch to draw a line to."""
    known = ~np.isnan(x)
    dots = bool(known.any()) and not bool((known[1:] & known[:-1]).any())
    if dots:
        colour = line.opts["pen"].color()
        line.setSymbolBrush(colour)
        line.setSymbolPen(None)
        line.setSymbolSize(6)
        x, y = x[known], y[known]  # gaps part lines; a scatter of dots warns of them
    if dots != (line.opts["symbol"] is not None):
        # Emptied first: whichever of symbol and data comes first is drawn with the other's old value.
        line.setData([], [])
        line.setSymbol("o" if dots else None)
    line.setData(x, y)


def _joined(trials: Sequence[TrialState], factor: float) -> tuple[Points, Points]:
    """(epochs, `factor` × accuracies) of all trials in one line, with a gap after each."""
    x: list[float] = []
    y: list[float] = []
    for trial in trials:
        x.extend(e.epoch + 1 for e in trial.epochs)
        y.extend(factor * e.validation_accuracy for e in trial.epochs)
        x.append(np.nan)
        y.append(np.nan)
    return np.array(x, dtype=float), np.array(y, dtype=float)
