"""What would each engine have needed on this search's trials? One click, a table and a fan of staircases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QProgressBar

from microtome.results.scores import Score
from microtome.search.replay import EngineReplay, Replay, summarise
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.search_words import engine_words
from microtome.ui.sentences import said
from microtome.ui.theme import GRID, current
from microtome.ui.views.interval_bars import Bar, IntervalBars
from microtome.ui.views.legend import LegendEntry
from microtome.ui.views.plots import Plot, PlotCard, axis_font, faded, show_score
from microtome.ui.widgets import button, holding, label, row

ENGINES = ("grid", "random", "tpe", "genetic", "gp")
"""Those of the comparison: exhaustive, blind, Parzen, genetic, Bayesian (by far the slowest: the last)."""


_HEIGHT = 240  # pixels of the plot
_FIRST = 3  # trials, whose heights the plot need not show


class ReplayCard(PlotCard):
    """`wanted`: replay now; `unwanted`: stop it."""

    wanted = Signal()
    unwanted = Signal()

    def __init__(self, desk: Desk, name: str) -> None:
        self.replay: Replay | None = None
        plot = Plot(tr("trials"), tr("best so far"), whole_x=True)
        plot.setMinimumHeight(_HEIGHT)
        super().__init__(desk, tr("Engines compared"), plot, self._table, f"{name}-engines")
        self.start = button(tr("What would each engine have needed?"), self.wanted.emit, icon_name="play")
        self.stop = button(tr("Stop"), self.unwanted.emit, kind="small", icon_name="stop")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bars = IntervalBars(tr("Trials needed"))
        self.words = label("", "muted", wrap=True)
        self._bands: list[Any] = []
        self._target = pg.InfiniteLine(
            angle=0,
            pen=pg.mkPen(current().muted, width=1, style=Qt.PenStyle.DashLine),
            label="",
            labelOpts={"position": 0.98, "anchors": [(1, 0), (1, 1)], "color": current().muted},
        )
        self._target.label.textItem.setFont(axis_font())
        plot.getPlotItem().addItem(self._target, ignoreBounds=True)
        self.progress = holding(row(self.bar, self.stop, gap=GRID))
        self.head.addWidget(self.start)
        inside = self.layout()
        assert inside is not None
        for part in (self.progress, self.bars, self.words):
            inside.addWidget(part)
        for hidden in (self.progress, self.bars, plot, self.legend):
            hidden.hide()
        self.words.setText(
            tr("Replays this search's engine and grid, random, Bayesian, Parzen and genetic search on the finished trials.")
        )

    def show_progress(self, share: float | None) -> None:
        """How far the replay is; None: it does not run."""
        self.progress.setVisible(share is not None)
        self.start.setEnabled(share is None)
        if share is not None:
            self.bar.setValue(round(1000 * share))

    def show_failure(self, words: str) -> None:
        """Why there is no comparison."""
        self.show_progress(None)
        self.words.setText(said(words))

    def show_replay(self, replay: Replay, score: Score) -> None:
        """Table and fan; `score` says how values are written."""
        self.replay = replay
        self.show_progress(None)
        for part in (self.bars, self.plot, self.legend):
            part.show()
        for band in self._bands:
            self.plot.removeItem(band)
        self._bands = []
        self.plot.drop_lines()
        entries = []
        for i, engine in enumerate(replay.engines):
            colour, style = current().class_colour(i), current().class_style(i)
            self._fan(engine, i, score.factor)
            middle = summarise(engine, replay.budget)[0]
            entries.append(LegendEntry(_label(engine.engine), colour, style, _needed(middle, replay.budget)))
        self._target.setValue(score.factor * replay.target)
        self._target.label.setFormat(tr("as good as the best twentieth"))
        self.show_legend(entries)
        self._focus(replay, score.factor)
        show_score(plot=self.plot, score=score)
        self.bars.show_bars([_bar(engine, replay.budget) for engine in replay.engines])
        seeds = len(replay.engines[0].curves) if replay.engines else 0
        words = tr(
            "Trials until as good as the best twentieth of this search ({best}): median and quartiles of {seeds} seeds. "
            "Between the {n} trials the values are guessed from the nearest ones, so nothing better than the best of them "
            "can be found, and what this search tried often is known best.",
            best=score.words(replay.target),
            seeds=seeds,
            n=replay.trials,
        )
        left_out = [f"{_label(name)}: {said(why)}" for name, why in replay.skipped.items()]
        self.words.setText(" ".join([words, *left_out]))

    def _focus(self, replay: Replay, factor: float) -> None:
        """Show the heights where the engines differ: their first trials, far below, would flatten the rest."""
        curves = factor * np.array([np.median(e.curves, axis=0) for e in replay.engines])
        if not curves.size:
            return
        after = min(_FIRST, curves.shape[1] - 1)
        low, high = float(curves[:, after:].min()), max(float(curves.max()), factor * replay.target)
        room = max(0.08 * (high - low), 1e-3 * factor)
        self.plot.show_all()
        self.plot.getPlotItem().setYRange(low - room, high + room, padding=0)

    def _fan(self, engine: EngineReplay, i: int, factor: float) -> None:
        curves = factor * np.array(engine.curves)
        x = np.arange(1, curves.shape[1] + 1)
        low, middle, high = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
        colour = current().class_colour(i)
        ends = [pg.PlotCurveItem(x, y, pen=None) for y in (low, high)]
        band = pg.FillBetweenItem(*ends, brush=pg.mkBrush(faded(colour, 36)))
        for item in (*ends, band):
            self.plot.addItem(item)
            self._bands.append(item)
        style = current().class_style(i) if i else Qt.PenStyle.SolidLine
        self.plot.line(engine.engine, colour, style, 2.0).setData(x, middle)

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        engines = self.replay.engines if self.replay is not None else ()
        header = ["trials", *(f"{e.engine}_seed_{k}" for e in engines for k in range(len(e.curves)))]
        columns = [curve for e in engines for curve in e.curves]
        return header, [[i + 1, *(c[i] for c in columns)] for i in range(len(columns[0]) if columns else 0)]


def _label(engine: str) -> str:
    return engine_words(engine)


def _needed(middle: float, budget: int) -> str:
    return f"> {budget}" if middle > budget else f"{middle:.0f}"


def _bar(engine: EngineReplay, budget: int) -> Bar:
    middle, low, high = summarise(engine, budget)
    words = _needed(middle, budget)
    if low <= budget:
        words += f" ({_needed(low, budget)} – {_needed(high, budget)})"
    top = float(budget)
    return Bar(_label(engine.engine), min(middle, top), min(low, top), min(high, top), words, strong=middle <= budget)
