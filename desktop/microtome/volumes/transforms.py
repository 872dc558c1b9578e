"""The corrections that are kept with a volume: a chain of steps, applied when voxels are read; the source is never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from microtome.errors import InputError, PluginError
from microtome.fields import fill
from microtome.plugin import Plugin, RawVolume, Report
from microtome.registry import registry
from microtome.volumes.bricks import source_identity
from microtome.volumes.volume import Volume

_MEASURED_ON = "measured_on"  # in what is known of a step: the data that it was measured on
Step = Mapping[str, Any]
"""`{"name": "align", …settings, "known": {…}}`: a transform, its settings, and what was measured for it."""


def transformed(volume: Volume, steps: Sequence[Step]) -> Volume:
    """The volume as it looks after the steps, in their order; its particles are no longer known then.

    A step whose transform measures something is measured now where its `known` is missing. Raises UnknownNameError or
    InputError for a step that makes no sense.
    """
    names: list[str] = []
    for step in checked(steps):
        plugin = registry().get("transform", step["name"])
        if plugin.extra["once"] and plugin.name in names:
            raise InputError(f"The correction “{plugin.label}” is already applied.", "Remove one of the two.")
        names.append(plugin.name)
        raw = raw_of(volume)
        known = step.get("known")
        if known is None:
            known = _measure(plugin, raw, _settings(step), _go_on)
        found = plugin.call(raw, known, **_settings(step))
        if not isinstance(found, RawVolume):
            raise PluginError(f"The transform {plugin.name} gave no volume but {type(found).__name__}.", "Mend the plugin.")
        found = replace(found, findings=(*found.findings, *_elsewhere(plugin, known, raw.source)), structure=None)
        volume = Volume.from_raw(found)
    return volume


def measured(volume: Volume, step: Step, report: Report) -> dict[str, Any]:
    """The step with what its transform measures on the volume (in a background thread: this may read every voxel)."""
    checked([step])
    plugin = registry().get("transform", step["name"])
    return {**step, "known": _measure(plugin, raw_of(volume), _settings(step), report)}


def before_after(volume: Volume, step: Step, z: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Slice z of a volume as it is, and the slice of it after the step that shows the same place, each in the volume's dtype.

    Measures what the step needs where its `known` is missing: a `measured` step is quick. Raises what `transformed` raises.
    """
    if not 0 <= z < volume.shape[0]:
        raise InputError(f"There is no slice {z}.", f"The volume has the slices 0 to {volume.shape[0] - 1}.")
    if step.get("known") is None:
        step = measured(volume, step, _go_on)
    after = transformed(volume, [step])
    plugin = registry().get("transform", step["name"])
    place = plugin.extra["place"]
    there = z if place is None else place(z, step["known"], **_filled(plugin, step))
    return volume[z], after[min(max(there, 0), after.shape[0] - 1)]


def describe_steps(steps: Sequence[Step]) -> list[str]:
    """What the steps do, a phrase each, for a report: "slices aligned with their neighbours …"."""
    phrases = []
    for step in checked(steps):
        plugin = registry().get("transform", step["name"])
        words = plugin.extra["words"]
        phrases.append(words(step.get("known") or {}, **_filled(plugin, step)) if words else f"{plugin.label} applied")
    return phrases


def checked(steps: Any) -> list[Step]:
    """The steps as a list; InputError where they are no list of tables with a name."""
    if not isinstance(steps, Sequence) or isinstance(steps, str | bytes):
        raise InputError("transforms must be a list of steps.", 'Write transforms = [{ name = "crop", z_from = 10 }].')
    for step in steps:
        if not isinstance(step, Mapping) or not isinstance(step.get("name"), str):
            raise InputError(f"A step of transforms has no name: {step!r}.", 'Write { name = "crop", z_from = 10 }.')
        if not isinstance(step.get("known", {}), Mapping | None):
            raise InputError(f"What is known of the step {step['name']} must be a table, not {step['known']!r}.")
    return list(steps)


def raw_of(volume: Volume) -> RawVolume:
    """A volume as a transform gets it: native numbers, its voxel size in nm or None."""
    return RawVolume(
        voxels=volume,
        voxel_size=volume.voxel_size,
        unit=volume.unit,
        source=volume.source,
        findings=volume.findings,
        metadata=volume.metadata,
    )


def _settings(step: Step) -> dict[str, Any]:
    return {k: v for k, v in step.items() if k not in ("name", "known")}


def _measure(plugin: Plugin, raw: RawVolume, settings: dict[str, Any], report: Report) -> dict[str, Any]:
    measure = plugin.extra["measure"]
    if measure is None:
        return {}
    known: dict[str, Any] = measure(raw, report, **fill(plugin.fields, settings, f"transform {plugin.name}"))
    return known | ({_MEASURED_ON: mark} if (mark := _mark(raw.source)) else {})


def _mark(source: str) -> str:
    """What tells data of one name apart, wherever they lie and whenever they were copied; "" for what is no file."""
    path = Path(source)
    if not source or not path.exists():
        return ""
    identity = source_identity(path)
    # A folder's probe knows the times of its files, which a copy does not keep.
    return str(identity["size"] if path.is_dir() else identity["probe"])


def _elsewhere(plugin: Plugin, known: Mapping[str, Any], source: str) -> tuple[str, ...]:
    """A finding where a step was measured on other data than it is applied to."""
    mark = _mark(source) if known.get(_MEASURED_ON) else ""
    if not mark or mark == known[_MEASURED_ON]:
        return ()
    return (f"The data changed after the correction “{plugin.label}” was measured: remove it and measure again.",)


def _filled(plugin: Plugin, step: Step) -> dict[str, Any]:
    return fill(plugin.fields, _settings(step), f"transform {plugin.name}")


def _go_on(_share: float) -> bool:
    return False
