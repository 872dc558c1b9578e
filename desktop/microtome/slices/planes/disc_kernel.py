"""The compiled loops of cutting spheres: each disc's share of each pixel, exactly, found by a cell list."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.compiled import compiled, inlined

Array = NDArray[Any]
_PANELS_A_PIXEL = 2.0  # to 1e-3 of a pixel: tests/unit/slices/planes/test_discs.py


@inlined
def _corner(x: float, y: float, root_x: float, root_y: float, arc_x: float, arc_y: float, rr: float) -> float:
    """The area of the disc of squared radius rr about 0 that lies left of x and above y (both within ± its radius).

    root is √(rr − x²), arc is asin(x/r). Elementary geometry: a corner inside the disc cuts off two circular segments and a
    rectangle; a corner outside leaves one segment, or the disc without two.
    """
    if x * x + y * y <= rr:
        return x * y + 0.5 * (x * root_x + y * root_y + rr * (arc_x + arc_y)) + 0.25 * math.pi * rr
    left = x * root_x + rr * (arc_x + 0.5 * math.pi)  # of the disc left of x
    above = y * root_y + rr * (arc_y + 0.5 * math.pi)
    if x >= 0.0:
        return left + above - math.pi * rr if y >= 0.0 else above
    return left if y >= 0.0 else 0.0


@inlined
def _clipped(value: float, radius: float) -> float:
    return min(max(value, -radius), radius)


@compiled
def _add_disc(image: Array, row: float, column: float, radius: float, weight: float, edges: Array) -> None:
    """Add weight × the covered share of each pixel to image (h, w); row, column and radius are in pixels.

    Pixel (0, 0) reaches from −½ to ½. edges (6, m) is scratch space for a disc's pixel borders.
    """
    h, w = image.shape
    i0, i1 = max(0, math.floor(row - radius + 0.5)), min(h - 1, math.floor(row + radius + 0.5))
    j0, j1 = max(0, math.floor(column - radius + 0.5)), min(w - 1, math.floor(column + radius + 0.5))
    if i1 < i0 or j1 < j0:
        return
    rr = radius * radius
    for k in range(i1 - i0 + 2):
        y = _clipped(i0 + k - 0.5 - row, radius)
        edges[0, k], edges[1, k], edges[2, k] = y, math.sqrt(max(0.0, rr - y * y)), math.asin(y / radius)
    for k in range(j1 - j0 + 2):
        x = _clipped(j0 + k - 0.5 - column, radius)
        edges[3, k], edges[4, k], edges[5, k] = x, math.sqrt(max(0.0, rr - x * x)), math.asin(x / radius)
    for i in range(i1 - i0 + 1):
        above, below = 0.0, 0.0
        for j in range(j1 - j0 + 2):
            x, root, arc = edges[3, j], edges[4, j], edges[5, j]
            up = _corner(x, edges[0, i], root, edges[1, i], arc, edges[2, i], rr)
            down = _corner(x, edges[0, i + 1], root, edges[1, i + 1], arc, edges[2, i + 1], rr)
            if j > 0:
                image[i0 + i, j0 + j - 1] += weight * max(0.0, down - up - below + above)
            above, below = up, down


@compiled
def _add_sphere(
    image: Array, row: float, column: float, height: float, radius: float, thick: float, nodes: Array, edges: Array
) -> None:
    """Add a sphere's share of each pixel of a plane (thick 0) or of a slab; all lengths in pixels, height from the plane.

    Through a slab the discs are averaged over the angle θ of z = r·sin θ, in which their area is smooth: Gauss–Legendre `nodes`
    (2, m) in each of as many panels as the disc's edge crosses pixels.
    """
    if thick <= 0.0:
        _add_disc(image, row, column, math.sqrt(radius * radius - height * height), 1.0, edges)
        return
    low = math.asin(_clipped(height - 0.5 * thick, radius) / radius)
    high = math.asin(_clipped(height + 0.5 * thick, radius) / radius)
    widest = 1.0 if low * high <= 0.0 else math.cos(min(abs(low), abs(high)))
    narrowest = math.cos(max(abs(low), abs(high)))
    panels = 1 + int(_PANELS_A_PIXEL * radius * (widest - narrowest))
    half = 0.5 * (high - low) / panels
    for p in range(panels):
        for k in range(nodes.shape[1]):
            angle = low + half * (2 * p + 1 + nodes[0, k])
            disc = radius * math.cos(angle)
            if disc > 1e-9:
                _add_disc(image, row, column, disc, half * nodes[1, k] * disc / thick, edges)


@compiled
def _add_cell(image: Array, view: Array, cell: Any, shift: Array, spheres: tuple[Array, Array, Array], scratch: Any) -> None:
    """Add the spheres of one cell; view (4, 3): down, right and normal as unit vectors, and pixel, thickness, unused."""
    centres, radii, first = spheres
    nodes, edges = scratch
    h, w = image.shape
    down, right, normal = view[0], view[1], view[2]
    pixel, thickness = view[3, 0], view[3, 1]
    for m in range(first[cell], first[cell + 1]):
        dz, dy, dx = centres[m, 0] + shift[0], centres[m, 1] + shift[1], centres[m, 2] + shift[2]
        height = normal[0] * dz + normal[1] * dy + normal[2] * dx
        if abs(height) < radii[m] + 0.5 * thickness:
            row = (down[0] * dz + down[1] * dy + down[2] * dx) / pixel + 0.5 * (h - 1)
            column = (right[0] * dz + right[1] * dy + right[2] * dx) / pixel + 0.5 * (w - 1)
            _add_sphere(image, row, column, height / pixel, radii[m] / pixel, thickness / pixel, nodes, edges)


@compiled
def _add_slice(image: Array, place: Array, view: Array, reach: float, cells: Any, spheres: Any, scratch: Any) -> None:
    """Add every sphere within `reach` of the plane: of each column of cells, only those that the plane comes near."""
    corner, edge, number, period = cells
    normal = view[2]
    low, high, shift = np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(3)
    for k in range(3):
        half = 0.5 * view[3, 0] * (image.shape[0] * abs(view[0, k]) + image.shape[1] * abs(view[1, k])) + reach
        low[k] = math.floor((place[k] - half - corner[k]) / edge[k])
        high[k] = math.floor((place[k] + half - corner[k]) / edge[k])
        if period[k] == 0.0:
            low[k], high[k] = max(low[k], 0), min(high[k], number[k] - 1)
    main = np.argmax(np.abs(normal))
    one, two = (main + 1) % 3, (main + 2) % 3
    # A cell is met where its middle is within this of the plane.
    near = reach + 0.5 * (abs(normal[0]) * edge[0] + abs(normal[1]) * edge[1] + abs(normal[2]) * edge[2])
    wide = near / abs(normal[main]) / edge[main]
    for a in range(low[one], high[one] + 1):
        along_a = normal[one] * (corner[one] + (a + 0.5) * edge[one] - place[one])
        for b in range(low[two], high[two] + 1):
            along = along_a + normal[two] * (corner[two] + (b + 0.5) * edge[two] - place[two])
            middle = (place[main] - along / normal[main] - corner[main]) / edge[main] - 0.5
            for c in range(max(low[main], math.ceil(middle - wide)), min(high[main], math.floor(middle + wide)) + 1):
                cell = 0
                for k in range(3):
                    index = a if k == one else (b if k == two else c)
                    wrapped = index % number[k]
                    shift[k] = (index - wrapped) // number[k] * period[k] - place[k]
                    cell = cell * number[k] + wrapped
                _add_cell(image, view, cell, shift, spheres, scratch)


@compiled
def discs(
    spheres: Any, cells: Any, places: Array, axes: Array, sizes: Any, nodes: Array, out: Array, begin: int, end: int
) -> None:
    """Fill out[begin:end] (n, h, w) with covered shares 0 … 1.

    spheres: centres (m, 3) and radii (m,), sorted by cell, and first (cells + 1), where a cell's begin. cells: corner, edge,
    number and period, each (3,): cell (a, b, c) begins at corner + (a, b, c) · edge, a period of 0 is none. places (n, 3) are
    the slices' centres, axes (n, 2, 3) unit vectors down and right; sizes: edge of a pixel, thickness of the slab.
    """
    pixel, thickness = sizes
    largest = spheres[1].max()
    image = np.zeros((out.shape[1], out.shape[2]))
    scratch = (nodes, np.zeros((6, int(2 * largest / pixel) + 4)))
    view = np.zeros((4, 3))
    view[3, 0], view[3, 1] = pixel, thickness
    for s in range(begin, end):
        view[0], view[1] = axes[s, 0], axes[s, 1]
        for k in range(3):
            a, b = (k + 1) % 3, (k + 2) % 3
            view[2, k] = view[0, a] * view[1, b] - view[0, b] * view[1, a]
        image[:] = 0.0
        _add_slice(image, places[s], view, largest + 0.5 * thickness, cells, spheres, scratch)
        for i in range(image.shape[0]):
            for j in range(image.shape[1]):
                out[s, i, j] = min(1.0, image[i, j])
