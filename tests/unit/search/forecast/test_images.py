"""The images that a pilot trains on: found where they were cut, else noise that is as they will be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from small import table

from microtome.search.forecast.images import random_set
from microtome.search.recipe import Recipe, parse
from microtome.slices.imageset import ImageSet
from microtome.training.spec import TrialSpec
from microtome.training.trial import run_trial


def told_numbers(folder: Path) -> Recipe:
    wanted = table(folder, training={"target": "value", "epochs": 1})
    for i, one in enumerate(wanted["class"]):
        one["volumes"] = [{"path": path, "value": float(i)} for path in one["volumes"]]
    return parse(wanted)


def test_noise_has_values_where_numbers_are_told(tmp_path: Path) -> None:
    """And volumes that share them, as the images that are cut later."""
    made = ImageSet.open(random_set(told_numbers(tmp_path / "data"), tmp_path / "noise"))
    assert len(made) == 2 * (60 + 20 + 30)
    for name in ("train", "validation"):
        assert np.ptp(made.values[made.split(name)]) > 0
        assert len(set(made.poses.volumes[made.split(name)])) > 2


@pytest.mark.slow
def test_noise_can_be_trained_on_as_the_images_of_a_number(tmp_path: Path) -> None:
    one = told_numbers(tmp_path / "data")
    made = ImageSet.open(random_set(one, tmp_path / "noise"))
    spec = TrialSpec(
        image_set=str(made.path),
        image_set_hash="",
        network=one.network,
        training=one.training,
        folder=str(tmp_path / "trial"),
        device="cpu",
        threads=1,
    )
    assert run_trial(spec.to_json(), lambda event: None, lambda: "")["epochs"] == 1


@pytest.mark.parametrize(("colour", "channels"), [("auto", 3), ("rgb", 3), ("grey", 1)])
def test_noise_has_the_channels_of_micrographs(tmp_path: Path, colour: str, channels: int) -> None:
    for name in ("red", "blue"):
        (tmp_path / name).mkdir()
        image = np.random.default_rng(1).integers(0, 255, (32, 32, 3)).astype(np.uint8)
        tifffile.imwrite(tmp_path / name / "a.tif", image, photometric="rgb")
    classes = [{"name": name, "images": [str(tmp_path / name)]} for name in ("red", "blue")]
    one = parse({"class": classes, "slices": {"pixels": 16, "train": 5}, "micrographs": {"colour": colour}})
    assert ImageSet.open(random_set(one, tmp_path / "noise")).channels == channels
