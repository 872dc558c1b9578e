"""The whole application without a window: the seam for pages, scripts and tests.

Every action is a method that returns the `Change` it made; views react to changes, they never reach into each other.
Methods are quick (small JSON files) unless their docstring says that they belong on a background thread.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Flag, auto
from pathlib import Path
from typing import Any

from microtome import settings
from microtome.errors import InputError, MicrotomeError
from microtome.fields import FieldSpec, fields_of
from microtome.registry import registry
from microtome.search.driver import create_run
from microtome.search.recipe import Recipe, SearchSpec, parse
from microtome.slices.plan import Micrographs, SlicePlan
from microtome.store.project import Project, VolumeEntry
from microtome.store.run import Order, RunFolder, RunLock
from microtome.training.spec import AUGMENTATIONS, TrainingSpec, augmentation_list
from microtome.volumes.read import Description
from microtome.volumes.transforms import Step, checked
from microtome.volumes.units import nanometres
from microtome.volumes.volume import Volume

SECTIONS: dict[str, type] = {
    "slices": SlicePlan,
    "micrographs": Micrographs,
    "training": TrainingSpec,
    "search": SearchSpec,
}
Axis = dict[str, Any] | list[Any]


class Change(Flag):
    """What an action changed."""

    NOTHING = 0
    PROJECT = auto()  # another project is open: everything is new
    VOLUMES = auto()  # volumes, their classes or voxel sizes
    RECIPE = auto()  # a setting or an axis of the search
    RUNS = auto()  # a run was made, or began or ended
    ALL = PROJECT | VOLUMES | RECIPE | RUNS


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
        read = _reading(description.options)
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
                findings=description.findings,
                images=description.kind in ("image", "images folder"),
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


@dataclass
class WorkingRecipe(OpenProject):
    """The settings that the next run will have; project.json holds only what differs from the defaults."""

    def _recipe_settings(self) -> dict[str, Any]:
        data: dict[str, Any] = self.need_project().settings.setdefault("recipe", {})
        return data

    def network_name(self) -> str:
        """The chosen network."""
        return str(self._recipe_settings().get("network", {}).get("name", "cnn"))

    def specs(self, section: str) -> dict[str, FieldSpec]:
        """The fields of a section of the recipe, or of `augmentation` (`shot-noise.dose` of those chosen)."""
        if section == "network":
            return registry().get("network", self.network_name()).fields
        if section == "augmentation":
            plugins = [registry().get("augmentation", item["name"]) for item in self.augmentations()]
            owned = [(f"{plugin.name}.{key}", spec) for plugin in plugins for key, spec in plugin.fields.items()]
            return {name: replace(spec, name=name, label=spec.title) for name, spec in owned}
        return fields_of(SECTIONS[section])

    def value(self, name: str) -> Any:
        """The value of a dotted setting, e.g. `training.learning_rate`."""
        section, _, key = name.partition(".")
        default = self.specs(section)[key].default
        if section == "augmentation":
            owner, _, setting = key.partition(".")
            return next(item for item in self.augmentations() if item["name"] == owner).get(setting, default)
        return self._recipe_settings().get(section, {}).get(key, default)

    def set_value(self, name: str, value: Any) -> Change:
        """Check and keep a setting; InputError where it is out of range."""
        section, _, key = name.partition(".")
        spec = self.specs(section)[key]
        checked = spec.check(value, section)
        if section == "augmentation":
            owner, _, setting = key.partition(".")
            chosen = self.augmentations()
            return self.set_augmentations([{**i, setting: checked} if i["name"] == owner else i for i in chosen])
        table = self._recipe_settings().setdefault(section, {})
        if checked == spec.default:
            table.pop(key, None)
        else:
            table[key] = checked
        self.need_project().save()
        return Change.RECIPE

    def set_network(self, name: str) -> Change:
        """Choose another network; its settings start at their defaults, and axes of the old one are dropped."""
        registry().get("network", name)
        data = self._recipe_settings()
        data["network"] = {"name": name}
        data["axes"] = {k: v for k, v in self.axes().items() if not k.startswith("network.")}
        self.need_project().save()
        return Change.RECIPE

    def augmentations(self) -> list[dict[str, Any]]:
        """The chosen augmentations in their order: name, and those settings that differ from the defaults."""
        return list(self._recipe_settings().get("training", {}).get(AUGMENTATIONS, []))

    def set_augmentations(self, chosen: Sequence[str | Mapping[str, Any]]) -> Change:
        """Choose augmentations and their order, as in a recipe; axes of those that are left out are dropped."""
        kept: list[dict[str, Any]] = []
        for item in augmentation_list(chosen):
            specs = registry().get("augmentation", item["name"]).fields
            kept.append({k: v for k, v in item.items() if k == "name" or v != specs[k].default})
        table = self._recipe_settings().setdefault("training", {})
        table.pop(AUGMENTATIONS, None)
        if kept:
            table[AUGMENTATIONS] = kept
        owners = {item["name"] for item in kept}
        gone = [n for n in self.axes() if n.startswith("augmentation.") and n.split(".")[1] not in owners]
        for name in gone:
            del self.axes()[name]
        self.need_project().save()
        return Change.RECIPE

    def axes(self) -> dict[str, Axis]:
        """What the search varies: dotted setting → axis, as in a recipe's [search.space]."""
        axes: dict[str, Axis] = self._recipe_settings().setdefault("axes", {})
        return axes

    def set_axis(self, name: str, axis: Axis | None) -> Change:
        """Tick (or untick, with None) “optimise” on a setting."""
        if axis is None:
            self.axes().pop(name, None)
        else:
            training = {AUGMENTATIONS: self.augmentations()}
            parse({"search": {"space": {name: axis}}, "network": {"name": self.network_name()}, "training": training})
            self.axes()[name] = axis
        self.need_project().save()
        return Change.RECIPE

    def default_axis(self, name: str) -> Axis | None:
        """The axis that is proposed when “optimise” is ticked on a setting, or None where it cannot be searched."""
        section, _, key = name.partition(".")
        spec = self.specs(section)[key]
        if spec.kind == "bool":
            return [False, True]
        if spec.kind == "choice":
            return list(spec.choices)
        if spec.kind == "text" or spec.search_range is None:
            return None
        low, high = spec.search_range
        return {"low": int(low), "high": int(high)} if spec.kind == "int" else {"low": low, "high": high, "log": spec.log}

    def recipe(self, *, search: bool = False) -> Recipe:
        """The working recipe of the project's classes and settings."""
        data = self._recipe_settings()
        table: dict[str, Any] = {k: dict(data.get(k, {})) for k in ("slices", "micrographs", "network", "training")}
        table["class"] = [self._class_table(name) for name in self.classes()]
        if search:
            table["search"] = {**data.get("search", {}), "space": self.axes()}
        return parse(table)

    def _class_table(self, name: str) -> dict[str, Any]:
        project = self.need_project()
        members = [v for v in project.volumes if v.class_name == name]
        volumes: list[dict[str, Any]] = []
        for entry in members:
            if entry.simulate is None and not entry.images:
                item: dict[str, Any] = {"path": str(project.resolve(entry)), **project.reader_options(entry)}
                if entry.voxel_size is not None:
                    item |= {"voxel_size": list(entry.voxel_size), "unit": entry.unit}
                volumes.append(item)
        simulated = [v.simulate for v in members if v.simulate is not None]
        images = [str(project.resolve(v)) for v in members if v.images]
        table: dict[str, Any] = {"name": name} | ({"images": images} if images else {})
        return table | ({"volumes": volumes} if volumes else {}) | ({"simulate": simulated} if simulated else {})

    def adopt(self, parameters: dict[str, Any]) -> Change:
        """Make a trial's parameters the working settings: “use this network”."""
        for name, value in parameters.items():
            self.set_value(name, value)
        return Change.RECIPE


@dataclass
class Session(WorkingRecipe):
    """An open project, if any, and all that can be done with it."""

    drivers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)  # run name → its driver, ours to reap

    def start(self, *, search: bool, name: str = "") -> RunFolder:
        """Write the run folder and start its driver, which outlives this window."""
        run = create_run(self.recipe(search=search), self.need_project(), name)
        self.drive(run)
        return run

    def drive(self, run: RunFolder) -> Change:
        """Start a driver that begins the run, or goes on where it stopped; nothing where one runs already."""
        if RunLock(run).holder() is None and not self.driving(run):
            with open(run.path / "driver.log", "ab") as log:
                self.drivers[run.name] = subprocess.Popen(
                    [*program(), "resume", str(run.path), "--json"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                    env=environment(),
                )
        return Change.RUNS

    def driving(self, run: RunFolder) -> bool:
        """True while the run's driver lives (ours or another window's)."""
        mine = self.drivers.get(run.name)
        if mine is not None and mine.poll() is None:
            return True
        return RunLock(run).holder() is not None

    def order(self, run: RunFolder, command: Order, **arguments: Any) -> Change:
        """Pause, resume, stop or abort a run, or change its workers or budget; a run without a driver gets one to resume."""
        if not self.driving(run):
            if command == "resume":
                return self.drive(run)
            raise MicrotomeError(f"{run.name} is not running.", "Press Continue to go on with it.")
        run.order(command, **arguments)
        return Change.RUNS

    def runs(self) -> list[RunFolder]:
        """The project's runs, oldest first."""
        return self.project.runs() if self.project is not None else []


def _reading(options: dict[str, Any]) -> dict[str, Any]:
    """What of a volume's options says which voxels are read; corrections and a fast copy make no other volume."""
    return {k: v for k, v in options.items() if k not in ("transforms", "copy")}


def program() -> list[str]:
    """How to start this program once more, from a checkout as from a frozen build."""
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "microtome"]


def environment() -> dict[str, str]:
    """The environment of a driver: ours, without what belongs to a window."""
    return {k: v for k, v in os.environ.items() if not k.startswith("QT_")}
