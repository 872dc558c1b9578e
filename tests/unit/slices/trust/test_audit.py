"""What the audit says: independence with its gap, units, shortcuts by geometry and by brightness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microtome.slices.blocks.split import SETS
from microtome.slices.plan import SlicePlan
from microtome.slices.trust import audit

SIZE = (10.0, 10.0, 10.0)


def record(name: str = "a.tif", label: str = "A", **values: Any) -> dict[str, Any]:
    data = {
        "name": name,
        "class": label,
        "shape": [100, 100, 100],
        "voxel_size": SIZE,
        "unit": "nm",
        "spacing": [1.0, 1.0, 1.0],
        "admissible": dict.fromkeys(SETS, 1.0),
        "gap": 2,
    }
    return {**data, **values}


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ([record()], (10.0, "nm")),
        ([record(voxel_size=None, unit="voxel")], (1.0, "voxel")),
        ([record(), record(voxel_size=(5.0, 5.0, 5.0))], (1.0, "voxel")),
        ([record(voxel_size=(20.0, 5.0, 5.0))], (1.0, "voxel")),
        ([record(voxel_size=(1.0, 5.0, 5.0), shape=[1, 100, 100])], (5.0, "nm")),
    ],
)
def test_pixel_size_is_a_length_where_it_is_one(volumes: list[Any], expected: tuple[float, str]) -> None:
    assert audit.pixel_size(SlicePlan(), volumes) == expected


def test_pixel_size_of_a_physical_plan() -> None:
    assert audit.pixel_size(SlicePlan(field_of_view=3.2, unit="um", pixels=64), [record()]) == (pytest.approx(0.05), "um")


def test_independence_names_the_smallest_gap() -> None:
    text = audit.independence([record(gap=3), record(gap=2, voxel_size=(40.0, 4.0, 4.0))])
    assert text.endswith("they share no voxel, and the smallest gap between blocks is 2 voxels (8 nm).")
    assert audit.independence([record(gap=1, voxel_size=None, unit="voxel")]).endswith("is 1 voxel.")


def test_independence_of_whole_volumes_and_of_a_mixture() -> None:
    assert audit.independence([record(gap=None)]) == (
        "Training, validation and evaluation slices of every class come from different volumes."
    )
    mixed = [record(gap=3), record(gap=None, shape=[1, 100, 100]) | {"class": "b"}]
    assert "come from different micrographs" in audit.independence(mixed)
    assert audit.independence([record(gap=None, shape=[1, 100, 100])]) == (
        "Training, validation and evaluation images of every class come from different micrographs."
    )
    mixed = audit.independence([record(gap=None), record(label="B")])
    assert "of “A” come from different volumes" in mixed
    assert "of “B” come from separate blocks" in mixed


def test_lost_orientations_are_said_once_for_all() -> None:
    volumes = [record(f"{i}.tif", admissible={"train": 0.5, "validation": 0.25, "evaluation": 0.034}) for i in range(8)]
    (text,) = audit.warnings(SlicePlan(), ["A"], volumes)
    assert "0.tif 50 % / 25 % / 3.4 %" in text
    assert "and 2 more" in text


def test_different_directions_are_a_shortcut() -> None:
    other = record("b.tif", "B", admissible=dict.fromkeys(SETS, 0.3))
    assert any("different directions" in w for w in audit.warnings(SlicePlan(), ["A", "B"], [record(), other]))


def test_magnification_and_distortion_in_voxels() -> None:
    found = audit.warnings(SlicePlan(), ["A"], [record(), record("b.tif", voxel_size=(20.0, 5.0, 5.0))])
    assert any("magnification differs" in w for w in found)
    assert any("voxels of b.tif are no cubes" in w for w in found)
    assert audit.warnings(SlicePlan(), ["A"], [record(), record()]) == []


def test_sharpness_in_lengths() -> None:
    plan = SlicePlan(field_of_view=640, unit="nm")
    found = audit.warnings(plan, ["A"], [record(), record(voxel_size=(20.0, 20.0, 20.0))])
    assert any("from 10 to 20 nm" in w for w in found)
    assert audit.warnings(plan, ["A"], [record(), record()]) == []


def test_empty_magnification() -> None:
    assert any("0.25 of a voxel" in w for w in audit.warnings(SlicePlan(), ["A"], [record(spacing=[0.25] * 3)]))


def test_data_in_two_classes() -> None:
    (text,) = audit.same_data(["A", "B"], [["x", "y"], ["y"]], [["a.tif", "b.tif"], ["c.tif"]])
    assert text.startswith("c.tif is in “A” and in “B”")


def grey_means(apart: float, seed: int = 0) -> tuple[list[int], list[int], Any]:
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], 300)
    sets = np.repeat([0, 1, 2], 200)
    return sets.tolist(), labels.tolist(), rng.normal(labels * apart, 1.0)


@pytest.mark.parametrize(
    ("plan", "raw", "kept", "words"),
    [
        ("none", 6.0, 6.0, ""),
        ("none", 1.0, 1.0, ""),
        ("volume", 6.0, 6.0, ""),
        ("volume", 6.0, 0.0, "normalisation takes that away"),
        ("volume", 0.0, 0.0, ""),
        ("slice", 6.0, 0.0, ""),
    ],
)
def test_brightness(plan: str, raw: float, kept: float, words: str) -> None:
    sets, labels, before = grey_means(raw)
    after = grey_means(kept)[2]
    found = audit.brightness(SlicePlan(normalisation=plan), ["A", "B"], sets, labels, list(zip(before, after, strict=True)))
    assert len(found) == bool(words)
    assert words in "".join(found)


def test_chance_is_chance() -> None:
    sets, labels, values = grey_means(0.0)
    assert audit.told_by(values, np.array(labels), np.array(sets)) == pytest.approx(0.5, abs=0.15)


def test_the_correlation_is_told_with_the_guard_band() -> None:
    far = {"correlation": {"length": [3.0, 2.0, 2.0], "decay": [6.0, 4.0, 4.5], "bounded": True}, "guard": (6, 4, 5)}
    text = audit.independence([record(**far), record("b.tif", correlation=None)])
    assert "a.tif falls below a tenth within 6 / 4 / 4.5 (z / y / x; 60 / 40 / 45 nm) voxels" in text
    assert text.endswith("the guard band there is 6 / 4 / 5.")
    open_end = {**far, "correlation": {**far["correlation"], "bounded": False}}
    assert "at least 6" in audit.independence([record(**open_end, voxel_size=None, unit="voxel")])


def test_rejected_slices_are_counted() -> None:
    (text,) = audit.rejected({"a.tif": 5}, {"a.tif": 95, "b.tif": 100})
    assert text.startswith("a.tif: 5 of 100 slices drawn were empty")


def test_what_is_lost_says_which_and_what_helps() -> None:
    volume = record(
        admissible={"train": 0.5, "validation": 0.4, "evaluation": 0.6},
        by_normal={"train": (0.9, 0.3, 0.3), "validation": (0.8, 0.2, 0.3), "evaluation": (0.9, 0.5, 0.4)},
        keeps_all=0.72,
    )
    text = next(w for w in audit.warnings(SlicePlan(), ["A"], [volume]) if "never cut" in w)
    assert "across y (20 %" in text
    assert "72 % of it keeps all" in text
