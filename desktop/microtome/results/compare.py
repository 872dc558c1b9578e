"""Runs beside each other: only what differs in their settings, their results, and whether a difference is more than chance."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from microtome.errors import MicrotomeError
from microtome.intervals import Interval, paired_difference
from microtome.results.compare_values import gain_of_told, read_told
from microtome.results.fold import RunState, TrialState
from microtome.results.tables import short
from microtome.search.recipe import Recipe, load, to_table
from microtome.store.run import RunFolder

_PREDICTIONS = "predictions.csv"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One run of a comparison: its settings by dotted name, its image set and what its best trial says of each image.

    `answers`: image number → (true class, predicted class); empty where the run was not evaluated, or tells a number: then
    `told` holds what it told of each image. `problem`: why its settings cannot be read.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    image_set: str = ""
    answers: dict[int, tuple[str, str]] = field(default_factory=dict)
    told: dict[int, tuple[str, float, float]] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class Difference:
    """Two runs on the same images: first − second of their mean class accuracies (of R²), with the paired 95 % interval."""

    gain: float
    interval: Interval
    images: int
    told: bool = False  # of R²

    @property
    def word(self) -> str:
        """better | worse: more than chance; open: it may be chance."""
        low, high = self.interval
        return "better" if low > 0 else "worse" if high < 0 else "open"


def read_side(run: RunFolder, trial: int | None, parameters: Mapping[str, Any], image_set: str = "") -> Side:
    """Read a run's settings, and the answers of one of its trials; a recipe that cannot be read says why in `problem`."""
    try:
        recipe = load(run.recipe).with_values(parameters)
    except MicrotomeError as error:
        return Side(name=run.name, image_set=image_set, problem=str(error))
    found: dict[str, Any] = {}
    if trial is not None:
        kind, read = ("told", read_told) if recipe.training.target == "value" else ("answers", read_answers)
        found = {kind: read(run.trial(trial) / _PREDICTIONS)}
    return Side(name=run.name, settings=settings_of(recipe), image_set=image_set, **found)


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """All settings of a training by dotted name, the classes' volumes in front; the search's own are none of it."""
    found: dict[str, Any] = {f"class.{item['name']}": _sources(item) for item in to_table(recipe)["class"]}
    for section, values in (
        ("slices", asdict(recipe.slices)),
        ("network", {"name": recipe.network.name, **recipe.network.parameters}),
        ("training", asdict(recipe.training)),
        ("transfer", asdict(recipe.transfer)),
        ("importance", asdict(recipe.importance)),
    ):
        found |= {f"{section}.{key}": value for key, value in values.items()}
    return found


def differing(sides: Sequence[Side]) -> list[tuple[str, tuple[Any, ...]]]:
    """(dotted name, its value in each run) of the settings that are not the same in all; None where a run has no such one.

    Settings of networks other than its own are none of a run's.
    """
    known = [side for side in sides if not side.problem]
    names = list(dict.fromkeys(name for side in known for name in side.settings))
    rows = [(name, tuple(side.settings.get(name) for side in sides)) for name in names]
    read = [not side.problem for side in sides]
    return [
        (name, values)
        for name, values in rows
        if any(value != values[read.index(True)] for value, good in zip(values, read, strict=True) if good)
    ]


def read_answers(path: Path) -> dict[int, tuple[str, str]]:
    """Image number → (true, predicted) of a predictions.csv; empty where there is none, or a damaged one."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return {int(line["image"]): (line["true"], line["predicted"]) for line in csv.DictReader(file)}
    except (OSError, KeyError, TypeError, ValueError):
        return {}


def difference(first: Side, second: Side) -> Difference | None:
    """How much better the first is; None where they were not evaluated on the same images."""
    if first.told and second.told and first.image_set and first.image_set == second.image_set:
        found = gain_of_told(first.told, second.told)
        return None if found is None else Difference(*found, len(first.told), told=True)
    same = {image for image, (true, _) in first.answers.items() if second.answers.get(image, ("", ""))[0] == true}
    if not same or not first.image_set or first.image_set != second.image_set:
        return None
    if len(same) != len(first.answers) or len(same) != len(second.answers):
        return None
    counts: dict[str, tuple[int, int, int]] = {}
    for image, (true, said) in first.answers.items():
        mine, theirs = said == true, second.answers[image][1] == true
        gained, lost, total = counts.get(true, (0, 0, 0))
        counts[true] = (gained + (mine and not theirs), lost + (theirs and not mine), total + 1)
    gain, interval = paired_difference(counts)
    return Difference(gain, interval, len(same))


def shown_trial(state: RunState) -> TrialState | None:
    """The trial that stands for a run: the best so far, else the first."""
    return state.best or next(iter(state.trials.values()), None)


def setting_title(name: str) -> str:
    """A dotted setting as a form names it."""
    section, _, key = name.partition(".")
    return key if section == "class" else short(name)


def _sources(item: Mapping[str, Any]) -> str:
    """Where a class's images come from, in words: file names, and structures with their seeds."""
    files = [table if isinstance(table, str) else str(table["path"]) for table in item.get("volumes", [])]
    names = [Path(file).name for file in [*files, *item.get("images", [])]]
    simulated = [f"{table['kind']} {table['seed']}" for table in item.get("simulate", [])]
    return ", ".join([*names, *simulated])
