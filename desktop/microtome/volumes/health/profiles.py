"""One look at every slice of a volume: numbers over z that a plot shows and from which faults are found."""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError
from microtome.plugin import Report
from microtome.volumes.corrections.progress import steps
from microtome.volumes.corrections.registration import Pair, Reduced, binned, compared, factor_for, ramp, reduced
from microtome.volumes.volume import Volume

Floats = NDArray[np.float64]
TILES = 4  # along an edge: brightness is compared by tiles, to tell a flicker from structure
_PICTURE = 256  # pixels to which slices are reduced to be compared
_SAMPLE = 2**20  # voxels of a slice whose grey values are counted
_BAND = 1 / 64  # of the grey values: beside the extreme one, to tell saturation from a tail
_FEW_VALUES = 16  # grey values of a volume of labels, at most
_REACH = 2


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A number for every slice: its name, its unit ("" for a share or an index), and the values; NaN where there is none."""

    name: str
    unit: str
    values: tuple[float, ...]


@dataclass(kw_only=True)
class Facts:
    """What was seen in each slice (z), and in the volume."""

    shape: tuple[int, int, int]
    whole_numbers: bool
    mean: Floats
    std: Floats
    low: Floats
    high: Floats
    at_low: Floats  # share of the voxels that have the slice's lowest value
    at_high: Floats
    near_low: Floats  # share in the band above it
    near_high: Floats
    bad: NDArray[np.int64]  # voxels that are not a number or infinite
    tiles: Floats  # (z, TILES²) means
    changes: Floats  # (z - 1, TILES²): mean square of the difference from the slice before, once that is moved onto it
    stripes: Floats  # (z, 2): index of stripes along y, along x
    checks: list[int] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    values: set[float] | None = field(default_factory=set)  # None: more than a few
    lowest: NDArray[Any]  # (y, x) over all slices
    highest: NDArray[Any]
    damaged: dict[int, str] = field(default_factory=dict)  # slices that cannot be read, and why; they count as their neighbours

    @property
    def labels(self) -> bool:
        """Whether the grey values are so few that they are labels."""
        return self.values is not None


def collect(volume: Volume, report: Report) -> Facts:
    """Look at every slice once, holding a few of them at a time. LookStoppedError where `report` says so.

    A slice that cannot be read is noted, and passed as if it were the one before. FileError where none can be read, or where
    the whole file goes away or changes meanwhile.
    """
    depth, height, width = volume.shape
    sound, first = _first_sound(volume)
    facts = Facts(
        shape=volume.shape,
        whole_numbers=volume.dtype.kind != "f",
        mean=np.zeros(depth),
        std=np.zeros(depth),
        low=np.zeros(depth),
        high=np.zeros(depth),
        at_low=np.zeros(depth),
        at_high=np.zeros(depth),
        near_low=np.zeros(depth),
        near_high=np.zeros(depth),
        bad=np.zeros(depth, dtype=np.int64),
        tiles=np.zeros((depth, TILES**2)),
        changes=np.zeros((depth - 1, TILES**2)),
        stripes=np.ones((depth, 2)),
        lowest=first.copy(),
        highest=first.copy(),
    )
    before: deque[Reduced] = deque(maxlen=_REACH)
    factor = factor_for((height, width), _PICTURE)
    page = first
    for z in steps(depth, report):
        try:
            page = volume[z]
        except FileError as error:
            facts.damaged[z] = error.message
        np.fmin(facts.lowest, page, out=facts.lowest)
        np.fmax(facts.highest, page, out=facts.highest)
        facts.checks.append(zlib.crc32(np.ascontiguousarray(page).view(np.uint8).data))
        _count(facts, z, page)
        here = reduced(page, factor)
        facts.tiles[z] = _tiles(binned(page, factor))
        facts.stripes[z] = here.stripes
        found = compared(z, here, before)
        facts.pairs.extend(found)
        if found:
            facts.changes[z - 1] = _tiles(_difference(before[-1], here, found[0]) ** 2)
        before.append(here)
    if facts.damaged:
        volume[sound]  # no slice is damaged where the file itself went away: this raises then
    return facts


def _first_sound(volume: Volume) -> tuple[int, NDArray[Any]]:
    """The first slice that can be read, and its voxels."""
    problem: FileError | None = None
    for z in range(volume.shape[0]):
        try:
            return z, volume[z]
        except FileError as error:
            problem = problem or error
    assert problem is not None, "a volume has a slice"
    raise problem


def _count(facts: Facts, z: int, page: NDArray[Any]) -> None:
    """The grey values of a slice, of an even sample of it where it is large."""
    stride = max(1, int(np.ceil(np.sqrt(page.size / _SAMPLE))))
    values = page[::stride, ::stride].ravel()
    if not facts.whole_numbers:
        finite = np.isfinite(page)
        facts.bad[z] = page.size - int(np.count_nonzero(finite))
        values = values[np.isfinite(values)]
    if not len(values):
        return
    low, high = float(values.min()), float(values.max())
    facts.low[z], facts.high[z] = low, high
    facts.mean[z], facts.std[z] = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    band = max((high - low) * _BAND, 2.0 if facts.whole_numbers else 0.0)
    facts.at_low[z], facts.at_high[z] = float(np.mean(values == values.min())), float(np.mean(values == values.max()))
    facts.near_low[z] = float(np.mean(values <= low + band)) - facts.at_low[z]
    facts.near_high[z] = float(np.mean(values >= high - band)) - facts.at_high[z]
    if facts.values is not None:
        facts.values |= {float(v) for v in np.unique(values)[: _FEW_VALUES + 1]}
        if len(facts.values) > _FEW_VALUES:
            facts.values = None


def _difference(one: Reduced, other: Reduced, pair: Pair) -> NDArray[np.float32]:
    """What is left of the difference of two pictures when the other is moved back onto the one."""
    from scipy.fft import ifft2

    back = -np.array(pair.moved) / other.factor
    return np.asarray(np.real(ifft2(one.spectrum - other.spectrum * ramp(other.spectrum.shape, back))))


def _tiles(picture: NDArray[np.float32]) -> Floats:
    """The means of TILES × TILES parts of a picture; a picture that is smaller has the same mean in all."""
    rows, columns = (np.array_split(np.arange(n), TILES) for n in picture.shape)
    whole = float(picture.mean())
    means = [float(picture[np.ix_(r, c)].mean()) if len(r) and len(c) else whole for r in rows for c in columns]
    return np.array(means)


def alike(facts: Facts, lag: int) -> Floats:
    """The correlation of each slice with the one `lag` behind it, (z - lag,)."""
    return np.array([p.alike for p in facts.pairs if p.second - p.first == lag])
