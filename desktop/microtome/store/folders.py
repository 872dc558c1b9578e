"""Make a folder that appears as a whole or not at all, and names for files that every system allows."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from microtome.errors import FileError, InputError
from microtome.store.atomic import explain

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')  # on Windows; POSIX forbids a part of them
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_LONGEST = 60  # characters: a path of Windows holds 260 in all


def safe_name(name: str) -> str:
    """A file name like `name` that every system allows: no separators, no device names, no dot or blank at its ends."""
    clean = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", name))[:_LONGEST].strip(" .") or "_"
    return f"_{clean}" if _DEVICES.match(clean) else clean


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """`safe_name` of each, made distinct where some would be one file on a system that does not tell A from a."""
    taken: set[str] = set()
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        plain = candidate = safe_name(name)
        number = 2
        while candidate.casefold() in taken:
            candidate, number = f"{plain} {number}", number + 1
        taken.add(candidate.casefold())
        found[name] = candidate
    return found


@contextmanager
def appearing(target: Path, doing: str) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its name at the end, or is removed where anything is raised.

    Raises InputError where `target` is there and not empty, FileError (“Could not {doing} …”) where the disk refuses. What
    killed processes left of the same target is removed. A process may die at any time; a power cut may leave files empty.
    """
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise InputError(f"{target} is there already.", "Give another name, or remove it first: nothing is overwritten.")
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        part = target.with_name(f"{target.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.part")
        part.mkdir()
    except OSError as error:
        raise explain(error, target, doing) from error
    try:
        yield part
        if target.is_dir():
            target.rmdir()  # Windows replaces no folder, not even an empty one
        os.replace(part, target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, FileError):
            raise
        raise explain(error, target, doing) from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _sweep(target: Path) -> None:
    """Remove the temporary folders of processes that are no more."""
    ours = re.compile(re.escape(target.name) + r"\.(\d+)\.[0-9a-f]{8}\.part")
    for entry in target.parent.iterdir():
        match = ours.fullmatch(entry.name)
        if match and not psutil.pid_exists(int(match[1])):
            shutil.rmtree(entry, ignore_errors=True)
