"""Imports of slow volumes by a child process: begun, stopped, offered again after reopening, finished, forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from microtome.session import Change
from microtome.store.project import VolumeEntry
from microtome.ui.import_card import ImportPart, ImportRow
from microtome.ui.importing import Import, room_problem
from microtome.ui.opened import opened
from microtome.ui.projects import new_project, open_project
from microtome.ui.window import MainWindow
from microtome.volumes.bricks import Bricks
from microtome.volumes.copies.copying import copy_volume
from microtome.volumes.read import describe
from microtome.volumes.volume import Volume

LONG = 120_000


@pytest.fixture
def voxels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (40, 96, 128), dtype=np.uint8)


@pytest.fixture
def entry(window: MainWindow, tmp_path: Path, voxels: np.ndarray) -> VolumeEntry:
    """A compressed stack with an odd name, in a project."""
    path = tmp_path / "größe #1 %.tif"
    tifffile.imwrite(path, voxels, compression="zlib", photometric="minisblack")
    new_project(window.desk, tmp_path / "project")
    window.desk.session.add_volume(describe(path), "A")
    return window.desk.session.need_project().volumes[0]


def test_an_import_is_stopped_offered_again_and_finished(
    make_window: Callable[[], MainWindow], window: MainWindow, entry: VolumeEntry, voxels: np.ndarray, qtbot: QtBot
) -> None:
    imports = window.desk.imports
    imports.start(entry.id)
    row = window.strip.findChild(ImportRow)
    qtbot.waitUntil(lambda: window.strip.findChild(ImportRow) is not None)
    imports.stop(entry.id)
    found = imports.of(entry.id)
    assert found is not None
    assert found.state == "stopped"
    qtbot.waitUntil(lambda: (row := window.strip.findChild(ImportRow)) is not None and row.go.text() == "Continue")
    folder = window.desk.session.need_project().path
    window.close()

    again = make_window()
    open_project(again.desk, folder)
    offered = again.desk.imports.of(entry.id)
    assert offered is not None
    assert offered.state == "stopped", "offered, not begun by itself"
    row = again.strip.findChild(ImportRow)
    assert row is not None
    row.go.click()
    qtbot.waitUntil(lambda: again.desk.imports.of(entry.id) is None, timeout=LONG)
    session = again.desk.session
    kept = session.volume(entry.id)
    assert kept.options == {"copy": f".cache/volumes/{entry.id}"}
    volume = opened(session.need_project(), kept)
    assert isinstance(volume.voxels, Bricks)
    np.testing.assert_array_equal(volume[7], voxels[7])
    recipe = session.recipe()
    assert Path(recipe.classes[0].volumes[0].options["copy"]).is_absolute()

    part = ImportPart(again.desk, kept)
    qtbot.addWidget(part)
    assert "fast copy" in part.said.text()
    part.drop.click()
    assert session.volume(entry.id).options == {}
    assert not (folder / ".cache" / "volumes" / entry.id).exists()


def test_a_deleted_copy_is_not_missed(window: MainWindow, entry: VolumeEntry, voxels: np.ndarray) -> None:
    session = window.desk.session
    project = session.need_project()
    session.use_copy(entry.id, project.copy_folder(entry))
    kept = session.volume(entry.id)
    assert project.reader_options(kept) == {}, "there is nothing there"
    np.testing.assert_array_equal(opened(project, kept)[3], voxels[3])


def test_a_failed_import_says_why(window: MainWindow, entry: VolumeEntry, qtbot: QtBot) -> None:
    Path(window.desk.session.need_project().resolve(entry)).write_bytes(b"II*\0 no more")
    window.desk.imports.start(entry.id)

    def failed() -> bool:
        found = window.desk.imports.of(entry.id)
        return found is not None and found.state == "failed"

    qtbot.waitUntil(failed, timeout=LONG)
    found = window.desk.imports.of(entry.id)
    assert found is not None
    assert "größe" in found.problem
    window.desk.imports.forget(entry.id)
    assert window.desk.imports.all == {}


def test_a_full_disk_is_said_before(window: MainWindow, entry: VolumeEntry) -> None:
    session = window.desk.session
    session.change_volume(entry.id, shape=(10**6, 10**5, 10**5))
    assert "free" in room_problem(session.need_project(), session.volume(entry.id))
    window.desk.imports.start(entry.id)
    assert window.desk.imports.all == {}
    assert "needs" in window.desk.messages[-1].text


def test_a_removed_volume_ends_its_import(window: MainWindow, entry: VolumeEntry, qtbot: QtBot) -> None:
    window.desk.imports.start(entry.id)
    begun = time.monotonic()
    window.desk.perform(lambda: window.desk.session.remove_volume(entry.id))
    assert window.desk.imports.all == {}
    assert time.monotonic() - begun < 60


def test_a_packed_stack_is_offered_a_copy_although_it_fits_into_the_memory(
    window: MainWindow, entry: VolumeEntry, qtbot: QtBot
) -> None:
    """Every plane across its slices would have to unpack all of them; a plain file has no such need."""
    packed = replace(entry, shape=(1200, 512, 512), size=200 * 2**20)
    for made, offered in ((packed, True), (replace(packed, size=1200 * 512 * 512), False), (entry, False)):
        part = ImportPart(window.desk, made)
        qtbot.addWidget(part)
        assert part.offer.isHidden() is not offered


def multiple_volumes(folder: Path) -> Path:
    """A file that must be asked about."""
    path = folder / "two.h5"
    with h5py.File(path, "w") as file:
        for name in "ab":
            file[name] = np.zeros((8, 16, 16), np.uint8)
    return path


class Opened(QObject):
    """Remembers which widgets were shown as windows of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.shown.append(type(watched).__name__)
        return False


def test_nothing_flashes_up_as_a_window_while_parts_are_built(
    window: MainWindow, entry: VolumeEntry, tmp_path: Path, idle: Callable[[MainWindow], None]
) -> None:
    project = window.desk.session.need_project()
    project.put_volume(replace(entry, shape=(1200, 512, 512), size=200 * 2**20))
    watch, app = Opened(), QApplication.instance()
    assert app is not None
    app.installEventFilter(watch)
    try:
        window.desk.open_page("volumes")
        window.desk.announce(Change.VOLUMES)
        window.desk.imports.all[entry.id] = Import(entry.id, entry.name, "stopped", 0.5)
        window.desk.imports.changed.emit(entry.id)
        window.rebuild()
        window.drops.take([multiple_volumes(tmp_path), project.resolve(entry)])
        idle(window)
    finally:
        app.removeEventFilter(watch)
    assert watch.shown == []


def test_a_reopened_project_says_how_much_was_imported(
    make_window: Callable[[], MainWindow], window: MainWindow, entry: VolumeEntry, voxels: np.ndarray
) -> None:
    project, calls = window.desk.session.need_project(), iter((False, True))
    volume = replace(Volume.from_array(np.repeat(voxels, 4, axis=0)), source=str(project.resolve(entry)))
    assert not copy_volume(volume, project.copy_folder(entry), lambda _: next(calls, True))
    window.desk.session.remember("imports", [entry.id])
    folder = project.path
    window.close()
    again = make_window()
    open_project(again.desk, folder)
    found = again.desk.imports.of(entry.id)
    assert found is not None and (found.state, found.share) == ("stopped", 64 / 160)
