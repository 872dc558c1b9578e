"""Voxels drawn from particles when they are asked for, a slab at a time."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.plugin import RawVolume, Structure
from microtome.volumes.lazy import PagedArray, need_memory
from microtome.volumes.units import NM, VOXEL, nanometres, to_nm

Size = tuple[float, float, float]
SAY_LENGTHS = "Give the size of a voxel, or length_unit (nm, angstrom, um, or what one unit is, as 20 nm)."
"""What a finding asks for where a file does not say what its lengths are; it goes once that is said."""
_VOXELS_A_DIAMETER = 5
_FINE = 4  # lines across a boundary voxel, each way
_MOST_VOXELS = 2**36
_MOST_BY_ITSELF = 2**30  # voxels that are drawn where nobody said how finely
_SLAB = 2**22  # bytes drawn at a time
_KEPT = 2**27  # bytes of slabs that were drawn and are kept
_ALIKE = 0.02  # edges of one voxel that differ by less are taken as one


def default_voxel_size(structure: Structure) -> float:
    """The voxel edge that draws a typical sphere five voxels wide, in the structure's unit."""
    return 2 * float(np.median(structure.radii)) / _VOXELS_A_DIAMETER


def drawn(
    structure: Structure,
    voxel_size: float | Size | None = None,
    *,
    source: str = "",
    findings: tuple[str, ...] = (),
    metadata: Mapping[str, Any] | None = None,
) -> RawVolume:
    """The structure as voxels that are drawn when they are read (uint8; 0 … 255 is the share that is covered), volume-exact.

    `voxel_size` is one edge or (z, y, x) in the structure's unit (None: `default_voxel_size`, larger where the box would hold
    more than 2³⁰ of them). A box holds whole voxels, so the edge is changed to the nearest that divides it. Voxel i reaches
    from i to i+1 edges, its centre is voxel coordinate i. Where the structure has no unit, the volume has no voxel size.
    Raises InputError for voxels that make no sense.
    """
    if voxel_size is None:
        voxel_size, said = _edge(structure)
        findings = (*findings, *said)
    number = _number(structure, voxel_size)
    edges = np.asarray(structure.box, dtype=float) / number
    known = nanometres(structure.unit) is not None
    return RawVolume(
        voxels=_Slabs(structure, number, edges).array(source or "The structure's volume"),
        voxel_size=(float(edges[0]), float(edges[1]), float(edges[2])) if known else None,
        unit=structure.unit if known else VOXEL,
        source=source,
        findings=findings,
        metadata=dict(metadata or {}),
        structure=structure,
    )


def redrawn(raw: RawVolume, voxel_size: Size | None, unit: str | None) -> RawVolume:
    """The drawing under what a user says of it: `voxel_size` (z, y, x) in `unit` (None: nm) is how finely it is drawn.

    Where the file does not say what its lengths are, a voxel size says it: the voxels stay, and each is as large as that; so
    does a unit alone. Raises InputError where these contradict the file.
    """
    structure = raw.structure
    if structure is None or unit == VOXEL:
        return replace(raw, voxel_size=None)
    if not structure.unit:
        return _measured(raw, structure, voxel_size, unit)
    if voxel_size is None:
        if unit is None or nanometres(unit) == nanometres(structure.unit):
            return raw
        raise InputError(
            f"The lengths in {raw.source} are known: unit = “{unit}” would contradict them.",
            "To say what its lengths are, give length_unit; to draw it more finely, voxel_size with its unit.",
        )
    wanted = [to_nm(v, unit or NM) / to_nm(1.0, structure.unit) for v in voxel_size]
    if raw.voxel_size is not None and np.allclose(wanted, raw.voxel_size, rtol=1e-9, atol=0):
        return raw
    return _again(raw, structure, (wanted[0], wanted[1], wanted[2]))


def _measured(raw: RawVolume, structure: Structure, voxel_size: Size | None, unit: str | None) -> RawVolume:
    """The drawing of a structure without a unit under what a user says of its lengths."""
    if voxel_size is None and unit is None:
        return raw
    raw = replace(raw, findings=tuple(f for f in raw.findings if SAY_LENGTHS not in f))
    if voxel_size is None:
        return _again(raw, replace(structure, unit=unit or NM))
    edge = math.prod(voxel_size) ** (1 / 3)
    if max(voxel_size) > (1 + _ALIKE) * min(voxel_size):
        raise InputError(
            f"{raw.source} does not say what its lengths are, so its voxels are drawn as cubes.",
            "Give one number as voxel_size, or say what one unit is: length_unit.",
        )
    nm = to_nm(edge, unit or NM)
    return _again(raw, scaled(structure, nm / _edge(structure)[0], NM), nm)


def _again(raw: RawVolume, structure: Structure, voxel_size: float | Size | None = None) -> RawVolume:
    return drawn(structure, voxel_size, source=raw.source, findings=raw.findings, metadata=raw.metadata)


def scaled(structure: Structure, factor: float, unit: str) -> Structure:
    """The structure with all its lengths times `factor`, in `unit`."""
    box = (structure.box[0] * factor, structure.box[1] * factor, structure.box[2] * factor)
    centres = structure.centres * factor
    # Rounding may bring a particle that lay just inside a periodic face onto it.
    centres[(centres >= box) & np.array(structure.wraps) & (structure.centres < structure.box)] = 0.0
    return replace(structure, centres=centres, radii=structure.radii * factor, box=box, unit=unit)


def _edge(structure: Structure) -> tuple[float, tuple[str, ...]]:
    """The voxel edge where nobody said one, and what there is to say of it."""
    wished = default_voxel_size(structure)
    # A box that is flatter than a voxel is one voxel thick.
    edge = min(wished, min(structure.box))
    number = float(np.prod(np.maximum(1, np.asarray(structure.box) / edge)))
    if number <= _MOST_BY_ITSELF:
        return edge, ()
    coarse = max(edge, (float(np.prod(structure.box)) / _MOST_BY_ITSELF) ** (1 / 3))
    if coarse > min(structure.box):
        return edge, ()
    across = 2 * float(np.median(structure.radii)) / coarse
    return coarse, (
        f"The box is large: in voxels of {coarse:.4g} {structure.unit or 'units'} a typical particle is {across:.2g} wide. "
        "Give a smaller voxel size to draw it more finely.",
    )


def _number(structure: Structure, voxel_size: float | Size) -> NDArray[np.int64]:
    """How many voxels the box holds along z, y and x."""
    box = np.asarray(structure.box, dtype=float)
    wanted = np.broadcast_to(np.asarray(voxel_size, dtype=float), (3,))
    if not (np.isfinite(wanted).all() and (wanted > 0).all()):
        raise InputError(f"voxel_size must be positive, not {voxel_size!r}.")
    if (wanted > box * (1 + 1e-9)).any():
        raise InputError(f"Voxels of {wanted.max():g} {structure.unit} are larger than the box.", "Make them smaller.")
    number = np.maximum(1, np.rint(box / wanted))
    if np.prod(number) > _MOST_VOXELS or number.max() > 2**31 - 1:
        raise InputError(
            f"{' × '.join(f'{n:.0f}' for n in number)} voxels are more than can be drawn.",
            "Make the voxels larger, or the box smaller.",
        )
    return np.asarray(number, dtype=np.int64)


class _Slabs:
    """The pages of a drawing: slabs of them are drawn when one is asked for, and the latest kept."""

    def __init__(self, structure: Structure, number: NDArray[np.int64], edges: NDArray[np.float64]) -> None:
        self._structure, self._edges = structure, edges
        self._shape = (int(number[0]), int(number[1]), int(number[2]))
        self._thick = max(1, min(self._shape[0], _SLAB // (self._shape[1] * self._shape[2])))
        self._visible: NDArray[np.intp] | None = None
        self._low = self._high = np.empty(0, dtype=np.int64)
        self._kept: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._lock = threading.Lock()

    def array(self, name: str) -> PagedArray:
        return PagedArray(shape=self._shape, dtype=np.dtype(np.uint8), read=self._read, name=name)

    def _read(self, indices: Sequence[int]) -> Iterator[NDArray[Any]]:
        for z in indices:
            yield self._slab(z // self._thick)[z % self._thick]

    def _slab(self, index: int) -> NDArray[np.uint8]:
        with self._lock:
            if index not in self._kept:
                self._kept[index] = self._draw(index)
                while len(self._kept) > 1 and sum(s.nbytes for s in self._kept.values()) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(index)
            return self._kept[index]

    def _draw(self, index: int) -> NDArray[np.uint8]:
        from microtome.volumes.particles.voxel_kernel import draw_spheres

        depth, height, width = self._shape
        first = index * self._thick
        rows = min(self._thick, depth - first)
        need_memory(rows * height * width, "A slice of the drawing")
        out = np.zeros((rows, height, width), dtype=np.uint8)
        chosen = self._touching(first, rows)
        centres, radii = self._structure.centres, self._structure.radii
        wraps = np.array(self._structure.wraps)
        mine = np.ascontiguousarray(centres[chosen], dtype=np.float64)
        draw_spheres(out, mine, np.ascontiguousarray(radii[chosen], dtype=np.float64), self._edges, _FINE, wraps, first, depth)
        out.flags.writeable = False
        return out

    def _touching(self, first: int, rows: int) -> NDArray[np.intp]:
        """The particles of which a part lies in the rows and in the box."""
        if self._visible is None:
            self._visible, self._low, self._high = self._looked_through()
        low, high = self._low, self._high
        if not self._structure.wraps[0]:
            return self._visible[(low < first + rows) & (high >= first)]
        depth = self._shape[0]
        return self._visible[((first - low) % depth <= high - low) | ((low - first) % depth < rows)]

    def _looked_through(self) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
        """The particles of which a part lies in the box, with the first and the last row that each reaches."""
        structure, edge = self._structure, self._edges[0]
        meets = (structure.centres + structure.radii[:, None] > 0) & (
            structure.centres - structure.radii[:, None] < np.asarray(structure.box)
        )
        visible = np.flatnonzero((meets | np.array(structure.wraps)).all(axis=1))
        z, radii = structure.centres[visible, 0], structure.radii[visible]
        return visible, np.floor((z - radii) / edge).astype(np.int64), np.floor((z + radii) / edge).astype(np.int64)
