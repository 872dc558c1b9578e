"""A run's trials and curves as plain tables: what a table view shows, what a CSV file holds, what a report prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from microtome.fields import fields_of
from microtome.registry import registry
from microtome.results.fold import COUNTED, RunState, TrialState
from microtome.results.scores import Score
from microtome.search.records import measure
from microtome.slices.plan import SlicePlan
from microtome.training.spec import TrainingSpec

Kind = Literal["whole", "word", "share", "r2", "figure", "parameter", "seconds", "text"]


@dataclass(frozen=True)
class Column:
    """One column of the trial table: `key` finds the value, `kind` says how it is written."""

    key: str
    title: str
    kind: Kind


def varied(trials: Iterable[TrialState]) -> list[str]:
    """The parameters that tell the trials apart, in the order of their first appearance; of a single trial all."""
    known = [t for t in trials if t.parameters]
    values: dict[str, list[Any]] = {}
    for trial in known:
        for name, value in trial.parameters.items():
            seen = values.setdefault(name, [])
            # Two different values are enough to know: a search of 10 000 trials must not be compared as a whole.
            if len(seen) < 2 and value not in seen:
                seen.append(value)
    return [name for name, seen in values.items() if len(seen) > 1 or len(known) == 1]


def columns(parameters: Sequence[str], score: Score = Score()) -> list[Column]:
    """The columns of the trial table: number, state, value, the parameters that differ, effort, remark."""
    return [
        Column("number", "Trial", "whole"),
        Column("outcome", "State", "word"),
        Column("value", "R²", "r2") if score.kind == "R²" else Column("value", "Value", _kind(score)),
        *(Column(name, short(name), "parameter") for name in parameters),
        Column("epochs", "Epochs", "whole"),
        Column("seconds", "Seconds", "seconds"),
        Column("message", "Remark", "text"),
    ]


def _kind(score: Score) -> Kind:
    return "share" if score.kind == "share" else "figure"


@lru_cache(maxsize=1024)
def short(name: str) -> str:
    """The words of a dotted setting, as a form has them: `training.learning_rate` → `Learning rate`.

    An augmentation's has its owner's words in front: `augmentation.shot-noise.dose` → `Shot noise: Dose`.
    """
    section, _, key = name.rpartition(".")
    sections: dict[str, type] = {"training": TrainingSpec, "slices": SlicePlan}
    tables = [fields_of(sections[section])] if section in sections else []
    if section == "network":
        tables = [plugin.fields for plugin in registry().of_kind("network")]
    for plugin in registry().of_kind("augmentation"):
        if section == f"augmentation.{plugin.name}" and key in plugin.fields:
            return f"{plugin.label}: {plugin.fields[key].title}"
    titles = [fields[key].title for fields in tables if key in fields]
    # A setting of a network that is no longer installed still has a name.
    return titles[0] if titles else key.replace("_", " ").capitalize()


def cell(trial: TrialState, key: str) -> Any:
    """A trial's value in a column; None where there is none yet."""
    match key:
        case "number":
            return trial.number
        case "outcome":
            return trial.outcome
        case "value":
            return current_value(trial)
        case "epochs":
            return len(trial.epochs)
        case "seconds":
            return trial.seconds if trial.outcome != "running" else None
        case "message":
            return trial.message or (f"as {trial.reused_from}" if trial.reused_from else "")
        case _:
            return trial.parameters.get(key)


def current_value(trial: TrialState) -> float | None:
    """The trial's value, or, while it runs or where it was cut short, that of its best epoch so far."""
    if trial.value is not None:
        return trial.value
    best = trial.best
    return None if best is None else measure(best, trial.objective)


def ranked(state: RunState) -> list[TrialState]:
    """The trials whose value counts, best first; equal ones in the order of their numbers."""
    counted = [t for t in state.trials.values() if t.outcome in COUNTED and t.value is not None]
    return sorted(counted, key=lambda t: (-(t.value or 0.0), t.number))


def trial_rows(state: RunState) -> tuple[list[str], list[list[Any]]]:
    """(header, rows) of all trials, for a CSV file: every parameter, also those that do not differ."""
    names = list(dict.fromkeys(name for t in state.trials.values() for name in t.parameters))
    keys = ["number", "outcome", "value", *names, "epochs", "seconds", "message"]
    header = ["trial", "outcome", "value", *names, "epochs", "seconds", "message"]
    return header, [[cell(t, key) for key in keys] for _, t in sorted(state.trials.items())]


def ranking_rows(state: RunState) -> tuple[list[str], list[list[Any]]]:
    """(header, rows) of the retrained finalists, best first: mean and its 95 % interval, p against the first, what became."""
    header = ["trial", "mean", "low", "high", "seeds", "p", "remark"]
    found = state.ranked
    if found is None:
        return header, []
    seeds = {e.trial: sum(1 for other in state.retrained if other.trial == e.trial) for e in state.retrained}
    rows: list[list[Any]] = []
    for name, (mean, low, high) in sorted(found.means.items(), key=lambda item: -item[1][0]):
        remark = "taken" if int(name) == found.winner else "tied" if int(name) in found.tied else ""
        rows.append([int(name), mean, low, high, seeds.get(int(name), 0), found.p.get(name), remark])
    return header, rows


def history_rows(trial: TrialState, classes: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
    """(header, rows) of a trial's epochs, counted from 1; a class's column is its accuracy on the validation set."""
    header = ["epoch", "train_loss", "validation_loss", "train_accuracy", "validation_accuracy"]
    header += [f"accuracy_{name}" for name in classes] + ["learning_rate", "images_per_second", "seconds"]
    rows: list[list[Any]] = []
    for e in trial.epochs:
        row: list[Any] = [e.epoch + 1, e.train_loss, e.validation_loss, e.train_accuracy, e.validation_accuracy]
        row += [share(e.per_class.get(name)) for name in classes]
        rows.append([*row, e.learning_rate, e.images_per_second, e.seconds])
    return header, rows


def confusion_rows(classes: Sequence[str], confusion: Sequence[Sequence[int]]) -> tuple[list[str], list[list[Any]]]:
    """(header, rows) of a confusion matrix: a row is a true class, a column what the network said."""
    return ["true \\ predicted", *classes], [[name, *row] for name, row in zip(classes, confusion, strict=True)]


def share(pair: tuple[int, int] | None) -> float | None:
    """correct / total, or None where nothing was counted."""
    return pair[0] / pair[1] if pair is not None and pair[1] else None


POINT_COLUMNS = ("true", "mean", "standard_deviation", "images")


def point_rows(points: Sequence[tuple[float, float, float, int]]) -> list[tuple[float, float, float, int]]:
    """What was told of every volume, by its value."""
    return sorted(points)
