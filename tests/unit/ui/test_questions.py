"""Files that must be asked about: the card lists what there is, previews raw voxels, and leaves out what is not answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from pytestqt.qtbot import QtBot

from microtome.plugin import Choice
from microtome.ui.candidates import answered, look_at
from microtome.ui.drop_card import DropCard
from microtome.ui.projects import new_project
from microtome.ui.question_card import QuestionRow
from microtome.ui.raw_card import RawEditor
from microtome.ui.volume_properties import ClaimsRow, VoxelSizeEdit, particles_words
from microtome.ui.window import MainWindow

Idle = Callable[[MainWindow], None]


def waves(shape: tuple[int, int, int]) -> np.ndarray:
    """Smooth voxels, so that a wrong shape looks wrong."""
    z, y, x = np.indices(shape)
    return (2000 + 900 * np.sin(z / 5) + 800 * np.cos(y / 7) + 300 * np.sin(x / 6)).astype(np.uint16)


@pytest.fixture
def open_window(window: MainWindow, tmp_path: Path) -> MainWindow:
    new_project(window.desk, tmp_path / "project")
    return window


def dropped(window: MainWindow, paths: list[Path], idle: Idle) -> DropCard:
    window.drops.take(paths)
    idle(window)
    assert window.drops.card is not None
    return window.drops.card


def raw_of(question: QuestionRow) -> RawEditor:
    assert question.raw is not None
    return question.raw


def test_channels_are_chosen_from_a_list_and_several_become_several(
    open_window: MainWindow, tmp_path: Path, idle: Idle
) -> None:
    path = tmp_path / "cells.ome.tif"
    data = np.random.default_rng(0).integers(0, 255, (3, 5, 32, 40), dtype=np.uint8)
    tifffile.imwrite(path, data, ome=True, metadata={"axes": "CZYX", "Channel": {"Name": ["DAPI", "GFP", "RFP"]}})
    card = dropped(open_window, [path], idle)
    assert card.rows == []
    assert not card.add.isEnabled()
    (question,) = card.questions
    tree = question.tree
    assert tree is not None
    assert len(question.asked.question.choices) == 3
    tree.clearSelection()
    for i in (0, 2):
        item = tree.topLevelItem(i)
        assert item is not None
        item.setSelected(True)
    assert question.take.text() == "Use these 2"
    question.take.click()
    idle(open_window)
    assert card.questions == []
    assert len(card.rows) == 2
    card.add.click()
    first, second = open_window.desk.session.need_project().volumes
    assert first.name != second.name
    assert "DAPI" in first.name
    assert first.shape == second.shape == (5, 32, 40)
    assert first.options != second.options
    idle(open_window)


def test_data_sets_are_chosen_from_a_tree_that_can_be_filtered(open_window: MainWindow, tmp_path: Path, idle: Idle) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        for i in range(10):
            file[f"/entry/run {i}/data"] = np.full((6, 8, 10), i, np.uint8)
        file["/recon/volume"] = np.zeros((4, 8, 10), np.float32)
    card = dropped(open_window, [path], idle)
    (question,) = card.questions
    tree = question.tree
    assert tree is not None
    assert [tree.topLevelItem(i).text(0) for i in range(tree.topLevelItemCount())] == ["entry", "recon"]  # type: ignore[union-attr]
    tree.narrow("recon")
    entry, recon = tree.topLevelItem(0), tree.topLevelItem(1)
    assert entry is not None
    assert recon is not None
    assert entry.isHidden()
    leaf = recon.child(0)
    assert leaf is not None
    assert (leaf.text(0), leaf.text(1), leaf.text(2)) == ("volume", "4 × 8 × 10", "float32")
    tree.clearSelection()
    leaf.setSelected(True)
    question.take.click()
    idle(open_window)
    (made,) = card.rows
    assert made.candidate.name == "scan.h5 · /recon/volume"
    assert made.candidate.description.shape == (4, 8, 10)


def test_raw_voxels_are_previewed_before_they_are_accepted(
    open_window: MainWindow, tmp_path: Path, idle: Idle, qtbot: QtBot
) -> None:
    data = waves((20, 48, 64))
    path = tmp_path / "scan.raw"
    path.write_bytes(bytes(100) + data.tobytes())
    card = dropped(open_window, [path], idle)
    (question,) = card.questions
    raw = raw_of(question)
    for line, text in zip(raw.edges, ("20", "48", "64"), strict=True):
        line.setText(text)
    raw.dtype.choose("uint16")
    raw.header.setText("0")
    assert "100 bytes would be left unread" in raw.length.text()
    raw.header.setText("100")
    assert raw.length.text().endswith("fits.")
    idle(open_window)
    picture = raw.preview.picture
    assert picture is not None
    np.testing.assert_array_equal(picture.voxels, data[10])
    raw.slider.setValue(3)
    idle(open_window)
    assert raw.preview.picture is not None
    np.testing.assert_array_equal(raw.preview.picture.voxels, data[3])
    raw.edges[0].setText("21")
    assert "bytes are missing" in raw.length.text()
    assert not question.take.isEnabled()
    raw.edges[0].setText("x")
    assert raw.edges[0].property("wrong") == "true"
    raw.edges[0].setText("20")
    question.take.click()
    idle(open_window)
    card.add.click()
    (entry,) = open_window.desk.session.need_project().volumes
    assert entry.shape == (20, 48, 64)
    assert entry.options["offset"] == 100
    idle(open_window)


def test_guesses_fill_the_fields(open_window: MainWindow, tmp_path: Path, idle: Idle) -> None:
    path = tmp_path / "scan.raw"
    waves((24, 32, 40)).tofile(path)
    card = dropped(open_window, [path], idle)
    (question,) = card.questions
    raw = raw_of(question)
    assert len(raw.chips) > 1
    assert raw.chips[0].isChecked()
    raw.chips[1].click()
    assert raw.chips[1].isChecked()
    assert not raw.chips[0].isChecked()
    entered = raw.entered()
    assert entered is not None
    assert entered["shape"] == question.asked.question.choices[1].options["shape"]


def test_what_is_not_answered_is_left_out_and_said(
    open_window: MainWindow, volume_files: list[Path], tmp_path: Path, idle: Idle
) -> None:
    path = tmp_path / "scan.raw"
    waves((24, 32, 40)).tofile(path)
    card = dropped(open_window, [path, *volume_files], idle)
    assert "scan.raw" in card._open.text()
    card.add.click()
    assert [v.name for v in open_window.desk.session.need_project().volumes] == ["fine.tif", "coarse.tif"]
    idle(open_window)


def test_an_answer_that_cannot_be_is_refused_in_words(open_window: MainWindow, tmp_path: Path, idle: Idle) -> None:
    path = tmp_path / "scan.raw"
    waves((24, 32, 40)).tofile(path)
    card = dropped(open_window, [path], idle)
    (question,) = card.questions
    path.write_bytes(b"short")
    question.take.click()
    idle(open_window)
    assert card.questions == [question]
    assert "short" in question.problem.text()
    assert question.take.isEnabled()


def test_a_question_inside_a_folder_keeps_the_folders_class(tmp_path: Path) -> None:
    for name in ("m", "n"):
        (tmp_path / "all" / name).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "all" / name / "fine.tif", np.zeros((4, 8, 8), np.uint8), photometric="minisblack")
    waves((24, 32, 40)).tofile(tmp_path / "all" / "m" / "scan.raw")
    found = look_at([tmp_path / "all"])
    (asked,) = found.questions
    assert asked.folder == "m"
    again = answered(asked, [Choice(options={"shape": [24, 32, 40], "dtype": "uint16"}, label="")])
    assert [c.class_name("folder") for c in again.candidates] == ["m"]


def test_a_known_pixel_size_leaves_only_z_to_be_entered(qtbot: QtBot) -> None:
    edit = VoxelSizeEdit(None, "voxel", (4.123456789, 4.1))
    qtbot.addWidget(edit)
    assert [line.property("wrong") for line in edit.lines] == ["missing", "false", "false"]
    assert edit.value() is None
    edit.lines[0].setText("12")
    edit.lines[0].settled.emit()
    assert edit.value() == (12.0, 4.123456789, 4.1), "what was not touched keeps its digits"
    assert [line.property("wrong") for line in edit.lines] == ["false"] * 3
    assert edit.anisotropy.endswith("2.93 : 1")


def test_a_contradicting_source_can_be_taken(qtbot: QtBot) -> None:
    edit = VoxelSizeEdit((10.0, 4.0, 4.0), "nm")
    claims = ClaimsRow((("FEI tag", None, 4.0, 4.0), ("sidecar", 10.0, 5.0, 5.0)), edit)
    for made in (edit, claims):
        qtbot.addWidget(made)
    claims.buttons[1].click()
    assert edit.value() == (10.0, 5.0, 5.0)
    claims.buttons[0].click()
    assert edit.value() == (10.0, 4.0, 4.0)


def test_particles_are_counted_and_boxed() -> None:
    words = {"count": 79_596, "box": [800, 800, 800], "unit": "nm", "periodic": [True, True, False], "names": []}
    assert particles_words(words) == "79\u2009596 particles, box 800 × 800 × 800 nm, periodic along z, y"
