"""Transform: fewer, larger voxels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, InputError, RawVolume, transform
from microtome.volumes.corrections.derived import DerivedArray, back


def _words(_known: dict[str, Any], *, z: int, y: int, x: int, how: str) -> str:
    if how == "mean":
        return f"binned {z} × {y} × {x} (z, y, x)"
    return f"sampled every {z} × {y} × {x} voxels (z, y, x)"


def _place(at: int, _known: dict[str, Any], *, z: int, **_rest: int | str) -> int:
    return at // z


@transform("bin", label="Bin or sample", words=_words, place=_place)
def bin_voxels(
    volume: RawVolume,
    known: dict[str, Any],
    *,
    z: int = Field(1, 1, 64, help="How many slices become one"),
    y: int = Field(2, 1, 64, help="How many rows become one"),
    x: int = Field(2, 1, 64, help="How many columns become one"),
    how: str = Field(
        "mean",
        choices=("mean", "sample"),
        help="The mean of the voxels, or one voxel of them (quick; keeps labels what they are)",
    ),
) -> RawVolume:
    """Make fewer, larger voxels: their mean, or one of them; the voxel size follows."""
    voxels, factors = volume.voxels, (z, y, x)
    shape = [int(n) // f for n, f in zip(voxels.shape, factors, strict=True)]
    if min(shape) < 1:
        raise InputError(
            f"{' × '.join(str(f) for f in factors)} voxels cannot become one in a volume of "
            f"{' × '.join(str(n) for n in voxels.shape)}.",
            "Choose smaller factors.",
        )

    def mean(at: int, rows: slice, columns: slice) -> NDArray[Any]:
        total = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=np.float64)
        for slice_ in range(at * z, at * z + z):
            page = voxels[slice_, rows.start * y : rows.stop * y, columns.start * x : columns.stop * x]
            # In whole numbers, or in doubles, whatever the part: a voxel is the same however it is asked for.
            page = page.reshape(total.shape[0], y, total.shape[1], x)
            for i in range(y):
                for j in range(x):
                    total += page[:, i, :, j]
        return back(total / (z * y * x), voxels.dtype)

    def sample(at: int, rows: slice, columns: slice) -> NDArray[Any]:
        corner = voxels[at * z + z // 2, rows.start * y : rows.stop * y, columns.start * x : columns.stop * x]
        return np.ascontiguousarray(corner[y // 2 :: y, x // 2 :: x])

    size = volume.voxel_size
    return replace(
        volume,
        voxels=DerivedArray(
            (shape[0], shape[1], shape[2]), voxels.dtype, mean if how == "mean" else sample, name=volume.source
        ),
        voxel_size=None if size is None else (size[0] * z, size[1] * y, size[2] * x),
        findings=(*volume.findings, *_left_out(voxels.shape, factors)),
    )


def _left_out(shape: tuple[int, ...], factors: tuple[int, int, int]) -> tuple[str, ...]:
    named = zip(shape, factors, ("slice", "row", "column"), strict=True)
    lost = [f"{int(n) % f} {name}{'' if int(n) % f == 1 else 's'}" for n, f, name in named if n % f]
    return (f"Binning left out the last {' and '.join(lost)}.",) if lost else ()
