"""A scientist cuts an image set from the page, stops one, finds the old one again, and goes on to training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from microtome.session import Change
from microtome.slices.imageset import ImageSet
from microtome.ui.pages.slices import SlicesPage
from microtome.ui.projects import new_project
from microtome.ui.window import MainWindow
from microtome.volumes.read import describe

LONG = 120_000


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two small volumes of unlike texture."""
    made = []
    for name, step in (("fine", 1), ("coarse", 4)):
        small = np.random.default_rng(step).integers(0, 255, (48 // step,) * 3, dtype=np.uint8)
        made.append(tmp_path / f"{name}.tif")
        tifffile.imwrite(made[-1], small.repeat(step, 0).repeat(step, 1).repeat(step, 2), photometric="minisblack")
    return made


def test_cut_now_stop_and_find_again(window: MainWindow, files: list[Path], tmp_path: Path, qtbot: QtBot) -> None:
    desk = window.desk
    new_project(desk, tmp_path / "project")
    for path in files:
        desk.session.add_volume(describe(path), path.stem)
    for name, value in {"field_of_view": 10.0, "pixels": 10, "train": 40, "validation": 20, "evaluation": 20}.items():
        desk.session.set_value(f"slices.{name}", value)
    desk.announce(Change.VOLUMES | Change.RECIPE)
    desk.open_page("slices")
    page = window.tabs.current()
    assert isinstance(page, SlicesPage)
    rested: Callable[[], bool] = lambda: not page.waiting and desk.tasks.pending() == 0  # noqa: E731
    qtbot.waitUntil(rested, timeout=LONG)
    face = page.face
    assert face is not None
    imagesets = desk.session.need_project().imagesets

    QTest.mouseClick(face.cut.go, Qt.MouseButton.LeftButton)
    assert desk.cutting.running
    assert face.cut.isVisible()
    assert not face.cut.go.isVisible()
    with qtbot.waitSignal(desk.cutting.cut, timeout=LONG) as signal:
        pass
    qtbot.waitUntil(rested, timeout=LONG)
    made = ImageSet.open(imagesets / signal.args[0])
    assert len(made) == 160
    assert page.look is not None
    assert page.look.hash == made.hash
    assert face.cut.go.text() == "Cut already"
    assert not face.cut.isVisible()
    assert [k.hash for k in face.sets.kept] == [made.hash]
    assert list((desk.session.need_project().cache).glob("cut-*.toml")) == []

    # Another plan is another set; it is stopped, and nothing of it is kept.
    desk.session.set_value("slices.pixels", 64)
    desk.announce(desk.session.set_value("slices.train", 20_000))
    qtbot.waitUntil(rested, timeout=LONG)
    QTest.mouseClick(face.cut.go, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: desk.cutting.now is not None and desk.cutting.now.phase == "cutting slices", timeout=LONG)
    QTest.mouseClick(face.cut.stop, Qt.MouseButton.LeftButton)
    assert desk.cutting.now is None
    assert [p.name for p in imagesets.iterdir()] == [made.hash]
    assert face.cut.go.isVisible()

    # The same settings find the old one.
    desk.session.set_value("slices.pixels", 10)
    desk.announce(desk.session.set_value("slices.train", 40))
    qtbot.waitUntil(rested, timeout=LONG)
    assert face.cut.go.text() == "Cut already"
    assert [m.text for m in desk.messages if m.level == "error"] == []


def test_a_cutting_that_fails_says_why(window: MainWindow, files: list[Path], tmp_path: Path, qtbot: QtBot) -> None:
    desk = window.desk
    new_project(desk, tmp_path / "project")
    for path in files:
        desk.session.add_volume(describe(path), path.stem)
    desk.session.set_value("slices.field_of_view", 10.0)
    desk.announce(Change.VOLUMES)
    files[1].write_bytes(b"no longer a TIFF file")
    desk.perform(lambda: desk.cutting.start(1000))
    qtbot.waitUntil(lambda: not desk.cutting.running, timeout=LONG)
    assert desk.cutting.now is not None
    assert "coarse.tif" in desk.cutting.now.problem
    assert any(m.level == "error" and "coarse.tif" in m.hint for m in desk.messages)
    desk.cutting.stop()
    assert desk.cutting.now is None
