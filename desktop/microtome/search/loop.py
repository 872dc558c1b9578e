"""Ask, submit, collect, tell: trials run side by side, and none waits for a generation to be complete."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from microtome.jobs.runner import Ended, Outcome, Report, Runner, Task, WorkerDied
from microtome.search.engine import Engine, Value
from microtome.search.stopping.schedule import Leg, Scheduler

_ELSEWHERE = 8  # trials that other runs train, after which nothing new is asked for
_EVERY = 1.0  # seconds between two looks whether they have ended


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A trial that was asked for: its number (1, 2, …), its point, how often it was begun, and how far it is to go now."""

    number: int
    parameters: dict[str, Any]
    attempt: int = 1
    deaths: int = 0  # of its workers in a row, without an epoch between them
    until: int = 0  # epochs from its beginning, after which it waits; 0: to its end
    speculative: bool = False  # begun early, by a worker that had nothing else to do
    own: bool = False  # the user's own, which the engine has not proposed


@dataclass(frozen=True)
class Answer:
    """The trial has ended (value None: it has failed)."""

    value: Value


@dataclass(frozen=True)
class Rest:
    """The trial has stopped with its checkpoint and may go on; the engine is told `value` of it, nothing where that is None."""

    value: Value


@dataclass(frozen=True)
class Follow:
    """The same is being trained just now, by the trial of this number."""

    trial: int


@dataclass(frozen=True)
class Elsewhere:
    """The same is being trained just now, by another run: it is asked for again in a while."""


@dataclass(frozen=True)
class Again:
    """Try the trial once more: its worker died, and with it so many in a row."""

    deaths: int


@dataclass(frozen=True)
class Later:
    """The trial was interrupted; it goes on from its checkpoint when there is time for it."""


class Owner(Protocol):
    """Whose trials they are: makes tasks of points, keeps the records, tells the scheduler, says what an end is worth."""

    def prepare(self, entry: Entry) -> Task | Answer | Rest | Follow | Elsewhere:
        """What to do for a trial; the task's id must be the trial's number."""
        ...

    def room(self, running: int) -> bool:
        """False where the memory has no room for one more trial beside those that run."""
        ...

    def started(self, entry: Entry, worker: int) -> None:
        """The trial was given to a worker."""
        ...

    def reported(self, report: Report) -> None:
        """A trial said something."""
        ...

    def ended(self, entry: Entry, outcome: Outcome, worker: int) -> Answer | Rest | Again | Later:
        """A trial ended in a worker."""
        ...

    def closed(self, entry: Entry) -> None:
        """The search is over, and the trial waits in vain."""
        ...

    def worker_died(self, message: WorkerDied) -> None:
        """A worker died without a trial."""
        ...


class Loop:
    """The trials of one search (a training is a search of one)."""

    def __init__(
        self,
        engine: Engine,
        runner: Runner,
        owner: Owner,
        *,
        budget: int,
        scheduler: Scheduler | None = None,
        speculate: bool = False,
    ) -> None:
        self.budget = budget
        self.asked = 0
        self.accepting = True  # False: nothing new is started
        self.running: dict[int, Entry] = {}
        self.queue: deque[Entry] = deque()  # begun before, to go on first
        self.own: deque[dict[str, Any]] = deque()  # points of the user's own, to be begun before all else
        self.exhausted = False  # whether the engine has nothing more to propose
        self.waiting: dict[int, Entry] = {}  # with a checkpoint, until the scheduler lets them go on
        self._engine = engine
        self._runner = runner
        self._owner = owner
        self._scheduler = scheduler or Scheduler()
        self._speculate = speculate
        self._leaving: set[int] = set()  # speculative trials that were asked to make room
        self._children: set[int] = set()  # trials that were proposed early, beyond the budget
        self._elsewhere: list[Entry] = []  # trained by other runs just now
        self._asked_again = 0.0  # when they were looked for, by the monotonic clock
        self._following: dict[int, list[Entry]] = {}  # leader → its twins

    @property
    def finished(self) -> bool:
        """True when nothing runs and nothing is left to start."""
        if self.running or self._elsewhere or self._work_left():
            return False
        return not any(self._following.values()) and self._scheduler.last() is None

    def fill(self) -> None:
        """Start trials while there are idle slots."""
        self._confirm()
        self._ask_again()
        while self.accepting and self._runner.idle > 0:
            if not self._owner.room(len(self.running)):
                return
            entry = self._next() or self._early()
            if entry is None:
                break
            self._begin(entry)
        self._make_room()

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

    def interrupt(self, *, early: bool = False) -> None:
        """Ask every running trial to stop at its next batch (`early`: only the speculations); they go on later."""
        for number, entry in self.running.items():
            if entry.speculative or not early:
                self._runner.cancel(number, "pause")

    def restore(self, entries: Iterable[tuple[Entry, bool]]) -> None:
        """Take up the trials of an earlier driver that have not ended: True beside those that wait for the scheduler."""
        for entry, waits in entries:
            if entry.speculative and entry.number > self.budget:
                self._children.add(entry.number)
            if waits:
                self.waiting[entry.number] = entry
            else:
                self.queue.append(entry)

    def close(self) -> None:
        """The search is over: say so of every trial that waits."""
        for number in sorted(self.waiting):
            self._owner.closed(self.waiting.pop(number))

    # --- what comes next

    def _may_ask(self) -> bool:
        """False where the engine repeats itself, or asks for what other runs train: it would only spend its budget.

        Twins take no slot, so they are limited by their number. What was asked for before is begun in any case, since it may
        be what they wait for.
        """
        twins = sum(len(entries) for entries in self._following.values())
        return twins <= len(self.running) and len(self._elsewhere) < _ELSEWHERE

    def _ask_again(self) -> None:
        now = time.monotonic()
        if self._elsewhere and now - self._asked_again >= _EVERY:
            self._asked_again = now
            self.queue.extend(self._elsewhere)
            self._elsewhere = []

    def _work_left(self) -> bool:
        """True where a trial could be started that is not a speculation."""
        if self.own or self.queue or self._scheduler.next() is not None:
            return True
        return not self.exhausted and self.asked < self.budget

    def _next(self) -> Entry | None:
        if self.own:
            self.asked += 1
            return Entry(number=self.asked, parameters=self.own.popleft(), until=self._scheduler.first(self.asked), own=True)
        if self.queue:
            return self.queue.popleft()
        leg = self._scheduler.next()
        if leg is not None:
            return self._go_on(leg)
        if self.asked < self.budget and self._may_ask():
            entry = self._ask()
            if entry is not None:
                return entry
        serious = self._work_left() or any(not e.speculative for e in self.running.values())
        leg = None if serious or self._leaving else self._scheduler.last()
        return None if leg is None else self._go_on(leg)

    def _ask(self, *, early: bool = False) -> Entry | None:
        parameters = None if self.exhausted else self._engine.ask()
        if parameters is None:
            self.exhausted = True
            return None
        self.asked += 1
        if early:
            self._children.add(self.asked)
        return Entry(number=self.asked, parameters=parameters, until=self._scheduler.first(self.asked), speculative=early)

    def _go_on(self, leg: Leg, *, early: bool = False) -> Entry:
        entry = self.waiting.pop(leg.trial)
        return replace(entry, attempt=entry.attempt + 1, until=leg.until, speculative=early)

    # --- speculation: trials that are begun before it is known that they are wanted

    def _early(self) -> Entry | None:
        """While the last trials run: the waiting one that will most likely go on, else one beyond the budget."""
        if not self._speculate or not any(not e.speculative for e in self.running.values()):
            return None
        leg = self._scheduler.likely()
        if leg is not None:
            return self._go_on(leg, early=True)
        if self.asked - self.budget >= len(self.running) or not self._may_ask():
            return None  # there are as many children already as trials whose ends are awaited
        return self._ask(early=True)

    def _confirm(self) -> None:
        """What was begun early and is wanted now is no speculation any more."""
        for number, entry in list(self.running.items()):
            within = number <= self.budget if number in self._children else self._scheduler.wanted(number)
            if entry.speculative and within:
                self.running[number] = replace(entry, speculative=False)

    def _make_room(self) -> None:
        """Speculations give way to real work; when all of that is done, those end which do not lead."""
        early = [n for n, e in self.running.items() if e.speculative and n not in self._leaving]
        if not early:
            return
        if self.accepting and self._work_left():
            leaving = early[-1:] if not self._leaving else []
        elif len(self.running) == len(early) + len(self._leaving):
            leaving = [n for n in early if not self._scheduler.leads(n)]
        else:
            return
        for number in leaving:
            self._leaving.add(number)
            self._runner.cancel(number, "pause")

    # --- beginnings and ends

    def _begin(self, entry: Entry) -> None:
        match self._owner.prepare(entry):
            case Answer() | Rest() as answer:
                self._take(entry, answer)
                self.queue.extendleft(reversed(self._following.pop(entry.number, [])))
            case Follow(trial=leader):
                self._following.setdefault(leader, []).append(entry)
            case Elsewhere():
                self._elsewhere.append(entry)
            case task:
                worker = self._runner.submit(task)
                self.running[entry.number] = entry
                self._owner.started(entry, worker)

    def _end(self, entry: Entry, message: Ended) -> None:
        self._leaving.discard(entry.number)
        match self._owner.ended(entry, message.outcome, message.worker):
            case Answer() | Rest() as answer:
                self._take(entry, answer)
            case Again(deaths=deaths):
                self.queue.appendleft(replace(entry, attempt=entry.attempt + 1, deaths=deaths))
            case Later():
                self.queue.append(replace(entry, attempt=entry.attempt + 1, deaths=0))
        self.queue.extendleft(reversed(self._following.pop(entry.number, [])))

    def _take(self, entry: Entry, answer: Answer | Rest) -> None:
        if isinstance(answer, Rest):
            self.waiting[entry.number] = replace(entry, deaths=0)  # its worker came to an end in good order
            if answer.value is None:
                return
        self._engine.tell(entry.parameters, answer.value)
