"""Where the blocks of a volume lie: of the layouts that two straight cuts make, the one that keeps most orientations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from microtome.slices.blocks.content import Content
from microtome.slices.geometry import Array

Ints = NDArray[np.int64]
_ROUNDING = 1e-9
_FRACTIONS = tuple(np.linspace(0.15, 0.85, 11))
_AS_GOOD = 0.95  # of the best layout's orientations: content and room then decide
_LEAST = 0.01  # a block for a smaller share of the orientations holds one and the same slice again and again
_COMPARED = 200  # layouts whose contents are compared
_CONTENT = 3.0  # a tenth more difference between blocks is worth a quarter of the room
_CHUNK = 2048


@dataclass(frozen=True, eq=False)
class Layout:
    """Boxes low … high (3 sets, 3 axes), the share of orientations that the worst keeps, the score in room and likeness."""

    low: Ints
    high: Ints
    worst: float
    score: float


def best_layout(
    shape: Sequence[int],
    reach: Array,
    *,
    gap: Sequence[int],
    weights: Sequence[float],
    axes: Sequence[int],
    content: Content | None = None,
) -> Layout | None:
    """Three boxes, `gap` (3,) voxels apart, for sets of the given weights; None where no slice fits into one of them.

    reach (m, 3) are half edges of the boxes of slices of random orientations. A first cut goes through the whole, a second
    through the rest, along `axes`. The layout whose worst set keeps most orientations counts; among those that keep nearly as
    many, the one with most room (mean logarithm of the number of places, by weight), less what its blocks differ in content.
    """
    low, high = _layouts(shape, reach, gap, axes)
    if len(low) == 0:
        return None
    shares = _shares((high - low).reshape(-1, 3), reach).reshape(-1, 3)
    worst = shares.min(axis=1)
    if worst.max() < _LEAST:
        return None
    kept = np.flatnonzero(worst >= max(_LEAST, _AS_GOOD * worst.max()))
    low, high, worst = low[kept], high[kept], worst[kept]
    places = np.log(_places((high - low).reshape(-1, 3), reach)).reshape(-1, 3)
    order = np.array(list(permutations(range(3))))  # order[k, s]: the box of set s
    rooms = (places[:, order] * (np.asarray(weights) / sum(weights))).sum(axis=2)
    naming = rooms.argmax(axis=1)
    room = rooms[np.arange(len(rooms)), naming]
    first = np.argsort(-room, kind="stable")[:_COMPARED]
    low, high = (_named(boxes[first], order[naming[first]]) for boxes in (low, high))
    score, mirror = room[first], np.zeros(len(first), dtype=int)
    if content is not None:
        differences = np.stack([content.differences(*_mirrored(low, high, shape, m)) for m in range(8)], axis=1)
        mirror = differences.argmin(axis=1)
        score = score - _CONTENT * differences[np.arange(len(first)), mirror]
    k = int(np.argmax(score))
    one, other = _mirrored(low[k : k + 1], high[k : k + 1], shape, int(mirror[k]))
    return Layout(one[0], other[0], float(worst[first[k]]), float(score[k]))


def _named(boxes: Ints, order: Ints) -> Ints:
    return np.take_along_axis(boxes, order[:, :, None], axis=1)


def _mirrored(low: Ints, high: Ints, shape: Sequence[int], which: int) -> tuple[Ints, Ints]:
    """Boxes turned over along the axes whose bit is set."""
    turned = np.array([bool((which >> axis) & 1) for axis in range(3)])
    edges = np.asarray(shape)
    return np.where(turned, edges - high, low), np.where(turned, edges - low, high)


def _layouts(shape: Sequence[int], reach: Array, gap: Sequence[int], axes: Sequence[int]) -> tuple[Ints, Ints]:
    """Every layout with a choice of places of the cuts: quarters and the like, and what orientations just need."""
    needed = [
        {int(np.ceil(q - _ROUNDING)) + 1 for q in np.quantile(2 * reach[:, a], (0.0, 0.25, 0.5, 0.75, 1.0))} for a in range(3)
    ]
    found: list[tuple[Ints, Ints]] = []
    for a, b in product(axes, axes):
        for size in _sizes(shape[a], gap[a], needed[a]):
            begin = size + gap[a]
            start = begin if a == b else 0
            seconds = np.array(_sizes(shape[b] - start, gap[b], needed[b]), dtype=np.int64)
            low = np.zeros((len(seconds), 3, 3), dtype=np.int64)
            high = np.broadcast_to(np.asarray(shape, dtype=np.int64), low.shape).copy()
            high[:, 0, a] = size
            low[:, 1:, a] = begin
            high[:, 1, b] = start + seconds
            low[:, 2, b] = start + seconds + gap[b]
            found.append((low, high))
    if not found:
        return np.zeros((0, 3, 3), dtype=np.int64), np.zeros((0, 3, 3), dtype=np.int64)
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])


def _sizes(length: int, gap: int, needed: set[int]) -> list[int]:
    sizes = {round(f * (length - gap)) for f in _FRACTIONS} | needed | {length - gap - n for n in needed}
    return sorted(s for s in sizes if 0 < s < length - gap)


def _shares(shapes: Ints, reach: Array) -> Array:
    """The share of orientations whose slices fit into boxes (n, 3)."""
    result = np.empty(len(shapes))
    tables = [_by_length(shapes[:, a], reach[:, a]) for a in range(3)]
    for start in range(0, len(shapes), _CHUNK):
        part = slice(start, start + _CHUNK)
        inside = np.ones((len(shapes[part]), len(reach)), dtype=bool)
        for lengths, places in tables:
            inside &= (lengths >= -_ROUNDING)[places[part]]
        result[part] = inside.mean(axis=1)
    return result


def _places(shapes: Ints, reach: Array) -> Array:
    """The mean number of places of the slices that fit into boxes (n, 3); each holds one at least."""
    result = np.empty(len(shapes))
    tables = [_by_length(shapes[:, a], reach[:, a]) for a in range(3)]
    for start in range(0, len(shapes), _CHUNK):
        part = slice(start, start + _CHUNK)
        number = np.ones((len(shapes[part]), len(reach)))
        for lengths, places in tables:
            number *= np.where(lengths >= -_ROUNDING, lengths + 1, 0.0)[places[part]]
        result[part] = number.sum(axis=1) / np.maximum((number > 0).sum(axis=1), 1)
    return result


def _by_length(edges: Ints, reach: Array) -> tuple[Array, Ints]:
    """Free lengths (distinct edges, orientations) along an axis, and which row each box uses."""
    distinct, places = np.unique(edges, return_inverse=True)
    free: Array = distinct[:, None] - 1 - 2 * reach[None, :]
    return free, places.reshape(-1)
