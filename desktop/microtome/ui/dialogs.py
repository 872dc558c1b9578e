"""The dialog that adds a simulated structure: kind, its settings, seed, class."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QDialog, QFormLayout, QLineEdit, QWidget

from microtome.fields import FieldSpec
from microtome.registry import registry
from microtome.ui.desk import Desk
from microtome.ui.editors import UnitEdit, ValueEditor
from microtome.ui.i18n import tr
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.widgets import Choice, button, column, holding, label, row, scrolling


class SimulatedDialog(QDialog):
    """Adds one structure when it is accepted."""

    def __init__(self, desk: Desk, parent: QWidget) -> None:
        super().__init__(parent)
        self.desk = desk
        self.setWindowTitle(tr("Add a simulated structure"))
        self.resize(460, 560)
        plugins = registry().of_kind("generator")
        self.kind = Choice([(p.name, p.label) for p in plugins])
        self.kind.activated.connect(lambda _: self._show_fields())
        self.seed = UnitEdit("", "1")
        self.class_name = QLineEdit()
        self.summary, self.problem = label("", "muted", wrap=True), label("", "problem", wrap=True)
        self._values: dict[str, Any] = {}
        self._wrong: dict[str, str] = {}
        top = QFormLayout()
        top.addRow(tr("Structure"), self.kind)
        top.addRow(tr("Class"), self.class_name)
        top.addRow(tr("Seed"), self.seed)
        self._area = scrolling(QWidget())
        self.add = button(tr("Add"), self._accept, kind="primary")
        foot = row(None, button(tr("Cancel"), self.reject), self.add)
        self.setLayout(column(top, self.summary, self._area, self.problem, foot, margin=2 * GRID))
        self._show_fields()

    def _show_fields(self) -> None:
        plugin = registry().get("generator", self.kind.value())
        self.summary.setText(tr(plugin.summary))
        self.class_name.setText(plugin.name)
        self._values, self._wrong = {}, {}
        form = QFormLayout()
        for spec in plugin.fields.values():
            form.addRow(tr(spec.title), self._editor(spec))
        self._area.setWidget(holding(form))

    def _editor(self, spec: FieldSpec) -> ValueEditor:
        made = ValueEditor(spec)
        made.show_value(spec.default)
        made.setToolTip(tr(spec.help) if spec.help else "")

        def take(value: Any) -> None:
            self._values[spec.name] = value
            self._say(spec.name, tr("One value only.") if isinstance(value, list) else "")

        made.edited.connect(take)
        made.wrong.connect(lambda sentence: self._say(spec.name, sentence))
        return made

    def _say(self, name: str, sentence: str) -> None:
        self._wrong[name] = sentence
        self.problem.setText("\n".join(said(s) for s in self._wrong.values() if s))

    def _accept(self) -> None:
        self.setFocus()  # ends an edit that is under way
        seed = self.seed.text().strip()
        self._say("seed", "" if seed.isdigit() else tr("The seed must be a whole number."))
        if any(self._wrong.values()):
            return
        name = self.class_name.text().strip()
        kind, values = self.kind.value(), dict(self._values)
        added = self.desk.perform(
            lambda: self.desk.session.add_simulated(kind, seed=int(seed), class_name=name, parameters=values)
        )
        if added is not None:
            self.accept()
            self.desk.open_page("volumes")
