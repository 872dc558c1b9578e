"""Two networks that tell a number, on the same images: what one's R² is above the other's, paired over whole volumes."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from microtome.intervals import Interval

Told = Mapping[int, tuple[str, float, float]]
"""Image number → (its volume, the volume's value, what was told)."""


def read_told(path: Path) -> dict[int, tuple[str, float, float]]:
    """What a predictions.csv says was told of each image; empty where there is none, or it is of classes, or damaged."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        found = {int(r["image"]): (r["volume"], float(r["true"]), float(r["predicted"])) for r in rows}
    except (OSError, KeyError, TypeError, ValueError):
        return {}
    return found if all(math.isfinite(t) and math.isfinite(p) for _, t, p in found.values()) else {}


def gain_of_told(first: Told, second: Told) -> tuple[float, Interval] | None:
    """R² of the first less that of the second, with the 95 % interval of drawing whole volumes anew (images, of few volumes).

    None where they are not about the same images, or where the images have all one value.
    """
    from microtome.training.regression import Bootstrap, fit_of

    images = sorted(first)
    if not images or set(first) != set(second) or any(first[i][:2] != second[i][:2] for i in images):
        return None
    true = np.array([first[i][1] for i in images])
    if float(np.ptp(true)) <= 1e-12 * max(1.0, float(np.abs(true).max())):
        return None
    told = [np.array([side[i][2] for i in images]) for side in (first, second)]
    volumes = np.unique([first[i][0] for i in images], return_inverse=True)[1].astype(np.int64)
    spread = float(true.std())
    value = fit_of(true, told[0], spread).r2 - fit_of(true, told[1], spread).r2
    return value, Bootstrap.of(true, told, volumes, spread).gain(0, 1, value)
