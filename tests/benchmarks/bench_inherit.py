"""Do inherited weights help a search? The same points, trained with and without: final accuracy, epochs to a level.

Run: python -m tests.benchmarks.bench_inherit [folder] [seeds]

Each seed is a search of its own (random, other slices, other first weights) over learning rate, dropout and activation on two
simulated structures; both searches try the same points in the same order. Shown: mean difference over the seeds with its 95 %
interval (Student's t), inherited minus not, the first trial left out, since it has no parent.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from microtome.events import EpochEnded, TrialEnded, TrialStarted
from microtome.search.driver import create_run, drive
from microtome.search.recipe import parse
from microtome.store.journal import read_all
from microtome.store.project import Project

TRIALS, EPOCHS = 8, 8
SPACE = {
    "training.learning_rate": {"low": 3e-4, "high": 1e-2, "log": True},
    "network.dropout": {"low": 0.0, "high": 0.5},
    "network.activation": ["relu", "gelu"],
}


def recipe(seed: int, *, inherit: bool) -> dict[str, Any]:
    """A search that takes a minute: fillers that are dispersed, and fillers that cluster."""
    return {
        "class": [
            {"name": kind, "simulate": [{"kind": kind, "seed": 10 * seed + 1, "edge": 600.0}]} for kind in ("rnd", "n-sbr")
        ],
        "slices": {"pixels": 24, "field_of_view": 48.0, "train": 96, "validation": 64, "evaluation": 16, "seed": seed},
        "network": {"name": "cnn", "convolutions": 2, "width": 8, "dense": 0},
        "training": {"epochs": EPOCHS, "batch_size": 16, "seed": seed},
        "search": {"algorithm": "random", "budget": TRIALS, "workers": 1, "seed": seed, "inherit": inherit, "space": SPACE},
    }


def search(project: Project, seed: int, *, inherit: bool) -> tuple[list[float], list[list[float]]]:
    """(best value, accuracy after each epoch) of each trial but the first."""
    run = create_run(parse({**recipe(seed, inherit=inherit)}), project)
    drive(run)
    curves: dict[int, list[float]] = {}
    values: dict[int, float] = {}
    parents: dict[int, str] = {}
    for event in read_all(run.events):
        match event:
            case TrialStarted():
                parents[event.trial] = event.inherited
            case EpochEnded():
                curves.setdefault(event.trial, []).append(event.validation_accuracy)
            case TrialEnded(value=float() as value):
                values[event.trial] = value
    assert all(bool(parents[n]) == inherit for n in values if n > 1)
    numbers = sorted(n for n in values if n > 1)
    return [values[n] for n in numbers], [curves[n] for n in numbers]


def epochs_to(curve: list[float], level: float) -> int:
    """Epochs until the level; one more than there are where it is never reached."""
    return next((i for i, value in enumerate(curve, start=1) if value >= level), EPOCHS + 1)


def interval(differences: list[float]) -> str:
    """Mean and 95 % interval over the seeds."""
    sample = np.asarray(differences)
    half = stats.t.ppf(0.975, len(sample) - 1) * sample.std(ddof=1) / np.sqrt(len(sample))
    return f"{sample.mean():+.3f} ({sample.mean() - half:+.3f} … {sample.mean() + half:+.3f})"


def main() -> None:
    """Print a table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="inherit-"))
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    rows: dict[str, list[float]] = {"mean accuracy": [], "best accuracy": [], "after one epoch": [], "epochs to the level": []}
    for seed in range(seeds):
        plain_values, plain = search(Project.create(folder / f"{seed}-plain"), seed, inherit=False)
        values, curves = search(Project.create(folder / f"{seed}-inherited"), seed, inherit=True)
        level = float(np.median(plain_values))
        pairs = {
            "mean accuracy": (np.mean(values), np.mean(plain_values)),
            "best accuracy": (max(values), max(plain_values)),
            "after one epoch": (np.mean([c[0] for c in curves]), np.mean([c[0] for c in plain])),
            "epochs to the level": tuple(np.mean([epochs_to(c, level) for c in of]) for of in (curves, plain)),
        }
        for name, (one, other) in pairs.items():
            rows[name].append(float(one - other))
            print(f"seed {seed}: {name}: inherited {one:.3f}, not {other:.3f}", flush=True)
    for name, differences in rows.items():
        print(f"{name}: inherited − not = {interval(differences)}")


if __name__ == "__main__":
    main()
