"""Whatever methods of training are put together, one that is stopped anywhere goes on as if it never was, to the bit.

Combinations and stopping points are drawn from numbered seeds: every run of the tests draws the same ones.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tests.unit.training.conftest import write_textures

from microtome.slices.imageset import ImageSet
from microtome.training.build import build_network
from microtome.training.changes import Changes
from microtome.training.checkpoint import NAME, PART
from microtome.training.spec import ImportanceSpec, NetworkChoice, TransferSpec, TrialSpec, training_settings
from microtome.training.trial import MODEL, run_trial

EPOCHS, BATCHES = 3, 5  # 51 images in batches of 11: 5 of 10 or 11
CNN = {"convolutions": 2, "dense": 1, "width": 4, "dense_width": 16, "batch_norm": True, "dropout": 0.3}
NETWORKS: dict[str, dict[str, Any]] = {
    "cnn": CNN,
    "mobilenet-v1": {"width": 0.125, "stem": "small", "dropout": 0.2},
}
SIZES = {"cnn": 16, "mobilenet-v1": 32}  # pixels an edge that its weights are for
AUGMENTATIONS: tuple[Any, ...] = (
    "mixup",
    "cutmix",
    "rotation",
    "cutout",
    "shot-noise",
    "gaussian-noise",
    "blur",
    {"name": "elastic", "displacement": 0.5},
    "curtaining",
    "gamma",
)
Draw = Callable[..., Any]


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return write_textures(tmp_path_factory.mktemp("combined") / "set", counts=(17, 5, 5))


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of weights for each network, of which the head is not taken."""
    folder = tmp_path_factory.mktemp("weights")
    files = {}
    for name, parameters in NETWORKS.items():
        torch.manual_seed(7)
        files[name] = folder / f"{name}.pth"
        torch.save(build_network(name, 1, 5, SIZES[name], **parameters).state_dict(), files[name])
    return files


def drawer(rng: np.random.Generator) -> Draw:
    """One of some values, those that come first no oftener than the others."""

    def draw(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    return draw


def drawn(rng: np.random.Generator, image_set: ImageSet, pretrained: dict[str, Path]) -> tuple[TrialSpec, Changes]:
    """A combination of methods, and what the training has had to change already."""
    draw = drawer(rng)
    name = draw("cnn", "cnn", "cnn", "mobilenet-v1")
    chosen = rng.choice(len(AUGMENTATIONS), int(rng.integers(0, 4)), replace=False)
    settings = {
        "epochs": EPOCHS,
        "batch_size": 11,
        "optimizer": draw("adam", "adamw", "sgd"),
        "learning_rate": draw(1e-3, 3e-3),
        "schedule": draw("constant", "cosine", "step", "one-cycle"),
        "step_epochs": draw(1, 2),
        "weight_decay": draw(0.0, 0.05),
        "momentum": draw(0.0, 0.9),
        "label_smoothing": draw(0.0, 0.1),
        "ema": draw(0.0, 0.9, 0.999),
        "precision": draw("auto", "auto", "bfloat16"),
        "balance": draw("none", "weights", "sampling"),
        "symmetries": draw(True, False),
        "patience": draw(0, 1, 2),
        "seed": int(rng.integers(100)),
        "augmentations": [AUGMENTATIONS[k] for k in chosen],
    }
    transfer = TransferSpec(
        weights=draw("", str(pretrained[name])),
        train=draw("all", "last", "head"),
        blocks=draw(0, 1),
        head_epochs=draw(0, 1, 2),
        backbone_rate=draw(0.1, 1.0),
        image_size=draw(0, 24) if name == "cnn" else SIZES[name],
    )
    importance = ImportanceSpec(
        candidates=draw(0, 2, 3),
        score=draw("loss", "probability", "gradient"),
        temperature=draw(0.0, 1.0, 3.0),
        floor=draw(0.0, 0.2),
        weights=draw("none", "unbiased"),
        warm_up=draw(0, 1),
        share=draw(1.0, 0.5),
    )
    changes = Changes(rates=draw((), ((1, 5e-4),)), at_once=draw(0, 0, 4))
    spec = TrialSpec(
        image_set=str(image_set.path),
        image_set_hash=image_set.hash,
        network=NetworkChoice(name=name, parameters=NETWORKS[name]),
        training=training_settings(settings),
        transfer=transfer,
        importance=importance,
        device="cpu",
        threads=1,
    )
    return spec, changes


def after(batches: int) -> Callable[[], str]:
    """An order to stop once so many batches were begun."""
    asked = iter(range(10**9))
    return lambda: "stop" if next(asked) >= batches else ""


def go(spec: TrialSpec, changes: Changes, folder: Path, *stops: int) -> Path:
    """Train in a folder, stopping behind those numbers of batches since the beginning."""
    if not folder.exists():
        folder.mkdir()
        changes.save(folder)
    done = 0
    for stop in stops:
        run_trial(replace(spec, folder=str(folder)).to_json(), lambda event: None, after(stop - done))
        torch.rand(3)  # whatever else draws random numbers in between
        done = stop
    return folder


def state(folder: Path) -> dict[str, Any]:
    """Every tensor that a stopped training would go on from (weights, average, optimiser, random numbers), and its curve."""
    found: dict[str, Any] = {}
    for name in (NAME, PART, MODEL):
        if (folder / name).exists():
            found |= {f"{name}: {key}": tensor for key, tensor in load_file(folder / name).items()}
    if (folder / "result.json").exists():
        result = json.loads((folder / "result.json").read_text())
        clock = ("time", "seconds", "images_per_second")
        found["curve"] = [{k: v for k, v in json.loads(line).items() if k not in clock} for line in result["history"]]
        found["outcome"] = result["outcome"]
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What differs, by name."""
    wrong = sorted(one.keys() ^ other.keys())
    for name in one.keys() & other.keys():
        a, b = one[name], other[name]
        equal = a.tobytes() == b.tobytes() if isinstance(a, np.ndarray) else a == b
        wrong += [] if equal else [name]
    return wrong


def check(seed: int, image_set: ImageSet, pretrained: dict[str, Path], folder: Path) -> None:
    rng = np.random.default_rng(seed)
    spec, changes = drawn(rng, image_set, pretrained)
    first, second = sorted(rng.choice(np.arange(1, EPOCHS * BATCHES), 2, replace=False).tolist())
    whole = go(spec, changes, folder / "whole", second)
    parts = go(spec, changes, folder / "parts", first, second)
    at = state(whole)
    assert same(at, state(parts)) == [], f"stopped behind {first} and {second} batches: {spec}"
    go(spec, changes, whole, 10**6)
    go(spec, changes, parts, 10**6)
    # One that was never stopped at all is the same, too.
    never = go(spec, changes, folder / "never", 10**6)
    assert state(never)["outcome"] == "done"
    assert same(state(never), state(whole)) == []
    assert same(state(never), state(parts)) == []


@pytest.mark.parametrize("seed", range(3))
def test_stopped_anywhere(seed: int, image_set: ImageSet, pretrained: dict[str, Path], tmp_path: Path) -> None:
    check(seed, image_set, pretrained, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("tens", range(1, 7))
def test_stopped_anywhere_in_more_combinations(
    tens: int, image_set: ImageSet, pretrained: dict[str, Path], tmp_path: Path
) -> None:
    for seed in range(10 * tens, 10 * tens + 10):
        (tmp_path / str(seed)).mkdir()
        check(seed, image_set, pretrained, tmp_path / str(seed))


RANK = """
import json, sys
from microtome.training.trial import run_rank
spec, rank, meeting, most = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
asked = iter(range(10**9))
order = lambda: "stop" if next(asked) >= most else ""
run_rank(spec, lambda event: None, order, rank=rank, size=2, meeting=meeting, trial=0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 104))
def test_two_processes_stopped_anywhere(seed: int, image_set: ImageSet, pretrained: dict[str, Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    spec, changes = drawn(rng, image_set, pretrained)
    spec = replace(spec, training=replace(spec.training, devices=2))
    whole = go(spec, changes, tmp_path / "whole", 10**6)
    parts = tmp_path / "parts"
    parts.mkdir()
    changes.save(parts)
    told = json.dumps(replace(spec, folder=str(parts)).to_json())
    stop = str(int(rng.integers(1, 2 * BATCHES)))
    meeting = str(tmp_path / "meeting")
    ranks = [subprocess.Popen([sys.executable, "-c", RANK, told, str(rank), meeting, stop]) for rank in (0, 1)]
    assert [rank.wait(timeout=80) for rank in ranks] == [0, 0]
    assert not (parts / "result.json").exists() or spec.training.patience
    go(spec, changes, parts, 10**6)
    assert same(state(whole), state(parts)) == [], f"stopped behind {stop} batches: {spec}"
