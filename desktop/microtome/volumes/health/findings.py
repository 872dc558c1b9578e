"""What was found wrong with a volume: where, in words, how bad, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from microtome.volumes.corrections.ranges import join_ranges, write_ranges

Severity = Literal["note", "warning", "bad"]
Kind = Literal[
    "drift", "brightness", "missing", "repeated", "stripes", "saturation", "empty", "not a number", "damaged", "reader"
]
_MOST = 8  # ranges that are named


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """One thing that can be done: what a button says, and the step that it adds to the volume's corrections."""

    label: str
    step: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One fault: its kind, where it is (first, last slices; none: everywhere), a sentence, and remedies, the best first."""

    kind: Kind
    words: str
    severity: Severity
    slices: tuple[tuple[int, int], ...] = ()
    remedies: tuple[Remedy, ...] = ()


def named(slices: Iterable[int], *, capital: bool = True) -> str:
    """Slices in words: "Slice 4", "slices 4-6, 9"."""
    found = sorted(set(slices))
    word = "slice" if len(found) == 1 else "slices"
    return f"{word.capitalize() if capital else word} {write_ranges(join_ranges(found), most=_MOST)}"


def without(slices: Iterable[int], depth: int) -> tuple[Remedy, ...]:
    """The remedies for bad slices: crop them off where they are at the ends, else interpolate, or leave them out."""
    bad = sorted(set(slices))
    good = [z for z in range(depth) if z not in set(bad)]
    if not bad or not good:
        return ()
    ranges = write_ranges(join_ranges(bad))
    interpolate = Remedy(
        label="Replace them by their neighbours", step={"name": "exclude", "slices": ranges, "instead": "interpolate"}
    )
    remove = Remedy(label="Leave them out", step={"name": "exclude", "slices": ranges, "instead": "remove"})
    if good == list(range(good[0], good[-1] + 1)):
        end = good[-1] + 1 if good[-1] + 1 < depth else 0
        return (Remedy(label="Crop them off", step={"name": "crop", "z_from": good[0], "z_to": end}),)
    return interpolate, remove
