"""MRC maps written by hand: byte orders, modes, axes, cells, stacks."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.questions import QuestionError
from microtome.volumes.read import open_volume

SHAPE = (4, 5, 6)
VOXELS = np.arange(120).reshape(SHAPE)
_KINDS = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}


def _mrc(path: Path, voxels: NDArray[Any] = VOXELS, **words: Any) -> Path:
    """MRC2014, section 2: 56 words, then labels; `words` are those that differ from a plain volume of 1 Å × grid."""
    w: dict[str, Any] = {"order": "<", "mode": 2, "cell": (60.0, 40.0, 20.0), "axes": (1, 2, 3), "group": 1}
    w |= {"extended": b"", "stamp": b"DA", "low": 0.0, "high": 1.0, "map": b"MAP ", "imod": (0, 0)} | words
    order, (sections, rows, columns) = w["order"], voxels.shape
    grid = w.get("grid", (columns, rows, sections))
    head = struct.pack(order + "10i", columns, rows, sections, w["mode"], 0, 0, 0, *grid)
    head += struct.pack(
        order + "6f3i3f2i", *w["cell"], 90, 90, 90, *w["axes"], w["low"], w["high"], 0.5, w["group"], len(w["extended"])
    )
    head = head.ljust(152, b"\0") + struct.pack(order + "2i", *w["imod"])
    stamp = {"<": b"\x44\x44\0\0", ">": b"\x11\x11\0\0"}[order] if w["stamp"] else bytes(4)
    head = (head.ljust(208, b"\0") + w["map"] + stamp).ljust(1024, b"\0")
    path.write_bytes(head + w["extended"] + voxels.astype(order + _KINDS.get(w["mode"], "i2")).tobytes())
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("mode", [0, 1, 2, 6, 12])
def test_every_mode_in_both_byte_orders(tmp_path: Path, mode: int, order: str) -> None:
    """With and without the machine stamp, memory-mapped, in nm."""
    for stamp in (True, False):
        volume = open_volume(_mrc(tmp_path / "a.mrc", order=order, mode=mode, stamp=stamp))
        np.testing.assert_array_equal(volume.as_array(), VOXELS)
        assert volume.dtype == np.dtype(_KINDS[mode])
        assert volume.voxel_size == pytest.approx((0.5, 0.8, 1.0), rel=1e-6)


def test_the_extended_header_is_passed_over(tmp_path: Path) -> None:
    """However long it is."""
    volume = open_volume(_mrc(tmp_path / "a.map", extended=b"FEI1" * 192))
    np.testing.assert_array_equal(volume[1:3], VOXELS[1:3])


@pytest.mark.parametrize(
    ("axes", "order"), [((1, 2, 3), (0, 1, 2)), ((3, 2, 1), (2, 1, 0)), ((2, 1, 3), (0, 2, 1)), ((3, 1, 2), (2, 0, 1))]
)
def test_the_order_of_the_axes(tmp_path: Path, axes: tuple[int, ...], order: tuple[int, ...]) -> None:
    """MAPC, MAPR, MAPS say which axis columns, rows and sections are; the cell counts x, y, z whatever they are."""
    counts = dict(zip(axes, VOXELS.shape[::-1], strict=True))
    cell = tuple(counts[i] * size for i, size in ((1, 10.0), (2, 20.0), (3, 30.0)))
    path = _mrc(tmp_path / "a.mrc", axes=axes, cell=cell, grid=(counts[1], counts[2], counts[3]))
    volume = open_volume(path)
    np.testing.assert_array_equal(volume.as_array(), VOXELS.transpose(order))
    assert volume.voxel_size == pytest.approx((3.0, 2.0, 1.0), rel=1e-6)


def test_axes_that_make_no_sense_are_the_usual_ones(tmp_path: Path) -> None:
    """Zeros, as old programs leave them."""
    np.testing.assert_array_equal(open_volume(_mrc(tmp_path / "a.mrc", axes=(0, 0, 0))).as_array(), VOXELS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"cell": (0.0, 0.0, 0.0)}, ""),
        ({"cell": (np.nan, 1.0, 1.0)}, ""),
        ({"cell": (6.0, 5.0, 4.0)}, "exactly 1 Å"),
        ({"group": 0, "grid": (6, 5, 1)}, "stack of images"),
        ({"grid": (0, 5, 4)}, ""),
    ],
)
def test_a_voxel_size_that_is_none(tmp_path: Path, words: dict[str, Any], said: str) -> None:
    """No cell, 1 Å as programs write that do not know it, a stack without a slice distance."""
    volume = open_volume(_mrc(tmp_path / "a.mrc", **words))
    assert volume.voxel_size is None
    assert [said in f for f in volume.findings] == ([True] if said else [])


def test_bytes_with_and_without_sign(tmp_path: Path) -> None:
    """IMOD's flag, or grey values above 127, or MRC2014's rule."""
    high = VOXELS + 100
    unsigned = open_volume(_mrc(tmp_path / "a.mrc", high.astype(np.uint8).view(np.int8), mode=0, imod=(1146047817, 0)))
    assert (unsigned.dtype, int(unsigned.as_array().max())) == (np.uint8, 219)
    assert open_volume(_mrc(tmp_path / "a.mrc", mode=0, imod=(1146047817, 1))).dtype == np.int8
    assert open_volume(_mrc(tmp_path / "a.mrc", mode=0, low=0.0, high=219.0)).dtype == np.uint8


def test_a_file_of_several_volumes(tmp_path: Path) -> None:
    """Space group 401, MZ sections each: which one is asked."""
    path = _mrc(tmp_path / "a.mrc", group=401, grid=(6, 5, 2), cell=(60.0, 40.0, 20.0))
    with pytest.raises(QuestionError, match="2 volumes") as asked:
        open_volume(path)
    volume = open_volume(path, **asked.value.question.choices[1].options)
    np.testing.assert_array_equal(volume.as_array(), VOXELS[2:])
    assert volume.voxel_size == pytest.approx((1.0, 0.8, 1.0), rel=1e-6)
    with pytest.raises(InputError, match="no number 2"):
        open_volume(path, volume=2)


@pytest.mark.parametrize(("mode", "words"), [(3, "complex"), (4, "complex"), (16, "colours"), (101, "4 bits")])
def test_what_is_no_grey_value(tmp_path: Path, mode: int, words: str) -> None:
    """A sentence."""
    with pytest.raises(InputError, match=words):
        open_volume(_mrc(tmp_path / "a.mrc", mode=mode))


def test_too_short_too_long_and_something_else(tmp_path: Path) -> None:
    """Missing voxels are refused, bytes to spare are said, a web page is no map."""
    path = _mrc(tmp_path / "a.mrc")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(FileError, match="promises 6 × 5 × 4 voxels"):
        open_volume(path)
    path.write_bytes(whole + b"more")
    assert "4 bytes behind" in open_volume(path).findings[0]
    for content, words in ((b"<!doctype html>" * 200, "no MRC file"), (b"", "0 bytes"), (whole[:900], "no MRC file")):
        path.write_bytes(content)
        with pytest.raises(MicrotomeError, match=words):
            open_volume(path)


def test_a_map_is_recognised_whatever_it_is_called(tmp_path: Path) -> None:
    """By the word MAP and the stamp."""
    assert open_volume(_mrc(tmp_path / "a.tomogram")).shape == SHAPE
