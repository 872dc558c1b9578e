"""Exports: whole or not there, read back to the same pixels by our own readers, calibrated, said in words."""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr

from microtome.errors import FileError, InputError, UnknownNameError
from microtome.slices.blocks.split import SETS
from microtome.slices.export import folder as folders
from microtome.slices.export.folder import DEPTHS, Exported, ExportStoppedError, export_set, volume_names
from microtome.slices.imageset import ImageSet, build
from microtome.slices.plan import ClassSource, SlicePlan, VolumeSource
from microtome.volumes.images.image import read_image
from microtome.volumes.read import open_volume

PLAN = SlicePlan(field_of_view=48, unit="nm", pixels=12, train=20, validation=7, evaluation=9, guard=1.0)


def made(folder: Path, plan: SlicePlan = PLAN, names: tuple[str, str] = ("A", "B/β: x")) -> ImageSet:
    folder.mkdir(parents=True, exist_ok=True)
    classes = []
    for k, name in enumerate(names):
        voxels = np.random.default_rng(k).normal(100, 20, (40, 41, 42)).clip(0, 255).astype(np.uint8)
        np.save(folder / f"{k}.npy", voxels)
        size: dict[str, Any] = {"voxel_size": (4.0, 4.0, 4.0), "unit": "nm"} if plan.unit != "voxel" else {}
        classes.append(ClassSource(name=name, volumes=(VolumeSource(path=str(folder / f"{k}.npy"), **size),)))
    return build(tuple(classes), plan, folder / "sets")


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return made(tmp_path_factory.mktemp("set"))


def rows_of(folder: Path) -> list[dict[str, str]]:
    with open(folder / "index.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_tiff_reads_back_to_the_same_bits(tmp_path: Path, image_set: ImageSet) -> None:
    seen: list[tuple[str, float, float, str]] = []
    done = export_set(image_set, tmp_path / "out", progress=lambda *step: seen.append(step))
    assert done == Exported(path=tmp_path / "out", format="tiff", depth="float32", images=len(image_set), low=0.0, step=1.0)
    rows = rows_of(tmp_path / "out")
    poses = image_set.poses
    assert len(rows) == len(image_set)
    for i, row in enumerate(rows):
        assert row["class"] == image_set.classes[image_set.labels[i]]
        assert row["set"] == SETS[image_set.sets[i]] == row["file"].split("/")[0]
        assert row["volume"] == f"{image_set.labels[i]}.npy"
        assert (float(row["pixel_size"]), row["unit"]) == (4.0, "nm")
        assert [float(row[f"centre_{a}"]) for a in "zyx"] == poses.centres[i].tolist()
        np.testing.assert_array_equal(read_image(tmp_path / "out" / row["file"])[0], image_set.images[i])
    files = list((tmp_path / "out").rglob("*.tif"))
    assert len(files) == len(rows)
    assert {p.parent.name for p in files} == {"A", "B_β_ x"}
    assert seen[-1] == ("exporting images", 72, 72, "images")


def test_tiff_is_calibrated_and_says_where_it_lies(tmp_path: Path, image_set: ImageSet) -> None:
    export_set(image_set, tmp_path / "out", depth="uint16")
    row = rows_of(tmp_path / "out")[40]
    file = tmp_path / "out" / row["file"]
    volume = open_volume(file)
    assert volume.unit == "nm"
    assert volume.voxel_size is not None
    assert volume.voxel_size[1:] == pytest.approx((4.0, 4.0))
    with tifffile.TiffFile(file) as tiff:
        words = tiff.imagej_metadata
    assert words is not None
    assert words["unit"] == "nm"
    assert f"class = {row['class']}\n" in words["Info"]
    assert f"centre_z = {row['centre_z']}\n" in words["Info"]
    assert words["cf"] == 0
    said = json.loads((tmp_path / "out" / "export.json").read_text(encoding="utf-8"))
    assert (words["c0"], words["c1"]) == (said["grey_low"], said["grey_step"])


@pytest.mark.parametrize(("format", "depth"), [("tiff", "uint16"), ("tiff", "uint8"), ("png", ""), ("png", "uint8")])
def test_whole_numbers_come_back_within_half_a_step(tmp_path: Path, image_set: ImageSet, format: str, depth: str) -> None:
    done = export_set(image_set, tmp_path / "out", format=format, depth=depth)
    assert done.depth == (depth or "uint16")
    lowest, highest = np.inf, -np.inf
    for i, row in enumerate(rows_of(tmp_path / "out")):
        stored, _ = read_image(tmp_path / "out" / row["file"])
        assert stored.dtype == done.depth
        lowest, highest = min(lowest, stored.min()), max(highest, stored.max())
        np.testing.assert_allclose(done.low + done.step * stored.astype(float), image_set.images[i], atol=0.5001 * done.step)
    assert (lowest, highest) == (0, np.iinfo(done.depth).max)
    assert repr(done.step) in (tmp_path / "out" / "README.txt").read_text(encoding="utf-8")


def test_png_says_its_pixel_size_and_its_place(tmp_path: Path, image_set: ImageSet) -> None:
    export_set(image_set, tmp_path / "out", format="png")
    row = rows_of(tmp_path / "out")[30]
    volume = open_volume(tmp_path / "out" / row["file"])
    assert volume.voxel_size is not None
    assert volume.voxel_size[2] == pytest.approx(4.0)
    data = (tmp_path / "out" / row["file"]).read_bytes()
    assert f"class = {row['class']}\n".encode() in data
    assert imagecodecs.png_decode(data).shape == (12, 12)


def test_values_that_are_whole_stay_as_they_are(tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, normalisation="none", orientation="xy", field_of_view=4.0 * 12)
    image_set = made(tmp_path / "data", plan)
    whole = bool((image_set.images == np.rint(image_set.images)).all())
    done = export_set(image_set, tmp_path / "out", depth="uint8")
    assert ((done.low, done.step) == (0.0, 1.0)) == whole
    # Slices in the plane of the voxels and as fine as they are, but between them: only rounded positions are whole.
    labels = np.rint(np.asarray(image_set.images))
    changed = dataclasses.replace(image_set, images=labels)
    done = export_set(changed, tmp_path / "whole", depth="uint8")
    assert (done.low, done.step) == (0.0, 1.0)
    row = rows_of(tmp_path / "whole")[5]
    np.testing.assert_array_equal(read_image(tmp_path / "whole" / row["file"])[0], labels[5])


def test_constant_images_do_not_divide_by_nothing(tmp_path: Path, image_set: ImageSet) -> None:
    flat = dataclasses.replace(image_set, images=np.full_like(image_set.images, -2.5))
    done = export_set(flat, tmp_path / "out", depth="uint8")
    assert (done.low, done.step) == (-2.5, 1.0)


@pytest.mark.parametrize("depth", DEPTHS)
def test_arrays_hold_everything(tmp_path: Path, image_set: ImageSet, depth: str) -> None:
    done = export_set(image_set, tmp_path / "npz", format="npz", depth=depth)
    export_set(image_set, tmp_path / "zarr", format="zarr", depth=depth)
    root: Any = zarr.open_group(str(tmp_path / "zarr" / "images.zarr"), mode="r")
    assert root.metadata.zarr_format == 3
    with np.load(tmp_path / "npz" / "images.npz", allow_pickle=False) as archive:
        assert archive["images"].dtype == depth
        back = done.low + done.step * archive["images"].astype(np.float64)
        np.testing.assert_allclose(back, image_set.images, atol=0.5001 * done.step if depth != "float32" else 0)
        np.testing.assert_array_equal(root["images"][:], archive["images"])
        for name, want in (("label", image_set.labels), ("set", image_set.sets), ("volume", image_set.poses.volumes)):
            np.testing.assert_array_equal(archive[name], want)
            np.testing.assert_array_equal(root[name][:], want)
        assert tuple(archive["classes"]) == tuple(root.attrs["classes"]) == image_set.classes
        np.testing.assert_array_equal(archive["centre_y"], image_set.poses.centres[:, 1])
        np.testing.assert_array_equal(root["right_x"][:], image_set.poses.axes[:, 1, 2])
        assert float(archive["pixel_edge"]) == 4.0
    assert root.attrs["grey_step"] == done.step
    assert root["images"].attrs["pixel_size"] == [4.0, 4.0]


@pytest.mark.parametrize("format", ["npz", "zarr"])
def test_our_readers_open_the_arrays(tmp_path: Path, image_set: ImageSet, format: str) -> None:
    export_set(image_set, tmp_path / "out", format=format)
    volume = open_volume(tmp_path / "out" / f"images.{format}")
    np.testing.assert_array_equal(volume.as_array(), image_set.images)


def test_zarr_of_zeros_is_whole(tmp_path: Path, image_set: ImageSet) -> None:
    zeros = dataclasses.replace(image_set, images=np.zeros_like(image_set.images))
    export_set(zeros, tmp_path / "out", format="zarr")
    assert open_volume(tmp_path / "out" / "images.zarr").findings == ()


def test_folders_of_an_export_are_classes_again(tmp_path: Path, image_set: ImageSet) -> None:
    export_set(image_set, tmp_path / "out")
    classes = tuple(
        ClassSource(name=c, images=(str(tmp_path / "out" / "train" / folder),))
        for c, folder in zip(image_set.classes, ("A", "B_β_ x"), strict=True)
    )
    plan = SlicePlan(field_of_view=12, pixels=12, train=4, validation=2, evaluation=2, normalisation="none")
    again = build(classes, plan, tmp_path / "sets")
    assert (again.pixel_size, again.unit) == (4.0, "nm")
    originals = {image_set.images[i].tobytes() for i in image_set.split("train")}
    assert {np.asarray(image).tobytes() for image in again.images} <= originals


def test_voxels_have_no_length(tmp_path: Path) -> None:
    image_set = made(tmp_path / "data", dataclasses.replace(PLAN, unit="voxel", field_of_view=12))
    for kind in ("tiff", "png"):
        export_set(image_set, tmp_path / kind, format=kind)
        row = rows_of(tmp_path / kind)[0]
        assert row["unit"] == "voxel"
        assert open_volume(tmp_path / kind / row["file"]).voxel_size is None
    assert "no length is known" in (tmp_path / "tiff" / "README.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("format", ["tiff", "png", "npz", "zarr"])
def test_stopping_leaves_nothing(tmp_path: Path, image_set: ImageSet, format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_BATCH", 8)
    seen: list[str] = []
    with pytest.raises(ExportStoppedError):
        export_set(
            image_set,
            tmp_path / "out",
            format=format,
            progress=lambda name, *_: seen.append(name),
            should_stop=lambda: len(seen) > 2 or format in ("npz", "zarr"),
        )
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_and_nothing_left(tmp_path: Path, image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folders, "tiff_bytes", full)
    with pytest.raises(FileError, match="disk is full"):
        export_set(image_set, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small_is_said_before(tmp_path: Path, image_set: ImageSet) -> None:
    huge = dataclasses.replace(image_set, images=np.broadcast_to(np.float32(0), (2**24, 2**14, 2**14)))
    with pytest.raises(FileError, match="MB are free"):
        export_set(huge, tmp_path / "out", format="zarr")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "tif"}, "no format “tif”. Did you mean “tiff”"),
        ({"depth": "uint32"}, "no depth"),
        ({"format": "png", "depth": "float32"}, "whole numbers only"),
    ],
)
def test_wrong_wishes_are_sentences(tmp_path: Path, image_set: ImageSet, options: dict[str, str], words: str) -> None:
    with pytest.raises((UnknownNameError, InputError), match=words):
        export_set(image_set, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path, image_set: ImageSet) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("1")
    with pytest.raises(InputError, match="is there already"):
        export_set(image_set, tmp_path / "out")


def test_one_name_for_two_volumes_is_made_two(image_set: ImageSet) -> None:
    twice = dataclasses.replace(image_set, volumes=tuple({**v, "name": "scan.tif"} for v in image_set.volumes))
    assert volume_names(twice) == ["scan.tif (1)", "scan.tif (2)"]
