"""The commands about runs and what comes out of them: train, search, go on, predict, export, report."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from microtome.cli.clusters import place
from microtome.errors import FileError, InputError, nearest
from microtome.terminal import Progress, finished

if TYPE_CHECKING:
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
    sentence = f"{run.path}: {end.state} after {duration(end.seconds)}"
    if data.get("r2") is not None:
        low, high = data["interval"]
        sentence += f", evaluation R² {data['r2']:.3f} (95 % interval {low:.3f} … {high:.3f}), "
        sentence += f"RMSE {data['rmse']:.4g} {data['unit']}".rstrip()
    if data.get("accuracy") is not None:
        low, high = data["interval"]
        sentence += f", evaluation accuracy {data['accuracy']:.1%} (95 % interval {low:.1%} … {high:.1%})"
    finished(data, as_json=as_json, sentence=sentence)
    return 0 if end.state == "done" else 130


def run_command(options: argparse.Namespace) -> int:
    """`microtome run`: what a recipe says."""
    from microtome.from_recipe import fill_project
    from microtome.search.driver import create_run
    from microtome.search.recipe import load, require_classes
    from microtome.session.limit import TimeLimit
    from microtome.store.project import Project

    scheduler = place(options)
    recipe = load(options.recipe)
    require_classes(recipe)
    project = Project.create(options.project)
    fill_project(project, recipe)
    if options.pilot:
        return _pilot(recipe, project, as_json=options.json)
    limit = TimeLimit.of(options.until) if options.until else None
    run = create_run(recipe, project, options.recipe.stem)
    if options.queue:
        return _enqueue(run, limit, as_json=options.json)
    if limit is not None:
        run.order("until", **limit.to_json())
    return _drive(run.path, scheduler, as_json=options.json)


def _pilot(recipe: Recipe, project: Project, *, as_json: bool) -> int:
    """Promise what the recipe will take, from a minute at its corners; no run is made."""
    import msgspec

    from microtome.results.words import promise_words
    from microtome.search.forecast.pilot import pilot

    progress = Progress(as_json=as_json)
    found = pilot(recipe, project, report=progress.event)
    progress.close()
    if found is None:
        return 130
    values = {k: v for k, v in msgspec.structs.asdict(found).items() if k != "time"}
    notes = "".join(f" {words}" for words in found.notes)
    finished({**values, "run": None}, as_json=as_json, sentence=f"{promise_words(found, None)}{notes}")
    return 0


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

    rows = predict_paths(options.model, options.paths, slices=options.slices, seed=options.seed)
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
