"""The compiled light of the 3-D picture: shading, soft shadows between neighbours, haze with depth, smoothing of edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.ui.views.space.raster import LIT
from microtome.volumes.compiled import compiled, inlined

Array = NDArray[Any]
#: The light comes from the upper left, over the viewer's shoulder; right, down, forward.
LIGHT = (-0.40, -0.62, -0.675)
AMBIENT, DIFFUSE, SHINE = 0.40, 0.68, 0.16
SHADOW = 0.85  # how dark a wholly enclosed place is
HAZE = 0.45  # how much of the background's colour is on the farthest corner
_TURN = 2.399963  # the golden angle: samples on a spiral are spread evenly


@inlined
def _open_sky(
    depth: Any, normal: Any, row: int, column: int, dx: float, dy: float, focal: float, reach: float, n: int
) -> float:
    """How much of the surroundings within `reach` leaves a pixel in the light (0 … 1), from `n` samples on a spiral.

    Ambient occlusion in the picture's plane: a neighbour that rises above the surface's tangent plane takes light away.
    """
    height, width = depth.shape
    z = float(depth[row, column])
    nx, ny, nz = float(normal[row, column, 0]), float(normal[row, column, 1]), float(normal[row, column, 2])
    x, y = dx * z, dy * z
    radius = min(reach * focal / z, 0.25 * width)
    if radius < 1.5:
        return 1.0
    turn = 1.5707963 * ((row & 1) * 2 + (column & 1)) + 0.7 * ((row // 2 + column // 2) & 1)
    taken = 0.0
    for k in range(n):
        away = radius * math.sqrt((k + 0.6) / n)
        i, j = row + math.floor(away * math.sin(turn) + 0.5), column + math.floor(away * math.cos(turn) + 0.5)
        turn += _TURN
        if i < 0 or j < 0 or i >= height or j >= width:
            continue
        zz = float(depth[i, j])
        if zz == np.inf:
            continue
        vx, vy, vz = (dx + (j - column) / focal) * zz - x, (dy + (i - row) / focal) * zz - y, zz - z
        square = vx * vx + vy * vy + vz * vz
        rise = (nx * vx + ny * vy + nz * vz) / math.sqrt(square + 1e-30) - 0.08
        if rise > 0.0:
            taken += rise / (1.0 + square / (reach * reach))
    return max(0.0, 1.0 - 2.2 * taken / n)


@compiled
def shade(
    depth: Array, normal: Array, colour: Array, haze: Array, rgb: Array, view: Array, reach: float, samples: int, rows: Array,
    out: Array,
) -> None:  # fmt: skip
    """Light the rows [rows[0], rows[1]) of a whole picture into `out` (h, w, 4; premultiplied).

    `haze`: the depths between which the background's colour `rgb` gains on things; `reach`: of the soft shadows, in lengths;
    `samples` 0 leaves them out.
    """
    focal, middle_x, middle_y = view[0], view[1], view[2]
    for row in range(rows[0], rows[1]):
        dy = (row + 0.5 - middle_y) / focal
        for column in range(depth.shape[1]):
            mode = colour[row, column, 3]
            if mode == 0:
                out[row, column] = 0
                continue
            out[row, column, 3] = 255
            if mode != LIT:
                out[row, column, :3] = colour[row, column, :3]
                continue
            dx = (column + 0.5 - middle_x) / focal
            nx, ny, nz = float(normal[row, column, 0]), float(normal[row, column, 1]), float(normal[row, column, 2])
            facing = max(0.0, nx * LIGHT[0] + ny * LIGHT[1] + nz * LIGHT[2])
            # Blinn: half way between the light and the viewer, who is straight ahead (near enough for a narrow field).
            half = max(0.0, (nx * LIGHT[0] + ny * LIGHT[1] + nz * (LIGHT[2] - 1.0)) / 1.83)
            sky = 1.0
            if samples > 0:
                sky = 1.0 - SHADOW * (1.0 - _open_sky(depth, normal, row, column, dx, dy, focal, reach, samples))
            # Light from above is a little brighter than from below.
            light = AMBIENT * (1.0 - 0.2 * ny) * sky + DIFFUSE * facing * (0.35 + 0.65 * sky)
            shine = 255.0 * SHINE * half**24 * sky
            share = min(1.0, max(0.0, (depth[row, column] - haze[0]) / (haze[1] - haze[0])))
            share = HAZE * share * share
            for k in range(3):
                lit = min(255.0, colour[row, column, k] * light + shine)
                out[row, column, k] = np.uint8(lit * (1.0 - share) + rgb[k] * share)


@compiled
def halved(fine: Array, out: Array) -> None:
    """The mean of each 2 × 2 pixels (premultiplied colours)."""
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            for k in range(4):
                total = np.uint32(2)
                total += np.uint32(fine[2 * row, 2 * column, k]) + np.uint32(fine[2 * row, 2 * column + 1, k])
                total += np.uint32(fine[2 * row + 1, 2 * column, k]) + np.uint32(fine[2 * row + 1, 2 * column + 1, k])
                out[row, column, k] = np.uint8(total // 4)
