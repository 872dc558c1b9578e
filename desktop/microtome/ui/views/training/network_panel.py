"""The network of the training page, counted in the background: its sums, its layers, and what it sees of a slice."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from microtome.errors import MicrotomeError
from microtome.training.layers import LayerTable
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.latest import Latest
from microtome.ui.layer_tables import NetworkAsked, asked_of, close_worker, known_table, read_table
from microtome.ui.sentences import said
from microtome.ui.training_forecast import Measured, Speed, measured_runs, speed_of
from microtome.ui.views.fold import Fold
from microtome.ui.views.training.layer_view import LayerView, sums_words
from microtome.ui.widgets import column

_QUIET_MS = 250
_IDLE_MS = 60_000  # after which the worker process ends
Request = tuple[NetworkAsked, tuple[Measured, ...]]


class NetworkPanel(QWidget):
    """A fold with the layer table; `counted` comes when another network was counted, or while it is (facts is None)."""

    counted = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.facts: LayerTable | None = None
        self.problem = ""
        self.speed: Speed | None = None
        self._asked: NetworkAsked | None = None
        self.view = LayerView()
        self.fold = Fold(tr("Layers"), self.view)
        self.setLayout(column(self.fold))
        self._latest: Latest[Request, dict[str, LayerTable]] = Latest(desk, self, _read, self._landed, self._failed)
        self._quiet = self._timer(_QUIET_MS, self._request)
        self._idle = self._timer(_IDLE_MS, close_worker)
        desk.leaving.connect(close_worker)

    def _timer(self, milliseconds: int, act: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(act)
        return timer

    def refresh(self) -> None:
        """Count the network of the session, once the typing pauses; at once where that was done before."""
        asked = asked_of(self.desk.session)
        if asked != self._asked:
            self._asked = asked
            self._show(known_table(asked))
        self._quiet.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Seen for the first time, or again."""
        super().showEvent(event)
        self._quiet.start()

    def _request(self) -> None:
        if self.desk.session.project is None or self._asked is None or not self.isVisible():
            return
        measured = tuple(measured_runs(self.desk))
        known = {a.key: t for a in (self._asked, *(m.asked for m in measured)) if (t := known_table(a)) is not None}
        self.speed = speed_of(self._asked, measured, known)
        if self._asked.key in known and self.speed is not None and self.speed.basis != "guessed":
            self.counted.emit()
            return
        self._latest.want((self._asked, measured))

    def _landed(self, request: Request, tables: dict[str, LayerTable]) -> None:
        self._idle.start()
        asked, measured = request
        if asked != self._asked:
            return
        self.speed = speed_of(asked, measured, tables)
        self._show(tables[asked.key])

    def _failed(self, request: Request, error: MicrotomeError) -> None:
        self._idle.start()
        if request[0] == self._asked:
            self.problem, self.facts, self.speed = said(error), None, None
            self.fold.say(self.problem)
            self.counted.emit()

    def _show(self, facts: LayerTable | None) -> None:
        self.facts, self.problem = facts, ""
        self.fold.say(tr("counting the layers…") if facts is None else sums_words(facts))
        if facts is None:
            self.speed = None
        else:
            self.view.show_facts(facts)
        self.counted.emit()


def _read(request: Request, superseded: object) -> dict[str, LayerTable]:
    """The table of the network that is asked for, and, where it was never trained, that of the one trained last."""
    asked, measured = request
    tables = {asked.key: read_table(asked)}
    for one in measured[:1]:
        if all(m.asked != asked for m in measured):
            try:
                tables[one.asked.key] = read_table(one.asked)
            except MicrotomeError:
                continue  # a network that can no longer be built tells nothing
    return tables
