"""The compiled loop that draws spheres into voxels, each voxel as the share of it that is covered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.compiled import compiled

Array = NDArray[Any]
FULL = 255


@compiled
def draw_spheres(
    out: Array, centres: Array, radii: Array, voxel: Array, fine: int, periodic: Array, first: int, depth: int
) -> None:
    """Add the coverage of each sphere to `out` (z, y, x; uint8, 255 = all covered), boundary voxels from fine² lines.

    `out` are the rows from `first` of a volume of `depth` rows. Voxel i of it reaches from i·voxel to (i+1)·voxel. Coverages
    of spheres that touch add up, so that no volume is lost. `periodic` (3,): whether what leaves on one side comes in on the
    other; no sphere is wider than a periodic edge.
    """
    half = 0.5 * voxel
    low = np.zeros(3, np.int64)
    high = np.zeros(3, np.int64)
    for n in range(radii.shape[0]):
        r = radii[n]
        for k in range(3):
            low[k] = int(np.floor((centres[n, k] - r) / voxel[k]))
            high[k] = int(np.floor((centres[n, k] + r) / voxel[k]))
            if not periodic[k]:
                low[k] = max(low[k], 0)
                high[k] = min(high[k], (depth if k == 0 else out.shape[k]) - 1)
        for a in range(low[0], high[0] + 1):
            z = a % depth - first
            if z < 0 or z >= out.shape[0]:
                continue
            dz = (a + 0.5) * voxel[0] - centres[n, 0]
            near_z, far_z = max(0.0, abs(dz) - half[0]) ** 2, (abs(dz) + half[0]) ** 2
            for b in range(low[1], high[1] + 1):
                dy = (b + 0.5) * voxel[1] - centres[n, 1]
                near_y, far_y = near_z + max(0.0, abs(dy) - half[1]) ** 2, far_z + (abs(dy) + half[1]) ** 2
                if near_y >= r * r:
                    continue
                y = b % out.shape[1]
                for c in range(low[2], high[2] + 1):
                    dx = (c + 0.5) * voxel[2] - centres[n, 2]
                    if near_y + max(0.0, abs(dx) - half[2]) ** 2 >= r * r:
                        continue
                    value = FULL
                    if far_y + (abs(dx) + half[2]) ** 2 > r * r:
                        value = _covered(dz, dy, dx, r * r, voxel, fine)
                    x = c % out.shape[2]
                    out[z, y, x] = min(FULL, out[z, y, x] + value)


@compiled
def _covered(dz: float, dy: float, dx: float, squared: float, voxel: Array, fine: int) -> int:
    """The share of a voxel (0 … 255) inside a sphere: fine² lines along x, each with the exact length inside."""
    low, high = dx - 0.5 * voxel[2], dx + 0.5 * voxel[2]
    inside = 0.0
    for i in range(fine):
        z = dz + voxel[0] * ((i + 0.5) / fine - 0.5)
        for j in range(fine):
            y = dy + voxel[1] * ((j + 0.5) / fine - 0.5)
            rest = squared - z * z - y * y
            if rest > 0.0:
                half = np.sqrt(rest)
                inside += max(0.0, min(high, half) - max(low, -half))
    return int(np.rint(FULL * inside / (fine * fine * voxel[2])))
