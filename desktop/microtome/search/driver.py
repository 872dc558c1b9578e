"""One run without a window: made from a recipe, driven in worker processes to its end, resumed by replaying its journal."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from microtome import __version__
from microtome.errors import InputError, MicrotomeError
from microtome.events import Event, RunEnded
from microtome.jobs.cluster import Scheduler
from microtome.jobs.runner import cores
from microtome.plugin import Plugin
from microtome.registry import registry
from microtome.search import engine
from microtome.search.drive import Drive
from microtome.search.forecast.pilot import journal_promise
from microtome.search.ready import require_ready
from microtome.search.recipe import Recipe, dumps, load, parse
from microtome.search.records import Records
from microtome.search.steer import Helm, signals
from microtome.search.workers.place import Place
from microtome.store.atomic import sweep
from microtome.store.journal import read_all
from microtome.store.project import Project
from microtome.store.run import Orders, RunFolder, RunLock

_WRITTEN = ("lock", "trials.csv", "model.safetensors", "predictions.csv")  # by drivers alone, into a run's folder
_PACKAGES = ("torch", "numpy", "numba", "scipy", "scikit-learn", "nevergrad", "optuna", "tifffile")


def create_run(recipe: Recipe, project: Project, name: str = "") -> RunFolder:
    """Write a new run folder: what is to be done, with which versions, plugins and machine. Nothing is started.

    Raises InputError where the classes cannot be trained on, FileError where the project cannot be written.
    """
    require_ready(recipe)
    if project.read_only:
        raise MicrotomeError(project.read_only)
    kind = "train" if recipe.search is None else "search"
    info = {
        "kind": kind,
        "seed": recipe.training.seed if recipe.search is None else recipe.search.seed,
        "versions": _versions(),
        "plugins": [_describe(p) for p in _plugins(recipe)],
        "machine": {
            "system": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": cores(),
            "memory": psutil.virtual_memory().total,
        },
    }
    run = RunFolder.create(project.runs_dir, name=name or kind, info=info, recipe_toml=dumps(recipe))
    journal_promise(run, recipe, project)
    return run


def _versions() -> dict[str, str]:
    versions = {"microtome": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # a frozen build may leave some out
    return versions


def _plugins(recipe: Recipe) -> list[Plugin]:
    found = registry()
    used = [found.get("network", recipe.network.name)]
    if recipe.search is not None:
        default = engine.DEFAULT if recipe.search.second == "none" else engine.DEFAULT_OF_TWO
        algorithm = recipe.search.algorithm
        used.append(found.get("search", default if algorithm == "auto" else algorithm))
    kinds = dict.fromkeys(s.kind for c in recipe.classes for s in c.simulated)
    return [*used, *(found.get("generator", kind) for kind in kinds)]


def _describe(plugin: Plugin) -> dict[str, str]:
    return {"kind": plugin.kind, "name": plugin.name, "version": plugin.version, "hash": plugin.source_hash}


def drive(run: RunFolder, on_event: Callable[[Event], None] | None = None, *, scheduler: Scheduler | None = None) -> RunEnded:
    """Do what the run says, or go on where it stopped; every event is journalled, then given to `on_event`.

    `scheduler`: a cluster whose workers do the trials; the run does not keep it, so it is said again to go on there.
    Orders come through control.jsonl; SIGINT, SIGTERM and SIGHUP stop at the checkpoints. Data that do not allow the run end it
    with state "failed" and a sentence. Raises InputError where another process drives the run, and what is a bug.
    """
    recipe = load(run.recipe)
    lock = RunLock(run)
    lock.take()
    try:
        for name in _WRITTEN:
            sweep(run.path / name)
        records = Records.of(read_all(run.events))
        if records.end is not None and records.end.state == "done":
            return records.end
        helm = Helm(Orders(run, from_start=not records.started, after=records.driven))
        with run.writer() as journal, signals(helm):
            return Drive(run, recipe, records, helm, journal, on_event, Place(scheduler)).run()
    finally:
        lock.release()


def summary(run: RunFolder) -> dict[str, Any]:
    """What a finished run comes to, as the command line prints it (INTERFACE's "finished")."""
    records = Records.of(read_all(run.events))
    found, best, kind = records.evaluated, records.best(), run.info()["kind"]
    if found is not None:
        best = records.trials[found.trial]  # with finalists, the winner need not be the highest
    data: dict[str, Any] = {
        "event": "finished",
        "state": records.end.state if records.end is not None else "interrupted",
        "accuracy": None if found is None else found.accuracy,
        "per_class": {}
        if found is None
        else {name: {"correct": correct, "total": total} for name, (correct, total) in found.per_class.items()},
        "interval": None if found is None else list(found.interval),
        "baseline": {} if found is None else dict(found.baseline),
        "independence": "" if found is None else found.independence,
        "caution": "" if found is None else found.caution,
        "seconds": records.seconds,
        "run": str(run.path),
        "trial": None if best is None else best.number,
        "validation_accuracy": None if best is None else best.value,
    }
    if found is not None and found.r2 is not None:  # a number was told, no class
        data |= {"accuracy": None, "r2": found.r2, "rmse": found.rmse, "mae": found.mae, "unit": found.unit, "n": found.n}
        data |= {"volumes": len(found.points), "validation_r2": data["validation_accuracy"]}
        data["validation_accuracy"] = None
    if kind == "search":
        data["trials"] = sum(1 for r in records.trials.values() if r.ended)
        data["best"] = None if best is None else {"parameters": best.parameters, "value": best.value}
        del data["validation_accuracy"]
    return data


@dataclass(frozen=True)
class RunResult:
    """A finished run."""

    folder: Path
    data: dict[str, Any]  # the summary, as the command line prints it

    @property
    def accuracy(self) -> float | None:
        """Mean class accuracy on the evaluation set."""
        value: float | None = self.data["accuracy"]
        return value

    @property
    def per_class(self) -> dict[str, dict[str, int]]:
        """class → {"correct", "total"} on the evaluation set."""
        value: dict[str, dict[str, int]] = self.data["per_class"]
        return value

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the accuracy."""
        value = self.data["interval"]
        return None if value is None else (value[0], value[1])

    @property
    def best(self) -> dict[str, Any] | None:
        """{"parameters", "value"} of a search's best trial."""
        value: dict[str, Any] | None = self.data.get("best")
        return value

    @property
    def trials(self) -> int:
        """Trials that have ended."""
        return int(self.data.get("trials", 1))

    @property
    def seconds(self) -> float:
        """How long it took, all drivers together."""
        return float(self.data["seconds"])


def run(
    recipe: Mapping[str, Any] | Recipe | Path | str,
    project: Path | str,
    *,
    name: str = "",
    on_event: Callable[[Event], None] | None = None,
) -> RunResult:
    """Do what a recipe (a dict, or the path of a TOML file) says, in a project folder that is made where there is none.

    Raises a MicrotomeError where the recipe or its data do not allow it.
    """
    if isinstance(recipe, Recipe):
        checked = recipe
    elif isinstance(recipe, Mapping):
        checked = parse(recipe, Path.cwd())
    else:
        checked, name = load(Path(recipe)), name or Path(recipe).stem
    folder = create_run(checked, Project.create(Path(project)), name)
    end = drive(folder, on_event)
    if end.state == "failed":
        raise InputError(end.message)
    return RunResult(folder.path, summary(folder))
