"""Planned slices lie where the image set's slices lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microtome.slices.blocks.split import SETS
from microtome.slices.imageset import build
from microtome.slices.plan import ClassSource, SlicePlan, VolumeSource
from microtome.slices.planned import planned
from microtome.slices.source import members

PLAN = SlicePlan(field_of_view=8, pixels=8, train=9, validation=5, evaluation=4, seed=3, guard=1.0)


def _classes(folder: Path, count: int) -> tuple[ClassSource, ...]:
    classes = []
    for label in range(2):
        volumes = []
        for number in range(count):
            path = folder / f"{label}-{number}.npy"
            np.save(path, np.random.default_rng([label, number]).integers(0, 255, (30, 30, 30), dtype=np.uint8))
            volumes.append(VolumeSource(path=str(path)))
        classes.append(ClassSource(name="ab"[label], volumes=tuple(volumes)))
    return tuple(classes)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_poses_are_those_of_the_image_set(tmp_path: Path, count: int) -> None:
    classes = _classes(tmp_path, count)
    made = build(classes, PLAN, tmp_path / "sets")
    for label, source in enumerate(classes):
        for number, member in enumerate(members(source)):
            found = planned(member.open(), PLAN, label=label, number=number, volumes=count, name=member.name)
            places = [
                v for v, record in enumerate(made.volumes) if record["class"] == source.name and record["name"] == member.name
            ]
            mine = np.isin(made.poses.volumes, places)
            assert mine.sum() == sum(found.counts.values())
            for k in range(len(SETS)):
                np.testing.assert_allclose(
                    found.centres[found.sets == k], made.poses.centres[mine & (made.sets == k)], atol=1e-9
                )
                np.testing.assert_allclose(found.axes[found.sets == k], made.poses.axes[mine & (made.sets == k)], atol=1e-9)
    few = planned(members(classes[0])[0].open(), PLAN, label=0, number=0, volumes=count, name="v", most=2)
    assert all((few.sets == k).sum() <= 2 for k in range(3))
