"""The scale that a TIFF file gives: its microscope's tags, OME's, ImageJ's or tifffile's words, or the resolution tags."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from microtome.volumes.scale.microscope import microscope_report
from microtome.volumes.scale.weigh import Reported, Scale
from microtome.volumes.units import nanometres

if TYPE_CHECKING:
    import tifffile

PRINT = 1e4
"""nm; a coarser “pixels per inch” is a setting for printers, not a measurement."""
_NM_OF_TAG = {2: 2.54e7, 3: 1e7}
_NO_SCALE = ("", "pixel", "pixels", "voxel", "voxels")


def tiff_report(file: tifffile.TiffFile, page: tifffile.TiffPage, image: int) -> Reported:
    """All that the tags of a page, and of the file that holds it as its image number `image`, say of the voxel size.

    The most trusted come first: the microscope's own words.
    """
    measured = microscope_report(page)
    general = _general(file, page, image)
    if measured.scales and not general.scales:
        # That ImageJ was never told a scale is of no interest where the microscope gives it.
        general = Reported()
    return measured + general


def _general(file: tifffile.TiffFile, page: tifffile.TiffPage, image: int) -> Reported:
    if file.is_ome and file.ome_metadata:
        return ome_report(file.ome_metadata, image)
    pixel = _pixel(page)
    words = _words(file)
    if isinstance(words.get("unit"), str):
        return _described(pixel, words, "ImageJ header" if file.imagej_metadata else "image description")
    tag = page.tags.valueof("ResolutionUnit")
    if pixel is None or tag not in _NM_OF_TAG:
        return Reported()
    y, x = pixel[0] * _NM_OF_TAG[tag], pixel[1] * _NM_OF_TAG[tag]
    if max(y, x) > PRINT:
        return Reported()
    return Reported(scales=(Scale(source="resolution tags", y=y, x=x),))


def _words(file: tifffile.TiffFile) -> dict[str, Any]:
    """The key=value words of an ImageJ or tifffile description."""
    words: dict[str, Any] = file.imagej_metadata or {}
    if not words and file.shaped_metadata:
        words = dict(file.shaped_metadata[0])
    return words


def _pixel(page: tifffile.TiffPage) -> tuple[float, float] | None:
    """The pixel (y, x) in the tags' own unit, one over the resolution."""
    sizes: list[float] = []
    for tag in ("YResolution", "XResolution"):
        value = page.tags.valueof(tag)
        if not isinstance(value, tuple) or len(value) != 2 or not value[0] or not value[1]:
            return None
        sizes.append(value[1] / value[0])
    return (sizes[0], sizes[1]) if all(math.isfinite(s) and s > 0 for s in sizes) else None


def _described(pixel: tuple[float, float] | None, words: dict[str, Any], source: str) -> Reported:
    """Resolution and spacing in the description's unit; y and z may have units of their own."""
    unit = str(words["unit"])
    spacing = words.get("spacing")
    z = float(spacing) if isinstance(spacing, int | float) and spacing > 0 else None
    if pixel is None:
        return Reported()
    plain = unit.strip().lower()
    if pixel == (1.0, 1.0) and spacing is None:
        # What a program writes that was never told a scale: 1 pixel = 1 of whatever the unit field says.
        if plain in _NO_SCALE:
            return Reported()
        said = f"The file says “{unit}” but no scale (1 pixel = 1 {unit}); that is no measurement and was ignored."
        return Reported(findings=(said,))
    if plain in _NO_SCALE[1:]:
        return Reported()
    factors = [nanometres(str(words.get(f"{axis}unit", unit))) for axis in "zy"] + [nanometres(unit)]
    if None in factors:
        why = f"its unit “{unit}” is no length" if plain else "it has no unit"
        numbers = " × ".join(f"{v:g}" for v in (z, *pixel) if v is not None)
        return Reported(findings=(f"The file gives a voxel size of {numbers}, but {why}; it was ignored.",))
    nm = [f for f in factors if f is not None]
    scale = Scale(source=source, z=None if z is None else z * nm[0], y=pixel[0] * nm[1], x=pixel[1] * nm[2])
    return Reported(scales=(scale,))


def ome_report(xml: str, image: int = 0, *, source: str = "OME header") -> Reported:
    """PhysicalSizeX/Y/Z of an image (the first: 0); their unit is µm where none is written (OME model, 2016-06)."""
    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError):
        return Reported(findings=("The OME description of the file is damaged and was ignored.",))
    images = [e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"]
    if image >= len(images):
        return Reported()
    pixels = images[image]
    sizes: dict[str, float] = {}
    for axis in "ZYX":
        text, unit = pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")
        factor = nanometres(unit)
        if text is None:
            continue
        if factor is None:
            return Reported(findings=(f"The file's pixel size is in “{unit}”, which is no length; it was ignored.",))
        try:
            sizes[axis] = float(text) * factor
        except ValueError:
            return Reported(findings=(f"The file's pixel size “{text}” is no number; it was ignored.",))
    if "X" not in sizes or "Y" not in sizes:
        return Reported()
    return Reported(scales=(Scale(source=source, z=sizes.get("Z"), y=sizes["Y"], x=sizes["X"]),))
