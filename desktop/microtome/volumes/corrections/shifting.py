"""Slices read as if they had been moved by fractions of a pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import LazyArray
from microtome.volumes.corrections.derived import ReadPart, back, working


def common_area(moved: NDArray[np.float64], size: tuple[int, int]) -> tuple[slice, slice]:
    """The rows and columns that lie inside every slice after slices displaced by `moved` (n, 2) are put back."""
    found = []
    for axis in range(2):
        start = max(0, math.ceil(-float(moved[:, axis].min()) - 1e-9))
        stop = size[axis] - max(0, math.ceil(float(moved[:, axis].max()) - 1e-9))
        found.append(slice(start, max(start, stop)))
    return found[0], found[1]


def shifted(voxels: LazyArray, moved: NDArray[np.float64], *, interpolation: str, empty: bool) -> ReadPart:
    """Read parts of slices whose content is displaced by `moved` (n, 2), put back: out[y, x] = slice[y + moved_y, x + moved_x].

    interpolation: "linear", "whole pixels" (`moved` rounded by the caller), "cubic" (spline; reads whole slices). Beyond the
    edges lies the edge's voxel, or with `empty` NaN (whole numbers: 0).
    """
    height, width = int(voxels.shape[1]), int(voxels.shape[2])

    def part(z: int, rows: slice, columns: slice) -> NDArray[Any]:
        dy, dx = float(moved[z, 0]), float(moved[z, 1])
        out = (
            _cubic(voxels[z], dy, dx, rows, columns) if interpolation == "cubic" else _linear(voxels, z, dy, dx, rows, columns)
        )
        if empty:
            y, x = np.arange(rows.start, rows.stop) + dy, np.arange(columns.start, columns.stop) + dx
            out = out.copy()
            blank = np.nan if out.dtype.kind == "f" else 0
            out[(y < 0) | (y > height - 1), :] = blank
            out[:, (x < 0) | (x > width - 1)] = blank
        return out

    return part


def _linear(voxels: LazyArray, z: int, dy: float, dx: float, rows: slice, columns: slice) -> NDArray[Any]:
    """The part between four neighbours; the same arithmetic for every part, so that a voxel has one value."""
    whole_y, whole_x = math.floor(dy), math.floor(dx)
    y = np.clip(np.arange(rows.start, rows.stop + 1) + whole_y, 0, int(voxels.shape[1]) - 1)
    x = np.clip(np.arange(columns.start, columns.stop + 1) + whole_x, 0, int(voxels.shape[2]) - 1)
    page = voxels[z, int(y[0]) : int(y[-1]) + 1, int(x[0]) : int(x[-1]) + 1]
    page = page[np.ix_(y - y[0], x - x[0])]
    if dy == whole_y and dx == whole_x:
        return np.ascontiguousarray(page[:-1, :-1])
    real = working(voxels.dtype)
    page = page.astype(real)
    fy, fx = real(dy - whole_y), real(dx - whole_x)
    page = page[:-1] + (page[1:] - page[:-1]) * fy if fy else page[:-1]
    page = page[:, :-1] + (page[:, 1:] - page[:, :-1]) * fx if fx else page[:, :-1]
    return back(page, voxels.dtype)


def _cubic(page: NDArray[Any], dy: float, dx: float, rows: slice, columns: slice) -> NDArray[Any]:
    from scipy.ndimage import shift

    real = working(page.dtype)
    moved = shift(page.astype(real), (-dy, -dx), order=3, mode="nearest")
    return back(moved[rows, columns], page.dtype)
