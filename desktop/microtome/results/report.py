"""A run or a project as one self-contained HTML file: what was cut, trained and found, and a methods paragraph."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from microtome import __version__
from microtome.errors import FileError, MicrotomeError
from microtome.paths import resources
from microtome.results.fold import RunState, fold_all
from microtome.results.report_parts import RunReport, run_section, runs_table, tag
from microtome.search.recipe import load
from microtome.store.atomic import read_json, write_text
from microtome.store.journal import read_all
from microtome.store.project import Project
from microtome.store.run import RunFolder

_SHOWN = ("window", "surface", "sunken", "text", "muted", "line", "grid", "accent", "grey_curve")
_TONES = ("good", "good_soft", "warn", "warn_soft", "bad", "bad_soft")


def write_report(target: Path, out: Path) -> None:
    """Write the report of a project folder or a run folder to `out`.

    Raises FileError where `target` is neither, or where `out` cannot be written.
    """
    if (target / "run.json").is_file():
        run = RunFolder.open(target)
        runs, name = [run], run.name
    elif (target / "project.json").is_file() or target.name == "project.json":
        project = Project.open(target)
        runs, name = project.runs(), project.name
    else:
        raise FileError(f"{target} is neither a project nor a run.", "Choose a project folder, or a folder inside its runs/.")
    write_text(out, page(name, [gather(run) for run in runs]))


def gather(run: RunFolder) -> RunReport:
    """All that the report needs of a run; what cannot be read is said in the report instead."""
    state, problems = RunState(), []
    try:
        state = fold_all(read_all(run.events))
    except MicrotomeError as error:
        problems.append(str(error))
    recipe = None
    try:
        recipe = load(run.recipe)
    except MicrotomeError as error:
        problems.append(str(error))
    return RunReport(run.name, run.info(), state, recipe, _plan(run, state), tuple(problems))


def _plan(run: RunFolder, state: RunState) -> dict[str, Any]:
    if state.image_set is None:
        return {}
    file = run.path.parent.parent / "imagesets" / state.image_set.hash / "plan.json"
    # The set may have been deleted to save space, or the run copied elsewhere; the report then says less.
    return read_json(file) if file.is_file() else {}


def page(name: str, reports: list[RunReport]) -> str:
    """The whole HTML text."""
    body = [
        tag("header", tag("h1", name), tag("div", f"Microtome {__version__} · {time.strftime('%Y-%m-%d %H:%M')}", cls="muted"))
    ]
    if not reports:
        body.append(tag("p", "This project has no runs yet: train a network, then write the report again."))
    if len(reports) > 1:
        body.append(runs_table(reports))
    body += [run_section(r) for r in reversed(reports)]
    body.append(tag("footer", "Made by Microtome. The run folders named here hold all data behind these figures."))
    style = _colours() + (resources() / "report" / "report.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{tag('title', f'{name} – Microtome report')}<style>{style}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _colours() -> str:
    """The window's light and dark colours as CSS variables; print is always light."""
    blocks = {}
    for mode in ("light", "dark"):
        theme = json.loads((resources() / "theme" / f"{mode}.json").read_text(encoding="utf-8"))
        names = {key: theme[key] for key in (*_SHOWN, *_TONES)}
        names |= {f"c{i}": colour for i, colour in enumerate(theme["classes"])}
        blocks[mode] = "".join(f"--{key}:{value};" for key, value in names.items())
    return f":root{{{blocks['light']}}}@media screen and (prefers-color-scheme:dark){{:root{{{blocks['dark']}}}}}\n"
