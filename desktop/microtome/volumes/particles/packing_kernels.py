"""Compiled loops over spheres in a periodic box: cells, random addition, hard-sphere moves, relaxation, aggregates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.compiled import compiled

Array = NDArray[Any]


@compiled
def cells(centres: Array, box: Array, count: Array) -> tuple[Array, Array]:
    """Linked lists of the spheres of each of count[0]·count[1]·count[2] cells: (first of a cell, next of a sphere; −1 ends)."""
    first = np.full(count[0] * count[1] * count[2], -1, np.int64)
    following = np.full(centres.shape[0], -1, np.int64)
    for i in range(centres.shape[0]):
        c = cell_of(centres[i, 0], centres[i, 1], centres[i, 2], box, count)
        following[i] = first[c]
        first[c] = i
    return first, following


@compiled
def cell_of(z: float, y: float, x: float, box: Array, count: Array) -> int:
    """The cell of a place inside the box."""
    a = min(int(z / box[0] * count[0]), count[0] - 1)
    b = min(int(y / box[1] * count[1]), count[1] - 1)
    c = min(int(x / box[2] * count[2]), count[2] - 1)
    cell: int = (a * count[1] + b) * count[2] + c
    return cell


@compiled
def _squared(p: Array, q: Array, box: Array) -> float:
    total = 0.0
    for k in range(3):
        d = p[k] - q[k]
        d -= box[k] * np.rint(d / box[k])
        total += d * d
    return total


@compiled
def _free(place: Array, radius: float, skip: int, centres: Array, radii: Array, box: Array, count: Array, lists: Any) -> bool:
    """Whether a sphere at `place` touches none of the listed ones (but `skip`)."""
    first, following = lists
    a = min(int(place[0] / box[0] * count[0]), count[0] - 1)
    b = min(int(place[1] / box[1] * count[1]), count[1] - 1)
    c = min(int(place[2] / box[2] * count[2]), count[2] - 1)
    for da in range(-1, 2):
        for db in range(-1, 2):
            for dc in range(-1, 2):
                cell = (((a + da) % count[0]) * count[1] + (b + db) % count[1]) * count[2] + (c + dc) % count[2]
                j = first[cell]
                while j >= 0:
                    reach = radius + radii[j]
                    if j != skip and _squared(place, centres[j], box) < reach * reach:
                        return False
                    j = following[j]
    return True


@compiled
def add_sequentially(rng: np.random.Generator, radii: Array, box: Array, count: Array, attempts: int) -> tuple[Array, int]:
    """Random sequential addition in the order of `radii`: (centres, how many found a place in `attempts` attempts each)."""
    n = radii.shape[0]
    centres = np.zeros((n, 3))
    first = np.full(count[0] * count[1] * count[2], -1, np.int64)
    following = np.full(n, -1, np.int64)
    place = np.zeros(3)
    for i in range(n):
        found = False
        for _ in range(attempts):
            for k in range(3):
                place[k] = rng.random() * box[k]
            if _free(place, radii[i], -1, centres, radii, box, count, (first, following)):
                found = True
                break
        if not found:
            return centres, i
        centres[i] = place
        cell = cell_of(place[0], place[1], place[2], box, count)
        following[i] = first[cell]
        first[cell] = i
    return centres, n


@compiled
def move_spheres(
    rng: np.random.Generator, centres: Array, radii: Array, box: Array, count: Array, step: float, sweeps: int
) -> float:
    """Hard-sphere Monte Carlo in place, `sweeps` attempted moves of up to ±step a sphere; the share that was accepted."""
    first, following = cells(centres, box, count)
    place = np.zeros(3)
    accepted = 0
    n = radii.shape[0]
    for _ in range(sweeps):
        for i in range(n):
            for k in range(3):
                shifted = (centres[i, k] + (2.0 * rng.random() - 1.0) * step) % box[k]
                place[k] = shifted if shifted < box[k] else 0.0
            if not _free(place, radii[i], i, centres, radii, box, count, (first, following)):
                continue
            accepted += 1
            old = cell_of(centres[i, 0], centres[i, 1], centres[i, 2], box, count)
            new = cell_of(place[0], place[1], place[2], box, count)
            centres[i] = place
            if old != new:
                _unlink(first, following, old, i)
                following[i] = first[new]
                first[new] = i
    share: float = accepted / max(1, sweeps * n)
    return share


@compiled
def _unlink(first: Array, following: Array, cell: int, i: int) -> None:
    if first[cell] == i:
        first[cell] = following[i]
        return
    j = first[cell]
    while following[j] != i:
        j = following[j]
    following[j] = following[i]


@compiled
def overlaps(centres: Array, radii: Array, box: Array, count: Array, push: Array) -> float:
    """The largest overlap as a share of the pair's distance at contact; `push` gets half of each overlap, apart."""
    first, following = cells(centres, box, count)
    push[:] = 0.0
    worst = 0.0
    apart = np.zeros(3)
    for i in range(radii.shape[0]):
        a = min(int(centres[i, 0] / box[0] * count[0]), count[0] - 1)
        b = min(int(centres[i, 1] / box[1] * count[1]), count[1] - 1)
        c = min(int(centres[i, 2] / box[2] * count[2]), count[2] - 1)
        for d in range(27):
            da, db, dc = d // 9 - 1, d // 3 % 3 - 1, d % 3 - 1
            j = first[(((a + da) % count[0]) * count[1] + (b + db) % count[1]) * count[2] + (c + dc) % count[2]]
            while j >= 0:
                if j > i:
                    worst = max(worst, _push_pair(i, j, centres, radii, box, push, apart))
                j = following[j]
    return worst


@compiled
def _push_pair(i: int, j: int, centres: Array, radii: Array, box: Array, push: Array, apart: Array) -> float:
    contact = radii[i] + radii[j]
    squared = 0.0
    for k in range(3):
        d = centres[i, k] - centres[j, k]
        apart[k] = d - box[k] * np.rint(d / box[k])
        squared += apart[k] * apart[k]
    if squared >= contact * contact:
        return 0.0
    distance = math.sqrt(squared)
    depth = contact - distance
    for k in range(3):
        # Two spheres at one place part along z.
        along = apart[k] / distance if distance > 0.0 else (1.0 if k == 0 else 0.0)
        push[i, k] += 0.5 * depth * along
        push[j, k] -= 0.5 * depth * along
    share: float = depth / contact
    return share


@compiled
def relax_spheres(centres: Array, radii: Array, box: Array, count: Array, limit: float, most: int) -> float:
    """Push overlapping pairs apart in place until the largest overlap is below `limit`, or `most` times; the largest left."""
    push = np.zeros_like(centres)
    cap = 0.6 * radii.max()
    worst = overlaps(centres, radii, box, count, push)
    for _ in range(most):
        if worst < limit:
            break
        for i in range(centres.shape[0]):
            length = math.sqrt(push[i, 0] ** 2 + push[i, 1] ** 2 + push[i, 2] ** 2)
            scale = cap / length if length > cap else 1.0
            for k in range(3):
                moved = (centres[i, k] + scale * push[i, k]) % box[k]
                centres[i, k] = moved if moved < box[k] else 0.0
        worst = overlaps(centres, radii, box, count, push)
    return worst


@compiled
def grow_aggregate(rng: np.random.Generator, radii: Array, gap: float, attempts: int) -> Array:
    """Spheres stuck together one by one: each at a random member, in a random direction, at contact times `gap`.

    A place that overlaps another member is tried again elsewhere; after `attempts` it is taken nevertheless (relaxation
    follows). Returns centres (n, 3) about their centre of mass.
    """
    n = radii.shape[0]
    centres = np.zeros((n, 3))
    for i in range(1, n):
        for _ in range(attempts):
            parent = min(int(rng.random() * i), i - 1)
            cosine = 2.0 * rng.random() - 1.0
            angle = 2.0 * math.pi * rng.random()
            sine = math.sqrt(1.0 - cosine * cosine)
            distance = (radii[i] + radii[parent]) * gap
            centres[i, 0] = centres[parent, 0] + distance * cosine
            centres[i, 1] = centres[parent, 1] + distance * sine * math.cos(angle)
            centres[i, 2] = centres[parent, 2] + distance * sine * math.sin(angle)
            if _clear(i, centres, radii):
                break
    for k in range(3):
        centres[:, k] -= centres[:, k].mean()
    return centres


@compiled
def _clear(i: int, centres: Array, radii: Array) -> bool:
    for j in range(i):
        squared = 0.0
        for k in range(3):
            squared += (centres[i, k] - centres[j, k]) ** 2
        reach = radii[i] + radii[j]
        if squared < reach * reach:
            return False
    return True
