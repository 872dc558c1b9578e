"""The working recipe: the settings that the next run will have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from microtome.errors import InputError, MicrotomeError
from microtome.fields import FieldSpec, fields_of
from microtome.registry import registry
from microtome.search.recipe import Recipe, SearchSpec, parse
from microtome.session.change import Change
from microtome.session.project import OpenProject
from microtome.slices.plan import Micrographs, SlicePlan
from microtome.store.project import VolumeEntry
from microtome.training.spec import AUGMENTATIONS, ImportanceSpec, TrainingSpec, TransferSpec, augmentation_list

SECTIONS: dict[str, type] = {
    "slices": SlicePlan,
    "micrographs": Micrographs,
    "training": TrainingSpec,
    "transfer": TransferSpec,
    "importance": ImportanceSpec,
    "search": SearchSpec,
}
Axis = dict[str, Any] | list[Any]
_LEFT = "networks"  # settings and axes of the networks that were chosen before


@dataclass
class WorkingRecipe(OpenProject):
    """The settings that the next run will have; project.json holds only what differs from the defaults."""

    def _recipe_settings(self) -> dict[str, Any]:
        data: dict[str, Any] = self.need_project().settings.setdefault("recipe", {})
        return data

    @property
    def trainable(self) -> bool:
        """Whether there is something to learn: two classes, or volumes that carry numbers."""
        if self.project is None:
            return False
        members = [v for v in self.project.volumes if v.class_name]
        carried = {v.computed or v.value for v in members} - {None}
        return len(self.classes()) >= 2 or len(carried) > 1 or any(v.computed for v in members)

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
        """Choose another network.

        It has the settings and axes that it had when it was left. One that comes for the first time takes over what the network
        before had set under the same name, as far as it is valid there; else it starts at its defaults.
        """
        fields = registry().get("network", name).fields
        old = self.network_name()
        if name == old:
            return Change.NOTHING
        data = self._recipe_settings()
        left: dict[str, Any] = data.setdefault(_LEFT, {})
        now = {
            "settings": {k: v for k, v in data.get("network", {}).items() if k != "name"},
            "axes": {k: v for k, v in self.axes().items() if k.startswith("network.")},
        }
        left[old] = now
        back = left.pop(name, now)
        data["network"] = {"name": name, **_fitting(fields, back["settings"])}
        data["axes"] = {k: v for k, v in self.axes().items() if k not in now["axes"]}
        for key, axis in back["axes"].items():
            if self._is_axis(key, axis):
                self.axes()[key] = axis
        self.need_project().save()
        return Change.RECIPE

    def _is_axis(self, name: str, axis: Axis) -> bool:
        """Whether the chosen network has such an axis."""
        try:
            parse({"search": {"space": {name: axis}}, "network": {"name": self.network_name()}})
        except MicrotomeError:
            return False
        return True

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
        table: dict[str, Any] = {k: dict(data.get(k, {})) for k in (*SECTIONS, "network") if k != "search"}
        table["class"] = [self._class_table(name) for name in self.classes()]
        if search:
            table["search"] = {**data.get("search", {}), "space": self.axes()}
        return parse(table)

    def _class_table(self, name: str) -> dict[str, Any]:
        project = self.need_project()
        members = [v for v in project.volumes if v.class_name == name]
        volumes: list[dict[str, Any]] = []
        # Where classes are told, numbers are left out: the slices then stay those that they were.
        tells = self.value("training.target") == "value"
        for entry in members:
            if entry.in_file:
                item: dict[str, Any] = {"path": str(project.resolve(entry)), **project.reader_options(entry)}
                if entry.voxel_size is not None:
                    item |= {"voxel_size": list(entry.voxel_size), "unit": entry.unit}
                volumes.append(item | _carried(entry, tells))
        simulated = [{**v.simulate, **_carried(v, tells)} for v in members if v.simulate is not None]
        images = [str(project.resolve(v)) for v in members if v.images]
        table: dict[str, Any] = {"name": name} | ({"images": images} if images else {})
        told = {v.value for v in members if v.images}
        if tells and len(told) == 1 and None not in told and not volumes and not simulated:
            table["value"] = told.pop()
        return table | ({"volumes": volumes} if volumes else {}) | ({"simulate": simulated} if simulated else {})

    def adopt(self, parameters: dict[str, Any]) -> Change:
        """Make a trial's parameters the working settings: “use this network”."""
        for name, value in parameters.items():
            self.set_value(name, value)
        return Change.RECIPE


def _fitting(fields: Mapping[str, FieldSpec], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a network's settings that another one has too, as far as they are valid there and no default."""
    found = {}
    for name in settings.keys() & fields.keys():
        try:
            value = fields[name].check(settings[name], "network")
        except InputError:
            continue
        if value != fields[name].default:
            found[name] = value
    return found


def _carried(entry: VolumeEntry, tells: bool) -> dict[str, Any]:
    if not tells:
        return {}
    if entry.computed:
        return {"property": entry.computed}
    return {"value": entry.value} if entry.value is not None else {}
