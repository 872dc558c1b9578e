"""The main job through the window: two volumes, a training watched live, a search, the best network taken over, all kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from microtome.ui.pages.evaluation import EvaluationPage
from microtome.ui.pages.run import RunPage
from microtome.ui.pages.search import SearchPage
from microtome.ui.tail import RunTail
from microtome.ui.window import MainWindow
from microtome.volumes.read import describe

Press = Callable[[MainWindow, str], None]
LONG = 150_000
LASTING = 5000  # epochs: no training comes to its end before its user has pressed what a test presses
SMALL = {
    "slices.field_of_view": 24.0,
    "slices.pixels": 24,
    "slices.train": 48,
    "slices.validation": 16,
    "slices.evaluation": 24,
    "network.convolutions": 2,
    "network.dense": 1,
    "network.width": 8,
    "network.dense_width": 64,
    "training.epochs": 6,
    "training.learning_rate": 2e-3,
    "search.algorithm": "random",
    "search.budget": 3,
    "search.workers": 2,
}


def ready(window: MainWindow, files: list[Path], project: Path) -> None:
    """A project of two classes with settings for a quick job."""
    session = window.desk.session
    window.desk.perform(lambda: session.new_project(project))
    for file in files:
        window.desk.perform(lambda f=file: session.add_volume(describe(f), f.stem))  # type: ignore[misc]
    for name, value in SMALL.items():
        window.desk.perform(lambda n=name, v=value: session.set_value(n, v))  # type: ignore[misc]


def new_run(window: MainWindow, page: str, words: str, press: Press, qtbot: QtBot) -> RunTail:
    """Press Start and wait for the end of the run."""
    known = {t.run.name for t in window.desk.tails.all()}
    window.desk.open_page(page)
    press(window, words)
    qtbot.waitUntil(lambda: len(window.desk.tails.all()) > len(known), timeout=LONG)
    tail = next(t for t in window.desk.tails.all() if t.run.name not in known)
    qtbot.waitUntil(lambda: tail.state.finished and tail.caught_up and not tail.driving, timeout=LONG)
    return tail


@pytest.mark.timeout(400)
def test_train_search_and_take_over(
    make_window: Callable[[], MainWindow], press: Press, volume_files: list[Path], tmp_path: Path, qtbot: QtBot
) -> None:
    window = make_window()
    session = window.desk.session
    ready(window, volume_files, tmp_path / "project")

    training = new_run(window, "train", "Start training", press, qtbot)
    assert training.state.state == "done", training.state.message
    page = window.tabs.current()
    assert isinstance(page, RunPage)
    assert page.key == f"run:{training.run.name}"
    state = training.state
    assert len(state.trials[1].epochs) == 6
    assert state.evaluated is not None
    assert {name: total for name, (_, total) in state.evaluated.per_class.items()} == {"fine": 24, "coarse": 24}
    assert state.evaluated.accuracy > 0.7, "fine and coarse noise are easily told apart"
    assert state.evaluated.baseline, "simple methods stand beside the network"

    session.set_axis("training.learning_rate", {"low": 1e-4, "high": 1e-2, "log": True})
    session.set_axis("network.activation", ["relu", "gelu"])
    search = new_run(window, "optimise", "Start search", press, qtbot)
    assert search.state.state == "done", search.state.message
    assert isinstance(window.tabs.current(), SearchPage)
    assert len(search.state.ended_trials()) == 3
    best = search.state.best
    assert best is not None
    assert set(best.parameters) == {"training.learning_rate", "network.activation"}
    press(window, "Use this network")
    assert session.value("training.learning_rate") == pytest.approx(best.parameters["training.learning_rate"])
    assert session.value("network.activation") == best.parameters["network.activation"]

    window.desk.open_page(f"evaluation:{training.run.name}")
    qtbot.waitUntil(lambda: window.desk.tasks.pending() == 0, timeout=LONG)
    assert isinstance(window.tabs.current(), EvaluationPage)
    window.close()

    again = make_window()
    again.desk.perform(lambda: again.desk.session.open_project(tmp_path / "project"))
    tails = again.desk.tails
    qtbot.waitUntil(lambda: len(tails.all()) == 2 and all(t.caught_up for t in tails.all()), timeout=LONG)
    assert [t.state.evaluated.accuracy for t in tails.all() if t.state.evaluated] == [
        state.evaluated.accuracy,
        search.state.evaluated.accuracy if search.state.evaluated else None,
    ]
    front = again.tabs.current()
    assert isinstance(front, EvaluationPage), "the page in front comes back"


@pytest.mark.timeout(400)
def test_pause_stop_and_go_on(
    make_window: Callable[[], MainWindow], press: Press, volume_files: list[Path], tmp_path: Path, qtbot: QtBot
) -> None:
    window = make_window()
    session = window.desk.session
    ready(window, volume_files, tmp_path / "project")
    session.set_value("training.epochs", LASTING)
    window.desk.open_page("train")
    press(window, "Start training")
    qtbot.waitUntil(lambda: len(window.desk.tails.all()) == 1, timeout=LONG)
    tail = window.desk.tails.all()[0]
    qtbot.waitUntil(lambda: bool(tail.state.trials) and len(tail.state.trials[1].epochs) >= 2, timeout=LONG)
    press(window, "Pause")
    qtbot.waitUntil(lambda: tail.word == "paused", timeout=LONG)
    press(window, "Resume")
    qtbot.waitUntil(lambda: tail.word == "running", timeout=LONG)
    press(window, "Stop")
    qtbot.waitUntil(lambda: tail.word == "stopped" and not tail.driving, timeout=LONG)
    kept = len(tail.state.trials[1].epochs)
    assert 2 <= kept < LASTING
    press(window, "Continue")
    qtbot.waitUntil(lambda: len(tail.state.trials[1].epochs) >= kept + 2, timeout=LONG)
    press(window, "Stop")
    qtbot.waitUntil(lambda: tail.word == "stopped" and not tail.driving, timeout=LONG)
    epochs = [e.epoch for e in tail.state.trials[1].epochs]
    assert epochs == list(range(len(epochs))), "every epoch once, in order"
