"""Grey values: statistics of a volume, and normalisation so that brightness alone tells nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.plugin import LazyArray, Structure
from microtome.volumes.grey import LUMINANCE
from microtome.volumes.particles.structure import volume_fraction
from microtome.volumes.volume import Volume

Quantiles = tuple[float, ...]
FULL = 255.0
"""What a voxel or pixel is drawn as that particles cover."""
_SAMPLE = 1_000_000  # voxels: the mean is then good to a thousandth of the deviation
_SORTED = 200_000
# Closer at the ends, where few voxels reach far.
_LEVELS = np.concatenate([[0, 0.001, 0.004], np.linspace(1 / 64, 63 / 64, 63), [0.996, 0.999, 1]])
_LOW, _HIGH = 0.01, 0.99


@dataclass(frozen=True)
class Grey:
    """Mean and standard deviation of a volume's grey values; deviation 0 where all are equal.

    low and high are the 1st and the 99th percentile (the extremes where those are equal, as in a volume that is nearly all
    background); `quantiles` are those at 1/64, … 63/64 and some nearer to 0 and 1.
    """

    mean: float
    deviation: float
    low: float = field(default=0.0, compare=False)
    high: float = field(default=0.0, compare=False)
    quantiles: Quantiles = field(default=(), compare=False)


_MEASURED: WeakKeyDictionary[Volume, Grey] = WeakKeyDictionary()


def grey_of(voxels: LazyArray, *, name: str = "the volume") -> Grey:
    """Statistics of about a million voxels on a regular sub-grid, leaving out what is not finite; of a Volume only once.

    A structure of particles has those of its two phases, by its volume fraction: how finely it is drawn does not matter, and
    structures of one volume fraction have the same to the bit. Measured ones would differ a little, and since their background
    is one exact value, what they scale it to would tell every structure apart. Raises InputError where nothing is finite.
    """
    if not isinstance(voxels, Volume):
        return _measured(voxels, name)
    found = _MEASURED.get(voxels)
    if found is None:
        found = _two_phases(voxels.structure) if voxels.structure is not None else _measured(voxels, name)
        _MEASURED[voxels] = found
    return found


def _two_phases(structure: Structure) -> Grey:
    """Background 0 and particles of FULL, each with its share of the volume."""
    share = round(min(1.0, volume_fraction(structure)), 9)
    quantiles = tuple(np.where(1 - share < _LEVELS, FULL, 0.0).tolist())
    return Grey(FULL * share, FULL * math.sqrt(share * (1 - share)), 0.0, FULL, quantiles)


def _measured(voxels: LazyArray, name: str) -> Grey:
    stride = max(1, math.ceil((math.prod(voxels.shape) / _SAMPLE) ** (1 / len(voxels.shape))))
    sample = np.asarray(voxels[(slice(None, None, stride),) * len(voxels.shape)], dtype=np.float64).ravel()
    sample = sample[np.isfinite(sample)]
    if sample.size == 0 and stride > 1:
        planes = (np.asarray(voxels[i], dtype=np.float64).ravel() for i in range(voxels.shape[0]))
        sample = np.concatenate([plane[np.isfinite(plane)] for plane in planes])
    if sample.size == 0:
        raise InputError(f"{name} holds no numbers: every voxel is NaN or infinite.", "Choose another file.")
    low, high, quantiles = _spread(sample[:: max(1, sample.size // _SORTED)])
    return Grey(float(sample.mean()), float(sample.std()), low, high, quantiles)


def _spread(values: NDArray[np.float64]) -> tuple[float, float, Quantiles]:
    """(low, high, quantiles) of values."""
    ordered = np.sort(values)
    low, high = (float(v) for v in np.quantile(ordered, (_LOW, _HIGH)))
    if low == high:
        low, high = float(ordered[0]), float(ordered[-1])
    return low, high, tuple(np.quantile(ordered, _LEVELS).tolist())


def pooled(groups: Sequence[Sequence[Grey]]) -> Quantiles:
    """The quantiles of a reference histogram: the mean over classes of the mean over each class's volumes.

    The mean of quantiles is the histogram nearest to all (the Wasserstein barycentre in one dimension): it lies between
    them in brightness and in contrast, where a mixture would have a peak for each.
    """
    means = [np.mean([g.quantiles for g in group], axis=0) for group in groups if group]
    return tuple(np.mean(means, axis=0).tolist())


def normalise(images: NDArray[np.float32], how: str, grey: Grey, reference: Quantiles = ()) -> NDArray[np.float32]:
    """Grey values (n, h, w) as an image set keeps them: as they are ("none"), or brought to a common scale.

    Colours (n, 3, h, w) get one shift and one factor for all channels, as colour.statistics_of says: so they stay.

    "volume" and "slice": to mean 0 and deviation 1 by the statistics of the whole volume, or of each image; what is constant
    becomes 0. "volume-percentile" and "slice-percentile": the 1st percentile to 0, the 99th to 1, without clipping.
    "histogram": the volume's quantiles to those of `reference` (the volume's own where there is none), then to mean 0 and
    deviation 1 of the reference.
    """
    match how:
        case "none":
            return images
        case "histogram":
            return _matched(images, grey.quantiles, reference or grey.quantiles)
        case "volume":
            return _scaled(images, grey.mean, grey.deviation)
        case "volume-percentile":
            return _scaled(images, grey.low, grey.high - grey.low)
        case "slice-percentile":
            low, high = _ends(images)
            return _scaled(images, low, high - low)
    mean, deviation = _level(images)
    # Rounding alone makes some deviation in a constant image of large values.
    return _scaled(images, mean, np.where(deviation <= 1e-6 * np.abs(mean), 0.0, deviation))


def _level(images: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of each image, to be broadcast: of the brightness, and of the channels as a root mean square."""
    inside = (1, 2) if images.ndim == 3 else (2, 3)
    mean = luminance(images).mean(axis=(1, 2), dtype=np.float64, keepdims=True)
    deviation = images.std(axis=inside, dtype=np.float64, keepdims=True)
    if images.ndim == 3:
        return mean, deviation
    return mean[:, None], np.sqrt((deviation**2).mean(axis=1, keepdims=True))


def _ends(images: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 1st and the 99th percentile of each image's brightness, to be broadcast; the extremes of all where they are equal."""
    inside = tuple(range(1, images.ndim))
    low, high = np.quantile(luminance(images), (_LOW, _HIGH), axis=(1, 2)).astype(np.float64)
    low, high = (v.reshape(-1, *(1 for _ in inside)) for v in (low, high))
    least = images.min(axis=inside, keepdims=True).astype(np.float64)
    most = images.max(axis=inside, keepdims=True).astype(np.float64)
    return np.where(low == high, least, low), np.where(low == high, most, high)


def luminance(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The brightness (n, h, w), by ITU-R BT.709, of images (n, 3, h, w); grey images (n, h, w) as they are."""
    if images.ndim == 3:
        return images
    # Summed up channel by channel: images come from disk, and no copy in double precision is needed.
    found = images[:, 0] * np.float32(LUMINANCE[0])
    for channel in (1, 2):
        found += images[:, channel] * np.float32(LUMINANCE[channel])
    return found


def _scaled(images: NDArray[np.float32], origin: Any, unit: Any) -> NDArray[np.float32]:
    safe = np.where(np.asarray(unit) > 0, unit, 1.0)
    result: NDArray[np.float32] = ((images - origin) / safe).astype(np.float32)
    return result


def _matched(images: NDArray[np.float32], own: Quantiles, reference: Quantiles) -> NDArray[np.float32]:
    # A grey value that fills several quantiles stands for the middle of them.
    values, places = np.unique(np.asarray(own), return_inverse=True)
    levels = np.bincount(places, _LEVELS) / np.bincount(places)
    # By straight lines between the quantiles.
    target = np.asarray(reference)
    mean = float(np.trapezoid(target, _LEVELS))
    deviation = math.sqrt(max(0.0, float(np.trapezoid((target - mean) ** 2, _LEVELS))))
    matched = np.interp(images, values, np.interp(levels, _LEVELS, target))
    return _scaled(matched, mean, deviation)
