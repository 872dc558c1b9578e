"""Transfer learning on few slices of real volumes: head alone, the last blocks, all, and from random weights, by seeds.

    python -m tests.benchmarks.bench_transfer [seeds] [images a class] [epochs] [input size] [out.json]

EfficientNet-Lite0 begins with the weights that are installed with the program. Slices are small, turned at random and
normalised one by one, and training and evaluation slices lie at different depths of the volumes. Every seed cuts its own
slices; all variants of a seed see the same ones. The intervals are Student's over the seeds.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from microtome.intervals import mean_interval
from microtome.search.recipe import parse
from microtome.slices.imageset import ImageSet, build
from microtome.training.baseline import baselines
from microtome.training.evaluate import evaluate
from microtome.training.spec import NetworkChoice, TrainingSpec, TransferSpec, TrialSpec
from microtome.training.trial import run_trial

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CLASSES = {
    "cement": "qim3d/cement_128x128x128.tif",
    "bone": "qim3d/bone_128x128x128.tif",
    "fibres": "qim3d/fibers_150x150x150.tif",
    "nerve": "qim3d/NT_128x128x128.tif",
}
EDGE = 24  # pixels and voxels
RATE = 1e-2  # of the head
SHARE = 0.1  # of it, for pretrained blocks
FROM_SCRATCH = 2e-3  # where no weights are pretrained
VARIANTS = {
    "head alone": TransferSpec(weights="published", train="head"),
    **{
        f"last {k} of 17": TransferSpec(weights="published", train="last", blocks=k, backbone_rate=SHARE)
        for k in (1, 3, 6, 9, 13, 17)
    },
    "all": TransferSpec(weights="published", train="all", backbone_rate=SHARE),
    "all, head first": TransferSpec(weights="published", train="all", backbone_rate=SHARE, head_epochs=5),
    "random weights": TransferSpec(),
}


def slices(seed: int, count: int, folder: Path) -> ImageSet:
    """`count` training slices a class, a third of that for validation, 100 for evaluation."""
    recipe = parse(
        {
            "class": [{"name": name, "volumes": [str(DATA / file)]} for name, file in CLASSES.items()],
            "slices": {
                "field_of_view": float(EDGE),
                "pixels": EDGE,
                "train": count,
                "validation": max(10, count // 3),
                "evaluation": 100,
                "split": "depth",
                "normalisation": "slice",
                "seed": seed,
            },
        }
    )
    return build(recipe.classes, recipe.slices, folder)


def accuracy(image_set: ImageSet, transfer: TransferSpec, folder: Path, seed: int, epochs: int) -> tuple[float, float]:
    """The accuracy on the locked slices and the seconds of the training."""
    spec = TrialSpec(
        image_set=str(image_set.path),
        image_set_hash=image_set.hash,
        network=NetworkChoice(name="efficientnet-lite0"),
        training=TrainingSpec(
            epochs=epochs,
            batch_size=16,
            learning_rate=RATE if transfer.weights else FROM_SCRATCH,
            schedule="cosine",
            seed=seed,
        ),
        transfer=transfer,
        folder=str(folder),
        device="auto",
        threads=1,
    )
    ended = run_trial(spec.to_json(), lambda event: None, lambda: "")
    return evaluate(folder, image_set).accuracy, float(ended["seconds"])


def main() -> int:
    """Print one line a variant: accuracies, their mean with its interval, and the seconds of a training."""
    if not DATA.is_dir():
        print(f"skipped: {DATA} is not there")
        return 0
    given = [int(value) for value in sys.argv[1:5]]
    seeds, count, epochs, size = (*given, *(3, 20, 20, 64)[len(given) :])
    found: dict[str, list[float]] = {}
    took: dict[str, list[float]] = {}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        for seed in range(seeds):
            image_set = slices(seed, count, Path(name) / "sets")
            for told in baselines(image_set):
                right = told.predicted == image_set.labels[told.images]
                found.setdefault(told.name, []).append(float(right.mean()))
            for variant, transfer in VARIANTS.items():
                sized = TransferSpec(**{**vars(transfer), "image_size": size})
                folder = Path(name) / f"{seed}-{variant.replace(' ', '-')}"
                value, seconds = accuracy(image_set, sized, folder, seed, epochs)
                found.setdefault(variant, []).append(value)
                took.setdefault(variant, []).append(seconds)
                print(f"{time.monotonic() - begun:6.0f} s  seed {seed}  {variant:16}  {value:.3f}  {seconds:.0f} s", flush=True)
        print(image_set.independence)
    print(f"{len(CLASSES)} classes, {count} slices of {EDGE}² a class, input {size}², {epochs} epochs, {seeds} seeds")
    for variant, values in found.items():
        mean, (low, high) = mean_interval(values)
        seconds = sum(took.get(variant, [0.0])) / seeds
        print(
            f"{variant:24} {mean:.3f} (95 % {low:.3f} … {high:.3f})  {seconds:5.0f} s  {' '.join(f'{v:.3f}' for v in values)}"
        )
    if len(sys.argv) > 5:
        Path(sys.argv[5]).write_text(json.dumps({"accuracies": found, "seconds": took}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
