"""By what shift and factor a network sees images: those of its training images, or those that pretrained weights expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from microtome.plugin import Plugin, PublishedWeights
from microtome.registry import registry
from microtome.slices.imageset import ImageSet
from microtome.training.spec import PUBLISHED, TrialSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

Level = float | tuple[float, ...]
"""One number for all channels, or one for each."""
_IMAGENET = PublishedWeights(name="ImageNet", source="")  # mean and deviation of its channels, values 0 … 1
_CHUNK = 256  # images read at once


def per_channel(level: Level, images: Tensor) -> Tensor | float:
    """A level as it is combined with images (…, c, h, w), on their device."""
    if not isinstance(level, tuple):
        return level
    import torch

    return torch.tensor(level, dtype=images.dtype, device=images.device).view(-1, 1, 1)


def statistics(images: NDArray[np.float32], indices: NDArray[np.int64]) -> tuple[float, float]:
    """Mean and standard deviation of some images, all channels together; the deviation is 1 where all values are equal."""
    count, total, squares = 0, 0.0, 0.0
    shift = float(images[indices[0]].mean()) if len(indices) else 0.0  # keeps the squares small where greys are far from 0
    for start in range(0, len(indices), _CHUNK):
        part = np.asarray(images[indices[start : start + _CHUNK]], dtype=np.float64) - shift
        count, total, squares = count + part.size, total + float(part.sum()), squares + float((part**2).sum())
    mean = total / max(1, count)
    deviation = max(0.0, squares / max(1, count) - mean**2) ** 0.5
    return shift + mean, deviation if deviation > 1e-12 * max(1.0, abs(shift)) else 1.0


def levels_of(spec: TrialSpec, image_set: ImageSet) -> tuple[Level, Level]:
    """(mean, deviation): the network of a trial sees (image − mean) / deviation.

    Of grey images, and without pretrained weights, they are those of all grey values of the training images, all channels
    together. Images in colour that meet published weights, whose first convolution stays as it is, come to them as their
    authors made theirs: exactly, where the image set keeps the values of files of one depth as they are; else the image set's
    mean and deviation are taken for those of ImageNet's channels.
    """
    mean, deviation = statistics(image_set.images, image_set.split("train"))
    source = spec.transfer.weights
    if image_set.channels == 1 or not source or spec.transfer.file:
        return mean, deviation
    published = _published(source, registry().get("network", spec.network.name))
    full = _full_scale(image_set)
    if full and image_set.plan.normalisation == "none":
        return tuple(full * m for m in published.mean), tuple(full * d for d in published.deviation)
    channels = zip(_IMAGENET.mean, _IMAGENET.deviation, published.mean, published.deviation, strict=True)
    made = [(mean - deviation * (mu - m) / sigma, deviation * d / sigma) for mu, sigma, m, d in channels]
    return tuple(m for m, _ in made), tuple(d for _, d in made)


def _published(source: str, plugin: Plugin) -> PublishedWeights:
    """What the authors of weights say of their images; ImageNet's usual levels where it is not known."""
    offered: tuple[PublishedWeights, ...] = plugin.extra.get("published", ())
    if source == PUBLISHED and offered:
        return offered[0]
    return next((p for p in offered if p.source == source), _IMAGENET)


def _full_scale(image_set: ImageSet) -> float:
    """The largest number that the files of a set can hold; 0 where they differ or hold real numbers."""
    kinds = {np.dtype(v["dtype"]) for v in image_set.volumes}
    kind = kinds.pop() if len(kinds) == 1 else np.dtype(np.float32)
    return float(np.iinfo(kind).max) if kind.kind == "u" else 0.0
