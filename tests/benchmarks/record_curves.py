"""Record real learning curves on slices of simulated structures: one landscape a file, to be replayed by bench_search.

python -m tests.benchmarks.record_curves record LANDSCAPE FILE.jsonl [COUNT]   (goes on where the file ends)
python -m tests.benchmarks.record_curves pack FILE.jsonl …                     (into tests/benchmarks/data)
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microtome.plugin import Space
from microtome.search.space import space_from_table

DATA = Path(__file__).resolve().parent / "data"
EPOCHS = 18
#: Nine axes of a CxFy search, narrow enough that a trial takes seconds on one core.
SPACE: dict[str, Any] = {
    "training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "training.optimizer": ["adam", "sgd"],
    "training.batch_size": {"low": 16, "high": 64, "log": True},
    "network.convolutions": {"low": 2, "high": 4},
    "network.width": {"low": 4, "high": 16, "log": True},
    "network.kernel": [3, 5],
    "network.dense": {"low": 0, "high": 3},
    "network.dropout": {"low": 0.0, "high": 0.6},
    "network.batch_norm": [True, False],
}
FIXED = {"network.dense_width": 64, "training.epochs": EPOCHS}


@dataclass(frozen=True)
class Landscape:
    """What is trained on: structures, field of view and images; and whether the default was chosen on it."""

    name: str
    chosen_on: bool
    structures: tuple[tuple[str, dict[str, Any]], ...]  # a class each
    field_of_view: float  # nm
    train: int  # images a class
    seed: int
    boxes: int = 4
    pixels: int = 32
    validation: int = 120


_M = ("m-sbr", {})
_N = ("n-sbr", {})
LANDSCAPES = {
    one.name: one
    for one in (
        Landscape("table-1", True, (_M, _N, ("rnd", {})), 260.0, 130, 1),
        Landscape("points", True, (("m-sbr", {"aggregate_size": 2.0}), _N, ("rnd", {"process": "poisson"})), 320.0, 130, 2),
        Landscape(
            "clusters",
            False,
            (("n-sbr", {"aggregate_size": 6.0}), ("n-sbr", {"aggregate_size": 20.0, "clustering": 0.8}), ("rnd", {}), _M),
            300.0,
            120,
            3,
        ),
        Landscape("small-field", False, (_M, _N, ("rnd", {})), 160.0, 200, 4, 5, 24),
    )
}


def points(landscape: Landscape, count: int) -> list[dict[str, Any]]:
    """The first `count` points of a scrambled Sobol sequence of the landscape's own."""
    from scipy.stats import qmc

    space: Space = space_from_table(SPACE)
    sampler = qmc.Sobol(len(space), rng=np.random.default_rng(landscape.seed))
    rows = sampler.random_base2(int(np.ceil(np.log2(max(2, count)))))[:count]
    return [{axis.name: axis.at(float(u)) for axis, u in zip(space, row, strict=True)} for row in rows]


def record(landscape: Landscape, path: Path, count: int) -> None:
    """Append one line of JSON a configuration: its point, and what each epoch gave and took."""
    import torch

    torch.set_num_threads(1)
    done = len(path.read_text().splitlines()) if path.exists() else 0
    with tempfile.TemporaryDirectory() as folder:
        trainer = _Trainer(landscape, Path(folder))
        with path.open("a", encoding="utf-8") as file:
            for number, point in enumerate(points(landscape, count)[done:], start=done):
                begun = time.process_time()
                curve = trainer.train(point)
                file.write(json.dumps({"landscape": landscape.name, "number": number, "point": point, **curve}) + "\n")
                file.flush()
                best = max(curve["accuracy"], default=float("nan"))
                print(f"{landscape.name} {number}: {best:.3f} in {time.process_time() - begun:.1f} s", flush=True)


class _Trainer:
    """Trains configurations on one image set, in memory, with the trial's own loop."""

    def __init__(self, landscape: Landscape, folder: Path) -> None:
        import torch

        from microtome.search.recipe import parse
        from microtome.slices.imageset import build
        from microtome.training import data, levels

        classes = [
            {
                "name": f"{kind} {i}",
                "simulate": {"kind": kind, "seed": 1000 * landscape.seed + 100 * i, "boxes": landscape.boxes, **settings},
            }
            for i, (kind, settings) in enumerate(landscape.structures)
        ]
        plan = {
            "field_of_view": landscape.field_of_view,
            "unit": "nm",
            "pixels": landscape.pixels,
            "train": landscape.train,
            "validation": landscape.validation,
            "evaluation": 10,
            "seed": landscape.seed,
        }
        self._recipe = parse({"class": classes, "slices": plan})
        self._set = build(self._recipe.classes, self._recipe.slices, folder)
        mean, deviation = levels.statistics(self._set.images, self._set.split("train"))
        device = torch.device("cpu")
        self._train = data.load(self._set, "train", mean=mean, deviation=deviation, device=device, hold=True)
        self._validation = data.load(self._set, "validation", mean=mean, deviation=deviation, device=device, hold=True)
        self._mean, self._deviation = mean, deviation

    def train(self, point: dict[str, Any]) -> dict[str, Any]:
        """The validation accuracy and loss and the processor's seconds of every epoch; fewer where training diverged."""
        import torch

        from microtome.events import EpochEnded
        from microtome.training import loop
        from microtome.training.augment import augmenter
        from microtome.training.build import build_network
        from microtome.training.device import reproducible
        from microtome.training.hooks import Hooks
        from microtome.training.optimiser import make_optimiser

        recipe = self._recipe.with_values({**FIXED, **point})
        settings, image_set = recipe.training, self._set
        history: list[EpochEnded] = []
        seconds: list[float] = []
        clock = [time.process_time()]

        def epoch_done(ended: EpochEnded) -> None:
            now = time.process_time()
            seconds.append(now - clock[0])
            clock[0] = now

        augment = augmenter(settings, image_set.images, image_set.split("train"), mean=self._mean, deviation=self._deviation)
        with reproducible(torch.device("cpu"), 1):
            torch.manual_seed(settings.seed)
            edge = int(image_set.images.shape[-1])
            network = build_network(
                recipe.network.name, classes=len(image_set.classes), image_size=edge, **recipe.network.parameters
            )
            network.to(memory_format=torch.channels_last)
            clock[0] = time.process_time()
            with contextlib.suppress(loop.DivergedError):  # the epochs so far are the curve
                loop.train(
                    network,
                    make_optimiser(network, settings),
                    self._train,
                    self._validation,
                    settings,
                    classes=image_set.classes,
                    augment=augment,
                    history=history,
                    hooks=Hooks(should_stop=lambda: "", batch_done=lambda epoch, done, total: None, epoch_done=epoch_done),
                )
        return {
            "accuracy": [round(e.validation_accuracy, 5) for e in history],
            "loss": [None if e.validation_loss is None else round(e.validation_loss, 4) for e in history],
            "seconds": [round(s, 4) for s in seconds],
        }


def pack(paths: list[Path]) -> None:
    """Write each recording as a small npz: positions (n, axes), accuracy (n, epochs) as 1e-4, seconds (n, epochs).

    A training that diverged has its lowest accuracy in the epochs that it has not. Beside them: the space and what was
    trained on, as JSON.
    """
    space = space_from_table(SPACE)
    DATA.mkdir(exist_ok=True)
    counts = {}
    for path in paths:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        accuracy = np.zeros((len(lines), EPOCHS), np.uint16)
        seconds = np.zeros((len(lines), EPOCHS), np.float16)
        for row, line in enumerate(lines):
            curve = line["accuracy"] or [0.0]
            accuracy[row] = np.rint(1e4 * np.array(curve + [min(curve)] * (EPOCHS - len(curve))))
            taken = line["seconds"] or [0.0]
            seconds[row] = taken + [float(np.mean(taken))] * (EPOCHS - len(taken))
        positions = np.array([space.positions(line["point"]) for line in lines], np.float32)
        name = lines[0]["landscape"]
        counts[name] = len(lines)
        np.savez_compressed(DATA / f"curves-{name}.npz", positions=positions, accuracy=accuracy, seconds=seconds)
    about = {
        "space": SPACE,
        "fixed": FIXED,
        "epochs": EPOCHS,
        "landscapes": {name: {**asdict(LANDSCAPES[name]), "configurations": count} for name, count in counts.items()},
    }
    (DATA / "curves.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["record"]:
        record(LANDSCAPES[sys.argv[2]], Path(sys.argv[3]), int(sys.argv[4]) if sys.argv[4:] else 512)
    elif sys.argv[1:2] == ["pack"]:
        pack([Path(name) for name in sys.argv[2:]])
    else:
        sys.exit(__doc__)
