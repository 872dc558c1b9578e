"""Structures drawn into voxels by slabs: exact volumes, exact phases, and what a user says of their size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.errors import InputError
from microtome.plugin import Structure
from microtome.volumes.particles import drawn as drawing
from microtome.volumes.particles.drawn import drawn, scaled
from microtome.volumes.particles.extxyz import save_structure
from microtome.volumes.particles.structure import check, structure_factor, volume_fraction
from microtome.volumes.read import describe, open_volume
from microtome.volumes.volume import Volume

BOX = (60.0, 72.0, 84.0)


def _grid(seed: int, wraps: tuple[bool, bool, bool], unit: str = "nm") -> Structure:
    """Spheres that do not overlap: across the faces of periodic axes, inside of open ones."""
    rng = np.random.default_rng(seed)
    axes = [np.arange(6.0, edge, 12.0) for edge in BOX]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    centres = grid + rng.uniform(-1, 1, grid.shape)
    centres = np.where(wraps, (centres + rng.uniform(0, 12, 3)) % BOX, centres)
    return Structure(centres=centres, radii=rng.uniform(3.5, 4.9, len(grid)), box=BOX, periodic=wraps, unit=unit)


Wraps = st.tuples(st.booleans(), st.booleans(), st.booleans())


@settings(max_examples=20, deadline=None)  # the first call compiles
@given(seed=st.integers(0, 99), wraps=Wraps, voxel=st.sampled_from([None, 1.5, (1.0, 2.0, 3.0)]))
def test_the_voxels_hold_the_volume_of_the_spheres(seed: int, wraps: tuple[bool, bool, bool], voxel: Any) -> None:
    """To 0.3 %, whichever faces are periodic and whatever the voxels' shape."""
    structure = _grid(seed, wraps)
    assert float(drawn(structure, voxel).voxels[:].mean()) / 255 == pytest.approx(volume_fraction(structure), rel=3e-3)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 99), wraps=Wraps, rows=st.integers(1, 9), first=st.integers(-40, 39))
def test_slabs_join_without_a_seam(seed: int, wraps: tuple[bool, bool, bool], rows: int, first: int) -> None:
    """Whatever is read first and however thick the slabs are, the voxels are the same to the bit."""
    structure = _grid(seed, wraps)
    whole = drawn(structure, 1.5).voxels[:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "_SLAB", rows * whole[0].nbytes)
        patch.setattr(drawing, "_KEPT", 3 * rows * whole[0].nbytes)
        slabs = drawn(structure, 1.5).voxels
        np.testing.assert_array_equal(slabs[first], whole[first])
        np.testing.assert_array_equal(slabs[::-1], whole[::-1])
        np.testing.assert_array_equal(slabs[:, 5, ::3], whole[:, 5, ::3])


def test_the_voxels_scatter_as_the_spheres_do() -> None:
    """The Fourier amplitudes of the voxels are Σ F(q, R) exp(iq·r): nothing is displaced, nor smeared at small q."""
    structure = _grid(3, (True, True, True))
    voxels = drawn(structure, 1.0).voxels[:] / 255.0
    found = np.fft.fftn(voxels)
    for n in ((0, 0, 1), (1, 0, 0), (0, 2, 0), (1, -1, 2), (3, 2, 1)):
        q = 2 * np.pi * np.array(n) / np.array(BOX)
        length = float(np.linalg.norm(q))
        a = length * structure.radii
        factor = 4 * np.pi * (np.sin(a) - a * np.cos(a)) / length**3
        expected = np.sum(factor * np.exp(-1j * structure.centres @ q))
        # numpy counts from the voxels' corners, the spheres from the box's.
        shift = np.exp(-1j * q @ (np.array([1.0, 1.0, 1.0]) / 2))
        assert abs(found[n] * shift - expected) < 2e-3 * float(np.sum(np.abs(factor)))


def test_a_file_keeps_the_structure_factor(tmp_path: Path) -> None:
    """Written, read back and scaled to nm, S(q) is what it was."""
    structure = _grid(5, (True, True, True), unit="um")
    save_structure(structure, tmp_path / "a.xyz")
    found = open_volume(tmp_path / "a.xyz").structure
    assert found is not None
    assert found.unit == "nm"
    edges = np.array([0.05, 0.2, 0.4, 0.7])
    q, s = structure_factor(structure, edges)
    q_nm, s_nm = structure_factor(found, edges / 1e3)
    np.testing.assert_allclose(q_nm * 1e3, q, rtol=1e-9)
    np.testing.assert_allclose(s_nm, s, rtol=1e-6)


def test_particles_outside_of_an_open_box_are_not_drawn() -> None:
    """Also those that are so far away that their voxels could not be counted."""
    near = Structure(centres=np.array([[5.0, 5.0, 5.0]]), radii=np.array([2.0]), box=(10.0, 10.0, 10.0), periodic=False)
    far = np.array([[5.0, 5.0, 5.0], [1e29, 5.0, 5.0], [5.0, -1e29, 5.0], [5.0, 5.0, 13.0]])
    both = replace(near, centres=far, radii=np.full(4, 2.0))
    np.testing.assert_array_equal(drawn(both, 1.0).voxels[:], drawn(near, 1.0).voxels[:])


def test_a_huge_box_is_drawn_more_coarsely() -> None:
    """Beyond 2³⁰ voxels, with a finding; what is asked for is drawn, and then only the slabs that are read."""
    one = Structure(centres=np.array([[50.0, 50.0, 50.0]]), radii=np.array([10.0]), box=(4e4, 8e3, 8e3))
    coarse = drawn(one)
    assert np.prod([float(n) for n in coarse.voxels.shape]) <= 2**30 * 1.01
    assert any("large" in finding for finding in coarse.findings)
    fine = drawn(one, 4.0)
    assert fine.voxels.shape == (10000, 2000, 2000)
    assert fine.voxels[12, 12, 12] == 255
    assert not fine.voxels[9000].any()
    with pytest.raises(InputError, match="more than can be drawn"):
        drawn(one, 0.01)


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A file that says that its lengths are nm."""
    save_structure(_grid(1, (True, True, False)), tmp_path / "known.xyz")
    return tmp_path / "known.xyz"


@pytest.fixture
def unknown(tmp_path: Path) -> Path:
    """A file that does not say what its lengths are."""
    save_structure(_grid(1, (True, True, False), unit=""), tmp_path / "unknown.xyz")
    return tmp_path / "unknown.xyz"


def _structure(volume: Volume) -> Structure:
    assert volume.structure is not None
    return volume.structure


def test_a_voxel_size_is_how_finely_a_known_structure_is_drawn(known: Path) -> None:
    """In the unit that it is given in; the particles stay."""
    fine = open_volume(known, voxel_size=0.75)
    assert fine.shape == (80, 96, 112)
    assert fine.voxel_size == pytest.approx((0.75, 0.75, 0.75))
    in_um = open_volume(known, voxel_size=(0.002, 0.001, 0.001), unit="um")
    assert in_um.shape == (30, 72, 84)
    np.testing.assert_array_equal(_structure(in_um).centres, _structure(fine).centres)
    assert float(fine.as_array().mean()) == pytest.approx(float(in_um.as_array().mean()), rel=5e-3)


def test_what_a_project_keeps_draws_the_same_voxels(known: Path) -> None:
    """The voxel size of the description, given back, changes nothing."""
    said = describe(known)
    again = open_volume(known, voxel_size=said.voxel_size, unit=said.unit)
    assert again.shape == said.shape
    assert again.voxel_size == said.voxel_size
    np.testing.assert_array_equal(again.as_array(), open_volume(known).as_array())


def test_a_unit_that_contradicts_the_file_is_refused(known: Path) -> None:
    """Saying it again is none; the reader's own setting may correct the file."""
    assert open_volume(known, unit="nm").voxel_size == open_volume(known).voxel_size
    with pytest.raises(InputError, match="length_unit"):
        open_volume(known, unit="um")
    with pytest.raises(InputError, match="larger than the box"):
        open_volume(known, voxel_size=100.0)
    assert open_volume(known, unit="voxel").voxel_size is None
    assert open_volume(known, length_unit="2 nm").physical_size == pytest.approx([2 * edge for edge in BOX])


def test_a_voxel_size_says_what_the_lengths_are_where_the_file_does_not(unknown: Path) -> None:
    """The voxels that were shown stay, and each is as large as that."""
    plain = open_volume(unknown)
    assert (plain.voxel_size, plain.unit) == (None, "voxel")
    edge = BOX[0] / plain.shape[0]
    volume = open_volume(unknown, voxel_size=3 * edge)
    assert volume.shape == plain.shape
    # A voxel that is covered by half may be rounded up or down.
    np.testing.assert_allclose(volume.as_array().astype(float), plain.as_array(), atol=1)
    assert volume.unit == "nm"
    assert any("length_unit" in finding for finding in plain.findings)
    assert not any("length_unit" in finding for finding in volume.findings)
    assert volume.physical_size == pytest.approx([3 * e for e in BOX], rel=0.05)
    assert _structure(volume).unit == "nm"
    assert open_volume(unknown, unit="um").physical_size == pytest.approx([1e3 * e for e in BOX])
    with pytest.raises(InputError, match="cubes"):
        open_volume(unknown, voxel_size=(3.0, 1.0, 1.0))


def test_scaling_keeps_every_centre_in_its_box() -> None:
    """Rounding may bring the last centre before a face onto it."""
    for factor in (0.1, 1 / 3, 1e3, 0.7):
        box = (13.7, 29.9, 3.1)
        inside = np.nextafter(np.array([box]), 0.0)
        one = Structure(centres=inside, radii=np.array([0.1]), box=box)
        assert check(scaled(one, factor, "nm")).unit == "nm"
