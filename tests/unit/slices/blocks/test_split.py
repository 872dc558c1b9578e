"""Blocks share no voxel, slices stay inside their block, what cannot be separated is said with the size that fits."""

from __future__ import annotations

import dataclasses
import math
import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from microtome.errors import InputError
from microtome.slices.blocks.content import content_of
from microtome.slices.blocks.correlation import Correlation
from microtome.slices.blocks.split import SETS, Box, assign, counts_of, draw_pose, separate, share_out, whole
from microtome.slices.geometry import Grid, random_axes
from microtome.slices.plan import SlicePlan
from microtome.volumes.volume import Volume


def grid_for(plan: SlicePlan, spacing: tuple[float, float, float] | None = None) -> Grid:
    return Grid(spacing or (plan.field_of_view / plan.pixels,) * 3, plan.pixels, plan.orientation)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 90)] * 3),
    field=st.floats(2, 60),
    stretch=st.tuples(*[st.floats(0.4, 2.5)] * 3),
    orientation=st.sampled_from(["random", "xy", "xz", "yz"]),
    split=st.sampled_from(["auto", "depth"]),
    guard=st.floats(0, 6),
    counts=st.tuples(*[st.integers(1, 5000)] * 3),
    seed=st.integers(0, 10_000),
)
def test_slices_stay_in_blocks_that_share_nothing(
    shape: tuple[int, int, int],
    field: float,
    stretch: tuple[float, float, float],
    orientation: str,
    split: str,
    guard: float,
    counts: tuple[int, int, int],
    seed: int,
) -> None:
    train, validation, evaluation = counts
    plan = SlicePlan(
        field_of_view=field, pixels=8, orientation=orientation, split=split, guard=guard,
        train=train, validation=validation, evaluation=evaluation,
    )  # fmt: skip
    grid = grid_for(plan, (field / 8 * stretch[0], field / 8 * stretch[1], field / 8 * stretch[2]))
    try:
        blocks = separate(shape, grid, plan)
    except InputError:
        assume(False)
    taken = np.zeros(shape, dtype=int)
    for box in blocks.boxes.values():
        assert all(0 <= low < high <= edge for low, high, edge in zip(box.low, box.high, shape, strict=True))
        taken[tuple(slice(a, b) for a, b in zip(box.low, box.high, strict=True))] += 1
    assert taken.max() == 1
    assert blocks.gap is not None and blocks.gap >= math.ceil(guard)
    rng = np.random.default_rng(seed)
    for name in SETS:
        box = blocks.boxes[name]
        centre, axes = draw_pose(rng, box, grid)
        i = np.arange(grid.size) - (grid.size - 1) / 2
        steps = grid.steps(axes[None])[0]
        points = centre + i[:, None, None] * steps[0] + i[None, :, None] * steps[1]
        # Trilinear interpolation reads floor(p) and, where p is no integer, the next voxel.
        assert (points >= np.array(box.low) - 1e-9).all()
        assert (points <= np.array(box.high) - 1 + 1e-9).all()


def test_half_the_edge_of_a_volume_can_be_separated_at_random_orientations() -> None:
    plan = SlicePlan(field_of_view=64, pixels=64)
    blocks = separate((128, 128, 128), grid_for(plan), plan)
    assert all(0.1 < share < 1 for share in blocks.admissible.values())
    assert re.search(r"never cut; \d+ % of them in training", blocks.lost())


def test_small_fields_lose_no_orientation_and_get_room_as_the_images_wanted() -> None:
    plan = SlicePlan(field_of_view=16, pixels=16, train=600, validation=100, evaluation=300)
    blocks = separate((200, 200, 200), grid_for(plan), plan)
    assert blocks.lost() == ""
    room = [math.prod(blocks.boxes[s].shape) for s in SETS]
    assert room[0] > room[2] > room[1]


def test_depth_cuts_along_z_only() -> None:
    plan = SlicePlan(field_of_view=32, pixels=32, split="depth", guard=5)
    blocks = separate((150, 120, 110), grid_for(plan), plan)
    assert all(b.shape[1:] == (120, 110) for b in blocks.boxes.values())
    assert blocks.gap == 5


def test_an_image_is_separated_into_rectangles() -> None:
    plan = SlicePlan(field_of_view=32, pixels=32, orientation="xy", split="depth")
    blocks = separate((1, 200, 300), grid_for(plan), plan)
    assert all(b.shape[0] == 1 for b in blocks.boxes.values())


@pytest.mark.parametrize("edge", [40, 100])
def test_the_size_that_is_said_to_fit_fits(edge: int) -> None:
    plan = SlicePlan(field_of_view=90, pixels=45, orientation="random")
    with pytest.raises(InputError, match=rf"90 voxel, is larger than .*a\.tif \({edge} × {edge} × {edge} voxels\)") as caught:
        separate((edge,) * 3, grid_for(plan), plan, name="a.tif")
    said = float(re.search(r"fits is ([\d.]+) voxel", caught.value.hint).group(1))  # type: ignore[union-attr]
    smaller = SlicePlan(field_of_view=said, pixels=45)
    assert separate((edge,) * 3, grid_for(smaller), smaller).boxes


def test_what_is_too_small_to_separate_is_said() -> None:
    plan = SlicePlan(field_of_view=64, pixels=64)
    with pytest.raises(InputError, match="too small to separate"):
        separate((2, 2, 2), grid_for(plan), plan)
    with pytest.raises(InputError, match="list it under images"):
        separate((1, 500, 500), grid_for(plan), plan)
    with pytest.raises(InputError, match=r"larger than b\.tif .*The largest that fits is"):
        whole((60, 60, 60), grid_for(plan), plan, "train", name="b.tif")


def test_a_whole_volume_holds_a_slice_of_its_own_edge() -> None:
    plan = SlicePlan(field_of_view=64, pixels=64, orientation="xz")
    blocks = whole((64, 64, 64), grid_for(plan), plan, "evaluation")
    centre, _ = draw_pose(np.random.default_rng(0), blocks.boxes["evaluation"], grid_for(plan))
    assert centre[0] == centre[2] == 31.5
    assert blocks.gap is None


@given(low=st.tuples(*[st.integers(0, 9)] * 6), size=st.tuples(*[st.integers(1, 9)] * 6))
def test_gap_counts_the_voxels_between(low: tuple[int, ...], size: tuple[int, ...]) -> None:
    a, b = (
        Box(tuple(low[i : i + 3]), tuple(s + d for s, d in zip(low[i : i + 3], size[i : i + 3], strict=True)))  # type: ignore[arg-type]
        for i in (0, 3)
    )
    shared = all(min(a.high[k], b.high[k]) > max(a.low[k], b.low[k]) for k in range(3))
    assert (a.gap(b) < 0) == shared
    assert a.gap(b) == b.gap(a)


@given(total=st.integers(0, 5000), weights=st.lists(st.floats(0.01, 1000), min_size=1, max_size=20))
def test_shares_add_up_and_are_fair(total: int, weights: list[float]) -> None:
    parts = share_out(total, weights)
    assert sum(parts) == total
    assert all(abs(p - w * total / math.fsum(weights)) < 1 + 1e-6 for p, w in zip(parts, weights, strict=True))


@given(volumes=st.integers(3, 60), seed=st.integers(0, 1000))
def test_whole_volumes_serve_every_set(volumes: int, seed: int) -> None:
    plan = SlicePlan(seed=seed)
    sets = assign(volumes, plan)
    assert set(sets) == set(SETS)
    assert sets == assign(volumes, plan)
    ranks = sorted(SETS, key=lambda s: counts_of(plan)[s])
    assert all(sets.count(a) <= sets.count(b) for a, b in combinations(ranks, 2))


def test_the_guard_band_is_as_wide_as_grey_values_are_alike() -> None:
    plan = SlicePlan(field_of_view=16, pixels=16)
    far = Correlation((2.0, 3.0, 4.0), (5.5, 6.5, 7.5))
    blocks = separate((120, 120, 120), grid_for(plan), plan, correlation=far)
    assert blocks.wanted == blocks.guard == (6, 7, 8)
    assert all(max_gap >= 6 for max_gap in (a.gap(b) for a, b in combinations(blocks.boxes.values(), 2)))
    told = separate((120, 120, 120), grid_for(plan), dataclasses.replace(plan, guard=2), correlation=far)
    assert told.guard == (2, 2, 2)
    assert told.gap == 2


def test_a_guard_band_that_would_cost_the_orientations_gives_way() -> None:
    plan = SlicePlan(field_of_view=40, pixels=20)
    loose = separate((96, 96, 96), grid_for(plan), plan)
    far = Correlation((40.0,) * 3, (60.0,) * 3, bounded=False)
    tight = separate((96, 96, 96), grid_for(plan), plan, correlation=far)
    assert tight.wanted == (60, 60, 60)
    assert tight.guard is not None
    assert 1 <= tight.guard[0] < 60
    assert min(tight.admissible.values()) >= 0.7 * min(loose.admissible.values())


def test_blocks_of_like_content_are_preferred() -> None:
    # Grey values that change along z: blocks beside one another are alike, blocks above one another are not.
    shape = (64, 64, 64)
    voxels = np.random.default_rng(0).normal(0, 1, shape) + np.linspace(0, 10, 64)[:, None, None]
    plan = SlicePlan(field_of_view=12, pixels=12)
    content = content_of(Volume.from_array(voxels.astype(np.float32)))
    blocks = separate(shape, grid_for(plan), plan, content=content)
    assert blocks.differ is not None
    assert blocks.differ < 0.15
    assert all(b.shape[0] == 64 for b in blocks.boxes.values())
    above = separate(shape, grid_for(plan), dataclasses.replace(plan, split="depth"), content=content)
    assert above.differ is not None
    assert above.differ > 0.5


def test_which_orientations_are_lost_and_what_keeps_them() -> None:
    plan = SlicePlan(field_of_view=30, pixels=30, split="depth")
    blocks = separate((90, 200, 200), grid_for(plan), plan)
    assert all(0.0 <= share <= 1.0 for shares in blocks.by_normal.values() for share in shares)
    assert all(shares[0] > max(shares[1:]) for shares in blocks.by_normal.values()), "flat slabs hold flat slices"
    assert "across" in blocks.lost()
    smaller = SlicePlan(field_of_view=30 * blocks.keeps_all, pixels=30, split="depth")
    for box in blocks.boxes.values():
        reach = grid_for(smaller).reach(random_axes(np.random.default_rng(0), 500))
        assert (2 * reach <= np.array(box.shape) - 1 + 0.05).all()
