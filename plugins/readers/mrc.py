"""Reader of MRC and CCP4 maps (MRC2014), memory-mapped."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microtome.plugin import Choice, Field, FileError, InputError, Question, QuestionError, RawVolume, reader
from microtome.volumes.mapped import mapped

_HEADER = 1024
_MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_REFUSED = {3: "complex whole numbers", 4: "complex numbers", 16: "colours (RGB)", 101: "numbers of 4 bits"}
_IMOD = 1146047817  # at byte 152: IMOD wrote the file, and the flags behind it are its own
_LONGEST = 10_000_000


@dataclass(frozen=True, kw_only=True)
class _Header:
    """What is read of the header; sizes along columns, rows, sections of the file."""

    order: str
    counts: tuple[int, int, int]  # columns, rows, sections
    mode: int
    grid: tuple[int, int, int]  # MX, MY, MZ
    cell: tuple[float, float, float]  # Å along x, y, z
    axes: tuple[int, int, int]  # MAPC, MAPR, MAPS: 1 = x, 2 = y, 3 = z
    space_group: int
    extended: int
    signed: bool


def _is_mrc(_path: Path, head: bytes) -> bool:
    return len(head) >= _HEADER and head[208:211] == b"MAP" and _order(head) != ""


@reader(
    "mrc",
    label="MRC",
    extensions=(".mrc", ".mrcs", ".rec", ".st", ".ali", ".preali", ".ccp4", ".map"),
    recognises=_is_mrc,
)
def mrc(
    path: Path,
    *,
    volume: int = Field(-1, -1, 10_000_000, help="Which volume, from 0, of a file with several; -1: it has one"),
) -> RawVolume:
    """MRC and CCP4 maps in either byte order, modes 0, 1, 2, 6 and 12; the cell size gives the voxel size."""
    head = _read(path)
    kind = np.dtype(head.order + _MODES[head.mode])
    if head.mode == 0 and not head.signed:
        kind = np.dtype("u1")
    columns, rows, sections = head.counts
    start, depth = _HEADER + head.extended, sections
    needed, have = start + columns * rows * sections * kind.itemsize, path.stat().st_size
    if needed > have:
        raise FileError(
            f"{path} is incomplete: its header promises {columns} × {rows} × {sections} voxels ({needed} bytes), "
            f"{have} bytes are there.",
            "Copy or export it again.",
        )
    found: tuple[str, ...] = ()
    if needed < have:
        found = (f"{have - needed} bytes behind the last voxel were not read.",)
    if 401 <= head.space_group <= 630 and 0 < head.grid[2] < sections and sections % head.grid[2] == 0:
        depth = head.grid[2]
        start += _chosen(path, volume, sections // depth) * columns * rows * depth * kind.itemsize
    voxels = mapped(path, kind, shape=(depth, rows, columns), offset=start)
    # The file's axes are sections, rows, columns; the volume's are z, y, x.
    axes = [{3: 0, 2: 1, 1: 2}[a] for a in reversed(head.axes)]
    voxels = voxels.transpose([axes.index(i) for i in range(3)])
    size, more = _voxel_size(head, depth)
    return RawVolume(voxels=voxels, voxel_size=size, unit="angstrom", source=str(path), findings=(*found, *more))


def _chosen(path: Path, volume: int, count: int) -> int:
    if count > 1 and volume < 0:
        choices = tuple(Choice(options={"volume": i}, label=f"volume {i}") for i in range(min(count, 500)))
        raise QuestionError(
            f"{path} holds {count} volumes.",
            f"Choose one: volume = 0 to {count - 1}.",
            Question(text=f"Which of {count} volumes?", choices=choices),
        )
    if volume >= count:
        raise InputError(f"{path} holds {count} volumes; there is no number {volume}.", f"Give 0 to {count - 1}.")
    return max(0, volume)


def _order(head: bytes) -> str:
    """The byte order by the machine stamp, or by which of the two makes sense of mode and sizes; "" where neither does."""
    stamp = {b"\x44": "<", b"\x11": ">"}.get(head[212:213], "")
    for order in (stamp, "<", ">") if stamp else ("<", ">"):
        *counts, mode = struct.unpack_from(order + "4i", head)
        if (mode in _MODES or mode in _REFUSED) and all(0 < n < _LONGEST for n in counts):
            return order
    return ""


def _read(path: Path) -> _Header:
    with open(path, "rb") as file:
        head = file.read(_HEADER)
    if not head:
        raise FileError(f"{path} is empty (0 bytes).", "Copy or export it again.")
    order = _order(head) if len(head) == _HEADER else ""
    if not order:
        raise FileError(f"{path} is no MRC file: its header makes no sense.", "Copy or export it again.")
    columns, rows, sections, mode = struct.unpack_from(order + "4i", head)
    if mode in _REFUSED:
        raise InputError(f"{path} holds {_REFUSED[mode]}, which are no grey values.", "Save it as float or whole numbers.")
    *grid, a, b, c = struct.unpack_from(order + "3i3f", head, 28)
    axes = struct.unpack_from(order + "3i", head, 64)
    low, high, _, group, extended = struct.unpack_from(order + "3f2i", head, 76)
    stamp, flags = struct.unpack_from(order + "2i", head, 152)
    if sorted(axes) != [1, 2, 3]:
        axes = (1, 2, 3)
    if extended < 0:
        raise FileError(f"{path} is damaged: its extended header has {extended} bytes.", "Copy or export it again.")
    signed = bool(flags & 1) if stamp == _IMOD else not (low >= 0 and high > 127)
    return _Header(
        order=order,
        counts=(columns, rows, sections),
        mode=mode,
        grid=(grid[0], grid[1], grid[2]),
        cell=(a, b, c),
        axes=(axes[0], axes[1], axes[2]),
        space_group=group,
        extended=extended,
        signed=signed,
    )


def _voxel_size(head: _Header, depth: int) -> tuple[tuple[float, float, float] | None, tuple[str, ...]]:
    """The cell over its grid in Å (z, y, x); a stack of separate images has no slice distance."""
    if not all(n > 0 for n in head.grid) or not all(np.isfinite(c) and c > 0 for c in head.cell):
        return None, ()
    x, y, z = (c / n for c, n in zip(head.cell, head.grid, strict=True))
    if x == y == z == 1.0:
        words = "The header gives a voxel of exactly 1 Å, as programs write that do not know it; it was ignored."
        return None, (words,)
    if head.space_group == 0 and head.grid[2] == 1 and depth > 1:
        return None, (f"The header calls this a stack of images with a pixel of {y:g} × {x:g} Å, without a slice distance.",)
    return (z, y, x), ()
