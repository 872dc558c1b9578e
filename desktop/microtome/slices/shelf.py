"""The image sets that a folder holds: what each is, how large and how old, and how one is deleted."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microtome.errors import FileError, MicrotomeError
from microtome.fields import fields_of
from microtome.slices.plan import SlicePlan
from microtome.store.atomic import explain, read_json


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One image set of a folder, as its plan.json tells; `problem` instead where it cannot be read."""

    hash: str
    path: Path
    made: float  # seconds since 1970
    size: int  # bytes
    plan: SlicePlan | None = None
    classes: tuple[str, ...] = ()
    images: int = 0
    values: tuple[float, ...] = ()  # the numbers that its volumes carry, where they count
    warnings: tuple[str, ...] = ()
    problem: str = ""


def kept_sets(folder: Path) -> list[Kept]:
    """The image sets in a folder, the newest first; reads no image."""
    if not folder.is_dir():
        return []
    found = [_read(path) for path in folder.iterdir() if (path / "plan.json").is_file()]
    return sorted(found, key=lambda k: (-k.made, k.hash))


def _read(path: Path) -> Kept:
    made, size = 0.0, 0
    try:
        made = (path / "plan.json").stat().st_mtime
        size = sum(f.stat().st_size for f in path.iterdir() if f.is_file())
        data = read_json(path / "plan.json")
        plan = SlicePlan(**{k: v for k, v in data["plan"].items() if k in fields_of(SlicePlan)})
        images = len(np.load(path / "images.npy", mmap_mode="r", allow_pickle=False))
        carried = [v.get("value") for v in data.get("volumes", ())]
        values = tuple(sorted(float(v) for v in carried if v is not None)) if None not in carried else ()
        classes, warnings = tuple(map(str, data["classes"])), tuple(map(str, data["warnings"]))
    except MicrotomeError as error:
        return Kept(hash=path.name, path=path, made=made, size=size, problem=str(error))
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        return Kept(hash=path.name, path=path, made=made, size=size, problem=f"The image set {path.name} is damaged: {error}.")
    known: dict[str, Any] = {"plan": plan, "classes": classes, "images": images, "values": values, "warnings": warnings}
    return Kept(hash=path.name, path=path, made=made, size=size, **known)


def delete_set(kept: Kept) -> None:
    """Delete an image set; what a killed process leaves of it is removed when the next one is cut.

    Raises FileError where its files are in use or cannot be deleted.
    """
    leaving = kept.path.with_name(f"{kept.path.name}.{os.getpid()}.part")
    try:
        kept.path.rename(leaving)
        shutil.rmtree(leaving)
    except FileNotFoundError:
        return
    except OSError as error:
        found = explain(error, kept.path, "delete the image set")
        raise FileError(found.message, found.hint or "Close whatever uses it, and try again.") from error
