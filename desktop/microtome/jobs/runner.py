"""Where code runs: a task as a value, what a runner tells of it, and the protocol that every runner keeps."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from microtome.errors import InputError

How = Literal["prune", "pause", "stop", "kill"]
"""How to end a task: at its next epoch, at its next batch (two words for the same), or at once by the axe."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A call that crosses processes: names and plain values, never objects.

    `function` is "module:function", called as `function(report=…, should_stop=…, **arguments)` and returning plain values; a
    dict may say by its "outcome" (done, pruned, paused, cancelled, failed) how it ended. An inline runner takes callables too.
    """

    id: int
    function: str | Callable[..., Any]
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """The function returned."""

    result: Any = None


@dataclass(frozen=True)
class Pruned:
    """The function ended early because the trial fell behind."""

    result: Any = None


@dataclass(frozen=True)
class Paused:
    """The function came as far as it was to come; its checkpoint is kept, and it may be called again."""

    result: Any = None


@dataclass(frozen=True)
class Cancelled:
    """The task ended because it was asked to; its last checkpoint is kept."""

    result: Any = None


@dataclass(frozen=True)
class Failed:
    """The function raised. `trace` is empty for a user's mistake (MicrotomeError), else the traceback of a bug.

    `no_room`: its disk takes nothing more (NoRoomError), so that another task would fail as well.
    """

    message: str
    trace: str = ""
    no_room: bool = False


@dataclass(frozen=True)
class Crashed:
    """The process died under the task: the signal (or the exit code as a negative number), and its last log lines.

    `begun`: False where it died before it took the task, while it was starting.
    """

    signal: int
    log: str = ""
    begun: bool = True

    @property
    def message(self) -> str:
        """What happened, in words."""
        if self.signal == 9:
            return "The worker process was killed (signal 9), as the system does when memory runs out."
        if self.signal > 0:
            return f"The worker process died of signal {self.signal}."
        return f"The worker process ended by itself (exit code {-self.signal})."


@dataclass(frozen=True)
class Lost:
    """The connection to the worker was lost, and with it its log."""

    message: str = "The connection to the worker was lost."
    log: str = ""


class CrashError(Exception):
    """What a task raises where a process died that it had started, and it with it; its outcome is Crashed."""

    def __init__(self, signal: int, log: str = "") -> None:
        super().__init__(signal, log)
        self.signal, self.log = signal, log


Outcome = Done | Pruned | Paused | Cancelled | Failed | Crashed | Lost


@dataclass(frozen=True)
class Report:
    """A running task said something (an Event, or what else its function reports)."""

    task: int
    event: Any


@dataclass(frozen=True)
class Ended:
    """A task's end."""

    task: int
    outcome: Outcome
    worker: int = 0


@dataclass(frozen=True)
class WorkerDied:
    """A worker died without a task, while it was starting or waiting."""

    worker: int
    reason: str
    log: str = ""


Message = Report | Ended | WorkerDied
Judge = Callable[[Report], str]
"""Answers a report that asks for a verdict (`report.ask(event)` in the task): "" to go on, or "prune"."""


class Runner(Protocol):
    """A place with slots for tasks."""

    @property
    def idle(self) -> int:
        """Slots that are free now."""
        ...

    def submit(self, task: Task) -> int:
        """Give a task to an idle slot and return the slot's number."""
        ...

    def poll(self, timeout: float) -> list[Message]:
        """Wait up to `timeout` seconds for messages and return them in their order."""
        ...

    def cancel(self, task: int, how: How) -> None:
        """Ask a task to end; unknown or ended ones are ignored."""
        ...

    def resize(self, workers: int) -> None:
        """Change the number of slots; a busy slot that is too many ends after its task."""
        ...

    def close(self) -> None:
        """End all workers at once."""
        ...


def cores() -> int:
    """Processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def threads_each(workers: int) -> int:
    """Threads of a worker so that all of them together fill the cores."""
    return max(1, cores() // max(1, workers))


def resolve(function: str) -> Callable[..., Any]:
    """Import "module:function"; InputError where there is none."""
    import importlib

    module_name, _, name = function.partition(":")
    if not module_name or not name:
        raise InputError(f"“{function}” is not a function's name.", 'Write it as "module:function".')
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.split(".")[0] and error.name != module_name:
            raise
        raise InputError(f"There is no module “{module_name}”.", "It must be importable from where you started.") from error
    found = getattr(module, name, None)
    if not callable(found):
        raise InputError(f"The module “{module_name}” has no function “{name}”.")
    return found  # type: ignore[no-any-return]
