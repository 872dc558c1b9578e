"""The voxel size that a TIFF file gives: ImageJ's, OME's, tifffile's, or the resolution tags where they can be meant."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    import tifffile

Given = tuple[tuple[float, float, float] | None, str, tuple[str, ...]]
"""voxel size (z, y, x) in the unit, the unit as it is written, findings"""
_PRINT = 1e4  # nm; a coarser “pixels per inch” is a setting for printers, not a measurement
_NM_OF_TAG = {2: 2.54e7, 3: 1e7}
_NOTHING: Given = (None, "", ())


def _spacing(file: tifffile.TiffFile) -> tuple[str | None, float | None]:
    """The unit and the slice distance of an ImageJ or tifffile description (None where it has none)."""
    words: dict[str, Any] = file.imagej_metadata or {}
    if not words and file.shaped_metadata:
        words = dict(file.shaped_metadata[0])
    unit, spacing = words.get("unit"), words.get("spacing")
    if not isinstance(unit, str):
        return None, None
    return unit, float(spacing) if isinstance(spacing, int | float) else None


def _pixel(page: tifffile.TiffPage) -> tuple[float, float] | None:
    """The pixel (y, x) in the tags' own unit, one over the resolution."""
    sizes: list[float] = []
    for tag in ("YResolution", "XResolution"):
        value = page.tags.valueof(tag)
        if not isinstance(value, tuple) or len(value) != 2 or not value[0] or not value[1]:
            return None
        sizes.append(value[1] / value[0])
    return (sizes[0], sizes[1]) if all(math.isfinite(s) and s > 0 for s in sizes) else None


def tiff_voxel_size(file: tifffile.TiffFile, depth: int) -> Given:
    """The voxel size that the file gives for a stack of `depth` slices; without the slice distance there is none."""
    if file.is_ome and file.ome_metadata:
        return _ome(file.ome_metadata, depth)
    page = file.pages.first
    pixel = _pixel(page)
    unit, spacing = _spacing(file)
    if unit is not None:
        return _described(pixel, unit, spacing, depth)
    tag = page.tags.valueof("ResolutionUnit")
    if pixel is None or tag not in _NM_OF_TAG:
        return _NOTHING
    y, x = pixel[0] * _NM_OF_TAG[tag], pixel[1] * _NM_OF_TAG[tag]
    if max(y, x) > _PRINT:
        return _NOTHING
    return _stacked(y, x, None, "nm", depth)


def _described(pixel: tuple[float, float] | None, unit: str, spacing: float | None, depth: int) -> Given:
    if pixel is None:
        return _NOTHING
    if pixel == (1.0, 1.0) and spacing is None:
        # What a program writes that was never told a scale: 1 pixel = 1 of whatever the unit field says.
        if not unit.strip() or unit.strip().lower() in ("pixel", "pixels", "voxel"):
            return _NOTHING
        return None, "", (f"The file says “{unit}” but no scale (1 pixel = 1 {unit}); that is no measurement and was ignored.",)
    if unit.strip().lower() in ("pixel", "pixels", "voxel"):
        return _NOTHING
    return _stacked(pixel[0], pixel[1], spacing, unit, depth)


def _stacked(y: float, x: float, z: float | None, unit: str, depth: int) -> Given:
    if depth == 1:
        # One image has no slice distance; its own pixel stands in, so that the pixel size is kept.
        return (y, y, x), unit, ()
    if z is None or z <= 0:
        words = f"The file gives a pixel of {y:g} × {x:g} {unit} but no distance between slices; enter the voxel size."
        return None, "", (words,)
    return (z, y, x), unit, ()


def _ome(xml: str, depth: int) -> Given:
    """PhysicalSizeX/Y/Z of the first image; their unit is µm where none is written (OME model, 2016-06)."""
    from microtome.volumes.units import nanometres

    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError):
        return None, "", ("The OME description of the file is damaged and was ignored.",)
    pixels = next((e for e in root.iter() if e.tag.endswith("}Pixels") or e.tag == "Pixels"), None)
    if pixels is None:
        return _NOTHING
    sizes: dict[str, float] = {}
    for axis in "ZYX":
        text, unit = pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")
        factor = nanometres(unit)
        if text is None:
            continue
        if factor is None:
            return None, "", (f"The file's pixel size is in “{unit}”, which is no length; it was ignored.",)
        try:
            sizes[axis] = float(text) * factor
        except ValueError:
            return None, "", (f"The file's pixel size “{text}” is no number; it was ignored.",)
    if "X" not in sizes or "Y" not in sizes:
        return _NOTHING
    return _stacked(sizes["Y"], sizes["X"], sizes.get("Z"), "nm", depth)
