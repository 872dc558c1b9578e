"""Large text files of numbers: lines are counted without keeping them, and blocks of rows become columns."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError
from microtome.store.atomic import explain
from microtome.volumes.lazy import need_memory

PACKED = (".gz", ".bz2", ".xz")
"""Endings of compressed text that is read as if it were not."""
_CHUNK = 2**20  # bytes; a longer line is no line of text
_LONGEST = 2**16  # bytes of a line that is looked at by itself
_WORD = 16  # bytes of a name in a row; what is behind them is cut off
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)


def unpacked(head: bytes) -> str:
    """The first characters of a file from its first bytes, unpacked where they are compressed; "" where they are no text."""
    try:
        if head.startswith(b"\x1f\x8b"):
            head = zlib.decompressobj(31).decompress(head, 2**14)
        elif head.startswith(b"\xfd7zXZ"):
            head = lzma.LZMADecompressor().decompress(head, 2**14)
        elif head.startswith(b"BZh"):
            # bzip2 gives nothing before a block of up to 900 kB is there: the name has to do.
            return ""
    except _DAMAGE:
        return ""
    return "" if b"\0" in head else head.decode("utf-8-sig", errors="replace")


def inner_suffix(path: Path) -> str:
    """The ending that says what a file is: .xyz of both `a.xyz` and `a.xyz.gz`, in lower case."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in PACKED else suffix


def only_named(path: Path, head: bytes, endings: Sequence[str]) -> bool:
    """Whether a file whose first bytes cannot be unpacked (see `unpacked`) is of a kind by its name."""
    return head.startswith(b"BZh") and inner_suffix(path) in endings


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file of text as bytes, unpacked where it is compressed; damage in the packing is a FileError."""
    try:
        with open(path, "rb") as raw:
            mark = raw.read(6)
            raw.seek(0)
            if mark.startswith(b"\x1f\x8b"):
                with gzip.open(raw) as file:
                    yield file  # type: ignore[misc]
            elif mark.startswith(b"BZh"):
                with bz2.open(raw) as file:
                    yield file  # type: ignore[misc]
            elif mark.startswith(b"\xfd7zXZ"):
                with lzma.open(raw) as file:
                    yield file  # type: ignore[misc]
            else:
                yield raw
    except _DAMAGE as error:
        raise FileError(f"{path} is damaged: it cannot be unpacked ({str(error)[:80]}).", "Copy or save it again.") from error
    except OSError as error:
        if isinstance(error, FileError):
            raise
        if error.errno is None:  # bz2 and gzip raise a bare OSError for damage
            raise FileError(f"{path} is damaged: it cannot be unpacked ({error}).", "Copy or save it again.") from error
        raise explain(error, path, "read") from error


class Lines:
    """The lines of an open file, one by one or skipped by the million; knows where it stands."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self._buffer, self._at, self._before = b"", 0, 0
        self.number = 0
        """Lines that were read or skipped so far."""
        self.unfinished = False
        """Whether the last line that was skipped has no end, as in a file that is cut off."""

    @property
    def offset(self) -> int:
        """Where the next line begins, in (unpacked) bytes."""
        return self._before + self._at

    def line(self) -> str | None:
        """The next line without its end, or None behind the last; FileError for one that is too long to be one."""
        end = self._buffer.find(b"\n", self._at)
        if end < 0:
            self._more()
            end = self._buffer.find(b"\n", self._at)
        if end < 0:
            end = len(self._buffer)
            if end == self._at:
                return None
        if end - self._at > _LONGEST:
            raise self._too_long()
        text = self._buffer[self._at : end].decode("utf-8-sig" if self.number == 0 else "utf-8", errors="replace")
        self._at = min(end + 1, len(self._buffer))
        self.number += 1
        return text.rstrip("\r")

    def skip(self, count: int) -> int:
        """Pass over up to `count` lines; how many there were."""
        left = count
        while left > 0:
            there = self._buffer.count(b"\n", self._at)
            if there >= left:
                part = np.frombuffer(self._buffer, np.uint8)[self._at :]
                self._at += int(np.flatnonzero(part == 10)[left - 1]) + 1
                left = 0
                break
            left -= there
            rest = self._buffer.rfind(b"\n", self._at) + 1
            self._at = max(self._at, rest)
            if not self._more():
                if self._at < len(self._buffer):
                    self.unfinished = True
                    self._at = len(self._buffer)
                    left -= 1
                break
        self.number += count - left
        return count - left

    def _more(self) -> bool:
        """Read on; what was not used yet stays. False at the end of the file."""
        rest = self._buffer[self._at :]
        if len(rest) > _CHUNK:
            raise self._too_long()
        chunk = self._file.read(_CHUNK)
        if not chunk:
            return False
        self._before += self._at
        self._buffer, self._at = rest + chunk, 0
        return True

    def _too_long(self) -> FileError:
        return FileError(f"Line {self.number + 1} of {self._path} is too long to be one of a file of particles.")


def rows(
    path: Path,
    offset: int,
    count: int,
    wanted: Mapping[str, tuple[int, type]],
    *,
    line: int,
    delimiter: str | None = None,
    loose: bool = False,
) -> dict[str, NDArray[Any]]:
    """`count` rows from `offset` on as columns: `wanted` names each with its place in a row (from 0) and float or bytes.

    `line` is the number of the line before, for what is said of a bad one. `loose`: rows may be blank, comments behind #, and
    words in quotation marks. Raises FileError naming the line.
    """
    kind = np.dtype([(name, "f8" if of is float else f"S{_WORD}") for name, (_, of) in wanted.items()])
    need_memory(2 * count * kind.itemsize, str(path))
    with opened(path) as file:
        file.seek(offset)
        # Every byte is a character of Latin-1, so names come back as the bytes that they are in the file.
        text = io.TextIOWrapper(file, encoding="latin-1")
        try:
            table = np.loadtxt(
                itertools.islice(text, count),
                dtype=kind,
                comments="#" if loose else None,
                quotechar='"' if loose else None,
                delimiter=delimiter,
                usecols=[at for at, _ in wanted.values()],
                ndmin=1,
            )
        except ValueError as error:
            raise _bad_row(error, path, line) from error
        finally:
            text.detach()
    if len(table) != count and not loose:
        raise FileError(f"{path} holds {len(table)} rows of particles where {count} should be.", "Copy or save it again.")
    return {name: np.ascontiguousarray(table[name]) for name in wanted}


def _bad_row(error: ValueError, path: Path, line: int) -> FileError:
    """numpy's words about a row, with the number of its line in the file."""
    text = str(error)
    at = re.search(r"row (\d+)", text)
    # numpy counts from 0 where a number cannot be read, and from 1 where columns are missing.
    unread = "could not convert" in text
    where = f" near line {line + int(at[1]) + unread}" if at else ""
    word = re.search(r"string (.*?) to", text)
    what = f"{word[1]:.60} is no number" if unread and word else "a row has too few columns"
    return FileError(f"{path} cannot be read{where}: {what}.", "Copy or save the file again.")
