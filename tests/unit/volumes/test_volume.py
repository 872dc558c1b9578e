"""A volume keeps its dtype, its physics and its laziness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.volumes.lazy import PagedArray, need_memory
from microtome.volumes.volume import Volume


def test_an_array_is_a_volume_without_a_voxel_size() -> None:
    """Nothing is known, so nothing is invented."""
    volume = Volume.from_array(np.zeros((2, 3, 4), np.uint16))
    assert (volume.shape, volume.dtype, volume.voxel_size, volume.unit) == ((2, 3, 4), np.uint16, None, "voxel")
    assert volume.physical_size is None
    assert volume.memory_bytes == 48
    assert volume.findings == ()


def test_other_libraries_take_it_as_an_array() -> None:
    """All of it, in its own dtype or in theirs; its name is short however many voxels it has."""
    voxels = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    volume = Volume.from_array(voxels, (2.0, 1.0, 1.0), "nm")
    np.testing.assert_array_equal(np.asarray(volume), voxels)
    assert np.asarray(volume, np.float32).dtype == np.float32
    assert np.mean(volume) == voxels.mean()
    assert repr(volume) == "Volume('array', shape=(2, 3, 4), dtype=uint16, voxel_size=(2.0, 1.0, 1.0), unit='nm')"


def test_a_known_length_is_brought_to_nm() -> None:
    """Micrometres become nm."""
    volume = Volume.from_array(np.zeros((2, 3, 4), np.uint8), (0.5, 0.25, 0.1), "um")
    assert volume.voxel_size == pytest.approx((500, 250, 100))
    assert volume.unit == "nm"
    assert volume.physical_size == pytest.approx((1000, 750, 400))


@pytest.mark.parametrize(("size", "unit"), [((0.0, 1.0, 1.0), "nm"), ((float("nan"), 1.0, 1.0), "nm"), ((1.0, 1.0, 1.0), "")])
def test_a_senseless_voxel_size_is_dropped_and_said(size: tuple[float, float, float], unit: str) -> None:
    """A wrong number is worse than none."""
    volume = Volume.from_array(np.zeros((1, 1, 1), np.uint8), size, unit)
    assert (volume.voxel_size, volume.unit) == (None, "voxel")
    assert "ignored" in volume.findings[0]


@pytest.mark.parametrize("shape", [(3, 4), (2, 0, 4), (1, 2, 3, 4)])
def test_a_volume_has_three_axes(shape: tuple[int, ...]) -> None:
    """Anything else is refused."""
    with pytest.raises(InputError, match="three axes"):
        Volume.from_array(np.zeros(shape))


def test_complex_numbers_are_no_grey_values() -> None:
    with pytest.raises(InputError, match="array holds complex64, which are no grey values"):
        Volume.from_array(np.zeros((2, 3, 4), np.complex64))


def test_foreign_byte_order_is_made_native() -> None:
    """Compiled kernels cannot read the other order."""
    data = np.arange(24, dtype=">u2").reshape(2, 3, 4)
    volume = Volume.from_array(data)
    assert volume.dtype == np.dtype("u2")
    assert volume[0].dtype.isnative
    assert volume.as_array().dtype.isnative
    np.testing.assert_array_equal(volume.as_array(), data)


def test_nan_and_infinity_are_counted_with_their_slices() -> None:
    """The finding names how many and where."""
    data = np.zeros((5, 4, 4), np.float32)
    data[1, 0, 0], data[3, 1, 2] = np.nan, np.inf
    volume = Volume.from_array(data).scanned()
    assert volume.nonfinite == 2
    assert "2 voxels" in volume.findings[0]
    assert "slices 1 to 3" in volume.findings[0]
    assert Volume.from_array(np.zeros((2, 2, 2), np.float32)).scanned().nonfinite == 0
    assert Volume.from_array(np.zeros((2, 2, 2), np.uint8)).nonfinite == 0


def test_a_large_volume_is_scanned_in_samples() -> None:
    """The finding says that not all slices were looked at."""
    data = np.full((100, 4, 4), np.nan, np.float32)
    volume = Volume.from_array(data).scanned(limit=10)
    assert "32 of 100 slices" in volume.findings[0]


def test_what_does_not_fit_into_memory_is_refused() -> None:
    """With how much is needed and what to do."""
    with pytest.raises(FileError, match="GiB"):
        need_memory(2**60, "x.tif")


Index = st.one_of(
    st.integers(-4, 3),
    st.slices(4),
)


@given(key=st.one_of(Index, st.tuples(Index), st.tuples(Index, Index), st.tuples(Index, Index, Index), st.just(...)))
def test_pages_are_indexed_as_an_array(key: object) -> None:
    """Every index of integers and slices gives what numpy gives, and reads only the pages that it needs."""
    data: NDArray[np.int64] = np.arange(64).reshape(4, 4, 4)
    asked: list[int] = []

    def read(indices: object) -> object:
        for i in indices:  # type: ignore[attr-defined]
            asked.append(i)
            yield data[i]

    lazy = PagedArray(shape=(4, 4, 4), dtype=data.dtype, read=read)  # type: ignore[arg-type]
    np.testing.assert_array_equal(lazy[key], data[key])  # type: ignore[index]
    first = key[0] if isinstance(key, tuple) else key
    wanted = np.atleast_1d(np.arange(4)[first]).tolist()  # type: ignore[index]
    assert asked == wanted


def test_too_many_indices_are_an_index_error() -> None:
    """As numpy says."""
    lazy = PagedArray(shape=(1, 1, 1), dtype=np.dtype("u1"), read=lambda _: iter(()))
    with pytest.raises(IndexError):
        lazy[0, 0, 0, 0]
