"""Augmentation of a batch: plugins in turn, each on the whole batch, with the labels that mixing leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its customary name

from microtome.errors import PluginError
from microtome.plugin import Plugin
from microtome.registry import registry
from microtome.training.levels import Level, per_channel, statistics
from microtome.training.spec import TrainingSpec

SYMMETRIES = "symmetries"
_SAMPLE = 512  # images that black and white are taken from
_TAILS = (0.5, 99.5)  # percentiles: a hot pixel is no white


@dataclass(frozen=True)
class Greys:
    """Where black and white lie on the scale of the images that are augmented: of all channels, or of each."""

    black: Level = 0.0
    white: Level = 1.0


@dataclass(frozen=True)
class Step:
    """An augmentation plugin with its settings."""

    plugin: Plugin
    settings: Mapping[str, Any]


class Augmenter:
    """Applies its steps to batches; without any, images and labels stay the very tensors that they were."""

    def __init__(self, steps: Sequence[Step] = (), greys: Greys = Greys()) -> None:
        self.steps, self.greys = tuple(steps), greys

    def __call__(self, images: Tensor, labels: Tensor, generator: torch.Generator, classes: int) -> tuple[Tensor, Tensor]:
        """Images (n, c, h, w) in other looks, and what to learn of them: labels (n,), or shares of the classes (n, classes).

        `generator` is the CPU's; for images elsewhere it seeds one of their device, so that no random number has to travel.
        Raises PluginError where a plugin returns something other than the contract says.
        """
        if not self.steps:
            return images, labels
        ours = generator_for(images, generator)
        targets = labels
        with torch.no_grad():
            for step in self.steps:
                found = self._apply(step, images, ours)
                if not step.plugin.extra["mixes"]:
                    images = _checked(step, found, images)
                    continue
                mixed, partner, weight = found
                images = _checked(step, mixed, images)
                targets = mix_targets(targets, partner, weight, classes)
        return images, targets

    def _apply(self, step: Step, images: Tensor, generator: torch.Generator) -> Any:
        if not step.plugin.extra["greys"]:
            return step.plugin.function(images, generator, **step.settings)
        black = per_channel(self.greys.black, images)
        scale = per_channel(self.greys.white, images) - black
        found = step.plugin.function((images - black) / scale, generator, **step.settings)
        if isinstance(found, tuple):
            return (found[0] * scale + black, *found[1:])
        return found * scale + black


def generator_for(images: Tensor, generator: torch.Generator) -> torch.Generator:
    """A generator of the images' device: the given one where it is, else one that it seeds."""
    if generator.device == images.device:
        return generator
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.Generator(images.device).manual_seed(seed)


def mix_targets(targets: Tensor, partner: Tensor, weight: Tensor, classes: int) -> Tensor:
    """Shares of the classes (n, classes) after image i became weight[i] of itself and the rest of image partner[i].

    `targets` are labels (n,), or shares (n, classes) that an earlier mixing left.
    """
    shares = F.one_hot(targets, classes).to(weight.dtype) if targets.ndim == 1 else targets
    part = weight.unsqueeze(1)
    return part * shares + (1 - part) * shares[partner]


def main_labels(targets: Tensor) -> Tensor:
    """Labels (n,) of images by the class that has the largest share in them."""
    return targets if targets.ndim == 1 else targets.argmax(dim=1)


def _checked(step: Step, found: object, images: Tensor) -> Tensor:
    if not isinstance(found, Tensor) or found.shape != images.shape or found.dtype != images.dtype:
        what = f"{tuple(found.shape)} {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
        raise PluginError(
            f"The augmentation {step.plugin.name} made {what} of images {tuple(images.shape)} {images.dtype}.",
            f"Mend {step.plugin.file}.",
        )
    return found


def steps_of(settings: TrainingSpec) -> tuple[Step, ...]:
    """The augmentations of a training in their order; flips and quarter turns come first where the list does not name them."""
    names = [item["name"] for item in settings.augmentations]
    first = [{"name": SYMMETRIES}] if settings.symmetries and SYMMETRIES not in names else []
    return tuple(
        Step(registry().get("augmentation", item["name"]), {k: v for k, v in item.items() if k != "name"})
        for item in (*first, *settings.augmentations)
    )


def needs_greys(steps: Sequence[Step]) -> bool:
    """Whether a step wants to know what is black and what is white."""
    return any(step.plugin.extra["greys"] for step in steps)


def greys_of(images: NDArray[np.float32], indices: NDArray[np.int64], mean: Level, deviation: Level) -> Greys:
    """Black and white of some images (n, h, w) or (n, c, h, w) on the scale (image − mean) / deviation, alike in all channels.

    Half a percent of the pixels is darker than black, half a percent brighter than white, in 512 images evenly apart. Where
    all greys are equal, white lies one deviation above black.
    """
    chosen = indices[np.unique(np.linspace(0, len(indices) - 1, min(_SAMPLE, len(indices))).round().astype(np.int64))]
    low, high = np.percentile(np.asarray(images[chosen], dtype=np.float32), _TAILS)
    if isinstance(mean, tuple) and isinstance(deviation, tuple):
        ends = [_ends(float(low), float(high), m, d) for m, d in zip(mean, deviation, strict=True)]
        return Greys(tuple(black for black, _ in ends), tuple(white for _, white in ends))
    assert not isinstance(mean, tuple)
    assert not isinstance(deviation, tuple)
    return Greys(*_ends(float(low), float(high), mean, deviation))


def _ends(low: float, high: float, mean: float, deviation: float) -> tuple[float, float]:
    black, white = (low - mean) / deviation, (high - mean) / deviation
    return black, white if white > black else black + 1.0


def augmenter(
    settings: TrainingSpec, images: NDArray[np.float32], indices: NDArray[np.int64], *, mean: Level, deviation: Level
) -> Augmenter:
    """The augmentations of a training, told what is black and white in its training images where one asks."""
    steps = steps_of(settings)
    return Augmenter(steps, greys_of(images, indices, mean, deviation) if needs_greys(steps) else Greys())


def augmented(
    images: NDArray[np.float32], labels: NDArray[np.int64], settings: TrainingSpec, *, seed: int
) -> tuple[NDArray[np.float32], bool]:
    """Some images (n, h, w) or (n, c, h, w) as one batch of a training that knows no others; whether labels were mixed."""
    every = np.arange(len(images))
    mean, deviation = statistics(images, every)
    chain = augmenter(settings, images, every, mean=mean, deviation=deviation)
    batch = torch.from_numpy((images - np.float32(mean)) / np.float32(deviation))
    batch = batch.unsqueeze(1) if images.ndim == 3 else batch
    generator = torch.Generator().manual_seed(seed)
    found, targets = chain(batch, torch.from_numpy(labels), generator, int(labels.max()) + 1)
    looks: NDArray[np.float32] = found.reshape(images.shape).numpy() * np.float32(deviation) + np.float32(mean)
    return looks, targets.ndim > 1
