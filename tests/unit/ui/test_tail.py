"""Following journals: new events change the state, a dead driver is seen, the timer rests when nothing runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from microtome.events import EpochEnded, Event, RunEnded, RunStarted, StateChanged, TrialStarted
from microtome.session import Session
from microtome.store.atomic import write_json
from microtome.store.run import Orders, RunFolder, RunLock
from microtome.ui.tail import Tails


def epoch(number: int, accuracy: float = 0.5) -> EpochEnded:
    return EpochEnded(
        trial=1,
        epoch=number,
        train_loss=1.0,
        train_accuracy=accuracy,
        validation_loss=1.0,
        validation_accuracy=accuracy,
        per_class={"a": (1, 2), "b": (1, 2)},
        confusion=((1, 1), (1, 1)),
        learning_rate=1e-3,
        images_per_second=100.0,
        seconds=1.0,
    )


STARTED = RunStarted(run="r", kind="train", classes=("a", "b"), trials=1, epochs=10, pid=1)
TRIAL = TrialStarted(trial=1, parameters={}, key="k", worker=0)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    session = Session()
    session.new_project(tmp_path / "project")
    return session


@pytest.fixture
def run(session: Session) -> RunFolder:
    return RunFolder.create(session.need_project().runs_dir, name="train", info={"kind": "train"}, recipe_toml="")


def write(run: RunFolder, *events: Event) -> None:
    with run.writer() as journal:
        for event in events:
            journal.append(event)


def follow(session: Session, qtbot: QtBot) -> tuple[Tails, list[str]]:
    tails, changed = Tails(session), []
    tails.changed.connect(changed.append)
    tails.sync()
    return tails, changed


def test_what_a_living_driver_writes_is_shown(session: Session, run: RunFolder, qtbot: QtBot) -> None:
    RunLock(run).take()  # this process drives
    tails, changed = follow(session, qtbot)
    tail = tails.get(run.name)
    assert tail is not None
    qtbot.waitUntil(lambda: tail.driving)
    assert tail.word == "starting"
    write(run, STARTED, TRIAL, epoch(0), epoch(1))
    qtbot.waitUntil(lambda: tail.state.trials.get(1) is not None and len(tail.state.trials[1].epochs) == 2)
    assert tail.word == "running"
    assert tail.speed() == 100.0
    assert set(changed) == {run.name}
    write(run, StateChanged(state="paused"))
    qtbot.waitUntil(lambda: tail.word == "paused")
    assert not tails.idle
    write(run, RunEnded(state="done"))
    RunLock(run).release()
    qtbot.waitUntil(lambda: tails.idle)
    assert tail.word == "done"


def test_a_run_whose_driver_is_gone_is_interrupted(session: Session, run: RunFolder, qtbot: QtBot) -> None:
    write(run, STARTED, TRIAL, epoch(0))
    tails, _ = follow(session, qtbot)
    qtbot.waitUntil(lambda: tails.idle)
    tail = tails.get(run.name)
    assert tail is not None
    assert tail.word == "interrupted"
    assert not tail.active
    assert tail.eta_range() is None


def test_a_driver_that_dies_while_one_watches_is_noticed(session: Session, run: RunFolder, qtbot: QtBot) -> None:
    RunLock(run).take()
    write(run, STARTED, TRIAL)
    tails, _ = follow(session, qtbot)
    tail = tails.get(run.name)
    assert tail is not None
    qtbot.waitUntil(lambda: tail.word == "running")
    write(run, epoch(0))
    (run.path / "lock").unlink()
    qtbot.waitUntil(lambda: tail.word == "interrupted", timeout=10_000)
    assert len(tail.state.trials[1].epochs) == 1, "its last words are read"
    qtbot.waitUntil(lambda: tails.idle)


def test_a_long_journal_is_read_in_small_bites(session: Session, run: RunFolder, qtbot: QtBot) -> None:
    write(run, STARTED, TRIAL, *[epoch(i) for i in range(6000)])
    assert run.events.stat().st_size > 1_000_000
    tails = Tails(session)
    tails.sync()
    tail = tails.get(run.name)
    assert tail is not None
    tails.tick()
    assert 0 < len(tail.state.trials[1].epochs) < 6000
    qtbot.waitUntil(lambda: tail.caught_up and tails.idle)
    assert len(tail.state.trials[1].epochs) == 6000


def test_a_damaged_journal_is_said_and_the_others_go_on(session: Session, run: RunFolder, qtbot: QtBot) -> None:
    other = RunFolder.create(session.need_project().runs_dir, name="other", info={"kind": "train"}, recipe_toml="")
    write(run, STARTED)
    with open(run.events, "ab") as file:
        file.write(b"\x00\x01 not json\n")
    write(other, STARTED, RunEnded(state="stopped"))
    tails, changed = follow(session, qtbot)
    qtbot.waitUntil(lambda: tails.idle)
    bad, good = tails.get(run.name), tails.get(other.name)
    assert bad is not None and good is not None
    assert "Not an event" in bad.problem
    assert good.word == "stopped"
    assert run.name in changed


def test_runs_of_another_project_are_dropped(session: Session, run: RunFolder, tmp_path: Path, qtbot: QtBot) -> None:
    tails, _ = follow(session, qtbot)
    assert tails.get(run.name) is not None
    session.new_project(tmp_path / "second")
    tails.sync()
    assert tails.all() == []
    qtbot.waitUntil(lambda: tails.idle)


def test_an_ended_run_that_goes_on_is_followed(session: Session, run: RunFolder, qtbot: QtBot) -> None:
    write(run, STARTED, TRIAL, epoch(0), RunEnded(state="stopped"))
    tails, _ = follow(session, qtbot)
    tail = tails.get(run.name)
    assert tail is not None
    qtbot.waitUntil(lambda: tails.idle)
    assert tail.word == "stopped" and not tail.active
    RunLock(run).take()
    tails.sync()
    qtbot.waitUntil(lambda: tail.driving and tail.caught_up)
    tails.tick()  # all is read, and the driver still imports
    assert tail.word == "starting" and tail.active
    write(run, STARTED, StateChanged(state="running"))
    qtbot.waitUntil(lambda: tail.word == "running")
    assert tail.active and not tail.again
    write(run, RunEnded(state="done"))
    qtbot.waitUntil(lambda: tail.state.finished)
    assert tail.word == "done" and not tail.active, "a driver that still cleans up does not start"
    RunLock(run).release()
    qtbot.waitUntil(lambda: tails.idle)


def test_a_driver_that_dies_before_its_first_word_leaves_the_run_as_it_was(
    session: Session, run: RunFolder, qtbot: QtBot
) -> None:
    write(run, STARTED, RunEnded(state="stopped"))
    tails, _ = follow(session, qtbot)
    tail = tails.get(run.name)
    assert tail is not None
    qtbot.waitUntil(lambda: tails.idle)
    RunLock(run).take()
    tails.sync()
    qtbot.waitUntil(lambda: tail.word == "starting")
    RunLock(run).release()
    qtbot.waitUntil(lambda: tails.idle, timeout=10_000)
    assert tail.word == "stopped"


def test_a_run_that_another_driver_begins_is_starting_until_it_has_its_lock(
    session: Session, run: RunFolder, qtbot: QtBot
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as driver:
        began = psutil.Process(driver.pid).create_time()
        write_json(session.queue.file, {"waiting": [], "starting": {run.name: [driver.pid, began]}})
        tails, _ = follow(session, qtbot)
        tail = tails.get(run.name)
        assert tail is not None
        qtbot.waitUntil(lambda: tail.word == "starting")
        qtbot.waitUntil(lambda: tail.caught_up)
        tails.tick()
        assert not tails.idle, "what it writes is still to come"
        session.order(run, "pause")
        assert Orders(run).latest("pause") is not None
        driver.communicate(b"\n")
    qtbot.waitUntil(lambda: tail.word == "interrupted")
    qtbot.waitUntil(lambda: tails.idle)
