"""A scientist lets two trainings wait, reorders them, closes the window, and finds both done in that order."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from microtome.results.fold import fold_all
from microtome.session import Change, Session
from microtome.store.journal import read_all
from microtome.store.run import RunFolder, RunLock
from microtome.ui.pages.training import TrainingSetupPage
from microtome.ui.window import MainWindow

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "search"))
import small

from microtome.volumes.read import describe

LONG = 120_000
Make = Callable[[], MainWindow]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    table = small.table(tmp_path / "data")
    session = Session()
    session.new_project(tmp_path / "project")
    for item in table["class"]:
        session.add_volume(describe(Path(item["volumes"][0])), item["name"])
    for section in ("slices", "training"):
        for name, value in table[section].items():
            session.set_value(f"{section}.{name}", value)
    for name in ("convolutions", "dense", "width"):
        session.set_value(f"network.{name}", table["network"][name])
    return tmp_path / "project"


def opened(make_window: Make, project: Path) -> MainWindow:
    window = make_window()
    window.desk.perform(lambda: window.desk.session.open_project(project))
    return window


def state_of(run: RunFolder) -> str:
    return fold_all(read_all(run.events)).state if run.events.exists() else "waiting"


def test_two_trainings_wait_their_turn_without_a_window(make_window: Make, project: Path, qtbot: QtBot) -> None:
    window = opened(make_window, project)
    desk = window.desk
    # Somebody else keeps the project busy, so that both have to wait.
    other = RunFolder.create(project / "runs", name="other", info={"kind": "train"}, recipe_toml="")
    lock = RunLock(other)
    lock.take()
    desk.open_page("train")
    page = window.tabs.current()
    assert isinstance(page, TrainingSetupPage) and page.face is not None
    for epochs in (1, 2):
        desk.perform(lambda n=epochs: desk.session.set_value("training.epochs", n))
        QTest.mouseClick(page.face.queue_button, Qt.MouseButton.LeftButton)
    first, second = (w.run for w in desk.queueing.waiting)
    tails = [desk.tails.get(name) for name in (first, second)]
    assert [t.word for t in tails if t is not None] == ["queued", "queued"]
    qtbot.waitUntil(lambda: len(window.strip.queued()) == 2, timeout=LONG)

    rows = window.strip.queued()
    assert "next" in rows[0].words.text() and not rows[0].up.isEnabled()
    rows[1].up.click()
    assert [w.run for w in desk.queueing.waiting] == [second, first]
    window.close()

    # The other run ends; the next window or driver moves the queue on, and each driver the next one.
    lock.release()
    session = Session()
    session.open_project(project)
    session.advance()
    runs = [RunFolder(project / "runs" / name) for name in (second, first)]
    qtbot.waitUntil(lambda: [state_of(r) for r in runs] == ["done", "done"], timeout=LONG)
    ends = [list(read_all(r.events)) for r in runs]
    assert ends[0][-1].time <= ends[1][0].time, "one at a time, the one that was moved up first"
    for driver in session.drivers.values():
        driver.wait(60)
    qtbot.waitUntil(lambda: RunLock(runs[1]).holder() is None, timeout=LONG)
    assert session.queue.waiting() == []


@pytest.mark.slow
def test_taking_one_out_and_starting_one_at_once(make_window: Make, project: Path, qtbot: QtBot) -> None:
    window = opened(make_window, project)
    desk = window.desk
    other = RunFolder.create(project / "runs", name="other", info={"kind": "train"}, recipe_toml="")
    lock = RunLock(other)
    lock.take()
    for name in ("a", "b"):
        desk.session.enqueue(search=False, name=name)
    desk.announce(Change.RUNS)
    qtbot.waitUntil(lambda: len(window.strip.queued()) == 2, timeout=LONG)
    kept, gone = (row.tail.run for row in window.strip.queued())
    window.strip.queued()[1].out.click()
    assert not gone.path.exists()
    window.strip.queued()[0].now.click()
    assert desk.queueing.waiting == []
    qtbot.waitUntil(lambda: state_of(kept) == "done", timeout=LONG)
    qtbot.waitUntil(lambda: any("is done" in m.text for m in desk.messages), timeout=LONG)
    told = next(m for m in desk.messages if "is done" in m.text)
    assert "evaluation images (95 % interval" in told.hint
    lock.release()
    for driver in desk.session.drivers.values():
        driver.wait(60)
