"""The voxel size that attributes of an array or of the groups around it give, where their unit is clear."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from microtome.volumes.units import nanometres

Size = tuple[float, float, float]
Given = tuple[tuple[float, ...] | None, str]
"""One number an axis of the array (in its order), and their unit ("" where it is not written)"""
_NAMES = (
    "element_size",
    "voxel_size",
    "voxelsize",
    "pixel_size",
    "pixelsize",
    "pixelresolution",
    "resolution",
    "spacing",
    "scale",
    "voxel_spacing",
)
_SUFFIXES = {
    "nm": "nm",
    "um": "um",
    "µm": "um",
    "micron": "um",
    "microns": "um",
    "mm": "mm",
    "m": "m",
    "angstrom": "angstrom",
    "a": "angstrom",
    "pm": "pm",
}
_UNITS = ("unit", "units", "length_unit", "lengthunit", "{}_unit", "{}_units", "{}unit", "{}units")


def text_of(value: Any) -> str:
    """An attribute as text: bytes, arrays of one text, arrays of letters (Imaris); "" for what is none."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray) and value.dtype.kind in "SUO":
        parts = [text_of(v) for v in value.ravel()[:64].tolist()]
        return "".join(parts) if all(len(p) == 1 for p in parts) else (parts[0] if parts else "")
    return value if isinstance(value, str) else ""


def size_of(attributes: Sequence[Mapping[str, Any]], rank: int) -> Given:
    """The voxel size that the nearest of some sets of attributes gives for an array of `rank` axes (its own set first).

    Known are element_size_um, voxel_size, pixel_size, resolution, spacing, scale, … with the unit as an ending of the name
    (voxel_size_nm) or in an attribute of its own (unit, voxel_size_unit); one number, or one an axis in the array's order.
    """
    for own in attributes:
        words = {str(k).lower(): v for k, v in own.items()}
        for key, value in words.items():
            name, unit = _split(key)
            if name not in _NAMES:
                continue
            if isinstance(value, Mapping):  # N5's pixelResolution: x, y, z and a unit
                numbers = _numbers(value.get("dimensions"), rank)
                numbers, unit = (numbers[::-1] if numbers else None), text_of(value.get("unit")) or unit
            else:
                numbers = _numbers(value, rank)
            if numbers is not None:
                return numbers, unit or _unit(words, key)
    return None, ""


def _split(key: str) -> tuple[str, str]:
    """voxel_size_um → voxel_size, um."""
    if key in _NAMES:
        return key, ""
    match = re.fullmatch(r"(.+?)[_ \-(\[]+([a-zµ]+)[)\]]?", key)
    return (match[1], _SUFFIXES[match[2]]) if match and match[2] in _SUFFIXES else (key, "")


def _unit(words: Mapping[str, Any], key: str) -> str:
    for pattern in _UNITS:
        value = words.get(pattern.format(key))
        if value is None:
            continue
        if isinstance(value, np.ndarray | list | tuple):
            texts = {text_of(v) for v in list(value)}
            one = texts.pop() if len(texts) == 1 else ""
        else:
            one = text_of(value)
        if nanometres(one) is not None:
            return one
    return ""


def _numbers(value: Any, rank: int) -> tuple[float, ...] | None:
    try:
        found = np.asarray(value, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        return None
    if found.size == 1 and np.isfinite(found).all():
        return (float(found[0]),) * rank
    if found.size not in (3, rank) or found.size > rank or not np.isfinite(found).all():
        return None
    # Three numbers for an array of more axes belong to its last three.
    return (*(1.0 for _ in range(rank - found.size)), *(float(f) for f in found))


def meant(size: Size | None, unit: str) -> tuple[Size | None, str]:
    """The voxel size as a reader returns it; 1 × 1 × 1 of nothing is what programs write that were never told one."""
    if size is None or (not unit.strip() and size == (1.0, 1.0, 1.0)):
        return None, "nm"
    return size, unit


def evenly_spaced(values: Any) -> float | None:
    """The step of coordinates that are evenly spaced (to a thousandth), else None."""
    try:
        found = np.asarray(values, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        return None
    if found.size < 2 or not np.isfinite(found).all():
        return None
    gaps = np.diff(found)
    step = float(found[-1] - found[0]) / (found.size - 1)
    if step == 0 or not math.isfinite(step) or float(np.abs(gaps - step).max()) > 1e-3 * abs(step):
        return None
    return abs(step)
