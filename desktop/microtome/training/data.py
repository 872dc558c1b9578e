"""Images as tensors: a whole set in memory where it fits, else read batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from microtome.errors import InputError
from microtome.slices.imageset import ImageSet
from microtome.training.levels import Level, per_channel

_CHUNK = 256  # images read at once
_SHARE_OF_MEMORY = 0.25  # of what is free now: other workers want theirs


class Images:
    """Some images of a set with their labels, as the network sees them: (image − mean) / deviation, float32 on the device."""

    def __init__(
        self,
        source: NDArray[np.float32],
        labels: NDArray[np.int64] | NDArray[np.float32],
        *,
        mean: Level,
        deviation: Level,
        device: torch.device,
        indices: NDArray[np.int64] | None = None,
        hold: bool | None = None,
    ) -> None:
        """`source` (n, h, w) or (n, c, h, w), possibly on disk; `labels` (n,) classes, or standard numbers; `indices` to use.

        `hold`: keep them in memory (None: if they fit).
        """
        self._source = source
        self._indices = np.arange(len(source)) if indices is None else indices
        self._mean, self._deviation, self._device = mean, deviation, device
        self.labels = torch.from_numpy(_plain(labels[self._indices])).to(device)
        keep = self._fits() if hold is None else hold
        self._held = self._load(self._indices) if keep else None

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def held(self) -> bool:
        """True where all images are in memory."""
        return self._held is not None

    def batch(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Images (b, c, h, w) and labels (b,) at `positions` (b,), a CPU tensor of numbers below len(self)."""
        if self._held is not None:
            there = positions.to(self._device)
            return self._held[there], self.labels[there]
        return self._load(self._indices[positions.numpy()]), self.labels[positions.to(self._device)]

    def _load(self, indices: NDArray[np.int64]) -> Tensor:
        inside = self._source.shape[1:] if self._source.ndim == 4 else (1, *self._source.shape[1:])
        images = torch.empty((len(indices), *inside), dtype=torch.float32, device=self._device)
        for start in range(0, len(indices), _CHUNK):
            part = np.asarray(self._source[indices[start : start + _CHUNK]], dtype=np.float32)
            images[start : start + _CHUNK] = torch.from_numpy(part).to(self._device).view(len(part), *inside)
        return images.sub_(per_channel(self._mean, images)).div_(per_channel(self._deviation, images))

    def _fits(self) -> bool:
        wanted = len(self._indices) * int(np.prod(self._source.shape[1:])) * 4
        if self._device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self._device)
        else:
            free = psutil.virtual_memory().available
        return wanted <= free * _SHARE_OF_MEMORY


def _plain(labels: NDArray[np.int64] | NDArray[np.float32]) -> NDArray[Any]:
    return np.ascontiguousarray(labels, dtype=np.float32 if np.issubdtype(labels.dtype, np.floating) else np.int64)


def load(
    image_set: ImageSet,
    name: str,
    *,
    mean: Level,
    deviation: Level,
    device: torch.device,
    hold: bool | None = None,
    labels: NDArray[np.float32] | None = None,
) -> Images:
    """The images of one set (train, validation, evaluation); InputError where it has none.

    `labels` (n,) of all images of the image set, where they are not those of its classes.
    """
    indices = image_set.split(name)
    if len(indices) == 0:
        raise InputError(f"The image set {image_set.path.name} has no {name} images.", "Cut the slices again with some.")
    wanted = image_set.labels if labels is None else labels
    return Images(image_set.images, wanted, mean=mean, deviation=deviation, device=device, indices=indices, hold=hold)


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """The weight (classes,) of each class by which all count alike: number of images ÷ (classes × images of the class).

    A class without images gets 0; the mean weight of an image is 1.
    """
    counts = torch.bincount(labels, minlength=classes).to(torch.float32)
    weights = len(labels) / (counts.clamp(min=1) * torch.count_nonzero(counts).clamp(min=1))
    return torch.where(counts > 0, weights, torch.zeros_like(weights))


def balanced_batches(labels: Tensor, classes: int, size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """As many positions as there are labels, drawn with replacement so that each class is as likely, in even parts."""
    chances = class_weights(labels, classes)[labels].cpu()
    drawn = torch.multinomial(chances, len(labels), replacement=True, generator=generator)
    return drawn.tensor_split(even_parts(len(labels), size))


def batches(count: int, size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """The numbers 0 … count − 1 in random order, in as many parts as `even_parts` says, which differ by at most one."""
    return torch.randperm(count, generator=generator).tensor_split(even_parts(count, size))


def even_parts(count: int, most: int) -> int:
    """Into how many even parts so many images fall, of at most `most` each, and never of a single one.

    Batch normalisation cannot digest a single image: where `most` is 2 and the number odd, a part has three.
    """
    parts = max(1, -(-count // most))
    return parts if count >= 2 * parts else max(1, count // 2)
