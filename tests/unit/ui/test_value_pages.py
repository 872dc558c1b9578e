"""What the window shows of a network that tells a number, and how volumes get their values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from journals import start
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from microtome.events import EpochEnded, Evaluated, Event, RunEnded, TrialEnded
from microtome.session import Session
from microtome.slices.imageset import build
from microtome.store.project import Project
from microtome.ui.pages.evaluation import EvaluationPage
from microtome.ui.pages.run import RunPage
from microtome.ui.pages.slices import SlicesPage
from microtome.ui.pages.volumes import VolumesPage
from microtome.ui.views.run.ask_network import Subject
from microtome.ui.window import MainWindow
from microtome.volumes.read import describe

POINTS = ((0.05, 0.07, 0.01, 30), (0.12, 0.11, 0.02, 30), (0.2, 0.19, 0.015, 30))


def words(widget: QWidget) -> str:
    """All that the labels of a page say."""
    return " ".join(made.text() for made in widget.findChildren(QLabel) if not made.isHidden())


def _epoch(number: int, r2: float, points: tuple[tuple[float, float, float, int], ...] = POINTS) -> EpochEnded:
    return EpochEnded(
        trial=1,
        epoch=number,
        train_loss=1.0 - r2 / 2,
        train_accuracy=r2,
        validation_loss=1.0 - r2,
        validation_accuracy=r2,
        per_class={},
        confusion=(),
        learning_rate=1e-3,
        images_per_second=1000.0,
        seconds=1.0,
        r2=r2,
        mse=0.001,
        mae=0.02,
        points=points,
    )


def journal() -> list[Event]:
    """A training on a number, to its end."""
    worse = tuple((true, 0.1, 0.01, n) for true, _, _, n in POINTS)
    return [
        *start("train", 1, 3),
        _epoch(0, -3.0, worse),
        _epoch(1, 0.81),
        _epoch(2, 0.6, worse),
        TrialEnded(trial=1, outcome="done", value=0.81, best_epoch=1, seconds=3.0),
        Evaluated(
            trial=1,
            accuracy=0.77,
            interval=(0.41, 0.9),
            per_class={},
            confusion=(),
            baseline={"radial spectrum + ridge regression": 0.7},
            baseline_gains={"radial spectrum + ridge regression": (0.07, -0.1, 0.2)},
            r2=0.77,
            rmse=1.234,
            mae=0.9,
            unit="MPa",
            n=90,
            points=POINTS,
            caution="The interval is that of drawing the 3 volumes anew.",
        ),
        RunEnded(state="done", best_trial=1),
    ]


def test_a_training_on_a_number_shows_r2_and_a_dot_a_volume(open_run: Callable[..., RunPage]) -> None:
    page = open_run("run", journal())
    assert page.scatter is not None
    assert page.scatter.points == POINTS, "of the best epoch"
    assert [c.trial.number for c in page.curves.cards] == [1] * 4
    assert page._matrix.isHidden()
    said = words(page)
    assert "0.770" in said
    assert "95 % interval 0.410 … 0.900, n = 90" in said
    assert "Typical error (RMSE) 1.234 MPa" in said
    assert "drawing the 3 volumes" in said
    assert "Not shown to be better than radial spectrum + ridge regression" in said
    assert "%" not in page.accuracy.plot.getPlotItem().getAxis("left").labelText


def test_its_evaluation_shows_volumes_instead_of_confusion(open_run: Callable[..., EvaluationPage]) -> None:
    page = open_run("evaluation", journal())
    assert not page.scatter.isHidden()
    assert page.scatter.points == POINTS
    assert all(part.isHidden() for part in page._of_classes)
    assert page.scatter._table()[1][0] == POINTS[0]


@pytest.fixture
def valued(window: MainWindow, project: Project) -> Session:
    """A project with two simulated volumes."""
    session = window.desk.session
    session.add_simulated("rnd", seed=1, class_name="a")
    window.desk.announce(session.add_simulated("rnd", seed=2, class_name="a"))
    return session


def test_values_are_typed_into_the_table(valued: Session, window: MainWindow) -> None:
    window.desk.open_page("volumes")
    page = window.tabs.page("volumes")
    assert isinstance(page, VolumesPage)
    page.table.fill(valued.need_project().volumes)
    first = next(v for v in valued.need_project().volumes if v.class_name == "a")
    page.table._keep_value(first.id, "3,5")
    assert valued.volume(first.id).value == 3.5
    page.table._keep_value(first.id, "much")
    assert valued.volume(first.id).value == 3.5
    assert "no number" in window.desk.messages[-1].text
    assert _values(valued) == [None, None], "classes are told: the value does not matter"
    valued.set_value("training.target", "value")
    assert _values(valued) == [3.5, None]


def _values(session: Session) -> list[float | None]:
    return [s.value for source in session.recipe().classes if source.name == "a" for s in source.simulated]


ANSWER = {"path": "one.tif", "value": 3.25, "deviation": 0.4, "residual": 0.2, "learnt": [1.0, 5.0], "unit": "MPa"}


def answered(page: RunPage) -> str:
    """What the card says now: labels of this moment are not laid out yet."""
    shown = [page.ask.said.itemAt(i).widget() for i in range(page.ask.said.count())]
    return " ".join(
        part.text() for made in shown if made for part in [made, *made.findChildren(QLabel)] if isinstance(part, QLabel)
    )


def test_the_network_answers_with_a_number_and_its_error(open_run: Callable[..., RunPage]) -> None:
    page = open_run("run", journal())
    page.ask.subject = Subject("one.tif", path=Path("one.tif"))
    page.ask._landed({**ANSWER, "slices": 50, "warnings": [], "epoch": 0})
    said = answered(page)
    assert "3.25 ± 0.2 MPa, asked of epoch 1." in said
    assert "standard deviation of 0.4 MPa" in said
    assert "It lies within what the network learned from, 1 … 5 MPa." in said
    assert [(b.low, b.high) for b in page.ask.scale.bars] == [(3.05, 3.45), (1.0, 5.0)]
    assert page.ask.bars.isHidden()
    beyond = "The network learned from values of 1 … 5; beyond them it is not to be trusted."
    page.ask._landed({**ANSWER, "value": 6.0, "slices": 50, "warnings": [beyond], "epoch": 2})
    said = answered(page)
    assert "beyond them it is not to be trusted" in said
    assert "It lies within" not in said
    assert "epoch 1: 3.25 MPa → epoch 3: 6 MPa" in said
    header, rows = page.ask._table()
    assert dict(zip(header, rows[1], strict=True))["value"] == 6.0


def test_an_answer_of_an_older_network_names_no_error(open_run: Callable[..., RunPage]) -> None:
    page = open_run("run", journal())
    page.ask.subject = Subject("one.tif", path=Path("one.tif"))
    page.ask._landed({**ANSWER, "residual": None, "slices": 1, "warnings": [], "epoch": 0})
    assert "3.25 MPa, asked of epoch 1." in answered(page)
    assert "±" not in answered(page)


def test_the_slices_page_shows_volumes_by_their_values(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    session = window.desk.session
    window.desk.perform(lambda: session.new_project(tmp_path / "project"))
    rng = np.random.default_rng(1)
    for i, value in enumerate(("3", "1", "", "2")):
        tifffile.imwrite(tmp_path / f"v{i}.tif", rng.integers(0, 255, (48, 48, 48), dtype=np.uint8))
        session.add_volume(describe(tmp_path / f"v{i}.tif"), "ab"[i % 2])
        session.set_volume_value(session.need_project().volumes[-1].id, value)
    for name, setting in (("pixels", 16), ("field_of_view", 16.0), ("train", 12), ("validation", 6), ("evaluation", 6)):
        session.set_value(f"slices.{name}", setting)
    session.set_value("training.target", "value")
    window.desk.announce(session.set_value("training.value_unit", "MPa"))
    window.resize(1280, 800)
    window.show()
    window.desk.open_page("slices")
    page = window.tabs.page("slices")
    assert isinstance(page, SlicesPage)
    qtbot.waitUntil(lambda: not page.waiting and page.read.settled and page.look is not None, timeout=60_000)
    assert [row.name for row in page.read.rows] == ["1 MPa", "2 MPa", "3 MPa", "–"], "in the order of the values"
    assert [row.caption for row in page.read.rows] == ["v1.tif", "v3.tif", "v0.tif", "v2.tif"]
    assert "no number" in page.read.rows[3].problem
    assert len({row.shade for row in page.read.rows[:3]}) == 3
    assert page.face is not None and page.face.scale.words() == ("1", "3 MPa")
    assert {len(set(row.strips)) for row in page.read.rows[:3]} == {1}, "whole volumes serve one set"
    assert page.read.tiles[0][0].told == "1 MPa"
    assert page.look.images == 48, "as many as the two classes had together"

    window.desk.announce(session.set_volume_value(session.need_project().volumes[2].id, "4"))
    qtbot.waitUntil(lambda: page.look is not None and bool(page.look.hash) and not page.waiting, timeout=60_000)
    recipe = session.recipe()
    made = build(*recipe.cut, session.need_project().imagesets)
    assert made.hash == page.look.hash, "what was seen is what is cut"
    page.face.sets.fill()
    qtbot.waitUntil(lambda: bool(page.face and page.face.sets.kept), timeout=60_000)
    assert "values 1 … 4 MPa of 4 volumes" in words(page.face.sets)
