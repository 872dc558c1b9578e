"""A trial's curves: loss, accuracy, accuracy of every class, speed and learning rate, one point an epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from microtome.events import EpochEnded
from microtome.results.fold import TrialState
from microtome.results.tables import history_rows
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import Theme, current
from microtome.ui.views.legend import LegendEntry
from microtome.ui.views.plots import Plot, PlotCard
from microtome.ui.views.redraw import Redraw

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One line: its name on the screen, its colour and style, and where an epoch holds its value."""

    name: str
    colour: str
    style: Qt.PenStyle
    read: Callable[[EpochEnded], float | None]


@dataclass(frozen=True)
class Other:
    """Another run's trial, drawn into the same axes under a name of its own."""

    name: str
    trial: TrialState
    colour: str
    style: Qt.PenStyle


def smoothed(values: Array, weight: float) -> Array:
    """Exponential moving average that begins at the first value without bias (as Adam's); NaN stays NaN, weight 0 … <1."""
    if weight <= 0 or not len(values):
        return values
    out, mean, known = np.empty_like(values), 0.0, 0.0
    for i, value in enumerate(values):
        if np.isnan(value):
            out[i] = np.nan
            continue
        mean = weight * mean + (1 - weight) * value
        known = weight * known + (1 - weight)
        out[i] = mean / known
    return out


class CurveCard(PlotCard):
    """Lines over the epochs of one trial."""

    def __init__(
        self, desk: Desk, title: str, lines: Sequence[Line], *, unit: str, write: Callable[[float], str], name: str
    ) -> None:
        self.trial = TrialState(0)
        self.classes: Sequence[str] = ()
        self._lines, self._write, self._weight = tuple(lines), write, 0.0
        self._hover: float | None = None
        self._others: tuple[Other, ...] = ()
        self.high, self.thin = unit == "%", False  # accuracies crowd at the top; a strip has no room for words
        super().__init__(desk, title, Plot(tr("epoch"), unit, whole_x=True), self._table, name)
        for line in self._lines:
            raw = self.plot.line(f"{line.name} raw", line.colour, line.style, 1.0)
            raw.setOpacity(0.35)
            self.plot.line(line.name, line.colour, line.style)
        self.plot.hovered.connect(self._hovered)
        self._say()

    def show_trial(self, trial: TrialState, classes: Sequence[str] = ()) -> None:
        """Draw a trial's epochs."""
        self.trial, self.classes = trial, classes
        epochs = np.array([e.epoch + 1 for e in trial.epochs], dtype=float)
        for line in self._lines:
            values = np.array([np.nan if (v := line.read(e)) is None else v for e in trial.epochs], dtype=float)
            raw = self.plot.lines[f"{line.name} raw"]
            raw.setVisible(self._weight > 0)
            if self._weight > 0:
                raw.setData(epochs, values)
            # A line of one point cannot be seen.
            dot = len(epochs) == 1 and not np.isnan(values[0])
            if not dot:
                self.plot.lines[line.name].setSymbol(None)
            self.plot.lines[line.name].setData(epochs, smoothed(values, self._weight))
            if dot:
                self.plot.lines[line.name].setSymbol("o")
                self.plot.lines[line.name].setSymbolBrush(line.colour)
                self.plot.lines[line.name].setSymbolPen(None)
                self.plot.lines[line.name].setSymbolSize(6)
        for other in self._others:
            self._draw_other(other)
        self._frame_constant()
        self._say()

    def show_others(self, others: Sequence[Other]) -> None:
        """Draw other runs' last line (the validation set's) beside this one's, in their colours."""
        self._others = tuple(others)
        kept = [name for line in self._lines for name in (line.name, f"{line.name} raw")]
        self.plot.drop_lines([*kept, *(_of_other(o) for o in self._others)])
        self.show_trial(self.trial, self.classes)

    def _draw_other(self, other: Other) -> None:
        line = self._lines[-1]
        epochs = np.array([e.epoch + 1 for e in other.trial.epochs], dtype=float)
        values = np.array([np.nan if (v := line.read(e)) is None else v for e in other.trial.epochs], dtype=float)
        self.plot.line(_of_other(other), other.colour, other.style, 1.4).setData(epochs, smoothed(values, self._weight))

    def _frame_constant(self) -> None:
        """A constant is drawn in the middle of 0 … twice itself, not on a scale of its rounding errors."""
        if not self.thin:
            return
        values = [v for e in self.trial.epochs if (v := self._lines[0].read(e)) is not None]
        if values and max(values) - min(values) < 1e-9 * max(abs(v) for v in values) and values[0] > 0:
            self.plot.setYRange(0.0, 2 * values[0])
        else:
            self.plot.getPlotItem().vb.enableAutoRange(axis="y")

    def name_axis(self, words: str) -> None:
        """What the curves are, where it is not what the card was made for."""
        self.plot.getPlotItem().getAxis("left").setLabel(words, **{"color": current().muted, "font-size": "11px"})

    def show_best(self) -> None:
        """Mark the epoch with the highest validation accuracy."""
        best = self.trial.best
        x = None if best is None or len(self.trial.epochs) < 2 else float(best.epoch + 1)
        self.plot.mark("best", x, "" if self.thin else tr("best"), low=self.high)

    def set_smoothing(self, weight: float) -> None:
        """Smooth by a weight 0 … <1; the raw lines stay, faint."""
        self._weight = weight
        self.show_trial(self.trial, self.classes)

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[object]]]:
        return history_rows(self.trial, self.classes)

    def _hovered(self, x: float | None) -> None:
        longest = max([len(self.trial.epochs), *(len(o.trial.epochs) for o in self._others)])
        self._hover = None if x is None or not longest else float(min(max(round(x), 1), longest))
        self.plot.show_cursor(self._hover)
        self._say()

    def _say(self) -> None:
        epochs = self.trial.epochs
        index = len(epochs) - 1 if self._hover is None else min(int(self._hover), len(epochs)) - 1
        over = self._hover is not None and self._hover > len(epochs)
        entries = []
        for line in self._lines:
            value = line.read(epochs[index]) if epochs and not over else None
            words = self._write(value) if value is not None else "–" if epochs else ""
            entries.append(LegendEntry(line.name, line.colour, line.style, words))
        entries += [LegendEntry(o.name, o.colour, o.style, self._value_of(o)) for o in self._others]
        self.show_legend(entries)

    def _value_of(self, other: Other) -> str:
        epochs = other.trial.epochs
        index = len(epochs) - 1 if self._hover is None else int(self._hover) - 1
        value = self._lines[-1].read(epochs[index]) if 0 <= index < len(epochs) else None
        return "–" if value is None else self._write(value)


def _of_other(other: Other) -> str:
    return f"other {other.colour} {other.style.value} {other.name}"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _loss(value: float) -> str:
    return f"{value:.4f}" if value < 10 else f"{value:.4g}"


def loss_card(desk: Desk, name: str) -> CurveCard:
    """Loss of the training and of the validation set."""
    theme = current()
    lines = (
        Line(tr("Training"), theme.muted, Qt.PenStyle.DashLine, lambda e: e.train_loss),
        Line(tr("Validation"), theme.accent, Qt.PenStyle.SolidLine, lambda e: e.validation_loss),
    )
    return CurveCard(desk, tr("Loss"), lines, unit=tr("cross entropy"), write=_loss, name=f"{name}-loss")


def accuracy_card(desk: Desk, name: str) -> CurveCard:
    """Accuracy of the training set, and mean class accuracy of the validation set."""
    theme = current()
    lines = (
        Line(tr("Training"), theme.muted, Qt.PenStyle.DashLine, lambda e: 100 * e.train_accuracy),
        Line(tr("Validation"), theme.accent, Qt.PenStyle.SolidLine, lambda e: 100 * e.validation_accuracy),
    )
    return CurveCard(desk, tr("Accuracy"), lines, unit="%", write=_percents, name=f"{name}-accuracy")


def class_lines(classes: Sequence[str], theme: Theme) -> list[Line]:
    """One line a class, in its colour and style."""

    def reader(cls: str) -> Callable[[EpochEnded], float | None]:
        def read(e: EpochEnded) -> float | None:
            correct, total = e.per_class.get(cls, (0, 0))
            return 100 * correct / total if total else None

        return read

    return [Line(c, theme.class_colour(i), theme.class_style(i), reader(c)) for i, c in enumerate(classes)]


def class_card(desk: Desk, name: str, classes: Sequence[str], title: str = "") -> CurveCard:
    """Accuracy of every class on the validation set."""
    words = title or tr("Accuracy of every class")
    card = CurveCard(desk, words, class_lines(classes, current()), unit="%", write=_percents, name=f"{name}-classes")
    card.classes = classes
    return card


def speed_card(desk: Desk, name: str) -> CurveCard:
    """Images a second."""
    lines = (Line(tr("images/s"), current().muted, Qt.PenStyle.SolidLine, lambda e: e.images_per_second),)
    return _strip(CurveCard(desk, tr("Speed"), lines, unit="", write=lambda v: f"{v:.0f}", name=f"{name}-speed"))


def rate_card(desk: Desk, name: str) -> CurveCard:
    """The learning rate."""
    lines = (Line("", current().muted, Qt.PenStyle.SolidLine, lambda e: e.learning_rate),)
    made = CurveCard(desk, tr("Learning rate"), lines, unit="", write=lambda v: f"{v:.3g}", name=f"{name}-rate")
    return _strip(made)


def _strip(card: CurveCard) -> CurveCard:
    """A thin one: no words at the axes, the title and the value in one line."""
    card.thin = True
    item = card.plot.getPlotItem()
    item.getAxis("bottom").setStyle(showValues=False)
    item.getAxis("bottom").setHeight(6)
    for side in ("bottom", "left"):
        item.getAxis(side).showLabel(False)
    item.getAxis("left").setTickDensity(0.4)
    item.getAxis("left").setStyle(maxTickLevel=0)
    item.vb.setDefaultPadding(0.1)
    card.plot.setFixedHeight(52)
    card.head.addWidget(card.legend, 1)
    return card


def _percents(value: float) -> str:
    return f"{value:.1f} %"


class TrialCurves:
    """The cards of one trial and how they are redrawn: only when an epoch is new, one card a beat."""

    def __init__(self, redraw: Redraw, owner: QWidget) -> None:
        self._redraw, self._owner = redraw, owner
        self.cards: list[CurveCard] = []
        self._shown: tuple[int, int, float] = (-1, -1, 0.0)

    def show(self, trial: TrialState, classes: Sequence[str]) -> bool:
        """Draw a trial where anything about its epochs is new; True then."""
        last = trial.epochs[-1].time if trial.epochs else 0.0
        key = (trial.number, len(trial.epochs), last)
        if key == self._shown:
            return False
        self._shown = key
        for number, card in enumerate(self.cards):
            self._redraw.ask(f"curves {number}", lambda card=card: self._draw(card, trial, classes))  # type: ignore[misc]
        return True

    @staticmethod
    def _draw(card: CurveCard, trial: TrialState, classes: Sequence[str]) -> None:
        card.show_trial(trial, classes)
        card.show_best()
