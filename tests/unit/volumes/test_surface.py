"""Overviews and isosurfaces: true lengths, closed, of bounded size, whatever the volume."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from microtome.volumes import surface
from microtome.volumes.surface import Overview, isosurface, otsu_level, overview
from microtome.volumes.volume import Volume


def ball(shape: tuple[int, int, int], pitch: tuple[float, float, float], radius: float) -> NDArray[np.uint8]:
    axes = [(np.arange(n) + 0.5) * p - n * p / 2 for n, p in zip(shape, pitch, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    # One voxel of slope at the rim: the level surface lies where it should, not on a staircase.
    away = radius - np.sqrt(z**2 + y**2 + x**2)
    return (255 * np.clip(away / max(pitch) + 0.5, 0, 1)).astype(np.uint8)


def volume_within(made: surface.Surface) -> float:
    """The signed volume of a closed mesh (divergence theorem)."""
    a, b, c = (made.vertices[made.faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def test_a_ball_in_anisotropic_voxels_is_round() -> None:
    pitch, radius = (25.0, 10.0, 10.0), 150.0
    view = overview(Volume.from_array(ball((24, 60, 60), pitch, radius), pitch, "nm"))
    assert view.box == (600.0, 600.0, 600.0)
    made = isosurface(view)
    away = np.linalg.norm(made.vertices - 300.0, axis=1)
    assert away.mean() == pytest.approx(radius, rel=0.03)
    assert away.std() < 6.0
    assert abs(volume_within(made)) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.06)
    outward = (made.vertices - 300.0) / away[:, None]
    assert np.abs((made.normals * outward).sum(axis=1)).mean() > 0.97, "normals stand on the surface, not on the voxels"


def test_what_reaches_the_faces_is_closed_there() -> None:
    voxels = np.zeros((20, 20, 20), np.uint8)
    voxels[:, :10] = 255
    made = isosurface(overview(Volume.from_array(voxels)))
    assert abs(volume_within(made)) == pytest.approx(20 * 10 * 20, rel=0.05)
    assert made.vertices.min(axis=0).tolist() == [0, 0, 0]
    assert made.vertices.max(axis=0)[[0, 2]].tolist() == [20, 20]


@settings(deadline=None, max_examples=40)
@given(st.tuples(*[st.integers(1, 40)] * 3), st.integers(2, 12), st.tuples(*[st.floats(0.5, 20)] * 3))
def test_an_overview_keeps_size_and_mean(shape: tuple[int, int, int], most: int, pitch: tuple[float, float, float]) -> None:
    voxels = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    view = overview(Volume.from_array(voxels, pitch, "nm"), most=most)
    assert view.voxels.size <= most**3
    assert view.box == tuple(n * p for n, p in zip(shape, pitch, strict=True))
    assert voxels.min() <= view.voxels.min() <= view.voxels.max() <= voxels.max()


class Watched:
    """Voxels that note how much of them is read."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape, self.dtype = shape, np.dtype(np.uint8)
        self.largest = self.total = 0

    def __getitem__(self, key: object) -> NDArray[np.uint8]:
        part = np.broadcast_to(np.uint8(7), self.shape)[key]  # type: ignore[index]
        self.largest, self.total = max(self.largest, part.size), self.total + part.size
        return np.array(part)


def test_of_a_huge_volume_little_is_read() -> None:
    voxels = Watched((3000, 2000, 2000))
    view = overview(Volume(voxels=voxels))
    assert view.voxels.size <= surface.MOST**3
    assert view.voxels.shape[0] > 100
    assert (view.voxels == 7).all()
    assert voxels.largest <= 2000 * 2000
    assert voxels.total < 2**28


def test_nan_and_constant_volumes_have_no_surface_and_do_no_harm() -> None:
    voxels = np.full((12, 12, 12), np.nan, np.float32)
    view = overview(Volume.from_array(voxels))
    assert np.isfinite(view.voxels).all()
    assert len(isosurface(view).faces) == 0
    voxels[:] = 3.0
    voxels[2, 2, 2] = np.inf
    flat = isosurface(overview(Volume.from_array(voxels)), 99.0)
    assert flat.faces.shape == (0, 3)
    assert view.levels()[0] < view.levels()[1]


def test_noise_is_meshed_coarser_until_it_is_few_triangles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface, "_MOST_FACES", 20_000)
    rng = np.random.default_rng(0)
    view = Overview(voxels=rng.random((64, 64, 64), dtype=np.float32), box=(64.0, 64.0, 64.0), unit="nm", shape=(64, 64, 64))
    made = isosurface(view)
    assert 0 < len(made.faces) <= 20_000
    assert made.vertices.max() <= 64.0


def test_otsu_parts_two_kinds() -> None:
    rng = np.random.default_rng(1)
    voxels = np.concatenate([rng.normal(50, 5, 3000), rng.normal(150, 10, 1000)]).astype(np.float32)
    assert 75 < otsu_level(voxels) < 125
    two = np.array([0, 0, 0, 1], np.float32)
    assert otsu_level(two) == pytest.approx(0.5, abs=0.01)
