"""What the corrections panel reads in background threads: a slice before and after, what the chain leaves and must measure."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.fields import fill
from microtome.plugin import Report
from microtome.registry import registry
from microtome.store.project import Project, VolumeEntry
from microtome.ui.opened import opened, reading_key
from microtome.ui.views.picture import Contrast, Picture, levels_of
from microtome.volumes.transforms import measured, transformed
from microtome.volumes.volume import Volume

PLANES = ("xy", "xz", "yz")
Steps = Sequence[Mapping[str, Any]]
_MOST = 8
_lock = threading.Lock()
_kept: OrderedDict[str, Volume] = OrderedDict()


@dataclass(frozen=True)
class Comparison:
    """Which slice to compare, before and after which steps; index None: the middle one."""

    project: Project
    entry: VolumeEntry
    before: Steps
    after: Steps
    whole: Steps  # all that can be applied by now
    index: int | None = None
    plane: str = "xy"


@dataclass(frozen=True)
class Compared:
    """The pictures, and what the whole chain leaves of the volume."""

    before: Picture
    after: Picture
    index: int
    count: int  # slices before
    source: Volume
    result: Volume


def bare(entry: VolumeEntry) -> VolumeEntry:
    """The entry as its source is, without corrections."""
    return replace(entry, options={k: v for k, v in entry.options.items() if k != "transforms"})


def corrected(project: Project, entry: VolumeEntry, steps: Steps) -> Volume:
    """The volume after the steps (in a background thread); a step at a time is kept, so that what they cache is too."""
    volume, name = opened(project, bare(entry)), reading_key(project, bare(entry))
    for i, step in enumerate(steps):
        key = json.dumps([name, list(steps[: i + 1])], sort_keys=True, default=str)
        with _lock:
            found = _kept.get(key)
        if found is None:
            _once(steps[: i + 1])
            found = transformed(volume, [step])
        with _lock:
            _kept[key] = found
            _kept.move_to_end(key)
            while len(_kept) > _MOST:
                _kept.popitem(last=False)
        volume = found
    return volume


def _once(steps: Steps) -> None:
    """Refuse what a chain may hold once only; `transformed` sees one step here."""
    plugin = registry().get("transform", steps[-1]["name"])
    if plugin.extra["once"] and any(step["name"] == plugin.name for step in steps[:-1]):
        raise InputError(f"The correction “{plugin.label}” is already applied.", "Remove one of the two.")


def compare(request: Comparison) -> Compared:
    """Read one slice before and after some steps (in a background thread), in one contrast."""
    project, entry = request.project, request.entry
    source = opened(project, bare(entry))
    first, second = corrected(project, entry, request.before), corrected(project, entry, request.after)
    axis = PLANES.index(request.plane)
    count = first.shape[axis]
    index = count // 2 if request.index is None else max(0, min(count - 1, request.index))
    place = _same_place(request, second, index) if axis == 0 else min(index, second.shape[axis] - 1)
    voxels = _slice(first, axis, index)
    contrast = Contrast(*levels_of(voxels))
    before = _picture(first, axis, voxels, contrast)
    after = _picture(second, axis, _slice(second, axis, place), contrast)
    return Compared(before, after, index, count, source, corrected(project, entry, request.whole))


def _slice(volume: Volume, axis: int, index: int) -> NDArray[Any]:
    key: list[slice | int] = [slice(None)] * 3
    key[axis] = index
    return volume[tuple(key)]


def _picture(volume: Volume, axis: int, voxels: NDArray[Any], contrast: Contrast) -> Picture:
    if volume.voxel_size is None:
        return Picture.of(voxels, contrast)
    height, width = (v for i, v in enumerate(volume.voxel_size) if i != axis)
    return Picture.of(voxels, contrast, pixel=(height, width), unit=volume.unit)


def _same_place(request: Comparison, second: Volume, index: int) -> int:
    """The slice that shows after the steps what slice `index` shows before them."""
    for step in request.after[len(request.before) :]:
        plugin = registry().get("transform", step["name"])
        place = plugin.extra["place"]
        if place is not None:
            settings = {k: v for k, v in step.items() if k not in ("name", "known")}
            filled = fill(plugin.fields, settings, f"transform {plugin.name}")
            index = int(place(index, dict(step.get("known") or {}), **filled))
    return max(0, min(index, second.shape[0] - 1))


def measure_all(project: Project, entry: VolumeEntry, steps: Steps, waiting: Sequence[int], report: Report) -> dict[int, Any]:
    """Measure the steps at the places `waiting`, one on what the earlier ones leave: place → what is known."""
    steps = [dict(step) for step in steps]
    found: dict[int, Any] = {}
    for done, place in enumerate(waiting):

        def share(part: float, done: int = done) -> bool:
            return report((done + part) / len(waiting))

        if report(done / len(waiting)):
            break
        steps[place] = measured(corrected(project, entry, steps[:place]), steps[place], share)
        found[place] = steps[place]["known"]
    return found
