"""Waiting runs in the jobs strip are put in another order by dragging; the desktop hears of a run's end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QScrollArea
from pytestqt.qtbot import QtBot

from microtome import settings
from microtome.events import Evaluated, RunEnded, RunStarted, TrialEnded, TrialStarted
from microtome.session import Change
from microtome.store.project import Project
from microtome.store.run import RunFolder, RunLock
from microtome.ui.notices import SETTING, Notices
from microtome.ui.queue_row import QueueRow
from microtome.ui.window import MainWindow

LONG = 60_000


@pytest.fixture
def busy(project: Project) -> Iterator[RunFolder]:
    """Another run keeps the project busy, so that others wait."""
    run = RunFolder.create(project.runs_dir, name="other", info={"kind": "train"}, recipe_toml="")
    RunLock(run).take()
    yield run
    (run.path / "lock").unlink(missing_ok=True)


@pytest.fixture
def queued(window: MainWindow, busy: RunFolder, qtbot: QtBot) -> Callable[[], list[QueueRow]]:
    """Four waiting runs; gives their rows as they are now."""
    session = window.desk.session
    for _ in range(4):
        session.enqueue(search=False, name="train")
    window.resize(1280, 800)
    window.show()
    window.desk.announce(Change.RUNS)
    qtbot.waitUntil(lambda: len(window.strip.queued()) == 4, timeout=LONG)
    return window.strip.queued


def _enter(row: QueueRow, over: QueueRow) -> QDragEnterEvent:
    buttons, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    data = row.carried()
    event = QDragEnterEvent(QPoint(9, 9), Qt.DropAction.MoveAction, data, buttons, none)
    event.ignore()
    QApplication.sendEvent(over, event)
    return event


def _drop(row: QueueRow, over: QueueRow) -> None:
    buttons, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    _enter(row, over)
    data = row.carried()
    QApplication.sendEvent(over, QDropEvent(QPointF(9, 9), Qt.DropAction.MoveAction, data, buttons, none))


@pytest.mark.parametrize(("carried", "over", "order"), [(0, 3, [1, 2, 3, 0]), (3, 0, [3, 0, 1, 2]), (2, 1, [0, 2, 1, 3])])
def test_a_row_that_is_dropped_on_another_takes_its_place(
    queued: Callable[[], list[QueueRow]], window: MainWindow, qtbot: QtBot, carried: int, over: int, order: list[int]
) -> None:
    names = [row.tail.run.name for row in queued()]
    _drop(queued()[carried], queued()[over])
    wanted = [names[i] for i in order]
    assert [w.run for w in window.desk.session.queue.waiting()] == wanted, "as the next driver will read it"
    qtbot.waitUntil(lambda: [row.tail.run.name for row in queued()] == wanted, timeout=LONG)
    assert queued()[0].words.text() == "next in the queue"


def test_the_row_under_a_carried_one_shows_where_it_would_come(
    queued: Callable[[], list[QueueRow]], window: MainWindow, qtbot: QtBot
) -> None:
    first, second, third, last = queued()
    area = next(a for a in window.strip.findChildren(QScrollArea) if a.isAncestorOf(last))
    qtbot.waitUntil(lambda: area.verticalScrollBar().maximum() > 0, timeout=LONG)
    assert last.visibleRegion().isEmpty(), "the strip is three rows high"
    assert _enter(first, third).isAccepted()
    assert (third.side, first.side) == ("below", "")
    assert area.verticalScrollBar().value() > 0
    place = last.mapTo(area.viewport(), last.rect().bottomLeft()).y()
    assert place < area.viewport().height(), "the next one comes to sight"
    QApplication.sendEvent(third, QDragLeaveEvent())
    assert third.side == ""
    assert _enter(third, first).isAccepted()
    assert first.side == "above"
    assert _enter(second, second).isAccepted()
    assert second.side == ""
    _drop(second, second)
    assert [w.run for w in window.desk.session.queue.waiting()] == [r.tail.run.name for r in (first, second, third, last)]


def test_what_the_mouse_carries_is_the_row_that_it_took(
    queued: Callable[[], list[QueueRow]], window: MainWindow, qtbot: QtBot
) -> None:
    row = queued()[0]
    middle = row.rect().center()
    QTest.mousePress(row, Qt.MouseButton.LeftButton, pos=middle)
    assert row._pressed
    QTest.mouseMove(row, middle + QPoint(1, 0))
    assert row._pressed, "a trembling hand drags nothing"
    assert bytes(row.carried().data(row.carried().formats()[0]).data()).decode() == row.tail.run.name


# --- the desktop's notice


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a notification command that is found on the path was called with."""
    if not sys.platform.startswith("linux"):
        pytest.skip("other systems have a tray")
    told = tmp_path / "told.txt"
    command = tmp_path / "bin" / "notify-send"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{told}.part"\nmv "{told}.part" "{told}"\n', encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")
    return told


def _end(window: MainWindow, run: RunFolder, qtbot: QtBot) -> None:
    """The run of another process comes to its end while the window watches."""
    window.desk.announce(Change.RUNS)
    tail = window.desk.tails.get(run.name)
    assert tail is not None
    with run.writer() as journal:
        journal.append(RunStarted(run=run.name, kind="train", classes=("a", "b"), trials=1, epochs=3, pid=1))
        journal.append(TrialStarted(trial=1, parameters={}, key="k", worker=0))
        qtbot.waitUntil(lambda: tail.word == "running", timeout=LONG)
        journal.append(TrialEnded(trial=1, outcome="done", value=0.9, best_epoch=0, seconds=1.0))
        counts = {"a": (90, 100), "b": (90, 100)}
        journal.append(Evaluated(trial=1, accuracy=0.9, interval=(0.85, 0.94), per_class=counts, confusion=()))
        journal.append(RunEnded(state="done", best_trial=1))
    (run.path / "lock").unlink()
    qtbot.waitUntil(lambda: tail.word == "done", timeout=LONG)


def test_the_desktop_hears_of_an_end_that_nobody_watches(window: MainWindow, busy: RunFolder, sent: Path, qtbot: QtBot) -> None:
    window.hide()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is None, timeout=LONG)
    _end(window, busy, qtbot)
    qtbot.waitUntil(sent.exists, timeout=LONG)
    *options, head, words = sent.read_text(encoding="utf-8").splitlines()
    assert options[0] == "--app-name=Microtome" and options[-1] == "--", "a name with a dash is no option"
    assert head.startswith("other") and head.endswith("is done.")
    assert "Accuracy 90.0 % on 200 evaluation images" in words
    assert window.findChildren(Notices)[0].said == [(head, words)]


@pytest.mark.parametrize("looking", [True, False])
def test_who_looks_at_the_window_or_wants_none_gets_no_notice(
    window: MainWindow, busy: RunFolder, sent: Path, qtbot: QtBot, looking: bool
) -> None:
    settings.put(SETTING, looking)
    if looking:
        window.show()
        window.activateWindow()
    else:
        window.hide()
    qtbot.waitUntil(lambda: (QApplication.activeWindow() is not None) == looking, timeout=LONG)
    _end(window, busy, qtbot)
    assert window.findChildren(Notices)[0].said == []
    assert any(m.text.endswith("is done.") for m in window.desk.messages), "the window itself says it"
