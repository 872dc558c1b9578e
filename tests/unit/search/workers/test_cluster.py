"""Searches on a real cluster with TLS: workers that die, a connection that is cut, files that have to travel."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from small import Watch, make

from microtome.events import EpochEnded, Event, TrialEnded, WorkerEnded
from microtome.search.driver import drive
from microtome.store.journal import read_all
from microtome.store.run import RunFolder

KIT = Path(__file__).parents[2] / "jobs" / "cluster_kit.py"
SEARCH: dict[str, Any] = {
    "algorithm": "random",
    "budget": 3,
    "workers": 2,
    "early_stopping": "none",
    "space": {"network.width": {"low": 4, "high": 16}, "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
}
TRAINING = {"epochs": 20}  # it is disturbed after two of them, on any machine


def load_kit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cluster_kit", KIT)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


kit = load_kit()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same search on this computer, undisturbed."""
    run = make(tmp_path_factory.mktemp("calm"), search=SEARCH, training=TRAINING)
    assert drive(run).state == "done"
    return run


@pytest.fixture
def cluster(tmp_path: Path, calm: RunFolder) -> Iterator[Any]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    made = kit.Cluster(folder, workers=2)
    yield made
    made.close()


def values(run: RunFolder) -> dict[int, tuple[Any, ...]]:
    """How every trial learnt and ended, without times and places."""
    told: dict[int, list[Any]] = {}
    for event in read_all(run.events):
        if isinstance(event, EpochEnded):
            told.setdefault(event.trial, []).append((event.epoch, event.validation_accuracy))
        elif isinstance(event, TrialEnded):
            told.setdefault(event.trial, []).append((event.outcome, event.value))
    return {trial: tuple(story) for trial, story in told.items()}


def nothing_lost(run: RunFolder, calm: RunFolder) -> None:
    """The same as an undisturbed run's on this computer, no epoch told twice, every file at home."""
    assert values(run) == values(calm)
    assert any(isinstance(e, WorkerEnded) for e in read_all(run.events)), "nothing was disturbed"
    told = Counter((e.trial, e.epoch) for e in read_all(run.events) if isinstance(e, EpochEnded))
    assert max(told.values()) == 1
    for trial in (1, 2, 3):
        files = {path.name for path in run.trial(trial).iterdir()}
        assert {"params.json", "history.csv", "model.safetensors", "result.json", "log.txt"} <= files
        assert not {name for name in files if "checkpoint" in name or name.startswith("part")}
        assert "/cluster/" not in (run.trial(trial) / "params.json").read_text()


class Disturber(Watch):
    """Does something once, at the second epoch that is told."""

    def __init__(self, run: RunFolder, what: Any) -> None:
        super().__init__(run)
        self.what = what

    def act(self, event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 1 and self.once("it"):
            self.what()


@pytest.mark.slow
def test_a_killed_worker_that_shares_no_files_loses_nothing(tmp_path: Path, cluster: Any, calm: RunFolder) -> None:
    def kill() -> None:
        kit.busiest(cluster).kill()
        cluster.join()

    run = make(tmp_path / "killed", search=SEARCH, training=TRAINING)
    assert drive(run, Disturber(run, kill), scheduler=cluster.place(send_files=True)).state == "done", cluster.logs()
    nothing_lost(run, calm)


@pytest.mark.slow
def test_a_cut_connection_loses_nothing(tmp_path: Path, cluster: Any, calm: RunFolder) -> None:
    wire = kit.Wire(cluster.port)

    def cut() -> None:
        wire.cut()
        wire.mend()

    run = make(tmp_path / "broken", search=SEARCH, training=TRAINING)
    assert drive(run, Disturber(run, cut), scheduler=cluster.place(wire.port)).state == "done", cluster.logs()
    nothing_lost(run, calm)
    wire.close()
