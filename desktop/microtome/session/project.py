"""The open project: its volumes, their classes and corrections, and what a window remembers in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from microtome import settings
from microtome.errors import InputError
from microtome.registry import registry
from microtome.session.change import Change
from microtome.store.project import Project, VolumeEntry
from microtome.volumes.particles.structure import PROPERTIES
from microtome.volumes.read import Description
from microtome.volumes.transforms import Step, checked
from microtome.volumes.units import nanometres
from microtome.volumes.volume import Volume


@dataclass
class OpenProject:
    """The project that is open, if any, its volumes and classes, and what a window remembers in it."""

    project: Project | None = None

    def new_project(self, path: Path) -> Change:
        """Make (or open) the project at `path`."""
        self.project = Project.create(path)
        settings.add_recent(self.project.path)
        return Change.ALL

    def open_project(self, path: Path) -> Change:
        """Open an existing project."""
        self.project = Project.open(path)
        settings.add_recent(self.project.path)
        return Change.ALL

    def need_project(self) -> Project:
        """The open project, or an InputError saying that there is none."""
        if self.project is None:
            raise InputError("No project is open.", "Open one, or make a new one, from the start page.")
        return self.project

    def remembered(self, key: str, default: Any = None) -> Any:
        """A piece of the window's state (open pages, splitter sizes)."""
        return self.need_project().settings.get("window", {}).get(key, default)

    def remember(self, key: str, value: Any) -> None:
        """Keep a piece of the window's state with the project; a read-only project forgets it."""
        project = self.need_project()
        project.settings.setdefault("window", {})[key] = value
        if not project.read_only:
            project.save()

    # --- volumes and classes

    def add_volume(self, description: Description, class_name: str = "", *, name: str = "") -> Change:
        """Refer to a file or folder that was described in the background; adding it twice changes nothing.

        `name` is what it is called where the file's name would not do (one data set of several).
        """
        project = self.need_project()
        reference = project.refer(Path(description.path))
        read, images = _reading(description.options), description.kind in ("image", "images folder")
        if any(v.path == reference and _reading(v.options) == read for v in project.volumes):
            return Change.NOTHING
        project.put_volume(
            VolumeEntry(
                id=VolumeEntry.new_id(),
                name=name or description.name,
                path=reference,
                options=description.options,
                shape=description.shape,
                dtype=description.dtype,
                size=description.file_bytes,
                voxel_size=description.voxel_size,
                unit=description.unit,
                pixel_size=description.pixel_size if description.voxel_size is None else None,
                claims=description.claims,
                class_name=class_name,
                findings=description.findings_of_images if images else description.findings,
                images=images,
            )
        )
        return Change.VOLUMES

    def add_simulated(self, kind: str, *, seed: int, class_name: str, parameters: dict[str, Any] | None = None) -> Change:
        """Add a structure to simulate as a volume."""
        plugin = registry().get("generator", kind)
        project = self.need_project()
        project.put_volume(
            VolumeEntry(
                id=VolumeEntry.new_id(),
                name=f"{plugin.label} · seed {seed}",
                simulate={"kind": kind, "seed": seed, **(parameters or {})},
                class_name=class_name,
            )
        )
        return Change.VOLUMES

    def volume(self, entry_id: str) -> VolumeEntry:
        """The entry of an id."""
        for entry in self.need_project().volumes:
            if entry.id == entry_id:
                return entry
        raise InputError("That volume is no longer in the project.")

    def change_volume(self, entry_id: str, **values: Any) -> Change:
        """Change a volume's name, class_name, voxel_size, unit or path (relink); what its corrections leave is then unknown."""
        entry = self.volume(entry_id)
        stale = values.keys() & {"path", "options", "voxel_size", "unit"}
        reset = {"corrected_shape": None, "corrected_voxel_size": None} if stale else {}
        self.need_project().put_volume(replace(entry, **{**reset, **values}))
        return Change.VOLUMES

    def set_volume_value(self, entry_id: str, words: str) -> Change:
        """Keep the number that a volume carries, as it was typed; none where nothing was.

        Of a simulated structure it may be the name of a property, which is then computed. InputError for what is neither.
        """
        entry = self.volume(entry_id)
        if entry.simulate is not None and words.strip().lower() in PROPERTIES:
            return self.change_volume(entry_id, value=None, computed=words.strip().lower())
        try:
            value = float(words.strip().replace(",", ".").replace("−", "-")) if words.strip() else None
        except ValueError:
            value = math.nan
        if value is not None and not math.isfinite(value):
            known = f"; or what is computed of it: {', '.join(PROPERTIES)}" if entry.simulate is not None else ""
            raise InputError(f"“{words}” is no number.", f"Enter the value of {entry.name} as 3.4, or nothing{known}.")
        if value == entry.value and not entry.computed:
            return Change.NOTHING
        return self.change_volume(entry_id, value=value, computed="")

    def set_transforms(
        self, entry_id: str, steps: Sequence[Step], *, aside: Sequence[Step] = (), result: Description | Volume | None = None
    ) -> Change:
        """Keep these corrections with a volume, in this order, measured values included; none: the volume as it was read.

        `aside` are those that are switched off, each with its place "at" in the whole chain. `result` is the volume that the
        corrections leave, where it was opened by now.
        """
        entry = self.volume(entry_id)
        options = {k: v for k, v in entry.options.items() if k != "transforms"}
        if steps:
            options["transforms"] = [dict(step) for step in checked(steps)]
        self.change_volume(entry_id, options=options, aside=tuple(dict(step) for step in checked(aside)))
        return self.note_corrected(entry_id, result) if result is not None else Change.VOLUMES

    def note_corrected(self, entry_id: str, result: Description | Volume) -> Change:
        """Keep the shape and the voxel size (in the entry's own unit) that a volume has after its corrections."""
        factor = nanometres(self.volume(entry_id).unit) or 1.0
        size = result.voxel_size
        edges = None if size is None else (size[0] / factor, size[1] / factor, size[2] / factor)
        return self.change_volume(entry_id, corrected_shape=result.shape, corrected_voxel_size=edges)

    def use_copy(self, entry_id: str, folder: Path | None) -> Change:
        """Read a volume from the fast copy in `folder` from now on; None: from its source again."""
        project, entry = self.need_project(), self.volume(entry_id)
        options = {k: v for k, v in entry.options.items() if k != "copy"}
        if folder is not None:
            options["copy"] = project.refer(folder)
        # The voxels stay what they are: so does what is known of them after the corrections.
        project.put_volume(replace(entry, options=options))
        return Change.VOLUMES

    def remove_volume(self, entry_id: str) -> Change:
        """Forget a volume; its data are not touched."""
        self.need_project().remove_volume(entry_id)
        return Change.VOLUMES

    def classes(self) -> list[str]:
        """The class names in the order of their first volume."""
        return list(dict.fromkeys(v.class_name for v in self.need_project().volumes if v.class_name))


def _reading(options: dict[str, Any]) -> dict[str, Any]:
    """What of a volume's options says which voxels are read; corrections and a fast copy make no other volume."""
    return {k: v for k, v in options.items() if k not in ("transforms", "copy")}
