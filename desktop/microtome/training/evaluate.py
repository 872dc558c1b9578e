"""A trained network at work: loaded from its file, asked about images, measured on a locked set."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from microtome.errors import FileError, InputError
from microtome.events import Event
from microtome.intervals import class_mean_interval
from microtome.slices.imageset import ImageSet
from microtome.store.atomic import write_text
from microtome.training import metrics
from microtome.training.card import ModelCard
from microtome.training.checkpoint import read_tensors
from microtome.training.data import Images
from microtome.training.device import (
    autocast,
    choose_device,
    explained_memory,
    memory_format,
    ran_out_of_memory,
    reproducible,
)
from microtome.training.metrics import PerClass
from microtome.training.regression import Scale
from microtome.training.transfer import build_resizing
from microtome.training.trial import MODEL

_COLOUR_HINT = "Take the images as the network learned them: grey or in colour (micrographs.colour)."


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained network with its card, ready to be asked."""

    network: nn.Module
    card: ModelCard
    device: torch.device
    path: Path

    @classmethod
    def load(cls, path: Path | str, *, device: str = "auto") -> Model:
        """Load a model file, or that of a trial's or a run's folder; FileError where there is none, or a damaged one."""
        file = find_model(Path(path))
        card = ModelCard.read(file)
        network = build_resizing(
            card.network,
            channels=card.channels,
            classes=len(card.classes),
            edge=card.image_size,
            size=card.input_size,
            **card.parameters,
        )
        try:
            network.load_state_dict(read_tensors(file))
        except RuntimeError as error:
            raise FileError(
                f"The weights in {file} do not fit the network “{card.network}” of this version.",
                "Use the version that wrote the file, or train again.",
            ) from error
        place = choose_device(device)
        network.to(place, memory_format=memory_format(place, card.precision))  # type: ignore[call-overload]
        return cls(network=network.eval().requires_grad_(False), card=card, device=place, path=file)

    def predict(self, images: NDArray[Any], *, batch_size: int = 256) -> NDArray[np.float32]:
        """Probabilities (n, k) of the classes for images (n, h, w), in colour (n, 3, h, w), as in the image set.

        Where memory ends, it goes on with half as many at once, as the measurements of a training do. Raises InputError where
        the images have another size than those the network learned from, or hold NaN, and where the network tells a number.
        """
        if self.card.value:
            raise InputError("This network tells a value, no class.", "Ask it for values.")
        found: NDArray[np.float32] = np.concatenate(
            [torch.from_numpy(part).softmax(dim=1).numpy() for part in self._answers(images, batch_size)]
        )
        return found

    def tell(self, images: NDArray[Any], *, batch_size: int = 256) -> NDArray[np.float64]:
        """The values (n,), in the card's unit, of images (n, h, w); of a network that tells a number. Raises as predict."""
        if not self.card.value:
            raise InputError("This network tells classes, no value.", "Ask it for classes.")
        scale = Scale(mean=self.card.value["mean"], deviation=self.card.value["deviation"])
        return scale.real(np.concatenate(self._answers(images, batch_size))[:, 0])

    def _answers(self, images: NDArray[Any], batch_size: int) -> list[NDArray[np.float32]]:
        images = np.asarray(images)
        edge = self.card.image_size
        wanted = (edge, edge) if self.card.channels == 1 else (self.card.channels, edge, edge)
        if images.shape[1:] != wanted:
            colour = images.ndim != len(wanted) + 1
            raise InputError(
                f"The network wants images (n, {', '.join(map(str, wanted))}), not {images.shape}.",
                _COLOUR_HINT if colour else f"Resample them to {edge} × {edge} pixels.",
            )
        parts, start = [np.empty((0, len(self.card.classes)), dtype=np.float32)], 0
        while start < len(images):
            part = np.asarray(images[start : start + batch_size], dtype=np.float32)
            if not np.isfinite(part).all():
                raise InputError("An image holds values that are not numbers.", "Leave such images out.")
            with explained_memory("a single image"):
                try:
                    parts.append(self._logits(part))
                    start += batch_size
                except RuntimeError as error:
                    if not ran_out_of_memory(error) or len(part) == 1:
                        raise
                    batch_size = -(-len(part) // 2)
        return parts

    def _logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        none = np.zeros(len(images), dtype=np.int64)
        source = Images(images, none, mean=self.card.mean, deviation=self.card.deviation, device=self.device, hold=True)
        batch, _ = source.batch(torch.arange(len(images)))
        with torch.inference_mode(), autocast(self.device, self.card.precision):
            logits = self.network(batch.contiguous(memory_format=memory_format(self.device, self.card.precision)))
            result: NDArray[np.float32] = logits.float().cpu().numpy()
        return result


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What a network says about the images of a set."""

    split: str
    classes: tuple[str, ...]
    images: NDArray[np.int64]  # (n,) numbers in the image set
    true: NDArray[np.int64]  # (n,)
    probabilities: NDArray[np.float32]  # (n, k)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class of each image (n,)."""
        best: NDArray[np.int64] = self.probabilities.argmax(axis=1).astype(np.int64)
        return best

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Counts (k, k): rows true, columns predicted."""
        return metrics.confusion(self.true, self.predicted, len(self.classes))

    @property
    def per_class(self) -> PerClass:
        """class → (correct, total)."""
        return metrics.per_class(self.confusion, self.classes)

    @property
    def accuracy(self) -> float:
        """The mean of the class accuracies."""
        return metrics.mean_accuracy(self.confusion)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy, the images taken as independent."""
        return class_mean_interval(self.per_class)[1]

    def save(self, path: Path) -> None:
        """Replace a CSV file: image, true, predicted, p_<class> …, one row an image."""
        text = io.StringIO(newline="")
        rows = csv.writer(text)
        rows.writerow(["image", "true", "predicted", *(f"p_{name}" for name in self.classes)])
        for image, true, predicted, shares in zip(
            self.images.tolist(), self.true.tolist(), self.predicted.tolist(), self.probabilities.tolist(), strict=True
        ):
            rows.writerow([image, self.classes[true], self.classes[predicted], *(f"{p:.6f}" for p in shares)])
        write_text(path, text.getvalue())


def find_model(path: Path) -> Path:
    """The model file of a path: itself, that of a trial's folder, or that of the best trial of a run's folder (so far)."""
    if path.is_file():
        return path
    if (path / MODEL).is_file():
        return path / MODEL
    if files := sorted((path / "trials").glob(f"*/{MODEL}")):
        return max(files, key=lambda file: ModelCard.read(file).validation_accuracy)
    if not path.exists():
        raise FileError(f"{path} does not exist.", "Give a model.safetensors, or the folder of a trial or a run.")
    raise FileError(f"There is no trained network in {path}.", "Give a model.safetensors, or the folder of a trial or a run.")


def evaluate(
    model: Path | str, image_set: ImageSet | Path | str, split: str = "evaluation", *, device: str = "auto"
) -> Predictions:
    """Ask the network of a file or folder about one set; where it is a folder, predictions.csv is written into it.

    Raises InputError where the image set has other classes than the network, or images of another size.
    """
    images = image_set if isinstance(image_set, ImageSet) else ImageSet.open(Path(image_set))
    loaded = Model.load(model, device=device)
    if images.classes != loaded.card.classes:
        raise InputError(
            f"The network tells {', '.join(loaded.card.classes)}; the image set holds {', '.join(images.classes)}.",
            "Evaluate on images of the same classes, in the same order.",
        )
    indices = images.split(split)
    found = [loaded.predict(images.images[part]) for part in np.array_split(indices, max(1, -(-len(indices) // 1024)))]
    predictions = Predictions(
        split=split,
        classes=images.classes,
        images=indices,
        true=images.labels[indices],
        probabilities=np.concatenate(found),
    )
    if Path(model).is_dir():
        predictions.save(loaded.path.parent / "predictions.csv")
    return predictions


def trust_words(image_set: ImageSet, split: str = "evaluation") -> str:
    """How far the interval of an accuracy on a set may be trusted; "" where every image is a micrograph of its own.

    Images of one volume share its structure and how it was imaged, so an interval over images says nothing of other volumes.
    """
    indices = image_set.split(split)
    count = len(np.unique(image_set.poses.volumes[indices]))
    if count == len(indices):
        return ""
    plural = "" if count == 1 else "s"
    alike = f"The interval takes the {len(indices)} images as independent."
    if image_set.micrographs:
        return f"{alike} They are parts of {count} micrograph{plural}: it does not hold for other specimens."
    return f"{alike} They come from {count} volume{plural}: it holds for other slices of these, not for other specimens."


def run_evaluation(spec: dict[str, Any], report: Callable[[Event], None], should_stop: Callable[[], str]) -> dict[str, Any]:
    """`evaluate` as a task of a worker: spec {folder, image_set, split?, device?, threads?}.

    Returns {accuracy, interval, per_class: {class: [correct, total]}, confusion, predicted: the class's number of each image},
    plain JSON.
    """
    device = spec.get("device", "auto")
    split = spec.get("split", "evaluation")
    with reproducible(choose_device(device), int(spec.get("threads", 0))):
        found = evaluate(spec["folder"], spec["image_set"], split, device=device)
    return {
        "accuracy": found.accuracy,
        "interval": list(found.interval),
        "per_class": {name: list(counts) for name, counts in found.per_class.items()},
        "confusion": found.confusion.tolist(),
        "predicted": found.predicted.tolist(),
    }
