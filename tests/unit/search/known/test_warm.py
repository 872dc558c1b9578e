"""Warm start, partial curves and two drivers of one project, with real trainings."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from small import Watch, make

from microtome.events import EpochEnded, Event, Note, Retrained, TrialEnded, TrialStarted, WarmStarted
from microtome.search.driver import drive
from microtome.search.records import Records
from microtome.store.journal import read_all
from microtome.store.run import RunFolder

RATE, WIDTH = "training.learning_rate", "network.width"


class StopAfter(Watch):
    """A signal's work: ends the run when so many epochs are done."""

    epochs = 2

    def act(self, event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == self.epochs - 1 and self.once("stop"):
            self.order("until", at=1.0)


@pytest.mark.slow
def test_a_trial_of_another_run_is_gone_on_with_and_never_begun_again(tmp_path: Path) -> None:
    search = {"algorithm": "grid", "budget": 1, "workers": 1, "space": {RATE: [2e-3]}}
    first = make(tmp_path, search=search, training={"epochs": 20})
    drive(first, StopAfter(first))
    done = sum(isinstance(e, EpochEnded) for e in read_all(first.events))
    assert 2 <= done < 20
    second = make(tmp_path, search={**search, "algorithm": "random"}, training={"epochs": 20})
    watch = Watch(second)
    assert drive(second, watch).state == "done"
    (begun,) = watch.of(TrialStarted)
    assert (begun.continued, begun.start_epoch) == (f"{first.name}/0001", done)
    assert [e.epoch for e in watch.of(EpochEnded)] == list(range(20)), "its curve is whole"
    calm = make(tmp_path / "calm", search=search, training={"epochs": 20})
    undisturbed = Watch(calm)
    drive(calm, undisturbed)
    accuracies = [[(e.train_loss, e.validation_accuracy) for e in w.of(EpochEnded)] for w in (watch, undisturbed)]
    assert accuracies[0] == accuracies[1], "bit for bit the curve of an undisturbed training"
    # The first run, taken up again, is answered by what the second has finished.
    watch = Watch(first)
    first.order("until")
    assert drive(first, watch).state == "done"
    (ended,) = watch.of(TrialEnded)
    assert (ended.outcome, ended.reused_from) == ("reused", f"{second.name}/0001")


def test_a_search_begins_with_what_other_runs_know(tmp_path: Path) -> None:
    space: dict[str, Any] = {RATE: [1e-3, 2e-3, 4e-3, 8e-3]}
    grid = {"algorithm": "grid", "budget": 4, "workers": 1, "space": space}
    first = make(tmp_path, search=grid, training={"epochs": 2})
    drive(first)
    other = make(tmp_path, training={"epochs": 2, "batch_size": 32})  # the same images, another setting
    drive(other)
    warm = {**grid, "algorithm": "tpe", "warm_start": True, "budget": 2, "space": {RATE: [2e-3, 4e-3, 1e-2]}}
    second = make(tmp_path, search=warm, training={"epochs": 2})
    watch = Watch(second)
    assert drive(second, watch).state == "done"
    (known,) = watch.of(WarmStarted)
    assert sorted(p["parameters"][RATE] for p in known.points) == [2e-3, 4e-3]
    values = {e.trial: e.value for e in read_all(first.events) if isinstance(e, TrialEnded)}
    assert all(p["value"] in values.values() and p["trial"].startswith(first.name) for p in known.points)
    assert known.left_out == 3, "two rates outside the space, one batch size"
    assert any("2 trials of other runs" in e.text for e in watch.of(Note))
    assert len(watch.of(TrialEnded)) == 2, "they count in no budget"
    tells = [s for s in Records.of(read_all(second.events)).history if s.what == "tell"]
    assert len(tells) == 4


def test_a_training_that_was_trained_before_says_so_and_is_trained(tmp_path: Path) -> None:
    first = make(tmp_path, training={"epochs": 1})
    drive(first)
    second = make(tmp_path, training={"epochs": 1})
    watch = Watch(second)
    assert drive(second, watch).state == "done"
    assert [e.text for e in watch.of(Note)] == [
        f"The same was trained before, as {first.name}/0001; its result will be the same."
    ]
    assert [e.outcome for e in watch.of(TrialEnded)] == ["done"]
    assert not any(isinstance(e, Note) for e in read_all(first.events))


DRIVE = """
import sys
from pathlib import Path
from microtome.search.driver import drive
from microtome.store.run import RunFolder
print(drive(RunFolder.open(Path(sys.argv[1]))).state)
"""


@pytest.mark.slow
def test_two_drivers_at_once_train_nothing_twice(tmp_path: Path) -> None:
    space = {RATE: [1e-3, 2e-3, 4e-3], WIDTH: [8, 16]}
    runs: list[RunFolder] = []
    for order in ("grid", "random"):
        search = {"algorithm": order, "budget": 6, "workers": 1, "space": space, "seed": 1}
        runs.append(make(tmp_path, search=search, training={"epochs": 4}))
    drivers = [subprocess.Popen([sys.executable, "-c", DRIVE, str(run.path)], stdout=subprocess.PIPE) for run in runs]
    assert [d.communicate()[0] for d in drivers] == [b"done\n", b"done\n"]
    keys: Counter[str] = Counter()
    for run in runs:
        events = list(read_all(run.events))
        names = {e.trial: e.key for e in events if isinstance(e, TrialStarted)}
        ends = [e for e in events if isinstance(e, TrialEnded)]
        assert len(ends) == 6
        keys.update(names[e.trial] for e in ends if e.outcome == "done")
    assert len(keys) == 6 and set(keys.values()) == {1}


@pytest.mark.slow
def test_two_searches_at_once_train_their_finalists_once(tmp_path: Path) -> None:
    search = {"algorithm": "grid", "budget": 2, "workers": 1, "space": {WIDTH: [8, 16]}, "finalists": 2, "finalist_seeds": 2}
    runs = [make(tmp_path, search={**search, "seed": seed}, training={"epochs": 12}) for seed in (1, 2)]
    drivers = [subprocess.Popen([sys.executable, "-c", DRIVE, str(run.path)], stdout=subprocess.PIPE) for run in runs]
    assert [d.communicate()[0] for d in drivers] == [b"done\n", b"done\n"]
    for run in runs:
        assert len([e for e in read_all(run.events) if isinstance(e, Retrained)]) == 4
        assert len(list(run.path.glob("trials/*-*/model.safetensors"))) == 4
    # A copy has no log of its own.
    assert sum(len(list(run.path.glob("trials/*-*/log.txt"))) for run in runs) == 4
