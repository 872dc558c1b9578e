"""Background threads for reading: a request captures what it needs, a newer one supersedes it, a late result cannot land."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal

from microtome.errors import MicrotomeError

T = TypeVar("T")
Failed = Callable[[MicrotomeError], None]


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix="microtome-reading")


@dataclass
class _Request:
    owner: QObject
    slot: str
    done: Callable[[Any], None]
    failed: Failed
    future: Future[Any] | None = None


class Tasks(QObject):
    """Requests of widgets, each by its owner and a slot name of the owner's choice."""

    _finished = Signal(object)

    def __init__(self, parent: QObject, failed: Failed) -> None:
        super().__init__(parent)
        self._failed = failed
        self._latest: dict[tuple[int, str], _Request] = {}
        self._finished.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def request(
        self,
        owner: QObject,
        slot: str,
        work: Callable[[], T],
        done: Callable[[T], None],
        *,
        failed: Failed | None = None,
    ) -> None:
        """Call `work()` in a background thread (it may touch no widget), then `done(result)` in the window's thread.

        A newer request of the same owner and slot, or the owner's end, makes this one's result vanish. A MicrotomeError
        goes to `failed` (default: a toast); any other exception is raised in the window's thread, as a bug should be.
        """
        request = _Request(owner, slot, done, failed or self._failed)
        key = (id(owner), slot)
        older = self._latest.get(key)
        if older is not None and older.future is not None:
            older.future.cancel()
        self._latest[key] = request
        request.future = _threads().submit(work)
        request.future.add_done_callback(lambda _: self._signal(request))

    def cancel(self, owner: QObject, slot: str) -> None:
        """Forget the owner's request: its result will not land."""
        request = self._latest.pop((id(owner), slot), None)
        if request is not None and request.future is not None:
            request.future.cancel()

    def pending(self) -> int:
        """Requests whose result has neither landed nor vanished."""
        return len(self._latest)

    def _signal(self, request: _Request) -> None:
        # Called in the background thread; the window may be gone by now.
        if shiboken6.isValid(self):
            self._finished.emit(request)

    def _deliver(self, request: _Request) -> None:
        key = (id(request.owner), request.slot)
        if self._latest.get(key) is not request:
            return
        del self._latest[key]
        if not shiboken6.isValid(request.owner):
            return
        assert request.future is not None
        try:
            result = request.future.result()
        except CancelledError:
            return
        except MicrotomeError as error:
            request.failed(error)
            return
        request.done(result)
