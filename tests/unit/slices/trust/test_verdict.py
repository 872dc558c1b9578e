"""Planted leaks and shortcuts are found in whole image sets; sets without any are called independent."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from microtome.slices.blocks.split import SETS
from microtome.slices.grey import Grey
from microtome.slices.imageset import ImageSet, build
from microtome.slices.plan import ClassSource, SimulatedSource, SlicePlan, VolumeSource
from microtome.slices.trust.preview import preview_trust
from microtome.slices.trust.verdict import Cut, leak_meter
from microtome.volumes.volume import Volume

PLAN = SlicePlan(field_of_view=12, pixels=12, train=60, validation=40, evaluation=40)


def structure(seed: int, shape: tuple[int, int, int] = (56, 56, 56), mean: float = 100) -> NDArray[np.float32]:
    field = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.0, mode="wrap")
    return (mean + 10 * field / field.std()).astype(np.float32)


def source(folder: Path, name: str, *arrays: NDArray[Any]) -> ClassSource:
    folder.mkdir(exist_ok=True)
    files = [folder / f"{name}{k}.npy" for k in range(len(arrays))]
    for file, array in zip(files, arrays, strict=True):
        np.save(file, array)
    return ClassSource(name=name, volumes=tuple(VolumeSource(path=str(f)) for f in files))


def test_blocks_behind_their_guard_band_are_independent(tmp_path: Path) -> None:
    found = build((source(tmp_path / "d", "A", structure(0)), source(tmp_path / "d", "B", structure(1))), PLAN, tmp_path)
    assert found.leak["verdict"] == "independent"
    assert found.leak["shared"]["share"] == 0
    for volume in found.volumes:
        # exp(−r²/4) of the field that was made: 1/e at 2 voxels, a tenth at 3.
        assert volume["guard"] == volume["wanted"] == list(np.ceil(volume["correlation"]["decay"]))
        assert volume["correlation"]["length"] == pytest.approx([2, 2, 2], abs=0.4)
        assert volume["gap"] >= min(volume["guard"])
    assert found.leak["distance"]["length"] >= min(v["gap"] for v in found.volumes) + 1
    assert found.leak["distance"]["unit"] == "voxel"
    assert "Planes of different sets come no nearer than" in found.leak["why"][0]
    assert "falls below a tenth within" in found.independence
    assert {s["cue"] for s in found.shortcuts} == {"mean", "deviation", "histogram"}
    again = ImageSet.open(found.path)
    assert (again.leak, again.shortcuts) == (found.leak, found.shortcuts)


def test_a_guard_band_that_is_too_narrow_is_doubtful(tmp_path: Path) -> None:
    smooth = gaussian_filter(np.random.default_rng(0).normal(size=(56, 56, 56)), 4.0).astype(np.float32)
    found = build((source(tmp_path / "d", "A", smooth),), dataclasses.replace(PLAN, guard=1), tmp_path)
    assert found.leak["verdict"] == "doubtful"
    assert "guard band is narrower" in found.leak["why"][0]
    assert any("doubtful" in w for w in found.warnings)


@pytest.mark.parametrize("crop", [(slice(8, None), slice(None), slice(6, None)), (slice(None),) * 3])
def test_one_volume_under_two_names_leaks(tmp_path: Path, crop: tuple[slice, ...]) -> None:
    whole = structure(0)
    copy = np.ascontiguousarray(0.5 * whole[crop] + 7)
    found = build((source(tmp_path / "d", "A", whole), source(tmp_path / "d", "B", copy)), PLAN, tmp_path)
    (twin,) = found.leak["copies"]
    assert (twin["first"], twin["second"]) == ("A0.npy", "B0.npy")
    assert found.leak["verdict"] in ("leaking", "doubtful")
    assert any("hold the same data" in w for w in found.warnings)
    if crop[0].start:
        assert found.leak["verdict"] == "leaking", "blocks of different sets meet in the copy"
        assert twin["sets"]


def test_a_copy_among_whole_volumes_leaks(tmp_path: Path) -> None:
    arrays = [structure(k, (30, 30, 30)) for k in range(2)]
    arrays += [2 * arrays[0], 3 * arrays[1]]
    found = build((source(tmp_path / "d", "A", *arrays),), PLAN, tmp_path)
    serving = {v["name"]: next(iter(v["blocks"])) for v in found.volumes}
    pairs = [("A0.npy", "A2.npy"), ("A1.npy", "A3.npy")]
    crossing = [p for p in pairs if serving[p[0]] != serving[p[1]]]
    assert crossing
    assert [(c["first"], c["second"]) for c in found.leak["copies"] if c["leaks"]] == crossing
    assert found.leak["verdict"] == "leaking"
    clean = build((source(tmp_path / "d", "B", *(structure(k, (30, 30, 30)) for k in range(4))),), PLAN, tmp_path)
    assert clean.leak["verdict"] == "independent"
    assert clean.leak["distance"] is None


def test_overlapping_blocks_leak() -> None:
    rng = np.random.default_rng(0)
    n = 60
    plan = SlicePlan(field_of_view=8, pixels=8)
    axes = np.repeat(np.eye(3)[None, 1:], n, axis=0)
    cut = Cut(
        images=rng.normal(size=(n, 8, 8)).astype(np.float32),
        labels=np.zeros(n, dtype=np.int64),
        sets=np.arange(n) % 3,
        volumes=np.zeros(n, dtype=np.int64),
        centres=rng.uniform(8, 22, (n, 3)),
        axes=axes,
    )
    box = {"low": [0, 0, 0], "high": [30, 30, 30]}
    record = {"name": "a.tif", "class": "A", "shape": [30, 30, 30], "spacing": [1.0, 1.0, 1.0]}
    record |= {"blocks": dict.fromkeys(SETS, box), "guard": None}
    found = leak_meter(plan, [record], cut, [None])
    assert found.verdict == "leaking"
    assert found.shared is not None
    assert found.shared["share"] > 0.05
    assert "touched by two sets" in found.words()


def test_one_class_two_percent_brighter_is_said_before_training(tmp_path: Path) -> None:
    shape = (60, 60, 60)
    classes = (source(tmp_path / "d", "A", structure(0, shape)), source(tmp_path / "d", "B", structure(1, shape, mean=102)))
    plan = SlicePlan(field_of_view=20, pixels=20, train=150, validation=100, evaluation=5, normalisation="none")
    raw = build(classes, plan, tmp_path)
    (mean,) = (s for s in raw.shortcuts if s["cue"] == "mean")
    assert mean["strength"] in ("clear", "strong")
    assert mean["accuracy"] > 0.65
    assert any("mean grey value alone tells" in w and "normalisation by slice" in w for w in raw.warnings)
    sliced = build(classes, dataclasses.replace(plan, normalisation="slice"), tmp_path)
    assert next(s for s in sliced.shortcuts if s["cue"] == "mean")["strength"] == "none"


def test_empty_slices_are_rejected_and_counted(tmp_path: Path) -> None:
    holed = structure(0, (60, 60, 60))
    holed[:, ::, :30] = 100
    classes = (source(tmp_path / "d", "A", holed),)
    kept = build(classes, PLAN, tmp_path)
    some = build(classes, dataclasses.replace(PLAN, reject=0.3), tmp_path)
    assert kept.rejected == {}
    assert some.rejected["A0.npy"] > 0
    deviation = some.volumes[0]["grey"]["deviation"]
    assert (some.images.std(axis=(1, 2)) > 0.29).all(), deviation
    assert any(f"{some.rejected['A0.npy']} of" in w and "empty and left out" in w for w in some.warnings)


def test_histograms_are_matched_to_the_training_volumes(tmp_path: Path) -> None:
    classes = (source(tmp_path / "d", "A", structure(0)), source(tmp_path / "d", "B", 3 * structure(1) + 500))
    found = build(classes, dataclasses.replace(PLAN, normalisation="histogram"), tmp_path)
    greys = [Grey(**{**v["grey"], "quantiles": tuple(v["grey"]["quantiles"])}) for v in found.volumes]
    np.testing.assert_allclose(found.reference, (np.array(greys[0].quantiles) + np.array(greys[1].quantiles)) / 2)
    assert found.grey["reference"] == list(found.reference)
    means = [found.images[found.labels == k].mean() for k in range(2)]
    assert abs(means[0] - means[1]) < 0.3


def test_the_preview_finds_what_the_set_would(tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, normalisation="none")
    whole = structure(0)
    volumes = {"A": [Volume.from_array(whole)], "B": [Volume.from_array(0.5 * whole[8:, :, 6:] + 7)]}
    found = preview_trust(volumes, plan)
    assert found.leak.verdict == "leaking"
    assert found.shortcuts[0]["strength"] == "strong"
    assert found.warnings
    assert preview_trust(volumes, plan) == found
    json.dumps(found.leak.to_json())
    three = {"A": [Volume.from_array(structure(k, (30, 30, 30))) for k in range(3)]}
    assert preview_trust(three, plan).leak.verdict == "independent"


def test_simulated_structures_are_not_compared(tmp_path: Path) -> None:
    boxes = tuple(SimulatedSource(kind="rnd", seed=s, parameters={"edge": 150.0}) for s in range(3))
    found = build((ClassSource(name="A", simulated=boxes),), dataclasses.replace(PLAN, field_of_view=40, unit="nm"), tmp_path)
    assert found.leak["verdict"] == "independent"
    assert found.leak["copies"] == []


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), pixels=st.integers(8, 16), guard=st.sampled_from([-1.0, 0.0, 3.0]))
def test_the_same_seed_gives_the_same_sets(
    tmp_path_factory: pytest.TempPathFactory, seed: int, pixels: int, guard: float
) -> None:
    folder = tmp_path_factory.mktemp("seed")
    classes = (source(folder / "d", "A", structure(0, (40, 44, 48))),)
    plan = SlicePlan(field_of_view=12, pixels=pixels, seed=seed, guard=guard, train=9, validation=6, evaluation=6)
    one, two = (build(classes, plan, folder / name) for name in ("one", "two"))
    assert one.hash == two.hash
    assert (one.path / "images.npy").read_bytes() == (two.path / "images.npy").read_bytes()
    assert one.leak == two.leak
    assert one.leak["shared"]["both"] == 0
    assert one.leak["distance"]["length"] >= max(guard, 0) + 1 - 1e-9
