"""Volumes in bricks: a chunked multi-resolution copy of a source that is slow to read, and how it is found again.

A copy is a folder: `level-0.npy`, `level-1.npy`, … of shape (bz, by, bx, 64, 64, 64), uncompressed and memory-mapped, and
`copy.json`, which says what source they are of, the levels' shapes and how much is done.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError, MicrotomeError
from microtome.store.atomic import explain, read_json
from microtome.volumes.lazy import expanded
from microtome.volumes.memory import WINDOW, map_of, mapped_bytes, need_memory, touched

EDGE = 64
"""Voxels an edge of a brick: an oblique slice touches few of them, and each of its planes of 8 bits is one page."""
JOURNAL = "copy.json"
VERSION = 1
Shape = tuple[int, int, int]
_PROBE = 65536  # bytes at the beginning, in the middle and at the end of a file that its identity is taken of
_MOST_FILES = 100_000  # of a folder that is a volume, the files that its identity is taken of


@dataclass(frozen=True, kw_only=True, eq=False)
class Bricks:
    """An array (z, y, x) in bricks; `coarser` are its coarser levels, each with how many voxels (z, y, x) made one."""

    blocks: NDArray[Any]  # (bz, by, bx, 64, 64, 64); what lies beyond the shape is filled up
    shape: Shape
    name: str = "The volume"
    coarser: tuple[tuple[Bricks, Shape], ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the voxels."""
        return self.blocks.dtype

    @property
    def chunks(self) -> Shape:
        """The voxels of a brick."""
        return (EDGE, EDGE, EDGE)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        keys = expanded(key)
        ranges = [_range(k, n) for k, n in zip(keys, self.shape, strict=True)]
        need_memory(int(np.prod([len(r) for r in ranges], dtype=np.int64)) * self.dtype.itemsize, self.name)
        out = np.empty([len(r) for r in ranges], self.dtype)
        file, brick = map_of(self.blocks), EDGE**3 * self.dtype.itemsize
        seen = 0
        for (bz, sz, oz), (by, sy, oy), (bx, sx, ox) in _product([list(_pieces(r)) for r in ranges]):
            out[oz, oy, ox] = self.blocks[bz, by, bx, sz, sy, sx]
            seen += brick if ox.start else brick + WINDOW
            if file is not None and seen > mapped_bytes() // 4:
                touched(file, seen)
                seen = 0
        if file is not None:
            touched(file, seen)
        found: NDArray[Any] = out[tuple(_given(k) for k in keys)]
        return found


def _range(key: Any, length: int) -> range:
    """The indices that an entry of an index chooses, ascending: what descends is turned round in the end."""
    if isinstance(key, slice):
        chosen = range(*key.indices(length))
        return chosen if chosen.step > 0 else chosen[::-1]
    if isinstance(key, int | np.integer):
        if not -length <= key < length:
            raise IndexError(f"index {key} of {length}")
        return range(int(key) % length, int(key) % length + 1)
    raise IndexError(f"a volume is read by whole numbers and slices, not by {type(key).__name__}")


def _given(key: Any) -> Any:
    if isinstance(key, slice):
        return slice(None, None, -1) if key.step is not None and key.step < 0 else slice(None)
    return 0


def _pieces(chosen: range) -> Iterator[tuple[int, slice, slice]]:
    """(brick, slice inside it, slice of the result) of each brick that holds some of the indices."""
    start = 0
    while start < len(chosen):
        brick = chosen[start] // EDGE
        end = min(len(chosen), start + -(-((brick + 1) * EDGE - chosen[start]) // chosen.step))
        inside = slice(chosen[start] - brick * EDGE, chosen[end - 1] - brick * EDGE + 1, chosen.step)
        yield brick, inside, slice(start, end)
        start = end


def _product(axes: list[list[Any]]) -> Iterator[tuple[Any, Any, Any]]:
    return ((a, b, c) for a in axes[0] for b in axes[1] for c in axes[2])


def blocks_of(shape: Shape) -> Shape:
    """The bricks along each axis of a volume."""
    z, y, x = (-(-n // EDGE) for n in shape)
    return (z, y, x)


def reading_of(reader: str, settings: Mapping[str, Any]) -> str:
    """How a source is read, in one line: a copy of one channel must not stand for another."""
    return json.dumps([reader, dict(settings)], sort_keys=True, default=str)


def source_identity(path: Path) -> dict[str, Any]:
    """What tells whether a file or folder is still the one that was copied: size, time of change, a hash of some bytes."""
    try:
        if path.is_dir():
            return _folder_identity(path)
        stat = path.stat()
        return {"size": stat.st_size, "changed": stat.st_mtime_ns, "probe": _probe(path, stat.st_size)}
    except OSError as error:
        raise explain(error, path, "read") from error


def _probe(path: Path, size: int) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        for start in (0, size // 2, max(0, size - _PROBE)):
            file.seek(start)
            digest.update(file.read(_PROBE))
    return digest.hexdigest()


def _folder_identity(path: Path) -> dict[str, Any]:
    digest, size, changed, count = hashlib.blake2b(digest_size=16), 0, 0, 0
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            stat = (Path(folder) / name).stat()
            size, changed, count = size + stat.st_size, max(changed, stat.st_mtime_ns), count + 1
            digest.update(
                repr((os.path.relpath(folder, path), name, stat.st_size, stat.st_mtime_ns)).encode("utf-8", "replace")
            )
        if count > _MOST_FILES:
            break
    return {"size": size, "changed": changed, "probe": digest.hexdigest()}


def read_journal(folder: Path) -> dict[str, Any] | None:
    """What copy.json of a folder says, or None where there is none that can be used."""
    try:
        data = read_json(folder / JOURNAL)
    except MicrotomeError:
        return None
    return data if data.get("format") == VERSION and isinstance(data.get("levels"), list) else None


def open_copy(folder: str | Path, source: str | Path, reading: str = "") -> Bricks | None:
    """The copy in `folder`, memory-mapped, with its coarser levels; None where it is not whole, or not of this source.

    `reading` is how the source is read (`reading_of`).
    """
    folder = Path(folder)
    data = read_journal(folder)
    if data is None or data.get("done") != data.get("planes") or data.get("reading") != reading:
        return None
    try:
        if data.get("source") != source_identity(Path(source)):
            return None
        levels = [_open_level(folder, level, np.dtype(str(data["dtype"])), str(source)) for level in data["levels"]]
    except (FileError, OSError, ValueError, LookupError, TypeError):  # a file of it is gone or cut off: no copy
        return None
    first, *rest = levels
    return Bricks(blocks=first[0].blocks, shape=first[0].shape, name=str(source), coarser=tuple(rest))


def _open_level(folder: Path, level: Mapping[str, Any], dtype: np.dtype[Any], name: str) -> tuple[Bricks, Shape]:
    blocks = np.load(folder / str(level["file"]), mmap_mode="r", allow_pickle=False)
    (z, y, x), (fz, fy, fx) = level["shape"], level["factor"]
    shape, factor = (int(z), int(y), int(x)), (int(fz), int(fy), int(fx))
    if blocks.shape != (*blocks_of(shape), EDGE, EDGE, EDGE) or blocks.dtype != dtype:
        raise ValueError(f"{level['file']} is not of the shape that {JOURNAL} tells")
    return Bricks(blocks=blocks, shape=shape, name=name), factor
