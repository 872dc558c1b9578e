"""The leak meter's geometry against brute force: distances of rectangles, shared voxels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.slices.blocks.split import SETS, draw_pose, separate
from microtome.slices.geometry import Array, Grid, random_axes
from microtome.slices.plan import SlicePlan
from microtome.slices.trust import leak
from microtome.slices.trust.leak import Placed, nearest, rectangle_distances, shared_voxels, smallest_distance


def placed(centres: Array, axes: Array, sets: Array, pixels: int = 9, spacing: float = 1.0, edge: int = 60) -> Placed:
    return Placed(
        shape=(edge,) * 3, spacing=(spacing,) * 3, pixels=pixels, centres=centres, axes=axes, sets=sets.astype(np.int64)
    )


def random_slices(seed: int, n: int, low: float, high: float, **more: int) -> Placed:
    rng = np.random.default_rng(seed)
    return placed(rng.uniform(low, high, (n, 3)), random_axes(rng, n), np.zeros(n), **more)


def by_points(a: Array, b: Array, n: int = 33) -> float:
    """The distance between two rectangles by points on a fine grid: an upper bound, by at most a grid step."""
    t = np.linspace(0, 1, n)
    grids = [(r[0] + t[:, None, None] * (r[1] - r[0]) + t[None, :, None] * (r[3] - r[0])).reshape(-1, 3) for r in (a, b)]
    return float(np.sqrt(((grids[0][:, None] - grids[1][None]) ** 2).sum(-1)).min())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), apart=st.floats(0, 12))
def test_the_distance_of_two_rectangles_is_that_of_their_nearest_points(seed: int, apart: float) -> None:
    one, other = random_slices(seed, 1, 20, 24), random_slices(seed + 1, 1, 20 + apart, 24 + apart)
    a, b = one.corners(), other.corners()
    exact = float(rectangle_distances(a, b)[0])
    near = by_points(a[0], b[0])
    step = 8 / 32
    assert exact <= near + 1e-9
    assert near <= exact + 2 * step
    assert float(rectangle_distances(b, a)[0]) == pytest.approx(exact, abs=1e-9)


def test_known_distances() -> None:
    flat = random_axes(np.random.default_rng(0), 2, "xy")
    upright = random_axes(np.random.default_rng(0), 1, "xz")
    at = np.array([[10.0, 20, 20], [13.5, 20, 20]])
    one, other = placed(at[:1], flat[:1], np.zeros(1)), placed(at[1:], flat[1:], np.zeros(1))
    assert smallest_distance(one, other).pixels == pytest.approx(3.5)
    aside = placed(np.array([[10.0, 20, 31]]), flat[:1], np.zeros(1))
    assert smallest_distance(one, aside).pixels == pytest.approx(3.0), "in one plane, side by side"
    through = placed(np.array([[10.0, 20, 20]]), upright, np.zeros(1))
    assert smallest_distance(one, through).pixels == 0
    assert smallest_distance(one, one).pixels == 0, "a plane in itself"


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), axis=st.integers(0, 2), apart=st.floats(0, 25))
def test_the_smallest_of_all_pairs_is_found(seed: int, axis: int, apart: float) -> None:
    one, other = random_slices(seed, 40, 10, 20), random_slices(seed + 1, 30, 10, 20)
    other.centres[:, axis] += apart
    a, b = one.corners(), other.corners()
    every = min(float(rectangle_distances(a[i : i + 1], b[j : j + 1])[0]) for i, j in itertools.product(range(40), range(30)))
    found = smallest_distance(one, other)
    assert found.exact
    assert found.pixels == pytest.approx(every, abs=1e-9)


def test_many_pairs_give_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leak, "_PAIRS", 10)
    one, other = random_slices(0, 2000, 10, 20), random_slices(1, 2000, 40, 50)
    bound = smallest_distance(one, other)
    monkeypatch.undo()
    assert not bound.exact
    assert bound.pixels >= smallest_distance(one, other).pixels


def sets_of(plan: SlicePlan, edge: int, n: int, seed: int = 0) -> Placed:
    grid = Grid((plan.field_of_view / plan.pixels,) * 3, plan.pixels, plan.orientation)
    blocks = separate((edge,) * 3, grid, plan)
    rng = np.random.default_rng(seed)
    sets = np.arange(n) % 3
    poses = [draw_pose(rng, blocks.boxes[SETS[s]], grid) for s in sets]
    return placed(np.array([p[0] for p in poses]), np.array([p[1] for p in poses]), sets, plan.pixels, grid.spacing[0], edge)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), guard=st.integers(0, 8), field=st.floats(8, 20), pixels=st.integers(8, 24))
def test_sets_of_blocks_share_no_voxel_and_keep_their_distance(seed: int, guard: int, field: float, pixels: int) -> None:
    cut = sets_of(SlicePlan(field_of_view=field, pixels=pixels, guard=guard), 64, 60, seed)
    shared = shared_voxels(cut)
    assert shared.both == 0
    distance = nearest(cut)
    assert distance is not None
    # The last voxel of one block and the first of the next lie one more than the voxels between them apart.
    assert distance.pixels * cut.spacing[0] >= guard + 1 - 1e-9


def test_blocks_that_overlap_share_voxels() -> None:
    cut = sets_of(SlicePlan(field_of_view=16, pixels=16, guard=1), 64, 90)
    moved = Placed(**{**vars(cut), "centres": np.clip(cut.centres, 29, 35)})
    shared = shared_voxels(moved)
    assert 0 < shared.share < 1
    assert nearest(moved) == leak.Nearest(0.0)
    touched = [{tuple(v) for voxels in leak._touched(moved.of(name)) for v in voxels.tolist()} for name in SETS]
    both = (touched[0] & touched[1]) | (touched[0] & touched[2]) | (touched[1] & touched[2])
    assert shared.both == len(both)
    assert shared.any == len(touched[0] | touched[1] | touched[2])


def test_one_set_alone_has_no_distance() -> None:
    assert nearest(random_slices(0, 5, 10, 20)) is None
    assert shared_voxels(random_slices(0, 5, 10, 20)).share == 0
