"""A training that is stopped anywhere, or killed, and gone on with is the one that was never stopped, to the bit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tests.unit.training.conftest import write_textures

from microtome.errors import NewerFormatError
from microtome.events import EpochEnded, Event
from microtome.slices.imageset import ImageSet
from microtome.training import checkpoint, trial
from microtome.training.checkpoint import NAME, PART
from microtome.training.spec import ImportanceSpec, NetworkChoice, TrainingSpec, TrialSpec, training_settings

BATCHES = 6  # an epoch
NETWORK = {"convolutions": 2, "dense": 1, "width": 4, "dense_width": 32, "batch_norm": True, "dropout": 0.3}
KINDS: dict[str, dict[str, Any]] = {
    "adam": {"optimizer": "adam", "schedule": "one-cycle", "ema": 0.9},
    "sgd": {"optimizer": "sgd", "schedule": "step", "step_epochs": 1, "step_factor": 0.5, "balance": "sampling"},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1, "label_smoothing": 0.1, "augmentations": ["mixup"], "ema": 0.99},
    "importance": {"optimizer": "adam", "schedule": "cosine", "augmentations": ["rotation"], "balance": "weights"},
}
POINTS = [
    (kind, int(at))
    for number, kind in enumerate(KINDS)
    for at in np.random.default_rng(number).choice(np.arange(1, 3 * BATCHES), 5, replace=False)
]


class Bench:
    """An image set, trials on it, and what each kind comes to when nothing stops it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.image_set: ImageSet = write_textures(folder / "set")
        self.whole = lru_cache(self._whole)

    def spec(self, kind: str, name: str) -> dict[str, Any]:
        """The specification of a trial in a folder of its own."""
        settings: TrainingSpec = training_settings({"epochs": 3, "batch_size": 8, "learning_rate": 3e-3, **KINDS[kind]})
        return TrialSpec(
            image_set=str(self.image_set.path),
            image_set_hash=self.image_set.hash,
            network=NetworkChoice(parameters=NETWORK),
            training=settings,
            importance=ImportanceSpec(candidates=3 if kind == "importance" else 0),
            folder=str(self.folder / name),
            device="cpu",
            threads=1,
        ).to_json()

    def _whole(self, kind: str) -> dict[str, Any]:
        spec = self.spec(kind, f"whole-{kind}")
        trial.run_trial(spec, lambda event: None, lambda: "")
        return found(spec)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("resume"))


def found(spec: dict[str, Any]) -> dict[str, Any]:
    """The curve and the weights in a finished trial's folder."""
    folder = Path(spec["folder"])
    lines = json.loads((folder / "result.json").read_text())["history"]
    clock = ("time", "seconds", "images_per_second")
    curve = [{k: v for k, v in json.loads(line).items() if k not in clock} for line in lines]
    return {"curve": curve, "weights": load_file(folder / "model.safetensors")}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    a, b = one["weights"], other["weights"]
    return bool(one["curve"] == other["curve"] and a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a))


def after(batches: int, order: str, asked: list[int]) -> Callable[[], str]:
    """Give an order once so many batches were asked for; the last of `asked` counts."""

    def should_stop() -> str:
        asked[-1] += 1
        return order if asked[-1] > batches else ""

    return should_stop


@pytest.mark.parametrize(("kind", "at"), POINTS)
def test_stopped_at_any_batch_it_goes_on_there(bench: Bench, kind: str, at: int) -> None:
    spec = bench.spec(kind, f"{kind}-{at}")
    asked = [0]
    trial.run_trial(spec, lambda event: None, after(at, "pause", asked))
    folder = Path(spec["folder"])
    assert (folder / PART).exists() == (at % BATCHES != 0)
    torch.rand(at)  # whatever else drew random numbers in between
    asked.append(0)
    trial.run_trial(spec, lambda event: None, after(10**6, "", asked))
    assert asked[-1] == 3 * BATCHES - at  # no batch is trained twice
    assert same(found(spec), bench.whole(kind))
    assert not (folder / PART).exists()


def test_stopped_again_and_again(bench: Bench) -> None:
    spec = bench.spec("adam", "again")
    for _ in range(3 * BATCHES // 2):
        trial.run_trial(spec, lambda event: None, after(2, "stop", [0]))
    assert trial.run_trial(spec, lambda event: None, lambda: "")["outcome"] == "done"
    assert same(found(spec), bench.whole("adam"))


def test_keeping_the_part_changes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_PART_EVERY", -1.0)
    monkeypatch.setattr(trial, "_PART_COST", float("inf"))
    kept: list[int] = []
    save = checkpoint.save_part
    monkeypatch.setattr(checkpoint, "save_part", lambda *a, **k: (kept.append(a[3].done), save(*a, **k)))
    spec = bench.spec("adam", "kept")
    trial.run_trial(spec, lambda event: None, lambda: "")
    assert kept == [*range(1, BATCHES)] * 3
    assert same(found(spec), bench.whole("adam"))


KILLED = """
import json, sys
from microtome.training import trial
trial._PART_EVERY, trial._PART_COST = -1.0, float("inf")
def should_stop():
    print("batch", flush=True)
    return ""
trial.run_trial(json.loads(sys.argv[1]), lambda event: None, should_stop)
"""


def test_killed_in_mid_epoch_it_goes_on_as_if_never_killed(bench: Bench) -> None:
    spec = bench.spec("adamw", "killed")
    command = [sys.executable, "-c", KILLED, json.dumps(spec)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(BATCHES + 4):
            assert process.stdout.readline() == "batch\n"
        process.send_signal(signal.SIGKILL)
    folder = Path(spec["folder"])
    assert not (folder / "result.json").exists()
    assert len(checkpoint.history(folder / NAME)) >= 1
    events: list[Event] = []
    asked = [0]
    trial.run_trial(spec, events.append, after(10**6, "", asked))
    assert asked[-1] <= 3 * BATCHES - (BATCHES + 2)  # from the batch before, not from the epoch's beginning
    assert len([e for e in events if isinstance(e, EpochEnded)]) == 3
    assert same(found(spec), bench.whole("adamw"))


def test_the_part_of_an_epoch_that_is_over_does_not_count(bench: Bench) -> None:
    """As where the process is killed between the epoch's checkpoint and the removal of its part."""
    spec = bench.spec("sgd", "over")
    folder = Path(spec["folder"])
    trial.run_trial(spec, lambda event: None, after(3, "stop", [0]))
    part = (folder / PART).read_bytes()
    trial.run_trial(spec, lambda event: None, after(BATCHES - 3, "stop", [0]))
    (folder / PART).write_bytes(part)
    trial.run_trial(spec, lambda event: None, lambda: "")
    assert same(found(spec), bench.whole("sgd"))


def rewrite_format(path: Path, version: int) -> None:
    """Give a checkpoint file another format number."""
    from safetensors.torch import load_file as tensors_of

    from microtome.training.card import read_metadata

    header = {**json.loads(read_metadata(path)["training"]), "format": version}
    checkpoint.write_tensors(path, tensors_of(path), {"training": json.dumps(header)})


def test_checkpoints_of_the_first_version_go_on(bench: Bench) -> None:
    """They have neither averages nor parts: as they are, but for the number."""
    spec = bench.spec("sgd", "first-version")
    trial.run_trial(spec, lambda event: None, after(BATCHES, "stop", [0]))
    rewrite_format(Path(spec["folder"], NAME), 1)
    trial.run_trial(spec, lambda event: None, lambda: "")
    assert same(found(spec), bench.whole("sgd"))


def test_checkpoints_of_a_later_version_are_refused(bench: Bench) -> None:
    spec = bench.spec("sgd", "later-version")
    trial.run_trial(spec, lambda event: None, after(BATCHES, "stop", [0]))
    rewrite_format(Path(spec["folder"], NAME), 99)
    with pytest.raises(NewerFormatError, match="newer"):
        trial.run_trial(spec, lambda event: None, lambda: "")
