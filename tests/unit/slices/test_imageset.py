"""Image sets: found by their hash, whole or not there, independent sets, the same bits for the same seed."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.slices import cutting
from microtome.slices.blocks.split import SETS
from microtome.slices.cutting import CuttingStoppedError
from microtome.slices.imageset import ImageSet, build
from microtome.slices.plan import ClassSource, SlicePlan, VolumeSource
from microtome.slices.planes.cut import cut

PLAN = SlicePlan(field_of_view=12, pixels=12, train=20, validation=7, evaluation=9)


def noise(seed: int = 0, shape: tuple[int, ...] = (40, 41, 42), mean: float = 100) -> NDArray[Any]:
    return np.random.default_rng(seed).normal(mean, 20, shape).clip(0, 255).astype(np.uint8)


def source(folder: Path, name: str, *arrays: NDArray[Any], **options: Any) -> ClassSource:
    folder.mkdir(exist_ok=True)
    files = []
    for k, array in enumerate(arrays):
        np.save(folder / f"{name}{k}.npy", array)
        files.append(VolumeSource(path=str(folder / f"{name}{k}.npy"), **options))
    return ClassSource(name=name, volumes=tuple(files))


@pytest.fixture
def classes(tmp_path: Path) -> tuple[ClassSource, ...]:
    return (source(tmp_path / "data", "A", noise(0)), source(tmp_path / "data", "B", noise(1)))


def test_everything_is_as_the_plan_says(tmp_path: Path, classes: tuple[ClassSource, ...]) -> None:
    seen: list[tuple[str, float, float, str]] = []
    found = build(classes, PLAN, tmp_path / "sets", progress=lambda *step: seen.append(step))
    assert found.path == tmp_path / "sets" / found.hash
    assert found.images.shape == (72, 12, 12)
    assert found.images.dtype == np.float32
    assert found.counts() == {"train": {"A": 20, "B": 20}, "validation": {"A": 7, "B": 7}, "evaluation": {"A": 9, "B": 9}}
    assert sorted(np.concatenate([found.split(s) for s in SETS])) == list(range(72))
    assert [found.classes[k] for k in found.labels[found.split("evaluation")]] == ["A"] * 9 + ["B"] * 9
    assert found.plan == PLAN
    assert (found.pixel_size, found.unit) == (1.0, "voxel")
    assert "share no voxel, and the smallest gap between blocks is 1 voxel." in found.independence
    assert found.warnings == ()
    assert abs(found.images.mean()) < 0.1
    assert {s[0] for s in seen} == {"opening volumes", "cutting slices"}
    assert seen[-1] == ("cutting slices", 72, 72, "images")


def test_the_index_says_where_each_image_lies(tmp_path: Path, classes: tuple[ClassSource, ...]) -> None:
    plan = dataclasses.replace(PLAN, normalisation="none")
    found = build(classes, plan, tmp_path)
    poses = found.poses
    volumes = [np.load(c.volumes[0].path) for c in classes]
    for k in range(len(found)):
        assert poses.volumes[k] == found.labels[k]
        again = cut(volumes[poses.volumes[k]], poses.centres[k : k + 1], poses.axes[k : k + 1], size=12)
        np.testing.assert_allclose(found.images[k], again[0], atol=1e-4)
        block = found.volumes[poses.volumes[k]]["blocks"][SETS[found.sets[k]]]
        assert (poses.centres[k] > block["low"]).all()
        assert (poses.centres[k] < np.array(block["high"]) - 1).all()


def test_the_same_data_and_plan_are_found_again_wherever_the_data_lie(tmp_path: Path, classes: tuple[ClassSource, ...]) -> None:
    first = build(classes, PLAN, tmp_path / "sets")
    stamp = (first.path / "images.npy").stat().st_mtime_ns
    shutil.move(tmp_path / "data", tmp_path / "moved")
    moved = tuple(
        ClassSource(
            name=c.name, volumes=tuple(VolumeSource(path=str(tmp_path / "moved" / Path(v.path).name)) for v in c.volumes)
        )
        for c in classes
    )
    assert build(moved, PLAN, tmp_path / "sets").path == first.path
    assert (first.path / "images.npy").stat().st_mtime_ns == stamp
    elsewhere = build(moved, PLAN, tmp_path / "other")
    assert elsewhere.hash == first.hash
    assert (elsewhere.path / "images.npy").read_bytes() == (first.path / "images.npy").read_bytes()


def test_whatever_changes_the_images_changes_the_hash(tmp_path: Path, classes: tuple[ClassSource, ...]) -> None:
    hashes = {build(classes, PLAN, tmp_path / "sets").hash}
    for change in ({"seed": 1}, {"pixels": 8}, {"normalisation": "slice"}, {"guard": 2.0}, {"train": 21}):
        hashes.add(build(classes, dataclasses.replace(PLAN, **change), tmp_path / "sets").hash)
    hashes.add(build((classes[1], classes[0]), PLAN, tmp_path / "sets").hash)
    renamed = (dataclasses.replace(classes[0], name="C"), classes[1])
    hashes.add(build(renamed, PLAN, tmp_path / "sets").hash)
    source(tmp_path / "data", "A", noise(5))
    hashes.add(build(classes, PLAN, tmp_path / "sets").hash)
    assert len(hashes) == 9


def test_more_images_keep_the_old_ones(tmp_path: Path, classes: tuple[ClassSource, ...]) -> None:
    # Blocks follow the proportions of the sets, so all three grow alike.
    plans = [dataclasses.replace(PLAN, train=20 * k, validation=10 * k, evaluation=10 * k) for k in (1, 2)]
    few, many = (build(classes, p, tmp_path) for p in plans)
    for name, n in (("train", 20), ("validation", 10), ("evaluation", 10)):
        old, new = few.split(name), many.split(name)
        np.testing.assert_array_equal(few.images[old[:n]], many.images[new[:n]])


def test_chunks_do_not_matter(tmp_path: Path, classes: tuple[ClassSource, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = np.array(build(classes, PLAN, tmp_path / "one").images)
    monkeypatch.setattr(cutting, "_CHUNK_BYTES", 4 * 12 * 12 * 3)
    np.testing.assert_array_equal(build(classes, PLAN, tmp_path / "three").images, expected)


def test_three_volumes_are_separated_as_wholes(tmp_path: Path) -> None:
    edge = (12, 30, 12)  # too thin for three blocks of random orientation
    plan = dataclasses.replace(PLAN, orientation="xz")
    many = source(tmp_path / "data", "A", *(noise(k, edge) for k in range(4)))
    found = build((many, source(tmp_path / "data", "B", noise(9))), plan, tmp_path)
    assert "slices of “A” come from different volumes" in found.independence
    mine = found.labels == 0
    used = {s: set(found.poses.volumes[mine & (found.sets == k)]) for k, s in enumerate(SETS)}
    assert [len(v) for v in used.values()] == [2, 1, 1]
    assert len(set().union(*used.values())) == 4


def test_two_volumes_share_the_images(tmp_path: Path) -> None:
    found = build((source(tmp_path / "data", "A", noise(0), noise(1)),), PLAN, tmp_path)
    for k, s in enumerate(SETS):
        counts = np.bincount(found.poses.volumes[found.sets == k])
        assert abs(counts[0] - counts[1]) <= 1, s


def test_physical_fields_of_view_make_one_pixel_size(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(60, dtype=np.float32)[:, None, None], (60, 60, 60))
    coarse = source(tmp_path / "data", "A", ramp.copy(), voxel_size=(10.0, 10.0, 10.0), unit="nm")
    fine = source(tmp_path / "data", "B", np.ascontiguousarray(ramp[::-1]), voxel_size=(5.0, 10.0, 10.0), unit="nm")
    plan = SlicePlan(
        field_of_view=0.12, unit="um", pixels=12, orientation="xz", normalisation="none", train=4, validation=2, evaluation=2
    )
    found = build((coarse, fine), plan, tmp_path)
    assert (found.pixel_size, found.unit) == (0.01, "um")
    steps = np.diff(found.images[:, :, 0], axis=1)
    np.testing.assert_allclose(steps[found.labels == 0], 1, atol=1e-4)
    np.testing.assert_allclose(steps[found.labels == 1], -2, atol=1e-4)


def test_micrographs(tmp_path: Path) -> None:
    for k in range(4):
        tifffile.imwrite(tmp_path / f"i{k}.tif", noise(k, (30, 35)))
    tifffile.imwrite(tmp_path / "single.png.tif", noise(8, (90, 90)))
    by_file = ClassSource(name="A", images=(str(tmp_path / "i*.tif"),))
    by_rectangle = ClassSource(name="B", images=(str(tmp_path / "single.png.tif"),))
    found = build((by_file, by_rectangle), PLAN, tmp_path / "sets")
    assert found.counts()["train"] == {"A": 20, "B": 20}
    assert "“A” come from different micrographs" in found.independence
    assert (found.poses.axes == [[0, 1, 0], [0, 0, 1]]).all()


def test_slices_that_meet_nan_are_drawn_elsewhere(tmp_path: Path) -> None:
    holed = noise(0).astype(np.float32)
    holed[:, :, ::14] = np.nan
    found = build((source(tmp_path / "data", "A", holed),), dataclasses.replace(PLAN, orientation="yz"), tmp_path)
    assert np.isfinite(found.images).all()
    assert any("met NaN or infinite values" in w for w in found.warnings)


@pytest.mark.parametrize(
    ("array", "words"), [(np.nan, "A0.npy holds no numbers"), (1.0, "A0.npy holds NaN .* nearly everywhere")]
)
def test_nothing_but_nan_is_said(tmp_path: Path, array: float, words: str) -> None:
    volume = np.full((40, 40, 40), np.nan, np.float32)
    volume[0, 0, 0] = array
    with pytest.raises(InputError, match=words):
        build((source(tmp_path / "data", "A", volume),), PLAN, tmp_path / "sets")
    assert list((tmp_path / "sets").iterdir()) == []


def test_a_volume_without_contrast_is_allowed_and_said(tmp_path: Path) -> None:
    found = build((source(tmp_path / "data", "A", np.full((40, 40, 40), 9, np.uint8)),), PLAN, tmp_path)
    assert (found.images == 0).all()
    assert any("36 slices show nothing" in w for w in found.warnings)


def test_brightness_that_tells_the_classes_is_said(tmp_path: Path) -> None:
    dark, bright = source(tmp_path / "data", "A", noise(0, mean=80)), source(tmp_path / "data", "B", noise(1, mean=160))
    raw = build((dark, bright), dataclasses.replace(PLAN, normalisation="none"), tmp_path)
    assert any("mean grey value alone tells 100 %" in w for w in raw.warnings)
    assert any("normalisation takes that away" in w for w in build((dark, bright), PLAN, tmp_path).warnings)


def test_the_same_file_twice(tmp_path: Path) -> None:
    twice = source(tmp_path / "data", "A", noise(0), noise(0))
    with pytest.raises(InputError, match=r"A0\.npy and A1\.npy of class “A” hold the same data"):
        build((twice,), PLAN, tmp_path / "sets")
    both = (source(tmp_path / "data", "C", noise(0)), source(tmp_path / "data", "D", noise(0)))
    assert any("cannot be told apart" in w for w in build(both, PLAN, tmp_path / "sets").warnings)


def test_plans_that_the_data_do_not_allow_fail_before_anything_is_cut(tmp_path: Path, classes: tuple[ClassSource, ...]) -> None:
    for change, words in (
        ({"field_of_view": 64.0}, r"A0\.npy \(40 × 41 × 42 voxels\)"),
        ({"unit": "nm"}, r"voxel size of A0\.npy is not known"),
    ):
        with pytest.raises(InputError, match=words):
            build(classes, dataclasses.replace(PLAN, **change), tmp_path / "sets")
    with pytest.raises(InputError, match="no class"):
        build((), PLAN, tmp_path / "sets")
    assert not (tmp_path / "sets").exists()


def test_stopping_leaves_nothing(tmp_path: Path, classes: tuple[ClassSource, ...]) -> None:
    seen: list[str] = []

    def progress(name: str, done: float, total: float, unit: str) -> None:
        seen.append(name)

    with pytest.raises(CuttingStoppedError):
        build(classes, PLAN, tmp_path / "sets", progress=progress, should_stop=lambda: "cutting slices" in seen)
    assert list((tmp_path / "sets").iterdir()) == []


def test_what_a_killed_cut_left_is_removed_and_what_another_cuts_now_is_not(
    tmp_path: Path, classes: tuple[ClassSource, ...]
) -> None:
    dead, alive = tmp_path / f"abc.{2**22 + 1}.part", tmp_path / f"abc.{os.getppid()}.part"
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "images.npy").write_bytes(b"half")
    build(classes, PLAN, tmp_path)
    assert not dead.exists()
    assert alive.exists()


def test_a_damaged_set_is_cut_again(tmp_path: Path, classes: tuple[ClassSource, ...]) -> None:
    found = build(classes, PLAN, tmp_path)
    expected = np.array(found.images)
    (found.path / "images.npy").write_bytes(b"")
    with pytest.raises(FileError, match="damaged"):
        ImageSet.open(found.path)
    np.testing.assert_array_equal(build(classes, PLAN, tmp_path).images, expected)
    (found.path / "plan.json").unlink()
    np.testing.assert_array_equal(build(classes, PLAN, tmp_path).images, expected)


def test_a_folder_that_is_no_image_set(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is not an image set"):
        ImageSet.open(tmp_path)


def test_an_index_that_was_cut_off(tmp_path: Path, classes: tuple[ClassSource, ...]) -> None:
    found = build(classes, PLAN, tmp_path)
    lines = (found.path / "index.csv").read_text().splitlines()
    (found.path / "index.csv").write_text("\n".join(lines[:-3]))
    with pytest.raises(FileError, match="72 images, 69 rows"):
        ImageSet.open(found.path)


def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, classes: tuple[ClassSource, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(chunk: Any, *rest: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cutting, "_write", full)
    with pytest.raises(FileError, match="The disk is full"):
        build(classes, PLAN, tmp_path / "sets")
    assert list((tmp_path / "sets").iterdir()) == []


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, classes: tuple[ClassSource, ...]) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match="Could not write the image set"):
        build(classes, PLAN, tmp_path / "file" / "sets")


def test_an_unknown_set_is_refused(tmp_path: Path, classes: tuple[ClassSource, ...]) -> None:
    with pytest.raises(InputError, match="“test”"):
        build(classes, PLAN, tmp_path).split("test")


def test_grey_statistics_by_class(tmp_path: Path, classes: tuple[ClassSource, ...]) -> None:
    grey = build(classes, PLAN, tmp_path).grey
    assert grey["normalisation"] == "volume"
    assert grey["volumes"]["A"][0]["mean"] == pytest.approx(noise(0).mean())
