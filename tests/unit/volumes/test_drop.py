"""What a drop means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from microtome.volumes.drop import examine

Bytes = NDArray[np.uint8]


def _write(path: Path, voxels: Bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, voxels, photometric="minisblack")
    return path


def test_one_bad_item_does_not_hide_the_others(tmp_path: Path, voxels: Bytes) -> None:
    """Good, missing, empty, foreign: each has its item, in order."""
    good = _write(tmp_path / "good.tif", voxels)
    (tmp_path / "empty.tif").touch()
    (tmp_path / "notes.txt").write_text("x")
    names = ["empty.tif", "good.tif", "missing.tif", "notes.txt"]
    items = examine([tmp_path / n for n in names])
    assert [Path(i.path).name for i in items] == names
    assert [i.description is None for i in items] == [True, False, True, True]
    assert items[1].description is not None
    assert items[1].description.path == str(good)
    assert "empty" in items[0].error
    assert "does not exist" in items[2].error
    assert all(i.error for i in items if i.description is None)


def test_all_slices_of_a_folder_are_one_volume(tmp_path: Path, voxels: Bytes) -> None:
    """Selected in a file manager instead of their folder; a part of them stays single images."""
    files = [_write(tmp_path / f"s/im{z}.tif", page) for z, page in enumerate(voxels)]
    items = examine(files)
    assert len(items) == 1
    assert items[0].description is not None
    assert (items[0].description.kind, items[0].description.shape) == ("volume", voxels.shape)
    assert [i.description.kind for i in examine(files[:3]) if i.description] == ["image"] * 3


def test_the_same_path_twice_is_one_item(tmp_path: Path, voxels: Bytes) -> None:
    """A slip of the mouse."""
    path = _write(tmp_path / "a.tif", voxels)
    assert len(examine([path, str(path)])) == 1


def test_folders_of_classes_and_their_problems(tmp_path: Path, voxels: Bytes) -> None:
    """The tree is one item; what is broken anywhere in it follows as items of their own."""
    _write(tmp_path / "d/cement/a.tif", voxels)
    _write(tmp_path / "d/bone/a.tif", voxels)
    (tmp_path / "d/bone/broken.tif").write_bytes(b"MM\0*")
    items = examine([tmp_path / "d"])
    assert items[0].description is not None
    assert [c.name for c in items[0].description.children] == ["bone", "cement"]
    assert Path(items[1].path).name == "broken.tif"
    assert items[1].error


def test_a_project_folder_is_a_project(tmp_path: Path) -> None:
    """It is opened, not added."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p/project.json").write_text("{}")
    (item,) = examine([tmp_path / "p"])
    assert item.description is not None
    assert item.description.kind == "project"
