"""What a network that tells a number says about the images of a set, and how good that is beside simple methods."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microtome.errors import InputError
from microtome.slices.imageset import ImageSet
from microtome.store.atomic import write_text
from microtome.training.baseline_values import baselines_of_values
from microtome.training.device import choose_device, reproducible
from microtome.training.evaluate import Model
from microtome.training.regression import Bootstrap, Fit, Indices, Numbers, Point, fit_of, points_of, split_words

Stop = Callable[[], str]


@dataclass(frozen=True, kw_only=True)
class ToldValues:
    """What a network tells of the images of a set, in the values' unit."""

    split: str
    unit: str
    images: Indices  # (n,) numbers in the image set
    volumes: Indices  # (n,) of the images
    names: tuple[str, ...]  # of the image set's volumes
    true: Numbers  # (n,)
    told: Numbers  # (n,)
    spread: float  # standard deviation of the training values

    @property
    def fit(self) -> Fit:
        """The errors over all images."""
        return fit_of(self.true, self.told, self.spread)

    @property
    def points(self) -> tuple[Point, ...]:
        """A point a volume."""
        return points_of(self.true, self.told, self.volumes)

    def save(self, path: Path) -> None:
        """Replace a CSV file: image, volume, true, predicted, one row an image, in the values' unit."""
        text = io.StringIO(newline="")
        rows = csv.writer(text)
        rows.writerow(["image", "volume", "true", "predicted"])
        columns = (self.images.tolist(), self.volumes.tolist(), self.true.tolist(), self.told.tolist())
        rows.writerows([image, self.names[volume], true, told] for image, volume, true, told in zip(*columns, strict=True))
        write_text(path, text.getvalue())


def tell(model: Path | str, image_set: ImageSet, split: str = "evaluation", *, device: str = "auto") -> ToldValues:
    """Ask the network of a file or folder about one set; where it is a folder, predictions.csv is written into it.

    Raises InputError where the images carry no values, or the network tells classes.
    """
    loaded = Model.load(model, device=device)
    indices = image_set.split(split)
    true = image_set.values[indices]
    if len(indices) == 0 or not np.isfinite(true).all():
        raise InputError("The images carry no values to compare with.", "Choose an image set of volumes with values.")
    found = [loaded.tell(image_set.images[part]) for part in np.array_split(indices, max(1, -(-len(indices) // 1024)))]
    told = ToldValues(
        split=split,
        unit=str(loaded.card.value["unit"]),
        images=indices,
        volumes=image_set.poses.volumes[indices],
        names=tuple(str(v["name"]) for v in image_set.volumes),
        true=true,
        told=np.concatenate(found),
        spread=float(loaded.card.value["deviation"]),
    )
    if Path(model).is_dir():
        told.save(loaded.path.parent / "predictions.csv")
    return told


def tell_in_worker(
    spec: dict[str, Any], image_set: ImageSet, should_stop: Stop, next_method: Callable[[str], None]
) -> dict[str, Any]:
    """`tell` of a trial {folder, device?, threads?} and its `evaluation`, as a worker does them."""
    device = spec.get("device", "auto")
    with reproducible(choose_device(device), int(spec.get("threads", 0))):
        told = tell(spec["folder"], image_set, device=device)
    return evaluation(told, image_set, should_stop, next_method)


def evaluation(told: ToldValues, image_set: ImageSet, should_stop: Stop, next_method: Callable[[str], None]) -> dict[str, Any]:
    """All that an evaluation tells of a number, beside the baselines of the same slices, as plain JSON.

    Returns {accuracy (R²), interval, r2, rmse, mae, unit, n, points, caution, per_class, confusion, baseline…}. Raises
    BaselineStoppedError where should_stop() says a word.
    """
    fit = told.fit
    others = baselines_of_values(image_set, should_stop, next_method)
    drawn = Bootstrap.of(told.true, [told.told, *(o.told for o in others)], told.volumes, told.spread)
    fits = [fit_of(told.true, o.told, told.spread) for o in others]
    sets = {name: image_set.poses.volumes[image_set.split(name)].tolist() for name in ("train", "evaluation")}
    return {
        "accuracy": fit.r2,
        "interval": list(drawn.interval(0, fit.r2)),
        "r2": fit.r2,
        "rmse": fit.rmse,
        "mae": fit.mae,
        "unit": told.unit,
        "n": fit.n,
        "points": [list(point) for point in told.points],
        "caution": f"{drawn.words} {split_words(sets)}".rstrip(),
        "per_class": {},
        "confusion": [],
        "baseline": {o.name: f.r2 for o, f in zip(others, fits, strict=True)},
        "baseline_intervals": {
            o.name: list(drawn.interval(k, f.r2)) for k, (o, f) in enumerate(zip(others, fits, strict=True), start=1)
        },
        "baseline_gains": {
            o.name: [fit.r2 - f.r2, *drawn.gain(0, k, fit.r2 - f.r2)]
            for k, (o, f) in enumerate(zip(others, fits, strict=True), start=1)
        },
        "baseline_details": {o.name: o.details for o in others},
        "baseline_images": 0,
    }
