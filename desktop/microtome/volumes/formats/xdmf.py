"""XDMF: the text file that says what the arrays of an HDF5 or raw file are: grids, attributes, spacing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from microtome.errors import FileError, InputError
from microtome.store.atomic import explain

Shape = tuple[int, int, int]
Size = tuple[float, float, float]
_MOST = 2**26  # bytes of an XDMF text
_TYPES = {
    ("char", 1): "i1",
    ("uchar", 1): "u1",
    ("int", 1): "i1",
    ("uint", 1): "u1",
    ("short", 2): "i2",
    ("ushort", 2): "u2",
    ("int", 2): "i2",
    ("uint", 2): "u2",
    ("int", 4): "i4",
    ("uint", 4): "u4",
    ("int", 8): "i8",
    ("uint", 8): "u8",
    ("float", 4): "f4",
    ("float", 8): "f8",
}


@dataclass(frozen=True, kw_only=True)
class XdmfArray:
    """One attribute of a regular grid: where its numbers lie, their shape, and the grid's spacing (z, y, x), unit unknown."""

    name: str
    file: Path
    inside: str  # path of the data set, "" for raw bytes
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    seek: int
    spacing: Size | None


def arrays_of(path: Path) -> list[XdmfArray]:
    """The arrays on regular grids that an XDMF file names; FileError where it is damaged, InputError where there is none."""
    root = _parsed(path)
    named: dict[str, ElementTree.Element] = {e.attrib["Name"]: e for e in root.iter("DataItem") if "Name" in e.attrib}
    found: list[XdmfArray] = []
    why: set[str] = set()
    for grid in root.iter("Grid"):
        for attribute in grid.findall("Attribute"):
            label = "/".join(n for n in (grid.get("Name"), attribute.get("Name")) if n) or f"array {len(found)}"
            item = attribute.find("DataItem")
            if item is not None and "Reference" in item.attrib:
                item = named.get(item.attrib["Reference"].split('"')[-2]) if '"' in item.attrib["Reference"] else None
            array = None if item is None else _array(path, label, item, _spacing(grid), why)
            if array is not None:
                found.append(array)
    if not found:
        raise InputError(
            f"{path} names no array on a regular grid{' (' + ', '.join(sorted(why)) + ')' if why else ''}.",
            "Open the HDF5 file itself.",
        )
    return _unique(found)


def _parsed(path: Path) -> ElementTree.Element:
    try:
        if path.stat().st_size > _MOST:
            raise FileError(f"{path} is too long for an XDMF text.", "Open the HDF5 file itself.")
        text = path.read_bytes()
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise explain(error, path, "read") from error
    if not text:
        raise FileError(f"{path} is empty (0 bytes).", "Copy or export it again.")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise FileError(f"{path} is damaged: it is no XML text ({error}).", "Copy or export it again.") from error
    if root.tag.lower() != "xdmf":
        raise FileError(f"{path} is no XDMF file but XML of another kind ({root.tag[:40]}).", "Open the HDF5 file itself.")
    return root


def _array(path: Path, label: str, item: ElementTree.Element, spacing: Size | None, why: set[str]) -> XdmfArray | None:
    shape = tuple(int(n) for n in (item.get("Dimensions") or "").split() if n.isdigit())
    kind = (item.get("NumberType") or item.get("DataType") or "Float").lower()
    form = (item.get("Format") or "XML").upper()
    text = (item.text or "").strip()
    precision = item.get("Precision") or {"char": "1", "uchar": "1", "short": "2", "ushort": "2"}.get(kind, "4")
    code = _TYPES.get((kind, int(precision) if precision.isdigit() else 0))
    if form not in ("HDF", "BINARY") or item.get("ItemType", "Uniform") != "Uniform" or not text:
        why.add(f"{label}: the format {form} or its item type is not read")
        return None
    if len(shape) < 2 or math.prod(shape) < 1 or code is None:
        why.add(f"{label}: {' × '.join(map(str, shape)) or 'no dimensions'} {kind}")
        return None
    name, _, inside = text.rpartition(":") if form == "HDF" else (text, "", "")
    seek = item.get("Seek") or "0"
    order = ">" if (item.get("Endian") or "").lower() == "big" else "<"
    return XdmfArray(
        name=label,
        file=path.parent / name.strip().replace("\\", "/"),
        inside=inside.strip(),
        shape=shape,
        dtype=np.dtype(order + code),
        seek=int(seek) if seek.isdigit() else 0,
        spacing=spacing,
    )


def _spacing(grid: ElementTree.Element) -> Size | None:
    """DXDYDZ of ORIGIN_DXDYDZ, which XDMF counts z, y, x as it does the dimensions."""
    geometry = grid.find("Geometry")
    if geometry is None or "DXDYDZ" not in (geometry.get("GeometryType") or geometry.get("Type") or "").upper():
        return None
    items = geometry.findall("DataItem")
    try:
        numbers = [float(n) for n in (items[-1].text or "").split()] if len(items) >= 2 else []
    except ValueError:
        return None
    fine = len(numbers) == 3 and all(math.isfinite(n) and n > 0 for n in numbers)
    return (numbers[0], numbers[1], numbers[2]) if fine else None


def _unique(found: list[XdmfArray]) -> list[XdmfArray]:
    """Names that are used twice get a number."""
    seen: dict[str, int] = {}
    unique = []
    for array in found:
        count = seen[array.name] = seen.get(array.name, 0) + 1
        unique.append(array if count == 1 else XdmfArray(**{**vars(array), "name": f"{array.name} {count}"}))
    return unique


def spacing_beside(path: Path) -> Size | None:
    """The spacing (z, y, x) that an XDMF file of the same name gives for an HDF5 file, None where there is none or several."""
    for ending in (".xmf", ".xdmf"):
        for beside in (path.with_suffix(ending), path.with_name(path.name + ending)):
            try:
                arrays = arrays_of(beside) if beside.is_file() else []
            except (FileError, InputError):
                continue  # the voxels are in the HDF5 file: a damaged text beside it takes nothing from them
            spacings = {a.spacing for a in arrays if a.file.name == path.name}
            if len(spacings) == 1:
                return spacings.pop()
    return None
