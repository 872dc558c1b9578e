"""Transform: slices of uneven thickness put where they belong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, InputError, RawVolume, Report, transform
from microtome.volumes.corrections.derived import DerivedArray, back, numbers, working
from microtome.volumes.corrections.progress import steps
from microtome.volumes.corrections.registration import pairs
from microtome.volumes.corrections.spacing import REACH, depths

_LABEL = "Even slice distances"


def _measure(volume: RawVolume, report: Report, *, detail: int, **_later: Any) -> dict[str, Any]:
    voxels = volume.voxels
    count = int(voxels.shape[0])
    pages = (voxels[z] for z in steps(count, report))
    found = [pair for _, here in pairs(pages, reach=REACH, limit=detail) for pair in here]
    return {"depths": np.round(depths(found, count), 4).tolist()}


def _words(known: dict[str, Any], **_rest: Any) -> str:
    gaps = np.diff(known.get("depths", ()))
    spread = f" (from {gaps.min():.2f} to {gaps.max():.2f} of the mean)" if len(gaps) else ""
    return f"slice distances estimated from the likeness of neighbours{spread} and made even by linear interpolation"


def _place(z: int, known: dict[str, Any], **_rest: Any) -> int:
    return round(float(known["depths"][z]))


@transform("slice-positions", label=_LABEL, measure=_measure, once=True, order=40, words=_words, place=_place)
def slice_positions(
    volume: RawVolume,
    known: dict[str, Any],
    *,
    interpolation: str = Field("linear", choices=("linear", "nearest"), help="Nearest for labels, which cannot be mixed"),
    detail: int = Field(512, 64, 8192, unit="px", help="Slices are reduced to about this size to be compared", advanced=True),
) -> RawVolume:
    """Estimate the distance of neighbouring slices from how alike they are, and resample them to even distances."""
    voxels = volume.voxels
    depth, height, width = (int(n) for n in voxels.shape)
    place = numbers(known, "depths", depth, _LABEL)
    if depth > 1 and not (np.diff(place) > 0).all():
        raise InputError("The measured depths of the slices do not increase.", "Measure them again, or remove the step.")
    real = working(voxels.dtype)

    def part(z: int, rows: slice, columns: slice) -> NDArray[Any]:
        above = int(np.clip(np.searchsorted(place, z), 1, depth - 1))
        share = (z - place[above - 1]) / (place[above] - place[above - 1])
        if interpolation == "nearest" or share <= 0 or share >= 1:
            return np.asarray(voxels[above if share >= 0.5 else above - 1, rows, columns])
        low: NDArray[Any] = voxels[above - 1, rows, columns].astype(real)
        high: NDArray[Any] = voxels[above, rows, columns].astype(real)
        return back(low + (high - low) * real(share), voxels.dtype)

    if depth < 2:
        return volume
    gaps = np.diff(place)
    said = f"Distances of slices from {gaps.min():.2f} to {gaps.max():.2f} of the mean were made even."
    array = DerivedArray((depth, height, width), voxels.dtype, part, name=volume.source)
    return replace(volume, voxels=array, findings=(*volume.findings, said))
