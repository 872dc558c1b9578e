"""Folders of slices: order, gaps, what is a stack and what is not."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.volumes.drop import examine
from microtome.volumes.images.folder import is_stack, natural, numbering
from microtome.volumes.read import describe, open_volume


def _slices(folder: Path, names: list[str], shape: tuple[int, int] = (6, 7)) -> list[Path]:
    """PNG slices whose grey value is their place in the list."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        (folder / name).write_bytes(imagecodecs.png_encode(np.full(shape, i, np.uint8)))
    return [folder / n for n in names]


def _order(folder: Path) -> list[int]:
    return [int(v) for v in open_volume(folder).as_array()[:, 0, 0]]


def test_unpadded_numbers_are_in_natural_order(tmp_path: Path) -> None:
    """0.png … 29.png: 10 comes behind 9."""
    _slices(tmp_path / "s", [f"{i}.png" for i in range(30)])
    assert describe(tmp_path / "s").kind == "volume"
    assert _order(tmp_path / "s") == list(range(30))


@pytest.mark.parametrize("name", ["with space {}.png", "a#b%20 {}.png", "Größe_{}.png", "試料_{}.png", "x{}_5kV.png"])
def test_names_of_any_kind(tmp_path: Path, name: str) -> None:
    """Spaces, #, %, umlauts, Japanese, constant numbers."""
    _slices(tmp_path / "ö 試料", [name.format(i) for i in range(8, 12)])
    assert _order(tmp_path / "ö 試料") == [0, 1, 2, 3]


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=30, unique=True), st.text("ab_-", max_size=4), st.booleans())
def test_any_numbered_series_is_found(numbers: list[int], prefix: str, padded: bool) -> None:
    """Its numbers come back, and natural order is the numbers' order."""
    files = [Path(f"{prefix}{n:05d}.tif" if padded else f"{prefix}{n}.tif") for n in numbers]
    assert numbering(files) == numbers
    assert [int("".join(c for c in f.stem if c.isdigit())) for f in sorted(files, key=natural)] == sorted(numbers)


def test_other_names_are_no_series() -> None:
    """Two things differ, or words do."""
    assert numbering([Path("a_1_x.bmp"), Path("a_2_y.bmp"), Path("a_3_x.bmp")]) is None
    assert numbering([Path("spot3_0d_3.tif"), Path("spot4_180d_2.tif"), Path("spot5_0d_1.tif")]) is None
    assert numbering([Path("cement.png"), Path("bone.png")]) is None


def test_a_missing_slice_is_said(tmp_path: Path) -> None:
    """Which one, and what was done."""
    _slices(tmp_path / "s", [f"im{i:03d}.png" for i in (1, 2, 3, 5, 6)])
    volume = open_volume(tmp_path / "s")
    assert volume.shape[0] == 5
    assert "Slice 4 is missing" in volume.findings[0]


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ([*range(12), *range(16, 30), *range(31, 40)], "Slices 12 to 15, 30 are missing"),
        ([n for n in range(60) if n % 8 != 3], "Slices 3, 11, 19, 27, 35, 43, … (7 in all) are missing"),
        ([0, 2, 4, 8, 10, 12], "Slice 6 is missing"),
        ([0, 1, 2, 10_000_000], "Slices 3 to 9999999 are missing"),
    ],
)
def test_missing_slices_are_named_in_runs(tmp_path: Path, there: list[int], words: str) -> None:
    """Few words for many gaps; a stray number far away takes no time."""
    _slices(tmp_path / "s", [f"{i}.png" for i in there])
    assert words in " ".join(open_volume(tmp_path / "s").findings)


def test_an_image_beside_a_clear_series_is_left_out(tmp_path: Path) -> None:
    """An overview or a thumbnail among the slices; dropped as files they are that stack as well."""
    files = _slices(tmp_path / "s", [f"im{i}.png" for i in range(20)])
    (tmp_path / "s/overview.png").write_bytes(imagecodecs.png_encode(np.zeros((90, 90), np.uint8)))
    volume = open_volume(tmp_path / "s")
    assert volume.shape == (20, 6, 7)
    assert "overview.png is beside the numbered series and was left out." in volume.findings
    for dropped in (files, [*files, tmp_path / "s/overview.png"]):
        (item,) = examine(dropped)
        assert item.description is not None
        assert (item.description.kind, item.description.shape) == ("volume", (20, 6, 7))


def test_two_series_in_one_folder_are_no_stack(tmp_path: Path) -> None:
    """Which of them is meant nobody can know."""
    files = _slices(tmp_path / "s", [f"{kind}_{i}.png" for kind in ("raw", "mask") for i in range(20)])
    assert not is_stack(sorted(files, key=natural))
    assert describe(tmp_path / "s").kind == "images folder"


def test_a_path_as_long_as_windows_forbids(tmp_path: Path) -> None:
    """More than 260 characters, in Japanese too."""
    folder = tmp_path / ("長い名前のフォルダ" * 8) / ("long folder name " * 8) / ("x" * 100)
    _slices(folder, [f"試料 {i}.png" for i in range(4)])
    assert len(str(folder)) > 260
    assert _order(folder) == [0, 1, 2, 3]
    tifffile.imwrite(folder / "stack ü#%.tif", np.ones((3, 5, 5), np.uint8), photometric="minisblack")
    assert open_volume(folder / "stack ü#%.tif").shape == (3, 5, 5)


def test_a_broken_slice_is_named(tmp_path: Path) -> None:
    """Empty, cut off in its header, or of another kind than its name says."""
    files = _slices(tmp_path / "s", [f"{i}.png" for i in range(5)])
    whole = files[3].read_bytes()
    for content in (b"", whole[:20], b"II*\0" + whole):
        files[3].write_bytes(content)
        with pytest.raises(FileError, match=r"3\.png"):
            open_volume(tmp_path / "s")
        (item,) = examine([tmp_path / "s"])
        assert "3.png" in item.error


def test_a_series_with_a_step_misses_nothing(tmp_path: Path) -> None:
    """Every second number is a series of its own."""
    _slices(tmp_path / "s", [f"im{i:03d}.png" for i in (0, 2, 4, 6, 8)])
    assert open_volume(tmp_path / "s").findings == ()


def test_slices_of_different_sizes_are_refused(tmp_path: Path) -> None:
    """With the names of two that differ."""
    _slices(tmp_path / "s", ["1.png", "2.png", "3.png"])
    (tmp_path / "s" / "4.png").write_bytes(imagecodecs.png_encode(np.zeros((9, 9), np.uint8)))
    with pytest.raises(InputError, match=r"1\.png is 6 × 7, 4\.png is 9 × 9"):
        open_volume(tmp_path / "s")


def test_slices_of_different_kinds_are_refused(tmp_path: Path) -> None:
    """When they are read, since headers of that are of many kinds."""
    _slices(tmp_path / "s", ["1.png", "2.png", "3.png"])
    (tmp_path / "s" / "2.png").write_bytes(imagecodecs.png_encode(np.zeros((6, 7), np.uint16)))
    with pytest.raises(InputError, match="uint16"):
        open_volume(tmp_path / "s").as_array()


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    """Also one with other files, also an empty one."""
    (tmp_path / "notes.txt").write_text("x")
    for call in (open_volume, describe):
        with pytest.raises(FileError, match=r"no (volumes or )?images"):
            call(tmp_path)


def test_only_the_slices_that_are_needed_are_read(tmp_path: Path) -> None:
    """A broken slice elsewhere does not matter; where it is asked for, it is named."""
    files = _slices(tmp_path / "s", [f"{i}.png" for i in range(5)])
    volume = open_volume(tmp_path / "s")
    files[3].write_bytes(b"broken")
    np.testing.assert_array_equal(volume[1:3, 0, 0], [1, 2])
    with pytest.raises(FileError, match=r"3\.png"):
        volume[3]


def test_multipage_files_are_volumes_of_their_own(tmp_path: Path) -> None:
    """Numbered stacks are not slices of one stack."""
    data: NDArray[np.uint8] = np.zeros((4, 6, 7), np.uint8)
    for i in range(4):
        tifffile.imwrite(tmp_path / f"sample{i}.tif", data, photometric="minisblack")
    assert not is_stack(sorted(tmp_path.iterdir()))
    found = describe(tmp_path)
    assert [c.kind for c in found.children] == ["volume"] * 4


@pytest.mark.shared
def test_a_real_folder_of_slices(shared: Path) -> None:
    """One TIFF a slice of a battery cell."""
    found = describe(shared / "battery-cell")
    assert (found.kind, found.shape, found.reader) == ("volume", (24, 728, 728), "folder")
    np.testing.assert_array_equal(open_volume(shared / "battery-cell")[1], tifffile.imread(shared / "battery-cell/im002.tif"))
