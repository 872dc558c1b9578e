"""Transform: a part of the volume."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from microtome.plugin import Field, InputError, RawVolume, transform
from microtome.volumes.corrections.derived import DerivedArray


def _words(_known: dict[str, Any], *, z_from: int, z_to: int, y_from: int, y_to: int, x_from: int, x_to: int) -> str:
    named = (("slices", z_from, z_to), ("rows", y_from, y_to), ("columns", x_from, x_to))
    parts = [f"{axis} {a} to {b - 1 if b else 'the end'}" for axis, a, b in named if a or b]
    return f"cropped to {', '.join(parts)}" if parts else "not cropped"


def _place(z: int, _known: dict[str, Any], *, z_from: int, **_rest: int) -> int:
    return z - z_from


@transform("crop", label="Crop", order=10, words=_words, place=_place)
def crop(
    volume: RawVolume,
    known: dict[str, Any],
    *,
    z_from: int = Field(0, 0, label="z from", help="The first slice that is kept, counted from 0"),
    z_to: int = Field(0, 0, label="z to", help="The first slice behind those that are kept; 0: up to the end"),
    y_from: int = Field(0, 0, label="y from", help="The first row that is kept"),
    y_to: int = Field(0, 0, label="y to", help="The first row below those that are kept; 0: up to the end"),
    x_from: int = Field(0, 0, label="x from", help="The first column that is kept"),
    x_to: int = Field(0, 0, label="x to", help="The first column behind those that are kept; 0: up to the end"),
) -> RawVolume:
    """Keep a box of the volume, as without a data bar, an empty frame or damaged slices at the ends."""
    voxels = volume.voxels
    starts, sizes = [], []
    for axis, start, end, size in zip("zyx", (z_from, y_from, x_from), (z_to, y_to, x_to), voxels.shape, strict=True):
        stop = end or size
        if not start < stop <= size:
            raise InputError(
                f"Nothing can be cropped from {axis} = {start} to {stop}: {volume.source or 'the volume'} has {size} there.",
                f"Choose from 0 to {size}, the end behind the start.",
            )
        starts.append(start)
        sizes.append(stop - start)
    dz, dy, dx = starts

    def part(z: int, rows: slice, columns: slice) -> Any:
        return voxels[z + dz, rows.start + dy : rows.stop + dy, columns.start + dx : columns.stop + dx]

    return replace(volume, voxels=DerivedArray((sizes[0], sizes[1], sizes[2]), voxels.dtype, part, name=volume.source))
