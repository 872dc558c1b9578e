"""Volumes larger than memory: first picture, peak memory while scrolling and cutting, import of a compressed stack.

python -m tests.benchmarks.bench_big [edge of the large stack, 2048] [edge of the compressed one, 1152] [folder]

The large stack takes edge³ bytes in the folder for temporary files; all files are removed in the end. Peak memory is that of a
process of its own that has loaded what the window loads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SLICES, BATCH = 200, 25


def texture(planes: int, edge: int) -> NDArray[np.uint8]:
    """Blurred noise of 8 bits, so that LZW finds something to do but not everything."""
    from scipy.ndimage import uniform_filter

    rng = np.random.default_rng(0)
    small = uniform_filter(rng.integers(0, 256, (planes, edge, edge), dtype=np.uint8).astype(np.float32), 3)
    return (np.clip((small - 128) * 4 + 128, 0, 255)).astype(np.uint8) & np.uint8(0xFC)


def write_plain(path: Path, edge: int) -> None:
    """A stack of edge³ voxels in one piece, of one block of texture again and again."""
    import tifffile

    tifffile.imwrite(path, shape=(edge, edge, edge), dtype=np.uint8, bigtiff=True, photometric="minisblack")
    with tifffile.TiffFile(path) as file:
        offset = file.series[0].dataoffset
    block = texture(16, edge)
    with open(path, "r+b") as target:
        target.seek(offset)
        for z in range(0, edge, 16):
            block[:, 0, :] = z % 251
            target.write(block[: min(16, edge - z)].data)


def write_packed(path: Path, plain: Path) -> None:
    """The same voxels as LZW tiles."""
    import tifffile

    voxels = tifffile.memmap(plain, mode="r")
    tifffile.imwrite(path, voxels, bigtiff=True, tile=(256, 256), compression="lzw", photometric="minisblack", maxworkers=2)


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def status(key: str) -> float:
    """A line of the process's own figures in MiB: VmHWM is the most memory that it ever had, mapped pages included."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key + ":"))


def poses(shape: tuple[int, int, int], size: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Random slices that lie inside."""
    from microtome.slices.geometry import extents, random_axes

    rng = np.random.default_rng(seed)
    axes = random_axes(rng, SLICES)
    reach = extents(axes, size)
    return reach + rng.random((SLICES, 3)) * (np.array(shape) - 1 - 2 * reach), axes


def look(path: str, copy: str = "") -> dict[str, float]:
    """What the window does with a large volume, in this process."""
    # What the window and its pages load.
    import pyqtgraph  # noqa: F401
    from PySide6 import QtWidgets  # noqa: F401

    from microtome.slices.planes.cut import cut
    from microtome.ui import app  # noqa: F401
    from microtome.volumes.read import describe, open_volume

    options: dict[str, Any] = {"copy": copy} if copy else {}
    found: dict[str, float] = {}
    cut(np.zeros((4, 4, 4), np.uint8), [[2, 2, 2]], [[[0, 1, 0], [0, 0, 1]]], size=2)
    found["base MiB"] = status("VmHWM")
    start = time.perf_counter()
    describe(path, **options)
    volume = open_volume(path, **options)
    middle = volume.shape[0] // 2
    volume[middle].mean()
    found["first picture s"] = time.perf_counter() - start
    for z in range(middle, middle + SLICES):
        volume[z]
    steps = [timed(lambda z=z: volume[z]) for z in range(middle, middle + SLICES)]  # type: ignore[misc]
    found["xy step ms"] = 1000 * float(np.median(steps))
    found["worst xy step ms"] = 1000 * max(steps)
    found["scrolled MiB"] = status("VmHWM")
    found["xz step ms"] = 1000 * float(np.median([timed(lambda y=y: volume[:, y]) for y in range(100, 105)]))  # type: ignore[misc]
    found["yz step ms"] = 1000 * float(np.median([timed(lambda x=x: volume[:, :, x]) for x in (100, 500, 900)]))  # type: ignore[misc]
    found["other planes MiB"] = status("VmHWM")
    cut(volume, *(p[:1] for p in poses(volume.shape, 2)), size=2)  # compiles, if this kind of voxels was never cut here
    for size in (128, 512):
        centres, axes = poses(volume.shape, size)
        for seen in ("first", "again"):
            seconds = 0.0
            for i in range(0, SLICES, BATCH):  # as an image set is cut: what was cut is written, not kept
                part = slice(i, i + BATCH)
                seconds += timed(lambda p=part, c=centres, a=axes, n=size: cut(volume, c[p], a[p], size=n))  # type: ignore[misc]
            found[f"{size}² slices/s {seen}"] = SLICES / seconds
        found[f"{size}² MiB"] = status("VmHWM")
    found["end MiB"] = status("VmRSS")
    return found


def in_process(*arguments: str) -> dict[str, float]:
    """`look` in a process of its own."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    code = "import sys, json; from tests.benchmarks import bench_big; print(json.dumps(bench_big.look(*sys.argv[1:])))"
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(title: str, found: dict[str, float]) -> None:
    """Print figures under a title."""
    print(f"\n{title}")
    for name, value in found.items():
        print(f"  {name:<24}{value:>10.2f}", flush=True)


def main(edge: int = 2048, packed_edge: int = 1152, folder: str = "") -> None:
    """Measure and print."""
    from microtome.volumes.copies.copying import run_copy

    with tempfile.TemporaryDirectory(prefix="microtome-bench-", dir=folder or None) as place:
        plain, smaller, packed, copy = (Path(place) / n for n in ("plain.tif", "smaller.tif", "packed.tif", "copy"))
        print(f"writing {edge}³ bytes: {timed(lambda: write_plain(plain, edge)):.1f} s", flush=True)
        show(f"{edge}³ uint8, uncompressed TIFF, mapped", in_process(str(plain)))
        plain.unlink()
        write_plain(smaller, packed_edge)
        print(f"\nwriting {packed_edge}³ bytes as LZW tiles: {timed(lambda: write_packed(packed, smaller)):.1f} s", flush=True)
        print(f"  {packed.stat().st_size / packed_edge**3:.2f} of the bytes")
        reference = in_process(str(smaller))
        show(f"{packed_edge}³ uint8, uncompressed", reference)
        seconds = timed(lambda: run_copy(packed, {}, copy, lambda _progress: None))
        print(f"\nimport: {seconds:.1f} s, {packed_edge**3 / 2**20 / seconds:.0f} MiB/s", flush=True)
        found = in_process(str(packed), str(copy))
        show("the same as LZW tiles, after the import", found)
        for name in (n for n in found if "slices/s" in n):
            print(f"  {name}: {found[name] / reference[name]:.2f} of the uncompressed rate")


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:3]]
    main(*numbers, *sys.argv[3:4])
