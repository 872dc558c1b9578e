"""Drawing the slices of one volume: a pose from each image's own generator, and again where a slice may not be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.slices.blocks.split import Box, draw_pose
from microtome.slices.geometry import Array
from microtome.slices.planes.sampler import Sampler

_REDRAWS = 200


@dataclass(frozen=True)
class Drawn:
    """Images (n, pixels, pixels) with their centres (n, 3) and axes (n, 2, 3), and what was drawn again to get them."""

    images: NDArray[np.float32]
    centres: Array
    axes: Array
    nonfinite: int  # images that met NaN or infinity at first
    empty: int  # slices that were drawn, and rejected for want of contrast


def draw(
    sampler: Sampler, boxes: Sequence[Box], rngs: Sequence[np.random.Generator], *, contrast: float = 0.0, name: str
) -> Drawn:
    """Cut one slice a generator, in its box; where one is not finite everywhere, draw again from the same generator.

    Where `contrast` is positive, so are slices whose standard deviation is no larger. Raises InputError where hardly any
    slice can be kept.
    """
    n, grid = len(rngs), sampler.grid
    images = np.empty((n, grid.pixels, grid.pixels), np.float32)
    centres, axes = np.empty((n, 3)), np.empty((n, 2, 3))
    todo, nonfinite, empty = np.arange(n), 0, 0
    for attempt in range(_REDRAWS):
        for i in todo.tolist():
            centres[i], axes[i] = draw_pose(rngs[i], boxes[i], grid)
        images[todo] = sampler.cut(centres[todo], axes[todo])
        finite = np.isfinite(images[todo]).all(axis=(1, 2))
        flat = is_empty(images[todo], contrast) & finite
        empty += int(flat.sum())
        nonfinite += int((~finite).sum()) if attempt == 0 else 0
        todo = todo[~finite | flat]
        if todo.size == 0:
            return Drawn(images, centres, axes, nonfinite, empty)
    if empty:
        raise InputError(
            f"{name} shows hardly anything in some block: of {_REDRAWS} slices drawn for an image each was empty.",
            "Reject fewer slices, crop the volume to its specimen, or choose a larger field of view.",
        )
    raise InputError(
        f"{name} holds NaN or infinite values nearly everywhere: no slice without them was found.",
        "Crop the volume to where its data are.",
    )


def is_empty(images: NDArray[np.float32], contrast: float) -> NDArray[np.bool_]:
    """Which images (n, h, w) have a standard deviation of `contrast` at most; none where that is 0."""
    if contrast <= 0:
        return np.zeros(len(images), dtype=bool)
    empty: NDArray[np.bool_] = images.std(axis=(1, 2), dtype=np.float64) <= contrast
    return empty
