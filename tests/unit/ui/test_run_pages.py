"""The pages before, during and after a run, in a real window, on journals as a driver writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from journals import CLASSES, searching, training
from PySide6.QtWidgets import QLabel, QMenu, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from microtome.errors import FileError
from microtome.events import Event, RunEnded
from microtome.session import Session
from microtome.store.project import Project
from microtome.store.run import RunFolder, RunLock
from microtome.ui import i18n, theme
from microtome.ui.forecast import epoch_seconds, last_speed, search_facts, stopping_facts
from microtome.ui.form import Form
from microtome.ui.menus import set_language, set_theme
from microtome.ui.pages.evaluation import EvaluationPage, cell_images
from microtome.ui.pages.optimise import OptimisePage, engines
from microtome.ui.pages.run import RunPage
from microtome.ui.pages.search import SearchPage
from microtome.ui.pages.training import TrainingSetupPage
from microtome.ui.search_again import adopt
from microtome.ui.window import MainWindow

LayRun = Callable[[Project, Sequence[Event]], RunFolder]
Idle = Callable[[MainWindow], None]
_WAIT_MS = 60_000


def words(widget: QWidget) -> str:
    """All that the labels of a page say."""
    return " ".join(made.text() for made in widget.findChildren(QLabel) if not made.isHidden())


def test_a_finished_training_shows_curves_confusion_verdict_and_counts(open_run: Callable[..., RunPage], qtbot: QtBot) -> None:
    page = open_run("run", training())
    assert page.header.badge.text() == "done"
    assert len(page.accuracy.trial.epochs) == 4
    assert page.confusion.classes == CLASSES
    assert page.confusion.counts == page.accuracy.trial.epochs[2].confusion, "of the best epoch"
    page._which.choose("last")
    assert page.confusion.counts == page.accuracy.trial.epochs[3].confusion
    said = words(page)
    assert "Images a class: 300 for training, 100 for validation, 50 for evaluation" in said
    assert "A pixel is 4 nm." in said
    qtbot.waitUntil(lambda: "The sets share no voxel." in words(page))
    assert "Look out & <b>" in said
    assert not page.verdict.isHidden()
    assert page.header.pause.isHidden()
    assert page.header.again.isHidden()


def test_an_interrupted_training_offers_to_go_on(open_run: Callable[..., RunPage]) -> None:
    page = open_run("run", training(finished=False))
    assert page.header.badge.text() == "interrupted"
    assert not page.header.again.isHidden()
    assert "ended unexpectedly" in words(page)
    assert page.verdict.isHidden()


def test_over_fitting_is_said(open_run: Callable[..., RunPage]) -> None:
    from journals import epoch, start

    losses = [(1.0, 1.0), (0.7, 0.6), (0.5, 0.7), (0.3, 0.9), (0.2, 1.1), (0.1, 1.3)]
    epochs = [epoch(1, i, accuracy=0.5, train=t, validation=v) for i, (t, v) in enumerate(losses)]
    page = open_run("run", [*start("train", 1, 6), *epochs])
    assert "Over-fitting since epoch 2" in words(page)


def test_what_the_user_set_up_survives_another_theme_and_language(open_run: Callable[..., RunPage], window: MainWindow) -> None:
    page = open_run("run", training())
    page.log.setChecked(True)
    page.smooth.setValue(40)
    key = page.key
    set_theme(window, "dark")
    again = window.tabs.page(key)
    assert isinstance(again, RunPage)
    assert again is not page
    assert again.log.isChecked()
    assert again.smooth.value() == 40
    set_language(window, "ja")
    again = window.tabs.page(key)
    assert again is not None
    assert "学習" in words(again) or "損失" in words(again)
    set_language(window, "en")
    set_theme(window, "light")
    assert theme.current().name == "light"
    assert i18n.language() == "en"


def test_one_selection_is_shared_by_all_views_of_a_search(open_run: Callable[..., SearchPage]) -> None:
    page = open_run("search", searching())
    board = page.board
    assert (board.chosen, board.user_chose) == (3, False), "the best, until the user picks one"
    assert "trial 3 · 80.0 % · best" in board.trial.title.text()
    board.table.selectRow(0)
    assert (board.chosen, board.user_chose) == (1, True)
    assert board.stairs._chosen == board.curves._chosen == board.parallel._chosen == board.timeline._chosen == 1
    assert "trial 1" in board.trial.title.text()
    board.trial.follow.click()
    assert (board.chosen, board.user_chose) == (3, False)
    assert board.table.chosen() == 3
    assert board.parallel.space["training.learning_rate"].log, "the scales come from the recipe"


def test_a_failed_trial_says_why_it_is_none(open_run: Callable[..., SearchPage]) -> None:
    page = open_run("search", searching())
    page.board.picked.emit(4)
    assert "failed" in words(page.board.trial)


def test_a_finished_search_offers_to_search_further(
    open_run: Callable[..., SearchPage], window: MainWindow, qtbot: QtBot
) -> None:
    page = open_run("search", searching())
    assert page.edit_space.isHidden() and page.own_trial.isHidden(), "nothing takes such orders any more"
    assert "finished" in page.space.reason(active=False)
    assert not page.further.isHidden()
    qtbot.waitUntil(lambda: page.space.recipe is not None, timeout=_WAIT_MS)
    session = window.desk.session
    depends = {"choices": [0.0, 0.3], "when": {"network.activation": ["relu"]}}
    page.space._given["network.dropout"] = depends
    session.set_axis("network.kernel", {"low": 3, "high": 5})
    page.further.click()
    assert session.value("search.warm_start") is True
    assert session.value("training.epochs") == 2
    assert session.value("search.algorithm") == "random"
    assert set(session.axes()) == set(page.space.table()), "those of the search"
    assert session.axes()["network.dropout"] == [0.0, 0.3], "without its condition"
    assert isinstance(window.tabs.current(), OptimisePage)


def test_a_search_says_what_its_values_are(open_run: Callable[..., SearchPage], qtbot: QtBot) -> None:
    page = open_run("search", searching())
    qtbot.waitUntil(lambda: "mean accuracy of the classes" in page.about.text(), timeout=_WAIT_MS)


def test_use_this_network_makes_the_best_trial_the_working_recipe(
    open_run: Callable[..., SearchPage], window: MainWindow
) -> None:
    page = open_run("search", searching())
    session = window.desk.session
    session.set_value("training.epochs", 33)
    page.board.trial.use.click()
    assert session.value("training.learning_rate") == 5e-3
    assert session.value("network.activation") == "relu"
    assert session.value("training.epochs") == 2, "what the search fixed is taken over, too"
    assert window.desk.messages[-1].level == "good"


def test_adopting_takes_the_network_of_the_run(project: Project, lay_run: LayRun, window: MainWindow) -> None:
    run = lay_run(project, searching())
    from microtome.results.fold import fold_all

    trial = fold_all(searching()).trials[2]
    session: Session = window.desk.session
    adopt(session, run, trial)
    assert session.network_name() == "cnn"
    assert session.value("network.dense") == 2
    assert session.value("network.activation") == "gelu"


def test_a_search_keeps_its_choice_and_filter(open_run: Callable[..., SearchPage], window: MainWindow) -> None:
    page = open_run("search", searching())
    page.board.picked.emit(2)
    page.board.filter.setText("gelu")
    kept = page.keep()
    assert kept["chosen"] == 2
    key = page.key
    window.tabs.close_page(page)
    again = window.tabs.open(key, kept)
    assert isinstance(again, SearchPage)
    again.board.redraw.now()
    assert again.board.chosen == 2
    assert [t.number for t in again.board.table.shown.trials] == [2, 5]


def test_a_wide_window_has_three_cards_beside_each_other(open_run: Callable[..., SearchPage], window: MainWindow) -> None:
    page = open_run("search", searching())
    assert page.board.trial.y() > page.board.stairs.y()
    window.resize(1920, 1080)
    page.board.resize(1400, 800)
    page.board.layout().activate()
    assert page.board.trial.y() == page.board.stairs.y()


def test_a_click_on_a_cell_shows_its_images(open_run: Callable[..., EvaluationPage], window: MainWindow, idle: Idle) -> None:
    page = open_run("evaluation", training())
    assert page.confusion.chosen == (1, 2), "the cell with most mistakes first"
    page.confusion.choose((1, 0))
    page.confusion.picked.emit(1, 0)
    idle(window)
    assert "3 images of bone that were called cement" in words(page)
    assert len(page.gallery.rows[0].images) == 3
    page.confusion.picked.emit(0, 2)
    idle(window)
    assert page.gallery.rows == []
    assert "0 images" in words(page)


def test_images_come_least_certain_first(project: Project, lay_run: LayRun) -> None:
    import numpy as np

    run = lay_run(project, training())
    images = project.imagesets / "abc" / "images.npy"
    found = cell_images(run.trial(1) / "predictions.csv", images, "bone", "cement")
    assert found.total == 3
    assert np.array_equal(found.images, np.load(images)[[4, 2, 9]])


def test_lost_and_damaged_files_of_an_evaluation_are_sentences(project: Project, lay_run: LayRun) -> None:
    run = lay_run(project, training())
    images, predictions = project.imagesets / "abc" / "images.npy", run.trial(1) / "predictions.csv"
    with pytest.raises(FileError, match="nothing"):
        cell_images(predictions, images.parent / "nothing.npy", "bone", "cement")
    predictions.write_text("image,true\n1,bone\n")
    with pytest.raises(FileError, match="damaged"):
        cell_images(predictions, images, "bone", "cement")
    predictions.unlink()
    with pytest.raises(FileError, match="predictions"):
        cell_images(predictions, images, "bone", "cement")


def test_a_run_without_evaluation_says_when_there_will_be_one(open_run: Callable[..., EvaluationPage]) -> None:
    page = open_run("evaluation", training(finished=False))
    assert "Not evaluated yet" in words(page)


def test_setup_pages_say_what_is_missing(window: MainWindow, tmp_path: Path) -> None:
    window.desk.perform(lambda: window.desk.session.new_project(tmp_path / "empty"))
    for key, text in (("train", "Nothing to train on yet"), ("optimise", "Nothing to search yet")):
        assert text in words(window.tabs.open(key))


def test_start_waits_for_every_field_to_be_right(window: MainWindow, project: Project) -> None:
    page = window.tabs.open("train")
    assert isinstance(page, TrainingSetupPage) and page.face is not None
    assert page.face.start_button.isEnabled()
    row = next(f for f in page.face.parts if isinstance(f, Form) and f.section == "training").rows["epochs"]
    row.show_problem("Epochs must be a number.")
    assert not page.face.start_button.isEnabled()
    row.show_problem("")
    assert page.face.start_button.isEnabled()


def test_a_setting_is_added_to_the_search_and_taken_off(window: MainWindow, project: Project) -> None:
    page = window.tabs.open("optimise")
    assert isinstance(page, OptimisePage)
    assert not page.start_button.isEnabled(), "there is nothing to vary"
    menu = page.menu(page.start_button)
    actions = {a.text(): a for section in menu.findChildren(QMenu) for a in section.actions()}
    actions["Learning rate"].trigger()
    session = window.desk.session
    assert list(session.axes()) == ["training.learning_rate"]
    assert list(page.rows) == ["training.learning_rate"]
    assert page.start_button.isEnabled()
    again = page.menu(page.start_button)
    assert "Learning rate" not in {a.text() for section in again.findChildren(QMenu) for a in section.actions()}
    assert not {"Seed", "Learn to tell", "Unit", "GPUs a training"} & set(actions)
    page.rows["training.learning_rate"].editor.edited.emit({"low": 1.0, "high": 0.1, "log": True})
    assert "Exchange the two" in page.rows["training.learning_rate"].problem.text()
    window.desk.perform(lambda: session.set_axis("training.learning_rate", None))
    assert page.rows == {}


def test_the_usual_settings_are_added_with_one_click_and_what_is_missing_is_said(window: MainWindow, project: Project) -> None:
    page = window.tabs.open("optimise")
    assert isinstance(page, OptimisePage)
    assert "nothing to vary" in words(page)
    next(made for made in page.findChildren(QPushButton) if made.text() == "Add the usual ones").click()
    assert list(page.rows) == ["training.learning_rate", "network.convolutions", "network.width", "network.dropout"]
    assert page.start_button.isEnabled()
    assert "nothing to vary" not in words(page)


def test_every_engine_can_be_chosen_by_name(window: MainWindow, project: Project) -> None:
    page = window.tabs.open("optimise")
    assert isinstance(page, OptimisePage)
    assert page.engine is not None
    assert engines()[0][0] == "auto"
    for name, _ in engines():
        page.engine.choose(name)
        page.engine.activated.emit(page.engine.currentIndex())
        assert window.desk.session.value("search.algorithm") == name


def test_the_forecast_counts_images_epochs_and_rounds(window: MainWindow, project: Project) -> None:
    session = window.desk.session
    for name, value in {"slices.train": 100, "slices.validation": 30, "training.epochs": 10, "search.budget": 5}.items():
        session.set_value(name, value)
    assert epoch_seconds(session, 100.0) == pytest.approx((200 + 20) / 100)
    assert "1 min" in dict(search_facts(session, (100.0, "run")))["Time"], "five trials on two workers are three rounds"
    session.set_value("training.epochs", 27)
    whole, told = dict(search_facts(session, (100.0, "run")))["Time"], dict(stopping_facts(session))["Early stopping"]
    assert "“auto”" in told and "30 %" in told
    session.set_value("search.early_stopping", "auto")
    assert dict(search_facts(session, (100.0, "run")))["Time"] != whole
    assert dict(stopping_facts(session))["Early stopping"].startswith("19")
    session.set_value("training.epochs", 1)
    assert not stopping_facts(session)


def test_the_last_run_tells_the_speed(open_run: Callable[..., RunPage], window: MainWindow) -> None:
    assert last_speed(window.desk) == (0.0, "")
    page = open_run("run", training())
    assert last_speed(window.desk) == (250.0, page.argument)


def test_a_stopped_search_that_goes_on_takes_orders_as_soon_as_its_driver_lives(
    open_run: Callable[..., SearchPage], window: MainWindow, qtbot: QtBot
) -> None:
    stopped = [event for event in searching() if not isinstance(event, RunEnded)] + [RunEnded(state="stopped")]
    page = open_run("search", stopped)
    tail = page.header.tail
    assert tail is not None
    qtbot.waitUntil(lambda: window.desk.tails.idle, timeout=_WAIT_MS)
    assert not page.header.again.isHidden() and not page.edit_space.isEnabled()
    RunLock(tail.run).take()  # this process drives, and says nothing yet
    window.desk.tails.sync()
    qtbot.waitUntil(lambda: page.header.badge.text() == "starting", timeout=_WAIT_MS)
    assert page.header.again.isHidden() and not page.header.stop.isHidden()
    assert page.edit_space.isEnabled() and page.own_trial.isEnabled()
    recipe, page.space._given = page.space.recipe, {}
    page.show_state(page.state)
    assert recipe is not None and not page.edit_space.isEnabled()
    page._take(recipe)
    assert page.edit_space.isEnabled(), "also where the recipe is read after the last event"
    RunLock(tail.run).release()
    qtbot.waitUntil(lambda: page.header.badge.text() == "stopped", timeout=_WAIT_MS)
    assert not page.edit_space.isEnabled()
