"""Boxes of simulations brought to edges along the axes: turned, mirrored and sheared ones where that changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError, InputError

Array = NDArray[np.float64]
_LARGEST = 1e30  # edge; the smallest is as much below 1
_EXACT = 1e-6  # of an edge: what a lattice may be off the right angle by rounding


def lattice_frame(rows: Array, places: Array, path: Path) -> tuple[tuple[float, float, float], Array, tuple[str, ...]]:
    """Edges (x, y, z) of the box with the lattice vectors `rows` from the origin, and the places (n, 3) inside it.

    A lattice along the axes keeps its axes; any other with right angles is turned into them, and that is said. A lattice that
    is sheared by whole edges is the same as one that is not. InputError for any other: it has no voxels.
    """
    sensible = (np.abs(rows) < _LARGEST).all() and (np.abs(rows).max(axis=1) > 1 / _LARGEST).all()
    if not sensible or abs(np.linalg.det(rows)) <= 0:
        raise FileError(f"{path} has a box without volume: {np.array2string(rows.ravel(), precision=4)}.", "Save it again.")
    rows = unsheared(rows)
    length = np.linalg.norm(rows, axis=1)
    axes = rows / length[:, None]
    if np.abs(axes @ axes.T - np.eye(3)).max() > _EXACT:
        angles = np.degrees(np.arccos(np.clip([axes[1] @ axes[2], axes[0] @ axes[2], axes[0] @ axes[1]], -1, 1)))
        raise InputError(
            f"{path} has an oblique box (angles {', '.join(f'{a:.4g}°' for a in angles)}), which has no voxels.",
            "Save it with a right-angled box, or without one.",
        )
    if _along(axes):
        # Edges along the axes, in any order and direction: a negative edge begins at its far end.
        edges = np.abs(rows).max(axis=0)
        start = np.minimum(rows, 0).sum(axis=0)
        return (float(edges[0]), float(edges[1]), float(edges[2])), places - start, ()
    inside = places @ axes.T
    return (
        (float(length[0]), float(length[1]), float(length[2])),
        inside,
        ("The box is turned; it was laid along its own axes.",),
    )


def _along(axes: Array) -> bool:
    """Whether each unit vector lies along x, y or z."""
    return bool((np.abs(np.abs(axes).max(axis=1) - 1) <= _EXACT).all())


def unsheared(rows: Array) -> Array:
    """The lattice vectors less the whole multiples of the others that they are sheared by: the same lattice."""
    rows = np.array(rows, dtype=float)
    for i, j in ((1, 0), (2, 1), (2, 0)):
        rows[i] -= np.rint(rows[i] @ rows[j] / (rows[j] @ rows[j])) * rows[j]
    return rows
