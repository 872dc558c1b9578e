"""The extended XYZ format of particles: what its comment line says, and how a structure is written."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from microtome.errors import InputError
from microtome.plugin import Structure
from microtome.store.atomic import replacing
from microtome.volumes.particles.structure import check

_PAIR = re.compile(r"""(?<![\w.\-])([A-Za-z_][\w.\-]*)\s*=\s*("[^"]*"|'[^']*'|\{[^}]*\}|\[[^\]]*\]|[^\s"'{\[]+)""")
_LONGEST = 2**14  # letters of a comment that are looked through
_AT_ONCE = 2**16  # particles formatted at a time


def pairs(comment: str) -> dict[str, str]:
    """The `key=value` pairs of a comment line, keys in lower case, values without their quotes or brackets."""
    return {key.lower(): value.strip("\"'{}[]").strip() for key, value in _PAIR.findall(comment[:_LONGEST])}


def columns(properties: str) -> list[tuple[str, str]]:
    """`species:S:1:pos:R:3` as one (name, kind) a column: [("species", "S"), ("pos", "R"), ("pos", "R"), ("pos", "R")].

    Raises InputError for a list that is none.
    """
    parts = properties.split(":")
    found: list[tuple[str, str]] = []
    for at in range(0, len(parts), 3):
        if len(parts[at:]) < 3 or parts[at + 1] not in "SRILN" or not re.fullmatch(r"\d{1,3}", parts[at + 2]):
            raise InputError(f"Properties={properties:.80} is no list of name:kind:columns.")
        found += [(parts[at].lower(), parts[at + 1])] * int(parts[at + 2])
    return found


def save_structure(structure: Structure, path: Path) -> None:
    """Write a structure as extended XYZ with its box, radii, types, periodicity and unit; places to 12 digits.

    The file appears whole or not at all; FileError says why it could not be written.
    """
    check(structure)
    z, y, x = (float(edge) for edge in structure.box)
    wraps = " ".join("T" if w else "F" for w in reversed(structure.wraps))
    unit = f" unit={structure.unit}" if structure.unit else ""
    comment = (
        f'Lattice="{x!r} 0 0 0 {y!r} 0 0 0 {z!r}" Origin="0 0 0" Properties=species:S:1:pos:R:3:radius:R:1 pbc="{wraps}"{unit}'
    )
    kinds = [re.sub(r"\s+", "_", name) or "X" for name in structure.names] or ["X"]
    types = np.zeros(len(structure.radii), np.int32) if structure.types is None else structure.types
    with replacing(path) as file:
        file.write(f"{len(structure.radii)}\n{comment}\n".encode())
        for start in range(0, len(structure.radii), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            rows = zip(types[part].tolist(), structure.centres[part].tolist(), structure.radii[part].tolist(), strict=True)
            file.write("".join(f"{kinds[t]} {c[2]:.12g} {c[1]:.12g} {c[0]:.12g} {r:.12g}\n" for t, c, r in rows).encode())
