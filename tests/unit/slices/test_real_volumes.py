"""Real volumes: four materials cut by depth; hand-made features tell them better than chance and not perfectly."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from microtome.slices.imageset import build
from microtome.slices.plan import ClassSource, SlicePlan, VolumeSource
from microtome.training.baseline import baselines

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "qim3d"
FILES = {
    "cement": "cement_128x128x128.tif",
    "bone": "bone_128x128x128.tif",
    "fibers": "fibers_150x150x150.tif",
    "NT": "NT_128x128x128.tif",
}


@pytest.mark.shared
@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is not there")
def test_four_materials_separated_by_depth(tmp_path: Path) -> None:
    classes = tuple(ClassSource(name=n, volumes=(VolumeSource(path=str(FOLDER / f)),)) for n, f in FILES.items())
    plan = SlicePlan(field_of_view=48, pixels=48, split="depth", train=100, validation=20, evaluation=60)
    found = build(classes, plan, tmp_path)
    assert np.isfinite(found.images).all()
    assert found.counts()["evaluation"] == dict.fromkeys(FILES, 60)
    for volume in found.volumes:
        boxes = sorted((volume["blocks"][s] for s in ("train", "validation", "evaluation")), key=lambda b: b["low"][0])
        assert all(b["high"][1:] == volume["shape"][1:] for b in boxes)
        assert all(a["high"][0] < b["low"][0] for a, b in pairwise(boxes))
    for told in baselines(found):
        assert 0.4 < float(np.mean(told.predicted == found.labels[told.images])) < 1.0, told.name
