"""Orientations are uniform, reach is what slices take, physical directions become voxel vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from microtome.errors import InputError
from microtome.slices.geometry import Grid, extents, normals, random_axes, spacing_in_voxels, voxel_steps


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


@pytest.mark.parametrize(("spacing", "points"), [(0.3, 1), (1.0, 1), (1.4, 1), (1.6, 2), (4.0, 4), (100.0, 16)])
def test_wide_pixels_are_means(spacing: float, points: int) -> None:
    grid = Grid((spacing,) * 3, 8, "random")
    assert grid.oversampling == points
    image = np.arange(grid.size**2, dtype=np.float32).reshape(1, grid.size, grid.size)
    pixels = grid.average(image)
    assert pixels.shape == (1, 8, 8)
    assert pixels.mean() == pytest.approx(image.mean())
    assert pixels[0, 0, 0] == pytest.approx(image[0, :points, :points].mean())
