"""Trials an hour of one and of two workers, one thread each, and the gaps between their trials; pinned to cores or not.

The rate is that of the time in which all workers are at work, as in a search of hours: neither their start nor the last trials,
for which one waits alone, count. Beside it: what two processes that know nothing of each other gain on this machine, whose
cores share their memory's bandwidth and, where it is a virtual one, more.

python -m tests.benchmarks.bench_workers [--trials 16] [--epochs 6] [--rounds 1] [--promotion]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from microtome.events import Event, TrialStarted
from microtome.jobs.runner import cores
from microtome.results.fold import TrialState, fold_all
from microtome.results.worker_use import worker_use
from microtome.search.driver import create_run, drive
from microtome.search.recipe import parse
from microtome.store.journal import read_all
from microtome.store.project import Project


def recipe(trials: int, epochs: int, workers: int, *, promotion: bool) -> dict[str, Any]:
    """Three simulated structures, a small network, trials that differ in the learning rate alone."""
    kinds = ("m-sbr", "n-sbr", "rnd")
    return {
        "class": [{"name": kind, "simulate": [{"kind": kind, "seed": 1}]} for kind in kinds],
        "slices": {"field_of_view": 64.0, "pixels": 32, "train": 150, "validation": 60, "evaluation": 30},
        "network": {"name": "cnn", "width": 16},
        "training": {"epochs": epochs},
        "search": {
            "algorithm": "random",
            "budget": trials,
            "workers": workers,
            "reuse": False,
            "early_stopping": "asha" if promotion else "none",
            "space": {"training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
        },
    }


class Pin:
    """Gives every worker a core of its own, when the first trials are under way."""

    def __init__(self) -> None:
        self._pinned: set[int] = set()

    def __call__(self, event: Event) -> None:
        if isinstance(event, TrialStarted):
            allowed = psutil.Process().cpu_affinity() or [0]
            workers = [c for c in psutil.Process().children() if "spawn_main" in " ".join(c.cmdline())]
            for index, process in enumerate(workers):
                if process.pid not in self._pinned:
                    self._pinned.add(process.pid)
                    process.cpu_affinity([allowed[index % len(allowed)]])


def bare_steps(seconds: float) -> int:
    """Training steps of a small network in plain torch, one thread, in so many seconds."""
    import torch

    torch.set_num_threads(1)
    network = torch.nn.Sequential(
        *(torch.nn.Conv2d(1, 16, 3), torch.nn.ReLU(), torch.nn.Conv2d(16, 32, 3), torch.nn.ReLU()),
        *(torch.nn.Flatten(), torch.nn.Linear(32 * 28 * 28, 3)),
    )
    images, labels, steps = torch.randn(32, 1, 32, 32), torch.randint(0, 3, (32,)), 0
    optimiser = torch.optim.Adam(network.parameters())
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        optimiser.step()
        steps += 1
    return steps


def ceiling(seconds: float = 6.0) -> float:
    """Steps of two bare processes side by side ÷ those of one alone."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(bare_steps, [1.0, 1.0], chunksize=1)  # imports
        alone = pool.apply(bare_steps, (seconds,))
        both = pool.map(bare_steps, [seconds, seconds], chunksize=1)
    return sum(both) / alone


def steady(trials: Iterable[TrialState]) -> float:
    """Trials an hour between the time when the last worker has begun and that when the first one has nothing left to do."""
    spans = [(worker, start, stop) for trial in trials for worker, start, stop in trial.spans]
    workers = {worker for worker, _, _ in spans}
    begin = max(min(start for w, start, _ in spans if w == worker) for worker in workers)
    end = min(max(stop for w, _, stop in spans if w == worker) for worker in workers)
    done = sum(max(0.0, min(stop, end) - max(start, begin)) / (stop - start) for _, start, stop in spans)
    return 3600 * done / (end - begin)


def measure(folder: Path, table: dict[str, Any], name: str, on_event: Any = None) -> tuple[float, float]:
    """Trials an hour, and the longest gap of a worker in seconds."""
    run = create_run(parse(table), Project.create(folder), name)
    end = drive(run, on_event)
    if end.state != "done":
        raise SystemExit(end.message)
    state = fold_all(read_all(run.events))
    return steady(state.trials.values()), worker_use(state).longest_gap


def main() -> None:
    """Measure the three ways in turn and print medians."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--trials", type=int, default=16)
    options.add_argument("--epochs", type=int, default=6)
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--promotion", action="store_true")
    given = options.parse_args()
    everything = os.sched_getaffinity(0)
    if cores() < 2:
        raise SystemExit("This needs two cores.")
    two = set(sorted(everything)[:2])
    ways: dict[str, tuple[int, set[int], Any]] = {
        "one worker": (1, {min(two)}, None),
        "two workers": (2, two, None),
        "two workers, pinned": (2, two, Pin()),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    limits: list[float] = []
    with tempfile.TemporaryDirectory(prefix="microtome-") as folder:
        for _ in range(given.rounds):
            os.sched_setaffinity(0, two)
            limits.append(ceiling())
            for name, (workers, allowed, on_event) in ways.items():
                os.sched_setaffinity(0, allowed)  # the workers take over what their driver may use, so one thread each
                table = recipe(given.trials, given.epochs, workers, promotion=given.promotion)
                found[name].append(measure(Path(folder), table, "bench", on_event))
    os.sched_setaffinity(0, everything)
    base = statistics.median(rate for rate, _ in found["one worker"])
    for name, values in found.items():
        rate = statistics.median(r for r, _ in values)
        print(f"{name:20s} {rate:7.0f} trials/h  ×{rate / base:.2f}  longest gap {max(gap for _, gap in values):.2f} s")
    print(f"two bare processes           ×{statistics.median(limits):.2f}  ({', '.join(f'{x:.2f}' for x in limits)})")
    print(f"load of this machine: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
