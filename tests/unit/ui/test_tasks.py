"""Background requests: the newest wins, nothing lands late, mistakes and bugs come out where they belong."""

from __future__ import annotations

import threading

import pytest
from PySide6.QtCore import QObject, QThread
from pytestqt.qtbot import QtBot

from microtome.errors import FileError, MicrotomeError
from microtome.ui.tasks import Tasks


@pytest.fixture
def owner(qtbot: QtBot) -> QObject:
    return QObject()


@pytest.fixture
def failures() -> list[MicrotomeError]:
    return []


@pytest.fixture
def tasks(owner: QObject, failures: list[MicrotomeError]) -> Tasks:
    return Tasks(owner, failures.append)


def test_work_runs_elsewhere_and_lands_in_the_windows_thread(tasks: Tasks, owner: QObject, qtbot: QtBot) -> None:
    threads: list[object] = []

    def landed(name: str) -> None:
        threads.extend([name, QThread.currentThread() == owner.thread()])

    tasks.request(owner, "a", lambda: threading.current_thread().name, landed)
    qtbot.waitUntil(lambda: len(threads) == 2)
    assert threads[0] != threading.current_thread().name
    assert threads[1] is True


def test_a_newer_request_supersedes_the_older(tasks: Tasks, owner: QObject, qtbot: QtBot) -> None:
    gate, landed = threading.Event(), []

    def slow() -> str:
        gate.wait(10)
        return "old"

    tasks.request(owner, "a", slow, landed.append)
    tasks.request(owner, "a", lambda: "new", landed.append)
    qtbot.waitUntil(lambda: landed == ["new"])
    gate.set()
    done: list[str] = []
    tasks.request(owner, "b", lambda: "later", done.append)
    qtbot.waitUntil(lambda: done == ["later"])
    assert landed == ["new"]
    assert tasks.pending() == 0


def test_requests_of_other_slots_do_not_disturb_each_other(tasks: Tasks, owner: QObject, qtbot: QtBot) -> None:
    landed: list[int] = []
    for i in range(20):
        tasks.request(owner, f"slot {i}", lambda i=i: i, landed.append)  # type: ignore[misc]
    qtbot.waitUntil(lambda: len(landed) == 20)
    assert sorted(landed) == list(range(20))


def test_a_result_never_lands_in_a_widget_that_is_gone(tasks: Tasks, qtbot: QtBot) -> None:
    import shiboken6

    gate, landed, other = threading.Event(), [], QObject()

    def slow() -> int:
        gate.wait(10)
        return 1

    tasks.request(other, "a", slow, landed.append)
    shiboken6.delete(other)
    gate.set()
    qtbot.waitUntil(lambda: tasks.pending() == 0)
    assert landed == []


def test_a_cancelled_request_does_not_land(tasks: Tasks, owner: QObject, qtbot: QtBot) -> None:
    gate, landed = threading.Event(), []

    def slow() -> int:
        gate.wait(10)
        return 1

    tasks.request(owner, "a", slow, landed.append)
    tasks.cancel(owner, "a")
    gate.set()
    done: list[int] = []
    tasks.request(owner, "b", lambda: 2, done.append)
    qtbot.waitUntil(lambda: done == [2])
    assert landed == []


def test_a_users_mistake_is_reported(tasks: Tasks, owner: QObject, qtbot: QtBot, failures: list[MicrotomeError]) -> None:
    def bad() -> None:
        raise FileError("a.tif is empty.")

    own: list[MicrotomeError] = []
    tasks.request(owner, "a", bad, lambda _: None)
    tasks.request(owner, "b", bad, lambda _: None, failed=own.append)
    qtbot.waitUntil(lambda: bool(failures) and bool(own))
    assert str(failures[0]) == "a.tif is empty."
    assert str(own[0]) == "a.tif is empty."


def test_a_bug_stays_a_visible_exception(tasks: Tasks, owner: QObject, qtbot: QtBot) -> None:
    def bug() -> None:
        raise ZeroDivisionError("a bug")

    with qtbot.captureExceptions() as raised:
        tasks.request(owner, "a", bug, lambda _: None)
        qtbot.waitUntil(lambda: tasks.pending() == 0)
    assert [kind for kind, _, _ in raised] == [ZeroDivisionError]
