"""The corrections that are kept with a volume: a chain of steps, applied when voxels are read; the source is never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from microtome.errors import InputError, PluginError
from microtome.fields import fill
from microtome.plugin import Plugin, RawVolume, Report
from microtome.registry import registry
from microtome.volumes.volume import Volume

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
        volume = Volume.from_raw(replace(found, structure=None))
    return volume


def measured(volume: Volume, step: Step, report: Report) -> dict[str, Any]:
    """The step with what its transform measures on the volume (in a background thread: this may read every voxel)."""
    checked([step])
    plugin = registry().get("transform", step["name"])
    return {**step, "known": _measure(plugin, raw_of(volume), _settings(step), report)}


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
    return known


def _go_on(_share: float) -> bool:
    return False
