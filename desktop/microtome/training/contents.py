"""What a file of weights holds, as a key: the same for every copy of it, another when it is overwritten."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from microtome.errors import FileError


def contents_key(file: str) -> str:
    """A hash of a file's bytes; "" for no file. FileError where it cannot be read.

    It is read once for each time that it was written, so that a search of a thousand trials does not read it a thousand times.
    """
    if not file:
        return ""
    try:
        about = Path(file).stat()
        return _key(file, about.st_size, about.st_mtime_ns)
    except OSError as error:
        raise FileError(f"The weights {file} cannot be read: {error.strerror}.", "Choose another file of weights.") from error


@lru_cache(maxsize=8)
def _key(file: str, size: int, written: int) -> str:
    with Path(file).open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:24]
