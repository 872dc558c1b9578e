"""Separate training, validation and evaluation: one block of the volume a set, no voxel shared, slices wholly inside."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import numpy as np

from microtome.errors import InputError
from microtome.slices.geometry import Array, Grid, random_axes
from microtome.slices.plan import SlicePlan

SETS = ("train", "validation", "evaluation")
SET_WORDS = {"train": "training", "validation": "validation", "evaluation": "evaluation"}
_ROUNDING = 1e-9
_SURVEY = 512  # orientations that compare layouts
_CENSUS = 4096  # orientations that measure the chosen one
_FRACTIONS = tuple(np.linspace(0.15, 0.85, 11))
_CLASSES_OF_SHARE = 0.02  # shares closer than this count as equal, and room decides
_LEAST = 0.01  # a block for a smaller share of the orientations holds one and the same slice again and again


@dataclass(frozen=True)
class Box:
    """Voxels low … high − 1 on each axis (z, y, x)."""

    low: tuple[int, int, int]
    high: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Edges in voxels."""
        z, y, x = (h - s for s, h in zip(self.low, self.high, strict=True))
        return (z, y, x)

    def gap(self, other: Box) -> int:
        """Whole voxels between two boxes on the axis that separates them most; negative where they share voxels."""
        pairs = zip(self.low, self.high, other.low, other.high, strict=True)
        return max(max(l2 - h1, l1 - h2) for l1, h1, l2, h2 in pairs)


@dataclass(frozen=True)
class Blocks:
    """The blocks of one volume: a box a set (one set only, where whole volumes are separated)."""

    boxes: dict[str, Box]
    #: Share of all orientations whose slices fit into the box, a set; the others are never cut.
    admissible: dict[str, float]

    @property
    def gap(self) -> int | None:
        """The smallest gap between two blocks in voxels; None where there is one block."""
        return min((a.gap(b) for a, b in combinations(self.boxes.values(), 2)), default=None)

    def lost(self) -> str:
        """What orientations do not fit, in words; empty where all do."""
        if nearly_all(self.admissible):
            return ""
        shares = ", ".join(f"{percent(v)} of them in {SET_WORDS[k]}" for k, v in self.admissible.items())
        return f"Slices of some orientations do not fit into their block and are never cut; {shares} do fit."


def nearly_all(admissible: dict[str, float]) -> bool:
    """True where hardly any orientation is lost in any set."""
    return min(admissible.values()) > 0.995


def percent(share: float) -> str:
    """A share as “29 %”, small ones with two digits."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def counts_of(plan: SlicePlan) -> dict[str, int]:
    """Images a class, by set."""
    return {"train": plan.train, "validation": plan.validation, "evaluation": plan.evaluation}


def share_out(total: int, weights: Sequence[float]) -> list[int]:
    """Split a number of images in proportion to weights, by largest remainders; the parts add up to `total`."""
    scale = total / math.fsum(weights)
    parts = [math.floor(w * scale) for w in weights]
    order = sorted(range(len(parts)), key=lambda i: (parts[i] - weights[i] * scale, i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


def assign(volumes: int, plan: SlicePlan) -> list[str]:
    """The set of each of ≥ 3 whole volumes: at least one a set, the rest as the counts of images; order from the seed."""
    counts = counts_of(plan)
    extra = share_out(volumes - 3, [counts[s] for s in SETS])
    sets = [s for s, more in zip(SETS, extra, strict=True) for _ in range(1 + more)]
    order = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=(volumes,))).permutation(volumes)
    return [sets[i] for i in order]


@lru_cache(maxsize=256)
def reach_of(grid: Grid, number: int) -> Array:
    """Half edges (m, 3) of the boxes of slices: always the same `number` of random orientations, or the one of a plane."""
    fixed = grid.orientation != "random"
    return grid.reach(random_axes(np.random.default_rng(20_011), 1 if fixed else number, grid.orientation))


def _fit(shape: Sequence[int], reach: Array) -> tuple[float, float]:
    """(share of orientations that fit into a box of that shape, mean number of places of those)."""
    free = np.asarray(shape) - 1 - 2 * reach
    inside = (free >= -_ROUNDING).all(axis=1)
    if not inside.any():
        return 0.0, 0.0
    return float(inside.mean()), float((free[inside] + 1).prod(axis=1).mean())


def separate(shape: tuple[int, int, int], grid: Grid, plan: SlicePlan, *, name: str = "the volume") -> Blocks:
    """Choose three boxes, one a set, that share no voxel and keep `plan.guard` voxels between them.

    Of the layouts that two straight cuts make (the first through the whole, the second through the rest), the one is taken
    whose worst set keeps most orientations; among equals, the one with most room, weighed by the images wanted. Raises
    InputError, with the largest field of view that fits, where no layout holds a slice in every set.
    """
    # Only what matters to the layout, so that a live preview finds it again.
    chosen = _best(shape, grid, replace(plan, seed=0, normalisation="none"))
    if chosen is None:
        raise InputError(*_too_large(shape, grid, plan, name))
    reach = reach_of(grid, _CENSUS)
    return Blocks(chosen, {s: _fit(b.shape, reach)[0] for s, b in chosen.items()})


def whole(shape: tuple[int, int, int], grid: Grid, plan: SlicePlan, set_name: str, *, name: str = "the volume") -> Blocks:
    """The whole volume for one set; InputError where no slice fits into it."""
    share = _fit(shape, reach_of(grid, _CENSUS))[0]
    if share < _LEAST:
        largest = _largest(lambda f: _fit(shape, reach_of(grid, _SURVEY) * f)[0] >= _LEAST)
        raise InputError(
            f"The field of view, {plan.field_of_view:g} {plan.unit}, is larger than {name} ({_by(shape)} voxels).",
            f"The largest that fits is {_rounded_down(plan.field_of_view * largest)} {plan.unit}.",
        )
    return Blocks({set_name: Box((0, 0, 0), shape)}, {set_name: share})


def _too_large(shape: tuple[int, int, int], grid: Grid, plan: SlicePlan, name: str) -> tuple[str, str]:
    fits_whole = _fit(shape, reach_of(grid, _SURVEY))[0] >= _LEAST
    largest = _largest(lambda f: _best(shape, grid, plan, f, quick=True) is not None)
    what = f"The field of view, {plan.field_of_view:g} {plan.unit}, is larger than "
    where = (
        f"what {name} ({_by(shape)} voxels) holds in three separate blocks" if fits_whole else f"{name} ({_by(shape)} voxels)"
    )
    if shape[0] == 1 and grid.orientation != "xy":
        return what + where + ".", "It is a single image: list it under images."
    if largest == 0:
        return what + where + ".", "The volume is too small to separate the sets: give the class three volumes or more."
    return (
        f"{what}{where}.",
        f"The largest that fits is {_rounded_down(plan.field_of_view * largest)} {plan.unit}; "
        "or give the class three volumes or more, which are then separated as a whole.",
    )


def _by(shape: Sequence[int]) -> str:
    return " × ".join(str(s) for s in shape)


def _rounded_down(value: float) -> str:
    digits = 10 ** (math.floor(math.log10(value)) - 2)
    return f"{math.floor(value / digits) * digits:.6g}"


def _largest(fits: Callable[[float], bool]) -> float:
    """The largest factor in 0 … 1 for which `fits` holds, to a part in 500; 0 where none does."""
    low, high = 0.0, 1.0
    for _ in range(9):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


@lru_cache(maxsize=256)
def _best(
    shape: tuple[int, int, int], grid: Grid, plan: SlicePlan, factor: float = 1.0, *, quick: bool = False
) -> dict[str, Box] | None:
    reach = reach_of(grid, _SURVEY) * factor
    counts = counts_of(plan)
    total = sum(counts.values())
    fits: dict[tuple[int, int, int], tuple[float, float]] = {}
    best: dict[str, Box] | None = None
    best_score = (0.0, -math.inf)
    for layout in _layouts(shape, reach, plan):
        worst, room = 1.0, 0.0
        for name, box in layout.items():
            if box.shape not in fits:
                fits[box.shape] = _fit(box.shape, reach)
            share, places = fits[box.shape]
            worst = min(worst, share)
            if worst < _LEAST or worst // _CLASSES_OF_SHARE < best_score[0]:
                break
            room += counts[name] / total * math.log(places)
        else:
            if (score := (worst // _CLASSES_OF_SHARE, room)) > best_score:
                best, best_score = layout, score
                if quick:
                    break
    return best


def _layouts(shape: tuple[int, int, int], reach: Array, plan: SlicePlan) -> Iterator[dict[str, Box]]:
    """Every layout of two straight cuts with a choice of places: quarters and the like, and what orientations just need."""
    axes = (0,) if plan.split == "depth" and shape[0] > 1 else (0, 1, 2)
    gap = math.ceil(plan.guard)
    needed = [
        {math.ceil(q - _ROUNDING) + 1 for q in np.quantile(2 * reach[:, a], (0.0, 0.25, 0.5, 0.75, 1.0))} for a in range(3)
    ]
    everything = Box((0, 0, 0), shape)
    for alone in SETS:
        first, second = (s for s in SETS if s != alone)
        for a in axes:
            for near, far in _cuts(everything, a, needed[a], gap):
                for b in axes:
                    for left, right in _cuts(far, b, needed[b], gap):
                        yield {s: {alone: near, first: left, second: right}[s] for s in SETS}


def _cuts(box: Box, axis: int, needed: set[int], gap: int) -> Iterator[tuple[Box, Box]]:
    length = box.shape[axis]
    sizes = {round(f * (length - gap)) for f in _FRACTIONS} | needed | {length - gap - n for n in needed}
    for size in sorted(s for s in sizes if 0 < s < length - gap):
        end, begin = list(box.high), list(box.low)
        end[axis] = box.low[axis] + size
        begin[axis] = end[axis] + gap
        yield Box(box.low, (end[0], end[1], end[2])), Box((begin[0], begin[1], begin[2]), box.high)


def draw_pose(rng: np.random.Generator, box: Box, grid: Grid) -> tuple[Array, Array]:
    """Draw the centre (3,) and axes (2, 3) of a slice wholly inside a box: an orientation that fits, then a place, uniformly.

    Raises InputError where hardly any orientation fits.
    """
    low, last = np.asarray(box.low, dtype=np.float64), np.asarray(box.high, dtype=np.float64) - 1
    batch = 32 if grid.orientation == "random" else 1
    for _ in range(1000):
        axes = random_axes(rng, batch, grid.orientation)
        reach = grid.reach(axes)
        inside = (last - low - 2 * reach >= -_ROUNDING).all(axis=1)
        if inside.any():
            k = int(np.argmax(inside))
            start, end = low + reach[k], last - reach[k]
            return start + rng.random(3) * np.maximum(end - start, 0.0), axes[k]
        if batch == 1:
            break
    raise InputError(
        f"A block of {_by(box.shape)} voxels holds slices of hardly any orientation.",
        "Choose a smaller field of view, or a fixed orientation.",
    )
