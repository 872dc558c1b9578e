"""Ask, submit, collect, tell: trials run side by side, and none waits for a generation to be complete."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Protocol

from microtome.jobs.runner import Ended, Outcome, Report, Runner, Task, WorkerDied
from microtome.search.engine import Engine


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A trial that was asked for: its number (1, 2, …), its point, and how often it was begun."""

    number: int
    parameters: dict[str, Any]
    attempt: int = 1


@dataclass(frozen=True)
class Answer:
    """The value is known without training (None: the trial has failed)."""

    value: float | None


@dataclass(frozen=True)
class Follow:
    """The same is being trained just now, by the trial of this number."""

    trial: int


@dataclass(frozen=True)
class Again:
    """Try the trial once more: its worker died."""


@dataclass(frozen=True)
class Later:
    """The trial was interrupted; it goes on from its checkpoint when there is time for it."""


class Owner(Protocol):
    """Whose trials they are: makes tasks of points, keeps the records, says what an end is worth."""

    def prepare(self, entry: Entry) -> Task | Answer | Follow:
        """What to do for a trial; the task's id must be the trial's number."""
        ...

    def started(self, entry: Entry, worker: int) -> None:
        """The trial was given to a worker."""
        ...

    def reported(self, report: Report) -> None:
        """A trial said something."""
        ...

    def ended(self, entry: Entry, outcome: Outcome, worker: int) -> Answer | Again | Later:
        """A trial ended in a worker."""
        ...

    def worker_died(self, message: WorkerDied) -> None:
        """A worker died without a trial."""
        ...


class Loop:
    """The trials of one search (a training is a search of one)."""

    def __init__(self, engine: Engine, runner: Runner, owner: Owner, *, budget: int) -> None:
        self.budget = budget
        self.asked = 0
        self.accepting = True  # False: nothing new is started
        self.running: dict[int, Entry] = {}
        self.queue: deque[Entry] = deque()  # begun before, to go on first
        self._engine = engine
        self._runner = runner
        self._owner = owner
        self._following: dict[int, list[Entry]] = {}  # leader → its twins
        self._exhausted = False

    @property
    def finished(self) -> bool:
        """True when nothing runs and nothing is left to start."""
        waiting = self.queue or any(self._following.values())
        return not self.running and not waiting and (self._exhausted or self.asked >= self.budget)

    def fill(self) -> None:
        """Start trials while there are idle slots."""
        # Twins take no slot, so they are limited by their number: an engine that repeats itself must not spend its budget.
        while self.accepting and self._runner.idle > 0 and self._twins() <= len(self.running):
            entry = self._next()
            if entry is None:
                return
            self._begin(entry)

    def collect(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for what the workers say, and act on all of it."""
        for message in self._runner.poll(timeout):
            match message:
                case Report():
                    self._owner.reported(message)
                case Ended() if message.task in self.running:
                    self._end(self.running.pop(message.task), message)
                case WorkerDied():
                    self._owner.worker_died(message)

    def interrupt(self) -> None:
        """Ask every running trial to stop at its next batch; they go on later."""
        for number in self.running:
            self._runner.cancel(number, "pause")

    def _twins(self) -> int:
        return sum(len(entries) for entries in self._following.values())

    def _next(self) -> Entry | None:
        if self.queue:
            return self.queue.popleft()
        if self._exhausted or self.asked >= self.budget:
            return None
        parameters = self._engine.ask()
        if parameters is None:
            self._exhausted = True
            return None
        self.asked += 1
        return Entry(number=self.asked, parameters=parameters)

    def _begin(self, entry: Entry) -> None:
        match self._owner.prepare(entry):
            case Answer(value=value):
                self._engine.tell(entry.parameters, value)
            case Follow(trial=leader):
                self._following.setdefault(leader, []).append(entry)
            case task:
                worker = self._runner.submit(task)
                self.running[entry.number] = entry
                self._owner.started(entry, worker)

    def _end(self, entry: Entry, message: Ended) -> None:
        match self._owner.ended(entry, message.outcome, message.worker):
            case Answer(value=value):
                self._engine.tell(entry.parameters, value)
            case Again():
                self.queue.appendleft(replace(entry, attempt=entry.attempt + 1))
            case Later():
                self.queue.append(entry)
        self.queue.extendleft(reversed(self._following.pop(entry.number, [])))
