"""Give whole groups of micrographs to training, validation and evaluation, as near to the wished shares as groups allow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.slices.blocks.split import SETS

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
_ALL_WAYS = 8  # groups of which every way to share them out is tried: 3⁸ = 6561
_IMPROVED = 400  # groups that are moved to and fro; more follow the shares closely by themselves
_SWEEPS = 4
_EMPTY = 10.0  # what a class without images in a set costs: more than any deviation from the shares
_VALIDATION = 0.2  # of what is not evaluation, where only two shares are given


def shares_of(text: str) -> tuple[float, float, float]:
    """Training, validation and evaluation as fractions of 1, from “60/20/20” or “76/24”; a fifth of the 76 is validation.

    Raises InputError for what is no such text.
    """
    parts = [p.strip(" %") for p in re.split(r"[/:;]", text)]
    try:
        numbers = [float(p) for p in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or not all(0 < n < float("inf") for n in numbers):
        raise InputError(f"micrographs.shares cannot be “{text}”.", "Write 60/20/20 (training/validation/evaluation) or 76/24.")
    if len(numbers) == 2:
        numbers = [numbers[0] * (1 - _VALIDATION), numbers[0] * _VALIDATION, numbers[1]]
    train, validation, evaluation = (n / sum(numbers) for n in numbers)
    return train, validation, evaluation


def united(keys: Sequence[Sequence[str]]) -> Ints:
    """The group of each image (n,), numbered from 0: images that share any key are in one, those without keys are alone."""
    parent = list(range(len(keys)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i, own in enumerate(keys):
        for key in own:
            parent[root(i)] = root(first.setdefault(key, i))
    roots = np.array([root(i) for i in range(len(keys))], dtype=np.int64)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64).reshape(-1)


def allot(sizes: Array, shares: Sequence[float], seed: int) -> Ints:
    """The set (index into SETS) of each group; sizes (groups, classes): how many images of a class a group holds.

    What counts is the sum over sets and classes of (share got − share wanted)², and that no class misses in a set. All ways
    are tried for few groups; else the largest go first to where most is missing, and single groups are then moved.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(len(sizes), 3)))
    order = rng.permutation(len(sizes))
    parts = sizes[order] / np.maximum(sizes.sum(axis=0), 1e-12)
    wanted = np.asarray(shares, dtype=np.float64)[:, None]
    chosen = _best(parts, wanted) if len(parts) <= _ALL_WAYS else _moved(parts, wanted, _greedy(parts, wanted))
    found = np.empty(len(sizes), dtype=np.int64)
    found[order] = chosen
    return found


def _cost(got: Array, wanted: Array) -> Array:
    """Of shares got (…, sets, classes)."""
    cost: Array = ((got - wanted) ** 2).sum(axis=(-2, -1)) + _EMPTY * (got <= 0).sum(axis=(-2, -1))
    return cost


def _best(parts: Array, wanted: Array) -> Ints:
    ways = np.array(list(product(range(len(SETS)), repeat=len(parts))), dtype=np.int64).reshape(-1, len(parts))
    got = np.stack([(ways == s).astype(np.float64) @ parts for s in range(len(SETS))], axis=1)
    best: Ints = ways[int(np.argmin(_cost(got, wanted)))]
    return best


def _greedy(parts: Array, wanted: Array) -> Ints:
    missing = np.repeat(wanted, parts.shape[1], axis=1)
    chosen = np.zeros(len(parts), dtype=np.int64)
    for i in np.argsort(-parts.sum(axis=1), kind="stable").tolist():
        chosen[i] = int(np.argmax(missing @ parts[i] / np.maximum(wanted[:, 0], 1e-12)))
        missing[chosen[i]] -= parts[i]
    return chosen


def _moved(parts: Array, wanted: Array, chosen: Ints) -> Ints:
    if len(parts) > _IMPROVED:
        return chosen
    got = np.stack([parts[chosen == s].sum(axis=0) for s in range(len(SETS))])
    for _ in range(_SWEEPS):
        before = chosen.copy()
        for i in range(len(parts)):
            without = got.copy()
            without[chosen[i]] -= parts[i]
            ways = np.stack([without] * len(SETS))
            ways[np.arange(len(SETS)), np.arange(len(SETS))] += parts[i]
            ways = np.where(np.abs(ways) < 1e-12, 0.0, ways)
            costs = _cost(ways, wanted)
            best = int(np.argmin(costs))
            if costs[best] < costs[chosen[i]] - 1e-15:
                chosen[i] = best
            got = ways[chosen[i]]
        if (before == chosen).all():
            break
    return chosen
