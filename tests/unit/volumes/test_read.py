"""Opening and describing: options, overrides, arrays of NumPy, folders, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError, UnknownNameError
from microtome.volumes.drop import examine
from microtome.volumes.read import describe, open_volume

Bytes = NDArray[np.uint8]


@pytest.fixture
def stack(tmp_path: Path, voxels: Bytes) -> Path:
    """An ImageJ stack with voxels of 8 × 4 × 4 nm."""
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, voxels, imagej=True, resolution=(0.25, 0.25), metadata={"unit": "nm", "spacing": 8.0})
    return path


# --- options


def test_a_description_says_what_info_promises(stack: Path) -> None:
    """Reader, shape, dtype, voxel size and unit, physical size, findings; as JSON too."""
    found = describe(stack)
    assert (found.kind, found.reader, found.shape, found.dtype) == ("volume", "tiff", (6, 20, 24), "uint8")
    assert found.voxel_size == pytest.approx((8, 4, 4))
    assert found.physical_size == pytest.approx((48, 80, 96))
    assert found.file_bytes == stack.stat().st_size
    assert found.memory_bytes == 6 * 20 * 24
    data = json.loads(json.dumps(found.to_json()))
    assert {"reader", "shape", "dtype", "voxel_size", "unit", "physical_size", "findings"} <= set(data)
    assert data["shape"] == [6, 20, 24]


def test_the_users_voxel_size_overrides_the_files(stack: Path) -> None:
    """With or without a unit, as three numbers or one."""
    assert open_volume(stack, voxel_size=[1, 2, 3]).voxel_size == (1, 2, 3)
    assert open_volume(stack, voxel_size=0.5, unit="um").voxel_size == pytest.approx((500, 500, 500))
    assert describe(stack, voxel_size=[1, 2, 3], unit="mm").voxel_size == (1e6, 2e6, 3e6)


def test_a_unit_alone_corrects_the_files(stack: Path) -> None:
    """The numbers stay; “voxel” forgets them."""
    assert open_volume(stack, unit="um").voxel_size == pytest.approx((8000, 4000, 4000))
    forgotten = open_volume(stack, unit="voxel")
    assert (forgotten.voxel_size, forgotten.unit) == (None, "voxel")


@pytest.mark.parametrize(
    "options",
    [
        {"voxel_size": [1, 2]},
        {"voxel_size": 0},
        {"voxel_size": [1, 2, -3]},
        {"voxel_size": "4"},
        {"voxel_size": [1, 2, float("nan")]},
        {"voxel_size": True},
        {"unit": "parsec"},
        {"unit": 3},
        {"voxel_size": 4, "unit": "voxel"},
        {"reader": "tif"},
        {"channel": "red"},
    ],
)
def test_senseless_options_are_refused(stack: Path, options: dict[str, Any]) -> None:
    """By a sentence, for opening and describing alike."""
    for call in (open_volume, describe):
        with pytest.raises(MicrotomeError):
            call(stack, **options)


def test_an_unknown_option_names_the_nearest(stack: Path, tmp_path: Path) -> None:
    """Among the reader's own and those that all have."""
    with pytest.raises(UnknownNameError, match="voxelsize") as refused:
        open_volume(stack, voxelsize=4)
    assert "voxel_size" in refused.value.hint
    (tmp_path / "a.raw").write_bytes(b"x")
    with pytest.raises(UnknownNameError) as refused:
        open_volume(tmp_path / "a.raw", shap=[1, 1, 1])
    assert "“shape”" in refused.value.hint


def test_the_options_of_a_description_open_the_same(tmp_path: Path, voxels: Bytes) -> None:
    """What a project keeps of a raw file is enough to open it again."""
    path = tmp_path / "a.raw"
    path.write_bytes(voxels.tobytes())
    found = describe(path, shape=[6, 20, 24], dtype="uint8", voxel_size=4)
    assert found.options == {"shape": [6, 20, 24], "dtype": "uint8"}
    np.testing.assert_array_equal(open_volume(path, **found.options).as_array(), voxels)


def test_foreign_endings_are_known_by_their_first_bytes(tmp_path: Path, voxels: Bytes) -> None:
    """Or by a shape that only raw voxels need."""
    tifffile.imwrite(tmp_path / "a", voxels, photometric="minisblack")
    (tmp_path / "a").rename(tmp_path / "a.lsmx")
    np.testing.assert_array_equal(open_volume(tmp_path / "a.lsmx").as_array(), voxels)
    (tmp_path / "b.xyz1").write_bytes(voxels.tobytes())
    assert open_volume(tmp_path / "b.xyz1", shape=[6, 20, 24]).shape == voxels.shape
    with pytest.raises(FileError, match=r"no reader for “\.xyz1”"):
        open_volume(tmp_path / "b.xyz1")


@pytest.mark.parametrize("path", ["no/such/file.tif", "a\0b.tif", "x" * 5000 + ".tif"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    """Missing, impossible, too long."""
    for call in (open_volume, describe):
        with pytest.raises(FileError):
            call(path)


def test_a_long_path_of_foreign_letters_opens(tmp_path: Path, voxels: Bytes) -> None:
    """260 characters and more, spaces, #, %, umlauts, Japanese."""
    folder = tmp_path / ("深い フォルダ #1 % " + "ä" * 60) / ("b" * 120) / ("c" * 100)
    folder.mkdir(parents=True)
    tifffile.imwrite(folder / "試料 #1.tif", voxels, photometric="minisblack")
    assert open_volume(folder / "試料 #1.tif").shape == voxels.shape


# --- NumPy


def test_numpy_arrays_are_mapped(tmp_path: Path, voxels: Bytes) -> None:
    """Two axes are one slice, singleton axes are dropped, truth values are numbers."""
    np.save(tmp_path / "a.npy", voxels)
    assert isinstance(open_volume(tmp_path / "a.npy").as_array(), np.memmap)
    np.save(tmp_path / "b.npy", voxels[0])
    assert describe(tmp_path / "b.npy").kind == "image"
    np.save(tmp_path / "c.npy", voxels[None, ..., None] > 9)
    volume = open_volume(tmp_path / "c.npy")
    assert volume.dtype == np.uint8
    np.testing.assert_array_equal(volume.as_array(), voxels > 9)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((0, 4, 4)), "none of them empty"),
        (np.zeros((2, 2, 2, 2)), "2 volumes in one array"),
        (np.float64(3), "three axes"),
        (np.zeros((2, 2, 2), complex), "no grey values"),
        (np.zeros((2, 2, 2), "U3"), "no grey values"),
        (np.array([{"a": 1}], object), "Python objects"),
    ],
)
def test_arrays_that_are_no_volume_are_refused(tmp_path: Path, array: Any, words: str) -> None:
    """Pickled objects above all: they could run code."""
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(MicrotomeError, match=words):
        open_volume(tmp_path / "a.npy")


def test_archives_ask_which_array(tmp_path: Path, voxels: Bytes) -> None:
    """One volume is taken, two are asked about."""
    np.savez(tmp_path / "a.npz", one=voxels, two=voxels + 1)
    with pytest.raises(InputError, match="2 arrays that may be the volume") as refused:
        open_volume(tmp_path / "a.npz")
    assert 'array = "one"' in refused.value.hint
    np.testing.assert_array_equal(open_volume(tmp_path / "a.npz", array="two").as_array(), voxels + 1)
    with pytest.raises(InputError, match="no array"):
        open_volume(tmp_path / "a.npz", array="tow")


def test_nan_is_found_when_a_volume_is_opened_or_described(tmp_path: Path) -> None:
    """With the number of voxels and the slice."""
    data = np.zeros((4, 5, 6), np.float32)
    data[2, 0, :3] = np.nan
    np.save(tmp_path / "a.npy", data)
    assert open_volume(tmp_path / "a.npy").nonfinite == 3
    assert describe(tmp_path / "a.npy").findings == ("3 voxels are not a number or infinite, in slice 2.",)


# --- folders


def _stack(path: Path, voxels: Bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, voxels, photometric="minisblack")


def test_a_folder_of_folders_is_classes(tmp_path: Path, voxels: Bytes) -> None:
    """Each sub-folder with something readable is a child; the rest is passed over."""
    _stack(tmp_path / "cement/a.tif", voxels)
    _stack(tmp_path / "cement/b.tif", voxels)
    for z, page in enumerate(voxels):
        _stack(tmp_path / f"bone/{z}.tif", page)
    for name in ("x", "y", "z"):
        _stack(tmp_path / f"glass/{name}.tif", voxels[0])
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/readme.txt").write_text("hello")
    found = describe(tmp_path)
    assert found.kind == "classes folder"
    assert {c.name: c.kind for c in found.children} == {
        "bone": "volume",
        "cement": "classes folder",
        "glass": "images folder",
    }
    assert found.children[2].shape == (3, 20, 24)


def test_what_cannot_be_read_in_a_folder_is_kept_as_a_problem(tmp_path: Path, voxels: Bytes) -> None:
    """The rest is described."""
    _stack(tmp_path / "good.tif", voxels)
    (tmp_path / "bad.tif").write_bytes(b"II*\0broken")
    found = describe(tmp_path)
    assert [c.name for c in found.children] == ["good.tif"]
    assert found.problems[0][0].endswith("bad.tif")


def test_many_images_of_different_sizes_are_said(tmp_path: Path, voxels: Bytes) -> None:
    """They have no common shape."""
    _stack(tmp_path / "a.tif", voxels[0])
    _stack(tmp_path / "b.tif", voxels[0, :10])
    found = describe(tmp_path)
    assert (found.kind, found.shape, found.findings) == ("images folder", None, ("The images differ in size.",))


def test_images_that_are_no_series_may_be_stacked_on_demand(tmp_path: Path, voxels: Bytes) -> None:
    """`reader="folder"` says so; the order of names is said."""
    for name in ("x", "y", "z"):
        _stack(tmp_path / f"{name}.tif", voxels[0])
    found = describe(tmp_path, reader="folder")
    assert (found.kind, found.shape, found.options) == ("volume", (3, 20, 24), {"reader": "folder"})
    assert "not one numbered series" in found.findings[0]
    assert open_volume(tmp_path).shape == (3, 20, 24)


def test_a_project_is_a_project(tmp_path: Path) -> None:
    """Whatever else lies in it."""
    (tmp_path / "project.json").write_text("{}")
    assert describe(tmp_path).kind == "project"


def test_deep_trees_and_circles_of_links_end(tmp_path: Path, voxels: Bytes) -> None:
    """A folder is looked into three levels deep."""
    _stack(tmp_path / "a/b/c/d/e/f.tif", voxels)
    (tmp_path / "a/again").symlink_to(tmp_path)
    _stack(tmp_path / "a/x.tif", voxels)
    found = describe(tmp_path)
    assert found.kind == "classes folder"
    (a,) = found.children
    assert "x.tif" in [c.name for c in a.children]
    said = [words for item in examine([tmp_path]) for words in [item.error] if words]
    assert any("too deep" in words for words in said), said


def test_volumes_beside_folders_are_not_passed_over(tmp_path: Path, voxels: Bytes) -> None:
    """A stack, a folder of slices, an image: the first two can be added, the third is said to be left out."""
    _stack(tmp_path / "whole.tif", voxels)
    _stack(tmp_path / "overview.tif", voxels[0])
    for z, page in enumerate(voxels):
        _stack(tmp_path / f"slices/{z}.tif", page)
    found = describe(tmp_path)
    assert {c.name: c.kind for c in found.children} == {"slices": "volume", "whole.tif": "volume"}
    assert found.findings == ("A single image beside its folders and volumes was left out: add it by itself.",)


def test_a_web_page_that_is_called_a_tiff_is_said(tmp_path: Path) -> None:
    """A download that failed."""
    (tmp_path / "x.tif").write_text("<!DOCTYPE html><html><body>Not found</body></html>")
    with pytest.raises(FileError, match="web page"):
        describe(tmp_path / "x.tif")


@pytest.mark.shared
def test_a_real_tree(shared: Path) -> None:
    """All of it, with what cannot be guessed as problems."""
    found = describe(shared)
    kinds = {c.name: c.kind for c in found.children}
    assert kinds["battery-cell"] == "volume"
    assert kinds["superalloy"] == kinds["sem-superconductor"] == "images folder"
    assert kinds["qim3d"] == "classes folder"
