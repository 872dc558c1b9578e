"""What lies where in a volume, coarsely: grey levels and their local contrast, so that blocks of like content can be chosen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.volume import Volume

_SAMPLES = 96  # voxels an axis that are looked at
_CELL = 4  # of them an edge of a cell
_BINS = 6


@dataclass(frozen=True, eq=False)
class Content:
    """Shares of grey levels and of local contrasts (cells + 1 along z, y, x, 2 × 6), summed up from the low corner.

    The six levels of each hold a sixth of the whole volume. `cell` are a cell's edges in voxels.
    """

    sums: NDArray[np.float64]
    cell: NDArray[np.float64]

    def differences(self, low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.float64]:
        """How much boxes low … high (n, sets, 3) of one layout differ, 0 … 1, (n,): the worst pair's total variation.

        The total variation of two distributions is half the sum of the differences of their shares.
        """
        edges = np.array(self.sums.shape[:3]) - 1
        first = np.clip(np.rint(low / self.cell), 0, edges - 1).astype(int)
        last = np.maximum(np.clip(np.rint(high / self.cell), 0, edges).astype(int), first + 1)
        total = np.zeros((*low.shape[:2], self.sums.shape[3]))
        for corner in range(8):
            upper = [(corner >> k) & 1 for k in range(3)]
            z, y, x = (last[..., k] if upper[k] else first[..., k] for k in range(3))
            total += (-1) ** (3 - sum(upper)) * self.sums[z, y, x]
        shares = total.reshape(*low.shape[:2], 2, _BINS)
        shares = shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1e-12)
        pairs = [(i, j) for i in range(low.shape[1]) for j in range(i)]
        apart = [np.abs(shares[:, i] - shares[:, j]).sum(axis=-1).max(axis=-1) / 2 for i, j in pairs]
        worst: NDArray[np.float64] = np.max(apart, axis=0)
        return worst


_SURVEYED: WeakKeyDictionary[Volume, Content] = WeakKeyDictionary()


def content_of(volume: Volume) -> Content:
    """Look a volume over once: about 96 voxels an axis on a regular grid."""
    found = _SURVEYED.get(volume)
    if found is None:
        strides = [max(1, math.ceil(n / _SAMPLES)) for n in volume.shape]
        sample = np.asarray(volume[tuple(slice(None, None, s) for s in strides)], dtype=np.float32)
        found = survey(sample, np.array(strides, dtype=np.float64))
        _SURVEYED[volume] = found
    return found


def survey(sample: NDArray[np.float32], strides: NDArray[np.float64]) -> Content:
    """The content of voxels (z, y, x) that lie `strides` voxels apart; what is not finite counts as the middle grey value."""
    finite = sample[np.isfinite(sample)]
    sample = np.where(np.isfinite(sample), sample, np.float32(np.median(finite) if finite.size else 0.0))
    edges = [min(_CELL, n) for n in sample.shape]
    counts = [n // e for n, e in zip(sample.shape, edges, strict=True)]
    z, y, x = (c * e for c, e in zip(counts, edges, strict=True))
    cells = sample[:z, :y, :x].reshape(counts[0], edges[0], counts[1], edges[1], counts[2], edges[2])
    flat = cells.transpose(0, 2, 4, 1, 3, 5).reshape(*counts, -1)
    contrast = flat.std(axis=-1, dtype=np.float64)
    shares = np.concatenate([_levels(flat, sample).mean(axis=-2), _levels(contrast, contrast)], axis=-1)
    sums = np.zeros((*(c + 1 for c in counts), 2 * _BINS))
    sums[1:, 1:, 1:] = shares.cumsum(axis=0).cumsum(axis=1).cumsum(axis=2)
    return Content(sums, np.array(edges, dtype=np.float64) * strides)


def _levels(values: NDArray[np.floating], whole: NDArray[np.floating]) -> NDArray[np.float64]:
    """Which of the levels each value is in, as ones and zeros along a last axis."""
    bounds = np.quantile(whole, np.linspace(0, 1, _BINS + 1)[1:-1])
    level = np.searchsorted(bounds, values, side="right")
    ones: NDArray[np.float64] = np.eye(_BINS)[level]
    return ones
