"""A worker process: takes tasks from a pipe, reports, ends itself when its parent dies. Never imports Qt.

Nothing heavy may be imported at the top: the number of threads is put into the environment before numpy and torch load.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from microtome.errors import MicrotomeError, NoRoomError
from microtome.jobs.runner import Cancelled, Crashed, CrashError, Done, Failed, Outcome, Paused, Pruned, resolve
from microtome.store.atomic import NO_ROOM, explain

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")
_LOG_LIMIT = 2_000_000  # bytes that a worker's log may have before it starts afresh


def outcome_of(result: Any) -> Outcome:
    """The outcome that a returned value stands for (see Task)."""
    said = result.get("outcome", "done") if isinstance(result, dict) else "done"
    match said:
        case "pruned":
            return Pruned(result)
        case "paused":
            return Paused(result)
        case "cancelled":
            return Cancelled(result)
        case "failed":
            return Failed(str(result.get("message", "")))
        case _:
            return Done(result)


def run_guarded(function: str | Callable[..., Any], arguments: dict[str, Any]) -> Outcome:
    """Call a task's function; whatever it raises becomes a Failed, since one failed task must not end the others."""
    try:
        target = resolve(function) if isinstance(function, str) else function
        return outcome_of(target(**arguments))
    except MicrotomeError as error:
        return Failed(str(error), no_room=isinstance(error, NoRoomError))
    except CrashError as error:
        return Crashed(error.signal, error.log)
    except MemoryError:
        return Failed("There is not enough memory for this trial. Use a smaller batch, network or image.")
    except Exception as error:  # noqa: BLE001 - the worker boundary: a trial may raise anything
        if isinstance(error, OSError) and error.errno in NO_ROOM:  # in a library, which names its file at best
            return Failed(str(explain(error, Path(error.filename or "a file"), "write")), no_room=True)
        traceback.print_exc()
        return Failed(f"{type(error).__name__}: {error}", traceback.format_exc())


class Channel:
    """What a task gets as `report`: call it with an event; `ask` also waits for the verdict."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self.task = 0
        self.word = ""  # how to end: "" | prune | pause | stop
        self.verdicts: queue.Queue[str] = queue.Queue()

    def send(self, kind: str, value: Any) -> None:
        """Send one message about the present task."""
        with self._lock:
            self._connection.send((kind, self.task, value))

    def __call__(self, event: Any) -> None:
        self.send("report", event)

    def ask(self, event: Any) -> str:
        """Report, and wait for the verdict: "" to go on, or how to end."""
        self.send("ask", event)
        return self.verdicts.get() or self.should_stop()

    def should_stop(self) -> str:
        """ "" to go on, or how to end: prune, pause, stop."""
        return self.word


def _prepare(log: str, threads: int) -> None:
    for name in _THREADS:
        os.environ[name] = str(threads)
    # Threads that wait must not keep a core busy: beside a window or a second worker, spinning halves the speed of all.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    file = Path(log)
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.exists() and file.stat().st_size > _LOG_LIMIT
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if fresh else 0), 0o644)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)
    sys.stdout = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8", errors="replace")
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="replace")
    faulthandler.enable(file=2)
    # Ctrl-C reaches the whole terminal group; the driver alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(10)  # the window and the driver go first
    else:
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)  # type: ignore[attr-defined, unused-ignore]


def _listen(connection: Connection, channel: Channel, tasks: queue.Queue[Any]) -> None:
    """Take orders from the parent; its death, seen as the pipe's end, ends this process at once."""
    while True:
        try:
            wait([connection])
            order, value = connection.recv()
        except (EOFError, OSError):
            os._exit(0)
        match order:
            case "task":
                channel.task, channel.word = value.id, ""
                tasks.put(value)
            case "cancel":
                task, how = value
                if task == channel.task:
                    channel.word = how
            case "verdict":
                channel.verdicts.put(value)


def main(connection: Connection, log: str, threads: int, warm: tuple[str, ...]) -> None:
    """Serve tasks until the parent closes the pipe; `warm` names modules to import before the first task."""
    _prepare(log, threads)
    channel = Channel(connection)
    tasks: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_listen, args=(connection, channel, tasks), daemon=True).start()
    for name in warm:
        importlib.import_module(name)
    channel.send("ready", None)
    while True:
        task = tasks.get()
        arguments = {**task.arguments, "report": channel, "should_stop": channel.should_stop}
        outcome = run_guarded(task.function, arguments)
        sys.stdout.flush()
        sys.stderr.flush()
        channel.send("ended", outcome)
        if isinstance(outcome, Failed) and "CUDA" in outcome.trace:
            return  # a process that has seen a CUDA error cannot use the device again; another takes its place
