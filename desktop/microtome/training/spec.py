"""What to train: the network, the training's settings, and a trial as a value that crosses processes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from microtome.errors import InputError
from microtome.fields import fill, option, section
from microtome.registry import registry

AUGMENTATIONS = "augmentations"  # the one setting of a training that is a list


@dataclass(frozen=True, kw_only=True)
class NetworkChoice:
    """A network plugin's name and its settings."""

    name: str = "cnn"
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """The settings of a training."""

    epochs: int = option(10, 1, 10_000, unit="epochs", search=(5, 50), help="Times that every image is seen")
    batch_size: int = option(32, 2, 4096, log=True, unit="images", search=(16, 128))
    optimizer: str = option("adam", choices=("adam", "adamw", "sgd"), label="Optimiser")
    learning_rate: float = option(1e-3, 1e-7, 10.0, log=True, search=(1e-4, 1e-2))
    schedule: str = option("constant", choices=("constant", "cosine", "one-cycle"), label="Learning rate schedule")
    weight_decay: float = option(0.0, 0.0, 1.0, search=(0.0, 0.1), advanced=True)
    momentum: float = option(0.9, 0.0, 0.999, search=(0.5, 0.99), advanced=True, help="Of SGD")
    label_smoothing: float = option(0.0, 0.0, 0.5, advanced=True)
    balance: str = option(
        "none",
        choices=("none", "weights", "sampling"),
        advanced=True,
        label="Balance classes",
        help="Where classes have unlike numbers of images: weigh the loss, or see each class equally often",
    )
    symmetries: bool = option(
        True, label="Flips and quarter turns", help="Exact symmetries of randomly oriented slices: free extra images"
    )
    patience: int = option(0, 0, 1000, unit="epochs", advanced=True, help="Stop after so many without a better one; 0: never")
    seed: int = option(0, 0, 2**31 - 1, advanced=True)
    #: In the order in which they are applied: each with its name and all its settings, as `augmentation_list` makes them.
    augmentations: tuple[dict[str, Any], ...] = ()


def augmentation_list(given: Any, where: str = "training") -> tuple[dict[str, Any], ...]:
    """The augmentations of a recipe, checked and with every setting: `["symmetries", { name = "shot-noise", dose = 50 }]`.

    Raises UnknownNameError (naming the nearest) for a name or a setting that does not exist, InputError for what is out of
    range, no list, or there twice.
    """
    if not isinstance(given, list | tuple):
        raise InputError(f"{where}.{AUGMENTATIONS} must be a list, not {given!r}.", 'Write ["shot-noise", { name = "blur" }].')
    made: list[dict[str, Any]] = []
    for item in given:
        table = {"name": item} if isinstance(item, str) else item
        if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
            raise InputError(
                f"{where}.{AUGMENTATIONS} has an item without a name: {item!r}.", 'Write { name = "shot-noise", dose = 50 }.'
            )
        plugin = registry().get("augmentation", table["name"])
        if any(other["name"] == plugin.name for other in made):
            raise InputError(f"The augmentation “{plugin.name}” is there twice.", "Leave one of them out.")
        settings = {key: value for key, value in table.items() if key != "name"}
        made.append({"name": plugin.name, **fill(plugin.fields, settings, f"augmentation.{plugin.name}")})
    return tuple(made)


def with_augmentation(settings: TrainingSpec, key: str, value: Any) -> TrainingSpec:
    """The settings with one of an augmentation's own changed, named as in `shot-noise.dose`; it must be among them."""
    name, _, setting = key.partition(".")
    names = [item["name"] for item in settings.augmentations]
    if name not in names:
        raise InputError(
            f"There is no augmentation “{name}” in this training, so its “{setting}” cannot be set.",
            f"Add it to training.{AUGMENTATIONS}.",
        )
    changed = [{**item, setting: value} if item["name"] == name else item for item in settings.augmentations]
    return replace(settings, augmentations=augmentation_list(changed))


def training_settings(given: Mapping[str, Any], where: str = "training") -> TrainingSpec:
    """The settings of a training from a recipe's table, with every value checked."""
    rest = {key: value for key, value in given.items() if key != AUGMENTATIONS}
    found = section(TrainingSpec, rest, where)
    return replace(found, augmentations=augmentation_list(given.get(AUGMENTATIONS, ()), where))


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """One trial: everything that determines its result, and where it keeps its files."""

    image_set: str  # folder of the image set
    image_set_hash: str
    network: NetworkChoice
    training: TrainingSpec
    folder: str = ""  # the trial's folder
    device: str = "auto"  # auto | cpu | cuda:N
    threads: int = 0  # of the CPU; 0: torch's own choice

    def key(self) -> str:
        """The ledger's key: a hash of image set, network, training and seed (not of where it runs)."""
        training = asdict(self.training)
        if not training[AUGMENTATIONS]:
            del training[AUGMENTATIONS]  # so that trials from before there were any keep their key
        what = [self.image_set_hash, asdict(self.network), training]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:20]

    def to_json(self) -> dict[str, Any]:
        """The trial as plain JSON, to cross processes."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TrialSpec:
        """Read what to_json wrote."""
        rest = {k: v for k, v in data.items() if k not in ("network", "training")}
        return cls(
            network=NetworkChoice(**data["network"]),
            training=training_settings(data["training"]),
            **rest,
        )
