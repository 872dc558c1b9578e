"""A scientist opens the sample, looks at volumes and slices, closes the window, and finds all of it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from microtome.ui.editors import UnitEdit
from microtome.ui.pages.slices import SlicesPage
from microtome.ui.pages.volumes import VolumesPage
from microtome.ui.window import MainWindow

Press = Callable[[MainWindow, str], None]
LONG = 120_000


def test_from_the_sample_to_slices_and_back(
    make_window: Callable[[], MainWindow], press: Press, home: Path, qtbot: QtBot
) -> None:
    window = make_window()
    press(window, "Open the sample")
    session = window.desk.session
    assert session.classes() == ["m-sbr", "n-sbr", "rnd"]
    assert session.need_project().path == home / "projects" / "Sample"

    press(window, "Show")
    volumes = window.tabs.current()
    assert isinstance(volumes, VolumesPage)
    qtbot.waitUntil(lambda: volumes.view.picture is not None, timeout=LONG)
    picture = volumes.view.picture
    assert picture is not None
    assert picture.unit == "nm"
    assert 0.05 < (picture.voxels > 127).mean() < 0.5, "particles in a matrix"
    before = volumes.controls.slider.value()
    volumes.view.stepped.emit(3)
    qtbot.waitUntil(lambda: volumes.controls.slider.value() == before + 3, timeout=LONG)

    window.desk.open_page("slices")
    slices = window.tabs.current()
    assert isinstance(slices, SlicesPage)
    qtbot.waitUntil(lambda: [len(r.images) for r in slices.gallery.rows] == [8, 8, 8], timeout=LONG)
    assert slices.gallery.rows[0].images[0].width() == 64

    pixels = next(e for e in slices.findChildren(UnitEdit) if e.accessibleName() == "Pixels")
    pixels.setFocus()
    pixels.selectAll()
    QTest.keyClicks(pixels, "32")
    qtbot.waitUntil(lambda: bool(slices.gallery.rows) and slices.gallery.rows[2].images[0].width() == 32, timeout=LONG)

    view = next(e for e in slices.findChildren(UnitEdit) if e.accessibleName() == "Field of view")
    view.setFocus()
    view.selectAll()
    QTest.keyClicks(view, "5000")
    qtbot.waitUntil(lambda: all(r.problem for r in slices.gallery.rows), timeout=LONG)
    assert "larger than" in slices.gallery.rows[0].problem
    view.selectAll()
    QTest.keyClicks(view, "48")
    qtbot.waitUntil(lambda: not any(r.problem for r in slices.gallery.rows), timeout=LONG)

    window.desk.select("class:rnd")
    window.close()

    again = make_window()
    press(again, "Sample")
    assert [p.key for p in again.tabs.pages()] == ["start", "volumes", "slices"]
    front = again.tabs.current()
    assert isinstance(front, SlicesPage)
    assert again.desk.selection == "class:rnd"
    assert again.desk.session.value("slices.pixels") == 32
    qtbot.waitUntil(lambda: [len(r.images) for r in front.gallery.rows] == [8, 8, 8], timeout=LONG)
    assert [m.text for m in again.desk.messages if m.level == "error"] == []
