"""Structures into voxels and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.errors import FileError, InputError, UnknownNameError
from microtome.plugin import Structure
from microtome.volumes.particles.simulate import default_voxel_size, save_tiff, simulate, voxelise
from microtome.volumes.read import open_volume
from microtome.volumes.volume import Volume


def _sphere(centre: tuple[float, float, float], radius: float, *, periodic: bool = True, unit: str = "nm") -> Structure:
    return Structure(centres=np.array([centre]), radii=np.array([radius]), box=(40.0, 50.0, 60.0), periodic=periodic, unit=unit)


Inside = st.tuples(st.floats(0, 39.9), st.floats(0, 49.9), st.floats(0, 59.9))


@settings(max_examples=40, deadline=None)  # the first call compiles
@given(centre=Inside, radius=st.floats(6, 18), voxel=st.sampled_from([1.0, 2.0, (1.0, 2.0, 2.5)]))
def test_a_sphere_keeps_its_volume_wherever_it_lies(
    centre: tuple[float, float, float], radius: float, voxel: float | tuple[float, float, float]
) -> None:
    """Also across the faces of a periodic box, also in voxels that are no cubes."""
    volume = voxelise(_sphere(centre, radius), voxel)
    assert volume.voxel_size is not None
    covered = volume.as_array().astype(float).sum() / 255 * np.prod(volume.voxel_size)
    assert covered == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)


def test_a_sphere_lies_where_it_should() -> None:
    """Voxel i reaches from i to i + 1 edges, so a centre at 20 nm is voxel coordinate 9.5 of voxels of 2 nm."""
    array = voxelise(_sphere((20, 25, 30), 8), 2.0).as_array()
    assert array.shape == (20, 25, 30)
    middle = [
        np.average(np.arange(n), weights=array.sum(tuple(a for a in range(3) if a != k))) for k, n in enumerate(array.shape)
    ]
    assert middle == pytest.approx([9.5, 12.0, 14.5], abs=0.01)
    assert array[9, 12, 14] == 255
    assert array[0, 0, 0] == 0


def test_an_open_box_cuts_its_spheres() -> None:
    """Half a sphere lies outside, and nothing of it comes in at the other side."""
    array = voxelise(_sphere((0, 25, 30), 8, periodic=False), 1.0).as_array()
    assert array.astype(float).sum() / 255 == pytest.approx(2 / 3 * np.pi * 8**3, rel=0.01)
    assert not array[20:].any()


def test_the_voxel_size_divides_the_box() -> None:
    """It is the nearest that does, and in nm whatever the structure's unit."""
    volume = voxelise(_sphere((20, 25, 30), 8, unit="um"), 3.0)
    assert volume.shape == (13, 17, 20)
    assert volume.voxel_size == pytest.approx((40e3 / 13, 50e3 / 17, 3e3))
    assert default_voxel_size(_sphere((0, 0, 0), 10)) == 4.0


@pytest.mark.parametrize("voxel", [0.0, -1.0, float("nan"), 100.0, 1e-3])
def test_senseless_voxels_are_refused(voxel: float) -> None:
    """Zero, negative, larger than the box, too many."""
    with pytest.raises(InputError):
        voxelise(_sphere((0, 0, 0), 5), voxel)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_a_saved_volume_comes_back(tmp_path: Path, dtype: str) -> None:
    """Voxels to the bit, voxel size to 1e-6, for the formats of both writers."""
    data = (np.random.default_rng(0).random((4, 5, 6)) * 200).astype(dtype)
    size = (7.000123, 3.3333333, 0.123456789)
    save_tiff(Volume.from_array(data, size, "nm"), tmp_path / "sub/a.tif")
    back = open_volume(tmp_path / "sub/a.tif")
    np.testing.assert_array_equal(back.as_array(), data)
    assert back.voxel_size == pytest.approx(size, rel=1e-6)
    save_tiff(Volume.from_array(data), tmp_path / "b.tif")
    assert open_volume(tmp_path / "b.tif").voxel_size is None


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """Here: below a file."""
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="write"):
        save_tiff(Volume.from_array(np.zeros((2, 2, 2), np.uint8)), tmp_path / "file/a.tif")


def test_what_cannot_be_packed_is_said() -> None:
    """A box that is too small, a seed that is none, a kind and a setting that do not exist."""
    with pytest.raises(InputError, match="too small"):
        simulate("rnd", seed=0, parameters={"edge": 50.0})
    with pytest.raises(InputError, match="seed"):
        simulate("rnd", seed=-1)
    with pytest.raises(UnknownNameError) as refused:
        simulate("m-sbs", seed=0)
    assert "m-sbr" in refused.value.hint
    with pytest.raises(UnknownNameError):
        simulate("rnd", seed=0, parameters={"diametre": 3.0})
