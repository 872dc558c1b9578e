"""Whether an image set can be trusted: the leak meter and the shortcut audit, with a verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.slices.blocks.split import SET_WORDS
from microtome.slices.geometry import Array
from microtome.slices.plan import SlicePlan
from microtome.slices.trust.leak import Nearest, Placed, Shared, nearest, shared_voxels
from microtome.slices.trust.shortcut import advice, shortcuts
from microtome.slices.trust.similar import Alike, most_similar
from microtome.slices.trust.twins import Fingerprint, Twins, twins
from microtome.volumes.units import VOXEL, to_nm

Record = dict[str, Any]
Ints = NDArray[np.int64]
_SAME_PICTURE = 0.95
_LISTED = 3
_DIFFER = 0.2


@dataclass(frozen=True, eq=False, kw_only=True)
class Cut:
    """Slices as an image set keeps them: images (n, h, w), class and set and volume of each (n,), poses in voxels."""

    images: NDArray[np.float32]
    labels: Ints
    sets: Ints
    volumes: Ints
    centres: Array
    axes: Array


@dataclass(frozen=True, kw_only=True)
class Leak:
    """What the leak meter reads: independent, doubtful or leaking, why, and the numbers behind it (as in plan.json)."""

    verdict: str
    why: tuple[str, ...]
    distance: dict[str, Any] | None = None  # of the nearest planes of different sets: length, unit, pixels, exact, volume
    shared: dict[str, Any] | None = None  # voxels that two sets touch: both, any, share
    similarity: dict[str, Any] = field(default_factory=dict)  # all, other_volume, sharpest: correlations and images; compared
    copies: tuple[dict[str, Any], ...] = ()  # volumes that hold the same
    volume_pairs: dict[str, int] = field(default_factory=dict)  # how many were compared for that, of how many

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "why": list(self.why), "copies": list(self.copies)}

    def words(self) -> str:
        """The verdict as sentences."""
        return " ".join((VERDICTS[self.verdict], *self.why))


VERDICTS = {
    "independent": "The sets are independent.",
    "doubtful": "It is doubtful that the sets are independent.",
    "leaking": "The sets leak: the evaluation does not measure what the network has learned.",
}


@dataclass(frozen=True, kw_only=True)
class Trust:
    """The leak meter and the shortcut audit of one image set, or of a preview."""

    leak: Leak
    shortcuts: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]  # of the audit, with what to do


def assess(plan: SlicePlan, records: Sequence[Record], cut: Cut, prints: Sequence[Fingerprint | None]) -> Trust:
    """Measure a cut image set; records as in plan.json, one a volume, prints the same (None: not to be compared)."""
    sizes = np.array([r["spacing"] for r in records], dtype=np.float64).reshape(-1, 3)
    found = shortcuts(cut.images, cut.labels, cut.sets, 1 / sizes[cut.volumes])
    return Trust(
        leak=leak_meter(plan, records, cut, prints),
        shortcuts=tuple(s.to_json() for s in found),
        warnings=tuple(advice(found, plan.normalisation, simulated=any(r.get("simulated") for r in records))),
    )


def leak_meter(plan: SlicePlan, records: Sequence[Record], cut: Cut, prints: Sequence[Fingerprint | None]) -> Leak:
    """Measure distance, shared voxels, similarity and copies; the worst of them makes the verdict."""
    placed = _placed(plan, records, cut)
    distance, where = _nearest(placed)
    shared = _shared(placed)
    alike = most_similar(cut.images, cut.sets, cut.volumes)
    compared = twins(prints, _pairs(records, prints))
    copies = _copies(records, compared)
    leaking = _crossing(distance, shared) + [c["words"] for c in copies if c["leaks"]]
    doubtful = [c["words"] for c in copies if not c["leaks"]] + _guards(records) + _alike(alike.sharpest)
    verdict = "leaking" if leaking else "doubtful" if doubtful else "independent"
    length, unit = _length(plan, records, where, distance)
    good = _good(records, distance, shared, length, unit)
    return Leak(
        verdict=verdict,
        why=tuple(leaking + doubtful + (good if verdict != "leaking" else [])),
        distance=None
        if distance is None
        else {
            "length": length,
            "unit": unit,
            "pixels": distance.pixels,
            "exact": distance.exact,
            "volume": records[where]["name"],
        },
        shared=None if distance is None else {"both": shared.both, "any": shared.any, "share": shared.share},
        similarity={
            "all": None if alike.all is None else vars(alike.all),
            "other_volume": None if alike.other_volume is None else vars(alike.other_volume),
            "sharpest": None if alike.sharpest is None else vars(alike.sharpest),
            "compared": list(alike.compared),
        },
        copies=tuple(copies),
        volume_pairs={"compared": compared.compared, "of": compared.pairs},
    )


def _placed(plan: SlicePlan, records: Sequence[Record], cut: Cut) -> list[Placed]:
    found = []
    for k, record in enumerate(records):
        mine = np.flatnonzero(cut.volumes == k)
        z, y, x = (float(s) for s in record["spacing"])
        shape = record["shape"]
        found.append(
            Placed(
                shape=(shape[0], shape[1], shape[2]),
                spacing=(z, y, x),
                pixels=plan.pixels,
                centres=cut.centres[mine],
                axes=cut.axes[mine],
                sets=cut.sets[mine],
            )
        )
    return found


def _nearest(placed: Sequence[Placed]) -> tuple[Nearest | None, int]:
    """The smallest distance over all volumes, and in which."""
    found = [(n, k) for k, p in enumerate(placed) if (n := nearest(p)) is not None]
    return min(found, key=lambda item: item[0].pixels) if found else (None, -1)


def _shared(placed: Sequence[Placed]) -> Shared:
    parts = [shared_voxels(p) for p in placed]
    return Shared(sum(p.both for p in parts), sum(p.any for p in parts), max((p.cube for p in parts), default=1))


def _pairs(records: Sequence[Record], prints: Sequence[Fingerprint | None]) -> list[tuple[int, int]]:
    """Pairs of volumes whose copies would matter: of different classes, or serving different sets; of those with prints."""
    known = [i for i, one in enumerate(prints) if one is not None]
    serving = [set(r["blocks"]) for r in records]
    return [
        (i, j)
        for i, j in combinations(known, 2)
        if records[i]["class"] != records[j]["class"] or len(serving[i] | serving[j]) > 1
    ]


def _copies(records: Sequence[Record], found: Twins) -> list[dict[str, Any]]:
    copies = []
    for twin in found.found:
        first, second = records[twin.first], records[twin.second]
        meet = _meeting(first, second, twin.offset)
        # Turned, the boxes cannot be laid over one another here: blocks of several sets are then taken to meet.
        leaks = bool(meet) or (twin.turned and len(set(first["blocks"]) | set(second["blocks"])) > 1)
        words = f"{first['name']} (“{first['class']}”) and {second['name']} (“{second['class']}”) hold the same data"
        words += " in another position" if twin.turned else ""
        words += f" (correlation {twin.correlation:.2f})"
        if meet:
            a, b = meet[0]
            words += f": {SET_WORDS[a]} slices of one and {SET_WORDS[b]} slices of the other come from the same place"
        copies.append(
            {
                "first": first["name"],
                "second": second["name"],
                "correlation": twin.correlation,
                "offset": list(twin.offset),
                "turned": twin.turned,
                "sets": [list(m) for m in meet],
                "leaks": leaks,
                "words": f"{words}. Remove one.",
            }
        )
    return copies


def _meeting(first: Record, second: Record, offset: Sequence[int]) -> list[tuple[str, str]]:
    """Different sets whose blocks overlap when the second volume is laid over the first."""
    shift = np.asarray(offset)
    found = []
    for (a, one), (b, other) in product(first["blocks"].items(), second["blocks"].items()):
        low = np.maximum(one["low"], other["low"] + shift)
        high = np.minimum(one["high"], other["high"] + shift)
        if a != b and (high > low).all():
            found.append((a, b))
    return found


def _crossing(distance: Nearest | None, shared: Shared) -> list[str]:
    found = []
    if distance is not None and distance.pixels == 0:
        found.append("Slices of different sets cross.")
    if shared.both:
        found.append(f"{100 * shared.share:.2g} % of the voxels that slices touch are touched by two sets.")
    return found


def _guards(records: Sequence[Record]) -> list[str]:
    """Volumes whose blocks lie nearer than their grey values are alike, and those whose blocks differ in content."""
    narrow = [r for r in records if r.get("guard") and r.get("correlation") and _narrow(r)]
    found = []
    if narrow:
        listed = "; ".join(
            f"{r['name']} {_lags(r['guard'])} of {'more than ' if not r['correlation']['bounded'] else ''}"
            f"{_lags(r['correlation']['length'])}"
            for r in narrow[:_LISTED]
        )
        more = f"; and {len(narrow) - _LISTED} more" if len(narrow) > _LISTED else ""
        found.append(
            "The guard band is narrower than the distance over which grey values are alike (autocovariance above 1/e), in "
            f"voxels along z, y, x: {listed}{more}. A smaller field of view leaves more; three volumes a class need none."
        )
    return found


def _narrow(record: Record) -> bool:
    """True where the guard band is too narrow on an axis that separates two blocks."""
    boxes = list(record["blocks"].values())
    for a, b in combinations(boxes, 2):
        gaps = [max(b["low"][k] - a["high"][k], a["low"][k] - b["high"][k]) for k in range(3)]
        if all(gap < length for gap, length in zip(gaps, record["correlation"]["length"], strict=True)):
            return True
    return False


def _lags(values: Sequence[float]) -> str:
    return " / ".join(f"{v:.3g}" for v in values)


def _alike(found: Alike | None) -> list[str]:
    if found is None or found.sharpened < _SAME_PICTURE:
        return []
    pair = f"Images {found.first} and {found.second}"
    return [f"{pair} are of different sets and nearly the same (correlation {found.sharpened:.3f} of their edges)."]


def _length(plan: SlicePlan, records: Sequence[Record], where: int, distance: Nearest | None) -> tuple[float, str]:
    """The distance as a length where one is known, else in voxels."""
    if distance is None:
        return 0.0, VOXEL
    pixel = plan.field_of_view / plan.pixels
    if plan.unit != VOXEL:
        return distance.pixels * to_nm(pixel, plan.unit), "nm"
    return distance.pixels * pixel, VOXEL


def _good(records: Sequence[Record], distance: Nearest | None, shared: Shared, length: float, unit: str) -> list[str]:
    """What was measured, where it does not leak."""
    if distance is None:
        return ["Every set is cut from volumes of its own."]
    bound = "" if distance.exact else "at most "
    unit = "voxels" if unit == VOXEL else unit
    words = f"Planes of different sets come no nearer than {bound}{length:.4g} {unit}"
    return [words + (", and share no voxel." if not shared.both else ".")]


def content_warnings(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """A warning where the blocks of a volume differ in content: the evaluation then also measures that."""
    unlike = [r for r in records if (r.get("differ") or 0.0) >= _DIFFER]
    if not unlike:
        return []
    listed = ", ".join(f"{r['name']} ({100 * r['differ']:.0f} %)" for r in unlike[:_LISTED])
    more = f" and {len(unlike) - _LISTED} more" if len(unlike) > _LISTED else ""
    return [
        f"The blocks of the sets differ in grey levels or local contrast: {listed}{more}. The specimen changes from place to "
        "place, so accuracy differs between sets for that reason alone; several volumes a class help."
    ]
