"""How fast slices are cut: 128 × 128 pixels at random poses from 512³ voxels of 8 bits, against scipy.

python -m tests.benchmarks.bench_cut [slices]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from microtome.slices.cut import cut
from microtome.slices.geometry import extents, random_axes

EDGE, SIZE = 512, 128


def per_second(work: Callable[[], object], slices: int, repeats: int = 3) -> float:
    """The best of a few repeats, in slices a second."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return slices / min(times)


def by_scipy(volume: NDArray[np.uint8], centres: NDArray[np.float64], axes: NDArray[np.float64]) -> NDArray[np.float32]:
    """The same slices by scipy, with the coordinates made beforehand for one slice at a time."""
    offset = np.arange(SIZE) - (SIZE - 1) / 2
    out = np.empty((len(centres), SIZE, SIZE), np.float32)
    for k, (centre, (down, right)) in enumerate(zip(centres, axes, strict=True)):
        points = centre + offset[:, None, None] * down + offset[None, :, None] * right
        map_coordinates(volume, np.moveaxis(points, -1, 0), output=out[k], order=1, cval=np.nan)
    return out


def main(slices: int = 500) -> None:
    """Measure and print a table."""
    rng = np.random.default_rng(0)
    volume = rng.integers(0, 256, (EDGE, EDGE, EDGE), dtype=np.uint8)
    axes = random_axes(rng, slices)
    reach = extents(axes, SIZE)
    centres = reach + rng.random((slices, 3)) * (EDGE - 1 - 2 * reach)
    few = max(1, slices // 10)
    start = time.perf_counter()
    cut(volume, centres[:1], axes[:1], size=SIZE)
    print(f"first slice, with loading the compiled code: {time.perf_counter() - start:.2f} s")
    difference = np.abs(cut(volume, centres[:few], axes[:few], size=SIZE) - by_scipy(volume, centres[:few], axes[:few])).max()
    print(f"largest difference from scipy: {difference:.2g} grey values of 255")
    reference = per_second(lambda: by_scipy(volume, centres[:few], axes[:few]), few)
    print(f"{'way':<20}{'slices/s':>10}{'of scipy':>10}")
    print(f"{'scipy':<20}{reference:>10.0f}{1:>10.1f}")
    for threads in (1, 2):
        rate = per_second(lambda n=threads: cut(volume, centres, axes, size=SIZE, threads=n), slices)  # type: ignore[misc]
        print(f"{f'cut, {threads} thread(s)':<20}{rate:>10.0f}{rate / reference:>10.1f}")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
