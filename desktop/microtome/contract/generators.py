"""What a generator of structures promises: the suite that its author inherits."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from microtome.contract.base import PluginContract
from microtome.plugin import Structure
from microtome.volumes.particles.simulate import simulate, voxelise
from microtome.volumes.particles.structure import check, max_overlap, volume_fraction


class GeneratorContract(PluginContract):
    """A generator gives a sound structure that its seed determines to the bit, and meets its volume fraction."""

    kind = "generator"
    settings: ClassVar[dict[str, Any]] = {}
    volume_fraction: ClassVar[float | None] = None  # None: it promises none
    overlap: ClassVar[float] = 0.02

    def _structure(self, seed: int = 0) -> Structure:
        return simulate(self.name, seed=seed, parameters=self.settings)

    def test_is_sound(self) -> None:
        """Arrays that fit together, particles in the box, hardly overlapping."""
        structure = check(self._structure())
        assert max_overlap(structure) <= self.overlap + 1e-9

    def test_the_seed_determines_it(self) -> None:
        """The same seed gives the same bits, another seed another structure."""
        one, same, other = self._structure(3), self._structure(3), self._structure(4)
        assert one.centres.tobytes() == same.centres.tobytes()
        assert one.radii.tobytes() == same.radii.tobytes()
        assert one.centres.tobytes() != other.centres.tobytes()

    def test_meets_its_volume_fraction(self) -> None:
        """The spheres fill what is asked for, and so do their voxels: to 0.3 %."""
        structure = self._structure()
        drawn = float(voxelise(structure).as_array().mean()) / 255
        assert drawn == pytest.approx(volume_fraction(structure), rel=3e-3)
        if self.volume_fraction is not None:
            assert volume_fraction(structure) == pytest.approx(self.volume_fraction, rel=1e-9)
