"""The card of a model file: all that is known of a trained network, in the header of its safetensors file; reads no weights.

A model file can be used alone: it names its network with every setting, its classes, the size and the pixel size of its
images, how their grey values were made, and what it was trained on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from microtome.errors import FileError, NewerFormatError
from microtome.slices.plan import SlicePlan
from microtome.store.atomic import explain
from microtome.volumes.units import VOXEL, to_nm

VERSION = 1
KEY = "microtome"
"""The key of the card in the header's metadata."""
_LARGEST_HEADER = 100_000_000  # bytes, the format's own limit
_SAME = 0.02  # pixel sizes closer than this count as equal


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a model file says of itself."""

    network: str
    parameters: dict[str, Any]
    classes: tuple[str, ...]
    channels: int
    image_size: int  # pixels an edge
    pixel_size: float  # in `unit`
    unit: str  # "voxel" where no physical length was known
    plan: dict[str, Any]  # the slice plan: field of view, orientation, normalisation …
    #: Of images as they lie in the image set; the network sees (image − mean) / deviation: of all channels, or of each.
    mean: float | tuple[float, ...]
    deviation: float | tuple[float, ...]
    voxel_size: tuple[float, float, float] | None = None  # (z, y, x) of the training volumes, in `voxel_unit`; None: not known
    voxel_unit: str = VOXEL
    grey: dict[str, Any] = field(default_factory=dict)  # grey statistics of the training volumes, by class
    micrographs: dict[str, Any] = field(default_factory=dict)  # how images that were 2-D already were taken: fit, data bar …
    image_set: str = ""  # hash
    training: dict[str, Any] = field(default_factory=dict)
    transfer: dict[str, Any] = field(default_factory=dict)  # where its first weights came from, what of them was trained
    #: Of a network that tells a number: its answer × deviation + mean is the value, in `unit`, learnt from low to high.
    value: dict[str, Any] = field(default_factory=dict)
    input_size: int = 0  # pixels an edge to which the network itself resizes its images; 0: it sees them as they are
    epoch: int = 0  # that the weights come from: 0, 1, …
    validation_accuracy: float = 0.0  # of a number: R²
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def field_of_view(self) -> float:
        """The edge of an image in `unit`."""
        return self.pixel_size * self.image_size

    @property
    def precision(self) -> str:
        """Of the arithmetic in which the network was measured while it was trained, and is asked now."""
        return str(self.training.get("precision", "auto"))

    @property
    def slice_plan(self) -> SlicePlan:
        """The plan as it was; keys of later versions are left out."""
        known = {f.name for f in fields(SlicePlan)}
        return SlicePlan(**{k: v for k, v in self.plan.items() if k in known})

    def voxel_size_warning(self, voxel_size: Sequence[float] | None, unit: str) -> str:
        """A sentence where data with that voxel size (z, y, x) are not what the network learned from; empty where they are."""
        if self.voxel_size is None and self.unit != VOXEL:  # it learned from several sizes, cut to one physical pixel
            if voxel_size is not None:
                return ""
            return "The voxel size is not known, and the network learned from several: a voxel was taken for a pixel."
        if self.voxel_size is None and voxel_size is None:
            return "Neither the voxel size of the training data nor of these is known: make sure that they are the same."
        if self.voxel_size is None:
            return "The voxel size of the training data was not known: make sure that these have the same."
        mine = " × ".join(f"{v:.4g}" for v in self.voxel_size)
        if voxel_size is None:
            return f"The voxel size is not known; it was taken to be that of the training data, {mine} {self.voxel_unit}."
        ratios = [to_nm(a, unit) / to_nm(b, self.voxel_unit) for a, b in zip(voxel_size, self.voxel_size, strict=True)]
        if all(abs(ratio - 1) <= _SAME for ratio in ratios):
            return ""
        theirs = " × ".join(f"{v:.4g}" for v in voxel_size)
        return f"The voxel size, {theirs} {unit}, is not that of the training data, {mine} {self.voxel_unit}: it was resampled."

    def to_metadata(self) -> dict[str, str]:
        """The card as metadata of a safetensors header (texts only)."""
        return {"format": "pt", KEY: json.dumps({"format": VERSION, **asdict(self)}, ensure_ascii=False)}

    @classmethod
    def read(cls, path: Path) -> ModelCard:
        """Read a model file's card; FileError where the file is none, NewerFormatError where it is of a later version."""
        text = read_metadata(path).get(KEY)
        if text is None:
            raise FileError(f"{path} is not a network of ours (it has no card).", "Choose a model.safetensors.")
        try:
            data = json.loads(text)
            if int(data.pop("format")) > VERSION:
                raise NewerFormatError(f"{path} was written by a newer Microtome.", "Install the newer version to use it.")
            known = {f.name for f in fields(cls)}
            card = {k: v for k, v in data.items() if k in known} | {"classes": tuple(data["classes"])}
            for name in ("voxel_size", "mean", "deviation"):
                if isinstance(card.get(name), list):
                    card[name] = tuple(card[name])
            return cls(**card)
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise FileError(f"The card of {path} is damaged: {error}.", "Restore the file from a copy.") from error


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, without its tensors; FileError where it is missing or damaged."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= _LARGEST_HEADER:
                raise ValueError("it has no header")
            header = json.loads(file.read(length))
        metadata = header.get("__metadata__", {})
        return {str(k): str(v) for k, v in metadata.items()}
    except OSError as error:
        raise explain(error, path, "read") from error
    except (ValueError, AttributeError) as error:
        raise FileError(f"{path} is not a safetensors file, or it is damaged.", "Choose a model.safetensors.") from error
