"""Volumes that are copies of one another under different names: saved again, cropped, turned, or with other grey values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.slices.geometry import Array
from microtome.volumes.volume import Volume

_EDGE = 96  # cells along the longest axis of a fingerprint
_READ = 256 * 2**20  # bytes: of larger volumes single voxels are taken, not means
_PROBE = 32
_PROBE_PART = 2 / 3  # of the smaller volume's edges
_TURNED = 6  # pairs that are compared in all 48 positions; more are compared as they lie
_PAIRS = 400
_LEAST = 0.25  # correlation of what is the same, cells being out of step
_OUTSTANDING = 8.0  # deviations above what other places give; different real volumes gave 6.6 at most
_SURE = 0.9


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """A volume in cells of `stride` voxels an edge (one along z where it is flat)."""

    cells: NDArray[np.float32]
    stride: int

    @classmethod
    def of(cls, volume: Volume) -> Fingerprint:
        """Read a volume for comparison: means of cells, or every so many voxels where it is large."""
        stride = 2 ** max(0, math.ceil(math.log2(max(volume.shape) / _EDGE)))
        steps = [stride if n > 1 else 1 for n in volume.shape]
        if volume.memory_bytes > _READ or stride == 1:
            cells = np.asarray(volume[tuple(slice(None, None, s) for s in steps)], dtype=np.float32)
        else:
            slabs = range(0, max(steps[0], volume.shape[0] // steps[0] * steps[0]), steps[0])
            cells = np.concatenate([_means(np.asarray(volume[z : z + steps[0]], dtype=np.float32), steps) for z in slabs])
        return cls(np.where(np.isfinite(cells), cells, np.float32(0)), stride)

    def coarser(self, stride: int) -> NDArray[np.float32]:
        """The cells at a larger stride."""
        factor = stride // self.stride
        return self.cells if factor == 1 else _means(self.cells, [factor if n > 1 else 1 for n in self.cells.shape])


def _means(cells: NDArray[np.float32], steps: Sequence[int]) -> NDArray[np.float32]:
    steps = [min(s, n) for s, n in zip(steps, cells.shape, strict=True)]
    counts = [n // s for n, s in zip(cells.shape, steps, strict=True)]
    z, y, x = (c * s for c, s in zip(counts, steps, strict=True))
    parts = cells[:z, :y, :x].reshape(counts[0], steps[0], counts[1], steps[1], counts[2], steps[2])
    means: NDArray[np.float32] = parts.mean(axis=(1, 3, 5))
    return means


@dataclass(frozen=True)
class Twin:
    """Two volumes that hold the same: voxel v of `second` is voxel v + offset of `first`, unless it is turned."""

    first: int
    second: int
    correlation: float
    offset: tuple[int, int, int]  # voxels, to a fingerprint's cell
    turned: bool


@dataclass(frozen=True)
class Twins:
    """The copies that were found, among how many pairs of how many that there are."""

    found: tuple[Twin, ...]
    compared: int
    pairs: int


def twins(prints: Sequence[Fingerprint | None], pairs: Sequence[tuple[int, int]]) -> Twins:
    """Compare pairs of volumes by a part of the smaller, looked for everywhere in the larger; None prints are left out.

    At most 400 pairs are compared; in all 48 positions where there are at most 6 pairs.
    """
    known = [(i, j) for i, j in pairs if prints[i] is not None and prints[j] is not None]
    chosen = known if len(known) <= _PAIRS else [known[k] for k in np.linspace(0, len(known) - 1, _PAIRS).astype(int)]
    found = []
    for i, j in chosen:
        one, other = prints[i], prints[j]
        assert one is not None
        assert other is not None
        twin = compare(one, other, turned=len(known) <= _TURNED)
        if twin is not None:
            found.append(Twin(i, j, *twin))
    return Twins(tuple(found), len(chosen), len(known))


def compare(one: Fingerprint, other: Fingerprint, *, turned: bool) -> tuple[float, tuple[int, int, int], bool] | None:
    """(correlation, offset in voxels, turned) where two volumes hold the same, else None.

    Both are sharpened by a Laplacian, so that neither slow changes nor edges of a specimen make a likeness; what counts is
    the normalised correlation of a probe, and how far it stands out of that at all other places.
    """
    stride = max(one.stride, other.stride)
    fields = [_sharp(p.coarser(stride)) for p in (one, other)]
    swapped = fields[1].size > fields[0].size
    large, small = (fields[1], fields[0]) if swapped else (fields[0], fields[1])
    corner, probe = _probe(small)
    if probe.size < 64 or not probe.any() or probe.std() <= 1e-6 * np.abs(probe).max():
        return None
    best: tuple[float, tuple[int, ...], bool] | None = None
    field = _Field(large)
    for k, position in enumerate(_positions(probe) if turned else [probe]):
        if any(p > n for p, n in zip(position.shape, large.shape, strict=True)):
            continue
        value, outstanding, place = field.search(position)
        same = value >= _SURE or (value >= _LEAST and outstanding >= _OUTSTANDING)
        if same and (best is None or value > best[0]):
            best = (value, place, k > 0)
    if best is None:
        return None
    offset = [(p - c) * (stride if n > 1 else 1) for p, c, n in zip(best[1], corner, large.shape, strict=True)]
    z, y, x = (-v if swapped else v for v in offset)
    return best[0], (int(z), int(y), int(x)), best[2]


def _sharp(cells: NDArray[np.float32]) -> Array:
    """The discrete Laplacian inside, one cell smaller on every side of an axis that has three or more."""
    result = np.zeros(cells.shape)
    for axis, n in enumerate(cells.shape):
        if n >= 3:
            result += 2 * cells - np.roll(cells, 1, axis) - np.roll(cells, -1, axis)
    return result[tuple(slice(1, -1) if n >= 3 else slice(None) for n in cells.shape)]


def _probe(cells: Array) -> tuple[tuple[int, ...], Array]:
    """The corner and the cells of the part that holds most: of a few places, the one with most cells that differ."""
    edges = [max(1, min(_PROBE, round(_PROBE_PART * n))) for n in cells.shape]
    places = [sorted({0, (n - e) // 2, n - e}) for n, e in zip(cells.shape, edges, strict=True)]
    best: tuple[float, tuple[int, ...], Array] | None = None
    for corner in product(*places):
        part = cells[tuple(slice(c, c + e) for c, e in zip(corner, edges, strict=True))]
        # The mean magnitude: a single bright edge makes a large variance, and nothing to recognise.
        rich = float(np.abs(part).mean())
        if best is None or rich > best[0]:
            best = (rich, corner, part)
    assert best is not None
    return best[1], best[2]


def _positions(probe: Array) -> Iterator[Array]:
    """The probe as it lies, then its 47 other positions with the axes exchanged and turned over (fewer where it is flat)."""
    flat = probe.shape[0] == 1
    orders = [(0, 1, 2), (0, 2, 1)] if flat else list(permutations(range(3)))
    signs = list(product((False,), (False, True), (False, True))) if flat else list(product((False, True), repeat=3))
    for order in orders:
        for flips in signs:
            turned = probe.transpose(order)
            yield turned[tuple(slice(None, None, -1) if f else slice(None) for f in flips)]


class _Field:
    """A field in which probes are looked for; what does not depend on the probe is worked out once."""

    def __init__(self, cells: Array) -> None:
        from scipy.fft import next_fast_len, rfftn

        self.cells = cells
        self._shape = [next_fast_len(n, real=True) for n in cells.shape]
        self._spectrum = rfftn(cells.astype(np.float32), self._shape)
        self._energies: dict[tuple[int, ...], Array] = {}

    def _energy(self, edges: tuple[int, ...]) -> Array:
        """The energy about the mean of every window of so many cells."""
        if edges not in self._energies:
            sums, squares = _windows(self.cells, edges), _windows(self.cells**2, edges)
            self._energies[edges] = np.maximum(squares - sums**2 / math.prod(edges), 0.0)
        return self._energies[edges]

    def search(self, probe: Array) -> tuple[float, float, tuple[int, ...]]:
        """The highest normalised correlation of a probe, how many deviations it stands out of the rest, and its place.

        Lewis, Fast Normalized Cross-Correlation (1995): the numerator by FFT, the local energies by running sums.
        """
        from scipy.fft import irfftn, rfftn

        n = probe.size
        inside = tuple(slice(0, c - p + 1) for c, p in zip(self.cells.shape, probe.shape, strict=True))
        pattern = probe - probe.mean()
        spectrum = self._spectrum * np.conj(rfftn(pattern.astype(np.float32), self._shape))
        above: Array = irfftn(spectrum, self._shape)[inside]
        energy = self._energy(probe.shape)
        floor = 1e-6 * float((self.cells**2).mean()) * n
        below = np.sqrt(np.maximum(energy, floor)) * math.sqrt(float((pattern**2).sum()))
        values = np.where(energy > floor, above / below, 0.0)
        place = np.unravel_index(int(values.argmax()), values.shape)
        peak = float(values[place])
        spread = float(values.std()) if values.size > 1000 else 1 / math.sqrt(n)
        outstanding = (peak - float(values.mean())) / max(spread, 1e-9)
        return peak, outstanding, tuple(int(p) for p in place)


def _windows(field: Array, edges: Sequence[int]) -> Array:
    """Sums over all windows of so many cells that lie inside a field."""
    sums: Array = field
    for axis, edge in enumerate(edges):
        running = np.concatenate([np.zeros_like(sums.take([0], axis)), sums.cumsum(axis)], axis)
        ahead: list[Any] = [slice(None)] * 3
        behind: list[Any] = [slice(None)] * 3
        ahead[axis], behind[axis] = slice(edge, None), slice(None, -edge)
        sums = running[tuple(ahead)] - running[tuple(behind)]
    return sums
