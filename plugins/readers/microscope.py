"""Reader of the microscopes' own formats, through rosettasciio: Digital Micrograph, EMD, TIA, Bruker, Ripple and others."""

from __future__ import annotations

import importlib
import logging
import math
import struct
import traceback
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from microtome.plugin import Field, FileError, InputError, RawVolume, reader
from microtome.volumes.damage import reason
from microtome.volumes.formats.containers import Box, BoxArray, Found, Picked, is_numeric, one_of, pick
from microtome.volumes.lazy import need_memory
from microtome.volumes.units import nanometres

_FORMATS = {
    ".dm3": "digitalmicrograph",
    ".dm4": "digitalmicrograph",
    ".emd": "emd",
    ".ser": "tia",
    ".emi": "tia",
    ".bcf": "bruker",
    ".blo": "blockfile",
    ".sur": "digitalsurf",
    ".pro": "digitalsurf",
    ".mib": "quantumdetector",
    ".rpl": "ripple",
    ".unf": "semper",
    ".tvips": "tvips",
}
_CHUNKED = ("digitalmicrograph", "quantumdetector", "ripple")  # can be told to read slice by slice
_WHOLE = ("digitalsurf", "semper")  # are read into memory at once
_DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    NotImplementedError,
    MemoryError,
    RuntimeError,
    EOFError,
    SyntaxError,  # ElementTree's ParseError among them
    ImportError,
    NameError,  # a variable that damaged tags leave without a value
    struct.error,
    zlib.error,
    ElementTree.ParseError,
)
_TIME = {"s", "ms", "us", "µs", "min", "h", "sec", "second", "seconds"}
_MOST_BYTES_OUT = 4  # of memory for each byte of a file that is read at once

# What the library says of a damaged file is said in our own sentence.
logging.getLogger("rsciio").addHandler(logging.NullHandler())
logging.getLogger("rsciio").propagate = False


@reader("microscope", label="Microscope file (rosettasciio)", extensions=tuple(_FORMATS))
def microscope(
    path: Path,
    *,
    signal: str = Field("", help="The image's name, where the file holds several"),
    time: int = Field(-1, -1, 10_000_000, help="Which point in time, from 0, of a series; -1: it has one"),
    index: str = Field("", help="Where further axes (energy, tilt) are cut, from 0, as 3 or 3x0"),
) -> RawVolume:
    """Digital Micrograph 3 and 4, EMD (Velox, Berkeley), TIA, Bruker, Ripple, DigitalSurf, …; scales give the voxel size."""
    size = path.stat().st_size
    if size == 0:
        raise FileError(f"{path} is empty (0 bytes).", "Copy or export it again.")
    name = _FORMATS.get(path.suffix.lower())
    if name is None:
        raise InputError(f"{path.name} has no ending of a microscope's format.", f"Known: {', '.join(_FORMATS)}.")
    if name in _WHOLE:
        need_memory(_MOST_BYTES_OUT * size, str(path))
    signals = _signals(path, name)
    found = [_found(one, i) for i, one in enumerate(signals)]
    usable = [f for f in _unique(found) if f is not None]
    spatial = max((sum(a in "zyx" for a in f.axes) for f in usable), default=0)
    best = [f for f in usable if sum(a in "zyx" for a in f.axes) == spatial]
    one = one_of(usable if signal else best, signal, path, option="signal", what="image", kind="list")
    at = next(i for i, f in enumerate(_unique(found)) if f is not None and f.name == one.name)
    given = {"signal": one.name} if signal or len(best) > 1 else {}
    picked = pick(one, path, time=time, index=index, given=given)
    data = signals[at]["data"]
    if name in _CHUNKED and data.ndim > 2 and picked.spatial[-2:] == (data.ndim - 2, data.ndim - 1):
        data = _signals(path, name, chunks=(*(1 for _ in data.shape[:-2]), *data.shape[-2:]))[at]["data"]
    voxel_size, unit, findings = _voxel_size(_axes(signals[at]), picked)
    if len(usable) > 1 and not signal:
        findings = (f"Of {len(usable)} images in the file “{one.name}” was taken.", *findings)
    return RawVolume(
        voxels=_lazy(path, data, one, picked),
        voxel_size=voxel_size,
        unit=unit,
        source=str(path),
        findings=findings,
        metadata={"signal": one.name},
    )


def _signals(path: Path, name: str, **more: Any) -> list[dict[str, Any]]:
    """What the library finds in the file; whatever it raises on damage becomes a FileError."""
    whole = name in _WHOLE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = vars(importlib.import_module("rsciio.exceptions")).values()
        own = (e for e in known if isinstance(e, type) and issubclass(e, Exception))
        damage: tuple[type[Exception], ...] = (*_DAMAGE, *own)
        try:
            module = importlib.import_module(f"rsciio.{name}")
            found = module.file_reader(str(path), lazy=not whole, **more)
        except damage as error:
            said = reason(error)
            traceback.clear_frames(error.__traceback__)  # the library leaves a damaged file open
            raise FileError(f"{path} cannot be read ({said}).", "Copy or export it again.") from None
    return [s for s in found if isinstance(s, dict) and hasattr(s.get("data"), "dtype")]


def _axes(signal: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(signal.get("axes") or [])


def _words(value: object) -> str:
    """A name or unit; the library's <undefined> is none."""
    return value.strip() if isinstance(value, str) else ""


def _found(signal: Mapping[str, Any], number: int) -> Found | None:
    """A signal as an array with named axes, None for a spectrum, colours or what is no image."""
    data, axes = signal["data"], _axes(signal)
    shape = tuple(int(n) for n in data.shape) if not any(math.isnan(n) for n in data.shape) else ()
    if not is_numeric(shape, data.dtype) or len(axes) != len(shape):
        return None
    letters = _letters(axes, shape)
    if sum(a in "zyx" for a in letters) < 2:
        return None
    general = (signal.get("metadata") or {}).get("General") or {}
    title = _words(general.get("title")) or f"image {number}"
    return Found(name=title, shape=shape, dtype=np.dtype(data.dtype), axes=letters)


def _unique(found: Sequence[Found | None]) -> list[Found | None]:
    """The signals with different names: a second one of a name gets its number."""
    names: list[str] = []
    unique: list[Found | None] = []
    for one in found:
        if one is not None and one.name in names:
            one = replace(one, name=f"{one.name} {len(names)}")
        names.append(one.name if one else "")
        unique.append(one)
    return unique


def _letters(axes: Sequence[Mapping[str, Any]], shape: Sequence[int]) -> str:
    """A letter an axis: lengths are z, y, x in their order; time is t; an axis without a unit beside two lengths is z."""
    kinds = []
    for axis in axes:
        unit, name = _words(axis.get("units")), _words(axis.get("name")).lower()
        if nanometres(unit) is not None if unit else name in ("x", "y", "z", "height", "width", "depth"):
            kinds.append("space")
        elif unit in _TIME or name == "time":
            kinds.append("time")
        else:
            kinds.append("other" if unit or name in ("energy", "energy loss", "wavelength") else "bare")
    space = kinds.count("space")
    for i, kind in enumerate(kinds):
        if kind == "bare" and space < 3 and shape[i] > 1 and (space < 2 or i < kinds.index("space")):
            kinds[i], space = "space", space + 1
    names = [_words(a.get("name")).lower() for a, kind in zip(axes, kinds, strict=True) if kind == "space"]
    order = "zyx"[max(0, 3 - space) :]
    # Axes that call themselves z, y and x are these in whatever order they lie (EMD counts x first).
    left, others = list(names if sorted(names) == sorted(order) else order), iter("abdefghij")
    letters = []
    for kind in kinds:
        known = "t" if kind == "time" and "t" not in letters else ""
        letters.append(left.pop(0) if kind == "space" and left else known or next(others))
    return "".join(letters)


def _voxel_size(
    axes: Sequence[Mapping[str, Any]], picked: Picked
) -> tuple[tuple[float, float, float] | None, str, tuple[str, ...]]:
    """The scales of the axes z, y, x in nm; of one image its pixel stands in for the slice distance."""
    sizes: list[float | None] = []
    for axis in picked.of(axes, axes[picked.spatial[0]]):
        factor, scale = nanometres(_words(axis.get("units"))), axis.get("scale")
        fine = factor is not None and isinstance(scale, int | float | np.number) and math.isfinite(scale) and scale != 0
        sizes.append(abs(float(scale or 0)) * (factor or 0) if fine else None)
    z, y, x = sizes
    if y is None or x is None:
        return None, "nm", ()
    if z is None:
        return None, "nm", (f"The file gives a pixel of {y:g} × {x:g} nm but no distance between slices.",)
    return (z, y, x), "nm", ()


def _lazy(path: Path, data: Any, one: Found, picked: Picked) -> BoxArray:
    """The voxels of a signal; the file is looked at before each read, so that a changed one is an error, not other voxels."""
    before = path.stat()

    def read(box: Box) -> Any:
        try:
            now = path.stat()
            if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise FileError(f"{path} has changed since it was opened.", "Open it again.")
            part = data[picked.key(box)]
            part = np.asarray(part.compute(scheduler="synchronous") if hasattr(part, "compute") else part)
        except FileError:
            raise
        except _DAMAGE as error:
            raise FileError(f"{path} cannot be read ({reason(error)}).", "Copy or export it again.") from error
        return picked.arranged(part.view(np.uint8) if part.dtype == bool else part)

    dtype = np.dtype(np.uint8) if one.dtype == bool else one.dtype.newbyteorder("=")
    return BoxArray(shape=picked.shape, dtype=dtype, read=read, name=str(path))
