"""Orders and the clock: until when a run may go on, and when nothing new begins."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import small
from small import Watch
from virtual import World

from microtome.events import EpochEnded, Event, Note, StateChanged
from microtome.search.drive import Drive
from microtome.search.driver import drive
from microtome.search.engine import OneTrial
from microtome.search.loop import Loop
from microtome.search.recipe import load
from microtome.search.records import Records
from microtome.search.steer import Helm
from microtome.search.stopping.schedule import Scheduler
from microtome.search.workers.place import Place
from microtome.store.run import Orders, RunFolder


def made(folder: Path) -> RunFolder:
    return RunFolder.create(folder, name="r", info={"kind": "train"}, recipe_toml="")


def helm(run: RunFolder, *, fresh: bool = False) -> Helm:
    return Helm(Orders(run, from_start=fresh))


def test_a_time_that_is_over_stops_a_fresh_run_and_says_so(tmp_path: Path) -> None:
    run = made(tmp_path)
    run.order("until", at=time.time() - 1)
    mine = helm(run, fresh=True)
    assert mine.look() == "interrupt"
    assert mine.leaving
    assert "time was over" in mine.reason


def test_a_time_to_come_does_not_stop_and_outlives_a_driver(tmp_path: Path) -> None:
    run = made(tmp_path)
    at = time.time() + 3600
    run.order("until", at=at)
    assert helm(run, fresh=True).look() == "run"
    again = helm(run)
    assert again.look() == "run"
    assert again.until == at


def test_a_run_that_is_taken_up_after_its_time_goes_on(tmp_path: Path) -> None:
    run = made(tmp_path)
    run.order("until", at=time.time() - 1)
    assert helm(run).look() == "run"


def test_the_latest_order_counts_and_an_empty_one_takes_the_limit_away(tmp_path: Path) -> None:
    run = made(tmp_path)
    run.order("until", at=time.time() - 1)
    run.order("until", seconds=7200.0)
    mine = helm(run, fresh=True)
    assert mine.look() == "run"
    assert mine.until is not None and 7100 < mine.until - time.time() <= 7200
    run.order("until")
    assert helm(run, fresh=True).until is None


def test_a_limit_that_makes_no_sense_is_none(tmp_path: Path) -> None:
    run = made(tmp_path)
    run.order("until", at="soon")
    assert helm(run, fresh=True).look() == "run"


def test_paused_runs_end_in_time_too_and_an_abort_stays_one(tmp_path: Path) -> None:
    run = made(tmp_path)
    run.order("pause")
    run.order("until", at=time.time() - 1)
    assert helm(run, fresh=True).look() == "interrupt"
    run.order("abort")
    assert helm(run, fresh=True).look() == "abort"


def test_the_time_of_a_search(tmp_path: Path) -> None:
    mine = helm(made(tmp_path))
    assert not mine.used_up
    mine.allow(3600)
    assert not mine.used_up
    mine.allow(-1)
    assert mine.used_up


def test_orders_of_the_last_moment_are_read(tmp_path: Path) -> None:
    run = made(tmp_path)
    mine = helm(run)
    assert mine.look() == "run" and not mine.more()
    run.order("trial", parameters={})
    assert mine.more() and len(mine.take_edits()) == 1 and not mine.more()
    run.order("budget", n=9)
    assert mine.more() and mine.take_budget() == 9 and not mine.more()
    run.order("pause")
    assert not mine.more() and mine.mode == "pause"


class Late(Watch):
    """Says in the second epoch that the time is over."""

    def act(self, event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 1 and self.once("until"):
            self.run.order("until", at=time.time())


def test_a_training_stops_in_time_and_goes_on_to_the_same_end(tmp_path: Path) -> None:
    # On any machine so many epochs last longer than the twentieth of a second between two looks at the orders.
    run = small.make(tmp_path, training={"epochs": 30})
    watch = Late(run)
    end = drive(run, watch)
    assert end.state == "stopped"
    assert "time was over" in end.message
    assert "stopping" in [e.state for e in watch.of(StateChanged)]
    assert len(watch.of(EpochEnded)) < 30
    assert drive(run).state == "done"


@pytest.mark.slow
def test_a_search_begins_nothing_new_after_its_hours_and_is_evaluated(tmp_path: Path) -> None:
    space = {"network.width": {"low": 4, "high": 16}}
    search = {"algorithm": "random", "budget": 40, "workers": 1, "hours": 0.0012, "space": space}
    run = small.make(tmp_path, training={"epochs": 1}, search=search)
    watch = Watch(run)
    end = drive(run, watch)
    assert end.state == "done"
    assert 1 <= len(watch.outcomes()) < 40
    assert any("time budget" in note.text for note in watch.of(Note))


def test_time_that_is_given_later_is_used(tmp_path: Path) -> None:
    search = {"algorithm": "random", "budget": 9, "hours": 1.0, "space": {"network.width": [4, 8, 16]}}
    run = small.make(tmp_path, search=search)
    mine, said = Helm(Orders(run, from_start=True)), []
    with run.writer() as journal:
        drive_ = Drive(run, load(run.recipe), Records(), mine, journal, said.append, Place())
        world = World(Scheduler(1), {}, workers=1)
        loop = Loop(OneTrial(), world, world, budget=9)
        loop.asked = 4
        mine.allow(-1.0)
        for _ in range(2):
            drive_._mind_the_time(loop)
        assert loop.budget == 4 and len(said) == 1, "nothing new is begun, and that is said once"
        loop.budget += 1  # a trial of the user's own
        loop.asked += 1
        mine.allow(3600.0)
        drive_._mind_the_time(loop)
        assert loop.budget == 10
        drive_._mind_the_time(loop)
        assert loop.budget == 10
