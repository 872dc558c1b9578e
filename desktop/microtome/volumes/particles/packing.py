"""Spheres in a periodic box: their sizes, random and aggregated arrangements, and the relaxation of overlaps.

Built-in generators import this room's maths; lengths are in nm, vectors (z, y, x). The same generator state gives the same
structure to the bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.plugin import Structure

Array = NDArray[np.float64]
SMALLEST, LARGEST = 0.6, 1.7  # of the median diameter: the clip of the size distribution
OVERLAP = 0.02  # the largest that relaxation leaves, as a share of the distance at contact
_GAP = 1.02  # of touching spheres in a grown aggregate, so that relaxation does not tear it
_ATTEMPTS = 100_000
_RELAXATIONS = 5_000
_FIELD = 64  # cells along an edge of the density field


def draw_radii(rng: np.random.Generator, *, count: int, diameter: float, polydispersity: float) -> Array:
    """Radii of `count` spheres, log-normal about the median `diameter` with log-deviation `polydispersity`, clipped."""
    factors = np.exp(polydispersity * rng.standard_normal(count))
    return 0.5 * diameter * np.clip(factors, SMALLEST, LARGEST)


def radii_for(
    rng: np.random.Generator, *, diameter: float, polydispersity: float, volume_fraction: float, edge: float
) -> Array:
    """As many radii as fill `volume_fraction` of a cube of `edge`, scaled together so that they fill it exactly."""
    wanted = volume_fraction * edge**3
    mean = np.pi / 6 * diameter**3
    chunk = max(64, int(wanted / mean / 4))
    drawn = np.empty(0)
    while np.sum(drawn**3) * (4 / 3 * np.pi) < wanted:
        more = draw_radii(rng, count=chunk, diameter=diameter, polydispersity=polydispersity)
        drawn = np.concatenate([drawn, more])
    count = int(np.searchsorted(np.cumsum(4 / 3 * np.pi * drawn**3), wanted)) + 1
    return exact(drawn[:count], volume_fraction, edge)


def exact(radii: Array, volume_fraction: float, edge: float) -> Array:
    """The radii scaled by one factor so that the spheres fill exactly `volume_fraction` of the cube."""
    filled = float(np.sum(4 / 3 * np.pi * radii**3))
    return np.asarray(radii * (volume_fraction * edge**3 / filled) ** (1 / 3))


def _grid(radii: Array, edge: float) -> tuple[Array, NDArray[np.int64]]:
    """The box, and how many cells an edge has so that only neighbouring cells can touch."""
    reach = 2 * float(radii.max())
    count = int(edge / reach)
    if count < 3:
        raise InputError(
            f"A box of {edge:g} nm is too small for spheres of up to {reach:.3g} nm.",
            f"Make the edge at least {3 * reach:.0f} nm, or the particles smaller.",
        )
    # More cells than spheres would only cost memory.
    count = max(3, min(count, int(2 * len(radii) ** (1 / 3)) + 3))
    return np.full(3, float(edge)), np.full(3, count, dtype=np.int64)


def random_addition(rng: np.random.Generator, radii: Array, edge: float, *, sweeps: int = 0) -> Array:
    """Random sequential addition, the largest first, then `sweeps` Monte Carlo sweeps of hard-sphere moves → centres (n, 3).

    The sweeps bring S(q → 0) from RSA's to that of the equilibrium fluid. InputError where the spheres do not fit in.
    """
    from microtome.volumes.particles.packing_kernels import add_sequentially, move_spheres

    box, count = _grid(radii, edge)
    order = np.argsort(-radii, kind="stable")
    placed, n = add_sequentially(rng, radii[order], box, count, _ATTEMPTS)
    if n < len(radii):
        raise InputError(
            f"Only {n} of {len(radii)} spheres found a place at random: the volume fraction is too high.",
            "Lower volume_fraction below about 0.35.",
        )
    centres = np.empty_like(placed)
    centres[order] = placed
    if sweeps:
        move_spheres(rng, centres, radii, box, count, 0.2 * float(radii.mean()), sweeps)
    return centres


def random_points(rng: np.random.Generator, radii: Array, edge: float) -> Array:
    """Uniform random points, pushed apart until they hardly overlap: keeps the fluctuations of random points → (n, 3)."""
    return relax(rng.random((len(radii), 3)) * edge, radii, edge)


def relax(centres: Array, radii: Array, edge: float) -> Array:
    """Push overlapping pairs apart until the largest overlap is below 2 %; InputError where they do not come apart."""
    from microtome.volumes.particles.packing_kernels import relax_spheres

    box, count = _grid(radii, edge)
    moved = np.ascontiguousarray(centres % edge)
    moved[moved >= edge] = 0.0  # what rounding leaves at the far edge
    left = relax_spheres(moved, radii, box, count, OVERLAP, _RELAXATIONS)
    if left >= OVERLAP:
        raise InputError(f"The spheres still overlap by {left:.1%}: they are packed too densely.", "Lower volume_fraction.")
    return moved


def density(rng: np.random.Generator, edge: float, *, length: float, strength: float) -> NDArray[np.float64]:
    """Cumulative chance of each of 64³ cells, ∝ exp(strength · g): g is a periodic Gaussian field of unit variance.

    g is white noise filtered with exp(−(k·length)²/2).
    """
    k = 2 * np.pi * np.fft.fftfreq(_FIELD, d=edge / _FIELD)
    squared = k[:, None, None] ** 2 + k[None, :, None] ** 2 + k[None, None, :] ** 2
    noise = np.fft.fftn(rng.standard_normal((_FIELD,) * 3))
    noise[0, 0, 0] = 0
    field = np.fft.ifftn(noise * np.exp(-0.5 * squared * length**2)).real
    spread = float(field.std())
    weights = np.exp(strength * field / spread) if spread > 0 else np.ones_like(field)
    total = np.cumsum(weights.ravel())
    return np.asarray(total / total[-1])


def _places(rng: np.random.Generator, count: int, edge: float, chance: NDArray[np.float64] | None) -> Array:
    if chance is None:
        return rng.random((count, 3)) * edge
    cell = np.minimum(np.searchsorted(chance, rng.random(count), side="right"), chance.size - 1)
    corner = np.stack(np.unravel_index(cell, (_FIELD,) * 3), axis=1)
    return np.asarray((corner + rng.random((count, 3))) * (edge / _FIELD))


def aggregate_sizes(rng: np.random.Generator, particles: int, *, mean: float, spread: float) -> NDArray[np.int64]:
    """Numbers of particles of aggregates, log-normal with that mean and log-deviation; they add up to `particles`."""
    sizes: list[int] = []
    left = particles
    location = np.log(mean) - 0.5 * spread**2
    while left > 0:
        drawn = np.rint(np.exp(location + spread * rng.standard_normal(max(16, int(left / mean))))).astype(np.int64)
        for size in np.maximum(drawn, 1):
            sizes.append(min(int(size), left))
            left -= sizes[-1]
            if left == 0:
                break
    return np.array(sizes, dtype=np.int64)


def aggregates(
    rng: np.random.Generator,
    radii: Array,
    edge: float,
    *,
    mean_size: float,
    size_spread: float,
    clustering: float = 0.0,
    clustering_length: float = 0.0,
) -> Array:
    """Aggregates of touching spheres at random places (denser where a smooth random field is high), relaxed → centres (n, 3).

    `clustering` is the field's strength, `clustering_length` its length in nm; sizes are log-normal.
    """
    from microtome.volumes.particles.packing_kernels import grow_aggregate

    sizes = aggregate_sizes(rng, len(radii), mean=mean_size, spread=size_spread)
    chance = density(rng, edge, length=clustering_length, strength=clustering) if clustering > 0 else None
    middles = _places(rng, len(sizes), edge, chance)
    centres = np.empty((len(radii), 3))
    start = 0
    for size, middle in zip(sizes.tolist(), middles, strict=True):
        # Directions are drawn uniformly, so an aggregate needs no further rotation.
        centres[start : start + size] = middle + grow_aggregate(rng, radii[start : start + size], _GAP, 1000)
        start += size
    return relax(centres, radii, edge)


def cube(centres: Array, radii: Array, edge: float) -> Structure:
    """A periodic structure in a cube of `edge` nm."""
    return Structure(centres=centres, radii=radii, box=(float(edge),) * 3, periodic=True, unit="nm")
