"""Transform: without certain slices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, InputError, RawVolume, transform
from microtome.volumes.corrections.derived import DerivedArray, back, working
from microtome.volumes.corrections.ranges import parse_ranges


def _words(_known: dict[str, Any], *, slices: str, instead: str) -> str:
    if not slices.strip():
        return "no slice excluded"
    done = "left out" if instead == "remove" else "replaced by what lies between their neighbours"
    return f"slices {slices} {done}"


def _place(z: int, _known: dict[str, Any], *, slices: str, instead: str) -> int:
    if instead != "remove":
        return z
    return z - sum(1 for bad in parse_ranges(slices) if bad < z)


@transform("exclude", label="Exclude slices", order=15, words=_words, place=_place)
def exclude(
    volume: RawVolume,
    known: dict[str, Any],
    *,
    slices: str = Field("", help="Which slices, counted from 0: 12-15, 40"),
    instead: str = Field(
        "interpolate",
        choices=("interpolate", "remove"),
        help="Put in their place what lies between their neighbours (depth stays true), or join the neighbours",
    ),
) -> RawVolume:
    """Leave bad slices out, or put what lies between their good neighbours in their place."""
    voxels = volume.voxels
    depth, height, width = (int(n) for n in voxels.shape)
    bad = parse_ranges(slices)
    if bad and bad[-1] >= depth:
        raise InputError(f"There is no slice {bad[-1]} in {volume.source or 'the volume'}.", f"The last one is {depth - 1}.")
    good = np.setdiff1d(np.arange(depth), bad)
    if len(good) == 0:
        raise InputError("Every slice would be excluded.", "Leave at least one.")
    if not bad:
        return volume
    if instead == "remove":

        def kept(z: int, rows: slice, columns: slice) -> NDArray[Any]:
            return voxels[int(good[z]), rows, columns]

        array = DerivedArray((len(good), height, width), voxels.dtype, kept, name=volume.source)
        said = f"Slices {slices.strip()} were left out; their neighbours were joined, so depth is no longer true there."
        return replace(volume, voxels=array, findings=(*volume.findings, said))
    float_type = working(voxels.dtype)

    def between(z: int, rows: slice, columns: slice) -> NDArray[Any]:
        after = int(np.searchsorted(good, z))
        if after < len(good) and good[after] == z:
            return voxels[z, rows, columns]
        if after in (0, len(good)):
            return voxels[int(good[min(after, len(good) - 1)]), rows, columns]
        low, high = int(good[after - 1]), int(good[after])
        share = float_type((z - low) / (high - low))
        below: NDArray[Any] = voxels[low, rows, columns].astype(float_type)
        above: NDArray[Any] = voxels[high, rows, columns].astype(float_type)
        return back(below + (above - below) * share, voxels.dtype)

    array = DerivedArray((depth, height, width), voxels.dtype, between, name=volume.source)
    said = f"Slices {slices.strip()} were replaced by what lies between their neighbours."
    return replace(volume, voxels=array, findings=(*volume.findings, said))
