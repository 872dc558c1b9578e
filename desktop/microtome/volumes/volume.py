"""A volume: voxels that stay on disk where they can, with their physical size and what is odd about them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from microtome.errors import InputError
from microtome.plugin import LazyArray, RawVolume, Structure
from microtome.volumes.bricks import Bricks
from microtome.volumes.lazy import expanded
from microtome.volumes.mapped import checked
from microtome.volumes.memory import fits_whole, keep, map_of, need_memory, read_mapped
from microtome.volumes.units import NM, VOXEL, nanometres

Size = tuple[float, float, float]
_SCAN_ALL = 2**29  # bytes; a larger volume is scanned in samples
_SCAN_SLABS = 32


@dataclass(kw_only=True, eq=False)
class Volume:
    """Voxels (z, y, x), their size (z, y, x) in `unit` or None, where they come from, and findings in words.

    Slicing reads only what is asked for and returns native-endian ndarrays of the file's own dtype. `nonfinite` counts the
    voxels that are NaN or infinite (None: floating-point data that were not looked at). `structure` are the particles that the
    voxels are drawn from, where they are. `colours` (3, y, x) are those of an image of one plane that
    was asked for them: red, green, blue; its voxels are the brightness.
    """

    voxels: LazyArray
    voxel_size: Size | None = None
    unit: str = VOXEL
    source: str = ""
    findings: tuple[str, ...] = ()
    nonfinite: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    structure: Structure | None = None
    colours: NDArray[Any] | None = field(default=None, repr=False)
    _kept: NDArray[Any] | None = field(default=None, repr=False)

    @classmethod
    def from_raw(cls, raw: RawVolume) -> Volume:
        """The volume of what a reader returned; a voxel size in a known length is brought to nm, else it is dropped."""
        shape = tuple(raw.voxels.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise InputError(f"{raw.source} has the shape {shape}; a volume has three axes, none of them empty.")
        if (dtype := raw.voxels.dtype).kind not in "biuf":
            raise InputError(f"{raw.source} holds {dtype}, which are no grey values.", "Save whole or floating-point numbers.")
        size, unit, findings = physical(raw.voxel_size, raw.unit)
        return cls(
            voxels=raw.voxels,
            voxel_size=size,
            unit=unit,
            source=raw.source,
            findings=(*raw.findings, *findings),
            nonfinite=None if raw.voxels.dtype.kind == "f" else 0,
            metadata=raw.metadata,
            structure=raw.structure,
        )

    @classmethod
    def from_array(cls, array: NDArray[Any], voxel_size: Size | None = None, unit: str = VOXEL) -> Volume:
        """A volume of an array in memory (z, y, x); without a voxel size its unit is the voxel."""
        raw = RawVolume(voxels=array, voxel_size=voxel_size, unit=unit, source="array")
        return cls.from_raw(raw)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y, x."""
        z, y, x = self.voxels.shape
        return (int(z), int(y), int(x))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the voxels, in native byte order."""
        return self.voxels.dtype.newbyteorder("=")

    @property
    def memory_bytes(self) -> int:
        """The memory that the whole volume takes."""
        z, y, x = self.shape
        return z * y * x * self.dtype.itemsize + (0 if self.colours is None else self.colours.nbytes)

    @property
    def physical_size(self) -> Size | None:
        """The edges (z, y, x) of the volume in `unit`, or None where the voxel size is not known."""
        return extent(self.shape, self.voxel_size)

    @property
    def levels(self) -> tuple[Volume, ...]:
        """Coarser versions of the volume, finest first, where a copy in bricks holds them; their voxels are larger."""
        if not isinstance(self.voxels, Bricks):
            return ()
        size = self.voxel_size
        return tuple(
            replace(
                self,
                voxels=bricks,
                voxel_size=None if size is None else (size[0] * factor[0], size[1] * factor[1], size[2] * factor[2]),
                structure=None,
                _kept=None,
            )
            for bricks, factor in self.voxels.coarser
        )

    def __repr__(self) -> str:
        size = "" if self.voxel_size is None else f", voxel_size={self.voxel_size}, unit={self.unit!r}"
        return f"Volume({self.source!r}, shape={self.shape}, dtype={self.dtype.name}{size})"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """All voxels as an array, for `np.asarray` and functions of other libraries; see `as_array`."""
        return np.array(self.as_array(), dtype=dtype, copy=copy)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        kept = self._kept
        source: LazyArray = self.voxels if kept is None else kept
        if isinstance(source, np.ndarray) and map_of(source) is not None:
            keys = expanded(key)
            if all(isinstance(k, int | np.integer | slice) for k in keys):
                return read_mapped(source, keys)
        part = np.asarray(source[key])
        return part if part.dtype.isnative else part.astype(self.dtype)

    def as_array(self) -> NDArray[Any]:
        """The whole volume: memory-mapped where the file allows it, else read once and kept.

        Raises FileError where it does not fit into memory; `at_hand` and reading parts do without.
        """
        if isinstance(self.voxels, np.ndarray) and self.voxels.dtype.isnative:
            return checked(self.voxels)
        kept = self._kept
        if kept is None:
            need_memory(self.memory_bytes, self.source or "The volume")
            kept = np.asarray(self[:]).astype(self.dtype, copy=False)
            self._kept = kept
        keep(self, kept.nbytes)  # also where it was there: who is used lets go last
        return kept

    def at_hand(self) -> NDArray[Any] | None:
        """The whole volume as `as_array` gives it where it need not be read for that, or is small; else None."""
        if self._kept is not None or (isinstance(self.voxels, np.ndarray) and self.voxels.dtype.isnative):
            return self.as_array()
        mapped = isinstance(self.voxels, np.ndarray | Bricks)
        return None if mapped or not fits_whole(self.memory_bytes) else self.as_array()

    def let_go(self) -> None:
        """Forget voxels that were read and kept; they are read again when they are needed."""
        self._kept = None

    def scanned(self, limit: int = _SCAN_ALL) -> Volume:
        """This volume with NaN and infinite voxels counted (beyond `limit` bytes: in evenly spread slices) and said."""
        if self.dtype.kind != "f" or self.nonfinite is not None:
            return self
        depth = self.shape[0]
        every = self.memory_bytes <= limit
        chosen = range(depth) if every else sorted({int(z) for z in np.linspace(0, depth - 1, _SCAN_SLABS)})
        bad = {z: n for z in chosen if (n := int(np.count_nonzero(~np.isfinite(self[z]))))}
        if not bad:
            return replace(self, nonfinite=0)
        total = sum(bad.values())
        where = f"slices {min(bad)} to {max(bad)}" if len(bad) > 1 else f"slice {next(iter(bad))}"
        words = "" if every else f" (looked at {len(chosen)} of {depth} slices)"
        finding = f"{total} voxels are not a number or infinite, in {where}{words}."
        return replace(self, nonfinite=total, findings=(*self.findings, finding))


def extent(shape: tuple[int, int, int] | None, voxel_size: Size | None) -> Size | None:
    """The edges (z, y, x) of a box of voxels, in the unit of `voxel_size`."""
    if shape is None or voxel_size is None:
        return None
    return (shape[0] * voxel_size[0], shape[1] * voxel_size[1], shape[2] * voxel_size[2])


def physical(size: Size | None, unit: str) -> tuple[Size | None, str, tuple[str, ...]]:
    """A file's voxel size in nm: (size or None, "nm" or "voxel", findings). A wrong number is worse than none."""
    if size is None:
        return None, VOXEL, ()
    numbers = " × ".join(f"{s:g}" for s in size)
    if not all(np.isfinite(s) and s > 0 for s in size):
        return (
            None,
            VOXEL,
            (f"The voxel size in the file makes no sense ({numbers} {unit}) and was ignored.".replace(" )", ")"),),
        )
    factor = nanometres(unit)
    if factor is None:
        said = f"its unit “{unit}” is no length" if unit.strip() and unit != VOXEL else "it has no unit"
        if unit == VOXEL:
            return None, VOXEL, ()
        return None, VOXEL, (f"The file gives a voxel size of {numbers}, but {said}; it was ignored.",)
    return (size[0] * factor, size[1] * factor, size[2] * factor), NM, ()
