"""Colour in image sets: the cut of a micrograph's channels, the brightness of what is cut, and how it is tinted."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.slices.geometry import Array
from microtome.slices.grey import Grey, grey_of
from microtome.slices.planes.sampler import Sampler
from microtome.volumes.volume import Volume

CHANNELS = 3
Images = NDArray[np.float32]


def as_colours(grey: NDArray[Any]) -> NDArray[Any]:
    """A grey image (y, x) as three equal channels (3, y, x), which share its memory."""
    return np.broadcast_to(grey, (CHANNELS, *grey.shape))


def cut_colours(sampler: Sampler, images: Images, centres: Array, axes: Array) -> Images:
    """Images (n, h, w) that were cut at centres and axes as they are, or (n, 3, h, w) of a micrograph that has its colours."""
    volume = sampler.volume
    if volume.colours is None:
        return images
    found = []
    for channel in volume.colours:
        plane = replace(volume, voxels=np.ascontiguousarray(channel)[None], colours=None, _kept=None)
        found.append(Sampler(plane, sampler.grid).cut(centres, axes))
    return np.stack(found, axis=1)


def statistics_of(volume: Volume, *, name: str) -> Grey:
    """The statistics by which images of a volume are normalised; of a micrograph with colours one shift and one factor for all.

    The shift is that of the brightness, so that brightness alone tells nothing, and colours stay. The deviation is the root
    mean square of the channels' own: of three equal ones that of the grey image, and how strongly an image is tinted does not
    matter. Quantiles are those of all three channels together, so that none lies beyond them.
    """
    grey = grey_of(volume, name=name)
    if volume.colours is None:
        return grey
    channels = [grey_of(channel, name=name) for channel in volume.colours]
    pooled = grey_of(volume.colours.reshape(-1, volume.shape[2]), name=name)
    deviation = math.sqrt(sum(c.deviation**2 for c in channels) / len(channels))
    low, high = (grey.low, grey.high) if grey.high > grey.low else (pooled.low, pooled.high)
    return Grey(grey.mean, deviation, low, high, pooled.quantiles)


def tint(images: Images) -> NDArray[np.float64]:
    """The colour of each image (n, 3, h, w) as a whole, (n, 2): means of red and blue, less that of green."""
    means: NDArray[np.float64] = np.asarray(images).mean(axis=(2, 3), dtype=np.float64)
    apart: NDArray[np.float64] = means[:, (0, 2)] - means[:, 1:2]
    return apart
