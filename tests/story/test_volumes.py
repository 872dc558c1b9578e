"""A scientist drops a headerless, a two-channel and a damaged file, answers, corrects a drift, and finds all of it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot
from scipy.ndimage import gaussian_filter

from microtome.ui.pages.volumes import VolumesPage
from microtome.ui.window import MainWindow

Idle = Callable[[MainWindow], None]
LONG = 120_000


def button(part: QWidget, words: str) -> QPushButton:
    return next(b for b in part.findChildren(QPushButton) if b.text() == words and b.isVisible() and b.isEnabled())


def files(folder: Path) -> list[Path]:
    """A raw stack that drifts, two channels in an OME TIFF, and a TIFF cut in half."""
    rng = np.random.default_rng(0)
    noise = gaussian_filter(rng.normal(size=(24, 64, 80)), 2.5)
    stack = np.clip(128 + 60 * noise / noise.std(), 0, 255).astype(np.uint8)
    walk = np.cumsum(rng.integers(-2, 3, (24, 2)), 0)
    raw, channels, broken = folder / "scan one.raw", folder / "cells.ome.tif", folder / "half.tif"
    np.stack([np.roll(s, tuple(m), (0, 1)) for s, m in zip(stack, walk, strict=True)]).tofile(raw)
    both = np.stack([stack[:6], 255 - stack[:6]])
    tifffile.imwrite(channels, both, ome=True, metadata={"axes": "CZYX", "Channel": {"Name": ["DAPI", "GFP"]}})
    tifffile.imwrite(broken, stack, photometric="minisblack")
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    return [raw, channels, broken]


def test_from_odd_files_to_a_corrected_volume(
    make_window: Callable[[], MainWindow], tmp_path: Path, idle: Idle, qtbot: QtBot
) -> None:
    window = make_window()
    raw, channels, broken = files(tmp_path)
    window.drops.take([raw, channels, broken])
    idle(window)
    card = window.drops.card
    assert card is not None
    assert {q.asked.name for q in card.questions} == {raw.name, channels.name}
    assert not card.add.isEnabled(), "nothing can be added yet"

    first = next(q for q in card.questions if q.raw is not None)
    assert first.raw is not None
    for line, n in zip(first.raw.edges, (24, 64, 80), strict=True):
        line.setText(str(n))
    first.raw.dtype.choose("uint8")
    idle(window)
    assert first.raw.preview.picture is not None
    button(first, "Use this").click()
    idle(window)
    button(card.questions[0], "Use this").click()
    idle(window)
    assert card.questions == []
    assert [r.candidate.description.shape for r in card.rows] == [(24, 64, 80), (6, 64, 80)]
    for line, size in zip(card.rows[0].voxel.lines, ("10", "4", "4"), strict=True):
        line.setText(size)
    button(card, "Add").click()
    session = window.desk.session
    entries = session.need_project().volumes
    assert [v.class_name for v in entries] == ["scan one", "cells"]
    assert entries[0].voxel_size == (10.0, 4.0, 4.0)

    page = window.tabs.current()
    assert isinstance(page, VolumesPage)
    window.desk.select(f"volume:{entries[0].id}")
    page.tabs.setCurrentWidget(page.health)
    qtbot.waitUntil(lambda: any(r.finding.kind == "drift" for r in page.health.rows), timeout=LONG)
    next(r for r in page.health.rows if r.finding.kind == "drift").remedies[0].click()
    assert page.tabs.currentWidget() is page.corrections
    qtbot.waitUntil(page.corrections.keep.isEnabled, timeout=LONG)
    idle(window)
    button(page.corrections, "Keep").click()
    corrected = session.volume(entries[0].id)
    assert [t["name"] for t in corrected.transforms] == ["align"]
    assert corrected.shown_shape is not None
    assert corrected.shown_shape[1] < 64, "the common area"
    qtbot.waitUntil(lambda: page.view.picture is not None and page.view.picture.shape[0] < 64, timeout=LONG)
    idle(window)
    window.close()

    again = make_window()
    again.desk.perform(lambda: again.desk.session.open_project(session.need_project().path))
    kept = again.desk.session.volume(corrected.id)
    assert kept == corrected
    again.desk.open_page("volumes")
    again.desk.select(f"volume:{kept.id}")
    front = again.tabs.current()
    assert isinstance(front, VolumesPage)
    qtbot.waitUntil(lambda: front.view.picture is not None, timeout=LONG)
    assert front.view.picture is not None
    assert front.view.picture.shape[0] == corrected.shown_shape[1]
    front.tabs.setCurrentWidget(front.corrections)
    assert [card.link.name for card in front.corrections.editor.cards] == ["align"]
    assert not front.corrections.changed
    idle(again)
    assert [m.text for m in again.desk.messages if m.level == "error"] == []
