"""A section of the recipe as a fold: its form among other parts, and in a line beside the heading what it comes to."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from microtome.session import Change
from microtome.ui.desk import Desk
from microtome.ui.form import Form
from microtome.ui.theme import GRID
from microtome.ui.views.fold import WIDEST, Fold
from microtome.ui.widgets import column


class SectionFold(QWidget):
    """`changed` comes after each edit. The page that holds it calls `refresh`; a subclass says in `told` what is set."""

    changed = Signal()

    def __init__(self, desk: Desk, heading: str, form: Form, parts: Sequence[QWidget]) -> None:
        super().__init__()
        self.desk, self.form = desk, form
        inner = QWidget()
        inner.setMaximumWidth(WIDEST)
        inner.setLayout(column(*parts, gap=GRID))
        self.fold = Fold(heading, inner)
        self.setLayout(column(self.fold))
        form.changed.connect(self._edited)

    def problems(self) -> dict[str, str]:
        """Setting → sentence, for those that are wrong now."""
        return self.form.problems()

    def refresh(self, change: Change = Change.ALL) -> None:
        """Show what the session holds."""
        if change & (Change.PROJECT | Change.RECIPE):
            self.form.refresh(change)
            self.say()

    def told(self) -> str:
        """What stands beside the heading."""
        raise NotImplementedError

    def say(self) -> None:
        """Say again what is set, where there is a project."""
        if self.desk.session.project is not None:
            self.fold.say(self.told())

    def _edited(self) -> None:
        self.say()
        self.changed.emit()
