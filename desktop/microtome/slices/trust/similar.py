"""How alike images of different sets are: the highest correlation of two, turned and flipped in every way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from microtome.slices.blocks.split import SETS
from microtome.slices.grey import luminance

Images = NDArray[np.float32]
Ints = NDArray[np.int64]
_EDGE = 16  # pixels of a thumbnail
_MOST = 1500  # images a set
_ROWS = 256
_FINE = 48  # pairs that are compared pixel by pixel
_CARRYING = 100  # pixels
_FLAT = 1e-5  # relative: images of less contrast hold nothing to compare


@dataclass(frozen=True)
class Alike:
    """Two images of different sets, and the correlation coefficient of their pixels (1: the same but for grey scale).

    `sharpened`: that of their Laplacians, which tells a copy from pictures that share a bright half or a slow change.
    """

    correlation: float
    sharpened: float
    first: int
    second: int


@dataclass(frozen=True)
class Similarity:
    """The most similar images of different sets: of all, of those from different volumes, by sharpened pixels; of how many."""

    all: Alike | None
    other_volume: Alike | None
    sharpest: Alike | None
    compared: tuple[int, ...]


def most_similar(images: Images, sets: Ints, volumes: Ints) -> Similarity:
    """Compare images (n, h, w), in colour (n, 3, h, w) by their brightness, of different sets (n,) in the eight positions.

    At most 1500 a set, evenly spread, are compared as thumbnails of 16 × 16 pixels; the best pairs then pixel by pixel.
    `volumes` (n,) tells which come from one volume. Images without contrast are left out.
    """
    chosen = [_spread(np.flatnonzero(sets == k)) for k in range(len(SETS))]
    thumbnails = [_unit(thumbnail(luminance(images[c]))) for c in chosen]
    kept = [t.any(axis=1) for t in thumbnails]
    chosen = [c[k] for c, k in zip(chosen, kept, strict=True)]
    thumbnails = [t[k] for t, k in zip(thumbnails, kept, strict=True)]
    near: list[tuple[float, int, int]] = []
    far: list[tuple[float, int, int]] = []
    for a, b in combinations(range(len(SETS)), 2):
        if len(chosen[a]) == 0 or len(chosen[b]) == 0:
            continue
        for rows, best in _compared(thumbnails[a], thumbnails[b]):
            mine, theirs = chosen[a][rows], chosen[b]
            other = volumes[mine][:, None] != volumes[theirs][None]
            near += _top(best, mine, theirs)
            far += _top(np.where(other, best, -2.0), mine, theirs)
        near, far = sorted(near, reverse=True)[:_FINE], sorted(far, reverse=True)[:_FINE]
    alike, apart = ([_finely(images, i, j) for _, i, j in pairs] for pairs in (near, far))
    return Similarity(
        max(alike, key=lambda a: a.correlation, default=None),
        max(apart, key=lambda a: a.correlation, default=None),
        max((*alike, *apart), key=lambda a: a.sharpened, default=None),
        tuple(len(c) for c in chosen),
    )


def thumbnail(images: Images) -> Images:
    """Images (n, h, w) as means over at most 16 × 16 fields, (n, fields)."""
    small = np.asarray(images, dtype=np.float32)
    for axis in (1, 2):
        length = small.shape[axis]
        edges = np.linspace(0, length, min(_EDGE, length) + 1).astype(int)
        sums = np.add.reduceat(small, edges[:-1], axis=axis)
        shape = [1, 1, 1]
        shape[axis] = -1
        small = (sums / np.diff(edges).reshape(shape)).astype(np.float32)
    return small.reshape(len(images), small.shape[1] * small.shape[2])


def turns(images: Images) -> Iterator[Images]:
    """Images (n, h, h) in their eight flips and quarter turns."""
    for quarter in range(4):
        turned = np.rot90(images, quarter, axes=(1, 2))
        yield turned
        yield turned[:, :, ::-1]


def _spread(indices: Ints) -> Ints:
    if len(indices) <= _MOST:
        return indices
    return indices[np.linspace(0, len(indices) - 1, _MOST).astype(np.int64)]


def _unit(flat: Images) -> Images:
    """Rows of mean 0 and length 1; rows without contrast become 0."""
    level = np.abs(flat).max(axis=1, keepdims=True, initial=0)
    away = flat - flat.mean(axis=1, keepdims=True, dtype=np.float64)
    length = np.linalg.norm(away, axis=1, keepdims=True)
    good = length > _FLAT * level * np.sqrt(flat.shape[1])
    return np.where(good, away / np.where(good, length, 1.0), 0.0).astype(np.float32)


def _compared(a: Images, b: Images) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """For some rows of a at a time, the highest correlation with each of b over all turns."""
    edge = round(b.shape[1] ** 0.5)
    turned = [np.ascontiguousarray(t.reshape(len(b), -1).T) for t in turns(b.reshape(-1, edge, edge))]
    for start in range(0, len(a), _ROWS):
        rows = slice(start, min(start + _ROWS, len(a)))
        best = a[rows] @ turned[0]
        for one in turned[1:]:
            np.maximum(best, a[rows] @ one, out=best)
        yield rows, best


def _top(best: NDArray[np.float32], mine: Ints, theirs: Ints) -> list[tuple[float, int, int]]:
    few = min(_FINE, best.size)
    places = np.argpartition(best.ravel(), best.size - few)[best.size - few :]
    found = ((float(best.ravel()[p]), *divmod(int(p), best.shape[1])) for p in places)
    return [(value, int(mine[i]), int(theirs[j])) for value, i, j in found if value > -2]


def _finely(images: Images, i: int, j: int) -> Alike:
    """The highest correlations of two images over all turns, pixel by pixel."""
    first, second = (luminance(np.asarray(images[k : k + 1], dtype=np.float32)) for k in (i, j))
    plain, sharp = _unit(first.reshape(1, -1)), _edges(first)
    values = [(float((plain * _unit(t.reshape(1, -1))).sum()), float((sharp * _edges(t)).sum())) for t in turns(second)]
    return Alike(min(1.0, max(v[0] for v in values)), min(1.0, max(v[1] for v in values)), i, j)


def _edges(image: Images) -> Images:
    """The Laplacian of an image (1, h, w) as a row of length 1; 0 where so few pixels carry it that likeness tells nothing."""
    inner = image[:, 1:-1, 1:-1]
    around = image[:, :-2, 1:-1] + image[:, 2:, 1:-1] + image[:, 1:-1, :-2] + image[:, 1:-1, 2:]
    row = _unit((4 * inner - around).reshape(1, -1))
    # The number of pixels that share the variance: all of them in noise, one where a single pixel sticks out.
    carrying = float((row**2).sum() ** 2 / max(float((row**4).sum()), 1e-30))
    return row if carrying >= _CARRYING else np.zeros_like(row)
