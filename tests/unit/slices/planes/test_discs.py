"""Slices of particles without voxels: exact areas, every image of a periodic box, the same as drawn voxels give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.plugin import Structure
from microtome.slices.geometry import random_axes
from microtome.slices.planes.cut import cut
from microtome.slices.planes.discs import CellList, cut_discs
from microtome.volumes.particles.simulate import simulate, voxelise

Array = NDArray[np.float64]
FLAT = np.array([[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])


def ball(radius: float = 10.0, *, at: float = 50.0, edge: float = 100.0, periodic: bool = True) -> Structure:
    return Structure(centres=np.full((1, 3), at), radii=np.array([radius]), box=(edge,) * 3, periodic=periodic)


@given(
    radius=st.floats(0.3, 30.0),
    height=st.floats(-0.999, 0.999),
    pixel=st.floats(0.2, 9.0),
    seed=st.integers(0, 99),
    offset=st.floats(-3.0, 3.0),
)
@settings(max_examples=60, deadline=None)
def test_a_disc_has_its_exact_area(radius: float, height: float, pixel: float, seed: int, offset: float) -> None:
    axes = random_axes(np.random.default_rng(seed), 1, "random")
    down, right = axes[0]
    place = 50.0 + np.cross(down, right) * height * radius + offset * down - 0.7 * offset * right
    size = int(80 / pixel) + 3
    share = cut_discs(ball(radius, periodic=False), place[None], axes, size=size, pixel=pixel)
    assert share.sum(dtype=np.float64) * pixel**2 == pytest.approx(np.pi * radius**2 * (1 - height**2), rel=1e-4)
    assert share.min() >= 0
    assert share.max() <= 1


def test_each_pixel_is_its_covered_share() -> None:
    """Against counting points in every pixel."""
    share = cut_discs(ball(7.3), np.array([[50.0, 51.3, 48.9]]), FLAT, size=(23, 31), pixel=1.7)[0]
    fine = 200
    y = ((np.arange(23 * fine) + 0.5) / fine - 11.5) * 1.7 + 51.3 - 50
    x = ((np.arange(31 * fine) + 0.5) / fine - 15.5) * 1.7 + 48.9 - 50
    inside = (y[:, None] ** 2 + x[None] ** 2) <= 7.3**2
    counted = inside.reshape(23, fine, 31, fine).mean(axis=(1, 3))
    np.testing.assert_allclose(share, counted, atol=2e-3)


@pytest.mark.parametrize("thickness", [0.5, 5.0, 15.0, 19.9, 20.0, 60.0])
def test_a_slab_holds_the_exact_volume(thickness: float) -> None:
    """Of a sphere cut symmetrically: π·h·(2R² − 2h²/3) with h half the slab, at most the whole sphere."""
    share = cut_discs(ball(), np.full((1, 3), 50.0), FLAT, size=40, pixel=1.0, thickness=thickness)
    half = min(thickness / 2, 10.0)
    assert share.sum(dtype=np.float64) * thickness == pytest.approx(np.pi * (200 * half - 2 * half**3 / 3), rel=1e-5)


def test_a_slabs_pixels_are_exact_to_a_thousandth() -> None:
    """Against the mean of two thousand planes, where pixels are finer than the sphere is curved."""
    place = np.array([[53.1, 50.4, 49.7]])
    planes = place + np.linspace(-6, 6, 4001)[1::2, None] * np.array([[1.0, 0, 0]])
    many = cut_discs(ball(), planes, np.repeat(FLAT, len(planes), axis=0), size=24, pixel=1.0).mean(axis=0, dtype=np.float64)
    slab = cut_discs(ball(), place, FLAT, size=24, pixel=1.0, thickness=12.0)[0]
    assert np.abs(slab - many).max() < 1e-3
    assert np.abs(slab - many).mean() < 1e-4


def test_periodic_images_take_part() -> None:
    """A ball on a corner of the box is seen in eight parts, and a slice of three boxes' width shows nine balls."""
    corner = ball(10.0, at=0.0)
    near = cut_discs(corner, np.array([[1.0, 0.0, 0.0], [99.0, 100.0, 0.0]]), np.repeat(FLAT, 2, axis=0), size=40, pixel=1.0)
    assert near[0].sum() == pytest.approx(np.pi * 99, rel=1e-4)
    np.testing.assert_allclose(near[0], near[1], atol=1e-6)
    wide = cut_discs(ball(), np.full((1, 3), 50.0), FLAT, size=300, pixel=1.0)
    assert wide.sum() == pytest.approx(9 * np.pi * 100, rel=1e-4)
    alone = cut_discs(ball(periodic=False), np.full((1, 3), 50.0), FLAT, size=300, pixel=1.0)
    assert alone.sum() == pytest.approx(np.pi * 100, rel=1e-4)


@pytest.fixture(scope="module")
def filler() -> Structure:
    return simulate("n-sbr", seed=3, parameters={"edge": 400.0})


def test_the_mean_share_is_the_volume_fraction(filler: Structure) -> None:
    """Cavalieri: over uniform planes, within four standard errors; for every size of pixel."""
    rng = np.random.default_rng(1)
    centres, axes = rng.random((400, 3)) * 400, random_axes(rng, 400, "random")
    cells = CellList.of(filler)
    for size, pixel in ((64, 4.0), (8, 32.0)):
        means = cut_discs(cells, centres, axes, size=size, pixel=pixel).mean(axis=(1, 2), dtype=np.float64)
        assert abs(means.mean() - 0.2) < 4 * means.std() / 20


def test_drawn_voxels_give_nearly_the_same_picture(filler: Structure) -> None:
    volume = voxelise(filler, 2.0)
    rng = np.random.default_rng(2)
    axes = random_axes(rng, 20, "random")
    centres = 100 + rng.random((20, 3)) * 200  # nm; voxel i reaches from i to i + 1 edges
    drawn = cut(volume, centres / 2.0 - 0.5, axes, size=(48, 48), step=1.0) / 255
    exact = cut_discs(filler, centres, axes, size=48, pixel=2.0)
    assert np.sqrt(np.mean((drawn - exact) ** 2)) < 0.08  # the voxels are softer
    assert abs(float(drawn.mean() - exact.mean())) < 2e-3
    assert np.corrcoef(drawn.ravel(), exact.ravel())[0, 1] > 0.98


@given(seed=st.integers(0, 50), periodic=st.tuples(st.booleans(), st.booleans(), st.booleans()))
@settings(max_examples=25, deadline=None)
def test_the_cell_list_misses_nothing(seed: int, periodic: tuple[bool, bool, bool]) -> None:
    """Against drawing every image of every particle, in boxes that are no cubes and narrower than the slice."""
    rng = np.random.default_rng(seed)
    box = tuple(float(v) for v in rng.uniform(20, 90, 3))
    many = rng.integers(1, 60)
    made = Structure(centres=rng.random((many, 3)) * box, radii=rng.uniform(0.5, 6, many), box=box, periodic=periodic)
    axes = random_axes(rng, 1, "random")
    place = rng.random((1, 3)) * box
    found = cut_discs(made, place, axes, size=30, pixel=1.5)[0]
    moves = np.stack(np.meshgrid(*[range(-3, 4) if p else (0,) for p in periodic], indexing="ij"), axis=-1).reshape(-1, 3)
    images = (made.centres[:, None] + moves * np.array(box)).reshape(-1, 3)
    open_box = Structure(
        centres=np.concatenate([images, [[1e4] * 3]]),  # far away: the cells must not depend on the box
        radii=np.concatenate([np.repeat(made.radii, len(moves)), [1.0]]),
        box=box,
        periodic=False,
    )
    np.testing.assert_allclose(found, cut_discs(open_box, place, axes, size=30, pixel=1.5)[0], atol=1e-5)


def test_threads_make_no_difference(filler: Structure) -> None:
    rng = np.random.default_rng(5)
    centres, axes = rng.random((40, 3)) * 400, random_axes(rng, 40, "random")
    one, two = (cut_discs(filler, centres, axes, size=32, pixel=3.0, thickness=4.0, threads=n) for n in (1, 2))
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("wrong", [{"pixel": 0.0}, {"pixel": -1.0}, {"thickness": -1.0}, {"pixel": float("nan")}, {"size": 0}])
def test_senseless_numbers_are_refused(wrong: dict[str, float]) -> None:
    settings_ = {"pixel": 1.0, "size": 8, **wrong}
    with pytest.raises(InputError):
        cut_discs(ball(), np.zeros((1, 3)), FLAT, **settings_)  # type: ignore[arg-type]
