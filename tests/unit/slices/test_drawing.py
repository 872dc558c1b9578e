"""Slices that may not be kept are drawn again from their own generator, and counted."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.errors import InputError
from microtome.slices.blocks.split import Box
from microtome.slices.drawing import draw, is_empty
from microtome.slices.geometry import Grid
from microtome.slices.plan import SlicePlan
from microtome.slices.planes.sampler import Sampler
from microtome.volumes.volume import Volume

PLAN = SlicePlan(field_of_view=8, pixels=8)
BOX = Box((0, 0, 0), (40, 40, 40))


def half_empty() -> Volume:
    voxels = np.random.default_rng(0).normal(100, 10, (40, 40, 40)).astype(np.float32)
    voxels[:, :20] = 0
    return Volume.from_array(voxels)


def generators(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng(np.random.SeedSequence(5, spawn_key=(i,))) for i in range(n)]


def sampler() -> Sampler:
    return Sampler.of(half_empty(), Grid((1.0, 1.0, 1.0), 8, "random"), PLAN)


def test_empty_slices_are_drawn_elsewhere_and_counted() -> None:
    every = draw(sampler(), [BOX] * 60, generators(60), name="a.tif")
    some = draw(sampler(), [BOX] * 60, generators(60), contrast=5.0, name="a.tif")
    empty = is_empty(every.images, 5.0)
    assert 5 < empty.sum() < 55
    assert not is_empty(some.images, 5.0).any()
    assert some.empty >= empty.sum()
    assert every.empty == every.nonfinite == 0
    # What was not empty stays what it was, whatever lies beside it.
    np.testing.assert_array_equal(some.images[~empty], every.images[~empty])
    again = draw(sampler(), [BOX] * 60, generators(60), contrast=5.0, name="a.tif")
    np.testing.assert_array_equal(again.images, some.images)
    alone = draw(sampler(), [BOX], generators(60)[7:8], contrast=5.0, name="a.tif")
    np.testing.assert_array_equal(alone.images[0], some.images[7])


def test_a_block_that_shows_nothing_is_said() -> None:
    with pytest.raises(InputError, match=r"a\.tif shows hardly anything"):
        draw(sampler(), [Box((0, 0, 0), (40, 18, 40))] * 2, generators(2), contrast=5.0, name="a.tif")
