"""Folds of training images in which what lies together stays together: whole volumes, or slabs of one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from microtome.slices.imageset import ImageSet

Indices = NDArray[np.int64]


def folds(image_set: ImageSet, chosen: Indices, most: int = 3) -> Indices:
    """The fold (n,) of each chosen image, 0 … folds − 1: at most `most`, fewer where a class has fewer images.

    In every fold there is something of every class. Whole volumes go to a fold; where a class has fewer volumes than folds,
    each is divided into slabs along the axis on which its images lie furthest apart. Slices near a slab's face share voxels
    with the next one, which is why such folds choose a setting and measure nothing.
    """
    labels = image_set.labels[chosen]
    counts = np.bincount(labels)
    number = int(min(most, counts[counts > 0].min(initial=most)))
    volumes, centres = image_set.poses.volumes[chosen], image_set.poses.centres[chosen]
    result = np.zeros(len(chosen), dtype=np.int64)
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        result[mine] = share_out(groups_of(volumes[mine], centres[mine], number), number)
    return result


def groups_of(volumes: Indices, centres: NDArray[np.float64], number: int) -> Indices:
    """The group (n,) of each image of one class, at least `number` of them: its volume, or its slab of a volume.

    `centres` (n, 3) of the images in their volumes; n is at least `number`.
    """
    names, group = np.unique(volumes, return_inverse=True)
    slabs = -(-number // len(names))
    if slabs == 1:
        return group.astype(np.int64)
    result = np.zeros(len(volumes), dtype=np.int64)
    for k in range(len(names)):
        mine = np.flatnonzero(group == k)
        axis = int(np.ptp(centres[mine], axis=0).argmax())
        order = centres[mine, axis].argsort(kind="stable").argsort(kind="stable")
        result[mine] = k * slabs + order * slabs // len(mine)
    # A volume of very few images fills fewer slabs than it was given; then every image is a group of its own.
    return result if len(np.unique(result)) >= number else np.arange(len(volumes), dtype=np.int64)


def share_out(groups: Indices, number: int) -> Indices:
    """The fold (n,) of each image: its whole group goes to one of `number` folds, the largest first to the emptiest."""
    names, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    fold_of, filled = np.zeros(len(names), dtype=np.int64), np.zeros(number, dtype=np.int64)
    for k in np.argsort(-sizes, kind="stable"):
        fold_of[k] = filled.argmin()
        filled[fold_of[k]] += sizes[k]
    return fold_of[group]
