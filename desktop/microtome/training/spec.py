"""What to train: the network, the training's settings, and a trial as a value that crosses processes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from microtome.errors import InputError, UnknownNameError, nearest
from microtome.fields import fields_of, fill, option, section
from microtome.registry import registry

AUGMENTATIONS = "augmentations"  # the one setting of a training that is a list
PUBLISHED = "published"  # weights of a network's authors, whichever they are
_WORDS = ("value_unit", "devices")  # that change no training
_ADDED = (
    AUGMENTATIONS,
    "step_epochs",
    "step_factor",
    "ema",
    "precision",
    "target",
    "value_loss",
)  # after the first trials had their keys


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
    schedule: str = option("constant", choices=("constant", "cosine", "step", "one-cycle"), label="Learning rate schedule")
    step_epochs: int = option(
        30, 1, 10_000, unit="epochs", advanced=True, help="Of the step schedule: epochs between two falls"
    )
    step_factor: float = option(0.1, 0.001, 1.0, log=True, advanced=True, help="Step schedule: what the rate falls to")
    weight_decay: float = option(0.0, 0.0, 1.0, search=(0.0, 0.1), advanced=True)
    momentum: float = option(0.9, 0.0, 0.999, search=(0.5, 0.99), advanced=True, help="Of SGD")
    label_smoothing: float = option(0.0, 0.0, 0.5, advanced=True)
    ema: float = option(
        0.0,
        0.0,
        0.99999,
        advanced=True,
        label="Weight averaging (EMA)",
        help="Share of the averaged weights that a step keeps, e.g. 0.999; the average is what is measured and kept. 0: none",
    )
    precision: str = option(
        "auto",
        choices=("auto", "float32", "bfloat16"),
        advanced=True,
        help="Of the arithmetic; auto: bfloat16 on a GPU that has it, else float32",
    )
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
    devices: int = option(
        1,
        1,
        64,
        advanced=True,
        label="GPUs a training",
        help="So many share every batch, a process each: the same result but for rounding. Without a GPU: of the processor",
    )
    target: str = option(
        "class",
        choices=("class", "value"),
        label="Learn to tell",
        help="The class of a volume, or the value that it carries: a number, by regression",
    )
    value_loss: str = option(
        "mse",
        choices=("mse", "huber"),
        advanced=True,
        label="Loss of values",
        help="Squared error, or Huber's, which large errors pull less",
    )
    value_unit: str = option("", advanced=True, label="Unit of values", help="As it is shown beside values, e.g. MPa")
    #: In the order in which they are applied: each with its name and all its settings, as `augmentation_list` makes them.
    augmentations: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class TransferSpec:
    """Where a network's first weights come from, and which of them are trained."""

    weights: str = option(
        "",
        label="Pretrained weights",
        help="Empty: none. “published”: those of the network's authors. Or a file (.safetensors, .pth), or hub:OWNER/NAME",
    )
    train: str = option(
        "all",
        choices=("all", "last", "head"),
        label="Train",
        help="All of the network, its last blocks and the head, or the head alone",
    )
    blocks: int = option(
        3, 0, 1000, unit="blocks", search=(0, 13), help="How many of the last blocks are trained beside the head"
    )
    head_epochs: int = option(0, 0, 10_000, unit="epochs", help="Train the head alone for so many epochs first")
    backbone_rate: float = option(
        0.1, 1e-4, 1.0, log=True, search=(0.01, 1.0), help="Learning rate of pretrained blocks, as a share of the head's"
    )
    image_size: int = option(
        0, 0, 1024, unit="px", label="Input size", help="Slices are enlarged or reduced to so many pixels an edge; 0: as cut"
    )

    @property
    def file(self) -> str:
        """The file that the first weights are in; "" where they come from elsewhere, or are random."""
        elsewhere = self.weights in ("", PUBLISHED) or self.weights.startswith(("hub:", "wheel:"))
        return "" if elsewhere else self.weights


@dataclass(frozen=True, kw_only=True)
class ImportanceSpec:
    """Importance-sampled augmentation: of several augmented candidates of an image one is drawn by its loss."""

    candidates: int = option(0, 0, 16, unit="images", search=(2, 5), help="Candidates an image; 0 or 1: off. Patented in Japan")
    score: str = option("loss", choices=("loss", "probability", "gradient"), help="What a candidate's chance goes by")
    temperature: float = option(1.0, 0.0, 100.0, help="Chance = score to this power; 0: all alike")
    floor: float = option(0.0, 0.0, 1.0, advanced=True, help="Share of the chance that all candidates have alike")
    weights: str = option(
        "none",
        choices=("none", "unbiased"),
        advanced=True,
        help="unbiased: what is drawn often counts less, so that the mean stays",
    )
    warm_up: int = option(0, 0, 10_000, unit="epochs", advanced=True, help="Ordinary augmentation for so many epochs first")
    share: float = option(1.0, 0.05, 1.0, advanced=True, help="Part of every batch that has candidates; less costs less time")
    resolution: str = option(
        "full", choices=("full", "half"), advanced=True, help="Size at which candidates are scored; half needs a pooling head"
    )


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
    known = [*fields_of(TrainingSpec), AUGMENTATIONS]
    for key in rest:
        if key not in known:
            name = f"{where}.{key}"
            raise UnknownNameError(f"There is no setting “{name}”.", nearest(key, known))
    found = section(TrainingSpec, rest, where)
    return replace(found, augmentations=augmentation_list(given.get(AUGMENTATIONS, ()), where))


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """One trial: everything that determines its result, and where it keeps its files."""

    image_set: str  # folder of the image set
    image_set_hash: str
    network: NetworkChoice
    training: TrainingSpec
    transfer: TransferSpec = field(default_factory=TransferSpec)
    importance: ImportanceSpec = field(default_factory=ImportanceSpec)
    folder: str = ""  # the trial's folder
    device: str = "auto"  # auto | cpu | cuda:N
    threads: int = 0  # of the CPU; 0: torch's own choice
    stop_after: int = 0  # epochs, counted from the trial's first, after which it pauses; 0: none
    inherited: str = ""  # file of the network whose weights it begins with, where the shapes agree
    inherited_key: str = ""  # ledger key of the trial that this network comes from
    weights_key: str = ""  # what the file of first weights holds (contents.py); "": they come from no file

    def key(self) -> str:
        """The ledger's key: a hash of image set, network, training and seed (not of where it runs, nor how far)."""
        # What was added later counts only where it is used, so that the trials from before keep their keys.
        defaults = TrainingSpec()
        training = {
            k: v for k, v in asdict(self.training).items() if k not in _WORDS and (k not in _ADDED or v != getattr(defaults, k))
        }
        what: list[Any] = [self.image_set_hash, asdict(self.network), training]
        if self.transfer != TransferSpec():
            # What a file holds counts, not where it lies.
            held = {"weights": self.weights_key} if self.weights_key else {}
            what.append({"transfer": asdict(self.transfer) | held})
        if self.importance != ImportanceSpec():
            what.append({"importance": asdict(self.importance)})
        if self.inherited_key:
            what.append({"inherited": self.inherited_key})
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:20]

    def to_json(self) -> dict[str, Any]:
        """The trial as plain JSON, to cross processes."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TrialSpec:
        """Read what to_json wrote."""
        rest = {k: v for k, v in data.items() if k not in ("network", "training", "transfer", "importance")}
        return cls(
            network=NetworkChoice(**data["network"]),
            training=training_settings(data["training"]),
            transfer=section(TransferSpec, data.get("transfer", {}), "transfer"),
            importance=section(ImportanceSpec, data.get("importance", {}), "importance"),
            **rest,
        )
