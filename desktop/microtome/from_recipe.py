"""A recipe becomes a project: its classes, volumes and settings, so that a window opens on what a command was told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from microtome.fields import fields_of
from microtome.search.recipe import Recipe, SearchSpec
from microtome.session import SECTIONS, Session
from microtome.slices.plan import ClassSource, SimulatedSource, VolumeSource
from microtome.slices.source import image_files
from microtome.store.project import Project, VolumeEntry
from microtome.volumes.read import describe


def fill_project(project: Project, recipe: Recipe) -> None:
    """Give a project without volumes the recipe's classes and settings; a project that has volumes is left as it is.

    Reads the headers of all files; raises the MicrotomeError of one that cannot be read.
    """
    if project.volumes or project.read_only:
        return
    session = Session(project=project)
    for source in recipe.classes:
        _fill_class(session, project, source)
    settings = project.settings.setdefault("recipe", {})
    sections: dict[str, Any] = {
        "slices": recipe.slices,
        "micrographs": recipe.micrographs,
        "training": recipe.training,
        "transfer": recipe.transfer,
        "importance": recipe.importance,
        "search": recipe.search,
    }
    for name, section in sections.items():
        if section is not None:
            defaults = {key: spec.default for key, spec in fields_of(SECTIONS[name]).items()}
            settings[name] = {k: getattr(section, k) for k, default in defaults.items() if getattr(section, k) != default}
    settings["network"] = {"name": recipe.network.name, **recipe.network.parameters}
    session.set_augmentations(recipe.training.augmentations)
    if isinstance(recipe.search, SearchSpec):
        settings["axes"] = dict(recipe.search.table)
    project.save()


def _fill_class(session: Session, project: Project, source: ClassSource) -> None:
    for volume in source.volumes:
        size = {} if volume.voxel_size is None else {"voxel_size": volume.voxel_size}
        unit = {"unit": volume.unit} if volume.unit else {}
        if session.add_volume(describe(volume.path, **volume.options, **size, **unit), source.name):
            _carry(project, volume)
    for structure in source.simulated:
        parameters = dict(structure.parameters)
        if structure.voxel_size is not None:
            parameters["voxel_size"] = structure.voxel_size
        session.add_simulated(structure.kind, seed=structure.seed, class_name=source.name, parameters=parameters)
        _carry(project, structure)
    for pattern in source.images:
        paths = [Path(pattern)] if Path(pattern).exists() else image_files(pattern)
        for path in paths:
            reference = project.refer(path)
            new = VolumeEntry.new_id()
            entry = VolumeEntry(id=new, name=path.name, path=reference, images=True, class_name=source.name, value=source.value)
            project.put_volume(entry)


def _carry(project: Project, source: VolumeSource | SimulatedSource) -> None:
    """Give the volume that was added last its number."""
    if source.value is not None or source.property:
        project.put_volume(replace(project.volumes[-1], value=source.value, computed=source.property))
