"""Headerless voxels: what the user says, what the name says, and when neither is enough."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.registry import registry
from microtome.volumes.read import open_volume

Smooth = NDArray[np.float64]


def _raw(path: Path, data: NDArray[Any], dtype: str) -> Path:
    path.write_bytes(data.astype(dtype).tobytes())
    return path


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        ("u1", {"dtype": "uint8"}),
        ("<u2", {"dtype": "uint16"}),
        ("<u2", {"dtype": "uint16le"}),
        (">u2", {"dtype": "uint16be"}),
        (">u2", {"dtype": "uint16", "byte_order": "big"}),
        (">i4", {"dtype": ">i4"}),
        ("<f4", {"dtype": "float32"}),
        ("<f8", {"dtype": "f8"}),
        ("<f4", {"dtype": np.float32}),
        (">u2", {"dtype": np.dtype(">u2")}),
    ],
)
def test_what_the_user_says(tmp_path: Path, smooth: Smooth, dtype: str, options: dict[str, Any]) -> None:
    """Shape, dtype, byte order."""
    path = _raw(tmp_path / "a.vol", smooth, dtype)
    volume = open_volume(path, shape=list(smooth.shape), **options)
    np.testing.assert_array_equal(volume.as_array(), smooth.astype(dtype))


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("x_12x18x30_uint8.raw", "u1"),
        ("x_8bit_12x18x30.raw", "u1"),
        ("x_12x18x30.raw", "u1"),
        ("x-12X18X30-uint16.raw", "<u2"),
        ("x_12x18x30_16bit.dat", "<u2"),
        ("x_12×18×30_uint16be.bin", ">u2"),
        ("float32_12x18x30.raw", "<f4"),
    ],
)
def test_what_the_name_says(tmp_path: Path, smooth: Smooth, name: str, dtype: str) -> None:
    """Shape and dtype, where the size agrees; the guess is said."""
    volume = open_volume(_raw(tmp_path / name, smooth, dtype))
    np.testing.assert_array_equal(volume.as_array(), smooth.astype(dtype))
    assert "Taken from the name" in volume.findings[0]


def test_a_name_that_counts_x_first_is_understood(tmp_path: Path, smooth: Smooth) -> None:
    """The smoother of the two orders is the right one."""
    volume = open_volume(_raw(tmp_path / "x_30x18x12_uint8.raw", smooth, "u1"))
    np.testing.assert_array_equal(volume.as_array(), smooth.astype("u1"))


def test_an_order_that_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    """Noise is as rough either way."""
    noise = np.random.default_rng(0).integers(0, 255, (12, 18, 30))
    with pytest.raises(InputError, match="z, y, x or x, y, z") as refused:
        open_volume(_raw(tmp_path / "x_12x18x30_uint8.raw", noise, "u1"))
    assert "[12, 18, 30] or shape = [30, 18, 12]" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "dtype", "words"),
    [
        ("x.raw", "u1", "does not say its shape"),
        ("x_12x18x31_uint8.raw", "u1", "bytes long"),
        ("x_12x18x30_uint8.raw", "<u2", "bytes long"),
        ("x_12x18x30.raw", "<f4", "does not say what its numbers are"),
        ("x_1x2x3_4x5x6_uint8.raw", "u1", "does not say its shape"),
        ("x_0x18x30_uint8.raw", "u1", "would have the shape"),
    ],
)
def test_an_ambiguous_file_is_refused(tmp_path: Path, smooth: Smooth, name: str, dtype: str, words: str) -> None:
    """A sentence, never a wrong volume."""
    with pytest.raises(InputError, match=words) as refused:
        open_volume(_raw(tmp_path / name, smooth, dtype))
    assert refused.value.hint


def test_a_cube_is_proposed(tmp_path: Path) -> None:
    """As an example, not as a guess."""
    with pytest.raises(InputError) as refused:
        open_volume(_raw(tmp_path / "x.raw", np.zeros((10, 10, 10)), "u1"))
    assert "[10, 10, 10]" in refused.value.hint


def test_a_wrong_byte_order_is_noticed(tmp_path: Path, smooth: Smooth) -> None:
    """The other order is much smoother."""
    path = _raw(tmp_path / "a.raw", smooth * 50, ">u2")
    volume = open_volume(path, shape=[12, 18, 30], dtype="uint16")
    assert 'byte_order = "big"' in volume.findings[0]
    assert open_volume(path, shape=[12, 18, 30], dtype="uint16", byte_order="big").findings == ()


def test_too_short_and_too_long(tmp_path: Path, smooth: Smooth) -> None:
    """Missing voxels are refused, bytes to spare are said."""
    path = _raw(tmp_path / "a.raw", smooth, "u1")
    with pytest.raises(FileError, match="too short"):
        open_volume(path, shape=[13, 18, 30], dtype="uint8")
    assert "bytes behind" in open_volume(path, shape=[11, 18, 30], dtype="uint8").findings[0]
    with pytest.raises(FileError, match="empty"):
        open_volume(_raw(tmp_path / "b.raw", np.zeros(0), "u1"), shape=[1, 1, 1])


@pytest.mark.parametrize("shape", ["", "12", [12, 18], [0, 18, 30], [-1, 18, 30], "12,18", [1.5, 2, 3], "1x2x3x4", "axbxc"])
def test_a_senseless_shape_is_refused(tmp_path: Path, smooth: Smooth, shape: object) -> None:
    """Three whole numbers, or a sentence."""
    with pytest.raises(MicrotomeError):
        open_volume(_raw(tmp_path / "a.raw", smooth, "u1"), shape=shape, dtype="uint8")


@given(st.text(max_size=12))
def test_no_dtype_is_more_than_a_sentence(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever is typed."""
    path = tmp_path_factory.getbasetemp() / "dtype.raw"
    path.write_bytes(bytes(64))
    try:
        volume = registry().get("reader", "raw").call(path, shape="2x2x2", dtype=text)
    except MicrotomeError:
        return
    assert volume.voxels.shape == (2, 2, 2)


@pytest.mark.shared
def test_a_real_file_with_its_shape_in_the_name(shared: Path) -> None:
    """A scaffold of polymer fibres."""
    volume = open_volume(shared / "polymer-fibres/polymer3d_8bit_128x128x128.raw")
    assert (volume.shape, volume.dtype) == ((128, 128, 128), np.uint8)
