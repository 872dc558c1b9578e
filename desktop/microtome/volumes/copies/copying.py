"""Import of a source that is slow to read: a copy in bricks with coarser levels, resumable at any moment."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.plugin import Report
from microtome.store.atomic import explain, write_json
from microtome.store.run import RunFolder, RunLock
from microtome.volumes.bricks import EDGE, JOURNAL, VERSION, Bricks, Shape, blocks_of, open_copy, read_journal, source_identity
from microtome.volumes.copies.pyramid import Level, first_byte, is_labels, levels_of, make_layers
from microtome.volumes.memory import fits_whole, map_of, working_bytes
from microtome.volumes.read import COMMON, open_volume, reading
from microtome.volumes.volume import Volume

__all__ = ["CopyProgress", "copy_bytes", "copy_volume", "needs_copy", "open_copy", "run_copy"]
_NETWORK = ("nfs", "nfs4", "cifs", "smb", "smbfs", "smb3", "afs", "9p", "fuse.sshfs", "davfs", "webdav", "afpfs")
_SPARE = 2**26  # bytes that stay free on the disk


def needs_copy(volume: Volume) -> str:
    """Why random slices of a volume are slow to read and a copy is worth its room, in words; "" where they are not."""
    if isinstance(volume.voxels, Bricks) or fits_whole(volume.memory_bytes):
        return ""
    if isinstance(volume.voxels, np.ndarray):
        return "It lies on a network drive." if map_of(volume.voxels) is not None and _on_network(volume.source) else ""
    if getattr(volume.voxels, "chunks", None) is not None:
        return "Its voxels lie in compressed blocks, which every slice has to unpack again."
    return "Its slices lie compressed or scattered in the file: an oblique slice has to read every one that it crosses."


def _on_network(source: str) -> bool:
    """Whether a path lies on a drive of another computer."""
    path = Path(source).absolute()
    if str(path).startswith("\\\\"):
        return True
    found = ""
    best = -1
    for part in psutil.disk_partitions(all=True):
        if path.is_relative_to(part.mountpoint) and len(part.mountpoint) > best:
            found, best = part.fstype.lower(), len(part.mountpoint)
    return found in _NETWORK


def copy_bytes(volume: Volume) -> int:
    """The bytes on disk that a copy of a volume takes."""
    return sum(_level_bytes(level, volume.dtype) for level in levels_of(volume.shape, volume.voxel_size))


def _level_bytes(level: Level, dtype: np.dtype[Any]) -> int:
    return int(np.prod(blocks_of(level.shape), dtype=np.int64)) * EDGE**3 * dtype.itemsize


def copy_volume(volume: Volume, folder: str | Path, report: Report, *, source: str | Path = "", reading: str = "") -> bool:
    """Copy a volume into `folder` in bricks with its coarser levels; True when it is whole, False where `report` stopped it.

    What was done is kept when the work is stopped, killed or fails, and the next call goes on from there; a copy of another
    source, or of an earlier state of this one, is replaced. The memory taken is that of a few slices. `source` is the file
    or folder that the volume was read from (its own where not given), `reading` how (`bricks.reading_of`). Raises FileError
    where the disk is too small, the source cannot be read or changes meanwhile, InputError where another process is copying.
    """
    folder, path = Path(folder), Path(source or volume.source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = RunLock(RunFolder(folder))
        holder = lock.holder()
        if holder is not None and holder != os.getpid():
            raise InputError(f"{path} is already being copied to {folder}.", "Wait for it, or stop it there.")
        lock.take()
        try:
            return _Copy(volume=volume, folder=folder, source=path, reading=reading).run(report)
        finally:
            lock.release()
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise explain(error, folder, "write the copy") from error


@dataclass(kw_only=True)
class _Copy:
    """One import: what is copied, and how far it is."""

    volume: Volume
    folder: Path
    source: Path
    reading: str

    def __post_init__(self) -> None:
        self.identity = source_identity(self.source)
        self.levels = levels_of(self.volume.shape, self.volume.voxel_size)
        self.dtype = np.dtype("u1") if self.volume.dtype.kind == "b" else self.volume.dtype

    def run(self, report: Report) -> bool:
        """Copy from where an earlier call stopped."""
        planes = self.volume.shape[0]
        kept = read_journal(self.folder)
        if kept is None or not self._continues(kept):
            kept = self._begin()
        done, labels = int(kept["done"]), bool(kept["labels"])
        self._check_disk(done)
        thick = self._thickness()
        with open(self.folder / self.levels[0].file, "r+b") as file, ThreadPoolExecutor(1) as ahead:
            start = first_byte(file)
            coming = ahead.submit(self._read, done, thick) if done < planes else None
            while coming is not None:
                if report(done / planes):
                    return False
                slab, end = coming.result(), min(done + thick, planes)
                # The next slices are unpacked while these are written.
                coming = ahead.submit(self._read, end, thick) if end < planes else None
                _write(file, start, self.volume.shape, done, slab)
                file.flush()
                os.fsync(file.fileno())
                make_layers(self.folder, self.levels, done, end, labels=labels)
                if end == planes and source_identity(self.source) != self.identity:
                    raise FileError(f"{self.source} was changed while it was copied.", "Copy it again.")
                done = end
                self._note(done, labels)
        report(1.0)
        return True

    def _read(self, first: int, thick: int) -> NDArray[Any]:
        return self.volume[first : first + thick].astype(self.dtype, copy=False)

    def _continues(self, kept: Mapping[str, Any]) -> bool:
        """Whether what lies in the folder is the beginning of this very copy."""
        if not isinstance(kept.get("done"), int) or not isinstance(kept.get("labels"), bool):
            return False
        if {k: v for k, v in kept.items() if k not in ("done", "labels", "format")} != self._what():
            return False
        files = [self.folder / level.file for level in self.levels]
        sizes = [_level_bytes(level, self.dtype) for level in self.levels]
        return all(f.is_file() and f.stat().st_size > size for f, size in zip(files, sizes, strict=True))

    def _what(self) -> dict[str, Any]:
        levels = [{"file": v.file, "shape": list(v.shape), "factor": list(v.factor)} for v in self.levels]
        size = self.volume.voxel_size
        return {
            "source": self.identity,
            "reading": self.reading,
            "dtype": self.dtype.str,
            "voxel_size": None if size is None else list(size),
            "unit": self.volume.unit,
            "planes": self.volume.shape[0],
            "levels": levels,
        }

    def _note(self, done: int, labels: bool) -> dict[str, Any]:
        data = {**self._what(), "labels": labels, "done": done}
        write_json(self.folder / JOURNAL, data, VERSION)
        return data

    def _begin(self) -> dict[str, Any]:
        """Take an older copy away, and lay out the files, which take no room before they are written."""
        (self.folder / JOURNAL).unlink(missing_ok=True)
        for old in self.folder.glob("level-*.npy"):
            old.unlink()
        self._check_disk(0)
        for level in self.levels:
            with open(self.folder / level.file, "wb") as file:
                shape = (*blocks_of(level.shape), EDGE, EDGE, EDGE)
                header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                file.truncate(file.tell() + _level_bytes(level, self.dtype))
        return self._note(0, is_labels(self.volume))

    def _check_disk(self, done: int) -> None:
        needed = sum(_level_bytes(level, self.dtype) for level in self.levels) * (1 - done / self.volume.shape[0])
        free = shutil.disk_usage(self.folder).free
        if needed + _SPARE > free:
            raise FileError(
                f"A copy of {self.source} needs {needed / 2**30:.1f} GiB in {self.folder}; {free / 2**30:.1f} GiB are free.",
                "Free some space, or copy to another disk.",
            )

    def _thickness(self) -> int:
        """The planes of one step: a part of a brick's edge, so that what a step writes is never written again."""
        plane = self.volume.shape[1] * self.volume.shape[2] * self.volume.dtype.itemsize
        thick = EDGE
        while thick > 1 and 2 * thick * plane > working_bytes():
            thick //= 2
        return thick


def _write(file: IO[bytes], start: int, shape: Shape, first: int, slab: NDArray[Any]) -> None:
    """Write planes from `first` on into their bricks; what lies beyond the volume repeats its last voxel."""
    _, by, bx = blocks_of(shape)
    layer, inside = divmod(first, EDGE)
    thick = len(slab)
    if first + thick == shape[0]:
        thick = min(EDGE, EDGE - inside)
    plane = EDGE * EDGE * slab.itemsize
    for ky in range(by):
        band = slab[:, ky * EDGE : (ky + 1) * EDGE]
        missing = ((0, thick - len(slab)), (0, EDGE - band.shape[1]), (0, bx * EDGE - band.shape[2]))
        if any(after for _, after in missing):
            band = np.pad(band, missing, mode="edge")
        bricks = np.ascontiguousarray(band.reshape(thick, EDGE, bx, EDGE).transpose(2, 0, 1, 3))
        at = start + ((layer * by + ky) * bx) * EDGE * plane
        if thick == EDGE:
            file.seek(at)
            file.write(bricks.data)
            continue
        for kx in range(bx):
            file.seek(at + kx * EDGE * plane + inside * plane)
            file.write(bricks[kx].data)


@dataclass(frozen=True, kw_only=True)
class CopyProgress:
    """How far an import is: bytes of voxels, seconds since it began, seconds that it will still take (None: not known yet)."""

    done: int
    total: int
    seconds: float
    eta: float | None

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {"done": self.done, "total": self.total, "seconds": self.seconds, "eta": self.eta}


def run_copy(
    path: str | Path,
    options: Mapping[str, Any],
    folder: str | Path,
    say: Callable[[CopyProgress], bool | None],
) -> bool:
    """Open a source with the options of `open_volume` and copy it into `folder`; `say` hears how far it is, True stops it.

    Corrections and an earlier copy among the options are left out: a copy holds what the source holds. Returns whether the
    copy is whole; raises what `open_volume` and `copy_volume` raise.
    """
    plain = {k: v for k, v in options.items() if k not in ("transforms", "copy")}
    volume = open_volume(path, **plain)
    total, began = volume.memory_bytes, time.monotonic()
    first: list[float] = []

    def report(share: float) -> bool:
        first.append(share)
        seconds, gained = time.monotonic() - began, share - first[0]
        eta = seconds / gained * (1 - share) if gained > 0 else (0.0 if share >= 1 else None)
        return bool(say(CopyProgress(done=int(share * total), total=total, seconds=seconds, eta=eta)))

    chosen = {k: v for k, v in plain.items() if k == "reader" or k not in COMMON}
    return copy_volume(volume, folder, report, source=path, reading=reading(path, **chosen))
