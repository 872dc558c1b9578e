"""Tell the classes of volumes and micrographs with a trained network: slices as in training, their mean and their votes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.intervals import wilson
from microtome.results.export import write_csv as write_table
from microtome.slices.blocks.split import Box, draw_pose, whole
from microtome.slices.colour import as_colours, cut_colours, statistics_of
from microtome.slices.drawing import is_empty
from microtome.slices.geometry import Grid, random_axes
from microtome.slices.grey import Grey, grey_of, normalise
from microtome.slices.micrographs.arrange import whole_grid
from microtome.slices.plan import SlicePlan
from microtome.slices.planes.sampler import Sampler
from microtome.slices.planes.voxels import cut_voxels
from microtome.slices.source import grid_of, image_files, without_bar
from microtome.training.card import ModelCard
from microtome.training.regression import residual
from microtome.volumes.images.colours import read_colours
from microtome.volumes.images.image import is_image
from microtome.volumes.read import describe, open_volume
from microtome.volumes.units import VOXEL
from microtome.volumes.volume import Volume

if TYPE_CHECKING:
    from microtome.training.evaluate import Model

Progress = Callable[[str, float, float, str], None]
_CHUNK_BYTES = 64 * 2**20  # of points cut at once


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a network says about one volume or micrograph."""

    path: str
    class_name: str  # of the highest mean probability
    probabilities: dict[str, float]  # means over the slices
    votes: dict[str, int]  # slices whose most probable class it is
    warnings: tuple[str, ...] = ()
    told: tuple[float, float] | None = None  # of a network that tells a number: mean and standard deviation over the slices
    unit: str = ""  # of that number
    learnt: tuple[float, float] | None = None  # from which number to which the network learned
    residual: float | None = None  # how far it was wrong on the validation set, root mean square; None: not known

    @property
    def slices(self) -> int:
        """How many slices were asked about."""
        return sum(self.votes.values())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share of slices that vote for the class, the slices taken as independent."""
        return wilson(self.votes[self.class_name], self.slices)

    def to_json(self) -> dict[str, Any]:
        """The prediction as JSON."""
        if self.told is not None:
            return {
                "path": self.path,
                "value": self.told[0],
                "deviation": self.told[1],
                "residual": self.residual,
                "learnt": None if self.learnt is None else list(self.learnt),
                "unit": self.unit,
                "slices": self.slices,
                "warnings": list(self.warnings),
            }
        return {
            "path": self.path,
            "class": self.class_name,
            "probabilities": self.probabilities,
            "votes": self.votes,
            "slices": self.slices,
            "interval": list(self.interval),
            "warnings": list(self.warnings),
        }

    def sentence(self) -> str:
        """The prediction in words."""
        if self.told is not None:
            mean, deviation = self.told
            unit = f" {self.unit}" if self.unit else ""
            wrong = "" if self.residual is None else f" ± {self.residual:.2g}"
            learnt = "" if self.learnt is None else f"; learnt from {self.learnt[0]:.4g} … {self.learnt[1]:.4g}{unit}"
            spread = f"standard deviation of {self.slices} slices {deviation:.2g}{unit}"
            return f"{self.path}: {mean:.4g}{wrong}{unit} ({spread}{learnt})"
        low, high = self.interval
        return (
            f"{self.path}: {self.class_name}, mean probability {self.probabilities[self.class_name]:.1%}; "
            f"{self.votes[self.class_name]} of {self.slices} slices say so (95 % interval {low:.1%} … {high:.1%})"
        )


def predict_paths(
    model: Path | str,
    paths: Sequence[Path | str],
    *,
    slices: int = 100,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    progress: Progress = lambda name, done, total, unit: None,
) -> list[Prediction]:
    """Ask the network of a model file, trial or run about every volume and image; a folder of images is asked one by one.

    `options` are those of `open_volume`, for every path: what its file does not say, as shape, dtype and voxel size. Raises a
    MicrotomeError naming the path for what cannot be read or is too small for a slice.
    """
    from microtome.training.evaluate import Model

    if slices < 1:
        raise InputError(f"{slices} slices tell nothing.", "Ask for one at least, better for 100.")
    loaded = Model.load(model)
    said = dict(options or {})
    files = [file for path in paths for file in _files(Path(path), said)]
    found = []
    for number, file in enumerate(files):
        progress("predicting", number, len(files), "volumes")
        found.append(predict_volume(loaded, open_volume(file, **said), slices=slices, seed=seed, name=str(file)))
    progress("predicting", len(files), len(files), "volumes")
    return found


def predict_volume(model: Model, volume: Volume, *, slices: int = 100, seed: int = 0, name: str = "") -> Prediction:
    """Ask about a volume by `slices` random slices, or about a single image by its tiles (as many at most).

    Slices have the network's physical field of view where voxel sizes are known; where they are not, or differ, a warning
    says so. An image is asked about as a whole where the network learned from whole images, and without its data bar. Raises
    InputError where no slice fits, or where the volume holds no numbers.
    """
    name = name or volume.source or "the volume"
    card = model.card
    if volume.shape[0] == 1:
        volume = without_bar(_as_seen(card, volume), int(card.micrographs.get("data_bar", 0)), name=name)
    elif card.channels > 1:
        raise InputError(f"{name} is a volume, and the network learned from images in colour.", "Ask it about such images.")
    grey = grey_of(volume, name=name)
    scale = statistics_of(volume, name=name)
    plan, cut = _as_learned(card, volume)
    grid, centres, axes = _poses(card, plan, cut, slices, seed, name)
    reference = tuple(card.grey.get("reference", ()))
    parts: list[NDArray[Any]] = []
    left_out, empty = 0, 0
    size = max(1, _CHUNK_BYTES // (4 * grid.size**2))
    for start in range(0, len(centres), size):
        part = slice(start, start + size)
        images = cut_voxels(volume, grid, centres[part], axes[part])
        good = np.isfinite(images).all(axis=(1, 2))
        left_out += int((~good).sum())
        flat = good & is_empty(images, plan.reject * grey.deviation)
        empty += int(flat.sum())
        kept = start + np.flatnonzero(good & ~flat)
        shown = cut_colours(Sampler(volume, grid), images[good & ~flat], centres[kept], axes[kept])
        seen = normalise(shown, plan.normalisation, scale, reference)
        parts.append(model.tell(seen)[:, None] if card.value else model.predict(seen))
    shares: NDArray[Any] = np.concatenate(parts)
    if len(shares) == 0 and empty:
        raise InputError(
            f"Every slice of {name} is empty, and the network learned from none that are.", "Crop the volume to its specimen."
        )
    if len(shares) == 0:
        raise InputError(f"Every slice of {name} holds NaN.", "Fill the gaps of the volume, or choose another.")
    warnings = [card.voxel_size_warning(volume.voxel_size, volume.unit), _grey_warning(card, grey)]
    if left_out:
        warnings.append(f"{left_out} slices with NaN were left out.")
    if empty:
        warnings.append(f"{empty} empty slices were left out, as in training.")
    if card.value:
        return _told(name, card, shares[:, 0], [w for w in warnings if w])
    return _summary(name, card.classes, shares, tuple(w for w in warnings if w))


def write_csv(rows: Sequence[Prediction], path: Path) -> None:
    """Replace a CSV file: one row a path, with the mean probability and the votes of every class, or the value told."""
    if any(row.told is not None for row in rows):
        found = [[r.path, *(r.told or ("", "")), r.unit, r.slices, _or_empty(r.residual), "; ".join(r.warnings)] for r in rows]
        write_table(path, ["path", "value", "deviation", "unit", "slices", "residual", "warnings"], found)
        return
    classes = list(dict.fromkeys(c for row in rows for c in row.probabilities))
    header = ["path", "class", "slices", "low", "high", *(f"p_{c}" for c in classes), *(f"votes_{c}" for c in classes)]
    table = [
        [r.path, r.class_name, r.slices, *r.interval, *(r.probabilities[c] for c in classes), *(r.votes[c] for c in classes)]
        for r in rows
    ]
    write_table(path, [*header, "warnings"], [[*line, "; ".join(r.warnings)] for line, r in zip(table, rows, strict=True)])


def _or_empty(number: float | None) -> float | str:
    return "" if number is None else number


def _files(path: Path, options: Mapping[str, Any]) -> list[Path]:
    found = describe(path, **options)
    if found.kind in ("volume", "image"):
        return [path]
    if found.kind == "images folder":
        return image_files(str(path))
    raise InputError(
        f"{path} is no volume and no image ({found.kind}).", "Give files, a folder of slices, or a folder of images."
    )


def _as_learned(card: ModelCard, volume: Volume) -> tuple[SlicePlan, Volume]:
    """The plan that cuts slices of the network's field of view, and the volume with the voxel size that is assumed."""
    plan = card.slice_plan
    if card.unit == VOXEL:
        return plan, volume
    if volume.voxel_size is not None:
        return _of_view(plan, card.field_of_view, card.unit), volume
    if card.voxel_size is not None:
        return plan, replace(volume, voxel_size=card.voxel_size, unit=card.voxel_unit)
    # Volumes of several voxel sizes were learned from: one voxel a pixel is the best guess.
    return _of_view(plan, float(card.image_size), VOXEL), volume


def _of_view(plan: SlicePlan, field_of_view: float, unit: str) -> SlicePlan:
    """The plan with another field of view; slabs stay as thick in proportion, as they are given in its unit."""
    thickness = plan.thickness * field_of_view / plan.field_of_view
    return replace(plan, field_of_view=field_of_view, unit=unit, thickness=thickness)


def _poses(
    card: ModelCard, plan: SlicePlan, cut: Volume, slices: int, seed: int, name: str
) -> tuple[Grid, NDArray[np.float64], NDArray[np.float64]]:
    """The grid of the slices, their centres and axes."""
    fit = card.micrographs.get("fit")
    if cut.shape[0] == 1 and fit in ("resize", "stretch"):
        _, height, width = cut.shape
        grid = whole_grid((height, width), card.image_size, stretch=fit == "stretch")
        return grid, np.array([[0.0, (height - 1) / 2, (width - 1) / 2]]), random_axes(np.random.default_rng(seed), 1, "xy")
    grid = grid_of(cut, plan, name=name)
    box = whole(cut.shape, grid, plan, "evaluation", name=name).boxes["evaluation"]
    return grid, *(_tiles if cut.shape[0] == 1 else _random)(box, grid, slices, seed)


def _random(box: Box, grid: Grid, count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    keys = [np.random.SeedSequence(seed, spawn_key=(i,)) for i in range(count)]
    poses = [draw_pose(np.random.default_rng(key), box, grid) for key in keys]
    return np.array([p[0] for p in poses]), np.array([p[1] for p in poses])


def _tiles(box: Box, grid: Grid, most: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tiles side by side over a single image, spread evenly; `most` of them, drawn at random, where there are more."""
    rng = np.random.default_rng(seed)
    axes = random_axes(rng, 1, "xy")
    reach = grid.reach(axes)[0]
    lines = []
    for low, high, half in zip(box.low, box.high, reach, strict=True):
        length = high - 1 - low
        number = 1 if half == 0 else max(1, int((length + 1) // (2 * half + 1)))
        lines.append(np.linspace(low + half, high - 1 - half, number) if number > 1 else np.array([low + length / 2]))
    centres = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 3)
    if len(centres) > most:
        centres = centres[np.sort(rng.choice(len(centres), most, replace=False))]
    return centres, np.repeat(axes, len(centres), axis=0)


def _grey_warning(card: ModelCard, grey: Grey) -> str:
    known = [v for volumes in card.grey.get("volumes", {}).values() for v in volumes]
    if card.slice_plan.normalisation != "none" or not known:
        return ""
    low = min(v["mean"] - v["deviation"] for v in known)
    high = max(v["mean"] + v["deviation"] for v in known)
    if low <= grey.mean <= high:
        return ""
    return f"The mean grey value, {grey.mean:.4g}, is far from those of the training volumes, {low:.4g} … {high:.4g}."


def _as_seen(card: ModelCard, volume: Volume) -> Volume:
    """An image of one plane with its colours where the network learned from such; a grey one has three equal channels."""
    if card.channels == 1:
        return volume
    path = Path(volume.source)
    stored = read_colours(path) if is_image(path) else None
    return replace(volume, colours=as_colours(volume[0]) if stored is None else stored)


def _told(name: str, card: ModelCard, values: NDArray[np.float64], warnings: list[str]) -> Prediction:
    mean = float(values.mean())
    low, high = card.value["low"], card.value["high"]
    if not low <= mean <= high:
        warnings.append(f"The network learned from values of {low:.4g} … {high:.4g}; beyond them it is not to be trusted.")
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    (only,) = card.classes
    return Prediction(
        path=name,
        class_name=only,
        probabilities={},
        votes={only: len(values)},
        warnings=tuple(warnings),
        told=(mean, deviation),
        unit=str(card.value["unit"]),
        learnt=(low, high),
        residual=residual(card.value, len(values)),
    )


def _summary(name: str, classes: tuple[str, ...], shares: NDArray[np.float32], warnings: tuple[str, ...]) -> Prediction:
    means = shares.mean(axis=0, dtype=np.float64)
    votes = np.bincount(shares.argmax(axis=1), minlength=len(classes))
    return Prediction(
        path=name,
        class_name=classes[int(means.argmax())],
        probabilities={c: float(p) for c, p in zip(classes, means, strict=True)},
        votes={c: int(v) for c, v in zip(classes, votes, strict=True)},
        warnings=warnings,
    )
