"""Passes over a whole volume in a thread of their own: how far they are, stopped when asked to or when their owner ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

import shiboken6
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from microtome.errors import MicrotomeError
from microtome.plugin import Report
from microtome.ui.eta import Eta
from microtome.volumes.corrections.progress import LookStoppedError

T = TypeVar("T")
_SHOW_MS = 100


@lru_cache(maxsize=1)
def _thread() -> ThreadPoolExecutor:
    # One: two passes at once would only make each other's disk and cache slow. Slices are read in other threads meanwhile.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="microtome-pass")


class _Order:
    """What the window and the pass tell each other."""

    def __init__(self) -> None:
        self.share, self.stop, self.begun = 0.0, False, False

    def report(self, share: float) -> bool:
        self.share = share
        return self.stop


class Pass(QObject):
    """One long piece of work at a time; a new one, `stop()` and the end of the owner make an older one vanish."""

    progressed = Signal(float, object)  # share that is done, seconds to go as (low, high) or None
    ended = Signal()  # by itself, stopped or failed
    _finished = Signal(object)

    def __init__(self, parent: QObject, failed: Callable[[MicrotomeError], None]) -> None:
        super().__init__(parent)
        self._failed = failed
        self._order: _Order | None = None
        self._eta = Eta()
        self._future: Future[Any] | None = None
        self._done: Callable[[Any], None] = lambda _: None
        self._timer = QTimer(self)
        self._timer.setInterval(_SHOW_MS)
        self._timer.timeout.connect(self._show)
        self._finished.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def running(self) -> bool:
        """True while work is under way or waits for its turn."""
        return self._order is not None

    def start(self, work: Callable[[Report], T], done: Callable[[T], None]) -> None:
        """Call `work(report)` in the background, then `done(result)` in the window's thread.

        `report(share)` answers True once the pass is to stop; what such a pass returns is thrown away. A MicrotomeError goes to
        the owner's `failed`; any other exception is raised in the window's thread, as a bug should be.
        """
        self._halt()
        order = self._order = _Order()
        self._eta, self._done = Eta(), done

        def run() -> T:
            if order.stop:
                raise LookStoppedError
            order.begun = True
            return work(order.report)

        self._timer.start()
        self._future = _thread().submit(run)
        self._future.add_done_callback(lambda future: self._signal(order, future))
        # The work must not outlive its owner: it would keep the process alive after the window was closed.
        self.destroyed.connect(lambda: setattr(order, "stop", True))

    def stop(self) -> None:
        """End the work; its result will not land."""
        if self.running:
            self._halt()
            self.ended.emit()

    def _halt(self) -> None:
        if self._order is not None:
            self._order.stop = True
            self._order = None
        if self._future is not None:
            self._future.cancel()
        self._timer.stop()

    def _show(self) -> None:
        if self._order is not None:
            if self._order.begun:
                self._eta.update(time.monotonic(), self._order.share)
            self.progressed.emit(self._order.share, self._eta.range())

    def _signal(self, order: _Order, future: Future[Any]) -> None:
        # Called in the background thread; the window may be gone by now.
        if shiboken6.isValid(self) and not future.cancelled():
            self._finished.emit((order, future))

    def _deliver(self, found: tuple[_Order, Future[Any]]) -> None:
        order, future = found
        if order is not self._order:
            return
        self._order = None
        self._timer.stop()
        try:
            result = future.result()
        except MicrotomeError as error:
            self.ended.emit()
            self._failed(error)
            return
        self.ended.emit()
        self._done(result)
