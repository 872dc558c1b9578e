"""A search whose trials wait at rungs: real trainings go on from their checkpoints, also after an interruption."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from small import Watch, make, workers

from microtome.events import EpochEnded, Event, TrialEnded, TrialPaused, TrialStarted
from microtome.results.fold import fold_all
from microtome.search.driver import drive
from microtome.search.records import Records
from microtome.store.journal import read_all
from microtome.store.run import RunFolder

SEARCH: dict[str, Any] = {
    "algorithm": "random",
    "budget": 6,
    "workers": 1,
    "early_stopping": "asha",
    "objective": "loss",
    "space": {"network.width": {"low": 4, "high": 16}, "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
}
TRAINING = {"epochs": 9}


def story(run: RunFolder) -> list[tuple[Any, ...]]:
    """What the journal says of the trials, without the times."""
    told: list[tuple[Any, ...]] = []
    for event in read_all(run.events):
        match event:
            case TrialStarted():
                told.append(("started", event.trial, event.parameters["network.width"], event.until))
            case EpochEnded():
                told.append(("epoch", event.trial, event.epoch, event.validation_loss))
            case TrialPaused():
                told.append(("paused", event.trial, event.epochs, event.value, event.told))
            case TrialEnded():
                told.append(("ended", event.trial, event.outcome, event.value))
    return told


def check(run: RunFolder) -> None:
    """Every trial ended, no epoch trained twice, the best to its end."""
    events = read_all(run.events)
    assert max(Counter((e.trial, e.epoch) for e in events if isinstance(e, EpochEnded)).values()) == 1
    for trial in range(1, 7):
        log = (run.trial(trial) / "log.txt").read_text()
        assert all(log.count(f"epoch {epoch}:") <= 1 for epoch in range(9))
    ended = {e.trial: e for e in events if isinstance(e, TrialEnded)}
    assert sorted(ended) == [1, 2, 3, 4, 5, 6]
    best = max(ended.values(), key=lambda e: e.value)
    assert best.outcome == "done" and best.costs["epochs"] == 9 and best.costs["parameters"] > 0
    pruned = [e.trial for e in ended.values() if e.outcome == "pruned"]
    assert pruned and all((run.trial(t) / "checkpoint.safetensors").exists() for t in pruned)
    records = Records.of(events)
    assert [r.outcome for r in records.front("parameters")] == ["done"] * len(records.front("parameters"))
    assert best.trial in {r.number for r in records.front("parameters")}


class Killer(Watch):
    """Kills the worker once at the first epoch of a promoted trial."""

    def act(self, event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 2 and self.once("kill"):
            for worker in workers():
                worker.kill()


class Interrupter(Watch):
    """Orders a stop when a trial goes on from a rung."""

    def act(self, event: Event) -> None:
        if isinstance(event, TrialStarted) and event.start_epoch > 0 and self.once("stop"):
            self.order("stop")


def test_promoted_trials_go_on_from_their_checkpoints_whatever_happens(tmp_path: Path) -> None:
    calm = make(tmp_path / "calm", search=SEARCH, training=TRAINING)
    assert drive(calm).state == "done"
    check(calm)
    starts = [e for e in read_all(calm.events) if isinstance(e, TrialStarted)]
    assert {e.until for e in starts if e.start_epoch == 0} == {1, 3}
    promoted = [e for e in starts if e.start_epoch > 0]
    assert promoted and all(e.start_epoch in (1, 3) for e in promoted)
    state = fold_all(read_all(calm.events))
    assert sum(t.promotions for t in state.trials.values()) == len(promoted)
    # Stopped in mid-search and taken up again: the same schedule, to the bit.
    stopped = make(tmp_path / "stopped", search=SEARCH, training=TRAINING)
    assert drive(stopped, Interrupter(stopped)).state == "stopped"
    assert drive(stopped).state == "done"
    check(stopped)
    assert story(stopped) == story(calm)


@pytest.mark.slow
def test_a_promoted_trial_whose_worker_is_killed_goes_on(tmp_path: Path) -> None:
    run = make(tmp_path, search={**SEARCH, "workers": 2}, training=TRAINING)
    assert drive(run, Killer(run)).state == "done"
    check(run)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"early_stopping": "asha-stop"}, {"speculate": True, "workers": 2}])
def test_other_ways_keep_the_same_promises(tmp_path: Path, changes: dict[str, Any]) -> None:
    run = make(tmp_path, search={**SEARCH, "objective": "mean", **changes}, training=TRAINING)
    assert drive(run).state == "done"
    events = read_all(run.events)
    assert max(Counter((e.trial, e.epoch) for e in events if isinstance(e, EpochEnded)).values()) == 1
    ended = {e.trial: e for e in events if isinstance(e, TrialEnded)}
    assert set(range(1, 7)) <= set(ended)
    trained = {e.trial for e in events if isinstance(e, EpochEnded)}
    assert all(ended[trial].seconds > 0 for trial in trained), "what was begun early and dropped has cost its time too"
    assert max(ended.values(), key=lambda e: e.value).value == max(e.value for e in ended.values() if e.outcome == "done")


@pytest.mark.slow
def test_two_objectives_are_told_to_an_engine_that_weighs_them(tmp_path: Path) -> None:
    search = {**SEARCH, "algorithm": "nsga2", "second": "parameters", "objective": "mean"}
    run = make(tmp_path, search=search, training={"epochs": 3})
    assert drive(run).state == "done"
    told = [value for what, _, value in Records.of(read_all(run.events)).told("parameters", full=3) if what == "tell"]
    assert told and all(isinstance(v, tuple) and v[1] < 0 for v in told)
