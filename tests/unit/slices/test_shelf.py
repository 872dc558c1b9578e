"""The shelf of image sets: listed, deleted, cut again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microtome.slices.imageset import build
from microtome.slices.plan import ClassSource, SlicePlan, VolumeSource
from microtome.slices.shelf import delete_set, kept_sets

PLAN = SlicePlan(field_of_view=8, pixels=8, train=9, validation=5, evaluation=4, seed=3, guard=1.0)


def _classes(folder: Path) -> tuple[ClassSource, ...]:
    classes = []
    for label in range(2):
        volumes = []
        for number in range(1):
            path = folder / f"{label}-{number}.npy"
            np.save(path, np.random.default_rng([label, number]).integers(0, 255, (30, 30, 30), dtype=np.uint8))
            volumes.append(VolumeSource(path=str(path)))
        classes.append(ClassSource(name="ab"[label], volumes=tuple(volumes)))
    return tuple(classes)


def test_a_shelf_lists_the_newest_first_and_deletes(tmp_path: Path) -> None:
    classes = _classes(tmp_path)
    folder = tmp_path / "sets"
    assert kept_sets(folder) == []
    first, second = build(classes, PLAN, folder), build(classes[:1], PLAN, folder)
    (folder / "damaged").mkdir()
    (folder / "damaged" / "plan.json").write_text("{}", encoding="utf-8")
    (folder / "no set").mkdir()
    found = {k.hash: k for k in kept_sets(folder)}
    assert set(found) == {first.hash, second.hash, "damaged"}
    assert "damaged" in found["damaged"].problem
    assert (found[first.hash].images, found[first.hash].classes, found[first.hash].plan) == (36, ("a", "b"), PLAN)
    assert found[second.hash].images == 18
    assert found[first.hash].size > 36 * 64 * 4
    delete_set(found["damaged"])
    delete_set(found["damaged"])
    delete_set(found[second.hash])
    assert sorted(p.name for p in folder.iterdir()) == sorted([first.hash, "no set"])
    assert build(classes[:1], PLAN, folder).hash == second.hash, "cut again, it is the same set"
