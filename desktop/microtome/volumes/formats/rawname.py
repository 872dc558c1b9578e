"""What the name of a headerless file says of its voxels: shape, type of number, byte order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from microtome.errors import InputError

Shape = tuple[int, int, int]
_SHAPE = re.compile(r"(?<!\d)(\d{1,6})[x×X](\d{1,6})[x×X](\d{1,6})(?!\d)")
_SPACED = re.compile(r"(?<![\d.])(\d{1,6})[_\- ,](\d{1,6})[_\- ,](\d{1,6})(?!\d|\.\d)")
_CUBE = re.compile(r"(?<!\d)(\d{1,5})(?:\^3|\*\*3|cubed?|³)(?![a-z0-9])")
_LETTERED = re.compile(r"(?<![a-z])(?:n?(x|y|z|w|h|d)|(width|height|depth))[=_-]?(\d{1,6})(?!\d)")
_AXIS = {"x": 2, "w": 2, "width": 2, "y": 1, "h": 1, "height": 1, "z": 0, "d": 0, "depth": 0}
_TYPE = re.compile(
    r"(?<![a-z])(?:(u?int|float|real|unsigned|signed|u|i|s|f)[-_ ]?(8|16|32|64)(?:bits?)?|(8|16|32|64)[-_ ]?bits?"
    r"(?:[-_ ]?(unsigned|signed|float|real))?)[-_ ]?(le|be)?(?![a-z0-9])"
)
_WORD = re.compile(r"(?<![a-z0-9])(uchar|byte|ushort|short|single|double)[-_]?(le|be)?(?![a-z0-9])")
_WORDS = {"uchar": "u1", "byte": "u1", "ushort": "u2", "short": "i2", "single": "f4", "double": "f8"}
_LITTLE = re.compile(r"(?<![a-z])(?:little[-_ ]?endian|lsb|le)(?![a-z])")
_BIG = re.compile(r"(?<![a-z])(?:big[-_ ]?endian|msb|be)(?![a-z])")
_LETTERS = {
    "uint": "u",
    "int": "i",
    "float": "f",
    "real": "f",
    "unsigned": "u",
    "signed": "i",
    "u": "u",
    "i": "i",
    "s": "i",
    "f": "f",
}
LEGAL = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8")
"""The numbers that voxels may be."""
_BARE = {"8": "u1", "16": "u2", "32": "f4"}


@dataclass(frozen=True, kw_only=True)
class NameSays:
    """The shapes (z, y, x) that a name may mean, the types of number as codes ("u2"), the byte order ("" where not said)."""

    shapes: tuple[Shape, ...]
    spaced: tuple[Shape, ...]  # three numbers in a row, which may be a date as well
    lettered: Shape | None  # where the name says which axis is which
    codes: tuple[str, ...]
    byte_order: str


def name_says(name: str) -> NameSays:
    """What a file name tells: `…_128x100x90_uint16le`, `…_w90_h100_d128`, `…_128^3_8bit`, `…_1024_1024_512_ushort`."""
    name = name.lower()
    shapes = {_three(m.groups()) for m in _SHAPE.finditer(name)}
    shapes |= {(int(m[1]),) * 3 for m in _CUBE.finditer(name)}
    letters = {_AXIS[m[1] or m[2]]: int(m[3]) for m in _LETTERED.finditer(name)}
    codes, orders = set(), set()
    for match in _TYPE.finditer(name):
        letter = _LETTERS.get(match[1] or match[4] or "", "")
        code = f"{letter}{int(match[2] or match[3]) // 8}" if letter else _BARE.get(match[3], "")
        if code in LEGAL:
            codes.add(code)
            orders.add(match[5])
    for match in _WORD.finditer(name):
        codes.add(_WORDS[match[1]])
        orders.add(match[2])
    orders |= {"le" for _ in _LITTLE.finditer(name)} | {"be" for _ in _BIG.finditer(name)}
    orders.discard(None)
    return NameSays(
        shapes=tuple(sorted(shapes)),
        spaced=tuple(sorted({_three(m.groups()) for m in _overlapping(name)} - shapes)),
        lettered=(letters[0], letters[1], letters[2]) if len(letters) == 3 else None,
        codes=tuple(sorted(codes)),
        byte_order={"le": "little", "be": "big"}[orders.pop()] if len(orders) == 1 else "",
    )


def _three(groups: Any) -> Shape:
    a, b, c = (int(g) for g in groups)
    return (a, b, c)


def _overlapping(name: str) -> list[re.Match[str]]:
    found, at = [], 0
    while match := _SPACED.search(name, at):
        found.append(match)
        at = match.end(1)
    return found


def given_dtype(text: str, byte_order: str) -> np.dtype[Any]:
    """The dtype that a user names: numpy's names, also with le or be behind; InputError for another one."""
    plain_text = text.strip().lower()
    match = _TYPE.fullmatch(plain_text.lstrip("<>=|"))
    marks = {"<": "little", ">": "big", "le": "little", "be": "big"}
    plain = re.fullmatch(r"[<>=|]?([uif])([1248])", plain_text)
    if plain:
        code, order = plain[1] + plain[2], byte_order or marks.get(plain_text[0], "")
    elif match and match[1]:
        code, order = f"{_LETTERS[match[1]]}{int(match[2]) // 8}", byte_order or marks.get(match[5] or plain_text[0], "")
    else:
        code, order = "", ""
    if code not in LEGAL:
        raise InputError(f"dtype cannot be “{text}”.", "Known: uint8, int8, uint16, int16, uint32, int32, float32, float64.")
    return np.dtype((">" if order == "big" else "<") + code)


def given_shape(text: str) -> Shape:
    """Three whole numbers (z, y, x) as a user writes them: 128x64x64, 128 64 64, [128, 64, 64]; InputError for else."""
    numbers = re.findall(r"\d+", text)
    if len(numbers) != 3 or re.sub(r"[\dxX×, \[\]()]", "", text) or min(int(n) for n in numbers) < 1:
        raise InputError(f"shape must be three whole numbers (z, y, x), none of them zero, not “{text}”.")
    return _three(numbers)
