"""The card of one correction: in force or not, its settings with their units, its place in the chain, what must be measured."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QCheckBox, QFormLayout, QFrame, QProgressBar, QToolButton, QWidget

from microtome.errors import MicrotomeError
from microtome.fields import FieldSpec, fill
from microtome.ui.correction_chain import Link
from microtome.ui.editors import ValueEditor
from microtome.ui.i18n import tr
from microtome.ui.icons import icon
from microtome.ui.numbers import between, percent
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.widgets import button, column, hide_unless, holding, label, row, set_property, tool

_INDENT, _LABEL = 22, 104


class StepCard(QFrame):
    """One link of the chain; it changes nothing itself, it says what is wanted."""

    chosen = Signal()
    switched = Signal(bool)
    moved = Signal(int)
    removed = Signal()
    edited = Signal(str, object)  # field, value

    def __init__(self, link: Link, *, first: bool, last: bool) -> None:
        super().__init__()
        self.link = link
        self.problems: dict[str, str] = {}
        self.setProperty("role", "card")
        self.setAccessibleName(tr(link.title))
        self.on = QCheckBox()
        self.on.setChecked(link.on)
        self.on.setAccessibleName(tr("Apply {name}", name=tr(link.title)))
        self.on.setToolTip(tr("Apply this correction"))
        self.on.toggled.connect(self.switched)
        self.name = button(tr(link.title), self.chosen.emit, kind="link")
        self.name.setToolTip(tr(link.plugin.summary) if link.plugin is not None else "")
        self.up = tool("chevron-up", tr("Earlier"), lambda: self.moved.emit(-1))
        self.down = tool("chevron-down", tr("Later"), lambda: self.moved.emit(1))
        self.up.setEnabled(not first)
        self.down.setEnabled(not last)
        self.remove = tool("trash", tr("Remove this correction"), self.removed.emit)
        self.state = label("", "muted", wrap=True)
        self.problem = label("", "problem", wrap=True)
        self.problem.hide()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.hide()
        self.form = self._form()
        below = column(self.state, self.bar, self.form, self.problem, gap=GRID // 2)
        below.setContentsMargins(_INDENT, 0, 0, 0)
        head = row(self.on, self.name, None, self.up, self.down, self.remove, gap=2)
        self.setLayout(column(head, holding(below), margin=GRID, gap=2))
        self.show_link(link)

    def _form(self) -> QWidget:
        fields = list(self.link.plugin.fields.values()) if self.link.plugin is not None else []
        plain, advanced = self._grid(fields, advanced=False), self._grid(fields, advanced=True)
        fold = QToolButton()
        fold.setText(tr("Advanced"))
        fold.setProperty("kind", "section")
        fold.setCheckable(True)
        fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        hide_unless(fold, any(f.advanced for f in fields))

        def toggle(on: bool) -> None:
            hide_unless(advanced, on)
            fold.setIcon(icon("chevron-down" if on else "chevron-right"))

        fold.toggled.connect(toggle)
        changed = any(f.advanced and f.name in self.link.settings for f in fields)
        toggle(changed)
        fold.setChecked(changed)
        return holding(column(plain, row(fold, None), advanced, gap=GRID // 2))

    def _grid(self, fields: list[FieldSpec], *, advanced: bool) -> QWidget:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(GRID)
        form.setVerticalSpacing(GRID // 2)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for spec in fields:
            if spec.advanced == advanced:
                words = label(tr(spec.title), "muted")
                words.setToolTip(tr(spec.help) if spec.help else "")
                words.setFixedWidth(_LABEL)
                form.addRow(words, self._editor(spec))
        return holding(form)

    def _editor(self, spec: FieldSpec) -> ValueEditor:
        made = ValueEditor(spec)
        made.show_value(self.link.settings.get(spec.name, spec.default))
        made.setToolTip(tr(spec.help) if spec.help else "")

        def take(value: Any) -> None:
            if isinstance(value, list):
                self.say(spec.name, tr("One value only."))
                return
            self.say(spec.name, "")
            made.mark("")
            if value != self.link.settings.get(spec.name, spec.default):
                self.edited.emit(spec.name, value)

        def refuse(sentence: str) -> None:
            self.say(spec.name, sentence)
            made.mark(sentence)

        made.edited.connect(take)
        made.wrong.connect(refuse)
        return made

    def say(self, name: str, sentence: str) -> None:
        """Say what is wrong with a field ("" when mended), or with "" as the name, with the step as a whole."""
        self.problems = {k: v for k, v in {**self.problems, name: sentence}.items() if v}
        self.problem.setText("\n".join(map(said, self.problems.values())))
        self.problem.setVisible(bool(self.problems))

    def show_link(self, link: Link) -> None:
        """Show what is known of the link by now."""
        self.link = link
        set_property(self.state, "role", "warn" if link.waits or link.plugin is None else "muted")
        self.state.setText(self._words())
        self.state.setVisible(bool(self.state.text()))

    def _words(self) -> str:
        link = self.link
        if link.plugin is None:
            return tr("There is no plugin of this name any more: remove the correction, or bring the plugin back.")
        if not link.on:
            return tr("Switched off.")
        if link.waits:
            return tr("To be measured before it can be applied.")
        return self._done()

    def _done(self) -> str:
        """What the step does as it is set and was measured, in the words of its plugin."""
        link = self.link
        if link.plugin is None or link.plugin.extra["words"] is None or self.problems:
            return ""
        try:
            settings = fill(link.plugin.fields, link.settings, link.name)
        except MicrotomeError as error:
            return said(error)
        words = str(link.plugin.extra["words"](dict(link.known or {}), **settings))
        told = said(words)
        return told if told != words else f"{words[:1].upper()}{words[1:]}."

    def show_open(self, on: bool) -> None:
        """Show the settings, and that this is the step that is compared."""
        self.form.setVisible(on)
        set_property(self, "tone", "accent" if on else "")
        self.show_link(self.link)

    def show_progress(self, share: float | None, left: tuple[float, float] | None = None) -> None:
        """Show how far its measuring is; None: it is not being measured."""
        self.bar.setVisible(share is not None)
        if share is None:
            self.show_link(self.link)
            return
        self.bar.setValue(round(1000 * share))
        words = tr("Measuring… {share}", share=percent(share, 0))
        self.state.setText(words if left is None else f"{words} · {tr('{time} left', time=between(*left))}")
        self.state.show()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click anywhere on the card chooses it."""
        self.chosen.emit()
        super().mousePressEvent(event)
