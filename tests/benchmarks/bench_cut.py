"""How fast slices are cut: 128 × 128 pixels at random poses out of 8-bit voxels, against what else can do it.

python -m tests.benchmarks.bench_cut [slices]

Every way cuts the same slices and must agree within one grey level. scipy has one thread; the others are told how many. Two
volumes: 512³, and one of 2 GB that no cache holds. What bounds it is measured as well: lines of memory read at random, and
the same work within the cache.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from microtome.slices.geometry import extents, random_axes
from microtome.slices.planes.cut import cut

SIZE = 128
LINE = 64  # bytes that memory gives at once
Cut = Callable[[int], NDArray[np.float32]]  # the first slices, so many


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """The best of a few repeats."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _installed(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


class Task:
    """A volume and the poses of slices that lie inside it."""

    def __init__(self, shape: tuple[int, int, int], slices: int) -> None:
        rng = np.random.default_rng(0)
        # Noise of about two voxels, as real structures have; made of one plane, as 2 GB of numbers take long.
        plane = rng.integers(0, 256, (shape[1] + shape[0], shape[2]), dtype=np.uint8)
        self.volume = np.empty(shape, np.uint8)
        for z in range(shape[0]):
            self.volume[z] = plane[z // 2 : z // 2 + shape[1]]
        self.axes = random_axes(rng, slices)
        reach = extents(self.axes, SIZE)
        self.centres = reach + rng.random((slices, 3)) * (np.array(shape) - 1 - 2 * reach)

    def points(self, k: int) -> NDArray[np.float64]:
        """The places (h, w, 3) of the pixels of slice k."""
        offset = np.arange(SIZE) - (SIZE - 1) / 2
        down, right = self.axes[k]
        found: NDArray[np.float64] = self.centres[k] + offset[:, None, None] * down + offset[None, :, None] * right
        return found

    def ours(self, threads: int) -> Cut:
        """By this product."""
        return lambda n: cut(self.volume, self.centres[:n], self.axes[:n], size=SIZE, threads=threads)

    def scipy(self) -> Cut:
        """By scipy.ndimage.map_coordinates; it makes the places on the way, as its users must."""

        def work(n: int) -> NDArray[np.float32]:
            out = np.empty((n, SIZE, SIZE), np.float32)
            for k in range(n):
                map_coordinates(self.volume, np.moveaxis(self.points(k), -1, 0), output=out[k], order=1, cval=np.nan)
            return out

        return work

    def torch(self, threads: int) -> Cut | None:
        """By torch.nn.functional.grid_sample, which needs the volume as float32; None where that takes over 1 GB."""
        if self.volume.nbytes > 2**28:
            return None
        import torch

        volume = torch.from_numpy(self.volume).float()[None, None]
        scale = 2 / (np.array(self.volume.shape) - 1)
        centres, axes = torch.from_numpy(self.centres * scale - 1), torch.from_numpy(self.axes * scale)
        offset = torch.arange(SIZE, dtype=torch.float64) - (SIZE - 1) / 2

        def work(n: int) -> NDArray[np.float32]:
            torch.set_num_threads(threads)
            down = offset[:, None, None] * axes[:n, None, None, 0]
            places = centres[:n, None, None] + down + offset[None, :, None] * axes[:n, None, None, 1]
            grid = places.flip(-1).float().reshape(1, n, SIZE, SIZE, 3)
            found: NDArray[np.float32] = torch.nn.functional.grid_sample(volume, grid, align_corners=True)[0, 0].numpy()
            return found

        return work

    def simpleitk(self, threads: int) -> Cut | None:
        """By SimpleITK's Resample; None where it is not installed."""
        sitk = _installed("SimpleITK")
        if sitk is None:
            return None
        image = sitk.GetImageFromArray(self.volume)
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)

        def work(n: int) -> NDArray[np.float32]:
            out = np.empty((n, SIZE, SIZE), np.float32)
            for k in range(n):
                down, right = self.axes[k]
                frame = np.stack([right, down, np.cross(right[::-1], down[::-1])[::-1]])[:, ::-1]  # rows: x, y, z in (x, y, z)
                origin = self.points(k)[0, 0][::-1]
                method = (sitk.Transform(), sitk.sitkLinear, origin.tolist(), (1.0, 1.0, 1.0), frame.T.ravel().tolist())
                made = sitk.Resample(image, (SIZE, SIZE, 1), *method, 0.0, sitk.sitkFloat32)
                out[k] = sitk.GetArrayViewFromImage(made)[0]
            return out

        return work

    def vtk(self, threads: int) -> Cut | None:
        """By vtkImageReslice; None where vtk is not installed."""
        vtk, arrays = _installed("vtk"), _installed("vtk.util.numpy_support")
        if vtk is None or arrays is None:
            return None
        image = vtk.vtkImageData()
        image.SetDimensions(*self.volume.shape[::-1])
        image.GetPointData().SetScalars(arrays.numpy_to_vtk(self.volume.reshape(-1)))
        reslice = vtk.vtkImageReslice()
        reslice.SetInputData(image)
        reslice.SetOutputDimensionality(2)
        reslice.SetInterpolationModeToLinear()
        reslice.SetOutputScalarType(vtk.VTK_FLOAT)
        reslice.SetOutputExtent(0, SIZE - 1, 0, SIZE - 1, 0, 0)
        reslice.SetOutputSpacing(1, 1, 1)
        reslice.SetOutputOrigin(0, 0, 0)
        reslice.SetNumberOfThreads(threads)
        vtk.vtkMultiThreader.SetGlobalMaximumNumberOfThreads(threads)
        vtk.vtkSMPTools.Initialize(threads)

        def work(n: int) -> NDArray[np.float32]:
            out = np.empty((n, SIZE, SIZE), np.float32)
            for k in range(n):
                down, right = self.axes[k]
                across = np.cross(right[::-1], down[::-1])
                reslice.SetResliceAxesDirectionCosines(*right[::-1], *down[::-1], *across)
                reslice.SetResliceAxesOrigin(*self.points(k)[0, 0][::-1])
                reslice.Update()
                out[k] = arrays.vtk_to_numpy(reslice.GetOutput().GetPointData().GetScalars()).reshape(SIZE, SIZE)
            return out

        return work

    def lines(self, slices: int = 40) -> float:
        """Lines of memory that a slice's voxels lie in, on average."""
        found = []
        for k in range(min(slices, len(self.centres))):
            low = np.floor(self.points(k)).astype(np.int64).reshape(-1, 3)
            corners = (low + np.array([z, y, x]) for z in (0, 1) for y in (0, 1) for x in (0, 1))
            places = np.concatenate([np.ravel_multi_index(c.T, self.volume.shape) for c in corners])
            found.append(len(np.unique(places // LINE)))
        return float(np.mean(found))


@numba.njit(nogil=True)  # type: ignore[untyped-decorator]
def _touch(volume: Any, places: Any) -> int:
    total = 0
    for i in range(places.size):
        total += volume[np.uintp(places[i])]
    return total


def line_time(volume: NDArray[np.uint8]) -> float:
    """Seconds a line of memory takes that is read at random, as many at once as the processor can."""
    flat = volume.reshape(-1)
    places = np.random.default_rng(1).integers(0, flat.size // LINE, 3_000_000) * LINE
    _touch(flat, places[:1])
    return seconds(lambda: _touch(flat, places)) / places.size


def compare(shape: tuple[int, int, int], slices: int) -> None:
    """Measure all ways for one volume, and print a table."""
    task = Task(shape, slices)
    reference = task.scipy()
    few = max(20, slices // 20)
    expected = reference(few)
    base: dict[int, float] = {1: few / seconds(lambda: reference(few))}
    print(f"\n{' × '.join(map(str, shape))} voxels, {task.volume.nbytes / 2**20:.0f} MB, {slices} slices of {SIZE} × {SIZE}")
    print(f"{'way':<16}{'threads':>8}{'slices/s':>10}{'of scipy':>10}{'of vtk':>8}{'differs by':>12}")
    print(f"{'scipy':<16}{1:>8}{base[1]:>10.0f}{1:>10.1f}")
    for threads in (1, 2):
        ways: dict[str, Cut | None] = {"vtk": task.vtk(threads), "SimpleITK": task.simpleitk(threads)}
        ways |= {"torch": task.torch(threads), "microtome": task.ours(threads)}
        vtk = np.nan
        for name, way in ways.items():
            if way is None:
                print(f"{name:<16}{threads:>8}{'not installed, or the volume too large for it':>50}")
                continue
            many = slices if name == "microtome" else few
            differs = float(np.abs(way(few) - expected).max())
            rate = many / seconds(lambda way=way, many=many: way(many))  # type: ignore[misc]
            vtk = rate if name == "vtk" else vtk
            print(f"{name:<16}{threads:>8}{rate:>10.0f}{rate / base[1]:>10.1f}{rate / vtk:>8.1f}{differs:>12.2g}")
            if differs > 1:
                raise SystemExit(f"{name} differs by {differs} grey levels.")
    lines, each = task.lines(), line_time(task.volume)
    print(f"memory alone: {lines:.0f} lines a slice, {each * 1e9:.1f} ns each: {1 / (lines * each):.0f} slices/s a thread")


def in_cache(slices: int = 4000) -> None:
    """The arithmetic alone: slices out of voxels that the first caches hold."""
    rng = np.random.default_rng(0)
    volume = rng.integers(0, 256, (80, 80, 80), dtype=np.uint8)
    axes = random_axes(rng, slices)
    reach = extents(axes, 40)
    centres = reach + rng.random((slices, 3)) * (79 - 2 * reach)
    taken = seconds(lambda: cut(volume, centres, axes, size=40, threads=1))
    print(f"arithmetic alone: {slices / taken * (40 / SIZE) ** 2:.0f} slices/s a thread (as many pixels out of 80³ voxels)")


def main(slices: int = 1000) -> None:
    """Measure and print tables."""
    start = time.perf_counter()
    cut(np.zeros((4, 4, 4), np.uint8), [[1, 1, 1]], [[[0, 1, 0], [0, 0, 1]]], size=2)
    print(f"first slice, with loading the compiled code: {time.perf_counter() - start:.2f} s")
    compare((512, 512, 512), slices)
    in_cache()
    compare((1280, 1280, 1280), slices)


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
