"""The compiled loops of the 3-D picture drawn without OpenGL: depth, normal and colour of each pixel of a band of rows.

A band is a few buffers: depth (h, w) float32, inf where nothing is; normal (h, w, 3) float32 in the camera's frame (right,
down, forward); colour (h, w, 4) uint8, whose last channel says how it is lit. All geometry is in the camera's frame.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.compiled import compiled, inlined

Array = NDArray[Any]
LIT, PLAIN = 255, 128
"""The last channel of a colour: shaded by the light, or shown as it is."""
_BLOCK = 8  # pixels; a block that is all covered by what is nearer is skipped


@inlined
def _cut_away(clip: Any, x: float, y: float, z: float) -> bool:
    """Whether a point lies within all half spaces of what is cut away."""
    if clip.shape[0] == 0:
        return False
    away = True
    for k in range(clip.shape[0]):
        away = away and clip[k, 0] * x + clip[k, 1] * y + clip[k, 2] * z + clip[k, 3] > 0.0
    return away


@inlined
def _write(normal: Any, colour: Any, row: int, column: int, nx: float, ny: float, nz: float, rgb: Any) -> None:
    """Set what is lit at a pixel."""
    normal[row, column, 0], normal[row, column, 1], normal[row, column, 2] = nx, ny, nz
    colour[row, column, 0], colour[row, column, 1], colour[row, column, 2] = rgb[0], rgb[1], rgb[2]
    colour[row, column, 3] = LIT


@inlined
def _reach(c: float, z: float, r: float, focal: float, middle: float) -> tuple[float, float]:
    """Where the outline of a sphere begins and ends along one axis of the picture, exactly, in pixels."""
    away = z * z - r * r
    half = r * math.sqrt(c * c + away)
    return middle + focal * (c * z - half) / away, middle + focal * (c * z + half) / away


@compiled
def order_of(depths: Array, bins: int) -> Array:
    """Indices from near to far, to within a `bins`-th of the range: a counting sort, for it need not be exact."""
    n = depths.shape[0]
    order = np.empty(n, np.int32)
    if n == 0:
        return order
    low, high = depths[0], depths[0]
    for i in range(n):
        low = min(low, depths[i])
        high = max(high, depths[i])
    scale = (bins - 1) / max(high - low, 1e-30)
    start = np.zeros(bins + 1, np.int64)
    for i in range(n):
        start[int((depths[i] - low) * scale) + 1] += 1
    for k in range(bins):
        start[k + 1] += start[k]
    for i in range(n):
        k = int((depths[i] - low) * scale)
        order[start[k]] = i
        start[k] += 1
    return order


@inlined
def _hidden(far: Any, left: int, right: int, top: int, bottom: int, nearest: float) -> bool:
    """Whether every block that a rectangle of pixels touches is full of what is nearer."""
    for j in range(top // _BLOCK, bottom // _BLOCK + 1):
        for i in range(left // _BLOCK, right // _BLOCK + 1):
            if far[j, i] > nearest:
                return False
    return True


@inlined
def _covered(count: Any, far: Any, depth: Any, row: int, column: int) -> None:
    """Count a pixel that was empty; a block that is full now remembers its farthest depth."""
    j, i = row // _BLOCK, column // _BLOCK
    count[j, i] -= 1
    if count[j, i] == 0:
        farthest = 0.0
        for y in range(j * _BLOCK, min(depth.shape[0], (j + 1) * _BLOCK)):
            for x in range(i * _BLOCK, min(depth.shape[1], (i + 1) * _BLOCK)):
                farthest = max(farthest, depth[y, x])
        far[j, i] = farthest


@inlined
def _blocks(depth: Any) -> tuple[Any, Any]:
    """Pixels that are empty in each block, and the farthest depth of each block that is full (inf until then)."""
    rows, columns = (depth.shape[0] + _BLOCK - 1) // _BLOCK, (depth.shape[1] + _BLOCK - 1) // _BLOCK
    count = np.zeros((rows, columns), np.int32)
    far = np.full((rows, columns), np.inf, np.float32)
    for y in range(depth.shape[0]):
        for x in range(depth.shape[1]):
            if depth[y, x] == np.inf:
                count[y // _BLOCK, x // _BLOCK] += 1
    return count, far


@compiled
def draw_spheres(
    seen: Array, radii: Array, kinds: Array, order: Array, palette: Array, view: Array, clip: Array,
    depth: Array, normal: Array, colour: Array,
) -> None:  # fmt: skip
    """Draw spheres, the nearer ones first: each pixel's ray meets each sphere exactly, so that the outline is an ellipse.

    `view`: focal length, column and row of the optical axis, first row of the band, nearest depth.
    """
    focal, middle_x, middle_y, first, near = view[0], view[1], view[2], view[3], view[4]
    height, width = depth.shape
    count, far = _blocks(depth)
    for n in order:
        cx, cy, cz, r = float(seen[n, 0]), float(seen[n, 1]), float(seen[n, 2]), float(radii[n])
        if cz - r <= near:
            continue
        x0, x1 = _reach(cx, cz, r, focal, middle_x)
        y0, y1 = _reach(cy, cz, r, focal, middle_y - first)
        left, right = max(0, math.ceil(x0 - 0.5)), min(width - 1, math.floor(x1 - 0.5))
        top, bottom = max(0, math.ceil(y0 - 0.5)), min(height - 1, math.floor(y1 - 0.5))
        # A sphere smaller than a pixel still shows, as the pixel that it lies in.
        speck = x1 - x0 < 1.5
        if speck:
            left = right = math.floor((x0 + x1) / 2)
            top = bottom = math.floor((y0 + y1) / 2)
        outside = left > right or top > bottom or left < 0 or top < 0 or right >= width or bottom >= height
        if outside or _hidden(far, left, right, top, bottom, cz - r):
            continue
        c = cx * cx + cy * cy + cz * cz - r * r
        for row in range(top, bottom + 1):
            dy = (row + first + 0.5 - middle_y) / focal
            for column in range(left, right + 1):
                if depth[row, column] <= cz - r:
                    continue
                dx = (column + 0.5 - middle_x) / focal
                a = 1.0 + dx * dx + dy * dy
                b = dx * cx + dy * cy + cz
                inside = b * b - a * c
                if inside <= 0.0 and not speck:
                    continue
                t = (b - math.sqrt(max(inside, 0.0))) / a
                before = depth[row, column]
                if t >= before or _cut_away(clip, t * dx, t * dy, t):
                    continue
                depth[row, column] = t
                if speck:
                    _write(normal, colour, row, column, 0.0, -0.5, -0.866, palette[kinds[n]])
                else:
                    _write(normal, colour, row, column, (t * dx - cx) / r, (t * dy - cy) / r, (t - cz) / r, palette[kinds[n]])
                if before == np.inf:
                    _covered(count, far, depth, row, column)


@compiled
def draw_triangles(
    seen: Array, normals: Array, faces: Array, rgb: Array, view: Array, clip: Array, depth: Array, normal: Array, colour: Array
) -> None:
    """Draw triangles with interpolated normals, seen from both sides; 1 / depth is linear on the picture."""
    focal, middle_x, middle_y, near = view[0], view[1], view[2] - view[3], view[4]
    height, width = depth.shape
    for n in range(faces.shape[0]):
        a, b, c = faces[n, 0], faces[n, 1], faces[n, 2]
        za, zb, zc = float(seen[a, 2]), float(seen[b, 2]), float(seen[c, 2])
        if min(za, zb, zc) <= near:
            continue
        ia, ib, ic = 1.0 / za, 1.0 / zb, 1.0 / zc
        ya, yb, yc = middle_y + focal * seen[a, 1] * ia, middle_y + focal * seen[b, 1] * ib, middle_y + focal * seen[c, 1] * ic
        top, bottom = max(0, math.ceil(min(ya, yb, yc) - 0.5)), min(height - 1, math.floor(max(ya, yb, yc) - 0.5))
        if top > bottom:
            continue
        xa, xb, xc = middle_x + focal * seen[a, 0] * ia, middle_x + focal * seen[b, 0] * ib, middle_x + focal * seen[c, 0] * ic
        left, right = max(0, math.ceil(min(xa, xb, xc) - 0.5)), min(width - 1, math.floor(max(xa, xb, xc) - 0.5))
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if left > right or area == 0.0:
            continue
        for row in range(top, bottom + 1):
            py = row + 0.5
            for column in range(left, right + 1):
                px = column + 0.5
                wb = ((px - xa) * (yc - ya) - (xc - xa) * (py - ya)) / area
                wc = ((xb - xa) * (py - ya) - (px - xa) * (yb - ya)) / area
                wa = 1.0 - wb - wc
                if wa < 0.0 or wb < 0.0 or wc < 0.0:
                    continue
                t = 1.0 / (wa * ia + wb * ib + wc * ic)
                if t >= depth[row, column]:
                    continue
                dx, dy = (px - middle_x) / focal, (py - middle_y) / focal
                if _cut_away(clip, t * dx, t * dy, t):
                    continue
                nx = wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0]
                ny = wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1]
                nz = wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2]
                size = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-30
                if nx * dx + ny * dy + nz > 0.0:
                    size = -size
                depth[row, column] = t
                _write(normal, colour, row, column, nx / size, ny / size, nz / size, rgb)


@inlined
def _meets(plane: Any, dx: float, dy: float) -> tuple[float, float, float]:
    """Depth and shares (along down, along right) at which a pixel's ray meets a panel (see `draw_picture`)."""
    below = plane[0, 0] * dx + plane[0, 1] * dy + plane[0, 2]
    if below == 0.0:
        return -1.0, -1.0, -1.0
    t = plane[0, 3] / below
    v = t * (plane[1, 0] * dx + plane[1, 1] * dy + plane[1, 2]) + plane[1, 3]
    u = t * (plane[2, 0] * dx + plane[2, 1] * dy + plane[2, 2]) + plane[2, 3]
    return t, v, u


@inlined
def _texel(picture: Any, v: float, u: float) -> float:
    """The grey level of a picture between its four nearest pixels."""
    h, w = picture.shape
    y, x = min(max(v * h - 0.5, 0.0), h - 1.0), min(max(u * w - 0.5, 0.0), w - 1.0)
    i, j = int(y), int(x)
    k, m = min(i + 1, h - 1), min(j + 1, w - 1)
    fy, fx = y - i, x - j
    upper = float(picture[i, j]) * (1 - fx) + float(picture[i, m]) * fx
    lower = float(picture[k, j]) * (1 - fx) + float(picture[k, m]) * fx
    return float(upper * (1 - fy) + lower * fy)


@compiled
def draw_picture(
    picture: Array, masked: bool, plane: Array, frame: Array, rgb: Array, view: Array, bounds: Array,
    depth: Array, colour: Array,
) -> None:  # fmt: skip
    """Draw an opaque panel with its picture, in perspective.

    `plane` (3, 4): the normal and its product with a corner; then the rows that give the shares along down and right.
    `frame`: the width of the border as such shares; `masked`: the level 0 is left out; `bounds`: the rows and columns of
    the whole picture to look at.
    """
    focal, middle_x, middle_y, first, near = view[0], view[1], view[2], view[3], view[4]
    for row in range(max(0, bounds[0] - int(first)), min(depth.shape[0], bounds[1] - int(first))):
        dy = (row + first + 0.5 - middle_y) / focal
        for column in range(max(0, bounds[2]), min(depth.shape[1], bounds[3])):
            t, v, u = _meets(plane, (column + 0.5 - middle_x) / focal, dy)
            if t <= near or t >= depth[row, column] or v < 0.0 or u < 0.0 or v >= 1.0 or u >= 1.0:
                continue
            edge = min(v, 1.0 - v) < frame[0] or min(u, 1.0 - u) < frame[1]
            if masked and not edge and picture[int(v * picture.shape[0]), int(u * picture.shape[1])] == 0:
                continue
            depth[row, column] = t
            if edge:
                colour[row, column, 0], colour[row, column, 1], colour[row, column, 2] = rgb[0], rgb[1], rgb[2]
            else:
                grey = np.uint8(_texel(picture, v, u) + 0.5)
                colour[row, column, 0], colour[row, column, 1], colour[row, column, 2] = grey, grey, grey
            colour[row, column, 3] = PLAIN


@compiled
def lay_glass(
    plane: Array, frame: Array, rgb: Array, fill: float, view: Array, bounds: Array, depth: Array, out: Array
) -> None:
    """Lay a translucent panel over a finished band `out` (h, w, 4; premultiplied), where nothing nearer hides it."""
    focal, middle_x, middle_y, first, near = view[0], view[1], view[2], view[3], view[4]
    for row in range(max(0, bounds[0] - int(first)), min(depth.shape[0], bounds[1] - int(first))):
        dy = (row + first + 0.5 - middle_y) / focal
        for column in range(max(0, bounds[2]), min(depth.shape[1], bounds[3])):
            t, v, u = _meets(plane, (column + 0.5 - middle_x) / focal, dy)
            if t <= near or t >= depth[row, column] or v < 0.0 or u < 0.0 or v > 1.0 or u > 1.0:
                continue
            alpha = 1.0 if min(v, 1.0 - v) < frame[0] or min(u, 1.0 - u) < frame[1] else fill
            for k in range(3):
                out[row, column, k] = np.uint8(rgb[k] * alpha + out[row, column, k] * (1.0 - alpha) + 0.5)
            out[row, column, 3] = np.uint8(255.0 * alpha + out[row, column, 3] * (1.0 - alpha) + 0.5)
