"""Separate training, validation and evaluation: one block of the volume a set, no voxel shared, slices wholly inside."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.slices.blocks.content import Content
from microtome.slices.blocks.correlation import Correlation
from microtome.slices.blocks.layout import Layout, best_layout
from microtome.slices.geometry import PLANES, Array, Grid, normals
from microtome.slices.plan import SlicePlan

SETS = ("train", "validation", "evaluation")
SET_WORDS = {"train": "training", "validation": "validation", "evaluation": "evaluation"}
_ROUNDING = 1e-9
_SURVEY = 512  # orientations that compare layouts
_CENSUS = 4096  # orientations that measure the chosen one
_WIDTHS = (1.0, 0.75, 0.5, 0.35, 0.25)  # of a measured guard band, where the whole costs too much
_DEAR = 0.75  # of the orientations that a band of one voxel keeps, must be left, and half of the score: room and likeness
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
    #: The same share of the orientations whose normal is nearest to z, to y and to x; 1 where there are none.
    by_normal: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    #: Voxels between two blocks along z, y, x: as asked for, and as there was room for.
    wanted: tuple[int, int, int] | None = None
    guard: tuple[int, int, int] | None = None
    #: How much the grey levels or local contrasts of the blocks differ, 0 … 1 (total variation); None where not looked at.
    differ: float | None = None
    #: The field of view, as part of the plan's, that would keep every orientation in these blocks.
    keeps_all: float = 1.0
    #: How far the volume's grey values are alike; None where that was not measured.
    correlation: Correlation | None = None

    @property
    def gap(self) -> int | None:
        """The smallest gap between two blocks in voxels; None where there is one block."""
        return min((a.gap(b) for a, b in combinations(self.boxes.values(), 2)), default=None)

    def to_json(self) -> dict[str, Any]:
        """The blocks as an image set's plan.json has them."""
        data = asdict(self)
        return {"blocks": data.pop("boxes"), **data, "gap": self.gap}

    def lost(self) -> str:
        """What orientations do not fit, in words; empty where all do."""
        if nearly_all(self.admissible):
            return ""
        shares = ", ".join(f"{percent(v)} of them in {SET_WORDS[k]}" for k, v in self.admissible.items())
        which = f" Most are lost {steepest(self.by_normal)}." if self.by_normal else ""
        return f"Slices of some orientations do not fit into their block and are never cut; {shares} do fit.{which}"


def nearly_all(admissible: dict[str, float]) -> bool:
    """True where hardly any orientation is lost in any set."""
    return min(admissible.values()) > 0.995


def steepest(by_normal: Mapping[str, Sequence[float]]) -> str:
    """Which slices fit least, in words: those whose normal is nearest to an axis, with the share that fits in the worst set."""
    least = [min(shares[axis] for shares in by_normal.values()) for axis in range(3)]
    axis = int(np.argmin(least))
    return f"among those that lie across {'zyx'[axis]} ({percent(least[axis])} of these fit in the worst set)"


def percent(share: float) -> str:
    """A share as “29 %”, small ones with two digits."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def counts_of(plan: SlicePlan) -> dict[str, int]:
    """Images a class, by set."""
    return {"train": plan.train, "validation": plan.validation, "evaluation": plan.evaluation}


def fresh_key(plan: SlicePlan, set_name: str) -> tuple[int, ...]:
    """What a set's random branches have at their end: the plan's drawing, where there is one, but for the evaluation."""
    return (plan.drawing,) if plan.drawing and set_name != "evaluation" else ()


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


def _axes_of(grid: Grid, number: int) -> Array:
    """The same `number` of random orientations whenever asked, or the one of a plane."""
    return grid.axes(np.random.default_rng(20_011), 1 if grid.orientation in PLANES else number)


@lru_cache(maxsize=256)
def reach_of(grid: Grid, number: int) -> Array:
    """Half edges (m, 3) of the boxes of slices: always the same `number` of random orientations, or the one of a plane."""
    return grid.reach(_axes_of(grid, number))


def _bounded(box: Box, grid: Grid) -> NDArray[np.bool_]:
    """The axes (3,) along which slices end in a box: not those along which it is a whole period of the volume."""
    whole_ones = [p > 0 and (low, high) == (0, p) for p, low, high in zip(grid.period, box.low, box.high, strict=True)]
    return ~np.array(whole_ones)


def _fit(shape: Sequence[int], reach: Array) -> float:
    """The share of orientations that fit into a box of that shape."""
    free = np.asarray(shape) - 1 - 2 * reach
    return float((free >= -_ROUNDING).all(axis=1).mean())


def separate(
    shape: tuple[int, int, int],
    grid: Grid,
    plan: SlicePlan,
    *,
    name: str = "the volume",
    correlation: Correlation | None = None,
    content: Content | None = None,
) -> Blocks:
    """Choose three boxes, one a set, that share no voxel and keep `plan.guard` voxels between them.

    Where the plan leaves the guard band to be measured it is that of `correlation` (one voxel where that is not given), or a
    part of it where the whole would cost many orientations or most of the room. `content` prefers blocks of like content.
    Raises InputError, with the largest field of view that fits, where no layout holds a slice in every set.
    """
    # Only what matters to the layout, so that a live preview finds it again.
    wanted = _wanted(plan, correlation)
    problem = _Problem(shape, grid, tuple(counts_of(plan).values()), plan.split, content)
    chosen, guard = _affordable(problem, wanted) if plan.guard < 0 else (_best(problem, wanted), wanted)
    if chosen is None:
        raise InputError(*_too_large(problem, wanted, plan, name))
    boxes = {s: Box(_voxels(chosen.low[k]), _voxels(chosen.high[k])) for k, s in enumerate(SETS)}
    apart = None if content is None else float(content.differences(chosen.low[None], chosen.high[None])[0])
    return _blocks(boxes, grid, wanted=wanted, guard=guard, differ=apart, correlation=correlation)


def _blocks(boxes: dict[str, Box], grid: Grid, **more: Any) -> Blocks:
    axes = _axes_of(grid, _CENSUS)
    everywhere = reach_of(grid, _CENSUS)
    nearest = np.argmax(np.abs(normals(axes)), axis=1)
    admissible, by_normal, keeps = {}, {}, 1.0
    for name, box in boxes.items():
        room, reach = np.asarray(box.shape) - 1, everywhere * _bounded(box, grid)
        inside = np.all(room - 2 * reach >= -_ROUNDING, axis=1)
        admissible[name] = float(inside.mean())
        z, y, x = (float(inside[nearest == a].mean()) if (nearest == a).any() else 1.0 for a in range(3))
        by_normal[name] = (z, y, x)
        most = 2 * reach.max(axis=0)
        keeps = min(keeps, float(np.min(np.where(most > 0, room / np.maximum(most, _ROUNDING), 1.0))))
    return Blocks(boxes, admissible, by_normal, keeps_all=keeps, **more)


@dataclass(frozen=True)
class _Problem:
    """What a layout depends on, besides its guard band."""

    shape: tuple[int, int, int]
    grid: Grid
    weights: tuple[int, ...]
    split: str
    content: Content | None


def _voxels(place: NDArray[np.int64]) -> tuple[int, int, int]:
    z, y, x = (int(v) for v in place)
    return (z, y, x)


def _wanted(plan: SlicePlan, correlation: Correlation | None) -> tuple[int, int, int]:
    if plan.guard < 0:
        return (1, 1, 1) if correlation is None else correlation.guard
    gap = math.ceil(plan.guard)
    return (gap, gap, gap)


def _affordable(problem: _Problem, wanted: tuple[int, int, int]) -> tuple[Layout | None, tuple[int, int, int]]:
    """The layout with as much of a guard band as leaves most orientations and half of the room, and that band."""
    least = (1, 1, 1)
    loose = _best(problem, least)
    if loose is None:
        return None, least
    for width in _WIDTHS:
        z, y, x = (max(1, math.ceil(width * w)) for w in wanted)
        found = _best(problem, (z, y, x))
        if found is not None and found.worst >= _DEAR * loose.worst and found.score >= loose.score - math.log(2):
            return found, (z, y, x)
    return loose, least


def whole(shape: tuple[int, int, int], grid: Grid, plan: SlicePlan, set_name: str, *, name: str = "the volume") -> Blocks:
    """The whole volume for one set; InputError where no slice fits into it."""
    box = Box((0, 0, 0), shape)
    bounded = _bounded(box, grid)
    if _fit(shape, reach_of(grid, _CENSUS) * bounded) < _LEAST:
        largest = _largest(lambda f: _fit(shape, reach_of(grid, _SURVEY) * bounded * f) >= _LEAST)
        raise InputError(
            f"The field of view, {plan.field_of_view:g} {plan.unit}, is larger than {name} ({_by(shape)} voxels).",
            f"The largest that fits is {_rounded_down(plan.field_of_view * largest)} {plan.unit}.",
        )
    return _blocks({set_name: box}, grid)


def _too_large(problem: _Problem, wanted: tuple[int, int, int], plan: SlicePlan, name: str) -> tuple[str, str]:
    shape, grid = problem.shape, problem.grid
    gap = (1, 1, 1) if plan.guard < 0 else wanted
    fits_whole = _fit(shape, reach_of(grid, _SURVEY)) >= _LEAST
    largest = _largest(lambda f: _best(problem, gap, f) is not None)
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
def _best(problem: _Problem, gap: tuple[int, int, int], factor: float = 1.0) -> Layout | None:
    return best_layout(
        problem.shape,
        reach_of(problem.grid, _SURVEY) * factor,
        gap=gap,
        weights=problem.weights,
        axes=(0,) if problem.split == "depth" and problem.shape[0] > 1 else (0, 1, 2),
        content=problem.content,
    )


def draw_pose(rng: np.random.Generator, box: Box, grid: Grid) -> tuple[Array, Array]:
    """Draw the centre (3,) and axes (2, 3) of a slice wholly inside a box: an orientation that fits, then a place, uniformly.

    Along an axis on which the box is a whole period of the volume, the centre is anywhere in it. Raises InputError where
    hardly any orientation fits.
    """
    low, high = np.asarray(box.low, dtype=np.float64), np.asarray(box.high, dtype=np.float64)
    bounded = _bounded(box, grid)
    last = high - bounded
    batch = 1 if grid.orientation in PLANES else 32
    for _ in range(1000):
        axes = grid.axes(rng, batch)
        reach = grid.reach(axes) * bounded
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
