"""Engines on recorded learning curves: epochs and virtual hours until a search has trained within 1 % of the best.

python -m tests.benchmarks.bench_search [seeds] [NAME …]     (30 seeds, all searches: about 45 minutes on 2 cores)
"""

from __future__ import annotations

import heapq
import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tests.benchmarks.landscapes import MODELS, Landscape, about, fit_quality, landscape
from tests.benchmarks.peers import DeapGenetic, Hyperopt, Optuna, Ours, Strategy

WORKERS = (2, 4, 8)
MOST = 200  # full trials' worth of epochs; who has not arrived then is censored
CLOSE = 0.99
Make = Callable[..., Strategy]
Task = tuple[str, str, str, int, int]
PEERS: dict[str, Make] = {
    "optuna TPE": partial(Optuna, hyperband=False),
    "optuna TPE + Hyperband": partial(Optuna, hyperband=True),
    "hyperopt TPE": Hyperopt,
    "DEAP GA": DeapGenetic,
    "random": partial(Ours, engine="random", stopping="none"),
}
OURS: dict[str, Make] = {
    "ours (auto + auto)": Ours,
    "bayes": partial(Ours, stopping="none"),
    "random + asha": partial(Ours, engine="random", stopping="asha"),
}


@dataclass(frozen=True)
class Outcome:
    """One search: what it had spent when it arrived, or when it was given up."""

    search: str
    landscape: str
    model: str
    workers: int
    seed: int
    arrived: bool
    epochs: int
    seconds: float  # virtual: of the recorded trainings, without the engine's own
    asking: float  # real seconds of the engine a trial


def simulate(make: Make, where: Landscape, workers: int, seed: int) -> tuple[bool, int, float, float]:
    """Run a search with virtual asynchronous workers: (arrived, epochs, virtual seconds, engine's seconds a trial)."""
    strategy = make(where.space, where.epochs, seed, workers)
    noise = np.random.default_rng([seed, 1])
    done: dict[int, int] = {}  # trial → epochs trained
    curves: dict[int, tuple[Any, Any, Any]] = {}
    busy: list[tuple[float, int, int, int]] = []  # end of the epoch, order, trial, until
    goal, most, spent, now, order, own = CLOSE * where.best, MOST * where.epochs, 0, 0.0, 0, 0.0
    while spent < most:
        while len(busy) < workers:
            begun = time.perf_counter()
            job = strategy.job()
            own += time.perf_counter() - begun
            if job is None:
                break
            trial, point, until = job
            if trial not in curves:
                curves[trial] = where.answer(point, noise)
            epoch, order = done.setdefault(trial, 0), order + 1
            heapq.heappush(busy, (now + float(curves[trial][2][epoch]), order, trial, until))
        if not busy:
            break
        now, _, trial, until = heapq.heappop(busy)
        seen, truth, seconds = curves[trial]
        epoch = done[trial]
        done[trial], spent = epoch + 1, spent + 1
        if truth[epoch] >= goal:
            return True, spent, now, own / len(curves)
        begun = time.perf_counter()
        complete = epoch + 1 == where.epochs
        leaves = strategy.epoch(trial, epoch, float(seen[epoch])) or complete
        if leaves:
            strategy.left(trial, float(seen[: epoch + 1].max()), complete)
        else:
            order += 1
            heapq.heappush(busy, (now + float(seconds[epoch + 1]), order, trial, until))
        own += time.perf_counter() - begun
    return False, spent, now, own / max(1, len(curves))


def _task(task: Task) -> Outcome:
    search, name, model, workers, seed = task
    make = {**PEERS, **OURS}[search]
    return Outcome(search, name, model, workers, seed, *simulate(make, landscape(name, model), workers, seed))


def run(tasks: Iterable[Task], processes: int, kept: Path | None = None) -> list[Outcome]:
    """All searches, spread over processes; `kept`: a file of outcomes, a line of JSON each, that is gone on with."""
    done = [Outcome(**json.loads(line)) for line in kept.read_text().splitlines()] if kept and kept.exists() else []
    known = {(o.search, o.landscape, o.model, o.workers, o.seed) for o in done}
    todo = [task for task in tasks if task not in known]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for outcome in pool.imap_unordered(_task, todo, chunksize=2):
            done.append(outcome)
            if kept:
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(outcome)) + "\n")
    return done


def expected(outcomes: list[Outcome], what: str) -> float:
    """Expected running time (ERT): all that was spent ÷ the searches that arrived; infinite where none did."""
    arrived = sum(o.arrived for o in outcomes)
    return sum(getattr(o, what) for o in outcomes) / arrived if arrived else math.inf


def ratio(a: list[Outcome], b: list[Outcome], what: str = "epochs", draws: int = 1000) -> tuple[float, float, float]:
    """Geometric mean over (landscape, workers) of ERT a ÷ ERT b, with a 95 % interval by bootstrap over the seeds."""
    rng = np.random.default_rng(0)
    cells = sorted({(o.landscape, o.workers) for o in a} & {(o.landscape, o.workers) for o in b})
    spent = [
        [np.array([(getattr(o, what), o.arrived) for o in s if (o.landscape, o.workers) == c]) for s in (a, b)] for c in cells
    ]

    def once(pick: bool) -> float:
        logs = []
        for pair in spent:
            erts = []
            for rows in pair:
                chosen = rows[rng.integers(len(rows), size=len(rows))] if pick else rows
                erts.append(chosen[:, 0].sum() / max(0.5, chosen[:, 1].sum()))
            logs.append(math.log(erts[0] / erts[1]))
        return math.exp(float(np.mean(logs)))

    sample = [once(True) for _ in range(draws)]
    return once(False), *(float(q) for q in np.quantile(sample, [0.025, 0.975]))


def median(outcomes: list[Outcome], what: str) -> tuple[float, float, float]:
    """Median with its 95 % bootstrap interval; a search that did not arrive counts as infinite."""
    values = np.array([getattr(o, what) if o.arrived else np.inf for o in outcomes])
    rng = np.random.default_rng(0)
    sample = np.sort(values[rng.integers(len(values), size=(1000, len(values)))], axis=1)[:, len(values) // 2]
    low, high = np.sort(sample)[[25, 974]]
    return float(np.sort(values)[len(values) // 2]), float(low), float(high)


def report(outcomes: list[Outcome], names: list[str], title: str) -> None:
    """Print one table over some landscapes."""
    print(f"\n### {title}\n")
    print("| search | arrived | median epochs [95 %] | ERT epochs | ERT virtual minutes | × random [95 %] | engine ms/trial |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    by = {name: [o for o in outcomes if o.search == name] for name in names}
    for name, own in by.items():
        if not own:
            continue
        middle = median(own, "epochs")
        times = ratio(own, by["random"]) if by.get("random") else (math.nan,) * 3
        print(
            f"| {name} | {sum(o.arrived for o in own)}/{len(own)} | {middle[0]:.0f} [{middle[1]:.0f}, {middle[2]:.0f}] "
            f"| {expected(own, 'epochs'):.0f} | {expected(own, 'seconds') / 60:.2f} "
            f"| {times[0]:.2f} [{times[1]:.2f}, {times[2]:.2f}] | {1000 * np.mean([o.asking for o in own]):.1f} |"
        )
    peers = {name: by[name] for name in PEERS if by.get(name)}
    ours = next(iter(OURS))
    if by.get(ours) and peers:
        best = min(peers, key=lambda name: ratio(peers[name], by["random"], draws=1)[0])
        found = ratio(by[ours], peers[best])
        print(f"\n{ours} ÷ best peer ({best}): {found[0]:.2f} [{found[1]:.2f}, {found[2]:.2f}] of its epochs")


def describe(names: Iterable[str]) -> None:
    """Print what the landscapes are, and how well their models foretell configurations that they were not made of."""
    print("| landscape | recorded | model | best | within 1 % of it | cross-validated R² | rank correlation |")
    print("|---|---:|---|---:|---:|---:|---:|")
    for name in names:
        for model in MODELS:
            where = landscape(name, model)
            r2, rank = fit_quality(where)
            print(
                f"| {name} | {len(where.positions)} | {model} | {where.best:.3f} | {100 * where.share:.1f} % "
                f"| {r2:.2f} | {rank:.2f} |",
                flush=True,
            )


def main(arguments: list[str]) -> None:
    """Run and print all tables; BENCH_SEARCH_FILE names a file of outcomes to go on with."""
    seeds = int(arguments[0]) if arguments else 30
    names = arguments[1:] or [*OURS, *PEERS]
    landscapes = about()["landscapes"]
    tasks = [(n, where, "interpolated", w, s) for where in landscapes for w in WORKERS for s in range(seeds) for n in names]
    # The rough landscapes are a check of the smooth ones: fewer searches tell it.
    tasks += [(n, where, "nearest", 4, s) for where in landscapes for s in range(max(1, seeds // 3)) for n in names]
    tasks.sort(key=lambda task: task[-1])  # by seed: what is done when it is broken off is fair
    for where in landscapes:
        for model in MODELS:
            landscape(where, model)  # before the processes part
    describe(landscapes)
    begun = time.monotonic()
    kept = os.environ.get("BENCH_SEARCH_FILE")
    outcomes = run(tasks, int(os.environ.get("BENCH_PROCESSES", "2")), Path(kept) if kept else None)
    print(f"{len(tasks)} searches in {time.monotonic() - begun:.0f} s; {seeds} seeds; {', '.join(map(str, WORKERS))} workers")
    for model in MODELS:
        for chosen in (True, False):
            where = [name for name, about_it in landscapes.items() if about_it["chosen_on"] == chosen]
            part = [o for o in outcomes if o.model == model and o.landscape in where]
            report(part, names, f"{model}, {'chosen on' if chosen else 'held out'}: {', '.join(where)}")


if __name__ == "__main__":
    main(sys.argv[1:])
