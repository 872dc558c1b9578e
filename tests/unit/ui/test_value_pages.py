"""What the window shows of a network that tells a number, and how volumes get their values."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from journals import start
from PySide6.QtWidgets import QLabel, QWidget

from microtome.events import EpochEnded, Evaluated, Event, RunEnded, TrialEnded
from microtome.session import Session
from microtome.store.project import Project
from microtome.ui.pages.evaluation import EvaluationPage
from microtome.ui.pages.run import RunPage
from microtome.ui.pages.volumes import VolumesPage
from microtome.ui.window import MainWindow

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
    assert "95 % interval 0.410 – 0.900, n = 90" in said
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
