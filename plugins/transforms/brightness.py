"""Transform: slices of even brightness."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, RawVolume, Report, transform
from microtome.volumes.corrections.brightness import equalise, level
from microtome.volumes.corrections.derived import DerivedArray, back, numbers, working
from microtome.volumes.corrections.progress import steps

_LABEL = "Equalise brightness"


def _measure(volume: RawVolume, report: Report, *, by: str, **_later: Any) -> dict[str, Any]:
    found = [
        level(volume.voxels[z], quantiles=by == "median and quartiles") for z in steps(int(volume.voxels.shape[0]), report)
    ]
    return {"centre": [c for c, _ in found], "spread": [s for _, s in found]}


def _words(_known: dict[str, Any], *, by: str, window: int, contrast: bool) -> str:
    what = by if contrast else by.split(" and ")[0]
    return f"{what} of each slice brought to {f'the running median over {window} slices' if window else 'those of the volume'}"


@transform("brightness", label=_LABEL, measure=_measure, order=60, words=_words)
def brightness(
    volume: RawVolume,
    known: dict[str, Any],
    *,
    window: int = Field(
        31, 0, 100_000, unit="slices", help="What changes more slowly than this stays; 0: all slices become alike"
    ),
    contrast: bool = Field(True, help="Also bring the contrast of each slice to that of its neighbours"),
    by: str = Field(
        "mean and deviation",
        choices=("mean and deviation", "median and quartiles"),
        help="How brightness and contrast are measured; the median does not follow a few charged or empty places",
    ),
) -> RawVolume:
    """Bring each slice's brightness and contrast to what is usual around it, against flicker and jumps."""
    voxels = volume.voxels
    count = int(voxels.shape[0])
    even = equalise(
        numbers(known, "centre", count, _LABEL), numbers(known, "spread", count, _LABEL), window=window, with_gain=contrast
    )
    real = working(voxels.dtype)

    def part(z: int, rows: slice, columns: slice) -> NDArray[Any]:
        page: NDArray[Any] = voxels[z, rows, columns]
        page = (page.astype(real) - real(even.centre[z])) * real(even.gain[z]) + real(even.target[z])
        return back(page, voxels.dtype)

    moved = even.target - even.centre
    said = f"Slices were made brighter or darker by up to {np.abs(moved).max():.3g} grey levels."
    shape = (count, int(voxels.shape[1]), int(voxels.shape[2]))
    return replace(
        volume, voxels=DerivedArray(shape, voxels.dtype, part, name=volume.source), findings=(*volume.findings, said)
    )
