"""Structures written as extended XYZ, and its comment line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microtome.errors import FileError, InputError
from microtome.plugin import Structure
from microtome.volumes.particles.extxyz import columns, pairs, save_structure
from microtome.volumes.read import open_volume

Wraps = st.tuples(st.booleans(), st.booleans(), st.booleans())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**31), count=st.integers(1, 40), wraps=Wraps, kinds=st.integers(0, 3))
def test_a_saved_structure_comes_back(
    tmp_path: Path, seed: int, count: int, wraps: tuple[bool, bool, bool], kinds: int
) -> None:
    """Places, radii and box to 1e-9, types, names, periodicity and unit exactly."""
    rng = np.random.default_rng(seed)
    box = tuple(float(edge) for edge in rng.uniform(1e2, 1e4, 3))
    names = ("filler", "β-phase", "a b")[:kinds]
    types = None
    if kinds:
        types = rng.integers(0, kinds, count).astype(np.int32)
        types[:kinds] = np.arange(kinds)[:count]
    written = Structure(
        centres=rng.random((count, 3)) * box * 0.999999,
        radii=rng.uniform(0.5, 40, count),
        box=(box[0], box[1], box[2]),
        periodic=wraps,
        types=types,
        names=names,
    )
    save_structure(written, tmp_path / "a.xyz")
    found = open_volume(tmp_path / "a.xyz").structure
    assert found is not None
    np.testing.assert_allclose(found.centres, written.centres, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.radii, written.radii, rtol=1e-9)
    assert found.box == pytest.approx(written.box, rel=1e-12)
    assert found.wraps == wraps
    assert found.unit == "nm"
    if types is not None and len(np.unique(types)) > 1:
        assert found.types is not None
        assert [found.names[t] for t in found.types] == [names[t].replace(" ", "_") for t in types]


def test_a_comment_is_pairs() -> None:
    """With every kind of quotation that programs write, and words without a value between them."""
    said = pairs(
        "made by hand Lattice=\"1 0 0  0 2 0  0 0 3\" pbc=[T, F, T] name='a b' energy=-1.5 Properties=species:S:1:pos:R:3"
    )
    assert said["lattice"] == "1 0 0  0 2 0  0 0 3"
    assert said["pbc"] == "T, F, T"
    assert said["name"] == "a b"
    assert said["energy"] == "-1.5"
    assert columns(said["properties"]) == [("species", "S"), ("pos", "R"), ("pos", "R"), ("pos", "R")]


@pytest.mark.parametrize("text", ["species:S", "species:S:x", "pos:Q:3", "pos:R:99999", "", "a:R:1:b"])
def test_properties_that_are_none_are_refused(text: str) -> None:
    """Odd numbers of parts, kinds and counts that do not exist."""
    with pytest.raises(InputError):
        columns(text)


def test_a_structure_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """No particle, or no place for the file."""
    one = Structure(centres=np.array([[1.0, 1.0, 1.0]]), radii=np.array([1.0]), box=(5.0, 5.0, 5.0))
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="write"):
        save_structure(one, tmp_path / "file" / "a.xyz")
    with pytest.raises(InputError):
        save_structure(Structure(centres=np.empty((0, 3)), radii=np.empty(0), box=(5.0, 5.0, 5.0)), tmp_path / "a.xyz")
    assert not (tmp_path / "a.xyz").exists()
