"""The project's queue as the window sees it: read when its file changes, and moved on where a driver could not do it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from microtome.errors import MicrotomeError
from microtome.session import Change, TimeLimit, Waiting
from microtome.ui.i18n import tr

if TYPE_CHECKING:
    from microtome.ui.desk import Desk

_LOOK_MS = 1000


class Queueing(QObject):
    """What waits, the next one first; rests while nothing does. `changed` comes after the order or the number changed."""

    changed = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._stamp: tuple[Path, int] | None = None
        self._problem = ""
        self.waiting: list[Waiting] = []
        self.at_once = 1
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._beat)

    def look(self) -> bool:
        """Read the queue where its file is new, and start what has room now; True where drivers were begun."""
        session = self._desk.session
        if session.project is None:
            self._take([], 1)
            return False
        begun = False
        try:
            # A driver that ends starts the next run itself; one that was killed could not.
            begun = bool(self.waiting or self._is_new()) and session.advance() is not Change.NOTHING
            if self._is_new(keep=True):
                self._take(session.queue.waiting(), session.queue.at_once())
            self._problem = ""
        except MicrotomeError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                self._desk.report(error)
            self._take([], 1)
        return begun

    def place(self, run: str) -> int | None:
        """Where a run stands in the queue (0: the next one); None where it does not wait."""
        return next((i for i, w in enumerate(self.waiting) if w.run == run), None)

    def _is_new(self, *, keep: bool = False) -> bool:
        queue = self._desk.session.queue
        stamp = (queue.file, queue.file.stat().st_mtime_ns) if queue.file.exists() else (queue.file, 0)
        new = stamp != self._stamp
        if keep:
            self._stamp = stamp
        return new

    def _beat(self) -> None:
        before = [w.run for w in self.waiting]
        if self.look() or before != [w.run for w in self.waiting]:
            # A run was begun, by us or by a driver that ended: its tail has to wake up.
            self._desk.announce(Change.RUNS)

    def _take(self, waiting: list[Waiting], at_once: int) -> None:
        if waiting:
            self._timer.start()
        else:
            self._timer.stop()
        if (waiting, at_once) == (self.waiting, self.at_once):
            return
        self.waiting, self.at_once = waiting, at_once
        self.changed.emit()


def limit_words(limit: TimeLimit) -> str:
    """When a run must have ended, in words; "" where it need not."""
    if limit.at is not None:
        near = limit.at - time.time() < 20 * 3600
        return tr("until {time}", time=time.strftime("%H:%M" if near else "%Y-%m-%d %H:%M", time.localtime(limit.at)))
    if limit.seconds is None:
        return ""
    from microtome.ui.numbers import span

    return tr("for at most {time}", time=span(limit.seconds))
