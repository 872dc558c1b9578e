"""What the driver was told to do: orders from a window or a command, and signals from the system."""

from __future__ import annotations

import math
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
SIGNALLED = "The system asked it to end; it can go on later."
"""What a run says that was stopped by a signal."""


class Helm:
    """The present will of the user: how to go on, with how many workers and trials."""

    def __init__(self, orders: Orders) -> None:
        self.mode: Mode = "run"
        self.workers: int | None = None  # a wish not yet taken
        self.budget: int | None = None
        self._edits: list[dict[str, Any]] = []  # orders about the space and the user's own trials, not yet taken
        self.reason = ""  # why it stops, where no user ordered that just now
        # One that had passed when its run is taken up again no longer counts.
        end = _end_of(orders.latest("until"))
        self.until = end if end is not None and end > time.time() else None  # seconds since the epoch; None: no end
        self.reserve = 0.0  # seconds before that time in which nothing new is begun, so that all is done by then
        self._over: float | None = None  # when nothing new is to be begun, by the monotonic clock
        self._orders = orders
        self._looked = 0.0

    def look(self) -> Mode:
        """Take new orders, at most twenty times a second, and return the mode."""
        now = time.monotonic()
        if now - self._looked >= _EVERY:
            self._looked = now
            for order in self._orders.new():
                self._take(order)
            self._watch_the_clock()
        return self.mode

    def more(self) -> bool:
        """Take new orders, whenever the last look was; True where there are some that ask for further trials."""
        self._looked = -math.inf
        self.look()
        return bool(self._edits) or self.budget is not None

    @property
    def leaving(self) -> bool:
        """True where work that can be taken up again must end soon."""
        return self.look() in ("stop", "interrupt", "abort")

    def allow(self, seconds: float) -> None:
        """Let nothing new begin after so many seconds from now: a search's time budget."""
        self._over = time.monotonic() + seconds

    @property
    def used_up(self) -> bool:
        """True once the time that was allowed is over, or what is left until the end is needed to come to it."""
        if self.until is not None and self.reserve > 0 and time.time() >= self.until - self.reserve:
            return True
        return self._over is not None and time.monotonic() >= self._over

    def take_workers(self) -> int | None:
        """The wished number of workers, once."""
        wish, self.workers = self.workers, None
        return wish

    def take_budget(self) -> int | None:
        """The wished number of trials, once."""
        wish, self.budget = self.budget, None
        return wish

    def take_edits(self) -> list[dict[str, Any]]:
        """The orders "space" and "trial" since the last call, in their order."""
        edits, self._edits = self._edits, []
        return edits

    def interrupt(self, *_: object) -> None:
        """A signal: stop at the checkpoints; a second one does not wait for them."""
        self.mode = "abort" if self.mode in ("interrupt", "abort") else "interrupt"
        self.reason = SIGNALLED

    def _watch_the_clock(self) -> None:
        if self.until is not None and time.time() >= self.until and self.mode in ("run", "pause"):
            # Stopped as by a signal, at the checkpoints: the machine is free at that time, and nothing is lost.
            self.mode = "interrupt"
            self.reason = f"Its time was over at {time.strftime('%H:%M', time.localtime(self.until))}; it can go on later."

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
            case "space" | "trial":
                self._edits.append(order)
            case "until":
                self.until = _end_of(order)


def _end_of(order: dict[str, Any] | None) -> float | None:
    """When an order "until" ends a run: `at` a time, or so many `seconds` after it was given; None: never."""
    given = order or {}
    at, seconds, since = given.get("at"), given.get("seconds"), given.get("time")
    if isinstance(seconds, int | float) and isinstance(since, int | float):
        at = since + seconds
    return float(at) if isinstance(at, int | float) else None


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
