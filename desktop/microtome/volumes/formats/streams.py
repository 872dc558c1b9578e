"""Voxels that a file keeps as one compressed stream: unpacked into memory once, never more of them than were promised."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError
from microtome.store.atomic import explain
from microtome.volumes.lazy import need_memory

Codec = Literal["gzip", "zlib", "bzip2"]
_PIECE = 2**20
_TIGHTEST = 1032  # Deflate's best: bytes out of one


def check_promise(path: Path, promised: int, packed: int, codec: Codec) -> None:
    """Raise FileError where so few packed bytes can never hold what is promised (Deflate's best is 1032 to 1)."""
    if codec != "bzip2" and promised > max(64, packed) * _TIGHTEST:
        raise FileError(
            f"{path} is incomplete: {promised} bytes of voxels are promised, {packed} packed bytes are there.",
            "Copy or export it again.",
        )


def unpacked(
    path: Path, offset: int, codec: Codec, shape: tuple[int, ...], dtype: np.dtype[Any], skip: int = 0
) -> NDArray[Any]:
    """The array that lies compressed in a file from `offset` on, behind `skip` unpacked bytes.

    Raises FileError where the stream is damaged or ends too early; what comes behind the last voxel is left packed.
    """
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    need_memory(size, str(path))
    try:
        # Memory that is not yet written to is not yet taken: a promise costs nothing until it is kept.
        out = np.empty(size, np.uint8)
    except (MemoryError, ValueError) as error:
        raise FileError(f"{path} promises {size} bytes of voxels; there is no memory for them.") from error
    at = -skip
    pieces = _pieces(path, offset, codec)
    for piece in pieces:
        if at < 0:
            drop = min(-at, len(piece))
            piece, at = piece[drop:], at + drop
        take = min(len(piece), size - at) if at >= 0 else 0
        if take:
            out[at : at + take] = np.frombuffer(piece, np.uint8, take)
            at += take
        if at == size:
            next(pieces, None)  # the checksum may stand behind the last voxel
            return out.view(dtype).reshape(shape)
    raise FileError(f"{path} is incomplete: {size} bytes of voxels are promised, {max(0, at)} are there.", "Copy it again.")


def _pieces(path: Path, offset: int, codec: Codec) -> Iterator[bytes]:
    """The unpacked bytes in pieces of a megabyte at most; gzip members and bzip2 streams may follow each other."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            packed = file.read(_PIECE)
            while packed:
                unpacker: Any = bz2.BZ2Decompressor() if codec == "bzip2" else zlib.decompressobj(31 if codec == "gzip" else 15)
                while not unpacker.eof:
                    piece = unpacker.decompress(packed, _PIECE)
                    if codec == "bzip2":
                        packed = b"" if not unpacker.eof else unpacker.unused_data
                        hungry = unpacker.needs_input
                    else:
                        packed = unpacker.unconsumed_tail if not unpacker.eof else unpacker.unused_data
                        hungry = not packed
                    if piece:
                        yield piece
                    if not unpacker.eof and hungry and not piece:
                        packed = file.read(_PIECE)
                        if not packed:
                            return
                packed = packed or file.read(_PIECE)
    except (zlib.error, ValueError, EOFError) as error:
        raise FileError(f"{path} is damaged: it cannot be unpacked ({error}).", "Copy or export it again.") from error
    except OSError as error:
        if isinstance(error, FileError):
            raise
        if error.errno is None:  # bzip2's own error for damaged data
            raise FileError(f"{path} is damaged: it cannot be unpacked ({error}).", "Copy or export it again.") from error
        raise explain(error, path, "read") from error
