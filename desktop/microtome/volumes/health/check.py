"""The health check of a volume: one look at every slice, findings with slice numbers and remedies, and profiles over z."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microtome.plugin import Report
from microtome.volumes.health import symptoms
from microtome.volumes.health.findings import Finding, Remedy, named
from microtome.volumes.health.profiles import Facts, Profile, alike, collect
from microtome.volumes.volume import Volume

__all__ = ["Finding", "Health", "Profile", "Remedy", "look_over", "named"]

_WORST_FIRST = {"bad": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, kw_only=True)
class Health:
    """What was found, the worst first, and the numbers over z that it was found by."""

    findings: tuple[Finding, ...]
    profiles: tuple[Profile, ...]


def look_over(volume: Volume, report: Report) -> Health:
    """Look at every slice of a volume once, for faults of the recording. Reads every voxel: for a background thread.

    Holds a few slices at a time. A fault stands out against what is usual around it, so a volume that is odd throughout (as one
    of white noise) has none. What a reader found is the first of the notes. LookStoppedError where `report` says so.
    """
    facts = collect(volume, report)
    found = [
        *symptoms.damage(facts),
        *symptoms.not_numbers(facts),
        *symptoms.emptiness(facts),
        *symptoms.drift(facts, volume.voxel_size),
        *symptoms.gaps_and_repeats(facts),
        *symptoms.brightness(facts),
        *symptoms.stripes(facts),
        *symptoms.saturation(facts),
    ]
    told = [Finding(kind="reader", words=words, severity="note") for words in volume.findings]
    ordered = sorted([*told, *found], key=lambda finding: _WORST_FIRST[finding.severity])
    return Health(findings=tuple(ordered), profiles=_profiles(facts))


def _profiles(facts: Facts) -> tuple[Profile, ...]:
    place, steps, _sure = symptoms.displacements(facts)
    nothing = np.array([np.nan])
    lines = (
        ("Mean", "grey level", facts.mean),
        ("Deviation", "grey level", facts.std),
        ("Position y", "px", place[:, 0]),
        ("Position x", "px", place[:, 1]),
        ("Step y", "px", np.concatenate([nothing, steps[:, 0]])),
        ("Step x", "px", np.concatenate([nothing, steps[:, 1]])),
        ("Likeness to the next", "", np.concatenate([alike(facts, 1), nothing])),
        ("At the lowest value", "", np.where(facts.low == facts.low.min(), facts.at_low, 0.0)),
        ("At the highest value", "", np.where(facts.high == facts.high.max(), facts.at_high, 0.0)),
        ("Vertical stripes", "", facts.stripes[:, 0]),
        ("Horizontal stripes", "", facts.stripes[:, 1]),
    )
    for _name, _unit, values in lines:
        values[list(facts.damaged)] = np.nan
    return tuple(Profile(name=name, unit=unit, values=tuple(float(v) for v in values)) for name, unit, values in lines)
