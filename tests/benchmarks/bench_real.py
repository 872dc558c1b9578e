"""Real volumes: evaluation accuracy of the default network beside hand-made features on the same slices, three seeds."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import microtome as mt
from microtome.intervals import mean_interval
from microtome.slices.imageset import ImageSet

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "qim3d"
CLASSES = ("cement", "bone", "fibers", "NT")
SEEDS = (0, 1, 2)


def volume_of(name: str) -> Path:
    """The one file of a specimen."""
    return next(path for path in sorted(DATA.iterdir()) if path.name.lower().startswith(name.lower()))


def recipe(seed: int, epochs: int) -> dict[str, object]:
    """Slices separated in depth, new for every seed, as is the training."""
    return {
        "class": [{"name": name, "volumes": [str(volume_of(name))]} for name in CLASSES],
        "slices": {
            "field_of_view": 48.0,
            "pixels": 48,
            "train": 300,
            "validation": 100,
            "evaluation": 200,
            "split": "depth",
            "seed": seed,
        },
        "training": {"epochs": epochs, "seed": seed},
    }


def newest(folder: Path) -> Path:
    """The image set that was cut last."""
    return max(folder.iterdir(), key=lambda path: path.stat().st_mtime)


def main() -> int:
    """Print accuracy, n and interval for each seed, and the means."""
    if not DATA.is_dir():
        print(f"skipped: {DATA} is not there")
        return 0
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    networks: list[float] = []
    baselines: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            done = mt.run(recipe(seed, epochs), project=folder)
            images = ImageSet.open(newest(Path(folder) / "imagesets"))
            low, high = done.interval
            networks.append(done.accuracy)
            counts = ", ".join(f"{name} {c['correct']}/{c['total']}" for name, c in done.per_class.items())
            print(f"seed {seed}: network {done.accuracy:.3f} (95 % {low:.3f} … {high:.3f}; {counts}), {done.seconds:.0f} s")
            for name, accuracy in done.data["baseline"].items():
                baselines.setdefault(name, []).append(accuracy)
                print(f"seed {seed}: {name} {accuracy:.3f}")
        print(images.independence)
    for name, values in {"network": networks, **baselines}.items():
        mean, (low, high) = mean_interval(values)
        print(f"{name}: mean of {len(values)} seeds {mean:.3f} (95 % {low:.3f} … {high:.3f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
