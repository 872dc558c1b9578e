"""Workers in virtual time: trials are given curves, epochs take given times, workers die when they are told to."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from microtome.jobs.runner import (
    Cancelled,
    Crashed,
    Done,
    Ended,
    How,
    Message,
    Outcome,
    Paused,
    Pruned,
    Report,
    Task,
    WorkerDied,
)
from microtome.search.loop import Again, Answer, Entry, Follow, Later, Rest
from microtome.search.stopping.schedule import Scheduler


@dataclass
class Slot:
    """A worker's trial: how many epochs it has, how it is to end."""

    trial: int
    until: int
    order: str = ""


@dataclass
class World:
    """A runner and an owner in one: what runs, what is saved, what has been trained how often."""

    scheduler: Scheduler
    curves: dict[int, list[float]]  # trial → value after each epoch
    workers: int = 2
    deaths: float = 0.0  # chance of a worker's death in an epoch
    seed: int = 0
    clock: float = 0.0
    saved: Counter[int] = field(default_factory=Counter)  # trial → epochs in its checkpoint
    trained: Counter[tuple[int, int]] = field(default_factory=Counter)
    outcomes: dict[int, str] = field(default_factory=dict)
    log: list[tuple[Any, ...]] = field(default_factory=list)  # what the scheduler was told
    busy: float = 0.0  # seconds of workers in epochs
    slots: dict[int, Slot] = field(default_factory=dict)
    due: list[tuple[float, int, int]] = field(default_factory=list)  # (when, tie, trial): the end of an epoch
    early: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    # --- a runner

    @property
    def idle(self) -> int:
        return self.workers - len(self.slots)

    def submit(self, task: Task) -> int:
        self.slots[task.id] = Slot(task.id, task.arguments["until"])
        self._next_epoch(task.id)
        return 1

    def _next_epoch(self, trial: int) -> None:
        seconds = self.rng.choice((1.0, 1.0, 1.0, 20.0))  # some straggle
        self.busy += seconds
        heapq.heappush(self.due, (self.clock + seconds, self.rng.randrange(1 << 30), trial))

    def poll(self, timeout: float) -> list[Message]:
        if not self.due:
            return []
        self.clock, _, trial = heapq.heappop(self.due)
        slot = self.slots[trial]
        if slot.order:
            return [self._end(trial, Cancelled() if slot.order == "pause" else Pruned())]
        if self.rng.random() < self.deaths:
            return [self._end(trial, Crashed(9))]
        epoch = self.saved[trial]
        self.trained[trial, epoch] += 1
        self.saved[trial] += 1
        messages: list[Message] = [Report(trial, (epoch, self.curves[trial][epoch]))]
        if self.saved[trial] == len(self.curves[trial]):
            messages.append(self._end(trial, Done(self.curves[trial][-1])))
        elif self.saved[trial] == slot.until:
            messages.append(self._end(trial, Paused()))
        elif self.rng.random() < self.deaths:
            messages.append(self._end(trial, Crashed(9)))
        else:
            self._next_epoch(trial)
        return messages

    def _end(self, trial: int, outcome: Outcome) -> Ended:
        del self.slots[trial]
        return Ended(trial, outcome, 1)

    def cancel(self, task: int, how: How) -> None:
        self.slots[task].order = how

    def resize(self, workers: int) -> None:
        self.workers = workers

    def close(self) -> None:
        """Nothing is to be closed."""

    # --- an owner

    def tell(self, name: str, *arguments: Any) -> Any:
        self.log.append((name, *arguments))
        return getattr(self.scheduler, name)(*arguments)

    def prepare(self, entry: Entry) -> Task | Answer | Rest | Follow:
        return Task(id=entry.number, function="none:none", arguments={"until": entry.until})

    def room(self, running: int) -> bool:
        return True

    def started(self, entry: Entry, worker: int) -> None:
        self.outcomes[entry.number] = "running"
        if entry.speculative:
            self.early.add(entry.number)
        self.tell("started", entry.number, entry.until)

    def reported(self, report: Report) -> None:
        epoch, value = report.event
        if self.tell("observe", report.task, epoch, value) == "stop" and report.task in self.slots:
            self.cancel(report.task, "prune")

    def ended(self, entry: Entry, outcome: Outcome, worker: int) -> Answer | Rest | Again | Later:
        match outcome:
            case Done(result=value):
                self.outcomes[entry.number] = "done"
                self.tell("ended", entry.number, value)
                return Answer(value)
            case Crashed():
                return Again(0)
            case _:
                self.outcomes[entry.number] = "resting"
                self.tell("rests", entry.number)
                return Rest(self.scheduler.worth(entry.number))

    def closed(self, entry: Entry) -> None:
        self.outcomes[entry.number] = "dropped" if entry.speculative else "pruned"

    def worker_died(self, message: WorkerDied) -> None:
        """Nobody dies between trials here."""
