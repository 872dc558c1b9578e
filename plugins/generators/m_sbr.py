"""Generator of small aggregates, evenly dispersed."""

from __future__ import annotations

import numpy as np

from microtome.plugin import Field, Structure, generator
from microtome.volumes.particles.packing import aggregates, cube, radii_for


@generator("m-sbr", label="M-SBR (small aggregates)")
def m_sbr(
    rng: np.random.Generator,
    *,
    diameter: float = Field(20.0, 0.1, 1e6, log=True, unit="nm", help="Median diameter of a particle"),
    polydispersity: float = Field(0.25, 0.0, 0.6, help="Deviation of the diameter's logarithm; clipped to 0.6 … 1.7 diameters"),
    volume_fraction: float = Field(0.2, 0.001, 0.4, help="Of the particles in the box, met exactly"),
    edge: float = Field(800.0, 1.0, 1e7, log=True, unit="nm", help="Of the periodic box"),
    aggregate_size: float = Field(3.0, 1.0, 1000.0, log=True, unit="particles", help="Mean number in an aggregate"),
    size_spread: float = Field(0.6, 0.0, 1.5, advanced=True, help="Deviation of the logarithm of the aggregates' size"),
    clustering: float = Field(0.0, 0.0, 2.0, help="How strongly aggregates prefer dense regions; 0: not at all"),
    clustering_length: float = Field(
        4.0, 0.5, 100.0, unit="diameters", advanced=True, help="Length of the dense regions, in diameters"
    ),
) -> Structure:
    """M-SBR: filler in end-modified rubber: small aggregates, evenly dispersed."""
    radii = radii_for(rng, diameter=diameter, polydispersity=polydispersity, volume_fraction=volume_fraction, edge=edge)
    centres = aggregates(
        rng,
        radii,
        edge,
        mean_size=aggregate_size,
        size_spread=size_spread,
        clustering=clustering,
        clustering_length=clustering_length * diameter,
    )
    return cube(centres, radii, edge)
