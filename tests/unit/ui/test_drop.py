"""Dropping on the window: one card, a sentence for what cannot be used, everything else added."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from microtome.paths import default_projects_dir
from microtome.ui.candidates import look_at
from microtome.ui.dialogs import SimulatedDialog
from microtome.ui.drop_card import DropCard
from microtome.ui.projects import new_project
from microtome.ui.volume_properties import VolumeProperties, VoxelSizeEdit
from microtome.ui.window import MainWindow
from microtome.ui.words import pixel_words

Idle = Callable[[MainWindow], None]


def drop(window: MainWindow, paths: list[Path]) -> None:
    """What the window system sends when files are dropped."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(p)) for p in paths])
    at, none = window.rect().center(), Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(at, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, none)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    event = QDropEvent(QPointF(at), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, none)
    QApplication.sendEvent(window, event)


def card_of(window: MainWindow) -> DropCard:
    assert window.drops.card is not None
    return window.drops.card


def stack(path: Path, shape: tuple[int, ...] = (8, 16, 16)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8), photometric="minisblack")
    return path


@pytest.fixture
def open_window(window: MainWindow, tmp_path: Path) -> MainWindow:
    new_project(window.desk, tmp_path / "project")
    return window


def test_one_bad_file_does_not_hide_the_others(
    open_window: MainWindow, volume_files: list[Path], tmp_path: Path, idle: Idle
) -> None:
    empty, text = tmp_path / "empty.tif", tmp_path / "notes.txt"
    empty.write_bytes(b"")
    text.write_text("hello")
    drop(open_window, [empty, *volume_files, text])
    idle(open_window)
    card = card_of(open_window)
    assert [r.candidate.description.name for r in card.rows] == ["fine.tif", "coarse.tif"]
    found = look_at([empty, text])
    assert [name for name, _ in found.problems] == ["empty.tif", "notes.txt"]
    assert all(sentence.endswith(".") for _, sentence in found.problems)
    card.add.click()
    session = open_window.desk.session
    assert session.classes() == ["fine", "coarse"]
    assert session.need_project().volumes[0].voxel_size == pytest.approx((4.0, 4.0, 4.0))
    assert open_window.drops.card is None
    page = open_window.tabs.current()
    assert page is not None and page.key == "volumes"


def test_class_and_voxel_size_are_taken_from_the_card(open_window: MainWindow, tmp_path: Path, idle: Idle) -> None:
    drop(open_window, [stack(tmp_path / "a.tif"), stack(tmp_path / "b.tif")])
    idle(open_window)
    card = card_of(open_window)
    first, second = card.rows
    assert first.voxel.lines[0].property("wrong") == "missing"
    first.class_box.setCurrentText("silica")
    for line, value in zip(first.voxel.lines, ("10", "4", "4"), strict=True):
        line.setText(value)
    first.same.click()
    second.take.setChecked(False)
    card.add.click()
    volumes = open_window.desk.session.need_project().volumes
    assert [(v.name, v.class_name, v.voxel_size, v.unit) for v in volumes] == [("a.tif", "silica", (10, 4, 4), "nm")]
    assert second.voxel.lines[0].text() == "10", "same for all"


def test_what_was_missing_is_no_finding_once_it_was_given(open_window: MainWindow, tmp_path: Path, idle: Idle) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, np.zeros((8, 9, 10), np.uint8), imagej=True, resolution=(0.25, 0.25), metadata={"unit": "nm", "axes": "ZYX"}
    )
    drop(open_window, [path])
    idle(open_window)
    card = card_of(open_window)
    assert "no distance between slices" in card.rows[0].candidate.description.findings[0]
    card.rows[0].voxel.lines[0].setText("10")
    card.add.click()
    idle(open_window)
    (volume,) = open_window.desk.session.need_project().volumes
    assert (volume.voxel_size, volume.findings) == ((10, 4, 4), ())


def test_a_senseless_voxel_size_keeps_the_card_open(open_window: MainWindow, tmp_path: Path, idle: Idle) -> None:
    drop(open_window, [stack(tmp_path / "a.tif")])
    idle(open_window)
    card = card_of(open_window)
    card.rows[0].voxel.lines[2].setText("4")
    card.add.click()
    assert open_window.drops.card is card
    assert open_window.desk.session.need_project().volumes == []


def test_a_drop_without_a_project_makes_one_after_saying_so(window: MainWindow, volume_files: list[Path], idle: Idle) -> None:
    drop(window, volume_files)
    idle(window)
    assert window.desk.session.project is None, "nothing is made before it is confirmed"
    assert str(default_projects_dir()) in card_of(window)._where.text()
    card_of(window).add.click()
    project = window.desk.session.need_project()
    assert project.path.parent == default_projects_dir().resolve()
    assert len(project.volumes) == 2
    assert not window.tree.isHidden()


def test_cancelling_adds_nothing(open_window: MainWindow, volume_files: list[Path], idle: Idle, qtbot: QtBot) -> None:
    drop(open_window, volume_files)
    idle(open_window)
    QTest.keyClick(card_of(open_window), Qt.Key.Key_Escape)
    assert open_window.drops.card is None
    assert open_window.desk.session.need_project().volumes == []


def test_dropping_the_same_again_is_said(open_window: MainWindow, volume_files: list[Path], idle: Idle) -> None:
    for _ in range(2):
        drop(open_window, volume_files)
        idle(open_window)
        card_of(open_window).add.click()
    assert len(open_window.desk.session.need_project().volumes) == 2
    assert "already" in open_window.desk.messages[-1].text


def test_a_project_folder_is_opened(window: MainWindow, tmp_path: Path, idle: Idle) -> None:
    new_project(window.desk, tmp_path / "one")
    new_project(window.desk, tmp_path / "two")
    drop(window, [tmp_path / "one"])
    idle(window)
    assert window.desk.session.need_project().path == (tmp_path / "one").resolve()
    assert window.drops.card is None


def test_a_folder_of_folders_names_the_classes(open_window: MainWindow, tmp_path: Path, idle: Idle) -> None:
    for name in ("m", "n"):
        for i in range(2):
            stack(tmp_path / "all" / name / f"v{i}_8x16x16.tif")
    drop(open_window, [tmp_path / "all"])
    idle(open_window)
    card = card_of(open_window)
    assert [r.class_box.currentText() for r in card.rows] == ["m", "m", "n", "n"]
    card._naming.setCurrentIndex(0)
    card._naming.activated.emit(0)
    assert [r.class_box.currentText() for r in card.rows] == ["v0", "v1", "v0", "v1"]


def test_a_folder_of_slices_is_one_volume_or_many_images(open_window: MainWindow, tmp_path: Path, idle: Idle) -> None:
    for i in range(6):
        stack(tmp_path / "slices" / f"s{i:03d}.tif", (16, 16))
    drop(open_window, [tmp_path / "slices"])
    idle(open_window)
    (made,) = card_of(open_window).rows
    assert [made.way.itemData(i) for i in range(made.way.count())] == ["volume", "images"]
    made.way.choose("images")
    card_of(open_window).add.click()
    (entry,) = open_window.desk.session.need_project().volumes
    assert entry.images
    recipe = open_window.desk.session.recipe()
    assert recipe.classes[0].images == (str(tmp_path / "slices"),)
    assert recipe.classes[0].volumes == ()
    idle(open_window)


def test_colour_images_are_single_images_at_first(open_window: MainWindow, tmp_path: Path, idle: Idle) -> None:
    (tmp_path / "stained").mkdir()
    colours = np.zeros((8, 12, 3), np.uint8)
    colours[:, :6, 0], colours[:, 6:, 2] = 200, 100
    for i in range(3):
        Image.fromarray(colours).save(tmp_path / "stained" / f"s{i}.png", dpi=(25400, 25400))
    drop(open_window, [tmp_path / "stained"])
    idle(open_window)
    (made,) = card_of(open_window).rows
    assert [made.way.itemData(i) for i in range(made.way.count())] == ["images", "volume"]
    assert made.voxel.isHidden(), "images have no distance between them"
    made.way.choose("volume")
    assert not made.voxel.isHidden()
    made.way.choose("images")
    card_of(open_window).add.click()
    idle(open_window)
    (entry,) = open_window.desk.session.need_project().volumes
    assert (entry.images, entry.findings, pixel_words(entry)) == (True, (), "1000 nm")
    open_window.desk.select(f"volume:{entry.id}")
    panel = open_window.properties.findChild(VolumeProperties)
    assert isinstance(panel, VolumeProperties)
    assert not panel.findChildren(VoxelSizeEdit, options=Qt.FindChildOption.FindDirectChildrenOnly)
    assert "1000 nm" in [made.text() for made in panel.findChildren(QLabel)]


def test_a_simulated_structure_is_added_with_its_settings(open_window: MainWindow, qtbot: QtBot) -> None:
    dialog = SimulatedDialog(open_window.desk, open_window)
    dialog.show()
    dialog.seed.setText("x")
    dialog.add.click()
    assert "whole number" in dialog.problem.text()
    dialog.seed.setText("7")
    dialog.class_name.setText("random")
    dialog.add.click()
    (entry,) = open_window.desk.session.need_project().volumes
    assert entry.simulate is not None
    assert entry.simulate["seed"] == 7
    assert entry.class_name == "random"
