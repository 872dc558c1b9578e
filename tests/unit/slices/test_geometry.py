"""Orientations are uniform, reach is what slices take, physical directions become voxel vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from microtome.errors import InputError
from microtome.slices.geometry import ORIENTATIONS, Grid, extents, normals, random_axes, spacing_in_voxels, voxel_steps


def frames(n: int, seed: int = 0) -> Any:
    return random_axes(np.random.default_rng(seed), n)


def test_axes_are_orthonormal() -> None:
    axes = frames(500)
    np.testing.assert_allclose(axes @ axes.transpose(0, 2, 1), np.broadcast_to(np.eye(2), (500, 2, 2)), atol=1e-12)


def test_orientations_are_uniform() -> None:
    axes = frames(20_000, seed=1)
    # Archimedes: each component of a uniform direction is uniform on −1 … 1.
    for vectors in (axes[:, 0], axes[:, 1], normals(axes)):
        for component in vectors.T:
            assert kstest(component, "uniform", args=(-1, 2)).pvalue > 1e-4
    # The angle of a uniform rotation has the density (1 − cos θ)/π.
    matrices = np.concatenate([normals(axes)[:, None], axes], axis=1)
    angle = np.arccos(np.clip((np.trace(matrices, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert kstest(angle, lambda t: (t - np.sin(t)) / np.pi).pvalue > 1e-4


@pytest.mark.parametrize(("cone", "seed"), [(0.5, 2), (15.0, 3), (60.0, 4), (90.0, 5)])
def test_a_cone_is_filled_uniformly(cone: float, seed: int) -> None:
    axes = random_axes(np.random.default_rng(seed), 20_000, "cone", cone=cone)
    np.testing.assert_allclose(axes @ axes.transpose(0, 2, 1), np.broadcast_to(np.eye(2), (20_000, 2, 2)), atol=1e-12)
    z, y, x = normals(axes).T
    lowest = np.cos(np.radians(cone))
    assert z.min() >= lowest - 1e-12
    # Archimedes: the height on a cap is uniform; so are the azimuth, and the turn in the plane from where the normal leans.
    assert kstest(z, "uniform", args=(lowest, 1 - lowest)).pvalue > 1e-4
    assert kstest(np.arctan2(y, x), "uniform", args=(-np.pi, 2 * np.pi)).pvalue > 1e-4
    assert kstest(np.arctan2(axes[:, 0, 0], axes[:, 1, 0]), "uniform", args=(-np.pi, 2 * np.pi)).pvalue > 1e-4


def test_xy_is_turned_uniformly() -> None:
    axes = random_axes(np.random.default_rng(6), 20_000, "xy-rotated")
    np.testing.assert_allclose(normals(axes), np.broadcast_to([1.0, 0, 0], (20_000, 3)), atol=1e-12)
    assert kstest(np.arctan2(axes[:, 0, 1], axes[:, 0, 2]), "uniform", args=(-np.pi, 2 * np.pi)).pvalue > 1e-4


def test_a_cone_wider_than_a_half_space_is_refused() -> None:
    with pytest.raises(InputError, match="degrees"):
        random_axes(np.random.default_rng(0), 1, "cone", cone=91.0)


@given(
    spacing=st.tuples(*[st.floats(0.2, 40)] * 3),
    slab=st.floats(0, 6),
    orientation=st.sampled_from(ORIENTATIONS),
    seed=st.integers(0, 10_000),
)
def test_reach_holds_every_point_of_a_slab(
    spacing: tuple[float, float, float], slab: float, orientation: str, seed: int
) -> None:
    grid = Grid(spacing, 8, orientation, cone=30.0, slab=slab)
    axes = grid.axes(np.random.default_rng(seed), 3)
    steps, half = grid.steps(axes), (grid.size - 1) / 2
    corners = [
        a * half * steps[:, 0] + b * half * steps[:, 1] + layer * grid.through(axes)
        for a in (-1, 1)
        for b in (-1, 1)
        for layer in grid.layers
    ]
    np.testing.assert_allclose(grid.reach(axes), np.abs(corners).max(axis=0), atol=1e-9)
    gap = np.diff(grid.layers)
    # As dense as points are in the plane: no layer of the level's voxels is left out.
    assert not gap.size or gap.max() * max(s / f for s, f in zip(spacing, grid.coarseness, strict=True)) <= 1 + 1e-9
    assert grid.layers.mean() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("plane", "normal"), [("xy", 0), ("xz", 1), ("yz", 2)])
def test_fixed_planes(plane: str, normal: int) -> None:
    axes = random_axes(np.random.default_rng(0), 3, plane)
    assert axes.shape == (3, 2, 3)
    assert np.abs(normals(axes))[:, normal].tolist() == [1.0] * 3


def test_unknown_orientation_is_refused() -> None:
    with pytest.raises(InputError, match="zx"):
        random_axes(np.random.default_rng(0), 1, "zx")


@given(seed=st.integers(0, 10_000), h=st.integers(1, 40), w=st.integers(1, 40), step=st.floats(0.1, 5))
def test_extents_are_the_corners(seed: int, h: int, w: int, step: float) -> None:
    axes = frames(4, seed)
    corners = [(i * (h - 1) / 2 * axes[:, 0] + j * (w - 1) / 2 * axes[:, 1]) * step for i in (-1, 1) for j in (-1, 1)]
    np.testing.assert_allclose(extents(axes, (h, w), step), np.abs(corners).max(axis=0), atol=1e-9)


def test_lengths_become_voxels() -> None:
    assert spacing_in_voxels(2.0, "voxel", None, "voxel") == (2.0, 2.0, 2.0)
    assert spacing_in_voxels(0.02, "um", (10.0, 4.0, 5.0), "nm") == pytest.approx((2.0, 5.0, 4.0))
    with pytest.raises(InputError, match="not known"):
        spacing_in_voxels(2.0, "nm", None, "voxel")


def test_steps_have_physical_length() -> None:
    size = np.array([10.0, 4.0, 5.0])
    steps = voxel_steps(frames(20), spacing_in_voxels(3.0, "nm", tuple(size), "nm"))
    np.testing.assert_allclose(np.linalg.norm(steps * size, axis=2), 3.0)


@pytest.mark.parametrize(
    ("spacing", "points", "coarseness"),
    [(0.3, 1, 1), (1.0, 1, 1), (1.4, 1, 1), (1.6, 2, 1), (4.0, 4, 1), (7.9, 8, 1), (8.0, 4, 2), (100.0, 6, 16)],
)
def test_wide_pixels_are_means(spacing: float, points: int, coarseness: int) -> None:
    grid = Grid((spacing,) * 3, 8, "random")
    assert grid.oversampling == points
    assert grid.coarseness == (coarseness,) * 3
    image = np.arange(grid.size**2, dtype=np.float32).reshape(1, grid.size, grid.size)
    pixels = grid.average(image)
    assert pixels.shape == (1, 8, 8)
    assert pixels.mean() == pytest.approx(image.mean())
    assert pixels[0, 0, 0] == pytest.approx(image[0, :points, :points].mean())
