"""Generator of randomly placed particles."""

from __future__ import annotations

import numpy as np

from microtome.plugin import Field, Structure, generator
from microtome.volumes.particles.packing import cube, radii_for, random_addition, random_points


@generator("rnd", label="Rnd (random particles)")
def rnd(
    rng: np.random.Generator,
    *,
    diameter: float = Field(20.0, 0.1, 1e6, log=True, unit="nm", help="Median diameter of a particle"),
    polydispersity: float = Field(0.25, 0.0, 0.6, help="Deviation of the diameter's logarithm; clipped to 0.6 … 1.7 diameters"),
    volume_fraction: float = Field(0.2, 0.001, 0.35, help="Of the particles in the box, met exactly"),
    edge: float = Field(800.0, 1.0, 1e7, log=True, unit="nm", help="Of the periodic box"),
    process: str = Field(
        "rsa", choices=("rsa", "poisson"), help="Random addition without overlap, or random points that are pushed apart"
    ),
    sweeps: int = Field(30, 0, 10_000, advanced=True, help="Hard-sphere moves of each particle after random addition"),
) -> Structure:
    """Rnd: particles at random places, as a fluid of hard spheres or as random points."""
    radii = radii_for(rng, diameter=diameter, polydispersity=polydispersity, volume_fraction=volume_fraction, edge=edge)
    if process == "rsa":
        return cube(random_addition(rng, radii, edge, sweeps=sweeps), radii, edge)
    return cube(random_points(rng, radii, edge), radii, edge)
