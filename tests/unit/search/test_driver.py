"""One run without a window: from the recipe to the evaluation, with orders, crashes and interruptions on the way."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from small import Watch, make, project, table, workers

import microtome as mt
from microtome.errors import InputError, MicrotomeError
from microtome.events import (
    BatchProgress,
    EpochEnded,
    Evaluated,
    Event,
    ImageSetReady,
    Phase,
    RunEnded,
    RunStarted,
    StateChanged,
    TrialEnded,
    TrialStarted,
    WorkerEnded,
)
from microtome.results.fold import fold_all
from microtome.search.driver import create_run, drive, summary
from microtome.search.recipe import parse
from microtome.store.journal import read_all
from microtome.store.run import RunFolder, RunLock

SEARCH = {
    "algorithm": "random",
    "budget": 6,
    "workers": 2,
    "space": {"network.width": [8, 16], "training.learning_rate": [1e-3, 3e-3]},
}


def epochs(run: RunFolder) -> Counter[tuple[int, int]]:
    """How often each epoch of each trial is in the journal."""
    return Counter((e.trial, e.epoch) for e in read_all(run.events) if isinstance(e, EpochEnded))


def test_a_training_from_recipe_to_evaluation(tmp_path: Path) -> None:
    result = mt.run(table(tmp_path / "data"), project=tmp_path / "project")
    run = RunFolder.open(result.folder)
    assert result.accuracy is not None and result.accuracy > 0.7
    assert set(result.per_class) == {"fine", "coarse"}
    assert all(counts["total"] == 30 for counts in result.per_class.values())
    low, high = result.interval
    assert low < result.accuracy <= high
    info = run.info()
    assert (info["kind"], info["seed"]) == ("train", 0)
    assert info["versions"]["torch"] and info["versions"]["microtome"] == mt.__version__
    (network,) = info["plugins"]
    assert (network["kind"], network["name"]) == ("network", "cnn") and network["hash"]
    kinds = [type(e) for e in read_all(run.events) if not isinstance(e, Phase | EpochEnded)]
    kinds = [k for k in kinds if k.__name__ != "BatchProgress"]
    assert kinds == [RunStarted, ImageSetReady, TrialStarted, TrialEnded, Evaluated, RunEnded]
    assert epochs(run) == {(1, epoch): 1 for epoch in range(4)}
    state = fold_all(read_all(run.events))
    assert (state.state, state.best_trial, state.fraction()) == ("done", 1, 1.0)
    assert state.evaluated.independence and state.evaluated.baseline
    rows = list(csv.DictReader((run.path / "trials.csv").read_text().splitlines()))
    assert [(r["trial"], r["outcome"], r["epochs"]) for r in rows] == [("1", "done", "4")]
    # Driving a finished run once more changes nothing.
    before = run.events.read_bytes()
    assert drive(run).state == "done"
    assert run.events.read_bytes() == before
    data = summary(run)
    json.dumps(data)
    assert data["event"] == "finished" and data["run"] == str(run.path) and data["seconds"] > 0


def test_a_search_trains_nothing_twice(tmp_path: Path) -> None:
    run = make(tmp_path, search=SEARCH)
    watch = Watch(run)
    assert drive(run, watch).state == "done"
    assert len(watch.outcomes()) == 6
    assert Counter(watch.outcomes())["reused"] == 2  # four different points, six trials
    ended = {e.trial: e for e in watch.of(TrialEnded)}
    points = {e.trial: tuple(sorted(e.parameters.items())) for e in watch.of(TrialStarted)}
    for number, end in ended.items():
        if end.outcome == "reused":
            twin = int(end.reused_from.split("/")[1])
            assert points[number] == points[twin]
            assert end.value == ended[twin].value
        assert (run.trial(number) / "model.safetensors").is_file()
        assert sum(1 for e in watch.of(EpochEnded) if e.trial == number) == 4
    data = summary(run)
    assert data["trials"] == 6
    assert data["best"]["value"] == max(e.value for e in ended.values())
    assert data["best"]["parameters"] == dict(points[data["trial"]])
    # Another run of the project finds all of it trained.
    again = make(tmp_path, search={**SEARCH, "algorithm": "grid", "budget": 4})
    watch = Watch(again)
    assert drive(again, watch).state == "done"
    assert watch.outcomes() == ["reused"] * 4
    assert {e.reused_from.split("/")[0] for e in watch.of(TrialEnded)} == {run.name}
    # And the user may wish otherwise.
    fresh = make(tmp_path, search={**SEARCH, "reuse": False, "budget": 1, "workers": 1})
    watch = Watch(fresh)
    drive(fresh, watch)
    assert watch.outcomes() == ["done"]


class Orders(Watch):
    """Pauses at the first epoch, resumes, asks for more workers and a larger budget."""

    def act(self, event: Event) -> None:
        if isinstance(event, EpochEnded) and self.once("pause"):
            self.order("pause")
        if isinstance(event, StateChanged) and event.state == "paused" and self.once("resume"):
            self.run.order("workers", n=2)
            self.run.order("budget", n=3)
            self.run.order("resume")


def test_pause_resume_workers_and_budget(tmp_path: Path) -> None:
    run = make(tmp_path, search={**SEARCH, "workers": 1, "budget": 2}, training={"epochs": 30})
    watch = Orders(run)
    assert drive(run, watch).state == "done"
    assert watch.states()[:2] == ["pausing", "paused"]
    assert "running" in watch.states()
    (changed,) = [e for e in watch.of(StateChanged) if e.workers is not None]
    assert (changed.workers, changed.trials) == (2, 3)
    assert len(watch.outcomes()) == 3
    resumed = [e for e in watch.of(TrialStarted) if e.trial == 1]
    assert len(resumed) == 2 and resumed[1].start_epoch >= 1
    assert max(epochs(run).values()) == 1
    assert fold_all(watch.events).planned_trials == 3


class Command(Watch):
    """Gives one order at the first epoch."""

    command = "stop"

    def act(self, event: Event) -> None:
        if isinstance(event, EpochEnded) and self.once("order"):
            if self.command == "interrupt":
                os.kill(os.getpid(), signal.SIGINT)
            else:
                self.order(self.command)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "state"),
    [pytest.param("stop", "stopped", marks=pytest.mark.slow), ("interrupt", "stopped"), ("abort", "aborted")],
)
def test_a_training_that_was_ended_goes_on_where_it_was(tmp_path: Path, command: str, state: str) -> None:
    run = make(tmp_path, training={"epochs": 30})
    watch = Command(run)
    watch.command = command
    assert drive(run, watch).state == state
    assert not workers()
    assert RunLock(run).holder() is None
    done = len(watch.of(EpochEnded))
    assert 1 <= done < 30
    assert drive(run).state == "done"
    assert epochs(run) == {(1, epoch): 1 for epoch in range(30)}
    state_ = fold_all(read_all(run.events))
    assert state_.state == "done" and len(state_.trials[1].epochs) == 30


def test_a_search_that_is_stopped_finishes_what_runs(tmp_path: Path) -> None:
    run = make(tmp_path, search=SEARCH, training={"epochs": 8})
    watch = Command(run)
    assert drive(run, watch).state == "stopped"
    assert "stopping" in watch.states()
    assert 1 <= len(watch.outcomes()) < 6
    first = {e.trial: e.parameters for e in watch.of(TrialStarted)}
    # Resuming replays the engine: the same points as those of an undisturbed search.
    watch = Watch(run)
    assert drive(run, watch).state == "done"
    points = {**first, **{e.trial: e.parameters for e in watch.of(TrialStarted)}}
    calm = make(tmp_path / "calm", search=SEARCH, training={"epochs": 8})
    other = Watch(calm)
    drive(calm, other)
    assert points == {e.trial: e.parameters for e in other.of(TrialStarted)}
    values = {e.trial: e.value for e in read_all(run.events) if isinstance(e, TrialEnded)}
    assert values == {e.trial: e.value for e in other.of(TrialEnded)}


class Murder(Watch):
    """Kills the worker, as often as is asked for, when it has reported."""

    times = 1

    def __init__(self, run: RunFolder) -> None:
        super().__init__(run)
        self.killed: set[int] = set()

    def act(self, event: Event) -> None:
        # What a dead worker said last is told after its death: that is no further one.
        if isinstance(event, EpochEnded) and len(self.killed) < self.times:
            for worker in workers():
                self.killed.add(worker.pid)
                worker.kill()


def test_a_worker_that_dies_costs_nothing_but_time(tmp_path: Path) -> None:
    run = make(tmp_path, training={"epochs": 30})
    watch = Murder(run)
    assert drive(run, watch).state == "done"
    (death,) = watch.of(WorkerEnded)
    assert "signal 9" in death.reason
    assert [e.attempt for e in watch.of(TrialStarted)] == [1, 2]
    assert epochs(run) == {(1, epoch): 1 for epoch in range(30)}


@pytest.mark.slow
def test_deaths_count_only_where_a_trial_comes_no_further(tmp_path: Path) -> None:
    run = make(tmp_path, training={"epochs": 60})
    watch = Murder(run)
    watch.times = 4
    assert drive(run, watch).state == "done"
    assert [e.attempt for e in watch.of(TrialStarted)] == [1, 2, 3, 4, 5]
    assert epochs(run) == {(1, epoch): 1 for epoch in range(60)}


class MurderInTheFirstEpoch(Watch):
    """Kills the worker whenever it has seen a batch."""

    def act(self, event: Event) -> None:
        if isinstance(event, BatchProgress) and event.epoch == 0:
            for worker in workers():
                worker.kill()


@pytest.mark.slow
def test_a_trial_that_kills_its_worker_again_and_again_has_crashed(tmp_path: Path) -> None:
    run = make(tmp_path, slices={"train": 240}, training={"epochs": 3, "batch_size": 2})
    watch = MurderInTheFirstEpoch(run)
    end = drive(run, watch)
    assert end.state == "failed"
    assert "Tried 3 times" in end.message
    assert watch.outcomes() == ["crashed"]
    assert [e.attempt for e in watch.of(TrialStarted)] == [1, 2, 3]


@pytest.mark.slow
def test_files_of_a_trial_that_the_journal_has_lost_fail_no_other(tmp_path: Path) -> None:
    run = make(tmp_path, search={**SEARCH, "budget": 2})
    run.trial(1).mkdir(parents=True)
    (run.trial(1) / "params.json").write_text('{"format": 1, "key": "of another point"}')
    watch = Watch(run)
    assert drive(run, watch).state == "done"
    assert watch.outcomes() == ["done", "done"]


def test_points_that_cannot_be_cut_are_failed_trials(tmp_path: Path) -> None:
    space = {"slices.field_of_view": [16.0, 4000.0]}
    run = make(tmp_path, search={"algorithm": "grid", "budget": 2, "workers": 1, "space": space})
    watch = Watch(run)
    assert drive(run, watch).state == "done"
    assert sorted(watch.outcomes()) == ["done", "failed"]
    (failed,) = [e for e in watch.of(TrialEnded) if e.outcome == "failed"]
    assert "4000" in failed.message


def test_a_search_of_which_nothing_succeeds_fails_with_the_reason(tmp_path: Path) -> None:
    space = {"slices.field_of_view": [3000.0, 4000.0]}
    run = make(tmp_path, search={"algorithm": "grid", "budget": 2, "workers": 1, "space": space})
    end = drive(run)
    assert end.state == "failed"
    assert "None of the 2 trials" in end.message and "000" in end.message
    with pytest.raises(InputError, match="None of the 2 trials"):
        mt.run(
            table(tmp_path / "data", search={"algorithm": "grid", "budget": 2, "space": space}), project=tmp_path / "project"
        )


def test_data_that_are_missing_end_the_run_with_a_sentence(tmp_path: Path) -> None:
    recipe = table(tmp_path / "data")
    recipe["class"][0]["volumes"] = [str(tmp_path / "gone.tif")]
    run = create_run(parse(recipe), project(tmp_path))
    end = drive(run)
    assert end.state == "failed" and "gone.tif" in end.message
    assert isinstance(read_all(run.events)[-1], RunEnded)
    assert not workers()


def test_classes_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    recipe = table(tmp_path / "data")
    recipe["class"] = recipe["class"][:1]
    with pytest.raises(InputError, match="only one class"):
        mt.run(recipe, project=tmp_path / "project")
    assert not list((tmp_path / "project").glob("runs/*"))


def test_two_drivers_do_not_drive_one_run(tmp_path: Path) -> None:
    run = make(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        import psutil

        process = psutil.Process(other.pid)
        lock = RunLock(run)
        lock.take()
        held = json.loads(lock.path.read_text())
        lock.path.write_text(json.dumps({**held, "pid": other.pid, "started": process.create_time()}))
        with pytest.raises(InputError, match=f"process {other.pid}"):
            drive(run)
        other.kill()
    assert not run.events.exists()


FULL = """
import resource, sys
from pathlib import Path
from microtome.search.driver import drive
from microtome.store.run import RunFolder
run = RunFolder.open(Path(sys.argv[1]))
run.events.write_bytes(b"")
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
seen = []
end = drive(run, seen.append)
print(end.state, "|", end.message, "|", type(seen[-1]).__name__)
"""


@pytest.mark.parametrize("limit", [300, pytest.param(900, marks=pytest.mark.slow)])
def test_a_disk_that_is_full_ends_in_a_sentence_and_loses_nothing(tmp_path: Path, limit: int) -> None:
    run = make(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(run.path), str(limit)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    state, message, last = (part.strip() for part in done.stdout.split("|"))
    assert (state, last) == ("failed", "RunEnded")
    assert message.startswith("Could not")
    assert drive(run).state == "done"  # with room again, it goes on
    assert epochs(run) == {(1, epoch): 1 for epoch in range(4)}


def test_a_newer_projects_run_is_not_made(tmp_path: Path) -> None:
    made = project(tmp_path)
    made.read_only = "The project was written by a newer Microtome."
    with pytest.raises(MicrotomeError, match="newer"):
        create_run(parse(table(tmp_path / "data")), made)
