"""A network beside the baselines: their accuracies on the same images, and how much better it tells them, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.intervals import class_mean_interval, paired_difference
from microtome.training.baseline import Told
from microtome.training.metrics import confusion, per_class

Labels = NDArray[np.int64]


def beside(told: Sequence[Told], images: Labels, predicted: Labels, labels: Labels, classes: tuple[str, ...]) -> dict[str, Any]:
    """What the baselines reach, and what the network gains over each, as plain JSON.

    `images` (n,) are the numbers in the image set of those that the network was asked about, `predicted` (n,) what it said,
    `labels` of all images of the set. Returns {baseline: name → accuracy, baseline_intervals: name → [low, high],
    baseline_gains: name → [network − baseline, low, high] paired image by image, baseline_details: name → words,
    baseline_images: how many of the images the baselines were measured on, 0 for all}.
    """
    result: dict[str, Any] = {
        "baseline": {},
        "baseline_intervals": {},
        "baseline_gains": {},
        "baseline_details": {},
        "baseline_images": 0,
    }
    for one in told:
        truth = labels[one.images]
        counts = per_class(confusion(truth, one.predicted, len(classes)), classes)
        accuracy, interval = class_mean_interval(counts)
        ours = predicted[np.searchsorted(images, one.images)] == truth
        gain, between = paired_difference(_told_apart(ours, one.predicted == truth, truth, classes))
        result["baseline"][one.name] = accuracy
        result["baseline_intervals"][one.name] = list(interval)
        result["baseline_gains"][one.name] = [gain, *between]
        result["baseline_details"][one.name] = one.details
        result["baseline_images"] = 0 if len(one.images) == len(images) else len(one.images)
    return result


def _told_apart(
    ours: NDArray[np.bool_], theirs: NDArray[np.bool_], truth: Labels, classes: tuple[str, ...]
) -> dict[str, tuple[int, int, int]]:
    """class → (told rightly by the network alone, by the baseline alone, images)."""
    return {
        name: (
            int(np.count_nonzero(ours & ~theirs & (truth == k))),
            int(np.count_nonzero(theirs & ~ours & (truth == k))),
            int(np.count_nonzero(truth == k)),
        )
        for k, name in enumerate(classes)
    }
