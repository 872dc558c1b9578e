"""From a class to its volumes: files, folders, patterns; what data are, wherever they lie; the live preview."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.slices.blocks.split import SETS
from microtome.slices.geometry import Grid
from microtome.slices.plan import ClassSource, SimulatedSource, SlicePlan, VolumeSource
from microtome.slices.planes.cut import sample
from microtome.slices.source import Member, grid_of, identity, image_files, members, open_class, preview
from microtome.volumes.volume import Volume


def noise(shape: tuple[int, ...] = (40, 41, 42), seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)


def saved(path: Path, array: NDArray[Any]) -> str:
    np.save(path, array)
    return str(path)


def test_a_class_opens_all_its_volumes(tmp_path: Path) -> None:
    first = saved(tmp_path / "a.npy", noise())
    second = VolumeSource(path=saved(tmp_path / "b.npy", noise(seed=1)), voxel_size=(10.0, 4.0, 4.0), unit="nm")
    volumes = open_class(ClassSource(name="A", volumes=(VolumeSource(path=first), second)))
    assert [v.voxel_size for v in volumes] == [None, (10.0, 4.0, 4.0)]
    np.testing.assert_array_equal(volumes[1].as_array(), noise(seed=1))


def test_a_class_without_data_is_refused() -> None:
    with pytest.raises(InputError, match="“A” has no volumes"):
        members(ClassSource(name="A"))


def test_micrographs_by_folder_pattern_and_name(tmp_path: Path) -> None:
    for name in ("s10.tif", "s9.tif"):
        tifffile.imwrite(tmp_path / name, noise((20, 30)))
    (tmp_path / "notes.txt").write_text("none")
    assert [f.name for f in image_files(str(tmp_path))] == ["s9.tif", "s10.tif"]
    assert [f.name for f in image_files(str(tmp_path / "*1*.tif"))] == ["s10.tif"]
    assert image_files(str(tmp_path / "s9.tif")) == [tmp_path / "s9.tif"]
    for nothing in (tmp_path / "*.png", tmp_path / "missing"):
        with pytest.raises(FileError, match="no images at"):
            image_files(str(nothing))
    (volume,) = open_class(ClassSource(name="A", images=(str(tmp_path / "s9.tif"),)))
    assert volume.shape == (1, 20, 30)


def test_a_stack_is_no_micrograph(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", noise((5, 20, 30)), photometric="minisblack")
    with pytest.raises(InputError, match=r"s\.tif holds 5 pages"):
        open_class(ClassSource(name="A", images=(str(tmp_path),)))


def identity_of(array: NDArray[Any], **size: Any) -> str:
    return identity(Member(name="x", source=VolumeSource(path="x")), Volume.from_array(array, **size))


def test_data_are_known_by_content_and_voxel_size(tmp_path: Path) -> None:
    data = noise()
    known = identity_of(data)
    member = Member(name="other", source=VolumeSource(path=saved(tmp_path / "elsewhere.npy", data)))
    assert identity(member, member.open()) == known
    changed = data.copy()
    changed[17, 3, 5] += 1
    others = [identity_of(changed), identity_of(data.astype(np.uint16)), identity_of(data, voxel_size=(1, 1, 1), unit="nm")]
    others.append(identity_of(data.reshape(42, 41, 40)))
    assert len({known, *others}) == 5


def test_grid_follows_the_voxel_size() -> None:
    volume = Volume.from_array(noise(), voxel_size=(10.0, 4.0, 5.0), unit="nm")
    grid = grid_of(volume, SlicePlan(field_of_view=0.2, unit="um", pixels=10), name="a.tif")
    assert grid == Grid(pytest.approx((2.0, 5.0, 4.0)), 10, "random")  # type: ignore[arg-type]
    flat = Volume.from_array(noise((1, 50, 50)))
    assert grid_of(flat, SlicePlan(field_of_view=20, pixels=10), name="a.png").orientation == "xy"
    with pytest.raises(InputError, match=r"voxel size of a\.tif is not known.*given in nm"):
        grid_of(Volume.from_array(noise()), SlicePlan(unit="nm"), name="a.tif")


@pytest.mark.parametrize("shape", [(40, 41, 42), (1, 90, 90)])
def test_preview_shows_what_the_set_would_hold(shape: tuple[int, int, int]) -> None:
    volume = Volume.from_array(noise(shape))
    plan = SlicePlan(field_of_view=16, pixels=8, normalisation="none")
    seen = preview(volume, plan, n=7, seed=4)
    assert seen.images.shape == (7, 8, 8)
    assert seen.sets == (*SETS, *SETS, SETS[0])
    grid = grid_of(volume, plan, name="")
    expected = grid.average(sample(volume.as_array(), seen.centres, grid.steps(seen.axes), size=grid.size))
    np.testing.assert_array_equal(seen.images, expected)
    assert np.isfinite(seen.images).all()
    again = preview(volume, plan, n=7, seed=4)
    np.testing.assert_array_equal(again.images, seen.images)
    assert not np.array_equal(preview(volume, plan, n=7, seed=5).images, seen.images)


def test_preview_says_what_is_wrong_as_cutting_would() -> None:
    volume = Volume.from_array(noise())
    with pytest.raises(InputError, match="The field of view, 64 voxel, is larger than"):
        preview(volume, SlicePlan(), n=3, seed=0)
    tight = preview(volume, SlicePlan(field_of_view=20, pixels=10), n=3, seed=0)
    assert "never cut" in tight.lost


def test_structures_are_simulated_and_known_without_it() -> None:
    source = SimulatedSource(kind="rnd", seed=3, parameters={"edge": 120.0}, voxel_size=6.0)
    (member,) = members(ClassSource(name="A", simulated=(source,)))
    volume = member.open()
    assert volume.shape == (20, 20, 20)
    np.testing.assert_array_equal(member.open().as_array(), volume.as_array())
    other = Member(name="x", source=dataclasses.replace(source, seed=4))
    assert identity(member, None) == identity(member, None) != identity(other, None)
