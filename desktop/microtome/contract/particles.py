"""The pytest suite that proves a reader of particles: inherit it, name the plugin, and say how a structure is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from microtome.contract.base import PluginContract
from microtome.errors import MicrotomeError
from microtome.plugin import Structure
from microtome.volumes.particles.drawn import drawn
from microtome.volumes.particles.structure import check, volume_fraction
from microtome.volumes.read import describe, open_volume

NAMES = ("Si", "C")


class ParticleContract(PluginContract):
    """A reader of particles gives back what was written, draws its volume, and refuses what is no such file with a sentence."""

    kind = "reader"
    digits: ClassVar[float] = 1e-9  # of a length: what the format keeps
    names: ClassVar[tuple[str, ...]] = NAMES  # what the format calls the two types; () where it knows of none
    counts: ClassVar[bool] = True  # the format says how many particles there are, so a lost row is an error
    unit: ClassVar[str] = "nm"  # of the volume that comes back: "voxel" where the format keeps no unit of length
    wraps: ClassVar[tuple[bool, bool, bool]] = (True, True, True)  # along z, y, x

    def write(self, folder: Path, structure: Structure) -> tuple[Path, dict[str, Any]]:
        """Write the structure with code of another hand into `folder`; the path and the options that open it."""
        raise NotImplementedError

    def structure(self) -> Structure:
        """Some dozens of spheres of two types in a box of three edges, some across its faces; they do not overlap."""
        rng = np.random.default_rng(4)
        box = (90.0, 80.0, 70.0)
        grid = np.stack(np.meshgrid(*(np.arange(10.0, edge, 20.0) for edge in box), indexing="ij"), axis=-1).reshape(-1, 3)
        centres = np.round((grid + rng.uniform(-2.5, 2.5, grid.shape) + np.array([-9.0, 8.5, 0.0])) % box, 3)
        # The rows that the grid's end would make overlap across a face are left out.
        centres = centres[[np.sort(_distances(centres, centre, box))[1] > 14.0 for centre in centres]]
        types = rng.integers(0, 2, len(centres)).astype(np.int32)
        types[:2] = (0, 1)
        radii = np.where(types == 0, 7.0, 5.5)
        return Structure(
            centres=centres, radii=radii, box=box, periodic=self.wraps, unit="nm", types=types, names=self.names or NAMES
        )

    def _opened(self, folder: Path) -> tuple[Structure, Any]:
        wanted = self.structure()
        path, options = self.write(folder, wanted)
        return wanted, open_volume(path, **options)

    def test_gives_back_the_particles(self, tmp_path: Path) -> None:
        """Places, radii, types, box and periodicity, along z, y, x."""
        wanted, volume = self._opened(tmp_path)
        found = volume.structure
        assert found is not None
        check(found)
        near = self.digits * max(wanted.box)
        np.testing.assert_allclose(found.centres, wanted.centres, rtol=0, atol=near)
        np.testing.assert_allclose(found.radii, wanted.radii, rtol=0, atol=near)
        np.testing.assert_allclose(found.box, wanted.box, rtol=0, atol=near)
        assert found.wraps == wanted.wraps
        if self.names:
            assert found.types is not None
            assert wanted.types is not None
            assert [found.names[t] for t in found.types] == [self.names[t] for t in wanted.types]

    def test_says_what_its_lengths_are(self, tmp_path: Path) -> None:
        """Voxels in nm where the format has a unit, else none, and a finding; what a user says is taken."""
        wanted = self.structure()
        path, options = self.write(tmp_path, wanted)
        volume = open_volume(path, **options)
        assert volume.unit == self.unit
        if self.unit == "voxel":
            assert volume.voxel_size is None
            assert any("length_unit" in finding for finding in volume.findings)
        in_um = open_volume(path, **{**options, "length_unit": "um"})
        assert in_um.structure is not None
        assert in_um.structure.unit == "nm"
        assert in_um.voxel_size is not None
        assert in_um.physical_size == pytest.approx([1e3 * edge * self.lengths() for edge in wanted.box])

    def lengths(self) -> float:
        """What the file's numbers are, of the structure's nm: 10 where the format writes Å."""
        return 1.0

    def test_draws_its_volume(self, tmp_path: Path) -> None:
        """The voxels hold the volume of the spheres to 0.3 %, whatever part of them is read first."""
        wanted, volume = self._opened(tmp_path)
        last = volume[-1].copy()
        voxels = volume.as_array()
        np.testing.assert_array_equal(voxels[-1], last)
        np.testing.assert_array_equal(volume[2:9:3, ::2, 1], voxels[2:9:3, ::2, 1])
        expected = volume_fraction(wanted) if all(self.wraps) else drawn_fraction(wanted)
        assert float(voxels.mean()) / 255 == pytest.approx(expected, rel=3e-3)

    def test_settings_change_what_is_drawn(self, tmp_path: Path) -> None:
        """One radius for all; one type alone; an open box."""
        wanted = self.structure()
        path, options = self.write(tmp_path, wanted)
        small = open_volume(path, **{**options, "radii": "", "radius": 2.0}).structure
        assert small is not None
        assert len(set(small.radii.tolist())) == 1
        opened = open_volume(path, **{**options, "periodic": "none"}).structure
        assert opened is not None
        assert opened.wraps == (False, False, False)
        if self.names:
            only = open_volume(path, **{**options, "types": self.names[1], "radii": "", "radius": 2.0})
            assert only.structure is not None
            assert wanted.types is not None
            assert len(only.structure.radii) == int((wanted.types == 1).sum())
            assert any("left out" in finding for finding in only.findings)
            with pytest.raises(MicrotomeError, match="nothing-like-it"):
                open_volume(path, **{**options, "types": "nothing-like-it"})

    def test_is_described_without_being_drawn(self, tmp_path: Path) -> None:
        """The description has the shape of the volume, and the options that open it again."""
        path, options = self.write(tmp_path, self.structure())
        said = describe(path, **options)
        assert said.kind == "volume"
        assert said.shape == open_volume(path, **said.options).shape

    def test_refuses_damage_with_a_sentence(self, tmp_path: Path) -> None:
        """Empty, cut off, or another thing altogether: a MicrotomeError, or a finding where a format cannot know better."""
        path, options = self.write(tmp_path, self.structure())
        whole = path.read_bytes()
        for content in (b"", whole[:10], b"\0" * 16, bytes(range(256)) * 20):
            path.write_bytes(content)
            with pytest.raises(MicrotomeError):
                open_volume(path, **{**options, "reader": self.name})
        path.write_bytes(whole[: len(whole) // 2])
        try:
            half = open_volume(path, **{**options, "reader": self.name})
        except MicrotomeError:
            return
        assert not self.counts
        assert any("cut off" in finding for finding in half.findings)


def _distances(centres: NDArray[np.float64], centre: NDArray[np.float64], box: tuple[float, float, float]) -> NDArray[Any]:
    apart = centres - centre
    return np.asarray(np.linalg.norm(apart - np.asarray(box) * np.rint(apart / np.asarray(box)), axis=1))


def drawn_fraction(structure: Structure) -> float:
    """The covered share of a box with open faces, from a drawing in voxels a quarter as large: spheres are cut by the faces."""
    fine = drawn(replace(structure, unit="nm"), 0.7)
    return float(fine.voxels[:].mean()) / 255
