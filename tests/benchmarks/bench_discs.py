"""Slices of 50,000 particles without voxels: slices a second by size, thickness and threads, beside slices of their voxels.

python -m tests.benchmarks.bench_discs
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from microtome.slices.geometry import random_axes
from microtome.slices.planes.cut import cut
from microtome.slices.planes.discs import CellList, cut_discs
from microtome.volumes.particles.simulate import simulate, voxelise

FIELD = 500.0  # nm


def rate(work: Callable[[int], object], number: int) -> float:
    """Slices a second, the best of three runs of `number`; the first call compiles and is not counted."""
    work(2)
    best = 0.0
    for _ in range(3):
        start = time.perf_counter()
        work(number)
        best = max(best, number / (time.perf_counter() - start))
    return best


def main() -> None:
    """Print a table."""
    structure = simulate("m-sbr", seed=1, parameters={"edge": 1100.0})
    cells, voxels = CellList.of(structure), voxelise(structure, 4.0)
    rng = np.random.default_rng(0)
    centres, axes = 400 + rng.random((2000, 3)) * 300, random_axes(rng, 2000)
    print(f"{len(structure.radii)} particles in ({structure.box[0]:g} nm)³, slices of ({FIELD:g} nm)²; slices a second\n")
    print(f"{'pixels':>8} {'slab nm':>8} {'1 thread':>10} {'2 threads':>10} {'4 nm voxels, 1 thread':>22}")
    for size, number in ((64, 2000), (128, 1000), (512, 200)):
        pixel = FIELD / size
        for slab in (0.0, 20.0):

            def analytic(n: int, threads: int, slab: float = slab, size: int = size, pixel: float = pixel) -> object:
                return cut_discs(cells, centres[:n], axes[:n], size=size, pixel=pixel, thickness=slab, threads=threads)

            def drawn(n: int, size: int = size, pixel: float = pixel) -> object:
                return cut(voxels, centres[:n] / 4 - 0.5, axes[:n], (size, size), step=pixel / 4, threads=1, outside="wrap")

            count = number if not slab else number // 4
            one, two = (rate(lambda n, t=threads: analytic(n, t), count) for threads in (1, 2))  # type: ignore[misc]
            beside = f"{rate(drawn, number):22.0f}" if not slab else " " * 22
            print(f"{size:8} {slab:8g} {one:10.0f} {two:10.0f} {beside}", flush=True)
    images = cut_discs(cells, centres, axes, size=64, pixel=FIELD / 64)
    means = images.mean(axis=(1, 2), dtype=np.float64)
    print(f"\nmean share {means.mean():.5f} ± {means.std() / len(means) ** 0.5:.5f}; volume fraction 0.2")


if __name__ == "__main__":
    main()
