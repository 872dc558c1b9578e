"""Readers of particles that LAMMPS writes: data files and text dumps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Choice, Field, FileError, InputError, Question, QuestionError, RawVolume, reader
from microtome.volumes.particles.boxes import lattice_frame
from microtome.volumes.particles.frames import Frame, chosen
from microtome.volumes.particles.reading import (
    BOX,
    FRAME,
    LENGTH_UNIT,
    PERIODIC,
    RADII,
    RADIUS,
    TYPES,
    WRAP,
    Particles,
    Wishes,
    places_of,
    volume_of,
)
from microtome.volumes.particles.textlines import PACKED, Lines, only_named, opened, rows, unpacked

Array = NDArray[np.float64]
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
#: The unit of length of each of LAMMPS's systems of units (its manual, "units command"); lj has none.
_UNITS = {"real": "angstrom", "metal": "angstrom", "si": "m", "cgs": "cm", "micro": "um", "nano": "nm"}
#: Places (from 0) of type, x and diameter in a row, and its columns, of each atom style (its manual, "read_data command").
_STYLES = {
    "atomic": (1, 2, -1, 5),
    "charge": (1, 3, -1, 6),
    "bond": (2, 3, -1, 6),
    "angle": (2, 3, -1, 6),
    "molecular": (2, 3, -1, 6),
    "full": (2, 4, -1, 7),
    "sphere": (1, 4, 2, 7),
    "dipole": (1, 3, -1, 9),
    "ellipsoid": (1, 4, -1, 7),
    "hybrid": (1, 2, -1, 5),
}
#: Columns that a sub-style of a hybrid style adds behind x y z.
_ADDS = {"atomic": 0, "charge": 1, "bond": 1, "angle": 1, "molecular": 1, "full": 2, "sphere": 2, "dipole": 4, "ellipsoid": 2}
_DATA_ENDINGS = (".lmp", ".lammps", ".lammpsdata")
_DUMP_ENDINGS = (".lammpstrj", ".dump")
_SECTION = re.compile(r"([A-Z][A-Za-z]+(?: [A-Z][A-Za-z]+)*)\s*(?:#\s*(.*))?")


@dataclass(frozen=True, kw_only=True)
class _Box:
    """Limits (x, y, z), shear (xy, xz, yz)."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    shear: tuple[float, ...] = (0.0, 0.0, 0.0)

    @property
    def rows(self) -> Array:
        x, y, z = (h - b for b, h in zip(self.low, self.high, strict=True))
        return np.array([[x, 0, 0], [self.shear[0], y, 0], [self.shear[1], self.shear[2], z]], dtype=float)


def _recognises_data(path: Path, head: bytes) -> bool:
    text = unpacked(head)
    if not text:
        return only_named(path, head, _DATA_ENDINGS)
    atoms = re.search(r"^[ \t]*\d+[ \t]+atoms\b", text, re.MULTILINE)
    return atoms is not None and re.search(r"^.*\b[xyz]lo\s+[xyz]hi\b", text, re.MULTILINE) is not None


@reader(
    "lammps-data",
    label="LAMMPS data",
    extensions=_DATA_ENDINGS,
    recognises=_recognises_data,
    shared=(".data", ".dat", ".txt", *PACKED),
)
def lammps_data(
    path: Path,
    *,
    style: str = Field("", choices=("", *_STYLES), help="Atom style of the rows, where the file does not name it"),
    radius: float = RADIUS,
    radii: str = RADII,
    types: str = TYPES,
    length_unit: str = LENGTH_UNIT,
    box: str = BOX,
    periodic: str = PERIODIC,
    wrap: bool = WRAP,
) -> RawVolume:
    """Particles in a LAMMPS data file, also compressed: atom styles atomic, charge, bond, molecular, full, sphere, hybrid."""
    wishes = Wishes(radius=radius, radii=radii, types=types, length_unit=length_unit, box=box, periodic=periodic, wrap=wrap)
    return volume_of(_data(path, style), path, wishes)


def _data(path: Path, style: str) -> Particles:
    count, limits, unit, named, offset, line = _data_header(path)
    if count == 0:
        return Particles(places=np.empty((0, 3)))
    words = _sample(path, offset)
    kind, place, diameter = _layout(style or named, words, path)
    wanted: dict[str, tuple[int, type]] = {a: (place + k, float) for k, a in enumerate("xyz")}
    wanted["label"] = (kind, float)
    if kind < len(words) and not re.fullmatch(_NUMBER, words[kind]):
        wanted["label"] = (kind, bytes)  # type labels
    if diameter >= 0:
        wanted["diameter"] = (diameter, float)
    table = rows(path, offset, count, wanted, line=line)
    edges, places, turned = lattice_frame(limits.rows, places_of(table, path) - np.asarray(limits.low), path)
    return Particles(
        places=places,
        radii=table["diameter"] / 2 if "diameter" in table else None,
        labels=table["label"],
        edges=edges,
        unit=_UNITS.get(unit, ""),
        findings=turned,
        convention=_convention(unit),
    )


def _convention(unit: str) -> str:
    return "The file's lengths are reduced (units lj)." if unit == "lj" else "LAMMPS files do not say what their lengths are."


def _data_header(path: Path) -> tuple[int, _Box, str, str, int, int]:
    """How many atoms, the box, the units, the style that is named, and where the first row lies (in bytes, lines before)."""
    count, unit, spans = -1, "", dict.fromkeys("xyz", (0.0, 0.0))
    shear = (0.0, 0.0, 0.0)
    with opened(path) as file:
        lines = Lines(file, path)
        while (text := lines.line()) is not None:
            if lines.number == 1:
                said = re.search(r"\bunits\s*=\s*(\w+)", text)
                unit = said[1].lower() if said else ""
                continue
            section = _SECTION.fullmatch(text.strip())
            if section and section[1] == "Atoms":
                break
            plain = text.split("#")[0]
            if match := re.match(r"\s*(\d{1,12})\s+atoms\s*$", plain):
                count = int(match[1])
            elif match := re.match(rf"\s*({_NUMBER})\s+({_NUMBER})\s+([xyz])lo\s+\3hi\s*$", plain):
                spans[match[3]] = (float(match[1]), float(match[2]))
            elif match := re.match(rf"\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s+xy\s+xz\s+yz\s*$", plain):
                shear = (float(match[1]), float(match[2]), float(match[3]))
            elif re.search(r"\b[abc]vec\s*$", plain):
                raise InputError(
                    f"{path} has a box of three vectors, which is not read.", "Write it without triclinic/general."
                )
        else:
            raise FileError(f"{path} is no LAMMPS data file: it has no section Atoms.", "Copy or save it again.")
        if count < 0:
            raise FileError(f"{path} does not say how many atoms it holds.", "Copy or save it again.")
        lines.line()
        offset, line = lines.offset, lines.number
        there = lines.skip(count)
    if there < count:
        raise FileError(f"{path} is cut off: it promises {count} atoms, {there} are there.", "Copy or save it again.")
    limits = _Box(low=tuple(spans[a][0] for a in "xyz"), high=tuple(spans[a][1] for a in "xyz"), shear=shear)
    return count, limits, unit, (section[2] or "").strip() if section else "", offset, line


def _sample(path: Path, offset: int) -> list[str]:
    """The words of the first row."""
    with opened(path) as file:
        file.seek(offset)
        return (Lines(file, path).line() or "").split("#")[0].split()


def _layout(named: str, words: list[str], path: Path) -> tuple[int, int, int]:
    """Where type, x and diameter (-1: none) stand in a row of the style that is named, or that the row fits."""
    first, *subs = named.lower().split() or [""]
    if first == "hybrid" and subs:
        at, diameter = 5, -1
        for sub in subs:
            diameter = at if sub == "sphere" else diameter
            if sub not in _ADDS:
                break  # what it adds is not known here, and neither is what comes behind it
            at += _ADDS[sub]
        return 1, 2, diameter
    if first in _STYLES:
        return _STYLES[first][:3]
    if first:
        raise InputError(
            f"{path} is of the atom style {first}, which is not read.", f"Readable: {', '.join(_STYLES)}; give style = …."
        )
    likely = _fitting(words)
    if len({_STYLES[s][:3] for s in likely}) == 1:
        return _STYLES[likely[0]][:3]
    row = " ".join(words)
    choices = tuple(Choice(options={"style": s}, label=s, detail=_row_of(s, words)) for s in likely or [*_STYLES])
    raise QuestionError(
        f"{path} does not name its atom style; a row is “{row:.80}”.",
        'Give it: style = "full", "sphere", "molecular", ….',
        Question(text="Which atom style?", choices=choices),
    )


def _fitting(words: list[str]) -> list[str]:
    """The styles that a row may be of: by its number of columns, without and with three image flags, and whole numbers."""
    whole = [re.fullmatch(r"[-+]?\d{1,18}", w) is not None for w in words]
    widths = {len(words)}
    if len(words) > 7 and all(whole[-3:]):
        widths = {len(words) - 3}
    found = []
    for style, (kind, place, _, width) in _STYLES.items():
        if width not in widths or style in ("hybrid", "bond", "angle", "ellipsoid"):
            continue
        integral = whole[0] and ((whole[kind] and int(words[kind]) > 0) or not re.fullmatch(_NUMBER, words[kind]))
        molecule = kind == 1 or whole[1]
        if integral and molecule and place + 3 <= len(words):
            found.append(style)
    # A charge or diameter that is written as a whole number leaves both open; one with a point cannot be a type.
    return found


def _row_of(style: str, words: list[str]) -> str:
    kind, place, diameter, _ = _STYLES[style]
    if place + 3 > len(words):
        return ""
    size = f", diameter {words[diameter]}" if diameter >= 0 else ""
    return f"type {words[kind]}, x y z {' '.join(words[place : place + 3])}{size}"


def _recognises_dump(path: Path, head: bytes) -> bool:
    text = unpacked(head)
    if not text:
        return only_named(path, head, _DUMP_ENDINGS)
    return re.match(r"ITEM: (TIMESTEP|UNITS|TIME|NUMBER OF ATOMS)\b", text) is not None


@reader(
    "lammps-dump",
    label="LAMMPS dump",
    extensions=_DUMP_ENDINGS,
    recognises=_recognises_dump,
    shared=(".txt", ".dat", ".trj", *PACKED),
)
def lammps_dump(
    path: Path,
    *,
    frame: int = FRAME,
    radius: float = RADIUS,
    radii: str = RADII,
    types: str = TYPES,
    length_unit: str = LENGTH_UNIT,
    box: str = BOX,
    periodic: str = PERIODIC,
    wrap: bool = WRAP,
) -> RawVolume:
    """Particles in a text dump of LAMMPS, also compressed: x, xs, xu or xsu, radius or diameter, type or element."""
    one = chosen(_steps(path), frame, path)
    wishes = Wishes(radius=radius, radii=radii, types=types, length_unit=length_unit, box=box, periodic=periodic, wrap=wrap)
    return volume_of(_step(path, one), path, wishes)


def _steps(path: Path) -> list[Frame]:
    """Where each time step begins; the file is looked through, and nothing of it kept."""
    found: list[Frame] = []
    with opened(path) as file:
        lines = Lines(file, path)
        offset, number, step, count = 0, 0, "", -1
        fresh = True
        while True:
            here, before = lines.offset, lines.number
            text = lines.line()
            if text is None:
                break
            if fresh and text.strip():
                offset, number, step, count, fresh = here, before, "", -1, False
            if text.startswith("ITEM: TIMESTEP"):
                step = f"step {(lines.line() or '').strip():.20}"
            elif text.startswith("ITEM: NUMBER OF ATOMS"):
                count = _whole(lines.line() or "", path, lines.number)
            elif text.startswith("ITEM: ATOMS"):
                if count < 0 or lines.skip(count) < count:
                    raise FileError(
                        f"{path} is cut off in {step or 'its header'}.", "Copy it again, or leave the last step out."
                    )
                found.append(Frame(offset, number, count, step))
                fresh = True
            elif text.strip() and not re.match(r"ITEM: (UNITS|TIME|BOX BOUNDS)", text) and fresh:
                raise FileError(f"{path} is no LAMMPS dump: line {before + 1} is “{text:.40}”.", "Copy or save it again.")
        if not fresh:
            raise FileError(f"{path} is cut off in {step or 'its header'}.", "Copy it again.")
    if not found:
        raise FileError(f"{path} holds no time step.", "Copy or save it again.")
    return found


def _whole(text: str, path: Path, line: int) -> int:
    if not re.fullmatch(r"\s*\d{1,12}\s*", text):
        raise FileError(f"{path} should count its atoms in line {line}, not say “{text:.40}”.", "Copy or save it again.")
    return int(text)


def _step(path: Path, frame: Frame) -> Particles:
    unit, names, flags, numbers = "", [], "", []
    with opened(path) as file:
        file.seek(frame.offset)
        lines = Lines(file, path)
        while (text := lines.line()) is not None:
            if text.startswith("ITEM: UNITS"):
                unit = (lines.line() or "").strip().lower()
            elif text.startswith("ITEM: BOX BOUNDS"):
                flags = text[len("ITEM: BOX BOUNDS") :]
                numbers = [lines.line() or "" for _ in range(3)]
            elif text.startswith("ITEM: ATOMS"):
                names = text.split()[2:]
                break
        start, before = frame.offset + lines.offset, frame.line + lines.number
        words = (lines.line() or "").split()
    if frame.count == 0:
        return Particles(places=np.empty((0, 3)))
    limits, wraps = _bounds(flags, numbers, path)
    wanted, scaled = _wanted(names, words, path)
    table = rows(path, start, frame.count, wanted, line=before)
    places = places_of(table, path)
    places = places @ limits.rows if scaled else places - np.asarray(limits.low)
    edges, inside, turned = lattice_frame(limits.rows, places, path)
    return Particles(
        places=inside,
        radii=table["diameter"] / 2 if "diameter" in table else table.get("radius"),
        labels=table.get("label"),
        edges=edges,
        periodic=wraps,
        unit=_UNITS.get(unit, ""),
        findings=turned,
        convention=_convention(unit),
        metadata={"step": frame.label} if frame.label else {},
    )


def _bounds(flags: str, lines: list[str], path: Path) -> tuple[_Box, tuple[bool, bool, bool] | None]:
    """The box of a step: the limits written are those of the sheared box's hull."""
    if "abc" in flags:
        raise InputError(f"{path} has a box of three vectors, which is not read.", "Write it without triclinic_general.")
    try:
        values = [[float(word) for word in line.split()] for line in lines]
    except ValueError as error:
        raise FileError(f"{path} has a box that is no list of numbers: {lines[0]:.60}.", "Save it again.") from error
    if len(values) != 3 or any(len(v) not in (2, 3) or not np.isfinite(v).all() for v in values):
        raise FileError(f"{path} has no limits of its box (ITEM: BOX BOUNDS).", "Copy or save it again.")
    xy, xz, yz = (v[2] if len(v) == 3 else 0.0 for v in values)
    low = (values[0][0] - min(0.0, xy, xz, xy + xz), values[1][0] - min(0.0, yz), values[2][0])
    high = (values[0][1] - max(0.0, xy, xz, xy + xz), values[1][1] - max(0.0, yz), values[2][1])
    marks = [word for word in flags.split() if re.fullmatch(r"[pfsm]{2}", word)]
    wraps = (marks[0] == "pp", marks[1] == "pp", marks[2] == "pp") if len(marks) == 3 else None
    return _Box(low=low, high=high, shear=(xy, xz, yz)), wraps


def _wanted(names: list[str], words: list[str], path: Path) -> tuple[dict[str, tuple[int, type]], bool]:
    """Which columns are read as what, and whether the places are shares of the box."""
    for ending in ("", "u", "s", "su"):
        spelled = [f"{axis}{ending}" for axis in "xyz"]
        if all(s in names for s in spelled):
            break
    else:
        raise InputError(
            f"{path} has no places among its columns ({' '.join(names)[:80]}).",
            "Dump x y z, xu yu zu, xs ys zs or xsu ysu zsu.",
        )
    wanted: dict[str, tuple[int, type]] = {axis: (names.index(s), float) for axis, s in zip("xyz", spelled, strict=True)}
    for name in ("radius", "diameter"):
        if name in names and "radius" not in wanted:
            wanted[name] = (names.index(name), float)
    for name in ("element", "type"):
        if name in names and "label" not in wanted:
            at = names.index(name)
            number = at < len(words) and re.fullmatch(_NUMBER, words[at]) is not None
            wanted["label"] = (at, float if number else bytes)
    return wanted, ending.startswith("s")
