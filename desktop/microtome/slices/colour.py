"""Colour in image sets: whether micrographs are taken so, the cut of their channels, the brightness of what is cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.slices.geometry import Array
from microtome.slices.grey import Grey, grey_of
from microtome.slices.plan import VolumeSource
from microtome.slices.sampler import Sampler
from microtome.volumes.colours import is_coloured
from microtome.volumes.volume import Volume

if TYPE_CHECKING:
    from microtome.slices.source import Member

CHANNELS = 3
Images = NDArray[np.float32]


@dataclass(frozen=True)
class Palette:
    """How many channels the images of a set have, and what is to be said of it."""

    channels: int = 1
    said: tuple[str, ...] = ()

    def applied(self, members: Sequence[Member]) -> list[Member]:
        """The members of a class, its micrographs to be opened with their colours where the set has them."""
        if self.channels == 1:
            return list(members)
        return [replace(m, colour=True) if m.flat else m for m in members]

    def signature(self) -> list[Any]:
        """What of it determines the images: nothing of a grey set."""
        return [] if self.channels == 1 else [{"channels": self.channels}]


def palette_of(groups: Sequence[Sequence[Member]], wanted: str) -> Palette:
    """Grey or RGB for the members of all classes: as `wanted` ("grey", "rgb"), or for "auto" as most micrographs are.

    Volumes are grey: where there is one, "auto" is grey. Looks at the pixels of every micrograph that is stored as RGB, unless
    that was done before. Raises FileError for one that cannot be read, InputError where colour is wanted of a volume.
    """
    flat = [m for group in groups for m in group if m.flat]
    if wanted == "grey":
        return Palette()
    volume = next((m for group in groups for m in group if not m.flat), None)
    if wanted == "rgb" and volume is not None:
        raise InputError(
            f"{volume.name} is a volume; volumes are grey, and no set can hold both them and colour.",
            'Set micrographs.colour = "grey", or leave the volume out.',
        )
    coloured = sum(is_coloured(_path(m)) for m in flat)
    if wanted == "rgb" or (volume is None and 2 * coloured > len(flat)):
        return Palette(CHANNELS, (_rgb_words(coloured, len(flat)),))
    if coloured == 0:
        return Palette()
    why = "most are grey" if volume is None else "volumes are grey"
    return Palette(1, (f"{coloured} of {len(flat)} images are in colour; their brightness was taken, since {why}.",))


def _rgb_words(coloured: int, images: int) -> str:
    words = "The images are taken in colour: three channels, normalised alike; transparency is left out."
    if coloured == images:
        return words
    return (
        f"{words} {images - coloured} of {images} have no colour and three equal channels: where the classes are not alike in "
        "that, colour alone tells them."
    )


def _path(member: Member) -> Path:
    assert isinstance(member.source, VolumeSource), "a micrograph is a file"
    return Path(member.source.path)


def as_colours(grey: NDArray[Any]) -> NDArray[Any]:
    """A grey image (y, x) as three equal channels (3, y, x), which share its memory."""
    return np.broadcast_to(grey, (CHANNELS, *grey.shape))


def cut_colours(sampler: Sampler, images: Images, centres: Array, axes: Array) -> Images:
    """Images (n, h, w) that were cut at centres and axes as they are, or (n, 3, h, w) of a micrograph that has its colours."""
    volume = sampler.volume
    if volume.colours is None:
        return images
    found = []
    for channel in volume.colours:
        plane = replace(volume, voxels=np.ascontiguousarray(channel)[None], colours=None, _kept=None)
        found.append(Sampler(plane, sampler.grid).cut(centres, axes))
    return np.stack(found, axis=1)


def statistics_of(volume: Volume, *, name: str) -> Grey:
    """The statistics by which images of a volume are normalised; of a micrograph with colours one shift and one factor for all.

    The shift is that of the brightness, so that brightness alone tells nothing, and colours stay. The deviation is the root
    mean square of the channels' own: of three equal ones that of the grey image, and how strongly an image is tinted does not
    matter. Quantiles are those of all three channels together, so that none lies beyond them.
    """
    grey = grey_of(volume, name=name)
    if volume.colours is None:
        return grey
    channels = [grey_of(channel, name=name) for channel in volume.colours]
    pooled = grey_of(volume.colours.reshape(-1, volume.shape[2]), name=name)
    deviation = math.sqrt(sum(c.deviation**2 for c in channels) / len(channels))
    low, high = (grey.low, grey.high) if grey.high > grey.low else (pooled.low, pooled.high)
    return Grey(grey.mean, deviation, low, high, pooled.quantiles)


def tint(images: Images) -> NDArray[np.float64]:
    """The colour of each image (n, 3, h, w) as a whole, (n, 2): means of red and blue, less that of green."""
    means: NDArray[np.float64] = np.asarray(images).mean(axis=(2, 3), dtype=np.float64)
    apart: NDArray[np.float64] = means[:, (0, 2)] - means[:, 1:2]
    return apart
