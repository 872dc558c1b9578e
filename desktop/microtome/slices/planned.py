"""Where the slices of a plan lie before they are cut: each volume's blocks, its share of the images, and the pose of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microtome.slices.blocks.split import SETS, Blocks, assign, counts_of, draw_pose, fresh_key, share_out, whole
from microtome.slices.geometry import Array, Grid
from microtome.slices.plan import SlicePlan
from microtome.slices.source import grid_of, separated
from microtome.volumes.volume import Volume


def blocks_of(volume: Volume, plan: SlicePlan, *, volumes: int, number: int, name: str) -> tuple[Grid, Blocks]:
    """The grid and the blocks of volume `number` of a class of `volumes`: three or more are separated as wholes."""
    grid = grid_of(volume, plan, name=name)
    if volumes >= len(SETS):
        return grid, whole(volume.shape, grid, plan, assign(volumes, plan)[number], name=name)
    return grid, separated(volume, grid, plan, name=name)


def counts_by_volume(plan: SlicePlan, volumes: int) -> list[dict[str, int]]:
    """Images by set of each volume of a class: equal shares among the volumes that serve a set."""
    serving = assign(volumes, plan) if volumes >= len(SETS) else None
    result: list[dict[str, int]] = [{} for _ in range(volumes)]
    for name, total in counts_of(plan).items():
        chosen = [i for i in range(volumes) if serving is None or serving[i] == name]
        for i, share in zip(chosen, share_out(total, [1.0] * len(chosen)), strict=True):
            result[i][name] = share
    return result


def generators(plan: SlicePlan, *, label: int, number: int, set_name: str, indices: Iterable[int]) -> list[np.random.Generator]:
    """The generator of each slice: slice i of a set of a volume is the same on every machine, whatever is cut beside it.

    Another `drawing` gives other slices of the same blocks, but for those of the evaluation: there is one locked set.
    """
    place = SETS.index(set_name)
    fresh = fresh_key(plan, set_name)
    keys = [(label, number, place, i, *fresh) for i in indices]
    return [np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=k)) for k in keys]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The slices that one volume gives to an image set; vectors are (z, y, x).

    A slice that meets NaN, or is empty and rejected, is drawn again when it is cut, so its place may differ in the end.
    """

    grid: Grid
    blocks: Blocks
    centres: Array  # (n, 3) voxels
    axes: Array  # (n, 2, 3) down and right, unit vectors in physical space
    sets: NDArray[np.int64]  # (n,) index into SETS
    counts: dict[str, int]  # images by set; `centres` may hold fewer of each


def planned(
    volume: Volume, plan: SlicePlan, *, label: int, number: int, volumes: int, name: str, most: int | None = None
) -> Planned:
    """The first `most` slices of each set (None: all) of volume `number` of the class `label`, which has `volumes`.

    Raises InputError as cutting would. Takes about 0.1 ms a slice.
    """
    grid, blocks = blocks_of(volume, plan, volumes=volumes, number=number, name=name)
    counts = {s: n for s, n in counts_by_volume(plan, volumes)[number].items() if n}
    poses: list[tuple[Array, Array]] = []
    sets: list[int] = []
    for set_name, count in counts.items():
        indices = range(count if most is None else min(count, most))
        rngs = generators(plan, label=label, number=number, set_name=set_name, indices=indices)
        poses += [draw_pose(rng, blocks.boxes[set_name], grid) for rng in rngs]
        sets += [SETS.index(set_name)] * len(rngs)
    return Planned(
        grid=grid,
        blocks=blocks,
        centres=np.array([p[0] for p in poses]).reshape(-1, 3),
        axes=np.array([p[1] for p in poses]).reshape(-1, 2, 3),
        sets=np.array(sets, dtype=np.int64),
        counts=counts,
    )
