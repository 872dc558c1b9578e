"""`mt.search`: any function of parameters, in this process or in workers, maximised by any engine."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any

from microtome.errors import InputError
from microtome.jobs.inline import InlineRunner
from microtome.jobs.local import LocalRunner
from microtome.jobs.runner import (
    Crashed,
    Done,
    Failed,
    Lost,
    Outcome,
    Paused,
    Pruned,
    Report,
    Runner,
    Task,
    WorkerDied,
    cores,
    resolve,
)
from microtome.plugin import Part, Space
from microtome.search.engine import make_engine
from microtome.search.loop import Again, Answer, Entry, Follow, Later, Loop, Rest
from microtome.search.space import space_from_table
from microtome.search.stopping.rules import make_scheduler
from microtome.search.stopping.schedule import Scheduler
from microtome.search.workers.deaths import ATTEMPTS, in_a_row

Objective = Callable[..., float]
_WORDS = {"go on": "", "stop": "prune", "pause": "pause"}
_ENDS = {"prune": "pruned", "pause": "paused"}  # what an objective was told → how it ended


@dataclass
class Trial:
    """One call of the objective."""

    number: int
    parameters: dict[str, Any]
    values: dict[int, float] = field(default_factory=dict)  # epoch → value reported
    outcome: str = "running"  # done | pruned | failed | crashed | lost
    value: float | None = None  # what was returned, to be maximised
    message: str = ""  # why it failed
    start: int = 0  # epochs that it had when it was stopped last


@dataclass(frozen=True)
class SearchResult:
    """All trials in the order in which they were proposed; `best` is None where none succeeded."""

    trials: list[Trial]

    @property
    def best(self) -> Trial | None:
        """The trial of the highest value, the earliest of equals; a pruned one only where none was finished."""
        valued = [t for t in self.trials if t.value is not None]
        return max(valued, key=lambda t: (t.outcome == "done", t.value, -t.number), default=None)


class Reporter:
    """What an objective gets as `report`: report(epoch, value) → True when the trial should stop now.

    `trial` is the trial's number, `start` its first epoch to train: 0, or where it goes on from a checkpoint that the
    objective itself has kept when it was stopped there.
    """

    def __init__(self, channel: Any, *, trial: int = 0, start: int = 0) -> None:
        self.trial = trial
        self.start = start
        self.stopped = ""  # how it was told to end
        self._channel = channel

    def __call__(self, epoch: int, value: float) -> bool:
        """Report the value after an epoch (0, 1, …)."""
        self.stopped = self.stopped or self._channel.ask((int(epoch), float(value)))
        return bool(self.stopped)


def call_objective(
    report: Any,
    should_stop: Callable[[], str],
    *,
    objective: str | Objective,
    parameters: dict[str, Any],
    trial: int = 0,
    start: int = 0,
) -> dict[str, Any]:
    """One trial, or the next part of it, in whatever process; returns its value and how it ended."""
    function = resolve(objective) if isinstance(objective, str) else objective
    reporter = Reporter(report, trial=trial, start=start)
    value = function(dict(parameters), reporter)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return {"outcome": "failed", "message": f"The objective returned {value!r}, which is not a number."}
    if not math.isfinite(number):
        return {"outcome": "failed", "message": f"The objective returned {number}."}
    return {"outcome": _ENDS.get(reporter.stopped, "done"), "value": number}


class _Owner:
    """Keeps the trials of one search."""

    def __init__(self, objective: str | Objective, scheduler: Scheduler) -> None:
        self._objective = objective
        self._scheduler = scheduler
        self.trials: dict[int, Trial] = {}

    def judge(self, report: Report) -> str:
        """Answer an epoch's report."""
        epoch, value = report.event
        self.trials[report.task].values[epoch] = value
        return _WORDS[self._scheduler.observe(report.task, epoch, value)]

    def prepare(self, entry: Entry) -> Task | Answer | Rest | Follow:
        """Every point is a call."""
        trial = self.trials.setdefault(entry.number, Trial(entry.number, entry.parameters))
        trial.outcome = "running"
        arguments = {"objective": self._objective, "parameters": entry.parameters, "trial": entry.number, "start": trial.start}
        function = "microtome.search.optimise:call_objective"
        return Task(id=entry.number, function=function, arguments=arguments)

    def room(self, running: int) -> bool:
        """An objective's memory is its own business."""
        return True

    def started(self, entry: Entry, worker: int) -> None:
        """The scheduler must know how far it may go."""
        self._scheduler.started(entry.number, entry.until)

    def reported(self, report: Report) -> None:
        """The judge has seen it already."""

    def worker_died(self, message: WorkerDied) -> None:
        """Another takes its place."""

    def closed(self, entry: Entry) -> None:
        """It waited in vain."""
        self.trials[entry.number].outcome = "pruned"

    def ended(self, entry: Entry, outcome: Outcome, worker: int) -> Answer | Rest | Again | Later:
        """Note the value, or why there is none."""
        trial = self.trials[entry.number]
        match outcome:
            case Done(result=result):
                trial.outcome, trial.value = "done", result["value"]
            case Pruned(result=result) | Paused(result=result):
                trial.outcome, trial.value = "pruned", result["value"]
                trial.start = max(trial.values, default=-1) + 1
                self._scheduler.rests(entry.number)
                worth, full = self._scheduler.worth(entry.number), self._scheduler.max_epochs or 0
                share = trial.start / full if full else 1.0
                return Rest(worth if worth is None or share >= 1 else Part(worth, share))
            case Failed(message=message):
                trial.outcome, trial.value, trial.message = "failed", None, message
            case Crashed() | Lost():
                # What it had reported may not be in a checkpoint of its own.
                if (deaths := in_a_row(entry.deaths, outcome, moved=False)) < ATTEMPTS:
                    return Again(deaths)
                trial.outcome, trial.value, trial.message = type(outcome).__name__.lower(), None, outcome.message
            case _:
                trial.outcome = "cancelled"
        self._scheduler.ended(entry.number, trial.value)
        return Answer(trial.value)


def _check_numbers(budget: int, seed: int) -> None:
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 1:
        raise InputError(f"budget must be a whole number from 1 on, not {budget!r}.")
    if not isinstance(seed, Integral) or not 0 <= seed < 2**31:
        raise InputError(f"seed must be a whole number from 0 to 2147483647, not {seed!r}.")


def search(
    objective: str | Objective,
    space: Mapping[str, Any] | Space,
    algorithm: str = "auto",
    budget: int = 20,
    seed: int = 0,
    early_stopping: str | None = None,
    max_epochs: int | None = None,
    *,
    workers: int | None = None,
) -> SearchResult:
    """Maximise objective(parameters, report) over a space as in a recipe's [search.space].

    A callable runs in this process, one call at a time; "module:function" runs in `workers` processes (one a core where that
    is not said). report(epoch, value) after each epoch (0, 1, …) returns True when the trial should stop now. A call that
    raises is a failed trial, never the end of the search.

    With "asha" a stopped trial may be called again, to go on: report.start is then the first epoch to train, after those that
    it had reported when it was told to stop, and report.trial the number by which the objective finds the checkpoint that it
    kept. An epoch that is reported again changes nothing. A trial that is better than every finished one always comes to its
    end. `algorithm`, and `early_stopping` (None, "asha", "asha-stop", "median", "curve"): "auto" for the defaults. Raises a
    MicrotomeError for a space, a name or a number that makes no sense.
    """
    axes = space if isinstance(space, Space) else space_from_table(space)
    if not len(axes):
        raise InputError("The search has nothing to vary.", 'Give a space, e.g. {"x": {"low": 0.0, "high": 1.0}}.')
    _check_numbers(budget, seed)
    if isinstance(objective, str):
        resolve(objective)  # a wrong name is said here, not by every trial
    slots = min(budget, workers or cores()) if isinstance(objective, str) else 1
    scheduler = make_scheduler(early_stopping, max_epochs=max_epochs)
    owner = _Owner(objective, scheduler)
    engine = make_engine(algorithm, axes, budget=budget, seed=seed, workers=slots)
    with tempfile.TemporaryDirectory(prefix="microtome-", ignore_cleanup_errors=True) as logs:
        runner: Runner
        if isinstance(objective, str):
            runner = LocalRunner(slots, logs=Path(logs), judge=owner.judge)
        else:
            runner = InlineRunner(owner.judge)
        try:
            loop = Loop(engine, runner, owner, budget=budget, scheduler=scheduler)
            while not loop.finished:
                loop.fill()
                loop.collect(1.0)
            loop.close()
        finally:
            runner.close()
    return SearchResult([owner.trials[n] for n in sorted(owner.trials)])
