"""Early stopping as a schedule: how far a trial trains before it waits, which one goes on, which one has fallen behind."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from microtome.events import EpochEnded, Event, TrialEnded, TrialPaused, TrialStarted

Verdict = Literal["go on", "stop", "pause"]
"""What becomes of a trial after an epoch: "stop" where it has fallen behind, "pause" where it waits for the others."""
FINISHED = ("done", "reused")
"""Outcomes of a trial that has come to its end."""


@dataclass(frozen=True)
class Leg:
    """The next part of a trial: it goes on until so many epochs from its beginning; 0: to its end."""

    trial: int
    until: int


class Scheduler:
    """The contract of early stopping, and the schedule that has none: every trial trains to its end.

    It is told all that happens to trials, in its order, and nothing else determines what it answers: told the same again, as
    a journal does, it is where it was. Values are to be maximised; a trial's value is the best of its epochs so far. A rule
    that judges running trials overrides `_behind`; one that lets trials wait overrides `first` and `next`.
    """

    def __init__(self, max_epochs: int | None = None) -> None:
        self.max_epochs = max_epochs
        self.curves: dict[int, list[float]] = {}  # trial → best value so far, after each epoch
        self.waiting: set[int] = set()  # trials that could go on: paused, or stopped
        self._until: dict[int, int] = {}  # of the running
        self.stopped: set[int] = set()  # trials that have fallen behind
        self._final: set[int] = set()  # to be trained to their ends, whatever the rule says
        self._done: dict[int, float] = {}  # trial → its final value

    # --- what happens

    def started(self, trial: int, until: int = 0) -> None:
        """The trial is begun or goes on, until so many epochs (0: to its end)."""
        if trial in self.waiting:
            self.waiting.remove(trial)
            self.stopped.discard(trial)
            if until == 0:
                self._final.add(trial)
        self._until[trial] = until

    def observe(self, trial: int, epoch: int, value: float) -> Verdict:
        """Take the value after an epoch (0, 1, …). An epoch that is told again changes nothing."""
        curve, epochs = self.curves.setdefault(trial, []), epoch + 1
        if epochs > len(curve):
            best = max(curve[-1] if curve else -math.inf, value if math.isfinite(value) else -math.inf)
            curve.extend([best] * (epochs - len(curve)))
            ending = self.max_epochs is not None and epochs >= self.max_epochs
            if self._behind(trial, epochs, value) and not ending and trial not in self._final:
                self.stopped.add(trial)
        if trial in self.stopped:
            return "stop"
        return "pause" if 0 < self._until.get(trial, 0) <= epochs else "go on"

    def rests(self, trial: int) -> None:
        """The trial has stopped with its checkpoint, paused or fallen behind."""
        self._until.pop(trial, None)
        self.waiting.add(trial)

    def ended(self, trial: int, value: float | None) -> None:
        """Nothing of the trial is left to do; None: it has failed."""
        self._until.pop(trial, None)
        self.waiting.discard(trial)
        if value is not None:
            self._done[trial] = self.curves[trial][-1] if self.curves.get(trial) else value

    # --- what is to be done

    def first(self, trial: int) -> int:
        """Epochs of a new trial (1, 2, …) before it waits; 0: to its end."""
        return 0

    def next(self) -> Leg | None:
        """The waiting trial that is to go on now."""
        return None

    def last(self) -> Leg | None:
        """Nothing else is to be done: the waiting trial that is better than every finished one, to be trained to its end."""
        leader = max((t for t in self.waiting if self.curves.get(t)), key=lambda t: (self.curves[t][-1], -t), default=None)
        if leader is None or self.curves[leader][-1] <= max(self._done.values(), default=-math.inf):
            return None
        return Leg(leader, 0)

    def likely(self) -> Leg | None:
        """The waiting trial that will most likely be let go on, for a worker that has nothing else to do."""
        best = max(self.waiting - self.stopped, key=lambda t: (self._rank(t), -t), default=None)
        return None if best is None else Leg(best, self._after(best))

    def wanted(self, trial: int) -> bool:
        """True where a running trial that went on early would be let go on now."""
        return False

    def leads(self, trial: int) -> bool:
        """True where the trial is at least as good as every finished one was after as many epochs."""
        curve = self.curves.get(trial)
        if not curve:
            return False
        others = [c for t in self._done if (c := self.curves.get(t))]
        return all(curve[-1] >= other[min(len(curve), len(other)) - 1] for other in others)

    def worth(self, trial: int) -> float | None:
        """What an engine, which knows nothing of early stopping, is told of a trial that rests (decision 0012)."""
        curve = self.curves.get(trial)
        return curve[-1] if curve and math.isfinite(curve[-1]) else None

    # --- for rules

    def _behind(self, trial: int, epochs: int, value: float) -> bool:
        """True where a trial should stop after so many epochs; called once for each."""
        return False

    def _after(self, trial: int) -> int:
        """Where a waiting trial would wait next."""
        return 0

    def _rank(self, trial: int) -> tuple[int, float]:
        curve = self.curves.get(trial)
        return (len(curve), curve[-1]) if curve else (0, -math.inf)


def follow(scheduler: Scheduler, event: Event, value: float | None = None) -> Verdict:
    """Tell a scheduler an event of a run, live or from the journal; `value` is what an EpochEnded is worth."""
    match event:
        case TrialStarted():
            scheduler.started(event.trial, event.until)
        case EpochEnded() if value is not None:
            return scheduler.observe(event.trial, event.epoch, value)
        case TrialPaused():
            scheduler.rests(event.trial)
        case TrialEnded(outcome="pruned" | "dropped") if not event.reused_from:
            scheduler.rests(event.trial)
        case TrialEnded() if event.outcome != "cancelled":
            scheduler.ended(event.trial, event.value if event.outcome in FINISHED else None)
    return "go on"
