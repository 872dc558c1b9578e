"""Coverage: what slices read, against a count by hand and by the weights of trilinear interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.slices.blocks.split import SETS, Box
from microtome.slices.geometry import PLANES, Grid, random_axes
from microtome.slices.plan import SlicePlan
from microtome.slices.planes.cut import sample
from microtome.slices.planned import planned
from microtome.slices.trust.coverage import cell_of, coverage
from microtome.volumes.volume import Volume


def test_one_plane_on_voxels_and_one_between_two_layers() -> None:
    grid = Grid((1.0, 1.0, 1.0), 4, "xy")
    centres = np.array([[2.0, 3.5, 3.5], [4.5, 3.5, 3.5]])
    axes = np.repeat(np.array([PLANES["xy"]]), 2, axis=0)
    found = coverage((8, 8, 8), grid, centres, axes, np.array([0, 2]))
    assert found is not None
    expected = np.zeros((3, 8, 8, 8), np.uint16)
    expected[0, 2, 2:6, 2:6] = 1
    expected[2, 4:6, 2:6, 2:6] = 1
    np.testing.assert_array_equal(found.counts, expected)
    assert found.share("train") == pytest.approx(16 / 512)
    assert found.share("evaluation") == pytest.approx(32 / 512)
    assert found.share_of("train", Box((2, 0, 0), (3, 8, 8))) == pytest.approx(16 / 64)
    assert found.shared() == 0.0


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), cell_count=st.sampled_from([10**6, 200]))
def test_a_voxel_is_covered_exactly_where_it_changes_the_slice(seed: int, cell_count: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (8, 9, 10)
    grid = Grid((0.9, 0.9, 0.9), 5, "random")
    axes = random_axes(rng, 1)
    centres = rng.uniform(2.6, 4.4, (1, 3))  # 2.55 voxels reach the corners: no slice leaves the volume
    found = coverage(shape, grid, centres, axes, np.array([1]), most_cells=cell_count)
    assert found is not None
    touched = np.zeros(shape, bool)
    before = grid.average(sample(np.zeros(shape, np.float32), centres, grid.steps(axes), size=grid.size))
    for z, y, x in np.ndindex(*shape):
        one = np.zeros(shape, np.float32)
        one[z, y, x] = 1e6
        after = sample(one, centres, grid.steps(axes), size=grid.size)
        touched[z, y, x] = np.abs(after - before).max() > 1e-2
    cell = cell_of(shape, cell_count)
    assert (cell == 1) == (cell_count == 10**6)
    if cell == 1:
        np.testing.assert_array_equal(found.counts[1] > 0, touched)
    else:
        z, y, x = (n // cell for n in np.nonzero(touched))
        assert (found.counts[1][z, y, x] == 1).all(), "no cell with a voxel that is read is left out"


def test_cells_cut_off_at_the_end_count_for_what_they_hold() -> None:
    found = coverage(
        (5, 4, 4),
        Grid((1.0, 1.0, 1.0), 4, "xy"),
        np.array([[4.0, 1.5, 1.5]]),
        np.array([PLANES["xy"]]),
        np.array([0]),
        most_cells=12,
    )
    assert found is not None
    assert found.cell == 2
    assert found.share("train") == pytest.approx(1 / 5)


def test_the_sets_of_a_plan_share_no_voxel() -> None:
    volume = Volume.from_array(np.zeros((60, 60, 60), np.uint8))
    plan = SlicePlan(field_of_view=16, pixels=16, train=60, validation=20, evaluation=20)
    made = planned(volume, plan, label=0, number=0, volumes=1, name="v")
    found = coverage(volume.shape, made.grid, made.centres, made.axes, made.sets)
    assert found is not None
    assert found.shared() == 0.0
    assert 0 < found.share("validation") < found.share_of("validation", made.blocks.boxes["validation"]) <= 1
    for name in SETS:
        box = made.blocks.boxes[name]
        outside = found.counts[SETS.index(name)].copy()
        outside[tuple(slice(a, b) for a, b in zip(box.low, box.high, strict=True))] = 0
        assert not outside.any()


def test_counting_ends_when_it_is_no_longer_wanted() -> None:
    axes = random_axes(np.random.default_rng(0), 1000)
    assert (
        coverage(
            (9, 9, 9),
            Grid((1.0, 1.0, 1.0), 2, "random"),
            np.full((1000, 3), 4.0),
            axes,
            np.zeros(1000, np.int64),
            superseded=lambda: True,
        )
        is None
    )
