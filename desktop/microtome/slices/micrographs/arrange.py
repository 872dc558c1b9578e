"""What each micrograph gives to an image set: its set by whole groups, and the places of its tiles or of its whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.slices.blocks.split import SET_WORDS, SETS, counts_of, fresh_key, share_out
from microtome.slices.drawing import Drawn
from microtome.slices.geometry import PLANES, Array, Grid
from microtome.slices.micrographs.allotment import allot, shares_of, united
from microtome.slices.plan import Micrographs, SlicePlan
from microtome.slices.planes.sampler import Sampler
from microtome.volumes.units import VOXEL, to_nm

_ROUNDING = 1e-6  # voxels
_LEAST = 8  # pixels an edge of an image that is brought to size
_CHOICE = 17  # of a seed's branches: which tiles are taken
_ALIKE = 1e-3
_UNLIKE = 1.2  # ratio of the numbers of images of two classes
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One micrograph as it was opened."""

    label: int
    number: int  # in its class
    name: str
    shape: tuple[int, int, int]
    grid: Grid  # of the plan
    groups: tuple[str, ...] = ()
    set_name: str = ""


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one micrograph gives: so many images for one set, at the centres (n, 3) in voxels, or anywhere (None)."""

    set_name: str
    count: int
    grid: Grid
    centres: Array | None = None


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """The shares of all micrographs by (class, number), what is to be said of them, and how many groups there are."""

    settings: Micrographs
    shares: dict[tuple[int, int], Share] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    groups: int = 0

    @property
    def total(self) -> int:
        """Images in all."""
        return sum(share.count for share in self.shares.values())

    def signature(self) -> list[Any]:
        """What of it determines the images, beside the plan and the data."""
        settings = {k: v for k, v in asdict(self.settings).items() if k in ("fit", "overlap")}
        return [settings, [[*key, s.set_name, s.count] for key, s in sorted(self.shares.items())]]

    def independence(self) -> str:
        """How the sets are separated, in words."""
        what = "the tiles of an image lie" if self.settings.fit == "tile" else "what is cut from one image lies"
        return f"{self.groups} groups of images were given to the sets as wholes; {what} in one set."

    def pixel_size(self, records: Sequence[dict[str, Any]]) -> tuple[float, str, list[str]]:
        """(edge, unit, warnings) of the pixels of images that were brought to size: the median where they differ."""
        edges = [_edge(r) for r in records]
        unit = "nm" if all(e[1] == "nm" for e in edges) else VOXEL
        lengths = [e[0] if unit == "nm" else e[2] for e in edges]
        if max(lengths) <= min(lengths) * (1 + _ALIKE):
            return lengths[0], unit, []
        words = (
            f"The images were brought to one size, so their pixels differ: {min(lengths):.4g} to {max(lengths):.4g} {unit}; "
            "magnification may tell the classes apart."
        )
        return float(np.median(lengths)), unit, [words]


def _edge(record: dict[str, Any]) -> tuple[float, str, float]:
    """(edge in nm or voxels, unit, edge in voxels) of an image's pixels."""
    voxels = float(record["spacing"][2])
    if record["voxel_size"] is None or record["unit"] == VOXEL:
        return voxels, VOXEL, voxels
    return to_nm(voxels * float(record["voxel_size"][2]), record["unit"]), "nm", voxels


def is_arranged(settings: Micrographs, grouped: bool) -> bool:
    """Whether micrographs are to be arranged by their own settings; else each is cut like a small volume."""
    return settings.fit != "cut" or bool(settings.shares) or grouped


def arrange(seen: Sequence[Seen], classes: Sequence[str], settings: Micrographs, plan: SlicePlan) -> Arrangement:
    """Give whole groups to the sets, and choose the places of the images in each micrograph.

    Where shares are given every tile, or every image as a whole, is used; else as many a class as the plan counts. Raises
    InputError where a class has too few groups or images, or the table's sets leave one empty.
    """
    said: list[str] = []
    places = [places_of(one, settings) for one in seen]
    fitting = [i for i, (_, centres, _) in enumerate(places) if len(centres)]
    if len(fitting) < len(seen):
        small = [one.name for i, one in enumerate(seen) if not len(places[i][1])]
        said.append(f"{len(small)} images are too small and were left out, {small[0]} among them.")
    kept = [seen[i] for i in fitting]
    counts = np.array([len(places[i][1]) for i in fitting], dtype=np.int64)
    if any(places[i][2] for i in fitting):
        said.append(f"{sum(places[i][2] for i in fitting)} images have fewer pixels than {plan.pixels} and were enlarged.")
    groups = united([one.groups for one in kept])
    sets, more = _sets_of(kept, classes, groups, counts, settings, plan)
    said += more
    chosen = _chosen(kept, classes, sets, counts, settings, plan)
    shares = {}
    for position, i in enumerate(fitting):
        one, (grid, centres, _), mine = kept[position], places[i], chosen[position]
        if mine.size:
            fixed = None if settings.fit == "cut" else centres[mine]
            count = int(mine[0]) if settings.fit == "cut" else len(mine)
            shares[one.label, one.number] = Share(set_name=SETS[sets[position]], count=count, grid=grid, centres=fixed)
    said += _imbalance(classes, shares)
    return Arrangement(settings=settings, shares=shares, said=tuple(said), groups=int(groups.max(initial=-1)) + 1)


def _imbalance(classes: Sequence[str], shares: dict[tuple[int, int], Share]) -> list[str]:
    """How many training images each class has, where they are unlike."""
    counts = dict.fromkeys(range(len(classes)), 0)
    for (label, _), share in shares.items():
        counts[label] += share.count if share.set_name == "train" else 0
    if max(counts.values()) <= _UNLIKE * min(counts.values()):
        return []
    numbers = ", ".join(f"“{classes[label]}” {n}" for label, n in counts.items())
    return [f"The classes have unlike numbers of training images: {numbers}; training.balance makes them count alike."]


def places_of(one: Seen, settings: Micrographs) -> tuple[Grid, Array, bool]:
    """(grid, centres (n, 3), whether it is enlarged) of all that may be taken of a micrograph; of cuts one stands for any."""
    _, height, width = one.shape
    if settings.fit in ("cut", "tile"):
        return one.grid, _tiles(one, settings.overlap if settings.fit == "tile" else 0.0, single=settings.fit == "cut"), False
    if min(height, width) < _LEAST:
        return one.grid, np.empty((0, 3)), False
    grid = whole_grid((height, width), one.grid.pixels, stretch=settings.fit == "stretch")
    centre = np.array([[0.0, (height - 1) / 2, (width - 1) / 2]])
    return grid, centre, min(height, width) < one.grid.pixels


def whole_grid(size: tuple[int, int], pixels: int, *, stretch: bool) -> Grid:
    """The grid that brings an image of `size` (h, w) to pixels × pixels: its middle square, or all of it stretched.

    The outermost points lie on the centres of the outermost voxels or inside: nothing is made up beyond the image.
    """
    edges = size if stretch else (min(size),) * 2
    grid = Grid((max(edges) / pixels, edges[0] / pixels, edges[1] / pixels), pixels, "xy")
    for _ in range(3):
        k = grid.oversampling
        y, x = (min(n / pixels, (n - 1) * k / (pixels * k - 1)) for n in edges)
        made = Grid((max(y, x), y, x), pixels, "xy")
        if made == grid:
            break
        grid = made
    return grid


def _tiles(one: Seen, overlap: float, *, single: bool) -> Array:
    """The centres (n, 3) of the tiles of a micrograph, in the middle of it, row by row; none where no tile fits."""
    along: list[Array] = []
    reach = one.grid.reach(_axes(1))[0]
    for axis in (1, 2):
        length, edge = one.shape[axis], one.grid.spacing[axis] * one.grid.pixels
        free = length - 1 - 2 * reach[axis]
        if free < -_ROUNDING:
            return np.empty((0, 3))
        step = edge * (1 - overlap)
        number = 1 if single else 1 + max(0, int((length - edge) / step + _ROUNDING))
        first = (length - 1 - (number - 1) * step) / 2
        along.append(np.clip(first + step * np.arange(number), reach[axis], length - 1 - reach[axis]))
    y, x = (a.ravel() for a in np.meshgrid(*along, indexing="ij"))
    return np.stack([np.zeros_like(y), y, x], axis=1)


def _sets_of(
    kept: Sequence[Seen], classes: Sequence[str], groups: Ints, counts: Ints, settings: Micrographs, plan: SlicePlan
) -> tuple[Ints, list[str]]:
    """The set of each micrograph, and what is to be said of it."""
    labels = np.array([one.label for one in kept], dtype=np.int64)
    for label, name in enumerate(classes):
        number = len(np.unique(groups[labels == label]))
        if number < len(SETS):
            raise InputError(
                f"Class “{name}” has large enough images of {number} group{'' if number == 1 else 's'}; three sets need three.",
                "Add images of other specimens, group by something finer, or choose a smaller field of view.",
            )
    wanted = shares_of(settings.shares) if settings.shares else tuple(share_of_counts(plan))
    sizes = np.zeros((int(groups.max()) + 1, len(classes)))
    np.add.at(sizes, (groups, labels), counts)
    given = [one.set_name for one in kept]
    if any(given):
        sets, said = _given(kept, groups, sizes, given, plan)
    else:
        sets, said = allot(sizes, wanted, plan.seed)[groups], []
    for k, set_name in enumerate(SETS):
        for label, name in enumerate(classes):
            if not (labels[sets == k] == label).any():
                raise InputError(
                    f"No group with images of class “{name}” is left for {SET_WORDS[set_name]}.",
                    "Add images of other specimens, group by something finer, or mend the sets of the table.",
                )
    return sets, said


def share_of_counts(plan: SlicePlan) -> list[float]:
    """The shares of the sets that the counts of a plan mean."""
    counts = counts_of(plan)
    return [counts[s] / sum(counts.values()) for s in SETS]


def _given(kept: Sequence[Seen], groups: Ints, sizes: Array, given: Sequence[str], plan: SlicePlan) -> tuple[Ints, list[str]]:
    """The sets of a table; validation out of training where the table has none."""
    without = [one.name for one, s in zip(kept, given, strict=True) if not s]
    if without:
        raise InputError(
            f"{len(without)} images have no set in the table, {without[0]} among them.", "Give every image a set, or none."
        )
    sets = np.array([SETS.index(s) for s in given], dtype=np.int64)
    said = []
    split = sum(len(np.unique(sets[groups == g])) > 1 for g in np.unique(groups))
    if split:
        said.append(f"The sets of the table split {split} groups of images: evaluation is not independent of training.")
    if not (sets == SETS.index("validation")).any():
        mine = np.flatnonzero(sets == SETS.index("train"))
        inside = np.unique(groups[mine])
        # A fifth for validation; nothing of training may go to the third set, which is there already.
        chosen = allot_two(sizes[inside], 0.2, plan.seed)
        sets[mine] = chosen[np.searchsorted(inside, groups[mine])]
        said.append("The table names no validation set: a fifth of its training images, by whole groups, was taken.")
    return sets, said


def allot_two(sizes: Array, part: float, seed: int) -> Ints:
    """0 or 1 for each group, so that those of 1 are near `part` of every class: the smallest first, until it is reached."""
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(len(sizes), 2))).permutation(len(sizes))
    chosen, got = np.zeros(len(sizes), dtype=np.int64), np.zeros(sizes.shape[1])
    wanted = part * sizes.sum(axis=0)
    for i in order[np.argsort(sizes[order].sum(axis=1), kind="stable")].tolist():
        helps = (sizes[i] > 0) & (got < wanted)
        if helps.any() and ((got + sizes[i])[sizes[i] > 0] <= np.maximum(2 * wanted, 1)[sizes[i] > 0]).all():
            chosen[i] = 1
            got += sizes[i]
    return chosen


def _chosen(
    kept: Sequence[Seen], classes: Sequence[str], sets: Ints, counts: Ints, settings: Micrographs, plan: SlicePlan
) -> list[Ints]:
    """Which places of each micrograph are taken; of cuts, how many (one number)."""
    chosen: list[Ints] = [np.empty(0, dtype=np.int64)] * len(kept)
    labels = np.array([one.label for one in kept], dtype=np.int64)
    for label, name in enumerate(classes):
        for k, (set_name, wanted) in enumerate(counts_of(plan).items()):
            mine = np.flatnonzero((labels == label) & (sets == k)).tolist()
            if settings.fit == "cut":
                for i, part in zip(mine, share_out(wanted, [1.0] * len(mine)), strict=True):
                    chosen[i] = np.array([part] if part else [], dtype=np.int64)
                continue
            everything = [(i, place) for i in mine for place in range(int(counts[i]))]
            if not settings.shares and len(everything) < wanted:
                what = "tiles" if settings.fit == "tile" else "images"
                raise InputError(
                    f"Class “{name}” has {len(everything)} {what} for {SET_WORDS[set_name]}; {wanted} are wanted.",
                    'Ask for fewer, or take all there are by micrographs.shares = "60/20/20".',
                )
            number = len(everything) if settings.shares else wanted
            branch = (label, k, _CHOICE, *fresh_key(plan, set_name))
            rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=branch))
            taken: dict[int, list[int]] = {}
            for j in np.sort(rng.permutation(len(everything))[:number]).tolist():
                taken.setdefault(everything[j][0], []).append(everything[j][1])
            for i, own in taken.items():
                chosen[i] = np.array(own, dtype=np.int64)
    return chosen


def _axes(n: int) -> Array:
    return np.repeat(np.array([PLANES["xy"]], dtype=np.float64), n, axis=0)


def cut_places(sampler: Sampler, centres: Array, *, name: str) -> Drawn:
    """Cut the images at given centres (n, 3) in the plane of a micrograph; InputError where one holds what is no number."""
    axes = _axes(len(centres))
    images = sampler.cut(centres, axes)
    if not np.isfinite(images).all():
        raise InputError(f"{name} holds NaN or infinite values.", "Leave the image out, or save it without them.")
    return Drawn(images, np.asarray(centres, dtype=np.float64), axes, 0, 0)
