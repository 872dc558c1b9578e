"""What a driver must know of a run's past: folded from the same events that it writes, so that resuming is replaying."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from microtome.events import (
    EpochEnded,
    Evaluated,
    Event,
    RunEnded,
    RunStarted,
    StateChanged,
    TrialEnded,
    TrialStarted,
)

COUNTED = ("done", "reused")
"""Outcomes whose value may win."""
_ENDED = ("done", "reused", "pruned", "failed", "crashed", "lost")


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
    epochs: dict[int, EpochEnded] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """True where the trial need not be taken up again; a cancelled one may be."""
        return self.outcome in _ENDED


@dataclass
class Records:
    """All trials of a run, what the engine was asked and told in its order, and how the run ended last."""

    trials: dict[int, Record] = field(default_factory=dict)
    history: list[tuple[str, dict[str, Any], float | None]] = field(default_factory=list)
    started: bool = False
    budget: int | None = None  # where an order changed it
    workers: int | None = None
    evaluated: Evaluated | None = None
    end: RunEnded | None = None
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
            case TrialStarted():
                self._trial_started(event)
            case EpochEnded():
                self._trial(event.trial).epochs[event.epoch] = event
            case TrialEnded():
                self._trial_ended(event)
            case StateChanged():
                self.budget = event.trials if event.trials is not None else self.budget
                self.workers = event.workers if event.workers is not None else self.workers
            case Evaluated():
                self.evaluated = event
            case RunEnded():
                self.end = event
        self._latest = event.time if event.time >= self._begun else self._latest

    def _trial(self, number: int) -> Record:
        return self.trials.setdefault(number, Record(number))

    def _trial_started(self, event: TrialStarted) -> None:
        record = self._trial(event.trial)
        if record.attempts == 0:
            self.history.append(("ask", event.parameters, None))
        record.parameters, record.key = event.parameters, event.key
        record.attempts, record.outcome = record.attempts + 1, ""

    def _trial_ended(self, event: TrialEnded) -> None:
        record = self._trial(event.trial)
        record.outcome, record.value, record.best_epoch = event.outcome, event.value, event.best_epoch
        record.seconds, record.message, record.reused_from = event.seconds, event.message, event.reused_from
        if record.ended:
            self.history.append(("tell", record.parameters, event.value))

    def best(self) -> Record | None:
        """The trial of the highest value, the earliest of equals."""
        counted = [r for r in self.trials.values() if r.outcome in COUNTED and r.value is not None]
        return max(counted, key=lambda r: (r.value, -r.number), default=None)

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
