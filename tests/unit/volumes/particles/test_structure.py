"""Statistics of structures: checked against formulas and against theory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from microtome.errors import InputError
from microtome.plugin import Structure
from microtome.volumes.particles.packing import SMALLEST, aggregate_sizes, density, draw_radii, radii_for, relax
from microtome.volumes.particles.simulate import simulate
from microtome.volumes.particles.structure import (
    aggregate_size,
    check,
    contact_number,
    max_overlap,
    percus_yevick,
    specific_surface,
    structure_factor,
    volume_fraction,
)


def _spheres(centres: list[list[float]], radius: float = 1.0, *, periodic: bool = True) -> Structure:
    return Structure(centres=np.array(centres, float), radii=np.full(len(centres), radius), box=(10.0,) * 3, periodic=periodic)


def test_overlaps_and_contacts_reach_across_the_faces() -> None:
    """A pair at 9.5 and 0.5 is 1 apart in a periodic box, 9 in an open one."""
    pair = [[0.5, 5, 5], [9.5, 5, 5]]
    assert max_overlap(_spheres(pair)) == pytest.approx(0.5)
    assert max_overlap(_spheres(pair, periodic=False)) == 0
    assert contact_number(_spheres(pair, 0.49)) == 1
    assert contact_number(_spheres(pair, 0.4)) == 0
    assert volume_fraction(_spheres(pair)) == pytest.approx(2 * 4 / 3 * np.pi / 1000)


def test_the_structure_factor_of_a_lattice_and_of_random_points() -> None:
    """N at a reciprocal lattice vector and 0 between; 1 for uncorrelated points."""
    grid = np.stack(np.meshgrid(*[np.arange(0.5, 10, 2.0)] * 3), -1).reshape(-1, 3)
    _, s = structure_factor(_spheres(grid.tolist()), np.array([3.1, 3.2]))
    vectors = 6  # of ±(5, 0, 0) and their like; half are looked at, beside others of nearly that length
    assert s[0] > vectors / 2
    _, s = structure_factor(_spheres(grid.tolist()), np.array([0.6, 0.9, 1.5]))
    np.testing.assert_allclose(s, 0, atol=1e-9)
    points = np.random.default_rng(0).random((4000, 3)) * 10
    _, s = structure_factor(_spheres(points.tolist()), np.array([3.0, 6.0, 9.0]), per_shell=400)
    np.testing.assert_allclose(s, 1, atol=0.2)


def test_percus_yevick_at_its_limits() -> None:
    """S(0) = (1−φ)⁴/(1+2φ)², S(∞) = 1."""
    for fraction in (0.05, 0.2, 0.4):
        assert percus_yevick(np.array([0.05]), fraction)[0] == pytest.approx(
            (1 - fraction) ** 4 / (1 + 2 * fraction) ** 2, rel=1e-3
        )
        assert percus_yevick(np.array([500.0]), fraction)[0] == pytest.approx(1, abs=1e-2)


def test_random_addition_is_the_hard_sphere_fluid() -> None:
    """|S/S_PY − 1| < 5 % for 2 ≤ qd ≤ 10 at φ = 0.2, one size."""
    d = 20.0
    structure = simulate("rnd", seed=1, parameters={"polydispersity": 0.0, "diameter": d, "edge": 400.0})
    edges = np.linspace(2, 10, 5)
    _, s = structure_factor(structure, edges / d, per_shell=2500)
    # The theory is averaged as the measurement is: over each shell, with q² as weight.
    fine = [np.linspace(low, high, 200) for low, high in itertools.pairwise(edges)]
    expected = np.array([np.average(percus_yevick(qd, 0.2), weights=qd**2) for qd in fine])
    assert np.abs(s / expected - 1).max() < 0.05


def test_the_classes_differ_as_they_should() -> None:
    """More contacts and stronger large-scale fluctuations from Rnd over M-SBR to n-SBR."""
    found = {}
    for kind in ("rnd", "m-sbr", "n-sbr"):
        structure = simulate(kind, seed=2, parameters={"edge": 600.0})
        _, s = structure_factor(structure, np.array([0.02, 0.035]))
        found[kind] = (contact_number(structure), float(s[0]))
    contacts, fluctuations = zip(*(found[k] for k in ("rnd", "m-sbr", "n-sbr")), strict=True)
    assert contacts[0] < 0.7 < 1.8 < contacts[1] < 2.8 < contacts[2] < 4.2
    assert fluctuations[0] < 0.7 < 2 < fluctuations[1] < 5 < fluctuations[2]


def test_radii_follow_their_distribution() -> None:
    """Median, log-deviation, clip; the volume fraction is met exactly."""
    rng = np.random.default_rng(0)
    radii = draw_radii(rng, count=20_000, diameter=20, polydispersity=0.25)
    assert np.median(radii) == pytest.approx(10, rel=0.01)
    assert np.log(radii).std() == pytest.approx(0.25, rel=0.1)
    assert radii.min() >= 10 * SMALLEST
    scaled = radii_for(rng, diameter=20, polydispersity=0.25, volume_fraction=0.2, edge=400)
    assert np.sum(4 / 3 * np.pi * scaled**3) == pytest.approx(0.2 * 400**3, rel=1e-12)
    assert np.median(scaled) == pytest.approx(10, rel=0.05)


def test_aggregate_sizes_add_up() -> None:
    """With the mean that was asked for."""
    sizes = aggregate_sizes(np.random.default_rng(0), 30_000, mean=15, spread=0.7)
    assert sizes.sum() == 30_000
    assert sizes.mean() == pytest.approx(15, rel=0.1)
    assert sizes.min() >= 1


def test_the_density_field_has_unit_variance_and_its_length() -> None:
    """ln of the cell's chance is strength · g."""
    chance = np.diff(density(np.random.default_rng(0), 640.0, length=80.0, strength=0.5), prepend=0)
    field = np.log(chance).reshape(64, 64, 64)
    assert field.std() == pytest.approx(0.5, rel=1e-6)
    near = np.mean(field * np.roll(field, 1, 0)) - field.mean() ** 2
    far = np.mean(field * np.roll(field, 32, 0)) - field.mean() ** 2
    assert near > 0.9 * field.var()
    assert abs(far) < 0.3 * field.var()


def test_relaxation_parts_spheres_at_one_place() -> None:
    """Even where there is no direction to part in."""
    centres = relax(np.full((2, 3), 50.0), np.full(2, 5.0), 100.0)
    assert np.linalg.norm(centres[0] - centres[1]) >= 0.98 * 10
    with pytest.raises(InputError, match="overlap"):
        relax(np.random.default_rng(0).random((60, 3)) * 30, np.full(60, 5.0), 30.0)


@pytest.mark.parametrize(
    "structure",
    [
        Structure(centres=np.zeros((2, 2)), radii=np.ones(2), box=(1.0, 1.0, 1.0)),
        Structure(centres=np.zeros((2, 3)), radii=np.ones(3), box=(1.0, 1.0, 1.0)),
        Structure(centres=np.zeros((0, 3)), radii=np.ones(0), box=(1.0, 1.0, 1.0)),
        Structure(centres=np.full((1, 3), np.nan), radii=np.ones(1), box=(1.0, 1.0, 1.0)),
        Structure(centres=np.zeros((1, 3)), radii=-np.ones(1), box=(1.0, 1.0, 1.0)),
        Structure(centres=np.full((1, 3), 2.0), radii=np.ones(1), box=(1.0, 1.0, 1.0)),
    ],
)
def test_an_unsound_structure_is_refused(structure: Structure) -> None:
    """Shapes, numbers, places."""
    with pytest.raises(InputError):
        check(structure)


def test_surface_and_aggregates_of_a_few_spheres() -> None:
    """Two that touch, one alone, in a box of 10³: 3 · 4π / 1000, and (2 + 1) / 2 particles an aggregate."""
    centres = np.array([[2.0, 2.0, 2.0], [2.0, 2.0, 4.0], [7.0, 7.0, 7.0]])
    three = Structure(centres=centres, radii=np.ones(3), box=(10.0, 10.0, 10.0))
    assert specific_surface(three) == pytest.approx(12 * np.pi / 1000)
    assert aggregate_size(three) == 1.5
