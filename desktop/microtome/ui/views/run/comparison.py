"""Runs beside each other on a training's page: their curves in its plots, and a table of only what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QGridLayout, QMenu, QSizePolicy, QWidget

from microtome.events import EpochEnded, Evaluated, images_of
from microtome.results.compare import Difference, Side, difference, differing, read_side, setting_title, shown_trial
from microtome.results.fold import RunState, TrialState
from microtome.results.words import number, percent
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import span
from microtome.ui.tail import RunTail
from microtome.ui.theme import GRID, current
from microtome.ui.views.run.curves import Other
from microtome.ui.views.saving import Savers
from microtome.ui.widgets import breakable, button, clear, column, holding, label, note, row, tool
from microtome.ui.words import run_title, state_word

MOST = 6  # runs, the page's own among them
_LONG = 80  # characters of a setting's value before it is cut off
_NARROW = 72
_STYLES = (
    Qt.PenStyle.DashDotLine,
    Qt.PenStyle.DotLine,
    Qt.PenStyle.DashLine,
    Qt.PenStyle.DashDotDotLine,
    Qt.PenStyle.SolidLine,
)


class LineSample(QWidget):
    """A piece of a run's line, as it is drawn in the plots."""

    def __init__(self, colour: str, style: Qt.PenStyle) -> None:
        super().__init__()
        self._colour, self._style = colour, style
        self.setFixedSize(24, 12)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The line."""
        painter = QPainter(self)
        painter.setPen(QPen(QColor(self._colour), 2.2, self._style))
        painter.drawLine(0, 6, 24, 6)
        painter.end()


class RunComparison(QFrame):
    """The runs that are compared with one; `others_changed` comes when one is added, taken away, or has trained on.

    What is read of a run's folder is read in the background, again when its state word or its evaluation is new.
    """

    others_changed = Signal()

    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__()
        self.desk, self.name = desk, name
        self.names: list[str] = []
        self.rows: list[tuple[str, list[str]]] = []
        self._sides: dict[str, Side] = {}
        self._differences: dict[str, Difference | None] = {}
        self._asked: tuple[Any, ...] = ()
        self.setProperty("role", "card")
        self.add = button(tr("Compare with…"), kind="small", icon_name="add")
        self.add.setMenu(QMenu(self.add))
        self.add.setToolTip(tr("Or drag a run from the project at the left onto this page"))
        self.add.menu().aboutToShow.connect(self._fill)
        self._head = label(tr("Compare runs"), "heading")
        self._hint = label(tr("Drag another run onto this page: its curves join these, and what differs is listed."), "muted")
        self._hint.setWordWrap(True)
        self._body = column(gap=GRID)
        self.setLayout(column(row(self._head, None, self.add, gap=GRID), self._hint, self._body, margin=GRID + 4, gap=GRID))
        self.savers = Savers(desk, self, self._table, f"{name}-compared")
        desk.tails.changed.connect(self._run_changed)

    # --- which

    def add_run(self, name: str) -> None:
        """Compare with a run, too; says so where there are too many, or where it is this one."""
        if name == self.name or name in self.names or self.desk.tails.get(name) is None:
            return
        if len(self.names) + 1 >= MOST:
            self.desk.say(tr("At most {n} runs are compared at once.", n=MOST), hint=tr("Take one away first."))
            return
        self.names.append(name)
        self.refresh()

    def drop_run(self, name: str) -> None:
        """Compare without it."""
        self.names.remove(name)
        self.refresh()

    def choose(self, names: Sequence[str]) -> None:
        """Compare with these, those that are gone left out."""
        self.names = []
        for name in names:
            self.add_run(name)

    def others(self) -> list[Other]:
        """Their trials with the colours and styles of their lines."""
        found = []
        for index, tail in enumerate(self._tails()[1:]):
            trial = shown_trial(tail.state)
            colour, style = self._look(index)
            found.append(Other(run_title(tail.run.name), trial or TrialState(0), colour, style))
        return found

    @staticmethod
    def _look(index: int) -> tuple[str, Qt.PenStyle]:
        return current().class_colour(index + 1), _STYLES[index % len(_STYLES)]

    def _tails(self) -> list[RunTail]:
        return [tail for n in (self.name, *self.names) if (tail := self.desk.tails.get(n)) is not None]

    def _fill(self) -> None:
        menu = self.add.menu()
        menu.clear()
        for tail in reversed(self.desk.tails.all()):
            if tail.run.name not in (self.name, *self.names):
                words = f"{run_title(tail.run.name)} ({state_word(tail.word)})"
                menu.addAction(words).triggered.connect(lambda _=False, n=tail.run.name: self.add_run(n))
        if menu.isEmpty():
            menu.addAction(tr("There is no other run")).setEnabled(False)

    # --- what they say

    def refresh(self) -> None:
        """Read what is new of the runs, and show all."""
        self.names = [n for n in self.names if self.desk.tails.get(n) is not None]
        self.others_changed.emit()
        tails = self._tails()
        key = tuple((t.run.name, t.state.finished, t.state.evaluated is not None, t.state.best_trial) for t in tails)
        if self.names and key != self._asked:
            self._asked = key
            wanted = [(t.run, shown_trial(t.state), t.state) for t in tails]
            asked = [
                (run, None if trial is None else trial.number, dict(trial.parameters) if trial else {}, _set_of(state))
                for run, trial, state in wanted
            ]

            def work() -> tuple[dict[str, Side], dict[str, Difference | None]]:
                sides = [read_side(*which) for which in asked]
                return {s.name: s for s in sides}, {s.name: difference(s, sides[0]) for s in sides[1:]}

            self.desk.tasks.request(self, "sides", work, self._landed)
        self._show()

    def _landed(self, found: tuple[dict[str, Side], dict[str, Difference | None]]) -> None:
        self._sides, self._differences = found
        self._show()

    def _run_changed(self, name: str) -> None:
        if name in self.names and self.isVisible():
            self.refresh()

    def _show(self) -> None:
        clear(self._body)
        self._hint.setVisible(not self.names)
        self.rows = self._make_rows() if self.names else []
        if not self.names:
            return
        self._body.addWidget(self._grid())
        for side in self._sides.values():
            if side.problem and side.name in (self.name, *self.names):
                self._body.addWidget(note(f"{run_title(side.name)}: {side.problem}", "warn"))

    def _make_rows(self) -> list[tuple[str, list[str]]]:
        tails = self._tails()
        found = _results(tails)
        rows = [(title, cells) for title, cells in found if title == found[0][0] or len(set(cells)) > 1]
        apart = [_apart(self._differences.get(t.run.name)) if i else "" for i, t in enumerate(tails)]
        if any(t.state.evaluated is not None for t in tails[1:]):
            rows.append((tr("Difference on the same images"), apart))
        sides = [self._sides.get(t.run.name) for t in tails]
        if all(side is not None for side in sides):
            known = [side for side in sides if side is not None]
            rows += [(tr(setting_title(n)), [_value(v) for v in values]) for n, values in differing(known)]
        return rows

    def _grid(self) -> QWidget:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * GRID)
        grid.setVerticalSpacing(GRID // 2)
        grid.setColumnStretch(0, 1)
        for at, tail in enumerate(self._tails()):
            name = tail.run.name
            colour, style = (current().accent, Qt.PenStyle.SolidLine) if not at else self._look(at - 1)
            title = label(run_title(name), "section")
            title.setToolTip(name)
            title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            parts: list[QWidget] = [LineSample(colour, style), title]
            if at:
                parts.append(tool("close", tr("Compare without it"), lambda n=name: self.drop_run(n)))  # type: ignore[misc]
            grid.addWidget(holding(row(*parts, gap=GRID // 2)), 0, at + 1)
            grid.setColumnStretch(at + 1, 1)
        for line, (words, cells) in enumerate(self.rows, start=1):
            what = label(words, "muted", wrap=True)
            what.setMinimumWidth(_NARROW)
            grid.addWidget(what, line, 0, Qt.AlignmentFlag.AlignTop)
            for at, cell in enumerate(cells, start=1):
                short = cell if len(cell) <= _LONG else cell[: _LONG - 1] + "…"
                made = label(breakable(short), wrap=True, selectable=True)
                made.setToolTip(cell if short != cell else "")
                made.setMinimumWidth(_NARROW)
                grid.addWidget(made, line, at, Qt.AlignmentFlag.AlignTop)
        return holding(grid)

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        return ["", *(t.run.name for t in self._tails())], [[words, *cells] for words, cells in self.rows]


def _first(told: bool) -> str:
    return tr("Best R², validation") if told else tr("Best validation accuracy")


def _set_of(state: RunState) -> str:
    return state.image_set.hash if state.image_set is not None else ""


def _results(tails: Sequence[RunTail]) -> list[tuple[str, list[str]]]:
    """The results row by row, a cell a run."""
    trials = [shown_trial(t.state) for t in tails]
    best = [None if t is None else t.best for t in trials]
    evaluated = [t.state.evaluated for t in tails]
    told = _told(tails)
    rows = [
        (_first(told), ["–" if b is None else _valid(b) for b in best]),
        (tr("Best epoch"), ["–" if b is None else str(b.epoch + 1) for b in best]),
        (tr("Epochs trained"), ["–" if t is None else str(len(t.epochs)) for t in trials]),
        (tr("Learning rate at the end"), ["–" if t is None or not t.epochs else _rate(t) for t in trials]),
        (tr("Images a second"), ["–" if t is None or not t.epochs else f"{_speed(t):.0f}" for t in trials]),
        (tr("Training time"), ["–" if t is None or not t.seconds else span(t.seconds) for t in trials]),
        (tr("State"), [state_word(t.word) for t in tails]),
    ]
    if any(evaluated):
        cells = ["–" if found is None else _evaluated(found) for found in evaluated]
        rows.insert(1, (tr("R² on the evaluation set") if told else tr("Accuracy on the evaluation set"), cells))
    return rows


def _speed(trial: TrialState) -> float:
    """The median over the epochs: the first ones warm up, and others had to share the machine."""
    return median(e.images_per_second for e in trial.epochs)


def _rate(trial: TrialState) -> str:
    """Of the last epoch: a schedule, or a lower rate that was accepted, leaves the one of the recipe."""
    return f"{trial.epochs[-1].learning_rate:.3g}"


def _told(tails: Sequence[RunTail]) -> bool:
    """Whether all of them tell a number."""
    trials = [shown_trial(t.state) for t in tails]
    epochs = [t.epochs[-1] for t in trials if t is not None and t.epochs]
    return bool(epochs) and all(e.r2 is not None for e in epochs)


def _valid(epoch: EpochEnded) -> str:
    return percent(epoch.validation_accuracy) if epoch.r2 is None else f"R² {epoch.r2:.3f}"


def _evaluated(found: Evaluated) -> str:
    low, high = found.interval
    if found.r2 is not None:
        return f"R² {found.r2:.3f} ({low:.3f} … {high:.3f}, n = {found.n})"
    total = images_of(found.per_class)
    return f"{percent(found.accuracy)} ({percent(low)} – {percent(high)}, n = {total})"


def _apart(found: Difference | None) -> str:
    """A run's difference to the page's own, in points or in R², and whether chance alone would do."""
    if found is None:
        return tr("not on the same images")
    low, high = found.interval
    verdict = {"better": tr("better"), "worse": tr("worse"), "open": tr("may be chance")}[found.word]
    if found.told:
        return f"{found.gain:+.3f} ({low:+.3f} … {high:+.3f}): {verdict}"
    return f"{100 * found.gain:+.1f} ({100 * low:+.1f} … {100 * high:+.1f}): {verdict}"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_value(v) for v in value) or "–"
    if isinstance(value, Mapping):
        name, rest = value.get("name", ""), {k: v for k, v in value.items() if k != "name"}
        inner = ", ".join(f"{k} {number(v)}" for k, v in rest.items())
        return f"{name} ({inner})" if name and inner else str(name) or inner
    return tr(number(value)) if isinstance(value, bool) else number(value)
