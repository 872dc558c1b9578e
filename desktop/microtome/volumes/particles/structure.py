"""What a structure of spheres is like: volume fraction, overlaps, contacts, structure factor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.plugin import Structure

Array = NDArray[np.float64]
_CHUNK = 2**22  # complex numbers worked on at a time


def check(structure: Structure) -> Structure:
    """The structure itself; InputError where its arrays do not fit together, or a sphere lies outside a periodic box."""
    centres, radii, box = structure.centres, structure.radii, np.asarray(structure.box, dtype=float)
    if centres.ndim != 2 or centres.shape[1:] != (3,) or radii.shape != (len(centres),) or box.shape != (3,):
        raise InputError(f"A structure has centres (n, 3), radii (n,) and a box (3,), not {centres.shape}, {radii.shape}.")
    if len(radii) == 0:
        raise InputError("The structure has no particle.", "Enlarge the box, the volume fraction, or both.")
    if not (np.isfinite(centres).all() and np.isfinite(radii).all() and (radii > 0).all() and (box > 0).all()):
        raise InputError("A structure's places must be finite, its radii and box positive.")
    wraps = np.array(structure.wraps)
    if not ((centres >= 0) | ~wraps).all() or not ((centres < box) | ~wraps).all():
        raise InputError("In a periodic structure every centre lies in the box.")
    if structure.types is not None and structure.types.shape != structure.radii.shape:
        raise InputError(f"A structure's types are one a particle, not {structure.types.shape}.")
    return structure


def volume_fraction(structure: Structure) -> float:
    """The spheres' volumes over the box's (overlaps counted twice, spheres of an open box counted whole)."""
    return float(np.sum(4 / 3 * np.pi * structure.radii**3) / np.prod(structure.box))


def _pairs(structure: Structure, reach: float) -> tuple[NDArray[np.int64], Array]:
    """The pairs of centres nearer than `reach`, and their distances."""
    from scipy.spatial import cKDTree  # here: the window must not wait for it at its start

    # A period of 0 is none.
    box = np.where(structure.wraps, structure.box, 0.0)
    tree = cKDTree(structure.centres, boxsize=box)
    pairs = np.asarray(tree.query_pairs(reach, output_type="ndarray"), dtype=np.int64)
    apart = structure.centres[pairs[:, 0]] - structure.centres[pairs[:, 1]]
    for axis in np.flatnonzero(structure.wraps):
        apart[:, axis] -= box[axis] * np.rint(apart[:, axis] / box[axis])
    return pairs, np.linalg.norm(apart, axis=1)


def max_overlap(structure: Structure) -> float:
    """The deepest overlap of two spheres as a share of their distance at contact."""
    pairs, distance = _pairs(structure, 2 * float(structure.radii.max()))
    contact = structure.radii[pairs].sum(axis=1)
    return float(np.max(1 - distance / contact, initial=0.0))


def contact_number(structure: Structure, *, gap: float = 0.05) -> float:
    """The mean number of neighbours within (1 + gap) of the distance at contact."""
    pairs, distance = _pairs(structure, 2 * float(structure.radii.max()) * (1 + gap))
    contact = structure.radii[pairs].sum(axis=1)
    return 2 * float(np.count_nonzero(distance < contact * (1 + gap))) / len(structure.radii)


def specific_surface(structure: Structure) -> float:
    """The spheres' surfaces over the box's volume, in 1/unit (overlaps counted twice)."""
    return float(np.sum(4 * np.pi * structure.radii**2) / np.prod(structure.box))


def aggregate_size(structure: Structure, *, gap: float = 0.05) -> float:
    """The mean number of particles of an aggregate: of those that contacts, as of `contact_number`, join.

    Mean over aggregates (number average); a particle without a neighbour is an aggregate of one.
    """
    from scipy.sparse import coo_array  # here: the window must not wait for it at its start
    from scipy.sparse.csgraph import connected_components

    pairs, distance = _pairs(structure, 2 * float(structure.radii.max()) * (1 + gap))
    joined = pairs[distance < structure.radii[pairs].sum(axis=1) * (1 + gap)]
    count = len(structure.radii)
    graph = coo_array((np.ones(len(joined)), (joined[:, 0], joined[:, 1])), shape=(count, count))
    _, owners = connected_components(graph, directed=False)
    return count / (int(owners.max()) + 1)


#: What can be computed of a structure, by name.
PROPERTIES: dict[str, Callable[[Structure], float]] = {
    "volume fraction": volume_fraction,
    "contact number": contact_number,
    "specific surface": specific_surface,
    "aggregate size": aggregate_size,
}


def structure_factor(structure: Structure, edges: Array, *, per_shell: int = 200, seed: int = 0) -> tuple[Array, Array]:
    """S(q) = ⟨|Σ exp(iq·r)|²⟩/N, averaged over shells of wave vectors 2π(n₁/L₁, n₂/L₂, n₃/L₃) → (mean q, S) of each shell.

    `edges` are the shells' limits in 1/unit (k+1 numbers for k shells); of a shell with more than `per_shell` vectors that
    many are drawn. A shell without a commensurate vector is NaN. The structure is taken as periodic.
    """
    box = np.asarray(structure.box)
    rng = np.random.default_rng(seed)
    most = np.ceil(edges[-1] * box / (2 * np.pi)).astype(int)
    # One of ±q is enough: half of the vectors, with n₁ ≥ 0.
    axes = [np.arange(0 if k == 0 else -most[k], most[k] + 1) for k in range(3)]
    numbers = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    vectors = 2 * np.pi * numbers / box
    length = np.linalg.norm(vectors, axis=1)
    shells = np.digitize(length, edges) - 1
    q, s = np.full(len(edges) - 1, np.nan), np.full(len(edges) - 1, np.nan)
    for shell in range(len(edges) - 1):
        chosen = np.flatnonzero((shells == shell) & (length > 0))
        if len(chosen) > per_shell:
            chosen = rng.choice(chosen, per_shell, replace=False)
        if len(chosen):
            q[shell] = length[chosen].mean()
            s[shell] = _intensity(structure.centres, vectors[chosen]).mean() / len(structure.centres)
    return q, s


def _intensity(centres: Array, vectors: Array) -> Array:
    """|Σ exp(iq·r)|² of each wave vector."""
    rows = max(1, _CHUNK // len(centres))
    parts = []
    for start in range(0, len(vectors), rows):
        phase = vectors[start : start + rows] @ centres.T
        parts.append(np.cos(phase).sum(axis=1) ** 2 + np.sin(phase).sum(axis=1) ** 2)
    return np.concatenate(parts)


def percus_yevick(qd: Array, fraction: float) -> Array:
    """S(q) of the hard-sphere fluid of that volume fraction at q times diameter, in Percus–Yevick's approximation.

    Wertheim's solution (Phys. Rev. Lett. 10 (1963) 321); S(0) = (1−φ)⁴/(1+2φ)². Its terms cancel as qd → 0: use qd ≥ 0.05.
    """
    a = np.asarray(qd, dtype=float)
    alpha = (1 + 2 * fraction) ** 2 / (1 - fraction) ** 4
    beta = -6 * fraction * (1 + fraction / 2) ** 2 / (1 - fraction) ** 4
    gamma = fraction * alpha / 2
    sin, cos = np.sin(a), np.cos(a)
    g = (
        alpha * (sin - a * cos) / a**2
        + beta * (2 * a * sin + (2 - a**2) * cos - 2) / a**3
        + gamma * (-(a**4) * cos + 4 * ((3 * a**2 - 6) * cos + (a**3 - 6 * a) * sin + 6)) / a**5
    )
    return np.asarray(1 / (1 + 24 * fraction * g / a))
