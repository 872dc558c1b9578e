"""The training page: what it counts, foresees and says, and the weights that it offers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from pytestqt.qtbot import QtBot

from microtome.errors import MicrotomeError
from microtome.events import EpochEnded, Evaluated, Event, RunEnded, RunStarted, TrialStarted
from microtome.results.fold import fold_all
from microtome.session import Session, TimeLimit
from microtome.store.run import RunFolder
from microtome.training.layers import LayerTable, layer_table
from microtome.ui.desk import Desk
from microtome.ui.layer_tables import NetworkAsked, asked_of, close_worker, known_table, read_table
from microtome.ui.notices import end_words
from microtome.ui.tail import RunTail
from microtome.ui.training_forecast import (
    Measured,
    Speed,
    cost_factor,
    fit_words,
    forecast,
    frozen_parts,
    measured_runs,
    speed_of,
)
from microtome.ui.views.training.seen_field import SeenField
from microtome.ui.views.training.transfer_card import TransferCard
from microtome.ui.views.training.weights_chooser import WeightsChooser


@pytest.fixture
def desk(qtbot: QtBot, tmp_path: Path) -> Desk:
    session = Session()
    session.new_project(tmp_path / "project")
    return Desk(session)


@pytest.fixture(scope="module")
def table() -> LayerTable:
    return layer_table("mobilenet-v1", 1, 3, 64)


def asked(name: str = "cnn", size: int = 64) -> NetworkAsked:
    return NetworkAsked(name=name, classes=3, image_size=size)


# --- forecast


def test_a_network_that_was_trained_tells_its_own_speed(table: LayerTable) -> None:
    mine, other = asked(), asked("mobilenet-v1")
    measured = [Measured(asked=other, low=10, high=12, run="b"), Measured(asked=mine, low=100, high=120, run="a")]
    found = speed_of(mine, measured, {})
    assert found is not None and found.basis == "same" and found.run == "a"
    assert found.low < 100 < 120 < found.high


def test_another_network_tells_it_by_its_multiply_adds_in_a_wider_range(table: LayerTable) -> None:
    small = layer_table("cnn", 1, 3, 64, {"width": 8})
    mine, other = asked("mobilenet-v1"), asked()
    known = {mine.key: table, other.key: small}
    found = speed_of(mine, [Measured(asked=other, low=1000, high=1000, run="a")], known)
    assert found is not None and found.basis == "scaled"
    likely = 1000 * small.multiply_adds / table.multiply_adds
    assert found.low < likely < found.high
    assert speed_of(mine, [Measured(asked=other, low=1000, high=1000, run="a")], {}) is None


def test_without_any_run_it_is_called_a_guess(table: LayerTable) -> None:
    mine = asked("mobilenet-v1")
    found = speed_of(mine, [], {mine.key: table})
    assert found is not None and found.basis == "guessed"
    assert found.high / found.low > 10


def test_what_does_not_fit_into_the_time_is_said(desk: Desk) -> None:
    session = desk.session
    for name, value in {"slices.train": 90, "slices.validation": 30, "training.epochs": 20}.items():
        session.set_value(name, value)
    session.classes = lambda: ["a", "b"]  # type: ignore[method-assign]
    speed = Speed(low=100, high=100, basis="same", run="r")  # two seconds an epoch
    assert forecast(session, speed, None, TimeLimit()).seconds == pytest.approx((40, 40))
    assert fit_words(forecast(session, speed, None, TimeLimit(seconds=41))) == ""
    assert "About 10 of 20 epochs" in fit_words(forecast(session, speed, None, TimeLimit(seconds=20.5)))
    wide = Speed(low=50, high=200, basis="scaled", run="r")
    assert "Up to 10 of 20" in fit_words(forecast(session, wide, None, TimeLimit(seconds=40.5)))
    assert forecast(session, None, None, TimeLimit()).seconds is None


def test_candidates_cost_time_and_frozen_parts_save_it(desk: Desk, table: LayerTable) -> None:
    session = desk.session
    assert cost_factor(session, table) == pytest.approx(1.0)
    session.set_value("importance.candidates", 3)
    dear = cost_factor(session, None)
    assert 1.5 < dear < 2.2
    session.set_value("importance.resolution", "half")
    assert 1.0 < cost_factor(session, None) < dear
    session.set_value("importance.candidates", 0)
    session.set_value("transfer.train", "head")
    assert 0.3 < cost_factor(session, table) < 0.4
    assert frozen_parts(session, table)[0] == "stem"
    memory = forecast(session, None, table, TimeLimit()).memory
    session.set_value("transfer.train", "all")
    assert forecast(session, None, table, TimeLimit()).memory > memory


def test_finished_runs_are_read_and_others_passed_over(desk: Desk, lay_run: Callable[..., RunFolder]) -> None:
    epoch = EpochEnded(
        trial=1,
        epoch=0,
        train_loss=1.0,
        train_accuracy=0.5,
        validation_loss=1.0,
        validation_accuracy=0.5,
        per_class={},
        confusion=(),
        learning_rate=0.001,
        images_per_second=123.0,
        seconds=1.0,
    )
    begun = RunStarted(run="r", kind="train", classes=("a", "b"), trials=1, epochs=1, pid=1)
    lay_run(desk.session.need_project(), [begun, TrialStarted(trial=1, parameters={}, key="k", worker=1), epoch])
    desk.tails.sync()
    for tail in desk.tails.all():
        while tail.step():
            pass
    (found,) = measured_runs(desk)
    assert (found.low, found.high) == (123.0, 123.0)
    assert found.asked.name == "cnn" and found.asked.image_size == 64


# --- layer tables


def test_a_worker_counts_and_what_cannot_be_built_is_said(desk: Desk) -> None:
    mine = asked_of(desk.session)
    assert known_table(mine) is None
    found = read_table(mine)
    assert found.parameters > 1000
    assert known_table(mine) == found
    with pytest.raises(MicrotomeError, match="too small"):
        read_table(asked("mobilenet-v1", 8))
    close_worker()


# --- what it sees


def test_the_receptive_field_is_told_in_the_slices_unit(desk: Desk, qtbot: QtBot, table: LayerTable) -> None:
    desk.session.add_simulated("rnd", seed=1, class_name="rnd")
    view = SeenField(desk)
    qtbot.addWidget(view)
    plan = {name: desk.session.value(f"slices.{name}") for name in ("field_of_view", "pixels")}
    small = layer_table("cnn", 1, 3, 64, {"convolutions": 2})
    view.show_facts(small)
    reach = small.receptive_field / plan["pixels"] * plan["field_of_view"]
    assert f"{reach:.3g}" in view.words.text()
    assert view.picture.square().width() == pytest.approx(view.picture.width() * small.receptive_field / plan["pixels"])
    desk.session.set_value("transfer.image_size", 2 * plan["pixels"])
    view.show_facts(small)
    assert f"{reach / 2:.3g}" in view.words.text(), "enlarged slices are seen through more pixels"
    desk.session.set_value("transfer.image_size", 0)
    view.show_facts(table)
    assert "whole slice" in view.words.text()


# --- transfer


def test_the_card_says_k_of_n_blocks(desk: Desk, qtbot: QtBot, table: LayerTable) -> None:
    card = TransferCard(desk)
    qtbot.addWidget(card)
    desk.changed.connect(card.refresh)
    card.show_facts(table)
    assert card.fold.summary.text() == "off"
    desk.perform(lambda: desk.session.set_value("transfer.train", "last"))
    assert card.which.text() == "3 of 13 blocks and the head are trained: 11 … 13"
    desk.perform(lambda: desk.session.set_value("transfer.blocks", 99))
    assert "13 of 13" in card.which.text() and "no more" in card.which.text()
    desk.perform(lambda: desk.session.set_value("transfer.train", "head"))
    assert not card.form.rows["blocks"].isEnabled()


def test_weights_are_chosen_dropped_and_refused(desk: Desk, qtbot: QtBot, tmp_path: Path) -> None:
    chooser = WeightsChooser(desk)
    qtbot.addWidget(chooser)
    session = desk.session
    chooser.refresh()
    assert chooser.choice.findData("published") < 0, "the small network has none"
    session.set_network("efficientnet-lite0")
    chooser.refresh()
    chooser.choice.choose("published")
    chooser.choice.activated.emit(chooser.choice.currentIndex())
    assert session.value("transfer.weights") == "published"
    assert "works offline" in chooser.words.text() and "Apache" in chooser.words.text()

    chooser.choice.choose("file")
    chooser.choice.activated.emit(chooser.choice.currentIndex())
    assert session.value("transfer.weights") == "published", "nothing is named yet"
    chooser.line.setText(str(tmp_path / "gone.pth"))
    chooser.line.settled.emit()
    assert "does not exist" in chooser.problem.text()
    chooser.choice.choose("hub")
    chooser.choice.activated.emit(chooser.choice.currentIndex())
    for text, kept in (("no slash", "published"), ("timm/resnet18.a1_in1k", "hub:timm/resnet18.a1_in1k")):
        chooser.line.setText(text)
        chooser.line.settled.emit()
        assert session.value("transfer.weights") == kept

    file = tmp_path / "mine.safetensors"
    file.write_bytes(b"any")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    action, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPointF(5, 5).toPoint(), action, data, left, none)
    chooser.dragEnterEvent(enter)
    assert enter.isAccepted()
    chooser.dropEvent(QDropEvent(QPointF(5, 5), action, data, left, none))
    assert session.value("transfer.weights") == str(file)
    assert chooser.choice.value() == "file"


# --- notices


def test_an_end_is_told_with_its_result(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, name="train", info={"kind": "train"}, recipe_toml="")
    found = Evaluated(trial=1, accuracy=0.9, interval=(0.85, 0.94), per_class={"a": (90, 100), "b": (90, 100)}, confusion=())
    begun = RunStarted(run=run.name, kind="train", classes=("a", "b"), trials=1, epochs=1, pid=1, time=100.0)
    done: list[Event] = [begun, found, RunEnded(state="done", time=160.0)]
    head, words = end_words(RunTail(run, state=fold_all(done)))
    assert head.endswith("is done.")
    assert "90.0 % on 200 evaluation images (95 % interval 85.0 % – 94.0 %)" in words and "1 min" in words
    failed: list[Event] = [begun, RunEnded(state="failed", message="The disk is full.", time=101.0)]
    head, words = end_words(RunTail(run, state=fold_all(failed)))
    assert "failed" in head and "The disk is full." in words
