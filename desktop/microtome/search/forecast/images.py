"""The images that a pilot trains on: those of the recipe where they were cut, else random ones as large and as many."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microtome.errors import MicrotomeError
from microtome.search.forecast.promise import ASKED
from microtome.search.recipe import Recipe
from microtome.slices.blocks.split import counts_of
from microtome.slices.cutting import VERSION as SET_VERSION
from microtome.slices.micrographs.flat import image_files
from microtome.slices.plan import ClassSource
from microtome.store.atomic import read_json, write_json, write_text
from microtome.volumes.images.colours import is_coloured

MOST = 500  # random images a class and set: the speed does not depend on their number
_VOLUMES = 8  # that random images of a regression are said to be of
_POSES = [f"{what}_{axis}" for what in ("centre", "down", "right") for axis in "zyx"]


def cut_set(recipe: Recipe, folder: Path) -> Path | None:
    """The image set of a recipe's plan and classes, if it was cut, without looking at the volumes' voxels."""
    classes, plan = recipe.cut
    wanted, names = plan.to_json(), [c.name for c in classes]
    for file in sorted(folder.glob("*/plan.json"), key=lambda p: -p.stat().st_mtime):
        try:
            data = read_json(file)
        except MicrotomeError:
            continue
        if data.get("plan") == wanted and list(data.get("classes", ())) == names:
            return file.parent
    return None


def random_set(recipe: Recipe, folder: Path) -> Path:
    """An image set of noise, of as many pixels and channels an image as the recipe's, and of values where it has them."""
    classes, plan = recipe.cut
    names, values = [c.name for c in classes], recipe.training.target == "value"
    rows = [(s, c) for s, n in counts_of(plan).items() for c in names for _ in range(min(n, MOST))]
    channels = channels_of(classes)
    shape = (plan.pixels, plan.pixels) if channels == 1 else (channels, plan.pixels, plan.pixels)
    folder.mkdir(parents=True)
    images = np.random.default_rng(0).standard_normal((len(rows), *shape), dtype=np.float32)
    np.save(folder / "images.npy", images)
    lines = [f'{s},"{c}",{i % _VOLUMES}{",0" * len(_POSES)}\n' for i, (s, c) in enumerate(rows)]
    write_text(folder / "index.csv", f"set,class,volume,{','.join(_POSES)}\n" + "".join(lines))
    volumes = [
        {"name": f"noise {i}", "class": names[0], "value": float(i), "dtype": "uint8", "grey": {}}
        for i in range(_VOLUMES if values else 0)
    ]
    told = {"hash": "pilot", "plan": plan.to_json(), "classes": names, "volumes": volumes, "pixel_size": 1.0, "unit": "voxel"}
    write_json(folder / "plan.json", {**told, "warnings": [], "independence": ""}, SET_VERSION)
    return folder


def images_of(recipe: Recipe, most: int | None) -> float:
    """Images of an epoch as they cost, of a set with at most so many a class."""
    classes, plan = recipe.cut
    train, validation = (n if most is None else min(n, most) for n in (plan.train, plan.validation))
    return len(classes) * (train + validation * ASKED)


def channels_of(classes: tuple[ClassSource, ...]) -> int:
    """1, or 3 in colour; of "auto" by the first image of each class: cutting looks at all of them."""
    wanted = classes[0].micrographs.colour if classes else "grey"
    if wanted == "grey" or not all(c.images and not (c.volumes or c.simulated) for c in classes):
        return 1
    if wanted == "rgb":
        return 3
    return 3 if 2 * sum(is_coloured(image_files(c.images[0])[0]) for c in classes) > len(classes) else 1
