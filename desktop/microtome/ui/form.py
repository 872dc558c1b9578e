"""Forms from fields: basic and advanced settings of one section of the working recipe, live-checked, searchable by a tick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QSizePolicy, QToolButton, QWidget

from microtome.errors import InputError, MicrotomeError
from microtome.fields import FieldSpec
from microtome.session import Axis, Change
from microtome.ui.desk import Desk
from microtome.ui.editors import AxisEditor, ValueEditor, sentence_of
from microtome.ui.i18n import tr
from microtome.ui.icons import icon
from microtome.ui.numbers import number
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.widgets import clear, column, holding, label, row, tool

_LABEL_WIDTH = 132


@dataclass(frozen=True)
class FormOptions:
    """How a form differs from the plain one: fields to show (all), which have no tick, words of a text field's choices."""

    names: Sequence[str] = ()
    hidden: Sequence[str] = ()
    searchable: bool = True
    unsearchable: Sequence[str] = ()
    choices: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    flat: bool = False  # without a fold of their own for advanced fields


class FieldRow(QWidget):
    """One field: words, editor, reset arrow, “optimise” tick; below it the sentence of what is wrong, and its axis."""

    changed = Signal()

    def __init__(self, desk: Desk, section: str, spec: FieldSpec, options: FormOptions) -> None:
        super().__init__()
        self.desk, self.spec = desk, spec
        self.name = f"{section}.{spec.name}"
        self.editor = ValueEditor(spec, options.choices.get(spec.name, ()))
        self.editor.edited.connect(self._edited)
        self.editor.wrong.connect(self.show_problem)
        self.reset = tool("reset", tr("Back to the default, {value}", value=_shown(spec.default)), self._reset)
        self.tick: QCheckBox | None = None
        self._space = QCheckBox(tr("optimise"))  # keeps the editors of one form equally wide
        self._space.hide()
        self.axis: AxisEditor | None = None
        self.problem = label("", "problem", wrap=True)
        if options.searchable and spec.kind != "text" and spec.name not in options.unsearchable:
            self._add_axis()
        self._lay_out(options.searchable)
        self.refresh()

    def _add_axis(self) -> None:
        # A number without a proposed range has no tick until a comma list makes it an axis of choices.
        self.tick = QCheckBox(tr("optimise"))
        self.tick.setToolTip(tr("Let the search choose this setting"))
        self.tick.setAccessibleName(f"{tr(self.spec.title)}: {tr('optimise')}")
        self.tick.clicked.connect(self._ticked)
        self.axis = AxisEditor(self.spec)
        self.axis.edited.connect(lambda axis: self._set_axis(axis))
        self.axis.wrong.connect(self._show_axis_problem)

    def _lay_out(self, searchable: bool) -> None:
        words = label(tr(self.spec.title), wrap=True)
        words.setFixedWidth(_LABEL_WIDTH)
        words.setBuddy(self.editor)
        tip = tr(self.spec.help) if self.spec.help else ""
        words.setToolTip(tip)
        self.editor.setToolTip(tip)
        self.editor.setMinimumWidth(96)
        for part in (self.reset, self.tick, self._space):
            if part is not None:
                keep = part.sizePolicy()
                keep.setRetainSizeWhenHidden(True)
                part.setSizePolicy(keep)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GRID // 2)
        grid.setVerticalSpacing(2)
        grid.addWidget(words, 0, 0, Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(self.editor, 0, 1)
        grid.addWidget(self.reset, 0, 2)
        if self.tick is not None and self.axis is not None:
            grid.addWidget(self.tick, 0, 3)
            grid.addWidget(self.axis, 1, 1, 1, 3)
        elif searchable:
            grid.addWidget(self._space, 0, 3)
        grid.addWidget(self.problem, 2, 1, 1, 3)
        grid.setColumnStretch(1, 1)
        self.problem.hide()
        self.setLayout(grid)

    def refresh(self) -> None:
        """Show what the session holds."""
        session = self.desk.session
        value = session.value(self.name)
        self.editor.show_value(value)
        self.reset.setVisible(value != self.spec.default)
        if self.tick is not None and self.axis is not None:
            axis = session.axes().get(self.name)
            self.tick.setChecked(axis is not None)
            self.tick.setVisible(axis is not None or session.default_axis(self.name) is not None)
            self.axis.setVisible(axis is not None)
            if axis is not None:
                self.axis.show_axis(axis)

    def show_problem(self, sentence: str) -> None:
        """Say below the field what is wrong with it; "" when nothing is."""
        self.problem.setText(said(sentence))
        self.problem.setVisible(bool(sentence))
        self.editor.mark(sentence)
        self.changed.emit()

    def _show_axis_problem(self, sentence: str) -> None:
        self.show_problem(sentence)
        self.editor.mark("")

    def _try(self, action: Callable[[], Change]) -> None:
        # Not desk.perform: what is wrong with a field is said at the field.
        try:
            change = action()
        except InputError as error:
            self.show_problem(sentence_of(error, self.spec))
            return
        except MicrotomeError as error:
            self.desk.report(error)
            return
        self.show_problem("")
        self.desk.announce(change)

    def _edited(self, value: Any) -> None:
        if isinstance(value, list):
            self._set_axis(value)
        elif value != self.desk.session.value(self.name) or self.problem.text():
            self._try(lambda: self.desk.session.set_value(self.name, value))

    def _reset(self) -> None:
        self._try(lambda: self.desk.session.set_value(self.name, self.spec.default))

    def _ticked(self, on: bool) -> None:
        self._set_axis(self.desk.session.default_axis(self.name) if on else None)

    def _set_axis(self, axis: Axis | None) -> None:
        self._try(lambda: self.desk.session.set_axis(self.name, axis))


class Form(QWidget):
    """The settings of one section (slices, network, training, search) of the working recipe.

    `changed` comes after each edit, also when it made a problem. The page that holds the form calls `refresh` with the
    changes it hears of.
    """

    changed = Signal()

    def __init__(self, desk: Desk, section: str, options: FormOptions | None = None) -> None:
        super().__init__()
        self.desk, self.section = desk, section
        self._options = options or FormOptions()
        self.rows: dict[str, FieldRow] = {}
        self._specs: dict[str, FieldSpec] = {}
        self._body = column(gap=GRID // 2 + 2)
        self.setLayout(self._body)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self._build()

    def problems(self) -> dict[str, str]:
        """Field name → sentence, for the fields that are wrong now."""
        return {name: made.problem.text() for name, made in self.rows.items() if made.problem.text()}

    def refresh(self, change: Change = Change.ALL) -> None:
        """Show what the session holds; another network's fields are built anew."""
        if not change & (Change.RECIPE | Change.PROJECT):
            return
        if self._wanted() != self._specs:
            self._build()
            return
        for made in self.rows.values():
            made.refresh()

    def _wanted(self) -> dict[str, FieldSpec]:
        names, hidden = self._options.names, self._options.hidden
        specs = self.desk.session.specs(self.section)
        return {n: s for n, s in specs.items() if (not names or n in names) and n not in hidden}

    def _build(self) -> None:
        clear(self._body)
        self._specs = self._wanted()
        self.rows = {}
        advanced: list[FieldRow] = []
        for name, spec in self._specs.items():
            made = FieldRow(self.desk, self.section, spec, self._options)
            made.changed.connect(self.changed)
            self.rows[name] = made
            if spec.advanced and not self._options.flat:
                advanced.append(made)
            else:
                self._body.addWidget(made)
        if advanced:
            self._add_advanced(advanced)

    def _add_advanced(self, rows: list[FieldRow]) -> None:
        inside = holding(column(*rows, gap=GRID // 2 + 2))
        fold = QToolButton()
        fold.setText(tr("Advanced"))
        fold.setProperty("kind", "section")
        fold.setCheckable(True)
        fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)

        def toggle(on: bool) -> None:
            inside.setVisible(on)
            fold.setIcon(icon("chevron-down" if on else "chevron-right"))

        fold.toggled.connect(toggle)
        changed = any(self.desk.session.value(r.name) != r.spec.default for r in rows)
        toggle(changed)
        fold.setChecked(changed)
        self._body.addLayout(row(fold, None))
        self._body.addWidget(inside)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    return number(value) if isinstance(value, int | float) else tr(str(value))
