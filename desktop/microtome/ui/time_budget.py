"""The time budget of a run: a line that takes “08:00” or “3 h”, and a button that changes it while the run goes on."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QInputDialog, QSizePolicy, QWidget

from microtome.errors import InputError
from microtome.session import Change, TimeLimit
from microtome.store.run import Orders
from microtome.ui.desk import Desk
from microtome.ui.editors import UnitEdit
from microtome.ui.i18n import tr
from microtome.ui.queueing import limit_words
from microtome.ui.sentences import said
from microtome.ui.tail import RunTail
from microtome.ui.theme import GRID
from microtome.ui.widgets import column, label, row, set_property, tool


def _help() -> str:
    return tr("The run stops at that time, within a batch, and can go on later. A time as 08:00, or a span as 3 h; empty: none")


class LimitField(QWidget):
    """When the next run must have ended; `changed` comes when the typing pauses."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.limit = TimeLimit()
        self.line = UnitEdit()
        self.line.setPlaceholderText(tr("08:00 or 3 h"))
        self.line.setMinimumWidth(104)
        self.line.setAccessibleName(tr("Time budget"))
        self.line.setToolTip(_help())
        self.line.settled.connect(self._read)
        words = label(tr("Time budget"), "muted")
        words.setToolTip(_help())
        words.setBuddy(self.line)
        self.problem = label("", "problem", wrap=True)
        # A long sentence gets more lines, not a wider place beside the forecast.
        self.problem.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.problem.hide()
        self.setLayout(column(row(words, self.line, gap=GRID), self.problem, gap=2))

    def show_text(self, text: str) -> None:
        """Show what was typed before."""
        self.line.setText(text)
        self._read()

    def _read(self) -> None:
        try:
            self.limit, wrong = TimeLimit.of(self.line.text()), ""
        except InputError as error:
            self.limit, wrong = TimeLimit(), said(error)
        self.problem.setText(wrong)
        self.problem.setVisible(bool(wrong))
        set_property(self.line, "wrong", "true" if wrong else "false")
        self.changed.emit()


class LimitButton(QWidget):
    """A clock that asks until when a run may go on, and what was ordered last."""

    def __init__(self, desk: Desk, tail: RunTail) -> None:
        super().__init__()
        self._desk, self._tail = desk, tail
        self.words = ""
        self.button = tool("clock", tr("Time budget: until when may it run?"), self.ask)
        self.setLayout(row(self.button))
        self._show()

    def ask(self) -> None:
        """Ask, and send the order."""
        words = tr("Until when may it run? As 08:00, 2030-01-31 08:00 or 3 h; empty: without a limit.")
        text, accepted = QInputDialog.getText(self, tr("Time budget"), words)
        if accepted:
            self._desk.perform(lambda: self.order(TimeLimit.of(text)))

    def order(self, limit: TimeLimit) -> Change:
        """Let the run end at a limit, or take its limit away."""
        change = self._desk.session.order(self._tail.run, "until", **limit.to_json())
        self._show()
        return change

    def _show(self) -> None:
        order = Orders(self._tail.run).latest("until") or {}
        at, seconds = order.get("at"), order.get("seconds")
        if seconds is not None:
            at = order["time"] + seconds
        # One that has passed was kept, or belongs to an earlier driver.
        limit = TimeLimit(at=at)
        self.words = limit_words(limit) if (limit.left() or 0) > 0 else ""
