"""One request of a view at a time: of those that come meanwhile only the last one is made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from PySide6.QtCore import QObject

from microtome.errors import MicrotomeError
from microtome.ui.desk import Desk

R = TypeVar("R")
T = TypeVar("T")
Superseded = Callable[[], bool]


class Latest(QObject, Generic[R, T]):
    """Reads for one view in the background, so that a slow source is neither asked in vain nor made to skip everything.

    `work(request, superseded)` runs in a background thread; long work may look at `superseded()` and return None. `landed`
    and `failed` are called in the window's thread; nothing lands that was asked for before `forget`.
    """

    def __init__(
        self,
        desk: Desk,
        parent: QObject,
        work: Callable[[R, Superseded], T | None],
        landed: Callable[[R, T], None],
        failed: Callable[[R, MicrotomeError], None],
    ) -> None:
        super().__init__(parent)
        self._desk, self._work, self._landed, self._failed = desk, work, landed, failed
        self._next: R | None = None
        self._over: threading.Event | None = None

    @property
    def busy(self) -> bool:
        """True while something is being read."""
        return self._over is not None

    def want(self, request: R) -> None:
        """Read this, at once or when what is being read has landed."""
        if self._over is not None:
            self._next = request
            self._over.set()
            return
        over = self._over = threading.Event()
        self._desk.tasks.request(
            self,
            "latest",
            lambda: self._work(request, over.is_set),
            lambda read: self._end(request, read),
            failed=lambda error: self._end_badly(request, error),
        )

    def forget(self) -> None:
        """Want nothing any more."""
        self._desk.tasks.cancel(self, "latest")
        if self._over is not None:
            self._over.set()
        self._over = self._next = None

    def _end(self, request: R, read: T | None) -> None:
        self._over, following = None, self._next
        self._next = None
        if following is not None:
            self.want(following)
        if read is not None:
            self._landed(request, read)

    def _end_badly(self, request: R, error: MicrotomeError) -> None:
        self._over, following = None, self._next
        self._next = None
        if following is None:
            self._failed(request, error)
        else:
            # What is wanted by now may be well.
            self.want(following)
