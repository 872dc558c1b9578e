"""What the driver was told to do: orders from a window or a command, and signals from the system."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from microtome.store.run import Orders

Mode = Literal["run", "pause", "stop", "interrupt", "abort"]
_EVERY = 0.05  # seconds between two looks into the file
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Helm:
    """The present will of the user: how to go on, with how many workers and trials."""

    def __init__(self, orders: Orders) -> None:
        self.mode: Mode = "run"
        self.workers: int | None = None  # a wish not yet taken
        self.budget: int | None = None
        self._orders = orders
        self._looked = 0.0

    def look(self) -> Mode:
        """Take new orders, at most twenty times a second, and return the mode."""
        now = time.monotonic()
        if now - self._looked >= _EVERY:
            self._looked = now
            for order in self._orders.new():
                self._take(order)
        return self.mode

    @property
    def leaving(self) -> bool:
        """True where work that can be taken up again must end soon."""
        return self.look() in ("stop", "interrupt", "abort")

    def take_workers(self) -> int | None:
        """The wished number of workers, once."""
        wish, self.workers = self.workers, None
        return wish

    def take_budget(self) -> int | None:
        """The wished number of trials, once."""
        wish, self.budget = self.budget, None
        return wish

    def interrupt(self, *_: object) -> None:
        """A signal: stop at the checkpoints; a second one does not wait for them."""
        self.mode = "abort" if self.mode in ("interrupt", "abort") else "interrupt"

    def _take(self, order: dict[str, Any]) -> None:
        match order.get("command"):
            case "abort":
                self.mode = "abort"
            case ("pause" | "stop") as word if self.mode not in ("interrupt", "abort"):
                self.mode = word
            case "resume" if self.mode in ("pause", "stop"):
                self.mode = "run"
            case "workers":
                self.workers = _count(order.get("n"))
            case "budget":
                self.budget = _count(order.get("n"))


def _count(value: object) -> int | None:
    good = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return value if good else None  # type: ignore[return-value]


@contextmanager
def signals(helm: Helm) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP stop the run cleanly; only a main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = [(number, signal.signal(number, helm.interrupt)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
