"""Readers of molecular structures through chemfiles: GRO and PDB."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import FileError, RawVolume, reader
from microtome.volumes.lazy import need_memory
from microtome.volumes.particles.boxes import lattice_frame
from microtome.volumes.particles.frames import which
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
    volume_of,
)
from microtome.volumes.particles.textlines import PACKED, Lines, only_named, opened, unpacked

_ANGSTROM = {"GRO": 0.1, "PDB": 1.0}  # what chemfiles's Å are multiplied by to give the file's own unit
_UNIT = {"GRO": "nm", "PDB": "angstrom"}
_MOST_NAMES = 64  # names of atoms that are looked for one by one
_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PDB = ("HEADER", "TITLE ", "CRYST1", "ATOM  ", "HETATM", "MODEL ", "REMARK", "COMPND")


def _recognises_gro(path: Path, head: bytes) -> bool:
    lines = unpacked(head).splitlines()[:3]
    if len(lines) < 3 or not lines[1].strip().isdecimal():
        return only_named(path, head, (".gro",))
    # 5 columns each for residue, its name, the atom's name and its number, then three numbers of one width.
    return re.match(r"[ \d]{5}.{10}[ \d]{5}(\s*[-+]?\d+\.\d+){3}", lines[2]) is not None


def _recognises_pdb(path: Path, head: bytes) -> bool:
    text = unpacked(head)
    if not text:
        return only_named(path, head, (".pdb", ".ent"))
    return text.startswith(_PDB) and re.search(r"^(?:ATOM  |HETATM|CRYST1)", text, re.MULTILINE) is not None


@reader("gro", label="GROMACS structure", extensions=(".gro",), recognises=_recognises_gro, shared=PACKED)
def gro(
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
    """Particles in a GROMACS structure (.gro, also compressed), in nm."""
    wishes = Wishes(radius=radius, radii=radii, types=types, length_unit=length_unit, box=box, periodic=periodic, wrap=wrap)
    return volume_of(_particles(path, "GRO", frame), path, wishes)


@reader("pdb", label="Protein Data Bank file", extensions=(".pdb", ".ent"), recognises=_recognises_pdb, shared=PACKED)
def pdb(
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
    """Particles in a Protein Data Bank file (.pdb, .ent, also compressed), in Å."""
    wishes = Wishes(radius=radius, radii=radii, types=types, length_unit=length_unit, box=box, periodic=periodic, wrap=wrap)
    return volume_of(_particles(path, "PDB", frame), path, wishes)


def _particles(path: Path, kind: str, frame: int) -> Particles:
    import chemfiles  # type: ignore[import-untyped, unused-ignore]

    content = _content(path)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            # From memory, because the library opens no path with letters that the system's code page lacks.
            with chemfiles.MemoryTrajectory(data=content, mode="r", format=kind) as trajectory:
                number = trajectory.nsteps
                if frame > number or (number > 1 and not frame) or number == 0:
                    raise _not_chosen(path, number, frame)
                atoms = trajectory.read_step(frame - 1 if frame else 0)
            warned = list(dict.fromkeys(str(w.message)[:120] for w in said))[:3]
        if kind == "PDB" and not re.search(rb"^END", content[-2048:], re.MULTILINE):
            warned.append("The file has no END: it may be cut off.")
        return _of(atoms, path, kind, tuple(warned))
    except chemfiles.ChemfilesError as error:
        # It is no Exception, so nobody else would catch it.
        reason = re.sub(r"\s+", " ", str(error)).replace("<in memory>", path.name)[:160]
        raise FileError(f"{path} cannot be read as {kind}: {reason}.", "Copy or save it again.") from error
    except UnicodeDecodeError as error:
        raise FileError(f"{path} holds names that are no text.", "Copy or save it again.") from error


def _not_chosen(path: Path, number: int, frame: int) -> Exception:
    if number == 0:
        return FileError(f"{path} holds no particle.", "Copy or save it again.")
    if frame > number:
        return FileError(f"{path} holds {number} frames; there is no frame {frame}.")
    return which([""] * number, path)


def _content(path: Path) -> bytes:
    """The text of the file, whose lines were looked at: the library would take a line of any length into memory."""
    need_memory(3 * path.stat().st_size, str(path))
    with opened(path) as file:
        lines = Lines(file, path)
        lines.skip(2**62)
        size = lines.offset
        need_memory(3 * size, str(path))
    with opened(path) as file:
        content = file.read(size)
    if not content.strip():
        raise FileError(f"{path} is empty.", "Copy or save it again.")
    if b"\0" in content:
        raise FileError(f"{path} is no text: it holds zero bytes.", "Copy or save it again.")
    return content


def _of(atoms: Any, path: Path, kind: str, warned: tuple[str, ...]) -> Particles:
    scale = _ANGSTROM[kind]
    places = np.array(atoms.positions, dtype=np.float64).reshape(-1, 3) * scale
    rows = np.array(atoms.cell.matrix, dtype=np.float64).T * scale
    edges: tuple[float, float, float] | None = None
    turned: tuple[str, ...] = ()
    # A cell of one unit is what programs write that know of none.
    if np.abs(np.linalg.det(rows)) > 0 and not np.allclose(rows, np.eye(3) * scale):
        edges, places, turned = lattice_frame(rows, places, path)
    return Particles(
        places=places,
        labels=_names(atoms, len(places)) if len(places) else None,
        edges=edges,
        periodic=(True, True, True) if edges is not None else None,
        unit=_UNIT[kind],
        findings=(*turned, *warned),
    )


def _names(atoms: Any, count: int) -> NDArray[np.bytes_]:
    """The atoms' names (elements where the file tells them); all of one name at once, since asking one by one takes seconds."""
    import chemfiles

    found = np.zeros(count, dtype="S16")
    for _ in range(_MOST_NAMES):
        left = np.flatnonzero(found == b"")
        if not len(left):
            return found
        name = str(atoms.atoms[int(left[0])].type)
        if not _SAFE.fullmatch(name):
            break
        found[chemfiles.Selection(f'type "{name}"').evaluate(atoms)] = name.encode()
    for index in np.flatnonzero(found == b""):
        found[index] = str(atoms.atoms[int(index)].type).encode() or b"X"
    return found
