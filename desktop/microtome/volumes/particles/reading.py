"""From what a file says of particles, and what a user adds, to a structure: types, radii, unit of length, box, periodicity."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, UnknownNameError, nearest
from microtome.plugin import Choice, Field, RawVolume, Structure
from microtome.volumes.particles.drawn import SAY_LENGTHS, default_voxel_size, drawn, scaled
from microtome.volumes.particles.radii import missing_radii
from microtome.volumes.units import NM, nanometres

Array = NDArray[np.float64]
_FARTHEST = 1e30  # of a place in any unit; the squares of such are still numbers
_WIDEST = 1e7  # radii that a box may be wide
_FEW = 16  # kinds that are looked for one by one
_MOST_NAMED = 8  # types that a finding counts one by one
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"

# The settings that every reader of particles has; each declares them as keywords of the same names.
RADIUS = Field(0.0, 0.0, None, help="Radius of the particles, in the file's unit of length; 0: as the file says")
RADII = Field("", help="Radii of types, in the file's unit of length, as: 1=10, 2=4.5")
TYPES = Field("", help="Types that are kept, as: 2 or Si, O; all where empty")
LENGTH_UNIT = Field("", help="What the file's lengths are: nm, angstrom, um, …, or how long one unit is, as 20 nm")
BOX = Field("", help="Edges of the box along z, y, x in the file's unit of length; as the file says where empty")
PERIODIC = Field("", help="Axes along which the box is periodic: xyz, xy, …, or none; as the file says where empty")
WRAP = Field(True, help="Bring particles that left a periodic box back into it; otherwise they are left out")
FRAME = Field(0, 0, None, help="Which frame, from 1, of a file that holds several")


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a user says of particles, as the fields of the readers hold it."""

    radius: float = 0.0
    radii: str = ""
    types: str = ""
    length_unit: str = ""
    box: str = ""
    periodic: str = ""
    wrap: bool = True


@dataclass(frozen=True, kw_only=True)
class Particles:
    """What a file says of its particles, in the file's own order of axes: x, y, z.

    `places` (n, 3); `radii` (n,) or None; `labels` (n,) of numbers or bytes, one a kind, or None. `edges` of the box along x,
    y, z from `origin`, or None; `periodic` along x, y, z, or None where the file does not say. `unit` is "" where it is
    unknown. `choices` are further answers to the question for radii. `convention` says why the unit is in doubt.
    """

    places: Array
    radii: Array | None = None
    labels: NDArray[Any] | None = None
    edges: tuple[float, float, float] | None = None
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    periodic: tuple[bool, bool, bool] | None = None
    unit: str = ""
    findings: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    convention: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


def volume_of(found: Particles, path: Path, wishes: Wishes) -> RawVolume:
    """The particles as voxels that are drawn when they are read, with the structure beside them.

    Raises QuestionError where nobody says how large the particles are, FileError for places and radii that make no sense,
    InputError for wishes that do not fit the file.
    """
    _sound(found, path)
    types, names = _kinds(found.labels)
    said = list(found.findings)
    found, types, names = _kept(found, types, names, path, wishes.types, said)
    unit, factor = _unit(found, wishes.length_unit)
    found = _boxed(found, path, wishes, said)
    found, types = _wrapped(found, types, wishes.wrap, said)
    radii = _radii(found, types, names, path, wishes)
    found, types, radii = _with_volume(found, types, radii, path, said)
    structure = _structure(found, radii, types, names, said)
    _fits(structure, path)
    if unit:
        structure = scaled(structure, factor, unit)
    else:
        why = found.convention or "The file does not say what its lengths are."
        said.append(f"{why} A voxel is {default_voxel_size(structure):.4g} of them wide. {SAY_LENGTHS}")
    return drawn(structure, source=str(path), findings=tuple(said), metadata=found.metadata)


def counted(number: int) -> str:
    """`1 particle`, `2 particles`."""
    return f"{number} particle" + ("" if number == 1 else "s")


def places_of(table: dict[str, NDArray[Any]], path: Path) -> Array:
    """The columns x, y and z, which leave the table, as places (n, 3); FileError for one that is no sensible number."""
    places = np.column_stack([table.pop(axis) for axis in "xyz"])
    _all_numbers("place", places, path)
    return places


def _all_numbers(what: str, values: Array, path: Path) -> None:
    # False for what is no number.
    good = np.asarray(np.abs(values) < _FARTHEST).reshape(len(values), -1).all(axis=1)
    if not good.all():
        bad = np.flatnonzero(~good)
        raise FileError(
            f"{path}: the {what} of {counted(len(bad))} is no sensible number (the first is particle {bad[0] + 1}).",
            "Save the file again, or choose another frame.",
        )


def _sound(found: Particles, path: Path) -> None:
    if len(found.places) == 0:
        raise FileError(f"{path} holds no particle.", "Choose another file or frame.")
    _all_numbers("place", found.places, path)
    if found.radii is not None:
        _all_numbers("radius", found.radii, path)
    if found.radii is not None and (found.radii < 0).any():
        bad = np.flatnonzero(found.radii < 0)
        raise FileError(
            f"{path} has {counted(len(bad))} of negative radius (the first is particle {bad[0] + 1}).", "Save it again."
        )


def _kinds(labels: NDArray[Any] | None) -> tuple[NDArray[np.int32] | None, tuple[str, ...]]:
    """Labels as indices into their sorted names; None where all particles are of one kind."""
    if labels is None:
        return None, ()
    kinds, inverse = _distinct(labels)
    if len(kinds) < 2 and labels.dtype.kind == "f":
        return None, ()
    if labels.dtype.kind == "S":
        names = tuple(k.decode("utf-8", errors="replace") for k in kinds)
    else:
        names = tuple(f"{k:g}" for k in kinds)
    return inverse, names


def _distinct(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """The sorted kinds, and the index of each label's; without sorting millions of names where there are few kinds."""
    found = np.full(len(labels), -1, dtype=np.int32)
    kinds: list[Any] = []
    while len(kinds) < _FEW:
        left = int(np.argmin(found))
        if found[left] >= 0:
            order = np.argsort(np.array(kinds))
            rank = np.empty(len(kinds), dtype=np.int32)
            rank[order] = np.arange(len(kinds), dtype=np.int32)
            return np.array(kinds)[order], rank[found]
        found[labels == labels[left]] = len(kinds)
        kinds.append(labels[left])
    names, inverse = np.unique(labels, return_inverse=True)
    return names, inverse.astype(np.int32)


def _kept(
    found: Particles, types: NDArray[np.int32] | None, names: tuple[str, ...], path: Path, wish: str, said: list[str]
) -> tuple[Particles, NDArray[np.int32] | None, tuple[str, ...]]:
    """The particles of the types that are wanted; how many there are of which type is said."""
    listed = re.fullmatch(r"\s*\d+(x\d+)+\s*", wish)  # [1, 2] of a recipe comes as 1x2
    wanted = [w for w in re.split(r"x" if listed else r"[,;\s]+", wish.strip()) if w]
    if types is None or not names:
        if wanted:
            raise InputError(f"{path} does not tell types of particles apart, so types = “{wish}” cannot be kept.")
        return found, None, ()
    for name in wanted:
        if name not in names:
            raise UnknownNameError(f"{path} holds no particles of type “{name}”.", nearest(name, names))
    count = np.bincount(types, minlength=len(names))
    if not wanted:
        if len(names) > 1:
            few = ", ".join(f"{n} ({c})" for n, c in list(zip(names, count, strict=True))[:_MOST_NAMED])
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            said.append(f"It holds particles of {len(names)} types: {few}{more}. Choose with types what is drawn.")
        return found, types if len(names) > 1 else None, names
    chosen = [i for i, n in enumerate(names) if n in wanted]
    mask = np.isin(types, chosen)
    if not mask.all():
        others = [n for n in names if n not in wanted]
        said.append(
            f"{int((~mask).sum())} of {len(mask)} particles are of other types and were left out ({', '.join(others[:8])})."
        )
    new = np.full(len(names), -1, np.int32)
    new[chosen] = np.arange(len(chosen), dtype=np.int32)
    left = _only(found, mask)
    return (left, new[types[mask]], tuple(names[i] for i in chosen)) if len(chosen) > 1 else (left, None, (names[chosen[0]],))


def _only(found: Particles, mask: NDArray[np.bool_]) -> Particles:
    radii = None if found.radii is None else found.radii[mask]
    return replace(found, places=found.places[mask], radii=radii)


def _unit(found: Particles, wish: str) -> tuple[str, float]:
    """The unit of the structure ("nm", or "" where it is unknown), and what its lengths are multiplied by."""
    if wish.strip():
        match = re.fullmatch(rf"({_NUMBER})?\s*([^\d\s].*)", wish.strip())
        one = None if match is None else nanometres(match[2])
        factor = 0.0 if match is None or one is None else float(match[1] or 1) * one
        if not 0 < factor < np.inf:
            raise InputError(
                f"length_unit = “{wish}” is no length.", "Write nm, angstrom, um, …, or how long one unit is: 20 nm."
            )
        return NM, factor
    known = nanometres(found.unit) if found.unit else None
    return (NM, known) if known is not None else ("", 1.0)


def _boxed(found: Particles, path: Path, wishes: Wishes, said: list[str]) -> Particles:
    """The particles with the box and the periodicity that a user gave."""
    if wishes.box.strip():
        edges = [float(v) for v in re.findall(_NUMBER, wishes.box)]
        if len(edges) != 3 or not all(0 < e < _FARTHEST for e in edges) or re.sub(rf"{_NUMBER}|[x×,;\s]", "", wishes.box):
            raise InputError(f"box must be three positive lengths (z, y, x), not “{wishes.box}”.")
        z, y, x = edges
        low, high = found.places.min(axis=0), found.places.max(axis=0)
        inside = (low >= 0).all() and (high <= (x, y, z)).all()
        middle = (low + high - np.array([x, y, z])) / 2
        origin = (0.0, 0.0, 0.0) if inside else (float(middle[0]), float(middle[1]), float(middle[2]))
        if not inside:
            said.append("The box that was given is laid around the middle of the particles.")
        found = replace(found, edges=(x, y, z), origin=origin)
    wish = wishes.periodic.strip().lower()
    if wish:
        if wish != "none" and (not set(wish) <= set("xyz, ") or not set(wish) & set("xyz")):
            raise InputError(f"periodic cannot be “{wishes.periodic}”.", "Write the axes, as xyz or xy, or none.")
        wraps = (False,) * 3 if wish == "none" else ("x" in wish, "y" in wish, "z" in wish)
        found = replace(found, periodic=wraps)
    if found.edges is None:
        if wish not in ("", "none"):
            raise InputError(f"{path} gives no box that could be periodic.", "Give its edges: box = [z, y, x].")
        return replace(found, periodic=None)
    if not all(0 < e < _FARTHEST for e in found.edges):
        raise FileError(f"{path} has a box of {' × '.join(f'{e:g}' for e in found.edges)}.", "Give box = [z, y, x].")
    if found.periodic is None:
        said.append("The file does not say whether its box is periodic; it was taken as periodic.")
        found = replace(found, periodic=(True, True, True))
    return found


def _wrapped(
    found: Particles, types: NDArray[np.int32] | None, wrap: bool, said: list[str]
) -> tuple[Particles, NDArray[np.int32] | None]:
    """The particles inside the box, which now begins at 0; those that left it come back through a periodic face."""
    if found.edges is None or found.periodic is None:
        return found, types
    edges = np.asarray(found.edges)
    places = found.places - np.asarray(found.origin)
    # Rounding of the file may put a particle a last digit outside of its box.
    out = ((places < -1e-6 * edges) | (places > edges * (1 + 1e-6))) & np.asarray(found.periodic)
    gone = out.any(axis=1)
    found = replace(found, origin=(0.0, 0.0, 0.0))
    if gone.any() and not wrap:
        said.append(f"{int(gone.sum())} of {len(gone)} particles lie outside of the periodic box and were left out.")
        places, types = places[~gone], None if types is None else types[~gone]
        found = _only(found, ~gone)
    elif gone.any():
        said.append(f"{int(gone.sum())} of {len(gone)} particles had left the periodic box and were brought back into it.")
    for axis in np.flatnonzero(np.asarray(found.periodic)):
        places[:, axis] %= edges[axis]
        # The remainder of a tiny negative number is the edge itself.
        places[places[:, axis] >= edges[axis], axis] = 0.0
    return replace(found, places=places), types


def _radii(found: Particles, types: NDArray[np.int32] | None, names: tuple[str, ...], path: Path, wishes: Wishes) -> Array:
    """The radius of each particle: of its type where that is given, else the given one, else the file's."""
    radii = None if found.radii is None or not found.radii.any() else found.radii
    if wishes.radius > 0:
        radii = np.full(len(found.places), wishes.radius)
    given = _radii_by_type(wishes.radii, names, path)
    if given:
        radii = np.full(len(found.places), np.nan) if radii is None else radii.copy()
        for name, value in given.items():
            radii[slice(None) if types is None else types == names.index(name)] = value
        if types is not None and np.isnan(radii).any():
            left = sorted({names[i] for i in np.unique(types[np.isnan(radii)])})
            raise InputError(f"{path}: the types {', '.join(left)} have no radius.", f'Add them: radii = "{left[0]}=10".')
    if radii is None:
        raise missing_radii(found.places, found.edges, found.periodic, types, names, path, found.unit, found.choices)
    return radii


def _radii_by_type(wish: str, names: tuple[str, ...], path: Path) -> dict[str, float]:
    parts = [p.strip() for p in re.split(r"[,;]", wish) if p.strip()]
    given: dict[str, float] = {}
    for part in parts:
        match = re.fullmatch(rf"(\S+?)\s*[=:]\s*({_NUMBER})", part)
        if match is None or not 0 < float(match[2]) < np.inf:
            raise InputError(f"radii cannot hold “{part}”.", 'Write type and radius: radii = "1=10, 2=4.5".')
        if match[1] not in names:
            raise UnknownNameError(f"{path} holds no particles of type “{match[1]}”.", nearest(match[1], names))
        given[match[1]] = float(match[2])
    return given


def _with_volume(
    found: Particles, types: NDArray[np.int32] | None, radii: Array, path: Path, said: list[str]
) -> tuple[Particles, NDArray[np.int32] | None, Array]:
    """Without the particles of radius 0, which have no volume."""
    mask = radii > 0
    if mask.all():
        return found, types, radii
    if not mask.any():
        raise FileError(f"All particles in {path} that are kept have the radius 0.", "Give radius = 10.")
    said.append(f"{int((~mask).sum())} of {len(mask)} particles have the radius 0 and were left out.")
    return _only(found, mask), None if types is None else types[mask], radii[mask]


def _structure(
    found: Particles, radii: Array, types: NDArray[np.int32] | None, names: tuple[str, ...], said: list[str]
) -> Structure:
    places, edges = found.places, found.edges
    if edges is None:
        low, high = (places - radii[:, None]).min(axis=0), (places + radii[:, None]).max(axis=0)
        places, size = places - low, high - low
        edges = (float(size[0]), float(size[1]), float(size[2]))
        size_words = " × ".join(f"{e:.6g}" for e in reversed(edges))
        said.append(f"The file gives no box: it is the one that holds all particles, {size_words} (z, y, x) in its own unit.")
    wraps = found.periodic or (False, False, False)
    return Structure(
        centres=np.ascontiguousarray(places[:, ::-1]),
        radii=np.ascontiguousarray(radii),
        box=(edges[2], edges[1], edges[0]),
        periodic=(wraps[2], wraps[1], wraps[0]),
        unit="",
        types=types,
        names=names,
    )


def _fits(structure: Structure, path: Path) -> None:
    """Raise FileError where the particles are wider than a periodic box, all outside of an open one, or next to nothing."""
    if max(structure.box) > _WIDEST * float(np.median(structure.radii)):
        raise FileError(
            f"{path}: its box is {max(structure.box):.3g} wide, its particles {2 * float(np.median(structure.radii)):.3g}.",
            "Correct the radii or the box: radius = …, box = [z, y, x].",
        )
    widest = 2 * float(structure.radii.max())
    for edge, wraps in zip(structure.box, structure.wraps, strict=True):
        if wraps and widest > edge * (1 + 1e-9):
            raise FileError(
                f"{path} has particles {widest:g} wide in a periodic box with an edge of {edge:g}.",
                "Correct the radii or the box: radius = …, box = [z, y, x].",
            )
    box, r = np.asarray(structure.box), structure.radii[:, None]
    if not ((structure.centres + r > 0) & (structure.centres - r < box)).all(axis=1).any():
        raise FileError(f"All particles in {path} lie outside of its box.", "Give box = [z, y, x], or save it again.")
