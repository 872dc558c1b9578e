"""The structures of a seed never change silently: old recipes must give the same material again."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.volumes.particles.simulate import simulate, voxelise
from microtome.volumes.particles.structure import contact_number, structure_factor

#: kind → particles, contacts within 5 %, S(q) in three shells, standard deviation of a slice's area fraction
GOLDEN = {
    "rnd": (2391, 0.3664, (0.3542, 0.3475, 0.6053), 0.01399),
    "m-sbr": (2391, 2.3931, (2.7408, 1.3268, 0.6181), 0.03461),
    "n-sbr": (2391, 3.4672, (6.3844, 1.2551, 0.4604), 0.07631),
}


@pytest.mark.parametrize("kind", GOLDEN)
def test_structures_of_a_known_seed(kind: str) -> None:
    """Seed 0 in a box of 400 nm. A tolerance, since relaxation amplifies the last bit in which machines may differ."""
    particles, contacts, factor, spread = GOLDEN[kind]
    structure = simulate(kind, seed=0, parameters={"edge": 400.0})
    assert len(structure.radii) == particles
    assert contact_number(structure) == pytest.approx(contacts, rel=0.02)
    _, found = structure_factor(structure, np.array([0.03, 0.05, 0.1, 0.2]), per_shell=1000)
    assert found == pytest.approx(np.array(factor), rel=0.03)
    area = voxelise(structure, 4.0).as_array().mean(axis=(1, 2)) / 255
    assert area.mean() == pytest.approx(0.2, rel=3e-3)
    assert area.std() == pytest.approx(spread, rel=0.03)
