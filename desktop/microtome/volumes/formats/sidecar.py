"""What a small text file beside headerless voxels says of them (.info, .json, .hdr, .vgi, .pcr, .txt, .mhd)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from microtome.volumes.formats.rawname import LEGAL, Shape, name_says
from microtome.volumes.units import nanometres

Size = tuple[float, float, float]
_ENDINGS = (".info", ".json", ".hdr", ".mhd", ".vgi", ".pcr", ".meta", ".txt")
_MOST = 2**18  # bytes of a sidecar; a longer one is something else
_AXES = {
    2: ("nx", "numx", "width", "sizex", "dimx", "xdim", "xsize", "volumesizex", "samples", "columns", "imagewidth"),
    1: ("ny", "numy", "height", "sizey", "dimy", "ydim", "ysize", "volumesizey", "lines", "rows", "imageheight"),
    0: ("nz", "numz", "depth", "sizez", "dimz", "zdim", "zsize", "volumesizez", "bands", "slices", "frames", "imagedepth"),
}
_SHAPES = ("dimsize", "size", "dimensions", "dims", "volumesize", "imagesize")  # x, y, z
_TYPES = ("elementtype", "datatype", "dtype", "type", "pixeltype", "numbertype", "voxeltype", "format")
_BITS = ("bitsperelement", "bitspervoxel", "bitsperpixel", "bitdepth", "bits")
_ORDERS = ("byteorder", "endian", "endianness", "elementbyteordermsb", "binarydatabyteordermsb")
_OFFSETS = ("headersize", "headeroffset", "offset", "skip")
_SIZES = ("voxelsize", "elementspacing", "spacing", "pixelsize", "resolution")
_UNITS = ("unit", "units", "voxelunit", "voxelsizeunit", "lengthunit", "spacingunit", "pixelunit")
_ENVI = {"1": "u1", "2": "i2", "3": "i4", "4": "f4", "5": "f8", "12": "u2", "13": "u4"}
_WORDS = {
    "uchar": "u1",
    "unsignedchar": "u1",
    "byte": "u1",
    "char": "i1",
    "ushort": "u2",
    "unsignedshort": "u2",
    "short": "i2",
    "uint": "u4",
    "unsignedint": "u4",
    "int": "i4",
    "float": "f4",
    "single": "f4",
    "real": "f4",
    "double": "f8",
}
_KINDS = {"unsignedinteger": "u", "unsigned": "u", "signedinteger": "i", "signed": "i", "integer": "i", "float": "f"}
Words = dict[str, tuple[str, str]]
"""Keys in small letters and digits → (value, unit that the key or value carries)"""


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """What a sidecar says; what it does not say is None or ""."""

    name: str
    shape: Shape | None  # z, y, x
    code: str
    byte_order: str
    offset: int
    voxel_size: Size | None  # z, y, x in `unit`
    unit: str


def sidecar(path: Path) -> Sidecar | None:
    """The sidecar of a headerless file that says a shape, or None; whatever cannot be understood is no sidecar."""
    for ending in _ENDINGS:
        for beside in (path.with_name(path.name + ending), path.with_suffix(ending)):
            if beside == path:
                continue
            found = _read(beside)
            if found is not None and found.shape is not None:
                return found
    return None


def _read(path: Path) -> Sidecar | None:
    try:
        if not path.is_file() or path.stat().st_size > _MOST:
            return None
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return None  # a sidecar is a help, never a condition
    if path.suffix.lower() == ".json":
        return _of_json(path, text)
    words = _words(text)
    return Sidecar(
        name=path.name,
        shape=_shape(words),
        code=type_code(_first(words, _TYPES), _first(words, _BITS)),
        byte_order=_order(words) or name_says(_first(words, _TYPES)).byte_order,
        offset=_whole(_first(words, _OFFSETS)) or 0,
        voxel_size=_size(words)[0],
        unit=_size(words)[1],
    )


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _words(text: str) -> Words:
    """Lines like `Key = value`, `Key: value`, `voxelSize [um] = 0.7`, and ENVI's braces; a ! starts a remark (PyHST)."""
    found: Words = {}
    for line in re.sub(r"\{([^}]*)\}", lambda m: m[1].replace("\n", " "), text).splitlines():
        match = re.match(r"\s*([A-Za-z][\w .\-]*?)\s*(?:[\[(]\s*([^\])=:]*?)\s*[\])])?\s*[=:]\s*(.+?)\s*$", line)
        if match:
            found.setdefault(_key(match[1]), (match[3].strip("\"'"), match[2] or ""))
    return found


def _first(words: Words, names: tuple[str, ...]) -> str:
    return next((words[n][0] for n in names if n in words), "")


def _whole(text: str) -> int | None:
    match = re.match(r"\s*(\d{1,12})(?:\.0*)?(?![\d.])", text)
    return int(match[1]) if match else None


def numbers(text: str) -> list[float]:
    """The numbers in a text, in order."""
    return [float(n) for n in re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", text)]


def _shape(words: Words) -> Shape | None:
    single = {axis: _whole(_first(words, names)) for axis, names in _AXES.items()}
    if all(n is not None and n > 0 for n in single.values()):
        return (single[0] or 0, single[1] or 0, single[2] or 0)
    for name in _SHAPES:
        three = numbers(words[name][0]) if name in words else []
        if len(three) == 3 and all(n >= 1 and n == int(n) for n in three):
            return (int(three[2]), int(three[1]), int(three[0]))
    return None


def type_code(text: str, bits: str = "") -> str:
    """A type of number as a numpy code ("u2"): MET_USHORT, unsigned short, uint16, 16-bit, ENVI's 12, or kind and bits."""
    plain = _key(text.upper().removeprefix("MET_"))
    width = _whole(bits)
    if plain in _KINDS and width:
        code = f"{_KINDS[plain]}{width // 8}"
        return code if code in LEGAL else ""
    if plain in _WORDS or text in _ENVI:
        return _WORDS.get(plain) or _ENVI[text]
    codes = name_says(text).codes or (name_says(f"{width}bit").codes if width and not text else ())
    return codes[0] if len(codes) == 1 else ""


def _order(words: Words) -> str:
    text = _key(_first(words, _ORDERS))
    if "little" in text or text in ("lowbytefirst", "lsb", "le", "0", "false", "intel"):
        return "little"
    return "big" if "big" in text or text in ("highbytefirst", "msb", "be", "1", "true", "motorola") else ""


def _size(words: Words) -> tuple[Size | None, str]:
    """The voxel size (z, y, x) and its unit, "" where none is written; counted x, y, z in the text."""
    unit = _first(words, _UNITS)
    for name in _SIZES:
        if name not in words:
            continue
        value, own = words[name]
        found = [n for n in numbers(value) if math.isfinite(n)]
        behind = re.search(r"\d\s*([A-Za-zµμÅ]+)\s*$", value)
        unit = own or (behind[1] if behind and nanometres(behind[1]) is not None else unit)
        if len(found) == 1:
            return (found[0],) * 3, unit
        if len(found) == 3:
            return (found[2], found[1], found[0]), unit
    return None, unit


def _of_json(path: Path, text: str) -> Sidecar | None:
    """A JSON table; lists of it count z, y, x, as numpy does."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, Mapping):
        return None
    flat = {_key(str(k)): v for k, v in data.items()}
    shape = next((flat[n] for n in ("shape", *_SHAPES) if n in flat), None)
    size = next((flat[n] for n in _SIZES if n in flat), None)
    sizes = [size] * 3 if _is_number(size) else size
    text_of = {k: (str(v), "") for k, v in flat.items()}
    return Sidecar(
        name=path.name,
        shape=(shape[0], shape[1], shape[2]) if _three(shape) and all(isinstance(n, int) and n > 0 for n in shape) else None,
        code=type_code(_first(text_of, _TYPES), _first(text_of, _BITS)),
        byte_order=_order(text_of) or name_says(_first(text_of, _TYPES)).byte_order,
        offset=_whole(_first(text_of, _OFFSETS)) or 0,
        voxel_size=(float(sizes[0]), float(sizes[1]), float(sizes[2])) if _three(sizes) else None,
        unit=_first(text_of, _UNITS),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _three(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and len(value) == 3 and all(_is_number(n) for n in value)
