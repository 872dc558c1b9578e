"""The leak meter's geometry: how near planes of different sets come, and what voxels two sets touch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from microtome.slices.blocks.split import SETS
from microtome.slices.geometry import Array

Ints = NDArray[np.int64]
_ROWS, _COLUMNS = 512, 2048  # pairs of boxes that are compared at once
_EXACT = 4096  # pairs of rectangles
_PAIRS = 60_000_000  # pairs of boxes; beyond, the distance found so far is given as a bound
_MASK = 64_000_000  # bytes
_MARKED = 2000  # slices a set whose voxels are marked
_POINTS = 300_000


@dataclass(frozen=True, eq=False, kw_only=True)
class Placed:
    """The slices of one volume: centres (n, 3) in voxels, axes (n, 2, 3) orthonormal where a pixel is the unit, sets (n,)."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]  # a pixel's edge in voxels along z, y, x
    pixels: int
    centres: Array
    axes: Array
    sets: Ints

    def of(self, set_name: str) -> Placed:
        """Those of one set."""
        return self.at(np.flatnonzero(self.sets == SETS.index(set_name)))

    def at(self, chosen: Ints) -> Placed:
        """Some of them."""
        return Placed(
            shape=self.shape,
            spacing=self.spacing,
            pixels=self.pixels,
            centres=self.centres[chosen],
            axes=self.axes[chosen],
            sets=self.sets[chosen],
        )

    def __len__(self) -> int:
        return len(self.centres)

    def corners(self) -> Array:
        """The outermost pixel centres (n, 4, 3), round about, with a pixel as the unit of length."""
        half = (self.pixels - 1) / 2
        signs = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * half
        corners: Array = self.centres[:, None] / np.asarray(self.spacing) + np.einsum("kc,ncd->nkd", signs, self.axes)
        return corners

    def bounds(self) -> tuple[Array, Array]:
        """The boxes low … high (n, 3) of the slices, in voxels."""
        corners = self.corners() * np.asarray(self.spacing)
        return corners.min(axis=1), corners.max(axis=1)


@dataclass(frozen=True)
class Nearest:
    """How near the planes of two sets come, in pixels; not `exact`: at most so far."""

    pixels: float
    exact: bool = True


def nearest(placed: Placed) -> Nearest | None:
    """The smallest distance between slices of different sets of a volume; None where one set alone is cut from it."""
    parts = [p for s in SETS if len(p := placed.of(s))]
    found = [smallest_distance(a, b) for a, b in combinations(parts, 2)]
    return min(found, key=lambda n: n.pixels) if found else None


def smallest_distance(one: Placed, other: Placed) -> Nearest:
    """The smallest distance between any slice of `one` and any of `other`, as rectangles in space; 0 where two cross.

    Both are sorted along the axis that separates them best, so that only those near the border are compared: by their boxes
    first, and exactly where those are nearer than the best pair so far.
    """
    a, b = one.corners(), other.corners()
    low_a, high_a, low_b, high_b = a.min(axis=1), a.max(axis=1), b.min(axis=1), b.max(axis=1)
    ahead, behind = low_b.min(axis=0) - high_a.max(axis=0), low_a.min(axis=0) - high_b.max(axis=0)
    axis = int(np.argmax(np.maximum(ahead, behind)))
    if behind[axis] > ahead[axis]:
        a, b, low_a, high_a, low_b, high_b = b, a, low_b, high_b, low_a, high_a
    order_a, order_b = np.argsort(-high_a[:, axis], kind="stable"), np.argsort(low_b[:, axis], kind="stable")
    a, low_a, high_a = a[order_a], low_a[order_a], high_a[order_a]
    b, low_b, high_b = b[order_b], low_b[order_b], high_b[order_b]
    best, looked = math.inf, 0
    for i in range(0, len(a), _ROWS):
        for j in range(0, len(b), _COLUMNS):
            if best == 0 or low_b[j, axis] - high_a[i, axis] >= best:
                break  # all that follow lie farther apart
            rows, columns = slice(i, i + _ROWS), slice(j, j + _COLUMNS)
            apart = np.maximum(low_b[None, columns] - high_a[rows, None], low_a[rows, None] - high_b[None, columns])
            boxes = np.sqrt((np.maximum(apart, 0) ** 2).sum(axis=2))
            looked += boxes.size
            best = _closer(a[rows], b[columns], boxes, best)
            if looked > _PAIRS and best > 0:
                return Nearest(best, exact=False)
    return Nearest(best)


def _closer(a: Array, b: Array, boxes: Array, best: float) -> float:
    """The smallest distance, or `best`; boxes (len(a), len(b)) are lower bounds of the distances."""
    near = np.flatnonzero(boxes.ravel() < best)
    near = near[np.argsort(boxes.ravel()[near], kind="stable")]
    for start in range(0, len(near), _EXACT):
        part = near[start : start + _EXACT]
        part = part[boxes.ravel()[part] < best]
        if part.size == 0 or best == 0:
            break
        i, j = np.divmod(part, boxes.shape[1])
        best = min(best, float(rectangle_distances(a[i], b[j]).min()))
    return best


def rectangle_distances(a: Array, b: Array) -> Array:
    """The distances (n,) between pairs of rectangles in space, given by their corners (n, 4, 3), round about.

    They are 0 where an edge of one goes through the other; else the nearest points lie on two edges, or one is a corner.
    """
    edges = np.minimum(_edge_distances(a, b), np.minimum(_corner_distances(a, b), _corner_distances(b, a)))
    return np.where(_crossing(a, b) | _crossing(b, a), 0.0, edges)


def _frame(rectangle: Array) -> tuple[Array, Array, Array]:
    """Centre (n, 3), unit axes (n, 2, 3) and half edges (n, 2)."""
    sides = np.stack([rectangle[:, 1] - rectangle[:, 0], rectangle[:, 3] - rectangle[:, 0]], axis=1)
    lengths = np.linalg.norm(sides, axis=2)
    return rectangle.mean(axis=1), sides / np.maximum(lengths, 1e-300)[..., None], lengths / 2


def _corner_distances(a: Array, b: Array) -> Array:
    """From each rectangle of b to the nearest corner of its partner in a."""
    centre, axes, half = _frame(b)
    away = a - centre[:, None]
    local = np.einsum("nkd,ncd->nkc", away, axes)
    inside = np.clip(local, -half[:, None], half[:, None])
    rest = away - np.einsum("nkc,ncd->nkd", inside, axes)
    distances: Array = np.linalg.norm(rest, axis=2).min(axis=1)
    return distances


def _crossing(a: Array, b: Array) -> NDArray[np.bool_]:
    """True where an edge of a goes through the rectangle b."""
    centre, axes, half = _frame(b)
    normal = np.cross(axes[:, 0], axes[:, 1])
    away = a - centre[:, None]
    height = np.einsum("nkd,nd->nk", away, normal)
    other = np.roll(height, -1, axis=1)
    through = (height * other < 0) | ((height == 0) != (other == 0))
    part = np.divide(height, height - other, out=np.zeros_like(height), where=height != other)
    points = away + part[..., None] * (np.roll(away, -1, axis=1) - away)
    local = np.abs(np.einsum("nkd,ncd->nkc", points, axes))
    found: NDArray[np.bool_] = (through & (local <= half[:, None] + 1e-12).all(axis=2)).any(axis=1)
    return found


def _edge_distances(a: Array, b: Array) -> Array:
    """The smallest distance between an edge of a and an edge of b.

    Ericson, Real-Time Collision Detection (2005), 5.1.9: the nearest points of two lines, brought back into the segments.
    """
    p, d = a[:, :, None], (np.roll(a, -1, axis=1) - a)[:, :, None]
    q, e = b[:, None], (np.roll(b, -1, axis=1) - b)[:, None]
    r = p - q
    dd, ee, de = (d * d).sum(-1), (e * e).sum(-1), (d * e).sum(-1)
    dr, er = (d * r).sum(-1), (e * r).sum(-1)
    under = dd * ee - de * de
    free = np.divide(de * er - dr * ee, under, out=np.zeros_like(under), where=under > 1e-12 * dd * ee)
    s = np.clip(free, 0, 1)
    t = np.clip((de * s + er) / np.maximum(ee, 1e-300), 0, 1)
    s = np.clip((de * t - dr) / np.maximum(dd, 1e-300), 0, 1)
    between = r + s[..., None] * d - t[..., None] * e
    distances: Array = np.linalg.norm(between, axis=-1).min(axis=(1, 2))
    return distances


@dataclass(frozen=True)
class Shared:
    """Voxels that two sets touch, and that any touches; counted in cubes of `cube` voxels an edge, so then an upper bound."""

    both: int
    any: int
    cube: int = 1

    @property
    def share(self) -> float:
        """The part of the touched voxels that two sets touch."""
        return self.both / self.any if self.any else 0.0


def shared_voxels(placed: Placed) -> Shared:
    """The voxels that slices of two sets read (each point reads the eight about it).

    Where the slices of the sets lie in separate boxes none is shared, and nothing need be marked. Else up to 2000 slices a set
    are, in at most 64 MB.
    """
    parts = [p for s in SETS if len(p := placed.of(s))]
    boxes = [(np.floor(low.min(axis=0)), np.ceil(high.max(axis=0))) for low, high in (p.bounds() for p in parts)]
    apart = [(l1 > h2 + 1e-9).any() or (l2 > h1 + 1e-9).any() for (l1, h1), (l2, h2) in combinations(boxes, 2)]
    if all(apart):
        return Shared(0, 0)
    cube = max(1, math.ceil((math.prod(placed.shape) / _MASK) ** (1 / 3)))
    mask = np.zeros([n // cube + 1 for n in placed.shape], dtype=np.uint8)
    for bit, part in enumerate(parts):
        chosen = np.unique(np.linspace(0, len(part) - 1, min(len(part), _MARKED)).astype(np.int64))
        for voxels in _touched(part.at(chosen)):
            z, y, x = (voxels // cube).T
            mask[z, y, x] |= np.uint8(1 << bit)
    both = sum(np.count_nonzero(mask == value) for value in (3, 5, 6, 7))
    return Shared(int(both), int(np.count_nonzero(mask)), cube)


def _touched(placed: Placed) -> Iterator[Ints]:
    """The voxels (m, 3) that slices read, some slices at a time."""
    last = np.asarray(placed.shape) - 1
    points = max(2, math.ceil(placed.pixels * max(1.0, max(placed.spacing))))
    i = np.linspace(-(placed.pixels - 1) / 2, (placed.pixels - 1) / 2, points)
    steps = placed.axes * np.asarray(placed.spacing)
    several = max(1, _POINTS // points**2)
    for start in range(0, len(placed), several):
        part = slice(start, start + several)
        down, right = steps[part, None, None, 0], steps[part, None, None, 1]
        at = placed.centres[part, None, None] + i[:, None, None] * down + i[None, :, None] * right
        first = np.floor(at).reshape(-1, 3).astype(np.int64)
        for corner in range(8):
            step = np.array([(corner >> k) & 1 for k in range(3)])
            yield np.clip(first + step, 0, last)
