"""Pixels wider than voxels do not alias, slabs are means along the normal, periodic structures go on at their other side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from microtome.plugin import Structure
from microtome.slices.blocks.split import Box, draw_pose, whole
from microtome.slices.geometry import Grid
from microtome.slices.plan import SlicePlan
from microtome.slices.planes.cut import sample
from microtome.slices.planes.levels import level_of
from microtome.slices.planes.sampler import Sampler
from microtome.slices.planes.voxels import cut_voxels
from microtome.slices.source import grid_of
from microtome.volumes.bricks import open_copy
from microtome.volumes.copies.copying import copy_volume
from microtome.volumes.particles.simulate import voxelise
from microtome.volumes.volume import Volume

EDGE = 160
MIDDLE = np.full(3, (EDGE - 1) / 2)


def poses(grid: Grid, n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    drawn = [draw_pose(rng, Box((0, 0, 0), (EDGE,) * 3), grid) for _ in range(n)]
    return np.array([d[0] for d in drawn]), np.array([d[1] for d in drawn])


@pytest.fixture(scope="module")
def zones() -> Volume:
    """A zone plate: at r voxels from the middle, r / EDGE cycles a voxel, whatever the direction."""
    z, y, x = np.indices((EDGE,) * 3, dtype=np.float32) - MIDDLE[0]
    return Volume.from_array((127.5 + 127.5 * np.cos(np.pi * (z * z + y * y + x * x) / EDGE)).astype(np.uint8))


# A mean over a square lets 1 / (π f) of the amplitude pass at f cycles a pixel.
@pytest.mark.parametrize(("pixel", "decibels"), [(4.0, 10.0), (6.0, 13.0), (8.0, 14.0), (16.0, 22.0)])
def test_what_is_finer_than_a_pixel_makes_no_moire(zones: Volume, pixel: float, decibels: float) -> None:
    grid = Grid((pixel,) * 3, int(100 / pixel), "random")
    axes = grid.axes(np.random.default_rng(1), 24)
    centres = np.tile(MIDDLE, (24, 1))
    made = cut_voxels(zones, grid, centres, axes)
    single = sample(zones, centres, axes * pixel, size=grid.pixels)
    place = (np.arange(grid.pixels) - (grid.pixels - 1) / 2) * pixel
    cycles = np.hypot(place[:, None], place[None]) / EDGE * pixel  # a pixel
    beyond = cycles > 0.5
    power = [np.mean((images[:, beyond] - 127.5) ** 2) for images in (made, single)]
    assert 10 * np.log10(power[1] / power[0]) > decibels


def test_pixels_of_a_coarser_level_are_the_means_of_what_they_cover() -> None:
    rng = np.random.default_rng(2)
    volume = Volume.from_array(np.kron(rng.integers(0, 256, (20,) * 3), np.ones((8, 8, 8))).astype(np.uint8))
    grid = Grid((8.0,) * 3, 8, "xy")
    assert grid.coarseness == (2, 2, 2)
    # Pixels on whole cells, in the middle of their depth: only at the cells' borders does the level's blend matter.
    image = cut_voxels(volume, grid, np.array([[43.5, 79.5, 79.5]]), grid.axes(rng, 1))[0]
    assert image == pytest.approx(volume.as_array()[43, 48:112, 48:112].reshape(8, 8, 8, 8).mean((1, 3)), abs=14)
    smooth = np.add.outer(np.add.outer(np.arange(160.0), 2 * np.arange(160.0)), 3 * np.arange(160.0))
    grid = Grid((16.0,) * 3, 4, "random")
    centres, axes = poses(grid, 6)
    found = cut_voxels(Volume.from_array(smooth), grid, centres, axes)
    place = (np.arange(4) - 1.5) * 16
    points = centres[:, None, None] + place[:, None, None] * axes[:, None, None, 0] + place[:, None] * axes[:, None, None, 1]
    assert found == pytest.approx(points @ np.array([1.0, 2.0, 3.0]), rel=1e-5)


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_a_copy_and_the_memory_give_the_same_bits(dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    array = (rng.random((130, 140, 150)) * 255).astype(dtype)
    np.save(tmp_path / "v.npy", array)
    plain = Volume.from_array(array)
    assert copy_volume(plain, tmp_path / "copy", lambda _: False, source=tmp_path / "v.npy")
    bricks = open_copy(tmp_path / "copy", tmp_path / "v.npy")
    assert bricks is not None
    copied = Volume(voxels=bricks)
    for coarseness in ((2, 2, 2), (4, 4, 4), (1, 4, 2), (8, 8, 8)):
        one, factor = level_of(plain, coarseness)
        other, same = level_of(copied, coarseness)
        assert factor == same == coarseness
        np.testing.assert_array_equal(one[:], other[:])
    grid = Grid((9.0,) * 3, 8, "random")
    centres, axes = np.full((5, 3), 65.0) + rng.random((5, 3)), grid.axes(rng, 5)
    np.testing.assert_array_equal(cut_voxels(plain, grid, centres, axes), cut_voxels(copied, grid, centres, axes, threads=1))


def test_phases_keep_their_numbers() -> None:
    labels = np.random.default_rng(4).choice([0, 7, 200], (64, 64, 64)).astype(np.uint8)
    level, _ = level_of(Volume.from_array(labels), (4, 4, 4))
    assert level.shape == (16, 16, 16)
    assert set(np.unique(level[:])) <= {0, 7, 200}


def test_a_micrograph_has_levels_in_its_plane() -> None:
    level, factor = level_of(Volume.from_array(np.arange(6400.0).reshape(1, 80, 80)), (4, 4, 4))
    assert (level.shape, factor) == ((1, 20, 20), (1, 4, 4))


def test_a_slab_is_the_mean_along_the_normal() -> None:
    z = np.arange(float(EDGE)) - MIDDLE[0]
    square = Volume.from_array(np.broadcast_to((z**2)[:, None, None], (EDGE,) * 3).copy())
    for slab in (4.0, 7.5, 20.0):
        grid = Grid((1.0,) * 3, 8, "xy", slab=slab)
        image = cut_voxels(square, grid, MIDDLE[None], grid.axes(np.random.default_rng(0), 1))
        # The mean of z² through the slab is T² / 12; of layers that are a voxel apart, as voxels are, a little less.
        assert image.mean() == pytest.approx(slab**2 / 12, abs=0.3)
    flat = Grid((1.0,) * 3, 8, "xy", slab=20.0)
    along = Volume.from_array(np.broadcast_to(z, (EDGE,) * 3).copy())
    plane = cut_voxels(along, Grid((1.0,) * 3, 8, "xy"), MIDDLE[None], flat.axes(np.random.default_rng(0), 1))
    slabs = cut_voxels(along, flat, MIDDLE[None], flat.axes(np.random.default_rng(0), 1))
    assert slabs == pytest.approx(plane, abs=1e-4)


def test_a_slab_lies_wholly_inside_its_block() -> None:
    grid = Grid((1.0,) * 3, 32, "random", slab=24.0)
    noise = Volume.from_array(np.random.default_rng(5).random((EDGE,) * 3))
    centres, axes = poses(grid, 40)
    assert np.isfinite(cut_voxels(noise, grid, centres, axes)).all()


def spheres(periodic: Any = True) -> Volume:
    rng = np.random.default_rng(6)
    structure = Structure(centres=rng.random((60, 3)) * 96, radii=rng.uniform(6, 12, 60), box=(96.0,) * 3, periodic=periodic)
    return voxelise(structure, 1.0)


def test_periodic_structures_are_cut_anywhere() -> None:
    volume = spheres()
    plan = SlicePlan(field_of_view=80, unit="nm", pixels=80, positions="anywhere", thickness=6)
    grid = grid_of(volume, plan, name="it")
    assert grid.period == volume.shape
    assert whole(volume.shape, grid, plan, "train").admissible == {"train": 1.0}  # 80·√2 > 96: else hardly any would fit
    rng = np.random.default_rng(7)
    drawn = [draw_pose(rng, Box((0, 0, 0), volume.shape), grid) for _ in range(300)]
    centres, axes = np.array([d[0] for d in drawn]), np.array([d[1] for d in drawn])
    assert centres.min() < 2
    assert centres.max() > 94
    exact = Sampler.of(volume, grid, plan).cut(centres, axes)
    drawn_out = cut_voxels(volume, grid, centres, axes)
    # The same structure twice: analytic discs, and the voxels that are drawn of it, beyond its box as inside.
    assert np.isfinite(drawn_out).all()
    assert np.abs(exact - drawn_out).mean() < 4
    fractions = drawn_out.mean(axis=(1, 2)) / 255
    error = fractions.std() / np.sqrt(len(fractions))
    assert abs(fractions.mean() - volume.as_array().mean() / 255) < 4 * error


def test_open_structures_and_blocks_end_where_they_end() -> None:
    plan = SlicePlan(field_of_view=40, unit="nm", pixels=40, positions="anywhere")
    assert grid_of(spheres(periodic=False), plan, name="it").period == (0, 0, 0)
    grid = grid_of(spheres(), plan, name="it")
    rng = np.random.default_rng(8)
    block = Box((0, 0, 0), (48, 96, 96))
    drawn = [draw_pose(rng, block, grid) for _ in range(200)]
    reach = grid.reach(np.array([d[1] for d in drawn]))
    z = np.array([d[0][0] for d in drawn])
    assert ((z >= reach[:, 0] - 1e-9) & (z <= 47 - reach[:, 0] + 1e-9)).all()
    assert np.array([d[0][1] for d in drawn]).min() < 5
