"""NAME=VALUE as it is typed, and as a reader gets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microtome.cli.settings import parse_settings
from microtome.errors import InputError
from microtome.volumes.read import open_volume

XYZ = """4
Lattice="20 0 0 0 20 0 0 0 20" Properties=species:S:1:pos:R:3 pbc="T T T"
{a} 5 5 5
{b} 10 10 10
{b} 15 15 15
{c} 2 2 2
"""


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("shape=128,64,64", [128, 64, 64]),
        ("voxel_size=10, 4.5, 4", [10, 4.5, 4]),
        ("radii=Si=2, O=1.5", "Si=2, O=1.5"),
        ("types=Si,O", "Si,O"),
        ("dataset=/entry/a,b", "/entry/a,b"),
        ("wrap=False", False),
        ("channel=1", 1),
    ],
)
def test_only_numbers_with_commas_are_a_list(typed: str, value: Any) -> None:
    [found] = parse_settings([typed]).values()
    assert found == value


def test_a_setting_has_a_name() -> None:
    with pytest.raises(InputError, match="“=3” is not NAME=VALUE"):
        parse_settings(["=3"])


@pytest.mark.parametrize(("names", "typed"), [(("Si", "O", "C"), "Si, O"), (("1", "2", "3"), "1,2")])
def test_types_and_their_radii_are_named_as_in_the_manual(tmp_path: Path, names: tuple[str, str, str], typed: str) -> None:
    """Also where the names are numbers, and where a recipe gives a list of them."""
    file = tmp_path / "p.xyz"
    a, b, c = names
    file.write_text(XYZ.format(a=a, b=b, c=c))
    for types in (parse_settings([f"types={typed}"])["types"], [int(n) if n.isdigit() else n for n in (a, b)]):
        assert _names(open_volume(file, types=types, radius=2, length_unit="nm")) == sorted([a, b])
    assert _names(open_volume(file, types=int(b) if b.isdigit() else b, radius=2, length_unit="nm")) == [b]
    radii = parse_settings([f"radii={a}=1, {b}=2,{c}=3"])
    structure = open_volume(file, **radii, length_unit="nm").structure
    assert structure is not None
    assert sorted(structure.radii) == [1, 2, 2, 3]


def test_a_number_may_be_a_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{"0": np.zeros((2, 3, 4), np.uint8), "1": np.zeros((5, 6, 7), np.uint8)})
    assert open_volume(tmp_path / "a.npz", **parse_settings(["array=1"])).shape == (5, 6, 7)


def _names(volume: Any) -> list[str]:
    return list(volume.structure.names)
