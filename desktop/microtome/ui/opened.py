"""Volumes that pages have opened: kept by what they are, shared by pages, filled in background threads only."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from microtome.store.atomic import explain
from microtome.store.project import Project, VolumeEntry

if TYPE_CHECKING:
    from microtome.slices.source import Member
    from microtome.volumes.volume import Volume

_MOST = 8  # as many as the gallery of numbers shows
_MOST_BYTES = 2 * 2**30
_lock = threading.Lock()
_kept: OrderedDict[str, Volume] = OrderedDict()
_opening: dict[str, threading.Lock] = {}


def identity(project: Project, entry: VolumeEntry) -> str:
    """What decides how an entry's voxels look; its class and name do not."""
    what = [str(project.resolve(entry)), entry.simulate, entry.options, entry.voxel_size, entry.unit]
    return json.dumps(what, sort_keys=True, default=str)


def member(project: Project, entry: VolumeEntry, index: int = 0) -> Member:
    """The entry as the slices' sources know it; of a folder of images, the image `index`, with its colours."""
    # Imported here: this loads the cutting kernels, which the window must not wait for at its start.
    from microtome.slices.plan import SimulatedSource, VolumeSource
    from microtome.slices.source import Member, image_files
    from microtome.volumes.images.colours import is_coloured

    if entry.simulate is not None:
        rest = {k: v for k, v in entry.simulate.items() if k not in ("kind", "seed", "voxel_size")}
        voxel = entry.simulate.get("voxel_size")
        seed = int(entry.simulate.get("seed", 0))
        source = SimulatedSource(
            kind=entry.simulate["kind"],
            seed=seed,
            parameters=rest,
            voxel_size=voxel,
            value=entry.value,
            property=entry.computed,
        )
        return Member(name=entry.name, source=source, value=entry.value)
    unit = entry.unit if entry.voxel_size is not None else ""
    path = str(project.resolve(entry))
    if entry.images:
        file = image_files(path)[index]
        return Member(name=entry.name, source=VolumeSource(path=str(file)), flat=True, colour=is_coloured(file))
    given = VolumeSource(
        path=path, options=project.reader_options(entry), voxel_size=entry.voxel_size, unit=unit, value=entry.value
    )
    return Member(name=entry.name, source=given, value=entry.value)


def reading_key(project: Project, entry: VolumeEntry) -> str:
    """What the voxels that are read depend on: the entry, and the file as it is now.

    Raises FileError where the file or folder is not there.
    """
    if entry.simulate is not None:
        return identity(project, entry)
    path = project.resolve(entry)
    try:
        found = path.stat()
    except OSError as error:
        raise explain(error, path, "read") from error
    return f"{identity(project, entry)} {found.st_size} {found.st_mtime_ns}"


def opened(project: Project, entry: VolumeEntry, index: int = 0) -> Volume:
    """The entry's volume (or image `index`), opened or simulated where it is not kept yet: in a background thread only.

    Two requests for one volume open it once. Raises what opening raises (a MicrotomeError for a bad file).
    """
    # A file that was changed is another volume: it is opened again.
    key = f"{reading_key(project, entry)} {index if entry.images else 0}"
    with _lock:
        mine = _opening.setdefault(key, threading.Lock())
    with mine:
        with _lock:
            found = _kept.get(key)
            if found is not None:
                _kept.move_to_end(key)
                return found
        volume = member(project, entry, index).open()
        with _lock:
            _kept[key] = volume
            while len(_kept) > 1 and (len(_kept) > _MOST or sum(v.memory_bytes for v in _kept.values()) > _MOST_BYTES):
                _kept.popitem(last=False)
        return volume


def count_images(project: Project, entry: VolumeEntry) -> int:
    """How many images an entry of images holds now."""
    from microtome.slices.source import image_files

    return len(image_files(str(project.resolve(entry))))


def forget() -> None:
    """Let go of every volume (another project was opened)."""
    with _lock:
        _kept.clear()
        _opening.clear()
