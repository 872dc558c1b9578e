"""Lengths as people and microscopes write them."""

from __future__ import annotations

import pytest

from microtome.errors import InputError
from microtome.volumes.units import nanometres, to_nm


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("nm", 1), ("Nanometers", 1), ("um", 1e3), ("µm", 1e3), ("μm", 1e3), ("micron", 1e3), ("Microns", 1e3),
        ("micrometer", 1e3), ("\\u00B5m", 1e3), ("?m", 1e3), ("mm", 1e6), ("cm", 1e7), ("m", 1e9), ("inch", 2.54e7),
        ('"', 2.54e7), ("Å", 0.1), ("\u212b", 0.1), ("A", 0.1), ("angstrom", 0.1), ("pm", 1e-3), (" nm ", 1),
    ],
)  # fmt: skip
def test_known_lengths(unit: str, factor: float) -> None:
    """The spellings found in real files."""
    assert nanometres(unit) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize("unit", ["", "pixel", "voxel", "px", "parsec", "s", "a", "µ"])
def test_other_words_are_no_lengths(unit: str) -> None:
    """No guess is made."""
    assert nanometres(unit) is None
    with pytest.raises(InputError, match="not a length"):
        to_nm(1.0, unit)
