"""The cards of a training's page: the batch it sees, the offer of a lower rate, runs compared, the network asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from journals import CLASSES, epoch, start, training
from PySide6.QtCore import QCoreApplication, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from microtome.events import Note, RunEnded, TrialEnded, TrialStarted
from microtome.search.recipe import dumps, parse
from microtome.session import Change
from microtome.store.atomic import write_json
from microtome.store.project import Project
from microtome.store.run import RunFolder
from microtome.training.changes import Changes, offer
from microtome.training.checkpoint import RESULT
from microtome.ui.pages.run import RunPage
from microtome.ui.stages import Stages, read_stages
from microtome.ui.tree import dragged, dragging
from microtome.ui.views.run.ask_network import Subject
from microtome.ui.window import MainWindow

Idle = Callable[[MainWindow], None]
_TIME = 1_000_500.0


def words(widget: QWidget) -> str:
    """All that the labels of a widget say, once new ones are shown."""
    QCoreApplication.processEvents()
    return " ".join(made.text() for made in widget.findChildren(QLabel) if not made.isHidden())


def folder_of(page: RunPage) -> RunFolder:
    tail = page.desk.tails.get(page.argument)
    assert tail is not None
    return tail.run


_held: list[QMimeData] = []  # an event does not own what it carries


def drop(data: QMimeData) -> QDropEvent:
    _held.append(data)
    none = Qt.KeyboardModifier.NoModifier
    return QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, none)


def seen_file(folder: Path, *, mixed: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    shares = np.eye(3, dtype=np.float16)[[0, 1, 2, 0]]
    if mixed:
        shares[0] = (0.6, 0.4, 0.0)
    np.savez(
        folder / "seen.npz",
        images=rng.normal(size=(4, 16, 16)).astype(np.float16),
        labels=shares.argmax(axis=1).astype(np.int16),
        shares=shares,
        classes=np.array(CLASSES),
        epoch=np.int64(2),
    )


def test_the_batch_is_shown_pixel_by_pixel_with_its_labels(
    open_run: Callable[..., RunPage], window: MainWindow, idle: Idle
) -> None:
    page = open_run("run", training())
    assert page.seen.isHidden(), "a run of an earlier version has none"
    seen_file(folder_of(page).trial(1), mixed=True)
    page.seen.show_sampling(3)
    page.seen.follow(folder_of(page).trial(1), 5, pixel=4.0, unit="nm")
    idle(window)
    assert not page.seen.isHidden()
    assert page.seen.epoch.text() == "epoch 3"
    said = page.seen.words.text()
    assert "drawn among 3 candidates" in said
    assert "mixed" in said
    sheet = page.seen.sheet
    assert sheet.label_of(0) == "60 % cement + 40 % bone"
    assert sheet.label_of(1) == "bone"
    assert sheet.edge() % 16 == 0, "a whole number of screen pixels a pixel"
    image = sheet.grab().toImage()
    place = sheet.place(0)
    times = sheet.edge() // 16
    inside = {image.pixel(int(place.left()) + times + x, int(place.top()) + times + y) for x in range(times) for y in (0, 1)}
    assert len(inside) == 1, "not smoothed"
    header, rows = page.seen._table()
    assert len(rows) == 4
    assert rows[0][1] == "cement"
    assert header[2] == "share_cement"


def test_a_lost_loss_is_told_calmly_and_gone_on_with_a_lower_rate(
    open_run: Callable[..., RunPage], window: MainWindow, idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "The loss is not a number any more in epoch 3."
    epochs = [epoch(1, i, accuracy=0.5 + i / 10, train=1.0, validation=1.0) for i in range(2)]
    page = open_run(
        "run",
        [
            *start("train", 1, 6),
            TrialStarted(time=_TIME, trial=1, parameters={}, key="k", worker=1),
            *epochs,
            Note(time=_TIME, text="The memory holds no 32 images at once.", level="warning"),
            Note(time=_TIME, text="The network begins with the weights “a.pth”."),
            TrialEnded(time=_TIME + 1, trial=1, outcome="failed", message=message),
            RunEnded(time=_TIME + 2, state="failed", message=message),
        ],
    )
    assert page.offer.isHidden(), "nothing was offered yet"
    assert message in words(page.header)
    assert words(page.words).strip() == "The memory holds no 32 images at once.", "what is merely told stands below the curves"
    assert words(page.told).strip() == "The network begins with the weights “a.pth”."
    run = folder_of(page)
    write_json(run.trial(1) / RESULT, {"key": "k", "offer": {"epoch": 2, "learning_rate": 0.03}})
    page.offer._asked = None
    tail = page.desk.tails.get(page.argument)
    assert tail is not None
    page.show_state(tail.state)
    idle(window)
    said = words(page.offer)
    assert "no longer a number in epoch 3" in said
    assert "The network of epoch 2 is kept: 60.0 %" in said
    assert page.offer.button.text() == "Go on from epoch 2 with the rate 0.03"
    assert message not in words(page.header), "said once"
    assert page.header.again.isHidden(), "the same rate would fail again"
    driven: list[RunFolder] = []

    def drive(run: RunFolder) -> Change:
        driven.append(run)
        return Change.NOTHING

    monkeypatch.setattr(page.desk.session, "drive", drive)
    page.offer.button.click()
    assert [r.name for r in driven] == [run.name]
    assert Changes.load(run.trial(1)).rates[-1][1] == 0.03
    assert offer(run.trial(1)) is None
    assert page.offer.isHidden()


def test_a_run_dragged_in_is_compared_and_remembered(
    open_run: Callable[..., RunPage], window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    other = open_run("run", training(finished=False)).argument
    page = open_run("run", training())
    page.dropEvent(drop(dragging(f"run:{other}")))
    idle(window)
    page.redraw.now()
    assert page.compared.names == [other]
    rows = dict(page.compared.rows)
    assert rows["State"] == ["done", "interrupted"]
    assert "90.0 % (84.0 % – 94.0 %, n = 150)" in rows["Accuracy on the evaluation set"]
    assert "Epochs trained" not in rows, "the same in both"
    assert not any("Learning rate" in row for row in rows)
    assert len(page.loss.legend.texts()) == 3
    assert len([n for n in page.loss.plot.lines if n.startswith("other")]) == 1
    page.compared.add_run(page.argument)
    page.compared.add_run(other)
    assert page.compared.names == [other], "not with itself, not twice"
    key, kept = page.key, page.keep()
    assert kept["compared"] == [other]
    window.rebuild()
    again = window.tabs.page(key)
    assert isinstance(again, RunPage)
    assert again.compared.names == [other]
    again.compared.drop_run(other)
    again.redraw.now()
    assert again.compared.rows == []
    assert not [n for n in again.loss.plot.lines if n.startswith("other")]


def test_only_runs_and_volumes_leave_the_tree(open_run: Callable[..., RunPage], window: MainWindow, project: Project) -> None:
    page = open_run("run", training())
    window.tree.fill()
    item = window.tree._runs[page.argument]
    assert dragged(window.tree.mimeData([item])) == f"run:{page.argument}"
    assert dragged(QMimeData()) == ""
    page.ask.follow(folder_of(page).trial(1))
    volume = page.ask._dropped(drop(dragging(f"volume:{project.volumes[0].id}")))
    assert volume == Subject(project.volumes[0].name, entry=project.volumes[0])
    files = QMimeData()
    files.setUrls([QUrl.fromLocalFile("/data/one.tif")])
    assert page.ask._dropped(drop(files)) == Subject("one.tif", path=Path("/data/one.tif"))
    assert page.ask._dropped(drop(dragging("run:x"))) is None


def test_answers_are_shown_with_the_epoch_that_was_asked(open_run: Callable[..., RunPage]) -> None:
    page = open_run("run", training())
    page.ask.subject = Subject("one.tif", path=Path("one.tif"))
    answer = {
        "path": "one.tif",
        "class": "bone",
        "probabilities": {"cement": 0.2, "bone": 0.7, CLASSES[2]: 0.1},
        "votes": {"cement": 2, "bone": 8, CLASSES[2]: 0},
        "slices": 10,
        "interval": [0.49, 0.94],
        "warnings": ["The voxel size is not known."],
        "epoch": 0,
    }
    page.ask._landed(answer)
    assert "bone, asked of epoch 1: 8 of 10 slices say so (95 % interval 49.0 % – 94.0 %)." in words(page.ask)
    assert "The voxel size is not known." in words(page.ask)
    assert [b.name for b in page.ask.bars.bars] == ["bone", "cement", CLASSES[2]]
    page.ask._landed({**answer, "epoch": 2, "probabilities": {"cement": 0.05, "bone": 0.95, CLASSES[2]: 0.0}})
    assert "epoch 1: bone 70.0 % → epoch 3: bone 95.0 %" in words(page.ask)
    _, rows = page.ask._table()
    assert len(rows) == 2
    assert rows[1][:3] == ["one.tif", 3, "bone"]


def test_stages_are_those_of_the_recipe(tmp_path: Path) -> None:
    table = {
        "class": [{"name": c, "simulate": {"kind": c, "seed": 1}} for c in ("m-sbr", "rnd")],
        "training": {"epochs": 6},
        "transfer": {"head_epochs": 4},
        "importance": {"candidates": 3},
    }
    file = tmp_path / "recipe.toml"
    file.write_text(dumps(parse(table)), encoding="utf-8")
    assert read_stages(file) == Stages("all", 4, 3)
    table["transfer"] = {"head_epochs": 4, "train": "head"}
    file.write_text(dumps(parse(table)), encoding="utf-8")
    assert read_stages(file).head_epochs == 0, "there is no second stage"
    assert read_stages(tmp_path / "none.toml") == Stages("", 0)
