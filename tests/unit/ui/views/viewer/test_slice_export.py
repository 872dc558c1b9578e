"""Slices that are saved: the numbers of the file, a pixel size that others read, the pose in words."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from microtome.errors import FileError, InputError
from microtome.ui.views.picture import Contrast, Picture
from microtome.ui.views.viewer.slice_export import Exported, back_to, rational, save_png, save_tiff, screenshot
from microtome.ui.views.viewer.slice_view import SliceView
from microtome.volumes.read import open_volume


@given(st.floats(1e-8, 1e8))
def test_any_pixel_size_is_kept_as_a_quotient(value: float) -> None:
    above, below = rational(value)
    assert 0 < above < 2**32 and 0 < below < 2**32
    assert above / below == pytest.approx(value, rel=1e-7)


def test_a_pixel_beyond_all_measures_is_refused() -> None:
    for value in (0.0, 1e12, float("nan"), float("inf")):
        with pytest.raises(InputError):
            rational(value)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "int8", "int16", "uint32", "int32", "float64", "float16"])
@pytest.mark.parametrize("pixel", [(3.7, 3.7), (10.0, 4.123456789), (123456.789, 98765.4321)])
def test_a_saved_slice_is_read_back_with_its_numbers_and_pixel_size(
    tmp_path: Path, dtype: str, pixel: tuple[float, float]
) -> None:
    voxels = (np.arange(30).reshape(5, 6) * 4).astype(dtype)
    path = tmp_path / "ä slice #1.tif"
    save_tiff(Exported(voxels, pixel, "nm", {"normal (z, y, x)": "1 0 0", "source": "骨.tif"}), path)
    volume = open_volume(path)
    assert volume[0].tolist() == voxels.tolist()
    assert volume.dtype == (np.float32 if dtype == "float16" else np.dtype(dtype))
    assert volume.voxel_size is not None
    assert volume.voxel_size[1:] == pytest.approx(pixel, rel=1e-6)
    with tifffile.TiffFile(path) as file:
        words = str(file.imagej_metadata or file.shaped_metadata[0])
    assert "normal (z, y, x)" in words and "1 0 0" in words


def test_imagej_finds_its_unit(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    save_tiff(Exported(np.zeros((4, 4), np.uint16), (4.0, 4.0), "nm"), path)
    with tifffile.TiffFile(path) as file:
        assert file.is_imagej and file.imagej_metadata["unit"] == "nm"
        x = file.pages.first.tags["XResolution"].value
        assert x[1] / x[0] == pytest.approx(4.0)


def test_without_a_voxel_size_nothing_is_claimed(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    save_tiff(Exported(np.zeros((4, 4), np.uint8), (1.0, 1.0), "voxel"), path)
    assert open_volume(path).voxel_size is None


def test_a_place_that_cannot_be_written_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError):
        save_tiff(Exported(np.zeros((4, 4), np.uint8), (1.0, 1.0), "nm"), tmp_path / "file" / "a.tif")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_interpolated_values_go_back_into_the_files_numbers() -> None:
    values = np.array([[-3.0, 1.4, 1.6, 300.0, np.nan]], dtype=np.float32)
    assert back_to(values, "uint8").tolist() == [[0, 1, 2, 255, 0]]
    assert back_to(values, "int8").tolist() == [[-3, 1, 2, 127, 0]]
    assert back_to(np.array([[3e38]], np.float32), "int64").tolist() == [[2**63 - 1]]
    assert back_to(np.array([[3e38]], np.float32), "uint64").tolist() == [[2**64 - 1]]
    assert np.isnan(back_to(values, "float32")[0, 4])


def chunks(data: bytes) -> dict[str, bytes]:
    """The chunks of a PNG file, by independent code."""
    found, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        found[data[at + 4 : at + 8].decode()] = data[at + 8 : at + 8 + size]
        at += 12 + size
    return found


def test_a_screenshot_knows_its_pixel_size(qtbot: QtBot, tmp_path: Path) -> None:
    view = SliceView()
    qtbot.addWidget(view)
    view.resize(300, 200)
    with pytest.raises(InputError):
        screenshot(view)
    voxels = np.random.default_rng(0).integers(0, 255, (400, 600), dtype=np.uint8)
    view.show_picture(Picture.of(voxels, Contrast(), pixel=(5.0, 5.0), unit="nm"))
    image = screenshot(view)
    assert (image.width(), image.height()) == (600, 400), "as fine as the voxels, though the view is smaller"
    save_png(image, tmp_path / "a.png")
    found = chunks((tmp_path / "a.png").read_bytes())
    across, down, unit = struct.unpack(">IIB", found["pHYs"])
    assert (1e9 / across, 1e9 / down, unit) == (pytest.approx(5.0, rel=1e-6), pytest.approx(5.0, rel=1e-6), 1)
    assert image.pixelColor(100, 30).red() == voxels[30, 100]
    white = [sum(image.pixelColor(x, y).name() == "#ffffff" for x in range(600)) for y in range(340, 400)]
    assert max(white) >= 100, "the scale bar is in it, of a round length"
