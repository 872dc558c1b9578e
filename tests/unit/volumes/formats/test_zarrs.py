"""Zarr and OME-Zarr: folders and zip files of both versions, pyramids, channels, voxel sizes, missing chunks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.questions import QuestionError
from microtome.volumes.drop import examine
from microtome.volumes.read import describe, open_volume

Bytes = NDArray[np.uint8]


def _pyramid(path: Path, voxels: Bytes, version: int, **more: Any) -> Path:
    """An OME-Zarr of two channels and two levels, 0.4 or 0.5."""
    group = zarr.open_group(str(path), mode="w", zarr_format=2 if version == 4 else 3)
    both = np.stack([voxels, 255 - voxels])[None]
    axes: list[dict[str, str]] = [{"name": "t", "type": "time", "unit": "second"}, {"name": "c", "type": "channel"}]
    axes += [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    levels = []
    for level in range(2):
        step = 2**level
        group.create_array(str(level), data=both[..., ::step, ::step, ::step], chunks=(1, 1, 4, 8, 8))
        scale = [1, 1, 0.5 * step, 0.25 * step, 0.125 * step]
        levels.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    words = {"multiscales": [{"version": f"0.{version}", "axes": axes, "datasets": levels, **more}]}
    words["omero"] = {"channels": [{"label": "BSE"}, {"label": "SE"}]}  # type: ignore[assignment]
    group.attrs.update(words if version == 4 else {"ome": words})
    return path


@pytest.mark.parametrize("version", [4, 5])
def test_ome_zarr(tmp_path: Path, voxels: Bytes, version: int) -> None:
    """The finest level, a channel by its name, the scale with its unit; another level when it is named."""
    path = _pyramid(tmp_path / "a.ome.zarr", voxels, version)
    (item,) = examine([path])
    assert item.question is not None
    assert [c.label for c in item.question.choices] == ["channel 0 · BSE", "channel 1 · SE"]
    volume = open_volume(path, **item.question.choices[1].options)
    assert volume.voxel_size == pytest.approx((500.0, 250.0, 125.0), rel=1e-9)
    np.testing.assert_array_equal(volume[::-2, 3:9, -1], 255 - voxels[::-2, 3:9, -1])
    coarse = open_volume(path, channel=0, dataset="1")
    assert (coarse.shape, coarse.voxel_size) == ((3, 10, 12), pytest.approx((1000.0, 500.0, 250.0)))


def test_the_scale_of_the_whole_pyramid_counts_too(tmp_path: Path, voxels: Bytes) -> None:
    """Both transforms are multiplied; a further scale of the wrong length is none."""
    more = {"coordinateTransformations": [{"type": "scale", "scale": [1, 1, 10, 10, 10]}, {"scale": [3]}]}
    volume = open_volume(_pyramid(tmp_path / "a.zarr", voxels, 4, **more), channel=0)
    assert volume.voxel_size == pytest.approx((5000.0, 2500.0, 1250.0), rel=1e-9)


def test_axes_in_several_units_or_none_are_no_voxel_size(tmp_path: Path, voxels: Bytes) -> None:
    """Nothing is guessed."""
    for units, words in ((("micrometer", "nanometer", "micrometer"), "several units"), (("", "", ""), "no unit")):
        axes = [{"name": "t"}, {"name": "c"}, *({"name": a, "unit": u} for a, u in zip("zyx", units, strict=True))]
        volume = open_volume(_pyramid(tmp_path / "a.zarr", voxels, 4, axes=axes), channel=0)
        assert volume.voxel_size is None
        assert words in volume.findings[-1]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("zipped", [False, True])
def test_several_arrays_are_asked_about(tmp_path: Path, voxels: Bytes, version: Any, zipped: bool) -> None:
    """Groups in groups, whatever the folder is called; names of dimensions and attributes are read."""
    path = tmp_path / ("store.zip" if zipped else "store")
    store = zarr.storage.ZipStore(str(path), mode="w") if zipped else str(path)
    root = zarr.open_group(store, mode="w", zarr_format=version)
    root.create_array("raw/grey", data=voxels, chunks=(4, 8, 8), attributes={"voxel_size_nm": [3, 2, 1]})
    names = {"dimension_names": ("x", "y", "z")} if version == 3 else {"attributes": {"_ARRAY_DIMENSIONS": ["x", "y", "z"]}}
    root.create_array("turned", data=voxels.T.copy(), chunks=(8, 8, 4), **names)
    root.create_array("table", data=np.zeros((3, 4)))
    if zipped:
        store.close()  # type: ignore[union-attr]
    with pytest.raises(QuestionError) as asked:
        open_volume(path)
    assert [c.label for c in asked.value.question.choices] == ["/raw/grey", "/turned", "/table"]
    grey, turned = (open_volume(path, dataset=name) for name in ("raw/grey", "/turned"))
    np.testing.assert_array_equal(grey[:], voxels)
    np.testing.assert_array_equal(turned[:], voxels)
    assert (grey.voxel_size, turned.voxel_size) == ((3.0, 2.0, 1.0), None)
    with pytest.raises(InputError, match="no array"):
        open_volume(path, dataset="rav")


def test_a_store_in_a_dropped_folder_is_one_volume(tmp_path: Path, voxels: Bytes) -> None:
    """Beside others; its inner folders are no classes."""
    for name in ("a.zarr", "b.zarr"):
        zarr.create_array(str(tmp_path / name), data=voxels, chunks=(4, 8, 8))
    found = describe(tmp_path)
    assert [(c.name, c.reader, c.shape) for c in found.children] == [
        ("a.zarr", "zarr", (6, 20, 24)),
        ("b.zarr", "zarr", (6, 20, 24)),
    ]


def test_missing_chunks_are_said(tmp_path: Path, voxels: Bytes) -> None:
    """Some: a finding. All: a sentence in place of a volume of zeros."""
    path = tmp_path / "a.zarr"
    zarr.create_array(str(path), data=voxels, chunks=(3, 20, 24))
    shutil.rmtree(path / "c" / "1")
    assert open_volume(path).findings == ("1 of 2 chunks are not there; their voxels read as 0.",)
    shutil.rmtree(path / "c")
    with pytest.raises(FileError, match="none of its 2 chunks"):
        open_volume(path)


def test_a_chunk_that_vanishes_or_breaks_while_it_is_open(tmp_path: Path, voxels: Bytes) -> None:
    """A sentence when it is read."""
    path = tmp_path / "a.zarr"
    zarr.create_array(str(path), data=voxels, chunks=(3, 20, 24))
    volume = open_volume(path)
    chunk = next(p for p in (path / "c" / "0").rglob("*") if p.is_file())
    chunk.write_bytes(b"damage")
    with pytest.raises(FileError, match="cannot be read"):
        volume[0]
    shutil.rmtree(path)
    with pytest.raises(FileError):
        volume[0]


@pytest.mark.parametrize(
    "metadata",
    [
        "{",
        "[]",
        '{"zarr_format": 3}',
        '{"zarr_format": 3, "node_type": "array", "shape": [1e999]}',
        '{"zarr_format": 9, "node_type": "group"}',
        '{"zarr_format": 3, "node_type": "group", "attributes": {"multiscales": [{"datasets": [{"path": "../.."}]}]}}',
    ],
)
def test_damaged_metadata(tmp_path: Path, metadata: str) -> None:
    """Never more than a sentence."""
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "zarr.json").write_text(metadata)
    with pytest.raises(MicrotomeError):
        open_volume(tmp_path / "a.zarr")


def test_a_chunk_that_no_memory_holds(tmp_path: Path) -> None:
    """What the metadata promise is not believed."""
    path = tmp_path / "a.zarr"
    zarr.create_array(str(path), shape=(64, 2**20, 2**20), chunks=(64, 2**20, 2**20), dtype="u1")
    with pytest.raises(FileError, match="needs"):
        open_volume(path)


def test_a_zip_file_that_is_no_store(tmp_path: Path) -> None:
    """Not taken for one."""
    (tmp_path / "a.zarr.zip").write_bytes(b"PK\x03\x04" + bytes(99))
    with pytest.raises(FileError):
        open_volume(tmp_path / "a.zarr.zip")
    with pytest.raises(FileError, match="no Zarr store"):
        open_volume(tmp_path / "a.zarr.zip", reader="zarr")
