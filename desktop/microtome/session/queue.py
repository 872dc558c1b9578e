"""The project's queue: runs that wait for their turn. Whoever sees one end, its driver or a window, starts the next."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.events import RunEnded, decode
from microtome.search.steer import SIGNALLED
from microtome.session.launch import launch
from microtome.session.limit import TimeLimit
from microtome.store.atomic import read_json, write_json
from microtome.store.locked import locked
from microtome.store.run import RunFolder, RunLock

FILE = "queue.json"
MOST_AT_ONCE = 64
_TAIL = 65536  # bytes of a journal in which its last event lies
Started = dict[str, subprocess.Popen[bytes]]


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """One run of the queue, and when it must have ended."""

    run: str
    limit: TimeLimit = field(default_factory=TimeLimit)


@dataclass(frozen=True, kw_only=True)
class _State:
    """What queue.json holds. `starting`: run → (pid, when that process began) of drivers that have no lock yet."""

    waiting: tuple[Waiting, ...] = ()
    at_once: int = 1
    starting: dict[str, tuple[int, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Queue:
    """queue.json of a project. Every change is made under a lock and is on disk when the method returns."""

    project: Path

    @property
    def file(self) -> Path:
        """Where the queue lies; there is none before the first run was queued."""
        return self.project / FILE

    def waiting(self) -> list[Waiting]:
        """The runs that wait, the next one first."""
        return list(self._read().waiting)

    def at_once(self) -> int:
        """How many runs the queue keeps going at the same time."""
        return self._read().at_once

    def starting(self) -> frozenset[str]:
        """The runs whose drivers were started from here, live, and have not taken their locks yet (they import for seconds)."""
        if not self.file.exists():
            return frozenset()
        return frozenset(name for name, who in self._read().starting.items() if self._starts(name, *who))

    def set_at_once(self, count: int) -> None:
        """Let the queue keep `count` runs going; InputError where that is no sensible number."""
        if not 1 <= count <= MOST_AT_ONCE:
            raise InputError(f"The queue cannot run {count} at once.", f"Give a number from 1 to {MOST_AT_ONCE}.")
        with self._changing() as change:
            change(lambda state: replace(state, at_once=count))

    def add(self, run: RunFolder, limit: TimeLimit | None = None) -> None:
        """Put a run at the end; InputError where it waits already or is being driven."""
        if RunLock(run).holder() is not None:
            raise InputError(f"{run.name} is running already.", "Stop it first.")
        entry = Waiting(run=run.name, limit=limit or TimeLimit())
        with self._changing() as change:
            if any(w.run == run.name for w in self.waiting()):
                raise InputError(f"{run.name} is in the queue already.", "Move it there, or take it out first.")
            change(lambda state: replace(state, waiting=(*state.waiting, entry)))

    def move(self, name: str, place: int) -> None:
        """Put a waiting run at a place (0: the next one); one that no longer waits is left alone."""
        with self._changing() as change:
            waiting = self.waiting()
            mine = [w for w in waiting if w.run == name]
            rest = [w for w in waiting if w.run != name]
            place = max(0, min(place, len(rest)))
            change(lambda state: replace(state, waiting=(*rest[:place], *mine, *rest[place:])))

    def remove(self, name: str) -> None:
        """Take a run out of the queue; the folder of one that never began goes too, since it holds nothing but settings."""
        with self._changing() as change:
            known = any(w.run == name for w in self.waiting())
            change(lambda state: replace(state, waiting=tuple(w for w in state.waiting if w.run != name)))
            run = RunFolder(self.project / "runs" / name)
            if known and not run.events.exists() and RunLock(run).holder() is None:
                shutil.rmtree(run.path, ignore_errors=True)

    def drop(self, name: str) -> None:
        """Take a run out of the queue and leave its folder alone: it was begun in another way."""
        with self._changing() as change:
            change(lambda state: replace(state, waiting=tuple(w for w in state.waiting if w.run != name)))

    def advance(
        self, start: Callable[[RunFolder], subprocess.Popen[bytes]] = launch, *, begun_elsewhere: Iterable[str] = ()
    ) -> Started:
        """Start waiting runs while fewer than `at_once` are driven; returns run → its driver's process.

        `begun_elsewhere`: runs whose drivers the caller started outside the queue; they take their locks seconds later.

        What is killed in between loses nothing: a run leaves the queue only after its driver was started, and the driver of a
        run that is driven already ends at once.
        """
        if not self.file.exists():
            return {}
        begun: Started = {}
        with self._changing() as change:
            state = self._read()
            starting = {name: who for name, who in state.starting.items() if self._starts(name, *who)}
            driven = {path.parent.name for path in self.project.glob("runs/*/lock") if _driven(path.parent)} | set(starting)
            driven |= {name for name in begun_elsewhere if (self.project / "runs" / name).is_dir()}
            waiting = [
                w for w in state.waiting if w.run not in driven and (self.project / "runs" / w.run / "run.json").is_file()
            ]
            while waiting and len(driven) < state.at_once:
                entry = waiting.pop(0)
                run = RunFolder(self.project / "runs" / entry.run)
                if entry.limit:
                    run.order("until", **entry.limit.to_json())
                process = begun[entry.run] = start(run)
                starting[entry.run] = (process.pid, _begin_of(process.pid))
                driven.add(entry.run)
            after = replace(state, waiting=tuple(waiting), starting=starting)
            if after != state:
                change(lambda _: after)
        return begun

    # --- the file

    def _read(self) -> _State:
        if not self.file.exists():
            return _State()
        data = read_json(self.file)
        try:
            waiting = tuple(
                Waiting(run=str(item["run"]), limit=TimeLimit.from_json(item.get("limit", {})))
                for item in data.get("waiting", [])
            )
            starting = {str(name): (int(pid), float(since)) for name, (pid, since) in data.get("starting", {}).items()}
            return _State(waiting=waiting, at_once=int(data.get("at_once", 1)), starting=starting)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileError(
                f"{self.file} is damaged: {error!r}.", "Delete it: the runs stay, only their order goes."
            ) from error

    @contextmanager
    def _changing(self) -> Iterator[Callable[[Callable[[_State], _State]], None]]:
        def change(make: Callable[[_State], _State]) -> None:
            state = make(self._read())
            data: dict[str, Any] = {
                "waiting": [{"run": w.run, "limit": w.limit.to_json()} for w in state.waiting],
                "at_once": state.at_once,
                "starting": {name: list(who) for name, who in state.starting.items()},
            }
            write_json(self.file, data)

        with locked(self.project / ".cache" / "queue.lock"):
            yield change

    def _starts(self, name: str, pid: int, since: float) -> bool:
        """Whether a driver that was started lives and has not taken its run's lock yet."""
        return not _driven(self.project / "runs" / name) and since > 0 and abs(_begin_of(pid) - since) < 2


def _driven(run: Path) -> bool:
    return RunLock(RunFolder(run)).holder() is not None


def _begin_of(pid: int) -> float:
    """When a living process began (s since the epoch); 0 where it is gone."""
    try:
        process = psutil.Process(pid)
        return 0.0 if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return 0.0


def go_on(run: RunFolder) -> None:
    """What a driver does when its run has ended: start the next of the queue, unless the system asked it to end.

    A queue that cannot be read must not spoil the run's own end: it is told where the queue is shown.
    """
    if _was_signalled(run):
        return
    try:
        Queue(run.path.parent.parent).advance()
    except MicrotomeError:
        return


def _was_signalled(run: RunFolder) -> bool:
    try:
        with open(run.events, "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL))
            lines = file.read().splitlines()
        last = decode(lines[-1]) if lines else None
    except (OSError, InputError):
        return False
    return isinstance(last, RunEnded) and last.message == SIGNALLED
