"""The colours of stored images, and which images count as coloured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from microtome.errors import FileError
from microtome.questions import QuestionError
from microtome.slices.export.pictures import Calibration, tiff_bytes
from microtome.volumes.images.colours import is_coloured, read_colours
from microtome.volumes.images.image import read_image
from microtome.volumes.read import open_volume

RGB = np.random.default_rng(0).integers(0, 255, (20, 24, 3), dtype=np.uint8)


def written(folder: Path, name: str, image: NDArray[Any], **tiff: Any) -> Path:
    path = folder / name
    match path.suffix:
        case ".png":
            path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(image)))
        case ".jpg":
            path.write_bytes(imagecodecs.jpeg_encode(np.ascontiguousarray(image), level=90))
        case _:
            tifffile.imwrite(path, image, **tiff)
    return path


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "planar.tif"])
def test_colours_are_those_of_the_file_in_its_own_depth(tmp_path: Path, name: str, kind: type) -> None:
    image: NDArray[Any] = RGB.astype(kind) * (257 if kind is np.uint16 else 1)
    how = {"planarconfig": "separate"} if name == "planar.tif" else {"planarconfig": "contig"}
    stored = np.moveaxis(image, -1, 0) if name == "planar.tif" else image
    path = written(tmp_path, name, stored, **({"photometric": "rgb", **how} if name.endswith("tif") else {}))
    found = read_colours(path)
    assert found is not None
    assert found.dtype == kind
    assert (found == np.moveaxis(image, -1, 0)).all()
    assert is_coloured(path)


def test_transparency_is_left_out(tmp_path: Path) -> None:
    opaque = written(tmp_path, "opaque.png", np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)]))
    clear = written(tmp_path, "clear.png", np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)]))
    one, other = read_colours(opaque), read_colours(clear)
    assert one is not None
    assert other is not None
    assert one.shape == (3, 20, 24)
    assert (one == other).all()


def test_grey_files_have_no_colours(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif", "a.jpg"):
        path = written(tmp_path, name, RGB[..., 0])
        assert read_colours(path) is None
        assert not is_coloured(path)
    transparent = written(tmp_path, "b.png", RGB[..., :2])
    assert read_colours(transparent) is None


def test_grey_that_is_stored_as_colour_is_not_coloured(tmp_path: Path) -> None:
    same = np.repeat(RGB[..., :1], 3, axis=2)
    assert not is_coloured(written(tmp_path, "same.png", same))
    assert not is_coloured(written(tmp_path, "same.jpg", same))
    assert not is_coloured(written(tmp_path, "black.png", np.zeros_like(same)))
    marked = same.copy()
    marked[0, :5] = (255, 0, 0)  # a coloured mark of a hundredth of the pixels
    assert not is_coloured(written(tmp_path, "marked.png", marked))
    flat = np.zeros_like(same) + np.array([200, 20, 20], np.uint8)
    assert is_coloured(written(tmp_path, "flat.png", flat))


def test_an_answer_is_kept_until_the_file_changes(tmp_path: Path) -> None:
    path = written(tmp_path, "a.png", RGB)
    assert is_coloured(path)
    written(tmp_path, "a.png", RGB[..., 0])
    assert not is_coloured(path)


def test_damage_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, "a.png", RGB)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FileError, match="damaged"):
        is_coloured(path)
    with pytest.raises(FileError):
        is_coloured(tmp_path / "gone.png")


def test_brightness_stays_what_it_was(tmp_path: Path) -> None:
    grey, words = read_image(written(tmp_path, "a.png", RGB))
    assert grey.shape == RGB.shape[:2]
    assert "brightness" in " ".join(words)


@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_channels_named_red_green_and_blue_are_colours(tmp_path: Path, kind: str) -> None:
    """What ImageJ makes of RGB in more than eight bits, and what we export."""
    colours = np.moveaxis(RGB, -1, 0).astype(kind) * 3
    calibration = Calibration(pixel_size=2.5, unit="nm")
    path = tmp_path / "composite.tif"
    path.write_bytes(tiff_bytes(colours, calibration, "class = a"))
    found = read_colours(path)
    assert found is not None
    assert found.dtype == kind
    assert (found == colours).all()
    assert is_coloured(path)
    grey, findings = read_image(path)
    red, green, blue = colours.astype(np.float64)
    np.testing.assert_allclose(grey, 0.2126 * red + 0.7152 * green + 0.0722 * blue, atol=0.5 if kind == "uint16" else 1e-3)
    assert grey.dtype == kind
    assert findings == ("It is a colour image; its brightness (BT.709) was taken as the grey value.",)
    volume = open_volume(path)
    assert volume.shape == (1, 20, 24)
    assert volume.voxel_size is not None
    assert volume.voxel_size[1:] == pytest.approx((2.5, 2.5))
    path.write_bytes(path.read_bytes()[: -colours[2].nbytes])
    with pytest.raises(FileError, match="incomplete"):
        open_volume(path)


def test_a_slice_in_an_array_has_no_colours(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", RGB)
    assert read_colours(tmp_path / "a.npy") is None
    assert not is_coloured(tmp_path / "a.npy")


def test_other_channels_stay_channels(tmp_path: Path) -> None:
    path = tmp_path / "stained.tif"
    stack = np.moveaxis(RGB, -1, 0).astype(np.uint16)
    tifffile.imwrite(
        path, stack, imagej=True, metadata={"axes": "CYX", "mode": "composite", "Labels": ["DAPI", "FITC", "TRITC"]}
    )
    assert read_colours(path) is None
    with pytest.raises(QuestionError, match="DAPI"):
        open_volume(path)
