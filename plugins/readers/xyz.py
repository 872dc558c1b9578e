"""Reader of particles in XYZ and extended XYZ."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Choice, Field, FileError, InputError, RawVolume, reader
from microtome.volumes.particles.boxes import lattice_frame
from microtome.volumes.particles.extxyz import columns, pairs
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

_ENDINGS = (".xyz", ".extxyz", ".exyz")
_RADII = ("radius", "radii", "r")
_DIAMETERS = ("diameter", "diameters", "d")
_ROW = re.compile(r"\s*\S+(?:\s+[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eEdD][-+]?\d+)?){3}(?:\s|$)")
_CONVENTION = "Lengths in XYZ files are Å by convention, but this one does not say so."
_SHOWN = 500  # letters of a comment that are looked through for a time
_MOST_EXTRA = 3  # columns without a name that are offered as radii


def _recognises(path: Path, head: bytes) -> bool:
    text = unpacked(head)
    if not text:
        return only_named(path, head, _ENDINGS)
    lines = text.splitlines()[:3]
    return len(lines) == 3 and lines[0].strip().isdecimal() and _ROW.match(lines[2]) is not None


@reader("xyz", label="XYZ particles", extensions=_ENDINGS, recognises=_recognises, shared=(".txt", ".dat", *PACKED))
def xyz(
    path: Path,
    *,
    frame: int = FRAME,
    radius: float = RADIUS,
    radii: str = RADII,
    radius_column: int = Field(0, 0, 1000, help="Column of the radii, from 1, where the file does not name it"),
    types: str = TYPES,
    length_unit: str = LENGTH_UNIT,
    box: str = BOX,
    periodic: str = PERIODIC,
    wrap: bool = WRAP,
) -> RawVolume:
    """Particles in XYZ or extended XYZ (.xyz, also compressed), with their radii, types, box and periodicity."""
    one = chosen(_frames(path), frame, path)
    wishes = Wishes(radius=radius, radii=radii, types=types, length_unit=length_unit, box=box, periodic=periodic, wrap=wrap)
    return volume_of(_particles(path, one, radius_column), path, wishes)


def _frames(path: Path) -> list[Frame]:
    """Where each frame begins; the file is looked through, and nothing of it kept."""
    found: list[Frame] = []
    with opened(path) as file:
        lines = Lines(file, path)
        while True:
            offset, number = lines.offset, lines.number
            first = lines.line()
            if first is None:
                break
            if not first.strip():
                # Blank lines may end a file; what comes behind them must be a frame again.
                continue
            if not first.strip().isdecimal() or len(first.strip()) > 12:
                raise FileError(
                    f"{path} is no XYZ file: line {number + 1} should count particles, but is “{first.strip():.40}”.",
                    "Save it again.",
                )
            count, comment = int(first), lines.line() or ""
            there = lines.skip(count)
            if there < count:
                raise FileError(
                    f"{path} is cut off: line {number + 1} promises {count} particles, {there} are there.",
                    "Copy or save it again.",
                )
            step = re.search(r"\b(?:time|step|timestep|frame)\w*\s*[=:]?\s*\"?([-+.\deE]+)", comment[:_SHOWN], re.IGNORECASE)
            found.append(Frame(offset, number, count, step[0][:40] if step else ""))
    if not found:
        raise FileError(f"{path} is empty.", "Copy or save it again.")
    return found


def _particles(path: Path, frame: Frame, radius_column: int) -> Particles:
    with opened(path) as file:
        file.seek(frame.offset)
        lines = Lines(file, path)
        lines.line()
        comment, start = lines.line() or "", lines.offset
        width = len((lines.line() or "").split())
    said = pairs(comment)
    wanted, extra = _columns(said, width, radius_column, path)
    if frame.count == 0:
        return Particles(places=np.empty((0, 3)))
    table = rows(path, frame.offset + start, frame.count, wanted, line=frame.line + 2)
    places = places_of(table, path)
    radii = table.pop("radius", None)
    if "diameter" in table:
        radii = table.pop("diameter") / 2
    findings, choices = _unnamed(table, extra, radii is not None)
    edges, origin, places, turned = _box(said, places, path)
    return Particles(
        places=places,
        radii=radii,
        labels=table.get("label"),
        edges=edges,
        origin=origin,
        periodic=_periodic(said, path),
        unit=said.get("unit", said.get("units", said.get("length_unit", ""))),
        findings=(*turned, *findings),
        choices=choices,
        convention=_CONVENTION,
        metadata={"comment": comment[:_SHOWN]} if comment else {},
    )


def _columns(
    said: dict[str, str], width: int, radius_column: int, path: Path
) -> tuple[dict[str, tuple[int, type]], dict[str, int]]:
    """Which columns are read as what, and those without a name."""
    if "properties" in said:
        named = columns(said["properties"])
        names = [name for name, _ in named]
        place = next((names.index(n) for n in ("pos", "position", "positions") if n in names), None)
        if place is None or names.count(names[place]) != 3:
            raise InputError(f"{path} has no positions among its Properties={said['properties']:.80}.", "Save it again.")
        wanted: dict[str, tuple[int, type]] = {axis: (place + k, float) for k, axis in enumerate("xyz")}
        for kind in ("species", "type", "element", "molecule_type"):
            if kind in names and "label" not in wanted:
                at = names.index(kind)
                wanted["label"] = (at, bytes if named[at][1] == "S" else float)
        for name, spelled in (("radius", _RADII), ("diameter", _DIAMETERS)):
            at = next((names.index(s) for s in spelled if s in names), -1)
            if at >= 0 and "radius" not in wanted:
                wanted[name] = (at, float)
        extra: dict[str, int] = {}
    else:
        wanted = {"label": (0, bytes), "x": (1, float), "y": (2, float), "z": (3, float)}
        extra = {f"column {at + 1}": at for at in range(4, min(width, 4 + _MOST_EXTRA))}
    if radius_column:
        wanted.pop("diameter", None)
        wanted["radius"] = (radius_column - 1, float)
        return wanted, {}
    return {**wanted, **{name: (at, float) for name, at in extra.items()}}, extra


def _unnamed(table: dict[str, NDArray[Any]], extra: dict[str, int], known: bool) -> tuple[tuple[str, ...], tuple[Choice, ...]]:
    """What to say of columns without a name: the first may be a radius."""
    if known or not extra:
        return (), ()
    found = []
    for name, at in extra.items():
        values = table[name]
        if np.isfinite(values).all() and (values >= 0).all() and values.any():
            detail = f"{values.min():.4g} … {values.max():.4g}"
            found.append(Choice(options={"radius_column": at + 1}, label=f"{name} of the file is the radius", detail=detail))
    return (f"The file does not name its {', '.join(extra)}; what it holds was not used.",), tuple(found)


def _periodic(said: dict[str, str], path: Path) -> tuple[bool, bool, bool] | None:
    if "pbc" not in said:
        return None
    flags = re.findall(r"[A-Za-z0-9]+", said["pbc"])
    known = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}
    if len(flags) not in (1, 3) or any(f.lower() not in known for f in flags):
        raise InputError(f"{path} says pbc=“{said['pbc']:.40}”, which is not understood.", 'Write pbc="T T F".')
    answers = [known[f.lower()] for f in (flags * 3)[:3]]
    return (answers[0], answers[1], answers[2])


def _box(
    said: dict[str, str], places: NDArray[np.float64], path: Path
) -> tuple[tuple[float, float, float] | None, tuple[float, float, float], NDArray[np.float64], tuple[str, ...]]:
    """Edges and origin of the box, and the places in its frame."""
    text = said.get("lattice", said.get("cell", ""))
    if not text:
        return None, (0.0, 0.0, 0.0), places, ()
    numbers = _numbers(text, "Lattice", path)
    start = _numbers(said["origin"], "Origin", path) if "origin" in said else [0.0] * 3
    if len(numbers) == 3:
        numbers = [numbers[0], 0, 0, 0, numbers[1], 0, 0, 0, numbers[2]]
    if len(numbers) != 9 or len(start) != 3:
        raise InputError(f"{path} has a Lattice of {len(numbers)} numbers.", "Nine are three edges of three numbers each.")
    edges, inside, turned = lattice_frame(np.reshape(numbers, (3, 3)), places - np.asarray(start), path)
    return edges, (0.0, 0.0, 0.0), inside, turned


def _numbers(text: str, what: str, path: Path) -> list[float]:
    try:
        return [float(word) for word in re.split(r"[\s,\[\]]+", text) if word]
    except ValueError as error:
        raise FileError(f"{path} has a {what} that is no list of numbers: {text:.60}.", "Save it again.") from error
