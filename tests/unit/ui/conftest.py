"""Lets tests of the run pages import `journals`, and lays a run with such a journal into a project."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from microtome.events import Event
from microtome.search.recipe import dumps, parse
from microtome.session import Session
from microtome.store.atomic import write_json
from microtome.store.project import Project
from microtome.store.run import RunFolder
from microtome.ui.desk import Desk
from microtome.ui.window import MainWindow

sys.path.insert(0, str(Path(__file__).parents[1] / "results"))

CLASSES = ("cement", "bone", "骨 & <fibre>")
LayRun = Callable[[Project, Sequence[Event]], RunFolder]
Idle = Callable[[MainWindow], None]
_WAIT_MS = 60_000


@pytest.fixture
def desk(qapp: QApplication) -> Iterator[Desk]:
    """What views share, of a session without a project."""
    made = Desk(Session())
    yield made
    made.deleteLater()


@pytest.fixture
def lay_run() -> LayRun:
    """A finished or interrupted run in a project, with the files that its pages read."""

    def lay(project: Project, events: Sequence[Event]) -> RunFolder:
        kind = events[0].kind  # type: ignore[attr-defined]
        table = {
            "class": [{"name": name, "simulate": {"kind": "rnd", "seed": i}} for i, name in enumerate(CLASSES)],
            "training": {"epochs": 2},
        }
        if kind == "search":
            space = {
                "training.learning_rate": {"low": 1e-4, "high": 0.1, "log": True},
                "network.activation": ["relu", "gelu", "silu"],
                "network.dense": {"low": 0, "high": 4},
            }
            table["search"] = {"algorithm": "random", "space": space}  # type: ignore[assignment]
        run = RunFolder.create(project.runs_dir, name=kind, info={"kind": kind}, recipe_toml=dumps(parse(table)))
        with run.writer() as journal:
            for event in events:
                journal.append(event)
        folder = project.imagesets / "abc"
        write_json(folder / "plan.json", {"plan": {"field_of_view": 64.0}, "independence": "The sets share no voxel."})
        np.save(folder / "images.npy", np.random.default_rng(0).random((20, 16, 16), dtype=np.float32))
        for trial in (1, 3):
            _predictions(run.trial(trial) / "predictions.csv")
        return run

    return lay


@pytest.fixture
def project(window: MainWindow, tmp_path: Path) -> Project:
    """An open project with two simulated classes."""
    session = window.desk.session
    window.desk.perform(lambda: session.new_project(tmp_path / "project"))
    for kind in ("m-sbr", "rnd"):
        window.desk.perform(lambda kind=kind: session.add_simulated(kind, seed=1, class_name=kind))  # type: ignore[misc]
    return session.need_project()


@pytest.fixture
def open_run(window: MainWindow, project: Project, lay_run: LayRun, qtbot: QtBot, idle: Idle) -> Callable[..., QWidget]:
    """Lays a run into the project, opens its page and waits until all is drawn."""

    def open_page(prefix: str, events: Sequence[Event]) -> QWidget:
        run = lay_run(project, events)
        window.desk.tails.sync()
        tail = window.desk.tails.get(run.name)
        assert tail is not None
        qtbot.waitUntil(lambda: tail.caught_up and bool(tail.state.version), timeout=_WAIT_MS)
        page = window.tabs.open(f"{prefix}:{run.name}")
        idle(window)
        for owner in (page, getattr(page, "board", page)):
            if hasattr(owner, "redraw"):
                owner.redraw.now()
        return page

    return open_page


def _predictions(path: Path) -> None:
    """Three images of bone were called cement (with 60, 90 and 75 %), one of cement was called bone."""
    path.parent.mkdir(parents=True)
    rows = [(4, "bone", "cement", 0.6), (9, "bone", "cement", 0.9), (2, "bone", "cement", 0.75), (7, "cement", "bone", 0.8)]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "true", "predicted", *(f"p_{name}" for name in CLASSES)])
        for image, true, said, share in rows:
            writer.writerow([image, true, said, *(share if name == said else (1 - share) / 2 for name in CLASSES)])
