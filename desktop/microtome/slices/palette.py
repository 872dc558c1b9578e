"""The palette of an image set: grey or RGB, decided from the micrographs of all classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from microtome.errors import InputError
from microtome.slices.colour import CHANNELS
from microtome.slices.plan import VolumeSource
from microtome.slices.source import Member
from microtome.volumes.images.colours import is_coloured


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
