"""What stories and window tests share: a home of their own, no display, and a running window."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, settings
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from microtome.session import Session
from microtome.ui import i18n, opened
from microtome.ui.app import build_app, build_window
from microtome.ui.window import MainWindow

# Before the first application is made: the suite never needs a display.
os.environ["QT_QPA_PLATFORM"] = "offscreen"

# A busy machine is no fault of what is tested.
settings.register_profile("microtome", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("microtome")

WAIT_MS = 60_000
"""Long enough for a loaded machine; nothing waits that long when all is well."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for settings, recent projects and crash files that no other test sees."""
    folder = tmp_path / "home"
    monkeypatch.setenv("MICROTOME_HOME", str(folder))
    return folder


@pytest.fixture
def make_window(qapp: QApplication, home: Path) -> Iterator[Callable[[], MainWindow]]:
    """Builds windows, each of a fresh session, and takes them away in the end."""
    windows: list[MainWindow] = []

    def make() -> MainWindow:
        build_app()
        window = build_window(Session())
        window.resize(1280, 800)
        window.show()
        windows.append(window)
        return window

    yield make
    for window in windows:
        window.close()
        window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    i18n.set_language("en")
    opened.forget()


@pytest.fixture
def window(make_window: Callable[[], MainWindow]) -> MainWindow:
    """A running window without a project."""
    return make_window()


@pytest.fixture
def idle(qtbot: QtBot) -> Callable[[MainWindow], None]:
    """Waits until all background reading of a window has landed."""

    def wait(window: MainWindow) -> None:
        qtbot.waitUntil(lambda: window.desk.tasks.pending() == 0, timeout=WAIT_MS)

    return wait


@pytest.fixture
def press(qtbot: QtBot) -> Callable[[MainWindow, str], None]:
    """Clicks the button with these words on the page in front, once it is there."""

    def click(window: MainWindow, words: str) -> None:
        def found() -> list[QPushButton]:
            page = window.tabs.current()
            assert page is not None
            return [b for b in page.findChildren(QPushButton) if b.text() == words and b.isVisible() and b.isEnabled()]

        qtbot.waitUntil(lambda: bool(found()))
        QTest.mouseClick(found()[0], Qt.MouseButton.LeftButton)

    return click


@pytest.fixture
def volume_files(tmp_path: Path) -> list[Path]:
    """Two small stacks with a voxel size, of unlike texture: fine and coarse."""
    files = []
    for name, step in (("fine", 1), ("coarse", 4)):
        rng = np.random.default_rng(step)
        small = rng.integers(0, 255, (96 // step,) * 3, dtype=np.uint8)
        voxels = small.repeat(step, 0).repeat(step, 1).repeat(step, 2)
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(
            path, voxels, imagej=True, resolution=(0.25, 0.25), metadata={"spacing": 4.0, "unit": "nm", "axes": "ZYX"}
        )
        files.append(path)
    return files
