"""Reader of particles in plain tables of x, y, z and radius."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, FileError, InputError, RawVolume, reader
from microtome.volumes.particles.reading import (
    BOX,
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
from microtome.volumes.particles.textlines import PACKED, Lines, inner_suffix, opened, rows, unpacked
from microtome.volumes.units import nanometres

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_MARKS = "#%!"  # of a comment
_SAID = 400  # letters of a line that are looked through for box, unit and periodicity
_LONGEST_NAME = 80
_MOST_HEADER = 500  # lines before the first row
_UNIT = r"[\s_/]*[\[(]\s*([^\])]*?)\s*[\])]\s*$|[_/]\s*(nm|um|µm|μm|mm|angstrom|Å|A)\s*$"
_BESIDE = ("pos", "position", "center", "centre", "centroid", "coord", "coordinate", "com", "mean", "c")
#: What a column may be called, in lower case without anything but letters and digits.
_PLACES = {
    axis: {axis, f"points{k}", *(f"{word}{axis}" for word in _BESIDE), *(f"{axis}{word}" for word in _BESIDE)}
    for k, axis in enumerate("xyz")
}
_RADII = {"r", "rad", "radius", "radii", "sphereradius", "particleradius"}
_DIAMETERS = {"d", "dia", "diam", "diameter", "equivalentdiameter", "eqdiameter", "particlediameter", "spherediameter"}
_LABELS = {"type", "species", "class", "kind", "element", "phase", "material", "group", "particletype"}
_IGNORED = {"id", "index", "no", "n", "nr", "number", "label", "particle", "particleid", "mol", "molecule", "mass", "volume"}


@dataclass(kw_only=True)
class _Header:
    """What stands before the rows: the columns' names, delimiter, box (x, y, z), periodicity, unit; where rows begin."""

    names: list[str] = field(default_factory=list)
    delimiter: str | None = None
    edges: tuple[float, float, float] | None = None
    periodic: tuple[bool, bool, bool] | None = None
    unit: str = ""
    width: int = 0
    first: int = 0  # lines before the first row
    comments: list[str] = field(default_factory=list)


def _recognises(path: Path, head: bytes) -> bool:
    text = unpacked(head)
    if not text:
        return False
    header = _Header()
    for line in text.splitlines()[:_MOST_HEADER]:
        if _take(header, line):
            known = set(header.names)
            strange = known - {"x", "y", "z", "radius", "diameter", "type", ""}
            return {"x", "y", "z"} <= known and (not strange or bool(known & {"radius", "diameter"}))
    return False


@reader(
    "table",
    label="Table of particles",
    extensions=(".xyzr",),
    recognises=_recognises,
    shared=(".csv", ".tsv", ".txt", ".dat", *PACKED),
)
def table(
    path: Path,
    *,
    columns: str = Field("", help="What the columns are, where the file does not name them, as: x y z radius type"),
    radius: float = RADIUS,
    radii: str = RADII,
    types: str = TYPES,
    length_unit: str = LENGTH_UNIT,
    box: str = BOX,
    periodic: str = PERIODIC,
    wrap: bool = WRAP,
) -> RawVolume:
    """Particles in a table (.csv, .tsv, .txt, .dat, .xyzr, also compressed) whose header names x, y, z and radius."""
    wishes = Wishes(radius=radius, radii=radii, types=types, length_unit=length_unit, box=box, periodic=periodic, wrap=wrap)
    return volume_of(_particles(path, columns), path, wishes)


def _particles(path: Path, columns: str) -> Particles:
    header, offset, count, cut, sample = _scan(path)
    names = [_named(word)[0] for word in re.split(r"[\s,;]+", columns.strip())] if columns.strip() else header.names
    if inner_suffix(path) == ".xyzr" and not names:
        names = ["x", "y", "z", "radius"]
    if not {"x", "y", "z"} <= set(names):
        raise InputError(
            f"{path} is no table of particles: no line before its rows names columns x, y and z.",
            'Write such a line ("x y z radius"), or say what the columns are: columns = "x y z radius".',
        )
    wanted: dict[str, tuple[int, type]] = {axis: (names.index(axis), float) for axis in "xyz"}
    for name in ("radius", "diameter"):
        if name in names and "radius" not in wanted:
            wanted[name] = (names.index(name), float)
    if "type" in names:
        at = names.index("type")
        number = at < len(sample) and re.fullmatch(_NUMBER, sample[at].strip().strip('"')) is not None
        wanted["type"] = (at, float if number else bytes)
    read = rows(path, offset, count, wanted, line=header.first, delimiter=header.delimiter, loose=True)
    found: tuple[str, ...] = ()
    if cut:
        found = ("The last line of the file has no end: the file may be cut off.",)
    return Particles(
        places=places_of(read, path),
        radii=_radii(read),
        labels=read.get("type"),
        edges=header.edges,
        periodic=header.periodic,
        unit=header.unit,
        findings=found,
        metadata={"header": "\n".join(header.comments[:20])} if header.comments else {},
    )


def _radii(read: dict[str, NDArray[np.float64]]) -> NDArray[np.float64] | None:
    return read["diameter"] / 2 if "diameter" in read else read.get("radius")


def _scan(path: Path) -> tuple[_Header, int, int, bool, list[str]]:
    """The header, where the first row lies, how many lines there are from it on, whether the last has an end, the first row."""
    header = _Header()
    with opened(path) as file:
        lines = Lines(file, path)
        while True:
            offset, number = lines.offset, lines.number
            text = lines.line()
            if text is None or number > _MOST_HEADER:
                raise FileError(f"{path} is no table of particles: it has no row of numbers.", "Save it again.")
            if _take(header, text):
                header.first = number
                break
        sample = text.split(header.delimiter)
        count = 1 + lines.skip(2**62)
        return header, offset, count, lines.unfinished, sample


def _take(header: _Header, line: str) -> bool:
    """Take in what a line before the rows says; True where it is the first row."""
    text = line.strip()
    if not text:
        return False
    comment = text[0] in _MARKS or text.startswith("//")
    plain = text.lstrip(_MARKS + "/ ") if comment else text
    if not comment and _is_row(plain, header):
        return True
    _say(header, plain[:_SAID])
    names = [_named(word) for word in _words(plain)]
    if {"x", "y", "z"} <= {name for name, _ in names}:
        header.names = [name for name, _ in names]
        units = {unit for name, unit in names if unit and name in ("x", "y", "z", "radius", "diameter")}
        if len(units) == 1:
            header.unit = units.pop()
    elif comment:
        header.comments.append(plain[:200])
    return False


def _is_row(text: str, header: _Header) -> bool:
    """Whether a line is a row: three numbers or more, at most some words beside them."""
    for delimiter in (",", ";", "\t", None):
        words = [w.strip().strip('"') for w in text.split(delimiter)]
        numbers = sum(re.fullmatch(_NUMBER + r"|[-+]?(?:nan|inf)", w, re.IGNORECASE) is not None for w in words)
        if numbers >= 3 and numbers >= len(words) - 2:
            header.delimiter, header.width = delimiter, len(words)
            return True
    return False


def _words(text: str) -> list[str]:
    """The names in a line of names; a unit in brackets belongs to the name before it."""
    for delimiter in (",", ";", "\t"):
        if text.count(delimiter) >= 2:
            return [word.strip().strip('"') for word in text.split(delimiter)]
    return [word.strip('"') for word in re.sub(r"[ \t]{1,9}([\[(][^\[\]()]{0,20}[\])])", r"\1", text).split()]


def _named(word: str) -> tuple[str, str]:
    """What a column's name means (x, y, z, radius, diameter, type, "" for nothing of use, else itself), and its unit."""
    if len(word) > _LONGEST_NAME:
        return "", ""
    match = re.search(_UNIT, word)
    unit = (match[1] or match[2] or "") if match else ""
    base = re.sub(r"[^a-z0-9]", "", (word[: match.start()] if match else word).lower())
    for name, spelled in (*_PLACES.items(), ("radius", _RADII), ("diameter", _DIAMETERS), ("type", _LABELS)):
        if base in spelled:
            return name, unit if nanometres(unit) is not None else ""
    return ("" if base in _IGNORED else base), ""


def _say(header: _Header, text: str) -> None:
    """Box, periodicity and unit from words of the header."""
    box = re.search(
        rf"\b(?:box|cell|lattice)\b[^\d\n+-]*?((?:{_NUMBER}[\s,;x×]*){{1,3}})\s*([a-zA-Zµμ]+)?", text, re.IGNORECASE
    )
    if box:
        edges = [float(v) for v in re.findall(_NUMBER, box[1])]
        edges = edges * 3 if len(edges) == 1 else edges
        if len(edges) == 3 and all(0 < e < np.inf for e in edges):
            header.edges = (edges[0], edges[1], edges[2])
            if box[2] and nanometres(box[2]) is not None:
                header.unit = box[2]
    unit = re.search(r"\b(?:length[ _])?units?\s*[=:]?\s*([^\s,;]+)", text, re.IGNORECASE)
    if unit and nanometres(unit[1]) is not None:
        header.unit = unit[1]
    wraps = re.search(r"\b(?:periodic\w*|pbc)\b\s*[=:]?\s*([a-z0-9]+(?:[ ,]+[tf01]\b){0,2})?", text, re.IGNORECASE)
    if re.search(r"\bnon-?periodic\b|\bopen bound", text, re.IGNORECASE):
        header.periodic = (False, False, False)
    elif wraps:
        header.periodic = _flags(wraps[1] or "")


def _flags(text: str) -> tuple[bool, bool, bool]:
    """`xy`, `yes`, `0`, `T T F` as one answer an axis; the bare word means all."""
    words = text.lower().replace(",", " ").split()
    answers = {
        "t": True,
        "true": True,
        "1": True,
        "yes": True,
        "f": False,
        "false": False,
        "0": False,
        "no": False,
        "none": False,
    }
    if len(words) == 3 and all(w in answers for w in words):
        return (answers[words[0]], answers[words[1]], answers[words[2]])
    if words and words[0] in answers:
        return (answers[words[0]],) * 3
    if words and set(words[0]) <= set("xyz"):
        return ("x" in words[0], "y" in words[0], "z" in words[0])
    return (True, True, True)
