"""Grey values: statistics of a volume, and normalisation so that brightness alone tells nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.plugin import LazyArray

_SAMPLE = 1_000_000  # voxels: the mean is then good to a thousandth of the deviation


@dataclass(frozen=True)
class Grey:
    """Mean and standard deviation of a volume's grey values; deviation 0 where all are equal."""

    mean: float
    deviation: float


def grey_of(voxels: LazyArray, *, name: str = "the volume") -> Grey:
    """Mean and deviation of about a million voxels on a regular sub-grid, leaving out what is not finite.

    Raises InputError where nothing is finite.
    """
    stride = max(1, math.ceil((math.prod(voxels.shape) / _SAMPLE) ** (1 / len(voxels.shape))))
    sample = np.asarray(voxels[(slice(None, None, stride),) * len(voxels.shape)], dtype=np.float64).ravel()
    sample = sample[np.isfinite(sample)]
    if sample.size == 0 and stride > 1:
        planes = (np.asarray(voxels[i], dtype=np.float64).ravel() for i in range(voxels.shape[0]))
        sample = np.concatenate([plane[np.isfinite(plane)] for plane in planes])
    if sample.size == 0:
        raise InputError(f"{name} holds no numbers: every voxel is NaN or infinite.", "Choose another file.")
    return Grey(float(sample.mean()), float(sample.std()))


def normalise(images: NDArray[np.float32], how: str, grey: Grey) -> NDArray[np.float32]:
    """Grey values (n, h, w) as an image set keeps them: as they are ("none"), or to mean 0 and deviation 1.

    "volume" uses the statistics of the whole volume, "slice" those of each image; what is constant becomes 0.
    """
    if how == "none":
        return images
    mean: Any
    deviation: Any
    if how == "volume":
        mean, deviation = grey.mean, grey.deviation
    else:
        mean = images.mean(axis=(1, 2), dtype=np.float64, keepdims=True)
        deviation = images.std(axis=(1, 2), dtype=np.float64, keepdims=True)
        # Rounding alone makes some deviation in a constant image of large values.
        deviation = np.where(deviation <= 1e-6 * np.abs(mean), 0.0, deviation)
    safe = np.where(deviation > 0, deviation, 1.0)
    result: NDArray[np.float32] = ((images - mean) / safe).astype(np.float32)
    return result
