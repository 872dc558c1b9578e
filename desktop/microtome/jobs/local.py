"""Worker processes on this computer: spawned once, kept for many tasks, replaced after a crash or a kill."""

from __future__ import annotations

import multiprocessing
import sys
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from microtome.errors import MicrotomeError
from microtome.jobs import worker
from microtome.jobs.runner import (
    Cancelled,
    Crashed,
    Ended,
    How,
    Judge,
    Message,
    Report,
    Task,
    WorkerDied,
    threads_each,
)

_TAIL = 40  # lines of a dead worker's log that are kept
_STARTS = 3  # workers in a row that may die before they are ready


@contextmanager
def no_main_module() -> Iterator[None]:
    """Processes spawned within the block do not run the script again that this one was started with."""
    # A spawned child imports its parent's script again; a worker needs none of it, and a script without the
    # `if __name__ == "__main__"` guard would start itself over and over.
    kept = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = kept


@dataclass
class _Slot:
    """One worker process and what it does now."""

    number: int
    process: SpawnProcess
    connection: Connection
    log: Path
    log_start: int  # where this process's lines begin in the log
    task: int | None = None
    ready: bool = False
    retiring: bool = False
    how: How | None = None  # it was asked to end its task
    deadline: float = 0.0  # when patience with that ends
    terminated: bool = False

    def tail(self) -> str:
        """The last lines that this process wrote."""
        try:
            with open(self.log, "rb") as file:
                file.seek(self.log_start)
                text = file.read()[-20_000:].decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-_TAIL:])


class LocalRunner:
    """`workers` processes; `warm` names modules that each imports before its first task."""

    def __init__(
        self,
        workers: int,
        *,
        logs: Path,
        warm: tuple[str, ...] = (),
        judge: Judge = lambda report: "",
        grace: float = 10.0,
    ) -> None:
        self._logs = logs
        self._warm = warm
        self._judge = judge
        self._grace = grace
        self._context = multiprocessing.get_context("spawn")
        self._size = workers
        self._failed_starts = 0
        self._slots: list[_Slot] = []
        self._pending: list[Message] = []
        self.resize(workers)

    # --- the protocol

    @property
    def idle(self) -> int:
        """Slots that are free now, also those whose process is still starting."""
        return sum(1 for s in self._slots if s.task is None and not s.retiring)

    def submit(self, task: Task) -> int:
        """Give a task to a free slot, a ready one first; returns the slot's number (1, 2, …)."""
        free = [s for s in self._slots if s.task is None and not s.retiring]
        if not free:
            raise RuntimeError("no slot is idle")
        slot = min(free, key=lambda s: (not s.ready, s.number))
        slot.task, slot.how, slot.terminated = task.id, None, False
        self._send(slot, ("task", task))
        return slot.number

    def poll(self, timeout: float) -> list[Message]:
        """Wait up to `timeout` seconds for messages and return them in their order."""
        messages, self._pending = self._pending, []
        things: list[Any] = [t for s in self._slots for t in (s.connection, s.process.sentinel)]
        ready = set(wait(things, 0.0 if messages else max(0.0, timeout)))
        for slot in list(self._slots):
            dead = slot.process.sentinel in ready
            if slot.connection in ready and not self._drain(slot, messages):
                dead = True
            if dead:
                self._bury(slot, messages)
        self._lose_patience()
        return messages

    def cancel(self, task: int, how: How) -> None:
        """Ask a task to end: "prune" at its next epoch; "pause" and "stop" at its next batch, by force after a grace."""
        for slot in self._slots:
            if slot.task == task and slot.how != how:  # asking twice gives no longer grace
                slot.how = how
                if how == "kill":
                    slot.process.kill()
                    return
                if how != "prune":
                    slot.deadline = time.monotonic() + self._grace
                self._send(slot, ("cancel", (task, how)))

    def resize(self, workers: int) -> None:
        """Change the number of slots; a busy slot that is too many ends after its task."""
        self._size = max(1, workers)
        for slot in self._slots:
            slot.retiring = False
        surplus = len(self._slots) - self._size
        for slot in sorted(self._slots, key=lambda s: (s.task is not None, -s.number))[: max(0, surplus)]:
            slot.retiring = True
            if slot.task is None:
                self._end(slot)
        while len(self._slots) < self._size:
            self._start()

    def close(self) -> None:
        """End all workers at once."""
        for slot in self._slots:
            slot.process.kill()
        for slot in list(self._slots):
            self._end(slot)

    def __enter__(self) -> LocalRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- processes

    def pids(self) -> list[int]:
        """The processes, by slot."""
        return [s.process.pid or 0 for s in self._slots]

    def _start(self) -> None:
        taken = {s.number for s in self._slots}
        number = next(n for n in range(1, len(taken) + 2) if n not in taken)
        ours, theirs = self._context.Pipe()
        log = self._logs / f"worker-{number}.log"
        start = log.stat().st_size if log.exists() else 0
        process = self._context.Process(
            target=worker.main,
            args=(theirs, str(log), threads_each(self._size), self._warm),
            name=f"microtome-worker-{number}",
            daemon=True,
        )
        with no_main_module():
            process.start()
        theirs.close()
        self._slots.append(_Slot(number, process, ours, log, start))

    def _end(self, slot: _Slot) -> None:
        """Let a worker go that has no task (or was killed): the closed pipe ends it."""
        slot.connection.close()
        slot.process.join(timeout=2.0)
        if slot.process.is_alive():
            slot.process.kill()
            slot.process.join()
        slot.process.close()
        self._slots.remove(slot)

    def _send(self, slot: _Slot, order: tuple[str, Any]) -> None:
        try:
            slot.connection.send(order)
        except OSError:
            # The worker has just died; poll finds it by its sentinel and says so.
            return

    def _drain(self, slot: _Slot, messages: list[Message]) -> bool:
        """Take what a worker sent; False where its pipe has ended."""
        try:
            while slot.connection.poll():
                self._take(slot, slot.connection.recv(), messages)
        except (EOFError, OSError):
            return False
        if slot.retiring and slot.task is None:
            self._end(slot)
        return True

    def _take(self, slot: _Slot, message: tuple[str, int, Any], messages: list[Message]) -> None:
        kind, task, value = message
        match kind:
            case "ready":
                slot.ready, self._failed_starts = True, 0
            case "report":
                messages.append(Report(task, value))
            case "ask":
                report = Report(task, value)
                messages.append(report)
                self._send(slot, ("verdict", self._judge(report)))
            case "ended":
                slot.task, slot.how = None, None
                messages.append(Ended(task, value, slot.number))

    def _bury(self, slot: _Slot, messages: list[Message]) -> None:
        """A worker has died: say what became of its task, and start another in its place."""
        if slot not in self._slots:
            return  # it was retired a moment ago
        slot.process.join(timeout=5.0)
        if slot.process.is_alive():
            slot.process.kill()
            slot.process.join()
        self._drain(slot, messages)
        if slot not in self._slots:
            return
        code = slot.process.exitcode or 0
        crash = Crashed(-code, slot.tail(), begun=slot.ready)
        if slot.task is not None:
            asked = slot.how is not None and slot.how != "prune"
            messages.append(Ended(slot.task, Cancelled() if asked else crash, slot.number))
        elif not slot.retiring:
            messages.append(WorkerDied(slot.number, crash.message, crash.log))
        if not slot.ready:
            self._failed_starts += 1
        self._end(slot)
        if self._failed_starts >= _STARTS:
            self._failed_starts = 0
            last = crash.log.splitlines()[-1] if crash.log else crash.message
            raise MicrotomeError(f"Worker processes cannot be started: {last}", f"Look into {slot.log}.")
        while len(self._slots) < self._size:
            self._start()

    def _lose_patience(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if slot.task is None or slot.how in (None, "prune", "kill") or now < slot.deadline:
                continue
            if slot.terminated:
                slot.process.kill()
            else:
                slot.process.terminate()
                slot.terminated, slot.deadline = True, now + 2.0
