"""Numbers that volumes carry, for networks that tell a number: where they come from, and which volumes are held apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from microtome.errors import InputError, nearest
from microtome.slices.plan import ClassSource, SimulatedSource, SlicePlan, VolumeSource
from microtome.slices.source import Member
from microtome.volumes.particles.structure import PROPERTIES
from microtome.volumes.volume import Volume

EVERY = "all volumes"
"""The class that all volumes are in where whole volumes are held apart, whatever their classes."""


def value_of(member: Member, volume: Volume) -> float | None:
    """The number that a volume carries: as given, or computed of its structure; None where it has none.

    Raises InputError where it shall be computed of a volume that has no structure.
    """
    what = "" if member.flat else getattr(member.source, "property", "")
    if not what:
        return member.value
    if volume.structure is None:
        raise InputError(
            f"{member.name} has no structure of particles to compute its {what} of.", "Give its value as a number instead."
        )
    return PROPERTIES[what](volume.structure)


def check_value(value: object, where: str) -> float | None:
    """A value as a recipe gives it; InputError where it is no finite number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"value of {where} must be a number, not {value!r}.")
    return float(value)


def check_property(name: object, where: str) -> str:
    """A property as a recipe names it; InputError where there is no such one."""
    if name and name not in PROPERTIES:
        raise InputError(f"There is no property “{name}” ({where}).", nearest(str(name), tuple(PROPERTIES)))
    return str(name or "")


def carried(source: ClassSource) -> list[float | str | None]:
    """What the members of a class carry: a number, the name of a property, or None; its images count as one."""
    images = [source.value] if source.images or source.micrographs.labels else []
    members: tuple[VolumeSource | SimulatedSource, ...] = (*source.volumes, *source.simulated)
    return [*(m.property or m.value for m in members), *images]


def require_values(classes: Sequence[ClassSource]) -> None:
    """InputError where not every volume carries a number, or all carry the same."""
    for source in classes:
        if None in carried(source):
            raise InputError(
                f"A volume of “{source.name}” has no value to learn.",
                'Give every volume a value (or a class, as value = 3.4), or set training.target = "class".',
            )
    found = [one for source in classes for one in carried(source)]
    if not any(isinstance(one, str) for one in found) and len(set(found)) < 2:
        raise InputError("All volumes carry the same value; there is nothing to learn.", "Add volumes of other values.")


def held_apart(classes: Sequence[ClassSource], plan: SlicePlan) -> tuple[tuple[ClassSource, ...], SlicePlan]:
    """Classes and plan by which whole volumes are held apart, as a number's test must be: all volumes in one class.

    It has as many images as the classes had together. Micrographs are held apart as wholes anyway: their classes stay.
    """
    if len(classes) < 2 or any(s.images or s.micrographs.labels for s in classes):
        return tuple(classes), plan
    whole = replace(
        classes[0],
        name=EVERY,
        volumes=tuple(v for s in classes for v in s.volumes),
        simulated=tuple(v for s in classes for v in s.simulated),
    )
    k = len(classes)
    return (whole,), replace(plan, train=k * plan.train, validation=k * plan.validation, evaluation=k * plan.evaluation)


def without_values(classes: Sequence[ClassSource]) -> tuple[ClassSource, ...]:
    """The classes without their numbers, for networks that tell classes."""
    return tuple(
        replace(
            source,
            value=None,
            volumes=tuple(replace(v, value=None, property="") for v in source.volumes),
            simulated=tuple(replace(v, value=None, property="") for v in source.simulated),
        )
        for source in classes
    )


def signature(members: Sequence[Sequence[Member]]) -> list[object]:
    """What an image set's hash must know of the numbers: [] where there are none."""
    found = [[getattr(m.source, "property", "") or m.value for m in group] for group in members]
    return [{"values": found}] if any(one is not None for group in found for one in group) else []
