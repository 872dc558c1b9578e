"""A lock between processes for the length of a block: the system lets it go when its holder dies."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from microtome.store.atomic import explain

if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)

    def try_lock(file: IO[bytes], *, at: int = 0) -> bool:
        """Lock an open file, at this byte where the system locks bytes; False where another holds the lock."""
        file.seek(at)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def release(file: IO[bytes], *, at: int = 0) -> None:
        """Let the lock of an open file go."""
        file.seek(at)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)

    def try_lock(file: IO[bytes], *, at: int = 0) -> bool:
        """Lock an open file, at this byte where the system locks bytes; False where another holds the lock."""
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(file: IO[bytes], *, at: int = 0) -> None:
        """Let the lock of an open file go."""
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` (made where there is none) within the block; waits for another holder.

    Raises FileError where the file cannot be made or locked.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+b")  # noqa: SIM115 - closed below, after the lock is let go
    except OSError as error:
        raise explain(error, path, "lock") from error
    with file:
        try:
            file.seek(0)
            _take(file)
        except OSError as error:
            raise explain(error, path, "lock") from error
        try:
            yield
        finally:
            release(file)
