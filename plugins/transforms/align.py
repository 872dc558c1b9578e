"""Transform: slices moved onto each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, InputError, RawVolume, Report, transform
from microtome.volumes.corrections.derived import DerivedArray, numbers
from microtome.volumes.corrections.progress import steps
from microtome.volumes.corrections.registration import Trend, measured_positions, trend
from microtome.volumes.corrections.shifting import common_area, shifted

_TRENDS: dict[str, Trend] = {"a steady slant": "slant", "slow bends": "bends", "nothing": "none"}


def _measure(volume: RawVolume, report: Report, *, reach: int, reference: str, detail: int, **_later: Any) -> dict[str, Any]:
    voxels = volume.voxels
    pages = (voxels[z] for z in steps(int(voxels.shape[0]), report))
    found = measured_positions(pages, int(voxels.shape[0]), reach=reach, limit=detail, running_mean=reference == "running mean")
    return {"positions": np.round(found, 4).tolist()}


def _moves(known: dict[str, Any], count: int, keep: str, slow: int) -> NDArray[np.float64]:
    """How far each slice is displaced (n, 2), without what is taken for the structure's own; the middle at 0."""
    place = numbers(known, "positions", count, "Align slices", width=2)
    moved = np.asarray(place - trend(place, _TRENDS[keep], slow=slow))
    return np.asarray(moved - (moved.max(axis=0) + moved.min(axis=0)) / 2)


def _words(known: dict[str, Any], *, keep: str, slow: int, reference: str, **_rest: Any) -> str:
    moved = _moves(known, len(known.get("positions", ())), keep, slow)
    largest = float(np.hypot(*np.ptp(moved, axis=0))) if len(moved) else 0.0
    rule = {"a steady slant": "; a steady slant was kept", "slow bends": f"; bends slower than {slow} slices were kept"}
    how = "their running mean" if reference == "running mean" else "their neighbours"
    return f"slices aligned with {how} by sub-pixel image correlation (drift of {largest:.1f} px{rule.get(keep, '')})"


@transform("align", label="Align slices", measure=_measure, order=30, words=_words)
def align(
    volume: RawVolume,
    known: dict[str, Any],
    *,
    keep: str = Field(
        "a steady slant",
        choices=tuple(_TRENDS),
        label="Not drift",
        help="What of the movement from slice to slice is the structure's own and stays, as a fibre's that runs askew",
    ),
    slow: int = Field(50, 5, 10_000, unit="slices", help="Bends that are slower than this stay, where bends are to stay"),
    edges: str = Field(
        "crop",
        choices=("crop", "repeat", "empty"),
        help="Keep the area common to all slices, repeat the edge, or leave it empty",
    ),
    interpolation: str = Field(
        "linear", choices=("linear", "cubic", "whole pixels"), help="Whole pixels for labels; cubic blurs least"
    ),
    reference: str = Field(
        "neighbours", choices=("neighbours", "running mean"), help="What each slice is compared with", advanced=True
    ),
    reach: int = Field(3, 1, 10, unit="slices", help="How many slices back each is compared with", advanced=True),
    detail: int = Field(1024, 64, 8192, unit="px", help="Slices are reduced to about this size to be compared", advanced=True),
) -> RawVolume:
    """Move slices against each other to undo a drift of the picture, as measured by correlating neighbours."""
    voxels = volume.voxels
    depth, height, width = (int(n) for n in voxels.shape)
    moved = _moves(known, depth, keep, slow)
    if interpolation == "whole pixels":
        moved = np.rint(moved)
    rows, columns = common_area(moved, (height, width)) if edges == "crop" else (slice(0, height), slice(0, width))
    if rows.stop - rows.start < 1 or columns.stop - columns.start < 1:
        far = np.ptp(moved, axis=0)
        raise InputError(
            f"The slices of {volume.source or 'the volume'} drift by {far[0]:.0f} × {far[1]:.0f} px: no area is common to all.",
            "Choose edges = repeat or empty, or exclude the slices that jump.",
        )
    read = shifted(voxels, moved, interpolation=interpolation, empty=edges == "empty")

    def part(z: int, ys: slice, xs: slice) -> NDArray[Any]:
        down, right = rows.start, columns.start
        return read(z, slice(ys.start + down, ys.stop + down), slice(xs.start + right, xs.stop + right))

    shape = (depth, rows.stop - rows.start, columns.stop - columns.start)
    said = _loss(moved, edges, (height, width), 1 - shape[1] * shape[2] / (height * width))
    array = DerivedArray(shape, voxels.dtype, part, whole=interpolation == "cubic", name=volume.source)
    return replace(volume, voxels=array, findings=(*volume.findings, said))


def _loss(moved: NDArray[np.float64], edges: str, size: tuple[int, int], cut: float) -> str:
    """How far slices were moved, and which share of the area that cost."""
    there = np.clip(1 - np.abs(moved) / np.array(size), 0, 1)
    share = cut if edges == "crop" else float(1 - there.prod(axis=1).mean())
    verb = {"crop": "was cut off", "repeat": "repeats an edge", "empty": "is empty"}[edges]
    return f"Slices were moved by up to {np.abs(moved).max():.1f} px; {100 * share:.1f} % of the area {verb}."
