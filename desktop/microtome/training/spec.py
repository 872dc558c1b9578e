"""What to train: the network, the training's settings, and a trial as a value that crosses processes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from microtome.fields import option, section


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
    symmetries: bool = option(
        True, label="Flips and quarter turns", help="Exact symmetries of randomly oriented slices: free extra images"
    )
    patience: int = option(0, 0, 1000, unit="epochs", advanced=True, help="Stop after so many without a better one; 0: never")
    seed: int = option(0, 0, 2**31 - 1, advanced=True)


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
        what = [self.image_set_hash, asdict(self.network), asdict(self.training)]
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
            training=section(TrainingSpec, data["training"], "training"),
            **rest,
        )
