"""Two small forms over the axes of a search: edit the space in mid-search, and try a trial of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtWidgets import QCheckBox, QDialog, QGridLayout, QLineEdit, QWidget

from microtome.plugin import Parameter
from microtome.results.tables import short
from microtome.results.words import number
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID
from microtome.ui.widgets import Choice, button, column, holding, label, row, scrolling

Table = dict[str, Any]


def frozen(table: Mapping[str, Any], name: str) -> Table:
    """The table without an axis, and without the conditions that named it."""
    return {key: axis for key, axis in table.items() if key != name}


def narrowed(table: Mapping[str, Any], name: str, low: Any, high: Any) -> Table:
    """The table with another range of an axis; a whole-numbered one stays whole."""
    axis = dict(table[name])
    if isinstance(axis["low"], int) and isinstance(axis["high"], int) and axis.get("type") != "float":
        low, high = math.floor(low), math.ceil(high)
    else:
        low, high = float(f"{low:.3g}"), float(f"{high:.3g}")
        axis["type"] = "float"
    return {**table, name: {**axis, "low": low, "high": high}}


def with_choices(table: Mapping[str, Any], name: str, kept: tuple[Any, ...]) -> Table:
    """The table with fewer choices of an axis."""
    axis = table[name]
    return {**table, name: {**axis, "choices": list(kept)} if isinstance(axis, Mapping) else list(kept)}


def typed(axis: Parameter, text: str) -> Any:
    """A typed value in the axis's own type; ValueError where it is none."""
    if axis.kind == "choice":
        return next(c for c in axis.choices if str(c) == text)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return round(value) if axis.kind == "int" else value


class _AxisRow:
    """The editors of one axis: keep or freeze it, its ends or choices, its frozen value."""

    def __init__(self, axis: Parameter, value: Any, changed: Callable[[], None]) -> None:
        self.axis = axis
        title = tr(short(axis.name))
        self.freeze = QCheckBox(tr("freeze at"))
        self.freeze.setAccessibleName(f"{title}: {tr('freeze at')}")
        self.low, self.high = QLineEdit(number(axis.low)), QLineEdit(number(axis.high))
        self.value = ValueLine(axis, value)
        self.ticks = [(c, QCheckBox(tr(c) if isinstance(c, str) else number(c))) for c in axis.choices]
        for line, words in ((self.low, tr("lowest")), (self.high, tr("highest"))):
            line.setMaximumWidth(96)
            line.setAccessibleName(f"{title}: {words}")
            line.textChanged.connect(lambda _: changed())
        for _, tick in self.ticks:
            tick.setChecked(True)
            tick.toggled.connect(lambda _: changed())
        self.freeze.toggled.connect(self._show)
        self.freeze.toggled.connect(lambda _: changed())
        self.value.edited(changed)
        if axis.kind == "choice":
            self.range: QWidget = holding(row(*(tick for _, tick in self.ticks), None, gap=GRID))
        else:
            self.range = holding(row(self.low, label("…", "muted"), self.high, None, gap=GRID // 2))
        self._show(False)

    def _show(self, on: bool) -> None:
        self.range.setEnabled(not on)
        self.value.widget.setEnabled(on)

    def read(self, table: Table, fixed: Table) -> str:
        """Put what is set into `table` or `fixed`; the sentence of what is wrong, "" where nothing is."""
        name, title = self.axis.name, tr(short(self.axis.name))
        try:
            if self.freeze.isChecked():
                fixed[name] = self.value.read()
                table.pop(name, None)
                return ""
            if self.axis.kind == "choice":
                kept = tuple(c for c, tick in self.ticks if tick.isChecked())
                if not kept:
                    return tr("{name}: keep at least one choice, or freeze it.", name=title)
                table[name] = with_choices(table, name, kept)[name]
                return ""
            low, high = typed(self.axis, self.low.text()), typed(self.axis, self.high.text())
        except (ValueError, StopIteration):
            return tr("{name}: that is not a value of it.", name=title)
        if low > high or (self.axis.log and low <= 0):
            return tr("{name}: the lowest value must lie below the highest (and above 0 on a logarithmic axis).", name=title)
        if (low, high) != (self.axis.low, self.axis.high):
            table[name] = {**table[name], "low": low, "high": high}
        return ""


class ValueLine:
    """An editor of one value of an axis: a line, or a drop-down of its choices."""

    def __init__(self, axis: Parameter, value: Any) -> None:
        self.axis = axis
        self.widget: QWidget
        if axis.kind == "choice":
            self._choice = Choice([(str(c), tr(c) if isinstance(c, str) else number(c)) for c in axis.choices], str(value))
            self.widget = self._choice
        else:
            self._line = QLineEdit("" if value is None else number(value))
            self._line.setMaximumWidth(120)
            self.widget = self._line
        self.widget.setAccessibleName(tr(short(axis.name)))

    def edited(self, act: Callable[[], None]) -> None:
        """Call `act` after each edit."""
        if self.axis.kind == "choice":
            self._choice.currentIndexChanged.connect(lambda _: act())
        else:
            self._line.textChanged.connect(lambda _: act())

    def read(self) -> Any:
        """The value; ValueError where it is none."""
        return typed(self.axis, self._choice.value() if self.axis.kind == "choice" else self._line.text().strip())


class SpaceDialog(QDialog):
    """Freeze, narrow, widen or add axes. After `exec`, `table`, `fixed` and `defaults` are what the order carries.

    `addable`: name → (axis as in a recipe, its present value): what may still be added.
    """

    def __init__(
        self, parent: QWidget, table: Table, space: Mapping[str, Parameter], best: Table, addable: Mapping[str, tuple[Any, Any]]
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Edit the space"))
        self.setMinimumSize(640, 420)
        self.table, self.fixed, self.defaults = dict(table), Table(), Table()
        self._given, self._addable = dict(table), addable
        self.rows = [_AxisRow(axis, best.get(name, axis.at(0.5)), self._check) for name, axis in space.items()]
        grid = QGridLayout()
        grid.setHorizontalSpacing(GRID)
        for i, made in enumerate(self.rows):
            grid.addWidget(label(tr(short(made.axis.name))), i, 0)
            for place, part in enumerate((made.range, made.freeze, made.value.widget), start=1):
                grid.addWidget(part, i, place)
        self.add = Choice([("", tr("Add a parameter…")), *((n, tr(short(n))) for n in addable)])
        self.add.setAccessibleName(tr("Add a parameter…"))
        self.add.currentIndexChanged.connect(lambda _: self._check())
        self.note, self.problem = label("", "muted", wrap=True), label("", "problem", wrap=True)
        self.accept_button = button(tr("Change the space"), self.accept, kind="primary")
        words = label(tr("Trials that are known stay known; the engine goes on in the new space."), "muted", wrap=True)
        foot = row(None, button(tr("Cancel"), self.reject), self.accept_button, gap=GRID)
        area = scrolling(holding(column(grid, None)))
        self.setLayout(column(words, area, self.add, self.note, self.problem, foot, margin=2 * GRID, gap=GRID))
        self._check()

    def _check(self) -> None:
        self.table, self.fixed, self.defaults = dict(self._given), {}, {}
        problems = [words for made in self.rows if (words := made.read(self.table, self.fixed))]
        added = self.add.value()
        self.note.setText("")
        if added:
            axis, value = self._addable[added]
            self.table[added], self.defaults[added] = axis, value
            shown = tr(value) if isinstance(value, str) else number(value)
            self.note.setText(tr("The trials so far count as trials with {value}.", value=shown))
        if not self.table and not problems:
            problems.append(tr("At least one parameter must stay free."))
        self.problem.setText(" ".join(problems))
        self.accept_button.setEnabled(not problems and (self.table != self._given or bool(self.fixed)))


class OwnTrialDialog(QDialog):
    """One value an axis; after `exec`, `parameters` is the trial that the order carries."""

    def __init__(self, parent: QWidget, space: Mapping[str, Parameter], start: Table) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Add my own trial"))
        self.setMinimumWidth(420)
        self.parameters: Table = {}
        self.lines = {name: ValueLine(axis, start.get(name, axis.at(0.5))) for name, axis in space.items()}
        grid = QGridLayout()
        for i, (name, line) in enumerate(self.lines.items()):
            line.edited(self._check)
            grid.addWidget(label(tr(short(name))), i, 0)
            grid.addWidget(line.widget, i, 1)
        self.problem = label("", "problem", wrap=True)
        self.accept_button = button(tr("Add the trial"), self.accept, kind="primary")
        words = label(tr("It begins at the values of the chosen trial, and is trained next."), "muted", wrap=True)
        foot = row(None, button(tr("Cancel"), self.reject), self.accept_button, gap=GRID)
        self.setLayout(column(words, grid, self.problem, foot, margin=2 * GRID, gap=GRID))
        self._check()

    def _check(self) -> None:
        self.parameters, wrong = {}, []
        for name, line in self.lines.items():
            try:
                self.parameters[name] = line.read()
            except (ValueError, StopIteration):
                wrong.append(tr("{name}: that is not a value of it.", name=tr(short(name))))
        for name in [n for n, line in self.lines.items() if not _exists(line.axis, self.parameters)]:
            self.parameters.pop(name, None)
        self.problem.setText(" ".join(wrong))
        self.accept_button.setEnabled(not wrong)


def _exists(axis: Parameter, values: Mapping[str, Any]) -> bool:
    return axis.when is None or values.get(axis.when[0]) in axis.when[1]
