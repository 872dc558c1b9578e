"""The recipe: one TOML file, or dict, that says what to cut, to train and to search; the window reads and writes the same."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import tomli_w

from microtome.errors import FileError, InputError, UnknownNameError, nearest
from microtome.fields import fields_of, fill, option, section
from microtome.plugin import Space
from microtome.registry import registry
from microtome.search.axes import as_settings, meant
from microtome.search.space import space_from_table
from microtome.slices.micrographs.allotment import shares_of
from microtome.slices.micrographs.flat import labels_of
from microtome.slices.plan import ClassSource, Micrographs, SimulatedSource, SlicePlan, VolumeSource
from microtome.slices.targets import check_property, check_value, held_apart, require_values, without_values
from microtome.store.atomic import explain
from microtome.training.spec import (
    ImportanceSpec,
    NetworkChoice,
    TrainingSpec,
    TransferSpec,
    training_settings,
    with_augmentation,
)

SECTIONS = ("class", "slices", "micrographs", "network", "training", "transfer", "importance", "search")


@dataclass(frozen=True, kw_only=True)
class SearchSpec:
    """The settings of a search."""

    algorithm: str = option("auto", label="Engine", help="Which engine proposes the next trial")
    budget: int = option(20, 1, 1_000_000, unit="trials")
    workers: int = option(2, 1, 256, unit="processes", help="Trials that run at the same time")
    early_stopping: str = option(
        "none",
        choices=("none", "auto", "asha", "asha-stop", "median", "curve"),
        help="Trials that fall behind wait (asha) or stop (the others), so that the better ones are trained longer",
    )
    objective: str = option(
        "mean", choices=("mean", "worst", "loss"), advanced=True, help="Mean class accuracy, worst class, or loss (validation)"
    )
    second: str = option(
        "none",
        choices=("none", "seconds", "parameters"),
        advanced=True,
        label="Second objective",
        help="Accuracy against time of training or number of weights: the trials that nothing beats in both",
    )
    speculate: bool = option(False, advanced=True, help="Begin likely trials early while stragglers run")
    warm_start: bool = option(False, advanced=True, help="Tell the engine first what the project's earlier runs know")
    inherit: bool = option(False, advanced=True, label="Inherit weights", help="Of the nearest finished relative")
    finalists: int = option(0, 0, 20, unit="trials", help="Best trials, trained again on fresh seeds and slices")
    finalist_seeds: int = option(3, 1, 50, unit="seeds", advanced=True, help="How often each of them")
    hours: float = option(
        0.0, 0.0, 10_000.0, unit="h", label="Begin nothing after", help="Time budget: nothing new is begun after it; 0: none"
    )
    reuse: bool = option(True, advanced=True, help="Answer from an earlier run of the project where one trained the same")
    seed: int = option(0, 0, 2**31 - 1, advanced=True)
    table: Mapping[str, Any] = field(default_factory=dict)  # the recipe's [search.space]

    @property
    def space(self) -> Space:
        """The space that the table describes."""
        return space_from_table(self.table)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole recipe, checked."""

    classes: tuple[ClassSource, ...] = ()
    slices: SlicePlan = field(default_factory=SlicePlan)
    micrographs: Micrographs = field(default_factory=Micrographs)
    network: NetworkChoice = field(default_factory=NetworkChoice)
    training: TrainingSpec = field(default_factory=TrainingSpec)
    transfer: TransferSpec = field(default_factory=TransferSpec)
    importance: ImportanceSpec = field(default_factory=ImportanceSpec)
    search: SearchSpec | None = None

    @property
    def cut(self) -> tuple[tuple[ClassSource, ...], SlicePlan]:
        """What is cut, and how: for a number, whole volumes are held apart; for classes, numbers do not matter."""
        if self.training.target == "value":
            return held_apart(self.classes, self.slices)
        return without_values(self.classes), self.slices

    def with_values(self, parameters: Mapping[str, Any]) -> Recipe:
        """The recipe with dotted parameters set, as a trial of a search does: `{"training.learning_rate": 1e-2}`."""
        slices, network, training = self.slices, dict(self.network.parameters), self.training
        transfer, importance = self.transfer, self.importance
        for name, value in parameters.items():
            where, _, key = name.partition(".")
            match where:
                case "slices":
                    slices = section(SlicePlan, {**asdict(slices), key: value}, "slices")
                case "training":
                    training = training_settings({**asdict(training), key: value})
                case "augmentation":
                    training = with_augmentation(training, key, value)
                case "network":
                    network[key] = value
                case "transfer":
                    transfer = section(TransferSpec, {**asdict(transfer), key: value}, "transfer")
                case "importance":
                    importance = section(ImportanceSpec, {**asdict(importance), key: value}, "importance")
                case _:
                    raise UnknownNameError(f"There is no setting “{name}”.", meant(name, self._searched()))
        choice = NetworkChoice(name=self.network.name, parameters=network_parameters(self.network.name, network))
        return replace(self, slices=slices, network=choice, training=training, transfer=transfer, importance=importance)

    def _searched(self) -> Mapping[str, Iterable[str]]:
        """The settings that a search may vary, by section; those of an augmentation bear its name."""
        sections = {"slices": SlicePlan, "training": TrainingSpec, "transfer": TransferSpec, "importance": ImportanceSpec}
        return {"network": self.network.parameters, "augmentation": ()} | {n: fields_of(cls) for n, cls in sections.items()}


def network_parameters(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting of a network, `given` or default, checked."""
    return fill(registry().get("network", name).fields, given, "network")


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"[{where}] must be a table, not {value!r}.")
    return dict(value)


def _known(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise UnknownNameError(f"There is no setting “{key}” in {where}.", nearest(key, known))


def _list(value: Any, where: str) -> list[Any]:
    if isinstance(value, str | Mapping):
        return [value]
    if not isinstance(value, list | tuple):
        raise InputError(f"{where} must be a list, not {value!r}.")
    return list(value)


def _path(base: Path | None, path: str) -> str:
    return str(base / path) if base is not None and not Path(path).is_absolute() else path


def _sizes(value: Any, where: str) -> tuple[float, float, float]:
    numbers = [value] * 3 if isinstance(value, int | float) else value
    good = isinstance(numbers, list | tuple) and len(numbers) == 3
    if not good or not all(isinstance(n, int | float) and 0 < n < float("inf") for n in numbers):
        raise InputError(f"voxel_size of {where} must be three positive numbers (z, y, x), not {value!r}.")
    return (float(numbers[0]), float(numbers[1]), float(numbers[2]))


def _volume(item: Any, where: str, base: Path | None) -> VolumeSource:
    if isinstance(item, str | Path):
        return VolumeSource(path=_path(base, str(item)))
    table = _table(item, where)
    if not isinstance(table.get("path"), str):
        raise InputError(f"A volume of {where} has no path.", 'Write { path = "file.tif", … }.')
    size = table.pop("voxel_size", None)
    path, unit = table.pop("path"), table.pop("unit", "")
    carried = _carried(table, path)
    return VolumeSource(
        path=_path(base, path),
        options=table,
        voxel_size=None if size is None else _sizes(size, path),
        unit=str(unit),
        **carried,
    )


def _carried(table: dict[str, Any], where: str) -> dict[str, Any]:
    """The number that a volume carries, taken out of its table, or the property that it is to be computed as."""
    value, name = check_value(table.pop("value", None), where), check_property(table.pop("property", ""), where)
    if value is not None and name:
        raise InputError(f"{where} has a value and a property that gives one.", "Leave one of them out.")
    return {"value": value, "property": name}


def _simulated(item: Any, where: str) -> list[SimulatedSource]:
    table = _table(item, where)
    if "kind" not in table:
        raise InputError(f"simulate of {where} has no kind.", 'Write simulate = { kind = "m-sbr", seed = 1 }.')
    plugin = registry().get("generator", str(table.pop("kind")))
    seed, boxes = int(table.pop("seed", 0)), int(table.pop("boxes", 1))
    voxel = table.pop("voxel_size", None)
    carried = _carried(table, f"simulate {plugin.name}")
    settings = fill(plugin.fields, table, f"simulate {plugin.name}")
    kept = {k: settings[k] for k in table}
    return [
        SimulatedSource(
            kind=plugin.name,
            seed=seed + i,
            parameters=kept,
            voxel_size=None if voxel is None else float(voxel),
            **carried,
        )
        for i in range(max(1, boxes))
    ]


def _micrographs(table: dict[str, Any], base: Path | None) -> Micrographs:
    found = section(Micrographs, table, "micrographs")
    if found.shares:
        shares_of(found.shares)  # says what is wrong with them before anything is opened
    return replace(found, labels=_path(base, found.labels)) if found.labels else found


def _transfer(table: dict[str, Any], base: Path | None) -> TransferSpec:
    found = section(TransferSpec, table, "transfer")
    return replace(found, weights=_path(base, found.weights)) if found.file else found


def _class(item: Any, number: int, base: Path | None, micrographs: Micrographs) -> ClassSource:
    table = _table(item, "class")
    _known(table, ("name", "volumes", "images", "simulate", "value", "property"), f"class {number}")
    name = table.get("name")
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"Class {number} has no name.", 'Write name = "…" below [[class]].')
    where = f"class “{name}”"
    volumes = tuple(_volume(v, where, base) for v in _list(table.get("volumes", []), f"volumes of {where}"))
    simulated = tuple(s for t in _list(table.get("simulate", []), f"simulate of {where}") for s in _simulated(t, where))
    images = tuple(_path(base, str(i)) for i in _list(table.get("images", []), f"images of {where}"))
    value, computed = _carried(table, where).values()
    if value is not None or computed:  # of those that have none of their own
        volumes = tuple(v if _carries(v) else replace(v, value=value, property=computed) for v in volumes)
        simulated = tuple(s if _carries(s) else replace(s, value=value, property=computed) for s in simulated)
    return ClassSource(
        name=name,
        volumes=volumes,
        simulated=simulated,
        images=images,
        value=value if images or micrographs.labels else None,
        micrographs=micrographs,
    )


def _carries(source: VolumeSource | SimulatedSource) -> bool:
    return source.value is not None or bool(source.property)


def _search(table: dict[str, Any]) -> SearchSpec:
    space = _table(table.pop("space", {}), "search.space")
    fixed = fields_of(SearchSpec)
    values = fill(fixed, table, "search")
    if values["algorithm"] != "auto":
        registry().get("search", values["algorithm"])
    return SearchSpec(**values, table=space)


def parse(data: Mapping[str, Any], base: Path | None = None) -> Recipe:
    """Check a recipe given as a dict; relative paths are taken from `base`. Raises a MicrotomeError naming the item."""
    _known(data, SECTIONS, "the recipe")
    micrographs = _micrographs(_table(data.get("micrographs", {}), "micrographs"), base)
    classes = tuple(_class(c, i + 1, base, micrographs) for i, c in enumerate(_list(data.get("class", []), "class")))
    if not classes and micrographs.labels:
        classes = tuple(ClassSource(name=name, micrographs=micrographs) for name in labels_of(micrographs).classes)
    names = [c.name for c in classes]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two classes are called “{name}”.", "Give each class a name of its own.")
    network = _table(data.get("network", {}), "network")
    choice = str(network.pop("name", "cnn"))
    recipe = Recipe(
        classes=classes,
        slices=section(SlicePlan, _table(data.get("slices", {}), "slices"), "slices"),
        micrographs=micrographs,
        network=NetworkChoice(name=choice, parameters=network_parameters(choice, network)),
        training=training_settings(_table(data.get("training", {}), "training")),
        transfer=_transfer(_table(data.get("transfer", {}), "transfer"), base),
        importance=section(ImportanceSpec, _table(data.get("importance", {}), "importance"), "importance"),
        search=_search(_table(data["search"], "search")) if "search" in data else None,
    )
    if recipe.search is None:
        return recipe
    recipe = replace(recipe, search=replace(recipe.search, table=as_settings(recipe.search.table, recipe.with_values)))
    check_space(recipe)
    return recipe


def check_space(recipe: Recipe) -> None:
    """Raise a MicrotomeError where an axis of the search is unknown, or leaves the legal range of its field."""
    assert recipe.search is not None
    if not recipe.search.table:
        raise InputError("The search has nothing to vary.", "Add [search.space], or tick “optimise” on a field.")
    for axis in recipe.search.space:
        ends = axis.choices if axis.kind == "choice" else (axis.low, axis.high)
        for end in ends:
            recipe.with_values({axis.name: int(end) if axis.kind == "int" else end})


def require_classes(recipe: Recipe) -> None:
    """Raise InputError where the classes cannot be trained on: fewer than two, or one without data, or without values."""
    for source in recipe.classes:
        if not source.has_data:
            raise InputError(f"Class “{source.name}” has no volumes.", "Give it a volume, images or a structure to simulate.")
    if recipe.training.target == "value":
        if not recipe.classes:
            raise InputError("There are no volumes to learn a value of.", "Add a [[class]] with volumes that carry values.")
        require_values(recipe.classes)
        if recipe.search is not None and recipe.search.objective == "worst":
            raise InputError("A network that tells a value has no worst class.", 'Set search.objective = "mean", which is R².')
        return
    if len(recipe.classes) < 2:
        count = "only one class" if recipe.classes else "no class"
        raise InputError(f"There is {count}; telling apart needs at least two.", "Add a [[class]] with volumes.")


def load(path: Path) -> Recipe:
    """Read and check a recipe file; relative paths are taken from its folder."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not a recipe: it is not UTF-8 text.", "Write a TOML file.") from error
    except OSError as error:
        raise explain(error, path, "read the recipe") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}.", "Mend that line.") from error
    return parse(data, path.resolve().parent)


def to_table(recipe: Recipe) -> dict[str, Any]:
    """The recipe as the dict that `parse` reads."""
    classes: list[dict[str, Any]] = []
    for source in recipe.classes:
        item: dict[str, Any] = {"name": source.name}
        if source.volumes:
            item["volumes"] = [_volume_table(v) for v in source.volumes]
        if source.simulated:
            item["simulate"] = [_simulated_table(s) for s in source.simulated]
        if source.images:
            item["images"] = list(source.images)
        if source.value is not None:
            item["value"] = source.value
        classes.append(item)
    table: dict[str, Any] = {
        "class": classes,
        "slices": asdict(recipe.slices),
        "network": {"name": recipe.network.name, **recipe.network.parameters},
        "training": asdict(recipe.training),
    }
    if recipe.transfer != TransferSpec():
        table["transfer"] = asdict(recipe.transfer)
    if recipe.importance != ImportanceSpec():
        table["importance"] = asdict(recipe.importance)
    if recipe.micrographs != Micrographs():
        table["micrographs"] = asdict(recipe.micrographs)
    if recipe.search is not None:
        values = {name: getattr(recipe.search, name) for name in fields_of(SearchSpec)}
        table["search"] = {**values, "space": dict(recipe.search.table)}
    return table


def _volume_table(source: VolumeSource) -> str | dict[str, Any]:
    table: dict[str, Any] = {"path": source.path, **source.options}
    if source.voxel_size is not None:
        table["voxel_size"] = list(source.voxel_size)
    if source.unit:
        table["unit"] = source.unit
    table |= _carried_table(source)
    return table if len(table) > 1 else source.path


def _carried_table(source: VolumeSource | SimulatedSource) -> dict[str, Any]:
    own = {"value": source.value, "property": source.property or None}
    return {key: what for key, what in own.items() if what is not None}


def _simulated_table(source: SimulatedSource) -> dict[str, Any]:
    table = {"kind": source.kind, "seed": source.seed, **source.parameters, **_carried_table(source)}
    return table if source.voxel_size is None else {**table, "voxel_size": source.voxel_size}


def dumps(recipe: Recipe) -> str:
    """The recipe as TOML."""
    return tomli_w.dumps(to_table(recipe))
