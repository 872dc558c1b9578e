"""The panels of a volume: corrections seen before they are kept, health looked over once and kept, long passes stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from microtome.errors import InputError, MicrotomeError
from microtome.plugin import Report
from microtome.store.project import VolumeEntry
from microtome.ui import i18n
from microtome.ui.correction_chain import Link
from microtome.ui.opened import opened
from microtome.ui.passes import Pass
from microtome.ui.projects import new_project
from microtome.ui.views.volumes.corrections_panel import CorrectionsPanel
from microtome.ui.views.volumes.finding_row import FindingRow
from microtome.ui.views.volumes.health_panel import HealthPanel
from microtome.ui.window import MainWindow
from microtome.volumes.health.findings import Finding, Remedy, without
from microtome.volumes.read import describe, open_volume

Idle = Callable[[MainWindow], None]
LONG = 60_000


def blobs(depth: int = 24, edge: int = 64) -> np.ndarray:
    """Smooth random structure, alike from slice to slice."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(0).normal(size=(depth, edge, edge)), 2.5)
    return np.clip(128 + 60 * noise / noise.std(), 0, 255).astype(np.uint8)


@pytest.fixture
def drifting(window: MainWindow, tmp_path: Path) -> VolumeEntry:
    """A volume whose slices drift by whole pixels, and two of which are the same."""
    walk = np.cumsum(np.random.default_rng(1).integers(-2, 3, (24, 2)), 0)
    moved = np.stack([np.roll(s, tuple(m), (0, 1)) for s, m in zip(blobs(), walk, strict=True)])
    moved[15] = moved[14]
    path = tmp_path / "drifting.tif"
    tifffile.imwrite(path, moved, photometric="minisblack")
    new_project(window.desk, tmp_path / "project")
    session = window.desk.session
    session.add_volume(describe(path, voxel_size=(10.0, 4.0, 4.0), unit="nm"), "A")
    return session.need_project().volumes[0]


@pytest.fixture
def panel(window: MainWindow, drifting: VolumeEntry, qtbot: QtBot) -> CorrectionsPanel:
    made = CorrectionsPanel(window.desk)
    qtbot.addWidget(made)
    made.resize(1000, 420)
    made.show()
    made.show_entry(drifting)
    return made


def rest(panel: CorrectionsPanel, qtbot: QtBot) -> None:
    """Until nothing is measured or read any more."""
    desk = panel.desk
    qtbot.waitUntil(lambda: not panel._pass.running and desk.tasks.pending() == 0, timeout=LONG)


def test_a_correction_is_seen_before_it_is_kept_and_survives_reopening(
    window: MainWindow, panel: CorrectionsPanel, drifting: VolumeEntry, qtbot: QtBot
) -> None:
    session = window.desk.session
    source = Path(drifting.path).read_bytes()
    rest(panel, qtbot)
    assert not panel.keep.isEnabled()
    panel.editor.insert(Link(name="align"))
    rest(panel, qtbot)
    assert panel.editor.chain.links[0].known is not None, "a small volume is measured at once"
    pictures = panel.comparison.view.pictures
    assert pictures is not None
    assert pictures[0].voxels.shape != pictures[1].voxels.shape, "what is not common to all slices is cut off"
    assert "→" in panel.leaves.text()
    assert session.volume(drifting.id).transforms == (), "nothing is kept yet"
    panel.keep.click()
    entry = session.volume(drifting.id)
    assert [t["name"] for t in entry.transforms] == ["align"]
    assert entry.shown_shape == pictures_shape(panel)
    assert entry.shape == (24, 64, 64), "the source's own"
    assert Path(entry.path).read_bytes() == source
    session.open_project(session.need_project().path)
    again = session.volume(drifting.id)
    volume = open_volume(again.path, **again.options)
    assert volume.shape == again.shown_shape
    np.testing.assert_array_equal(volume[12], opened(session.need_project(), again)[12])


def pictures_shape(panel: CorrectionsPanel) -> tuple[int, int, int]:
    assert panel._seen is not None
    return panel._seen.result.shape


def test_a_setting_out_of_range_is_said_at_the_card_and_cannot_be_kept(panel: CorrectionsPanel, qtbot: QtBot) -> None:
    panel.editor.insert(Link(name="crop", settings={"z_from": 30}))
    rest(panel, qtbot)
    qtbot.waitUntil(lambda: panel.editor.wrong, timeout=LONG)
    assert "z = 30" in panel.editor.cards[0].problem.text()
    assert not panel.keep.isEnabled()
    panel.editor._set(0, "z_from", 3)
    rest(panel, qtbot)
    assert not panel.editor.wrong
    assert pictures_shape(panel) == (21, 64, 64)
    assert panel.keep.isEnabled()


def test_the_card_of_a_new_correction_is_scrolled_to(panel: CorrectionsPanel, qtbot: QtBot) -> None:
    """In a window of the least height there is room for one."""
    panel.resize(900, 240)
    for name in ("crop", "align", "denoise"):
        panel.editor.insert(Link(name=name))
    rest(panel, qtbot)
    card, area = panel.editor.cards[panel.editor.chosen], panel.editor.area
    qtbot.waitUntil(lambda: area.viewport().rect().contains(card.mapTo(area.viewport(), QPoint(20, 4))), timeout=LONG)


def test_a_switched_off_correction_is_kept_aside_and_undo_brings_it_back(
    window: MainWindow, panel: CorrectionsPanel, drifting: VolumeEntry, qtbot: QtBot
) -> None:
    for name in ("crop", "denoise"):
        panel.editor.insert(Link(name=name, settings={"z_from": 2} if name == "crop" else {}))
    panel.editor.cards[0].on.click()
    rest(panel, qtbot)
    panel.keep.click()
    entry = window.desk.session.volume(drifting.id)
    assert [t["name"] for t in entry.transforms] == ["denoise"]
    assert entry.aside == ({"name": "crop", "z_from": 2, "at": 0},)
    panel.editor.back.click()
    assert [link.on for link in panel.editor.chain.links] == [True, True]
    assert panel.keep.isEnabled()
    panel.discard.click()
    assert [link.on for link in panel.editor.chain.links] == [False, True]
    rest(panel, qtbot)


def test_the_slice_after_a_crop_shows_the_same_place(panel: CorrectionsPanel, qtbot: QtBot) -> None:
    panel.editor.insert(Link(name="crop", settings={"z_from": 4}))
    rest(panel, qtbot)
    panel.show_slice(9)
    rest(panel, qtbot)
    pictures = panel.comparison.view.pictures
    assert pictures is not None
    np.testing.assert_array_equal(pictures[0].voxels, pictures[1].voxels)
    assert not panel.comparison.view.beside, "pictures of one extent lie under the divider"


def test_the_divider_follows_the_mouse(panel: CorrectionsPanel, qtbot: QtBot) -> None:
    panel.editor.insert(Link(name="denoise"))
    rest(panel, qtbot)
    view = panel.comparison.view
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(view.width() // 4, 40))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(view.width() // 4, 40))
    assert view.split == pytest.approx(0.25, abs=0.02)
    left, right = view.panes()
    assert left.width() + right.width() == pytest.approx(view.width())
    assert view.target(0) == view.target(1), "both lie at the same place"


def test_corrections_of_what_is_no_file_are_not_offered(window: MainWindow, panel: CorrectionsPanel) -> None:
    session = window.desk.session
    session.add_simulated("rnd", seed=0, class_name="B")
    panel.show_entry(session.need_project().volumes[1])
    assert panel.stack.currentIndex() == 0
    panel.show_entry(None)
    assert panel.entry is None


def test_health_is_looked_over_once_and_kept(
    window: MainWindow, drifting: VolumeEntry, qtbot: QtBot, panel: CorrectionsPanel
) -> None:
    health = HealthPanel(window.desk)
    qtbot.addWidget(health)
    health.resize(1000, 420)
    health.show()
    health.show_entry(drifting)
    qtbot.waitUntil(lambda: health.found is not None, timeout=LONG)
    kinds = {row.finding.kind for row in health.rows}
    assert {"drift", "repeated"} <= kinds
    repeated = next(r for r in health.rows if r.finding.kind == "repeated" and (15, 15) in r.finding.slices)
    wanted: list[int] = []
    health.slice_wanted.connect(wanted.append)
    link = next(b for b in repeated.findChildren(QPushButton) if b.text() == "15")
    link.click()
    assert wanted == [15]
    assert health.plot is not None
    assert len(health.plot.lines["profile"].getData()[0]) == 24
    health.remedy_wanted.connect(panel.propose)
    next(r for r in health.rows if r.finding.kind == "drift").remedies[0].click()
    assert [link.name for link in panel.editor.chain.links] == ["align"]
    rest(panel, qtbot)
    again = HealthPanel(window.desk)
    qtbot.addWidget(again)
    again.show_entry(drifting)
    assert again.found is not None
    assert again.found.made == health.found.made  # type: ignore[union-attr]
    assert not again._pass.running
    changed = Path(drifting.path)
    tifffile.imwrite(changed, blobs(), photometric="minisblack")
    third = HealthPanel(window.desk)
    qtbot.addWidget(third)
    third.show_entry(drifting)
    assert third.found is None, "the file is another one"


def test_a_file_that_cannot_be_read_is_said_in_both_panels(
    window: MainWindow, drifting: VolumeEntry, panel: CorrectionsPanel, qtbot: QtBot
) -> None:
    rest(panel, qtbot)
    gone = window.desk.session
    gone.change_volume(drifting.id, path=str(Path(drifting.path).with_name("gone.tif")))
    entry = gone.volume(drifting.id)
    panel.show_entry(entry)
    qtbot.waitUntil(lambda: "gone.tif" in panel.comparison.view.busy, timeout=LONG)
    health = HealthPanel(window.desk)
    qtbot.addWidget(health)
    health.show()
    health.show_entry(entry)
    qtbot.waitUntil(lambda: not health._pass.running, timeout=LONG)
    assert health.found is None


class TestPasses:
    """Long work in its own thread."""

    def test_it_reports_and_delivers(self, window: MainWindow, qtbot: QtBot) -> None:
        go = threading.Event()
        made = Pass(window, lambda _: None)
        shares: list[float] = []
        got: list[str] = []
        made.progressed.connect(lambda share, _: shares.append(share))

        def work(report: Report) -> str:
            report(0.5)
            go.wait()
            return "done"

        made.start(work, got.append)
        qtbot.waitUntil(lambda: 0.5 in shares)
        go.set()
        qtbot.waitUntil(lambda: got == ["done"])
        assert not made.running

    def test_stopped_work_ends_and_its_result_is_thrown_away(self, window: MainWindow, qtbot: QtBot) -> None:
        made = Pass(window, lambda _: None)
        begun, ended, got = threading.Event(), threading.Event(), []

        def work(report: Report) -> str:
            begun.set()
            while not report(0.1):
                pass
            ended.set()
            return "too late"

        made.start(work, got.append)
        qtbot.waitUntil(begun.is_set)
        made.stop()
        assert not made.running
        qtbot.waitUntil(ended.is_set)
        after = Pass(window, lambda _: None)
        after.start(lambda _: "next", got.append)
        qtbot.waitUntil(lambda: got == ["next"])

    def test_a_mistake_goes_to_its_owner(self, window: MainWindow, qtbot: QtBot) -> None:
        said: list[MicrotomeError] = []
        made = Pass(window, said.append)

        def work(_report: Report) -> None:
            raise InputError("No.")

        made.start(work, lambda _: None)
        qtbot.waitUntil(lambda: [e.message for e in said] == ["No."])


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_finding_with_its_remedies_fits_a_narrow_panel(window: MainWindow, qtbot: QtBot, language: str) -> None:
    """The panel does not scroll sideways: how bad it is would be cut off."""
    remedies = (Remedy(label="Make the distances even", step={"name": "slice-positions"}), *without([4, 9], 20))
    i18n.set_language(language)
    try:
        made = FindingRow(Finding(kind="repeated", words="Some.", severity="warning", slices=((4, 4),), remedies=remedies))
    finally:
        i18n.set_language("en")
    qtbot.addWidget(made)
    assert made.minimumSizeHint().width() <= 370
