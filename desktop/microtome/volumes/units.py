"""Lengths as people and microscopes write them, brought to nanometres."""

from __future__ import annotations

from microtome.errors import InputError

VOXEL = "voxel"
"""The unit of a volume whose voxel size is not known."""
NM = "nm"
"""The unit of every known voxel size inside the program."""

_NANOMETRES: dict[str, float] = {
    **dict.fromkeys(("pm", "picometer", "picometre"), 1e-3),
    **dict.fromkeys(("å", "ångström", "angstrom", "ang"), 0.1),
    **dict.fromkeys(("nm", "nanometer", "nanometre", "ナノメートル"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "micrometer", "micrometre", "?m", "\ufffdm", "âµm", "mikrometer"), 1e3),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e6),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e7),
    **dict.fromkeys(("m", "meter", "metre"), 1e9),
    **dict.fromkeys(("in", "inch", "inches", '"'), 2.54e7),
}


def nanometres(unit: str) -> float | None:
    """How many nm one `unit` is (µm, micron, mm, cm, m, inch, Å, pm, …), or None where it is no known length.

    Spellings found in real files are understood: ImageJ's escaped micro sign, a plural, Zeiss's `?m`.
    """
    text = unit.strip().replace("\\u00B5", "µ").replace("\\u00b5", "µ")
    if text in ("A", "Å", "\u212b"):
        return 0.1
    text = text.lower()
    found = _NANOMETRES.get(text)
    return found if found is not None else _NANOMETRES.get(text.removesuffix("s").rstrip("."))


def to_nm(value: float, unit: str) -> float:
    """A length in nm; InputError where `unit` is no known length."""
    factor = nanometres(unit)
    if factor is None:
        raise InputError(f"“{unit}” is not a length that is known here.", "Write nm, um, mm, cm, m, inch or angstrom.")
    return value * factor
