"""What a driver must know of a run's past: folded from the same events that it writes, so that resuming is replaying."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from microtome.events import (
    EpochEnded,
    Evaluated,
    Event,
    RunEnded,
    RunStarted,
    SpaceChanged,
    StateChanged,
    TrialAdded,
    TrialEnded,
    TrialPaused,
    TrialStarted,
    WarmStarted,
)
from microtome.plugin import Part
from microtome.search.engine import Value
from microtome.training.metrics import best_epoch

COUNTED = ("done", "reused")
"""Outcomes whose value may win."""
_ENDED = ("done", "reused", "pruned", "dropped", "failed", "crashed", "lost")
STOPPED = ("pruned", "dropped")
"""Outcomes of a trial that has kept its checkpoint and could go on."""


class Step(NamedTuple):
    """What an engine was asked ("ask") or told ("tell") with the costs that were known then, or its space changed ("space")."""

    what: str
    parameters: dict[str, Any]
    value: float | None
    costs: dict[str, float]


@dataclass
class Record:
    """One trial."""

    number: int
    parameters: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    attempts: int = 0
    outcome: str = ""  # "" until it ended
    value: float | None = None
    best_epoch: int | None = None
    seconds: float = 0.0
    message: str = ""
    reused_from: str = ""
    resting: bool = False  # paused with its checkpoint
    until: int = 0  # epochs after which it was to wait, when it was begun last
    speculative: bool = False
    inherited: str = ""  # run/trial whose weights it began with
    costs: dict[str, float] = field(default_factory=dict)
    epochs: dict[int, EpochEnded] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """True where the trial need not be taken up again; a cancelled one may be."""
        return self.outcome in _ENDED

    def reached(self, objective: str) -> float | None:
        """The value of the network that it has kept so far: that of its best epoch, as of a finished trial."""
        best = best_epoch([self.epochs[number] for number in sorted(self.epochs)])
        return None if best is None else measure(best, objective)

    @property
    def goes_on(self) -> bool:
        """True where there is, or may be, something left to train."""
        return not self.ended or (self.outcome in STOPPED and not self.reused_from)


@dataclass
class Records:
    """All trials of a run, what the engine was asked and told in its order, and how the run ended last."""

    trials: dict[int, Record] = field(default_factory=dict)
    history: list[Step] = field(default_factory=list)
    timeline: list[Event] = field(default_factory=list)  # of the trials: what a scheduler has to know
    started: bool = False
    budget: int | None = None  # where an order changed it
    workers: int | None = None
    owed: list[dict[str, Any]] = field(default_factory=list)  # the user's own trials that have not begun
    warm: bool = False  # whether other runs' trials were told
    evaluated: Evaluated | None = None
    end: RunEnded | None = None
    driven: float = -math.inf  # when the latest driver began
    _before: float = 0.0  # seconds that earlier drivers worked
    _begun: float = 0.0
    _latest: float = 0.0

    @property
    def seconds(self) -> float:
        """How long drivers have worked on the run."""
        return self._before + max(0.0, self._latest - self._begun)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Records:
        """Fold a journal."""
        records = cls()
        for event in events:
            records.take(event)
        return records

    def take(self, event: Event) -> None:
        """Fold one event."""
        match event:
            case RunStarted():
                self._before = self.seconds
                self._begun, self.started, self.end = event.time, True, None
                self.driven = event.time
            case TrialStarted():
                self._trial_started(event)
            case EpochEnded():
                self._trial(event.trial).epochs[event.epoch] = event
            case TrialPaused():
                self._trial_paused(event)
            case TrialEnded():
                self._trial_ended(event)
            case SpaceChanged():
                self.history.append(Step("space", {"table": event.table, "fixed": event.fixed}, None, {}))
            case TrialAdded():
                self.owed.append(event.parameters)
            case WarmStarted():
                self.warm = True
                self.history += [Step("tell", p["parameters"], p["value"], p["costs"]) for p in event.points]
            case StateChanged():
                self.budget = event.trials if event.trials is not None else self.budget
                self.workers = event.workers if event.workers is not None else self.workers
            case Evaluated():
                self.evaluated = event
            case RunEnded():
                self.end = event
                # By the driver's own count, since the clock may have been set while it worked.
                worked = event.seconds or max(0.0, self._latest - self._begun)
                self._before, self._begun = self._before + worked, math.inf
        if isinstance(event, TrialStarted | EpochEnded | TrialPaused | TrialEnded):
            self.timeline.append(event)
        self._latest = event.time if event.time >= self._begun else self._latest

    def _trial(self, number: int) -> Record:
        return self.trials.setdefault(number, Record(number))

    def _trial_started(self, event: TrialStarted) -> None:
        record = self._trial(event.trial)
        if record.attempts == 0 and event.own:
            self.owed = self.owed[1:]  # they are begun in the order in which they were asked for
        elif record.attempts == 0:
            self.history.append(Step("ask", event.parameters, None, {}))
        record.parameters, record.key = event.parameters, event.key
        record.until, record.speculative, record.inherited = event.until, event.speculative, event.inherited
        record.attempts, record.outcome, record.resting = record.attempts + 1, "", False

    def _trial_paused(self, event: TrialPaused) -> None:
        record = self._trial(event.trial)
        record.resting, record.value, record.costs = True, event.value, event.costs
        if event.told is not None:
            self.history.append(Step("tell", record.parameters, event.told, event.costs))

    def _trial_ended(self, event: TrialEnded) -> None:
        record = self._trial(event.trial)
        record.outcome, record.value, record.best_epoch = event.outcome, event.value, event.best_epoch
        record.seconds, record.message, record.reused_from = event.seconds, event.message, event.reused_from
        record.resting, record.costs = False, event.costs
        told = event.value if event.told is None else event.told
        if record.ended and (told is not None or event.outcome not in STOPPED):
            self.history.append(Step("tell", record.parameters, told, event.costs))

    def best(self) -> Record | None:
        """The trial of the highest value, the earliest of equals."""
        counted = [r for r in self.trials.values() if r.outcome in COUNTED and r.value is not None]
        return max(counted, key=lambda r: (r.value, -r.number), default=None)

    def told(self, second: str, *, full: int) -> Iterator[tuple[str, dict[str, Any], Value]]:
        """What the engine was asked and told, in its order, where the search has the second objective of this name."""
        for step in self.history:
            epochs = full_epochs(step.parameters, full)
            yield step.what, step.parameters, both(step.value, step.costs, second, full=epochs)

    def front(self, cost: str = "seconds") -> list[Record]:
        """The finished trials that no other beats in value and in a cost ("seconds" | "parameters") at once, by their cost."""
        valued = [r for r in self.trials.values() if r.outcome in COUNTED and r.value is not None and cost in r.costs]
        found: list[Record] = []
        for record in sorted(valued, key=lambda r: (r.costs[cost], -(r.value or 0.0), r.number)):
            if not found or (record.value or 0.0) > (found[-1].value or 0.0):
                found.append(record)
        return found

    def table(self) -> str:
        """The trials as CSV: number, outcome, value, effort, parameters; derived, for spreadsheets."""
        names = list(dict.fromkeys(name for r in self.trials.values() for name in r.parameters))
        text = io.StringIO(newline="")
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["trial", "outcome", "value", "best_epoch", "epochs", "seconds", *names, "reused_from", "message"])
        for record in sorted(self.trials.values(), key=lambda r: r.number):
            fixed = [record.number, record.outcome or "waiting", record.value, record.best_epoch, len(record.epochs)]
            values = [record.parameters.get(name) for name in names]
            rows.writerow([*fixed, round(record.seconds, 3), *values, record.reused_from, record.message])
        return text.getvalue()


def measure(epoch: EpochEnded, objective: str) -> float | None:
    """An epoch's value, to be maximised: mean class accuracy, the worst class's, or minus the loss (all of validation)."""
    match objective:
        case "worst":
            return min((correct / total for correct, total in epoch.per_class.values() if total), default=None)
        case "loss":
            return None if epoch.validation_loss is None else -epoch.validation_loss
        case _:
            return epoch.validation_accuracy if math.isfinite(epoch.validation_accuracy) else None


def full_epochs(parameters: Mapping[str, Any], full: int) -> int:
    """The epochs of a whole trial at a point: its own where they are searched, else `full`."""
    return int(parameters.get("training.epochs", full))


def both(value: float | None, costs: Mapping[str, float], second: str, *, full: int) -> Value:
    """What an engine is told: the value, and minus the cost where there is a second objective ("seconds" | "parameters").

    The seconds of a trial that has stopped early are those that all of its `full` epochs would have taken. A trial of which
    the cost is not known has failed for such a search. The value of one that has stopped says so (Part).
    """
    if value is None:
        return None
    if second == "none":
        share = costs.get("epochs", 0.0) / full if full > 0 and costs.get("stopped") else 0.0
        return Part(value, share) if 0 < share < 1 else value
    cost = costs.get(second)
    if cost is None:
        return None
    epochs = costs.get("epochs", 0.0)
    if second == "seconds" and costs.get("stopped") and epochs > 0:
        cost *= full / epochs
    return (value, -cost)
