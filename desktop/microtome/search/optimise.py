"""`mt.search`: any function of parameters, in this process or in workers, maximised by any engine."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    Pruned,
    Report,
    Runner,
    Task,
    WorkerDied,
    cores,
    resolve,
)
from microtome.plugin import Space
from microtome.search.engine import make_engine
from microtome.search.loop import Again, Answer, Entry, Follow, Later, Loop
from microtome.search.space import space_from_table
from microtome.search.stop import StoppingRule, make_rule

Objective = Callable[..., float]
_ATTEMPTS = 3


@dataclass
class Trial:
    """One call of the objective."""

    number: int
    parameters: dict[str, Any]
    values: dict[int, float] = field(default_factory=dict)  # epoch → value reported
    outcome: str = "running"  # done | pruned | failed | crashed | lost
    value: float | None = None  # what was returned, to be maximised
    message: str = ""  # why it failed


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
    """What an objective gets as `report`: report(epoch, value) → True when the trial should stop now."""

    def __init__(self, channel: Any) -> None:
        self.start = 0  # the first epoch to train
        self.stopped = False
        self._channel = channel

    def __call__(self, epoch: int, value: float) -> bool:
        """Report the value after an epoch (0, 1, …)."""
        if self._channel.ask((int(epoch), float(value))):
            self.stopped = True
        return self.stopped


def call_objective(
    report: Any, should_stop: Callable[[], str], *, objective: str | Objective, parameters: dict[str, Any]
) -> dict[str, Any]:
    """One trial, in whatever process; returns its value and how it ended."""
    function = resolve(objective) if isinstance(objective, str) else objective
    reporter = Reporter(report)
    value = function(dict(parameters), reporter)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return {"outcome": "failed", "message": f"The objective returned {value!r}, which is not a number."}
    if not math.isfinite(number):
        return {"outcome": "failed", "message": f"The objective returned {number}."}
    return {"outcome": "pruned" if reporter.stopped else "done", "value": number}


class _Owner:
    """Keeps the trials of one search."""

    def __init__(self, objective: str | Objective, rule: StoppingRule) -> None:
        self._objective = objective
        self._rule = rule
        self.trials: dict[int, Trial] = {}

    def judge(self, report: Report) -> str:
        """Answer an epoch's report."""
        epoch, value = report.event
        self.trials[report.task].values[epoch] = value
        return "prune" if self._rule.behind(report.task, epoch, value) else ""

    def prepare(self, entry: Entry) -> Task | Answer | Follow:
        """Every point is a call."""
        self.trials[entry.number] = Trial(entry.number, entry.parameters)
        arguments = {"objective": self._objective, "parameters": entry.parameters}
        function = "microtome.search.optimise:call_objective"
        return Task(id=entry.number, function=function, arguments=arguments)

    def started(self, entry: Entry, worker: int) -> None:
        """Nothing to note."""

    def reported(self, report: Report) -> None:
        """The judge has seen it already."""

    def worker_died(self, message: WorkerDied) -> None:
        """Another takes its place."""

    def ended(self, entry: Entry, outcome: Outcome, worker: int) -> Answer | Again | Later:
        """Note the value, or why there is none."""
        trial = self.trials[entry.number]
        match outcome:
            case Done(result=result):
                trial.outcome, trial.value = "done", result["value"]
            case Pruned(result=result):
                trial.outcome, trial.value = "pruned", result["value"]
            case Failed(message=message):
                trial.outcome, trial.message = "failed", message
            case Crashed() | Lost():
                if entry.attempt < _ATTEMPTS:
                    return Again()
                trial.outcome, trial.message = type(outcome).__name__.lower(), outcome.message
            case _:
                trial.outcome = "cancelled"
        return Answer(trial.value)


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
    raises is a failed trial, never the end of the search. `algorithm` and `early_stopping` (None, "asha", "median"): "auto"
    for the defaults. Raises a MicrotomeError for a space, a name or a number that makes no sense.
    """
    axes = space if isinstance(space, Space) else space_from_table(space)
    if not len(axes):
        raise InputError("The search has nothing to vary.", 'Give a space, e.g. {"x": {"low": 0.0, "high": 1.0}}.')
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 1:
        raise InputError(f"budget must be a whole number from 1 on, not {budget!r}.")
    if isinstance(objective, str):
        resolve(objective)  # a wrong name is said here, not by every trial
    slots = min(budget, workers or cores()) if isinstance(objective, str) else 1
    owner = _Owner(objective, make_rule(early_stopping, max_epochs=max_epochs))
    engine = make_engine(algorithm, axes, budget=budget, seed=seed, workers=slots)
    with tempfile.TemporaryDirectory(prefix="microtome-", ignore_cleanup_errors=True) as logs:
        runner: Runner
        if isinstance(objective, str):
            runner = LocalRunner(slots, logs=Path(logs), judge=owner.judge)
        else:
            runner = InlineRunner(owner.judge)
        try:
            loop = Loop(engine, runner, owner, budget=budget)
            while not loop.finished:
                loop.fill()
                loop.collect(1.0)
        finally:
            runner.close()
    return SearchResult([owner.trials[n] for n in sorted(owner.trials)])
