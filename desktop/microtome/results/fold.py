"""Fold a run's events into its state: live and replay are the same code."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from microtome.events import (
    BatchProgress,
    EpochEnded,
    Evaluated,
    Event,
    ImageSetReady,
    Note,
    Phase,
    Piloted,
    Ranked,
    Retrained,
    RunEnded,
    RunStarted,
    SpaceChanged,
    StateChanged,
    TrialEnded,
    TrialPaused,
    TrialStarted,
    WorkerEnded,
)
from microtome.training.metrics import best_epoch

#: Outcomes of a trial whose value counts.
COUNTED = ("done", "reused")
#: Outcomes of a trial that may still go on.
ONGOING = ("waiting", "running", "paused")


@dataclass
class TrialState:
    """One trial as its events tell it."""

    number: int
    parameters: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    # waiting | running | paused | done | pruned | cancelled | failed | crashed | lost | reused | dropped
    outcome: str = "waiting"
    worker: int = -1
    device: str = ""
    started: float = 0.0
    ended: float = 0.0
    epochs: list[EpochEnded] = field(default_factory=list)
    batch: BatchProgress | None = None
    value: float | None = None
    best_epoch: int | None = None
    message: str = ""
    reused_from: str = ""
    spans: list[tuple[int, float, float]] = field(default_factory=list)  # (worker, start, end): the timeline
    early: list[int] = field(default_factory=list)  # which of the spans were begun early
    evaluated: Evaluated | None = None
    pauses: int = 0  # how often it waited at a rung
    promotions: int = 0  # how often it went on from there
    speculative: bool = False  # begun early
    inherited: str = ""  # run/trial whose weights it began with
    costs: dict[str, float] = field(default_factory=dict)
    objective: str = "mean"  # what its value is: mean | worst | loss (minus it)

    @property
    def best(self) -> EpochEnded | None:
        """The epoch of the highest validation accuracy (among equals, of the lowest validation loss)."""
        return best_epoch(self.epochs)

    @property
    def seconds(self) -> float:
        """Time spent in workers."""
        return sum(end - start for _, start, end in self.spans if end >= start)


@dataclass
class RunState:
    """A run as its events tell it.

    state: waiting | running | pausing | paused | stopping | done | stopped | aborted | failed.
    """

    name: str = ""
    kind: str = ""
    classes: tuple[str, ...] = ()
    planned_trials: int = 0
    planned_epochs: int = 0
    workers: int = 1
    objective: str = "mean"
    state: str = "waiting"
    message: str = ""
    started: float = 0.0
    away: float = 0.0  # seconds between an end, or a death, and the resumption
    breaks: list[tuple[float, float]] = field(default_factory=list)  # from, to: paused, or without a driver; inf: still
    updated: float = 0.0
    ended: float | None = None
    phase: Phase | None = None
    image_set: ImageSetReady | None = None
    trials: dict[int, TrialState] = field(default_factory=dict)
    best_trial: int | None = None
    evaluated: Evaluated | None = None
    notes: list[Note] = field(default_factory=list)
    worker_ends: list[WorkerEnded] = field(default_factory=list)
    spaces: list[SpaceChanged] = field(default_factory=list)
    retrained: list[Retrained] = field(default_factory=list)
    ranked: Ranked | None = None
    piloted: Piloted | None = None
    version: int = 0  # grows with every event: a cheap "did anything change"

    @property
    def finished(self) -> bool:
        """True after the run's end, until it is resumed."""
        return self.state in ("done", "stopped", "aborted", "failed")

    @property
    def took(self) -> float:
        """Seconds in which a driver worked on it, till its end or its latest event."""
        return max(0.0, (self.ended or self.updated) - self.started - self.away)

    @property
    def best(self) -> TrialState | None:
        """The trial with the highest value so far."""
        return self.trials.get(self.best_trial) if self.best_trial is not None else None

    def ended_trials(self) -> list[TrialState]:
        """Trials that have ended, in the order of their ends."""
        ended = [t for t in self.trials.values() if t.outcome not in ONGOING]
        return sorted(ended, key=lambda t: t.ended)

    def running_trials(self) -> list[TrialState]:
        """Trials in a worker now."""
        return [t for t in self.trials.values() if t.outcome == "running"]

    def staircase(self) -> list[tuple[int, float, float]]:
        """(trials ended, seconds since start, best value so far) at every trial that counts."""
        steps: list[tuple[int, float, float]] = []
        best = float("-inf")
        for count, trial in enumerate(self.ended_trials(), start=1):
            if trial.value is not None and trial.outcome in COUNTED:
                best = max(best, trial.value)
                steps.append((count, trial.ended - self.started, best))
        return steps

    def fraction(self) -> float:
        """How much of the planned work is done, 0 … 1."""
        if self.finished and self.state == "done":
            return 1.0
        total = self.planned_trials * self.planned_epochs
        if not self.trials or total == 0:
            return min(1.0, self.phase.done / self.phase.total) if self.phase and self.phase.total else 0.0
        done = 0.0
        for trial in self.trials.values():
            if trial.outcome not in ONGOING:
                done += self.planned_epochs
            else:
                done += min(len(trial.epochs), self.planned_epochs)
                if trial.batch is not None and trial.batch.total and trial.batch.epoch >= len(trial.epochs):
                    done += trial.batch.done / trial.batch.total
        return min(1.0, done / total)


def fold(state: RunState, event: Event) -> RunState:
    """Apply one event; the same state object is returned, changed."""
    state.version += 1
    match event:
        case RunStarted():
            _run_started(state, event)
        case Phase():
            state.phase = event
        case ImageSetReady():
            state.image_set = event
        case TrialStarted():
            _trial_started(state, event)
        case BatchProgress():
            _trial(state, event.trial).batch = event
        case EpochEnded():
            trial = _trial(state, event.trial)
            # An epoch that is trained again after a crash replaces the lost one, and all that followed it.
            del trial.epochs[event.epoch :]
            trial.epochs.append(event)
        case TrialEnded():
            _trial_ended(state, event)
        case TrialPaused():
            _trial_paused(state, event)
        case Evaluated():
            state.evaluated = _trial(state, event.trial).evaluated = event
        case Note():
            state.notes.append(event)
        case StateChanged():
            _state_changed(state, event)
        case WorkerEnded():
            state.worker_ends.append(event)
        case SpaceChanged():
            state.spaces.append(event)
        case Retrained():
            state.retrained.append(event)
        case Ranked():
            state.ranked = event
        case Piloted():
            state.piloted = event
        case RunEnded():
            state.state, state.message, state.ended, state.phase = event.state, event.message, event.time, None
            if event.best_trial is not None:
                state.best_trial = event.best_trial
            for trial in state.running_trials():
                _close(trial, event.time)
                trial.outcome = "waiting" if event.state == "stopped" else "cancelled"
    state.updated = max(state.updated, event.time)
    return state


def fold_all(events: Iterable[Event]) -> RunState:
    """The state after all events."""
    state = RunState()
    for event in events:
        fold(state, event)
    return state


def _trial(state: RunState, number: int) -> TrialState:
    if number not in state.trials:
        state.trials[number] = TrialState(number, objective=state.objective)
    return state.trials[number]


def _close(trial: TrialState, when: float) -> None:
    if trial.spans and trial.spans[-1][2] < trial.spans[-1][1]:
        trial.spans[-1] = (*trial.spans[-1][:2], when)


def _run_started(state: RunState, event: RunStarted) -> None:
    for trial in state.running_trials():  # the earlier driver was killed
        _close(trial, state.updated)
        trial.outcome = "waiting"
    state.name, state.kind, state.classes = event.run, event.kind, event.classes
    state.planned_trials, state.planned_epochs, state.workers = event.trials, event.epochs, event.workers
    state.state, state.message, state.ended, state.objective = "running", "", None, event.objective
    if not event.resumed:
        state.started, state.away = event.time, 0.0
    else:
        state.away += max(0.0, event.time - state.updated)
        if not _end_break(state, event.time):  # one that was paused has rested since then
            state.breaks.append((state.updated, event.time))


def _end_break(state: RunState, when: float) -> bool:
    """End the break that lasts still; False where there is none."""
    if not state.breaks or state.breaks[-1][1] < math.inf:
        return False
    state.breaks[-1] = (state.breaks[-1][0], when)
    return True


def _state_changed(state: RunState, event: StateChanged) -> None:
    if event.state != "paused":
        _end_break(state, event.time)
    elif state.state != "paused":
        state.breaks.append((event.time, math.inf))
    state.state = event.state
    state.workers = event.workers if event.workers is not None else state.workers
    state.planned_trials = event.trials if event.trials is not None else state.planned_trials
    if event.state == "paused":
        for trial in state.running_trials():
            _close(trial, event.time)


def _trial_started(state: RunState, event: TrialStarted) -> None:
    trial = _trial(state, event.trial)
    trial.promotions += trial.outcome == "paused"
    trial.speculative, trial.inherited = event.speculative, event.inherited
    trial.parameters, trial.key, trial.worker, trial.device = event.parameters, event.key, event.worker, event.device
    trial.outcome, trial.started, trial.batch = "running", trial.started or event.time, None
    del trial.epochs[event.start_epoch :]
    _close(trial, event.time)  # its worker died
    trial.spans.append((event.worker, event.time, -1.0))
    if event.speculative:
        trial.early.append(len(trial.spans) - 1)


def _trial_paused(state: RunState, event: TrialPaused) -> None:
    trial = _trial(state, event.trial)
    _close(trial, event.time)
    trial.outcome, trial.batch = "paused", None
    trial.pauses += 1
    trial.value = event.value if event.value is not None else trial.value


def _trial_ended(state: RunState, event: TrialEnded) -> None:
    trial = _trial(state, event.trial)
    _close(trial, event.time)
    trial.outcome, trial.value, trial.message, trial.ended = event.outcome, event.value, event.message, event.time
    trial.best_epoch, trial.reused_from, trial.batch = event.best_epoch, event.reused_from, None
    trial.costs = dict(event.costs)
    if event.value is None or event.outcome not in COUNTED:
        return
    best = state.best
    if best is None or best.value is None or event.value > best.value:
        state.best_trial = event.trial
