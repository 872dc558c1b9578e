"""Replace a file as a whole or leave the old one: temporary sibling, flush, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from microtome.errors import FileError, NoRoomError

FORMAT = "format"
"""The key of the format version in every JSON file of ours."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What the system says of a disk that takes nothing more."""


def explain(error: OSError, path: Path, doing: str) -> FileError:
    """Turn an OSError into a sentence: what was being done, to which item, and what to do (NoRoomError: a full disk)."""
    hints = {
        errno.ENOSPC: "The disk is full: free some space, then try again. What was saved before is untouched.",
        errno.EDQUOT: "Your disk quota is used up: free some space, then try again.",
        errno.EACCES: "You may not write there: choose another folder, or ask for the permission.",
        errno.EPERM: "You may not write there: choose another folder, or ask for the permission.",
        errno.EROFS: "That place is read-only: choose another folder.",
        errno.ENOENT: "The folder or file does not exist (any more).",
        errno.ENAMETOOLONG: "The path is too long: choose a shorter one.",
    }
    reason = hints.get(error.errno or 0, f"The system says: {error.strerror or error}.")
    kind = NoRoomError if error.errno in NO_ROOM else FileError
    return kind(f"Could not {doing} {path}.", reason)


@contextmanager
def replacing(path: Path, mode: str = "wb", *, durable: bool = True) -> Iterator[IO[Any]]:
    """Open a temporary sibling of `path` for writing; on success it takes the place of `path`, on failure it is removed.

    What is not `durable` is not waited for: the machine's end may lose it, never a process's.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
    except OSError as error:
        raise explain(error, path, "write") from error
    # Opened again by its name: libraries ask a file for its name, and that of a bare descriptor is a number.
    os.close(handle)
    temporary = Path(name)
    try:
        with open(temporary, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, FileError):
            raise
        raise explain(error, path, "write") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep(path: Path) -> None:
    """Remove the temporary siblings of a file that killed processes have left; no other process may be writing it now."""
    with contextlib.suppress(OSError):  # they only take room
        for torn in path.parent.glob(f".{path.name[:40]}.*.part"):
            torn.unlink(missing_ok=True)


def sweep_folder(folder: Path) -> None:
    """The same of all files in a folder."""
    with contextlib.suppress(OSError):
        for torn in folder.glob(".*.part"):
            torn.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` (UTF-8)."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: Path, data: dict[str, Any], version: int = 1) -> None:
    """Replace `path` by `data` with its format version."""
    write_text(path, json.dumps({FORMAT: version, **data}, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; FileError where it is missing or damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise explain(error, path, "read") from error
    except ValueError as error:
        raise FileError(f"{path} is damaged: {error}.", "Restore it from a copy.") from error
    if not isinstance(data, dict):
        raise FileError(f"{path} is damaged: it holds no JSON object.", "Restore it from a copy.")
    return data
