"""The commands about runs and what comes out of them: train, search, go on, predict, export, report."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microtome.cli.clusters import place
from microtome.cli.settings import parse_settings
from microtome.errors import FileError, InputError, nearest
from microtome.terminal import Progress, finished, size_words

if TYPE_CHECKING:
    from microtome.events import Piloted
    from microtome.jobs.cluster import Scheduler
    from microtome.search.recipe import Recipe
    from microtome.session.limit import TimeLimit
    from microtome.store.project import Project
    from microtome.store.run import RunFolder


def _drive(folder: Path, scheduler: Scheduler | None, *, as_json: bool) -> int:
    from microtome.results.words import duration
    from microtome.search.driver import drive, summary
    from microtome.store.run import RunFolder

    run = RunFolder.open(folder)
    progress = Progress(as_json=as_json)
    end = drive(run, progress.event, scheduler=scheduler)
    progress.close()
    if end.state == "failed":
        raise InputError(end.message)
    data = summary(run)
    sentence = f"{run.path}: {end.state} after {duration(end.seconds)}{_evaluated(data)}"
    if end.state != "done":
        sentence += f". To go on: microtome resume {shlex.quote(str(run.path))}"
    finished(data, as_json=as_json, sentence=sentence)
    return 0 if end.state == "done" else 130


def _evaluated(data: dict[str, Any]) -> str:
    """What came out on the evaluation set, with its interval and its n; nothing where it was not opened."""
    if data.get("r2") is not None:
        low, high = data["interval"]
        error = f"RMSE {data['rmse']:.4g} {data['unit']}".rstrip()
        of = f"n = {data['n']} images of {data['volumes']} volumes"
        return f", evaluation R² {data['r2']:.3f} (95 % interval {low:.3f} … {high:.3f}, {of}), {error}"
    if data.get("accuracy") is None:
        return ""
    low, high = data["interval"]
    n = sum(one["total"] for one in data["per_class"].values())
    return f", evaluation accuracy {data['accuracy']:.1%} (95 % interval {low:.1%} … {high:.1%}, n = {n})"


_HERE = "It was measured on this computer; on the cluster trials take other times, and each worker runs one."


def run_command(options: argparse.Namespace) -> int:
    """`microtome run`: what a recipe says."""
    from microtome.from_recipe import fill_project
    from microtome.search.driver import create_run
    from microtome.search.ready import require_ready
    from microtome.search.recipe import load
    from microtome.session.limit import TimeLimit
    from microtome.store.project import Project

    scheduler = place(options)
    if options.queue and scheduler is not None:
        raise InputError(
            "A run that waits in the queue cannot have a cluster of its own.",
            "Leave out --scheduler: the queue trains where View → Where trials work… says; or leave out --queue.",
        )
    limit = TimeLimit.of(options.until) if options.until else None
    recipe = load(options.recipe)
    require_ready(recipe)
    project = Project.create(options.project)
    fill_project(project, recipe)
    if options.pilot:
        return _pilot(recipe, project, () if scheduler is None else (_HERE,), as_json=options.json)
    run = create_run(recipe, project, options.recipe.stem)
    if options.queue:
        return _enqueue(run, limit, as_json=options.json)
    if limit is not None:
        run.order("until", **limit.to_json())
    return _drive(run.path, scheduler, as_json=options.json)


def _pilot(recipe: Recipe, project: Project, remarks: tuple[str, ...], *, as_json: bool) -> int:
    """Promise what the recipe will take, from a minute at its corners; no run is made."""
    import msgspec

    from microtome.results.words import promise_words
    from microtome.search.forecast.pilot import pilot

    progress = Progress(as_json=as_json)
    found = pilot(recipe, project, report=progress.event)
    progress.close()
    if found is None:
        return 130
    notes = (*remarks, *found.notes)
    values = {k: v for k, v in msgspec.structs.asdict(found).items() if k != "time"} | {"notes": notes, "run": None}
    finished(values, as_json=as_json, sentence=" ".join((promise_words(found, None), _needs(found), *notes)))
    return 0


def _needs(found: Piloted) -> str:
    memory = max((int(c["memory"]) for c in found.corners), default=0)
    return (
        f"Memory: {size_words(memory)} a worker, {size_words(memory * found.workers)} for {found.workers}; "
        f"there are {size_words(found.total_memory)}. Disk: about {size_words(found.disk)}."
    )


def _enqueue(run: RunFolder, limit: TimeLimit | None, *, as_json: bool) -> int:
    """Let the run wait for its turn; it begins now where nothing else of the project runs."""
    from microtome.session.queue import Queue

    queue = Queue(run.path.parent.parent)
    queue.add(run, limit)
    begun = run.name in queue.advance()
    words = "begun, in a process of its own" if begun else f"waits as number {len(queue.waiting())} of the queue"
    finished({"run": str(run.path), "queued": not begun}, as_json=as_json, sentence=f"{run.path}: {words}")
    return 0


def resume_command(options: argparse.Namespace) -> int:
    """`microtome resume`: go on with a run; then with what waits in its project's queue, in a process of its own."""
    from microtome.session.queue import go_on
    from microtome.store.run import RunFolder

    try:
        return _drive(options.run, place(options), as_json=options.json)
    finally:
        go_on(RunFolder(options.run.resolve()))


def predict_command(options: argparse.Namespace) -> int:
    """`microtome predict`: the classes of volumes or images."""
    from microtome.results.predict import predict_paths, write_csv

    said = parse_settings(options.settings)
    rows = predict_paths(options.model, options.paths, slices=options.slices, seed=options.seed, options=said)
    if options.csv is not None:
        write_csv(rows, options.csv)
    for row in rows:
        if options.json:
            print(json.dumps({"event": "prediction", **row.to_json()}, ensure_ascii=False), flush=True)
        else:
            print(row.sentence())
            for warning in row.warnings:
                print(f"warning: {warning}", file=sys.stderr)
    data = {"predictions": [row.to_json() for row in rows], "csv": str(options.csv) if options.csv else None}
    finished(data, as_json=options.json, sentence=f"Saved {options.csv}" if options.csv else "")
    return 0


def export_command(options: argparse.Namespace) -> int:
    """`microtome export`: a network for other programs."""
    from microtome.training.export import FORMATS, export_model

    if options.format not in FORMATS:
        raise InputError(f"There is no export format “{options.format}”.", nearest(options.format, tuple(FORMATS)))
    export_model(options.model, options.format, options.out)
    finished({"file": str(options.out)}, as_json=options.json, sentence=f"Saved {options.out}")
    return 0


def report_command(options: argparse.Namespace) -> int:
    """`microtome report`: a project or a run as one HTML file."""
    from microtome.results.report import write_report

    if not options.target.exists():
        raise FileError(f"{options.target} does not exist.", "Give a project or a run folder.")
    write_report(options.target, options.out)
    finished({"file": str(options.out)}, as_json=options.json, sentence=f"Saved {options.out}")
    return 0
