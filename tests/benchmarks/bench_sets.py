"""How long a whole image set takes: three classes of 17,000 slices of 64 × 64 pixels, and how much memory.

python -m tests.benchmarks.bench_sets [slices a class]

Each class has a 384³ volume of 8 bits on disk; training, validation and evaluation 8 : 8 : 1. The set is made in a process of
its own, with one thread and with two, which must give the same bytes.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from microtome.volumes.memory import memory_used

EDGE, CLASSES = 384, 3


def volumes(folder: Path) -> list[Path]:
    """Noise of another correlation length a class, as files."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{name}.npy" for name in "ABC"[:CLASSES]]
    for sigma, path in enumerate(paths, start=1):
        noise = gaussian_filter(rng.standard_normal((EDGE, EDGE, EDGE), dtype=np.float32), sigma, mode="wrap")
        np.save(path, np.clip(128 + 40 / noise.std() * noise, 0, 255).astype(np.uint8))
    return paths


def _watch(stop: threading.Event, most: list[int]) -> None:
    """The most that the process keeps by itself: mapped files, which the system can take back, are left out."""
    while not stop.wait(0.02):
        most[0] = max(most[0], memory_used())


def cut_one(paths: list[Path], slices: int, folder: Path, threads: int) -> None:
    """Cut the set with so many threads, and print what it took."""
    from microtome.slices.imageset import build
    from microtome.slices.plan import ClassSource, SlicePlan, VolumeSource

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    start = time.perf_counter()
    classes = tuple(ClassSource(name=p.stem, volumes=(VolumeSource(path=str(p)),)) for p in paths)
    share = max(1, slices * 8 // 17)
    plan = SlicePlan(field_of_view=64, pixels=64, train=share, validation=share, evaluation=max(1, slices - 2 * share), seed=1)
    stop, most = threading.Event(), [0]
    watch = threading.Thread(target=_watch, args=(stop, most))
    watch.start()
    found = build(classes, plan, folder)
    taken = time.perf_counter() - start
    stop.set()
    watch.join()
    digest = hashlib.sha256()
    for k in range(0, len(found.images), 4096):
        digest.update(np.ascontiguousarray(found.images[k : k + 4096]).data)
    rate = len(found.images) / taken
    print(f"{threads:>8}{taken:>10.1f}{rate:>12.0f}{most[0] / 2**20:>12.0f}  {digest.hexdigest()[:16]}", flush=True)


def main(slices: int = 17_000) -> None:
    """Measure and print a table."""
    with tempfile.TemporaryDirectory() as name:
        paths = volumes(Path(name))
        print(f"{CLASSES} × {slices} slices of 64 × 64 out of {EDGE}³ voxels")
        print(f"{'threads':>8}{'seconds':>10}{'slices/s':>12}{'peak MB':>12}  bytes")
        for threads in (1, 2):
            folder = Path(name) / f"with-{threads}"
            folder.mkdir()
            process = multiprocessing.get_context("spawn").Process(target=cut_one, args=(paths, slices, folder, threads))
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(f"Cutting with {threads} threads failed.")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
