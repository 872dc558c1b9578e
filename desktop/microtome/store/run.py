"""A run folder: what was asked (`run.json`, `recipe.toml`), what happened (`events.jsonl`), orders to the driver, the lock.

run.json       written once: kind, name, seed, versions, plugins with hashes, machine
recipe.toml    the recipe as it was started
events.jsonl   the truth, appended by the driver alone
control.jsonl  orders of a window or a command to the driver, appended by anyone
lock           who drives the run now
trials.csv     derived; trials/NNNN/ holds each trial's files
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from microtome.errors import FileError, InputError
from microtome.store.atomic import explain, read_json, write_json, write_text
from microtome.store.journal import JournalReader, JournalWriter
from microtome.store.locked import locked

Order = Literal["pause", "resume", "stop", "abort", "workers", "budget", "until", "space", "trial", "launched"]
"""What is written to control.jsonl; "launched" is no order: a driver was started then, and will look after it."""
#: The orders that a driver obeys; a window offers no others.
OBEYED: frozenset[Order] = frozenset({"pause", "resume", "stop", "abort", "workers", "budget", "until", "space", "trial"})
VERSION = 1
_TOUCHED_EVERY = 15.0  # seconds between two signs of life of a lock's holder
_SILENT = 180.0  # seconds without one, after which a holder on another computer is taken to be gone
_SAME = 2.0  # seconds between two readings of when a process was started


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run and what reads and writes them."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name, unique in its project."""
        return self.path.name

    @property
    def events(self) -> Path:
        """The journal."""
        return self.path / "events.jsonl"

    @property
    def recipe(self) -> Path:
        """The recipe that was started."""
        return self.path / "recipe.toml"

    def info(self) -> dict[str, Any]:
        """What run.json says."""
        return read_json(self.path / "run.json")

    def trial(self, number: int) -> Path:
        """The folder of a trial (1, 2, …; not created here)."""
        return self.path / "trials" / f"{number:04d}"

    @classmethod
    def create(cls, runs: Path, *, name: str, info: dict[str, Any], recipe_toml: str) -> RunFolder:
        """Make a new folder `<time>-<name>` below `runs` with its run.json and recipe.

        Runs of one minute are told apart by a number behind the name: lists show hours and minutes.
        """
        stamp, stem = time.strftime("%Y%m%d-%H%M%S"), re.sub(r"[^\w-]+", "-", name).strip("-") or "run"
        for attempt in range(1000):
            words = stem if attempt == 0 else f"{stem}-{attempt + 1}"
            if any(runs.glob(f"{stamp[:-2]}??-{words}")):
                continue
            path = runs / f"{stamp}-{words}"
            try:
                path.mkdir(parents=True, exist_ok=False)
            except FileExistsError:
                continue
            except OSError as error:
                raise explain(error, path, "make the run folder") from error
            run = cls(path)
            write_text(run.recipe, recipe_toml)
            write_json(path / "run.json", {"name": name, "created": time.time(), **info}, VERSION)
            return run
        raise FileError(f"Could not make a run folder in {runs}.", "Try again in a second.")

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run folder; FileError where it is none."""
        if not (path / "run.json").is_file():
            raise FileError(f"{path} is not a run folder (it has no run.json).", "Choose a folder inside a project's runs/.")
        return cls(path)

    def order(self, command: Order, **arguments: Any) -> None:
        """Send an order to whatever drives the run now."""
        line = (json.dumps({"command": command, "time": time.time(), **arguments}) + "\n").encode()
        try:
            with open(self.path / "control.jsonl", "a+b", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - 1))
                if end and file.read(1) != b"\n":
                    line = b"\n" + line  # a full disk took a part of the order before
                if file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise explain(error, self.path, "send an order to") from error

    def writer(self) -> JournalWriter:
        """The journal for its one writer; hold the lock first."""
        return JournalWriter(self.events)

    def reader(self) -> JournalReader:
        """A new reader from the journal's beginning."""
        return JournalReader(self.events)


class Orders:
    """The driver's side of control.jsonl: all orders, or those for this driver, which are read once each.

    A driver imports for seconds before it looks. So it also takes what came since it was launched, where that was later than
    `after`, when the driver before it began.
    """

    def __init__(self, run: RunFolder, *, from_start: bool = False, after: float = math.inf) -> None:
        self._path = run.path / "control.jsonl"
        self._position = 0
        self._early: list[dict[str, Any]] = []
        if not from_start:
            given = self.new()
            mine = max((i for i, order in enumerate(given) if _launched(order) > after), default=len(given))
            self._early = given[mine + 1 :]

    def new(self) -> list[dict[str, Any]]:
        """The complete orders since the last call."""
        early, self._early = self._early, []
        try:
            with open(self._path, "rb") as file:
                file.seek(self._position)
                data = file.read()
        except FileNotFoundError:
            return early
        complete = data[: data.rfind(b"\n") + 1]
        self._position += len(complete)
        return early + _orders(complete)

    def latest(self, command: Order) -> dict[str, Any] | None:
        """The last order of a kind that was ever given, also to an earlier driver; None where there is none."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        given = _orders(data[: data.rfind(b"\n") + 1])
        return next((order for order in reversed(given) if order.get("command") == command), None)


def _launched(order: dict[str, Any]) -> float:
    """When a driver was launched, as this line says; −∞ where it says something else."""
    since = order.get("time")
    return float(since) if order.get("command") == "launched" and isinstance(since, int | float) else -math.inf


def _orders(data: bytes) -> list[dict[str, Any]]:
    """The orders in complete lines; a line that is none, as a full disk leaves it, must not stop every driver to come."""
    found = []
    for line in data.splitlines():
        try:
            order = json.loads(line)
        except ValueError:
            continue
        if isinstance(order, dict):
            found.append(order)
    return found


class RunLock:
    """One driver a run: a lock file naming host, pid and the process's start, taken over when that process is gone.

    Whether a process of another computer is gone cannot be asked. Its holder touches the file, so one that was not touched
    for minutes came with a folder that was moved or copied, or its computer is down.
    """

    def __init__(self, run: RunFolder) -> None:
        self.path = run.path / "lock"
        self._released = threading.Event()

    def holder(self, now: float | None = None) -> int | None:
        """The pid that drives the run now (-1: on another computer), or None; `now` by the clock of the disk, if known."""
        try:
            data = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return None
        if data.get("host") != socket.gethostname():
            return -1 if self._silence(now) < _SILENT else None
        pid = int(data.get("pid", 0))
        try:
            process = psutil.Process(pid)
            alive = _is_same(process, data) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return None
        return pid if alive else None

    def take(self) -> None:
        """Become the driver, or raise InputError saying who is."""
        me = psutil.Process()
        started = {"started": me.create_time(), "boot": _boot(), "after_boot": _after_boot(me)}
        taking = self.path.with_name(".taking")
        with locked(taking):  # two that look at the same time would both find nobody
            os.utime(taking)
            holder = self.holder(taking.stat().st_mtime)
            if holder is not None and holder != os.getpid():
                who = "another computer" if holder < 0 else f"process {holder}"
                raise InputError(f"{self.path.parent.name} is being run by {who}.", "Stop it there first.")
            write_text(self.path, json.dumps({"host": socket.gethostname(), "pid": os.getpid(), **started}))
        self._released.set()
        self._released = threading.Event()
        threading.Thread(target=self._touch, args=(self._released,), name="lock", daemon=True).start()

    def _touch(self, released: threading.Event) -> None:
        while not released.wait(_TOUCHED_EVERY):
            with contextlib.suppress(OSError):
                if self.holder() == os.getpid():
                    os.utime(self.path)

    def _silence(self, now: float | None) -> float:
        """Seconds since the lock was touched."""
        try:
            return (time.time() if now is None else now) - self.path.stat().st_mtime
        except OSError:
            return math.inf

    def release(self) -> None:
        """Let go, if the lock is ours."""
        self._released.set()
        if self.holder() == os.getpid():
            self.path.unlink(missing_ok=True)


def _is_same(process: psutil.Process, lock: dict[str, Any]) -> bool:
    """Whether a process is the one that took a lock, and not another with its number."""
    if abs(process.create_time() - lock.get("started", 0)) < _SAME:
        return True
    # The system derives that time from the clock as it stands now: where the clock was set, only the distance stays.
    boot = lock.get("boot")
    return bool(boot) and boot == _boot() and abs(_after_boot(process) - lock.get("after_boot", 0)) < _SAME


def _after_boot(process: psutil.Process) -> float:
    """Seconds from the machine's start to the process's."""
    return process.create_time() - psutil.boot_time()


def _boot() -> str:
    """What tells this start of the machine from all others; "" where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
