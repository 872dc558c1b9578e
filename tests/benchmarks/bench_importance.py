"""Importance-sampled against ordinary augmentation on slices of M-SBR, n-SBR and Rnd: error, and time, over seeds.

python -m tests.benchmarks.bench_importance [costs] [network]           seconds an epoch, against ordinary augmentation
python -m tests.benchmarks.bench_importance SEEDS [epochs] [folder]     errors over seeds, at equal epochs and equal time

Arms: ordinary; ordinary with 1.8 times the epochs (the time that three candidates take); three candidates drawn by their loss;
three candidates drawn evenly, which tells what the choice does from what the untouched images in the pool do; three candidates
with unbiased weights and a floor of 0.1. The image set is cut once into the folder, and each arm's result is kept there as a
line of JSON, so that an interrupted benchmark goes on. Seconds are the process's own on one thread, so that a busy machine does
not count.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from microtome.events import EpochEnded
from microtome.intervals import mean_interval
from microtome.registry import registry
from microtome.slices.imageset import ImageSet, build
from microtome.slices.plan import ClassSource, SimulatedSource, SlicePlan, VolumeSource
from microtome.training import data, levels, loop
from microtome.training.augment import augmenter
from microtome.training.build import build_network
from microtome.training.device import reproducible
from microtome.training.hooks import Hooks
from microtome.training.measure import measure
from microtome.training.metrics import best_epoch
from microtome.training.optimiser import make_optimiser
from microtome.training.spec import ImportanceSpec, TrainingSpec, training_settings

CPU = torch.device("cpu")
BOXES = 18  # of each class; whole boxes go to one set
LONGER = 1.8  # the seed's figure for the time that importance sampling takes
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "M-SBR": ("m-sbr", {"aggregate_size": 3.0}),
    "n-SBR": ("n-sbr", {"aggregate_size": 15.0, "clustering": 0.5}),
    "Rnd": ("rnd", {}),
}
NETWORK = {"convolutions": 4, "dense": 2, "width": 8, "dense_width": 64}
THREE = ImportanceSpec(candidates=3)
ARMS: dict[str, tuple[float, ImportanceSpec]] = {
    "ordinary": (1.0, ImportanceSpec()),
    "ordinary, 1.8 × epochs": (LONGER, ImportanceSpec()),
    "3 candidates, by loss": (1.0, THREE),
    "3 candidates, evenly": (1.0, replace(THREE, temperature=0.0)),
    "3 candidates, unbiased": (1.0, replace(THREE, floor=0.1, weights="unbiased")),
}


def settings_of(seed: int, epochs: int) -> TrainingSpec:
    """Flips and quarter turns, any rotation, and a hole of two fifths of the edge."""
    return training_settings(
        {
            "epochs": epochs,
            "batch_size": 32,
            "learning_rate": 2e-3,
            "schedule": "one-cycle",
            "seed": seed,
            "augmentations": ["rotation", {"name": "cutout", "size": 0.4}],
        }
    )


def cut(folder: Path) -> ImageSet:
    """Slices 12.5 particle diameters wide: 240 a class to learn from, 300 a class of other boxes to be measured on."""
    classes = tuple(
        ClassSource(
            name=name,
            simulated=tuple(
                SimulatedSource(kind=kind, seed=1000 * k + i, parameters={"edge": 500.0, **more}, voxel_size=4.0)
                for i in range(BOXES)
            ),
        )
        for k, (name, (kind, more)) in enumerate(KINDS.items())
    )
    plan = SlicePlan(field_of_view=250, unit="nm", pixels=64, train=240, validation=120, evaluation=300, seed=1)
    return build(classes, plan, folder)


@dataclass
class Clock:
    """The process's own seconds in batches: from the question whether to stop to the end of the step."""

    seconds: float = 0.0
    _begun: float = field(default=0.0, repr=False)

    def begin(self) -> str:
        """Before a batch."""
        self._begun = time.process_time()
        return ""

    def end(self, *progress: int) -> None:
        """After it."""
        self.seconds += time.process_time() - self._begun


def train(
    images: ImageSet,
    settings: TrainingSpec,
    importance: ImportanceSpec,
    *,
    network: str = "cnn",
    parameters: dict[str, Any] | None = None,
    evaluate: bool = True,
) -> tuple[float, float]:
    """(error on the evaluation set of the epoch that was best on the validation set, seconds of learning)."""
    with reproducible(CPU, 1):
        torch.manual_seed(settings.seed)
        given = NETWORK if parameters is None else parameters
        model = build_network(network, classes=len(images.classes), image_size=images.images.shape[-1], **given)
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        mean, deviation = levels.statistics(images.images, images.split("train"))
        sets = {
            name: data.load(images, name, mean=mean, deviation=deviation, device=CPU)
            for name in ("train", "validation", "evaluation")
        }
        history: list[EpochEnded] = []
        clock, errors = Clock(), [1.0]

        def ended(epoch: EpochEnded) -> None:
            if evaluate and best_epoch(history) is epoch:
                errors[0] = 1 - measure(model, sets["evaluation"], classes=len(images.classes)).accuracy

        loop.train(
            model,
            make_optimiser(model, settings),
            sets["train"],
            sets["validation"],
            settings,
            classes=images.classes,
            augment=augmenter(settings, images.images, images.split("train"), mean=mean, deviation=deviation),
            history=history,
            hooks=Hooks(should_stop=clock.begin, batch_done=clock.end, epoch_done=ended),
            importance=importance,
        )
    return errors[0], clock.seconds


def errors(seeds: int, epochs: int, folder: Path) -> None:
    """Train what is not yet in the folder's list, and print the table."""
    images, listed = cut(folder), folder / "importance.jsonl"
    known = [json.loads(line) for line in listed.read_text().splitlines()] if listed.is_file() else []
    found = {(k["arm"], k["seed"]): k for k in known if k["epochs"] == epochs}
    for seed in range(seeds):
        for arm, (factor, importance) in ARMS.items():
            if (arm, seed) in found:
                continue
            error, seconds = train(images, settings_of(seed, round(factor * epochs)), importance)
            one = {"arm": arm, "seed": seed, "epochs": epochs, "error": error, "seconds": seconds}
            found[arm, seed] = one
            with open(listed, "a") as file:
                file.write(json.dumps(one) + "\n")
    table(found, seeds, epochs)


def table(found: dict[tuple[str, int], dict[str, Any]], seeds: int, epochs: int) -> None:
    """Errors with 95 % intervals by Student's t, paired by seed against the two ordinary arms."""
    print(f"{epochs} epochs, {seeds} seeds; error in % with 95 % interval; differences paired by seed")
    print(f"{'':<26}{'error':>20}{'to ordinary':>22}{'to 1.8 × epochs':>22}{'time':>7}")
    values = {arm: np.array([100 * found[arm, s]["error"] for s in range(seeds)]) for arm in ARMS}
    seconds = {arm: np.mean([found[arm, s]["seconds"] for s in range(seeds)]) for arm in ARMS}
    for arm, mine in values.items():
        cells = [_with_interval(mine)]
        cells += [_with_interval(mine - values[other]) if other != arm else "–" for other in list(ARMS)[:2]]
        print(f"{arm:<26}{cells[0]:>20}{cells[1]:>22}{cells[2]:>22}{seconds[arm] / seconds['ordinary']:>7.2f}")


def _with_interval(values: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    mean, (low, high) = mean_interval(values.tolist())
    return f"{mean:.1f} ({low:.1f} … {high:.1f})"


def costs(network: str = "cnn") -> None:
    """Seconds of learning with several numbers of candidates and the ways to save, against ordinary augmentation."""
    half = bool(registry().get("network", network).extra.get("any_size"))
    variants = {f"{m} candidates": ImportanceSpec(candidates=m) for m in (2, 3, 4)}
    variants["3, half of each batch"] = replace(THREE, share=0.5)
    if half:
        variants["3, at half size"] = replace(THREE, resolution="half")
        variants["3, half batch and half size"] = replace(THREE, share=0.5, resolution="half")
    with tempfile.TemporaryDirectory() as name:
        images = noise(Path(name))
        plain, others = [], {key: list[float]() for key in variants}
        for repeat in range(3):
            timed = _timer(images, network, repeat)
            plain.append(timed(ImportanceSpec()))
            for key, importance in variants.items():
                others[key].append(timed(importance))
    print(f"{network}, 64 × 64, batches of 32, one thread: {min(plain):.2f} s ordinarily")
    for key, seconds in others.items():
        print(f"{key:<30}{min(seconds) / min(plain):>6.2f} × the time")


def _timer(images: ImageSet, network: str, seed: int) -> Callable[[ImportanceSpec], float]:
    settings = settings_of(seed, 1)
    return lambda importance: train(images, settings, importance, network=network, parameters={}, evaluate=False)[1]


def noise(folder: Path) -> ImageSet:
    """Any images will do for the time."""
    np.save(folder / "a.npy", np.random.default_rng(0).standard_normal((96, 96, 96), dtype=np.float32))
    np.save(folder / "b.npy", np.random.default_rng(1).standard_normal((96, 96, 96), dtype=np.float32))
    classes = tuple(ClassSource(name=k, volumes=(VolumeSource(path=str(folder / f"{k}.npy")),)) for k in "ab")
    return build(classes, SlicePlan(field_of_view=32, pixels=64, train=160, validation=2, evaluation=2), folder / "sets")


def main(*given: str) -> None:
    """Costs, or errors."""
    if not given or given[0] == "costs":  # a minute; the errors take half an hour of one core
        costs(*given[1:2])
        return
    seeds, epochs = int(given[0]), int(given[1]) if len(given) > 1 else 60
    folder = Path(given[2]) if len(given) > 2 else Path(tempfile.gettempdir()) / "microtome-importance"
    folder.mkdir(parents=True, exist_ok=True)
    errors(seeds, epochs, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
