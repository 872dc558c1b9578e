"""Importance-sampled augmentation on the training page: its settings, what it costs, and that it is patented."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from microtome.session import Change
from microtome.ui.desk import Desk
from microtome.ui.form import Form
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID
from microtome.ui.training_forecast import cost_factor
from microtome.ui.views.fold import WIDEST, Fold
from microtome.ui.widgets import column, label, note


class ImportanceCard(QWidget):
    """A fold with the form of [importance]; `changed` comes after each edit."""

    changed = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.form = Form(desk, "importance")
        words = tr("Of several augmented candidates of an image, one is drawn by how hard the network finds it.")
        about = label(words, "muted", wrap=True)
        patent = note(tr("Patented in Japan (JP7160416B2): make sure that you may use it."), "info")
        inner = QWidget()
        inner.setMaximumWidth(WIDEST)
        inner.setLayout(column(about, self.form, patent, gap=GRID))
        self.fold = Fold(tr("Importance-sampled augmentation"), inner)
        self.setLayout(column(self.fold))
        self.form.changed.connect(self._edited)

    def problems(self) -> dict[str, str]:
        """Setting → sentence, for those that are wrong now."""
        return self.form.problems()

    def refresh(self, change: Change = Change.ALL) -> None:
        """Show what the session holds."""
        if change & (Change.PROJECT | Change.RECIPE):
            self.form.refresh(change)
            self._say()

    def _edited(self) -> None:
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        session = self.desk.session
        if session.project is None:
            return
        count = int(session.value("importance.candidates"))
        if count < 2:
            self.fold.say(tr("off"))
            return
        ratio = cost_factor(session, None)
        self.fold.say(tr("{n} candidates an image · about {ratio} times the time", n=count, ratio=f"{ratio:.1f}"))
