"""What runs in a cluster's worker: introducing itself, taking and giving files, and one trial at a time.

Nothing here imports distributed: the worker comes as the argument `dask_worker` of what is run on it.
"""

from __future__ import annotations

import importlib.metadata
import os
import queue
import shutil
import socket
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from microtome import __version__
from microtome.events import BatchProgress, Event, decode, encode
from microtome.jobs.cluster import Member
from microtome.jobs.runner import Lost, cores
from microtome.jobs.worker import run_guarded

_PROCESS = uuid.uuid4().hex
_LOOK_EVERY = 0.5  # seconds between two looks whether anybody still waits for the trial
_GONE = "Nobody waits for the trial any more."

_worker: Any = None  # distributed.Worker, once it was greeted
_busy = threading.Lock()  # a process trains one trial at a time: threads and random numbers are torch's, of all
_owner = ""  # whose trial that is


@dataclass
class _Mail:
    """What the driver says to one errand."""

    word: str = ""  # how to end: "" | prune | pause | stop
    verdicts: queue.Queue[str] = field(default_factory=queue.Queue)


_mail: dict[str, _Mail] = {}


# --- what the driver calls, outside the queue of tasks


def greet(marker: str, content: str, dask_worker: Any = None) -> dict[str, Any]:
    """The fields of a Member, but its address; `marker` is a file of the driver's that holds `content`."""
    global _worker
    _worker = dask_worker
    return {
        "process": _PROCESS,
        "host": socket.gethostname(),
        "cores": cores(),
        "microtome": __version__,
        "torch": _version("torch"),
        "sees": _holds(Path(marker), content),
        "busy": _owner if _busy.locked() else "",
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _holds(path: Path, content: str) -> bool:
    try:
        return path.read_text() == content
    except (OSError, UnicodeDecodeError):
        return False


def whisper(token: str, kind: str, value: str) -> None:
    """Say a word to an errand: how to "cancel" it, or the "verdict" that it waits for."""
    mail = _mail.setdefault(token, _Mail())
    if kind == "cancel":
        mail.word = value
    else:
        mail.verdicts.put(value)


def put(name: str, offset: int, data: bytes, dask_worker: Any = None) -> None:
    """Write a piece of a file below the worker's own folder."""
    path = _below(dask_worker, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "r+b" if offset else "wb") as file:
        file.seek(offset)
        file.write(data)


def has(name: str, dask_worker: Any = None) -> bool:
    """Whether a folder is there."""
    return _below(dask_worker, name).is_dir()


def make(name: str, dask_worker: Any = None) -> str:
    """A new, empty folder; returns its path."""
    path = _below(dask_worker, name)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return str(path)


def seal(part: str, name: str, dask_worker: Any = None) -> str:
    """Give a folder that is complete its name; returns its path. Another may have been quicker with the same."""
    source, target = _below(dask_worker, part), _below(dask_worker, name)
    if not target.is_dir():
        os.replace(source, target)
    return str(target)


def listing(name: str, dask_worker: Any = None) -> dict[str, tuple[int, int]]:
    """The files of a folder: name → size and time."""
    return listing_of(_below(dask_worker, name))


def get(name: str, dask_worker: Any = None) -> tuple[tuple[int, int], bytes] | None:
    """A file with its size and time; None where it is gone."""
    try:
        with open(_below(dask_worker, name), "rb") as file:
            state = os.fstat(file.fileno())
            return (state.st_size, state.st_mtime_ns), file.read()
    except FileNotFoundError:
        return None


def discard(name: str, dask_worker: Any = None) -> None:
    """Remove a folder."""
    shutil.rmtree(_below(dask_worker, name), ignore_errors=True)


def listing_of(folder: Path) -> dict[str, tuple[int, int]]:
    """The finished files at any depth: name with slashes → size and time."""
    found = {}
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file() and not path.name.endswith(".part"):
                state = path.stat()
                found[path.relative_to(folder).as_posix()] = (state.st_size, state.st_mtime_ns)
        except FileNotFoundError:
            continue  # it was replaced just now
    return found


def _below(dask_worker: Any, name: str) -> Path:
    home = Path(dask_worker.local_directory).resolve() / "microtome"
    path = (home / name).resolve()
    if not path.is_relative_to(home):
        raise ValueError(f"{name} leads out of the worker's folder")
    return path


# --- the task itself


class _Channel:
    """What a task gets as `report`: what it says goes to the scheduler's topic at once, and with the result once more."""

    def __init__(self, errand: dict[str, Any], mail: _Mail) -> None:
        self._topic, self._token, self._key = errand["topic"], errand["token"], errand["key"]
        self._mail = mail
        self._count = 0
        self._looked = time.monotonic()
        self._gone = False
        self.kept: list[dict[str, Any]] = []

    def __call__(self, event: Any) -> None:
        self._send(event, asks=False)

    def ask(self, event: Any) -> str:
        """Report, and wait for the verdict: "" to go on, or how to end."""
        self._send(event, asks=True)
        while True:
            try:
                return self._mail.verdicts.get(timeout=_LOOK_EVERY) or self.should_stop()
            except queue.Empty:
                if word := self.should_stop():
                    return word

    def should_stop(self) -> str:
        """ "" to go on, or how to end; a trial that nobody waits for stops too, for another may have been begun for it."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY:
            self._looked, self._gone = now, self._forgotten()
        return self._mail.word or ("stop" if self._gone else "")

    def _forgotten(self) -> bool:
        state = _worker.state.tasks.get(self._key)
        return state is None or state.state not in ("executing", "long-running") or _worker.status.name != "running"

    def _send(self, event: Any, *, asks: bool) -> None:
        kind, value = ("event", encode(event).decode()) if isinstance(event, Event) else ("plain", event)
        message = {"token": self._token, "number": self._count, "kind": kind, "value": value, "asks": asks}
        self._count += 1
        if not isinstance(event, BatchProgress):
            self.kept.append(message)
        _worker.log_event(self._topic, message)


def event_of(message: dict[str, Any]) -> Any:
    """What was reported."""
    return decode(message["value"].encode()) if message["kind"] == "event" else message["value"]


def serve(errand: dict[str, Any]) -> dict[str, Any]:
    """Run a task and return {outcome, reports}: events may be lost where a connection drops, a result is not."""
    global _owner
    if errand["process"] != _PROCESS:
        return {"outcome": Lost(_GONE), "reports": []}  # it was meant for the process before this one
    with _busy:
        _owner = errand["owner"]
        mail = _mail.setdefault(errand["token"], _Mail())
        channel = _Channel(errand, mail)
        try:
            _take_plugins(errand["plugins"])
            arguments = {**errand["arguments"], "report": channel, "should_stop": channel.should_stop}
            outcome = run_guarded(errand["function"], arguments)
        finally:
            _mail.pop(errand["token"], None)
            _owner = ""
    return {"outcome": outcome, "reports": channel.kept}


def _take_plugins(folder: str) -> None:
    """Know the user's plugins of the driver, instead of those that this computer may have."""
    from microtome.registry import use_plugins

    use_plugins(Path(_worker.local_directory).resolve() / "microtome" / folder)


def member(address: str, said: dict[str, Any]) -> Member:
    """What `greet` said, as a Member."""
    return Member(address=address, **said)
