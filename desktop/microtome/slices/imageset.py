"""An image set: a folder with memory-mapped images, an index with the pose of each, and what was done, found by its hash.

plan.json    the plan, the classes with their volumes (grey statistics, blocks), warnings, how independent the sets are
index.csv    one row an image: number, set, class, volume, pose in voxels, mean grey value before normalisation,
             and the number that its volume carries, if any
images.npy   float32 (n, pixels, pixels), or (n, 3, pixels, pixels) of micrographs in colour
"""

from __future__ import annotations

import csv
import math
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.fields import fields_of
from microtome.slices import cutting
from microtome.slices.blocks.split import SETS
from microtome.slices.plan import ClassSource, SlicePlan
from microtome.store.atomic import explain
from microtome.store.migrate import load

_GREYS = 500  # volumes whose grey statistics are told on: micrographs may be many more
Progress = Callable[[str, float, float, str], None]


@dataclass(frozen=True, kw_only=True)
class Poses:
    """Where the images of a set lie, in the order of the images; vectors are (z, y, x)."""

    volumes: NDArray[np.int64]  # (n,) index into ImageSet.volumes
    centres: NDArray[np.float64]  # (n, 3) voxels
    axes: NDArray[np.float64]  # (n, 2, 3) down and right, unit vectors in physical space


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """A finished image set; the images stay on disk until they are read."""

    path: Path
    hash: str
    plan: SlicePlan
    classes: tuple[str, ...]
    volumes: tuple[dict[str, Any], ...]  # name, class, path, shape, voxel size, grey statistics, blocks
    pixel_size: float  # in `unit`
    unit: str  # "voxel" where no physical length is known
    warnings: tuple[str, ...]
    independence: str  # how the sets are separated, in words
    leak: dict[str, Any]  # the leak meter: verdict, why, distance, shared, similarity, copies; {} in sets of older versions
    shortcuts: tuple[dict[str, Any], ...]  # the audit: cue, accuracy, interval, n, chance, strength
    rejected: dict[str, int]  # empty slices that were drawn elsewhere, by volume
    reference: tuple[float, ...]  # quantiles of the histogram that all volumes were matched to; () where they were not
    micrographs: dict[str, Any] = field(
        default_factory=dict
    )  # how images that were 2-D already were taken; {}: there were none
    images: NDArray[np.float32]  # (n, pixels, pixels), in colour (n, 3, pixels, pixels); memory-mapped
    labels: NDArray[np.int64]  # (n,) index into classes
    sets: NDArray[np.int64]  # (n,) index into SETS

    @classmethod
    def open(cls, folder: Path) -> ImageSet:
        """Open an image set; FileError where the folder holds none, or a damaged one."""
        folder = Path(folder)
        if not (folder / "plan.json").is_file():
            raise FileError(f"{folder} is not an image set (it has no plan.json).", "Cut the slices again.")
        data = load(folder / "plan.json", "image set", cutting.VERSION)
        try:
            images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
            table = _columns(folder / "index.csv", ("set", "class"))
        except OSError as error:
            raise explain(error, folder, "read the image set") from error
        except (ValueError, KeyError, EOFError) as error:
            raise FileError(f"The image set {folder} is damaged: {error}.", "Delete that folder and cut again.") from error
        classes = tuple(data["classes"])
        if len(images) != len(table["set"]):
            raise FileError(
                f"The image set {folder} is damaged: {len(images)} images, {len(table['set'])} rows in its index.",
                "Delete that folder and cut again.",
            )
        return cls(
            path=folder,
            hash=data["hash"],
            plan=SlicePlan(**{k: v for k, v in data["plan"].items() if k in fields_of(SlicePlan)}),
            classes=classes,
            volumes=tuple(data["volumes"]),
            pixel_size=data["pixel_size"],
            unit=data["unit"],
            warnings=tuple(data["warnings"]),
            independence=data["independence"],
            leak=data.get("leak", {}),
            shortcuts=tuple(data.get("shortcuts", ())),
            rejected=data.get("rejected", {}),
            reference=tuple(data.get("reference", ())),
            micrographs=data.get("micrographs") or {},
            images=images,
            labels=np.array([classes.index(c) for c in table["class"]], dtype=np.int64),
            sets=np.array([SETS.index(s) for s in table["set"]], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def channels(self) -> int:
        """1, or 3 in colour: what a network for these images takes."""
        return 1 if self.images.ndim == 3 else int(self.images.shape[1])

    def split(self, name: str) -> NDArray[np.int64]:
        """The indices of the images of a set: train, validation or evaluation."""
        if name not in SETS:
            raise InputError(f"There is no set “{name}”.", "Known: train, validation, evaluation.")
        return np.flatnonzero(self.sets == SETS.index(name))

    def counts(self) -> dict[str, dict[str, int]]:
        """Images by set and class."""
        found = Counter(zip(self.sets.tolist(), self.labels.tolist(), strict=True))
        return {s: {c: found[i, k] for k, c in enumerate(self.classes)} for i, s in enumerate(SETS)}

    @property
    def grey(self) -> dict[str, Any]:
        """What normalisation was applied, and the grey statistics of the volumes by class (of thousands, some of them)."""
        values: dict[str, list[dict[str, Any]]] = {c: [] for c in self.classes}
        for volume in self.volumes[:: max(1, -(-len(self.volumes) // _GREYS))]:
            values[volume["class"]].append({"volume": volume["name"], **volume["grey"]})
        return {"normalisation": self.plan.normalisation, "reference": list(self.reference), "volumes": values}

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """The number (n,) that each image's volume carries; NaN where it carries none."""
        carried = [math.nan if v.get("value") is None else float(v["value"]) for v in self.volumes]
        return np.array(carried, dtype=np.float64)[self.poses.volumes]

    @cached_property
    def poses(self) -> Poses:
        """Where each image lies (reads the whole index when first asked for)."""
        names = [f"{what}_{axis}" for what in ("centre", "down", "right") for axis in "zyx"]
        table = _columns(self.path / "index.csv", ("volume", *names))
        numbers = np.array([table[n] for n in names], dtype=np.float64).T.reshape(-1, 3, 3)
        return Poses(volumes=np.array(table["volume"], dtype=np.int64), centres=numbers[:, 0], axes=numbers[:, 1:])


def _columns(path: Path, names: tuple[str, ...]) -> dict[str, list[str]]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        places = [header.index(n) for n in names]
        table: dict[str, list[str]] = {n: [] for n in names}
        for row in rows:
            for name, place in zip(names, places, strict=True):
                table[name].append(row[place])
    return table


def build(
    classes: tuple[ClassSource, ...],
    plan: SlicePlan,
    folder: Path,
    *,
    progress: Progress = lambda name, done, total, unit: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> ImageSet:
    """Cut the image set of a plan into `folder`/<hash>, or open it where the same data and plan were cut before.

    progress(phase, done, total, unit) is called often; should_stop() between chunks: where it is true, CuttingStoppedError is
    raised and nothing is left. A set appears at once and whole, whatever happens. Raises InputError for a plan that the data
    do not allow and FileError for data that cannot be read or a folder that cannot be written.
    """
    request = cutting.identify(classes, plan, progress, should_stop)
    target = Path(folder) / request.hash
    if (target / "plan.json").is_file():
        try:
            return ImageSet.open(target)
        except FileError:
            # Damaged, and made of data that are at hand: it is replaced.
            shutil.rmtree(target, ignore_errors=True)
    cutting.cut_all(request, target, progress, should_stop)
    return ImageSet.open(target)
