"""The scale and the tilt that electron microscopes write into their TIFFs: FEI and Thermo, Zeiss, FIBICS (ATLAS), Gatan."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from microtome.volumes.scale.weigh import Reported, Scale
from microtome.volumes.units import nanometres

if TYPE_CHECKING:
    import tifffile

_GATAN = {"x": (65009, 65003), "y": (65010, 65004), "z": (65011, 65005)}  # step and unit of each axis
_FEI, _FEI_OLD, _FEI_XML, _ZEISS, _FIBICS = 34682, 34680, 34683, 34118, 51023
_METRE = 1e9  # nm
_MICROMETRE = 1e3
_CLOSE = 0.01
_LONG = 100  # characters; no number with its unit has so many
_DISPLAY = 1024  # pixels of the display that Zeiss's own scale counts by


def microscope_report(page: tifffile.TiffPage) -> Reported:
    """What the tags of a microscope on a page say: its pixel (y, x), tilt and data bar. They know no slice distance."""
    width, height = int(page.imagewidth), int(page.imagelength)
    report = Reported()
    for tag, read in ((_FEI, _fei), (_FEI_OLD, _fei), (_ZEISS, _zeiss)):
        words = page.tags.valueof(tag)
        if isinstance(words, Mapping):
            report += read(words, width, height)
    for tag, read_xml in ((_FEI_XML, _fei_xml), (_FIBICS, _fibics)):
        root = _xml(page.tags.valueof(tag))
        if root is not None:
            report += read_xml(root, width)
    return report + _gatan(page)


def _number(value: Any) -> float | None:
    """A number as it stands in a header, None where it is none."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _other_size(source: str, said: float, width: int) -> Reported:
    """An image that was scaled or cropped after its header was written: the number in the header may no longer be its."""
    words = f"The {source} describes an image {said:g} pixels wide, this one has {width}; its pixel size was not taken."
    return Reported(findings=(words,))


# --- FEI and Thermo: sections of key=value; lengths in m, angles in rad


def _fei(sections: Mapping[str, Any], width: int, height: int) -> Reported:
    """`Scan.PixelWidth/PixelHeight`, else the field of view of the beam over `Image.ResolutionX/Y`."""
    source = "FEI tag"
    # Some versions write their keys with an equals sign of their own.
    sections = {k.strip("= "): {n.strip("= "): v for n, v in s.items()} for k, s in sections.items() if isinstance(s, Mapping)}

    def number(section: str, key: str) -> float | None:
        found = sections.get(section)
        return _number(found.get(key)) if isinstance(found, Mapping) else None

    columns, rows = number("Image", "ResolutionX"), number("Image", "ResolutionY")
    beam = _beam(sections)
    metadata = _fei_more(sections, beam, rows, height)
    bar = metadata.get("databar_rows", 0)
    findings = (f"Its lowest {bar} rows are the microscope's data bar; crop them off.",) if bar else ()
    told = Reported(metadata=metadata, findings=findings)
    if columns and columns != width:
        return told + _other_size(source, columns, width)
    x, y = number("Scan", "PixelWidth"), number("Scan", "PixelHeight")
    if not x or not y:
        wide, high = number(beam, "HFW"), number(beam, "VFW")
        x = wide / columns if wide and columns else None
        y = high / rows if high and rows else None
    if not x or not y:
        return told
    return Reported(scales=(Scale(source=source, y=y * _METRE, x=x * _METRE),)) + told


def _beam(sections: Mapping[str, Any]) -> str:
    """The section of the beam that made the image."""
    named = sections.get("Beam")
    name = named.get("Beam") if isinstance(named, Mapping) else None
    return next((b for b in (name, "EBeam", "IRBeam", "IBeam") if isinstance(b, str) and b in sections), "")


def _fei_more(sections: Mapping[str, Any], beam: str, rows: float | None, height: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    own = sections.get(beam)
    stage = sections.get("Stage")
    if isinstance(own, Mapping):
        said = str(own.get("TiltCorrectionIsOn", "")).strip().lower()
        if said in ("yes", "no", "true", "false", "on", "off"):
            found["tilt_corrected"] = said in ("yes", "true", "on")
    for section, key in ((stage, "StageT"), (own, "StageTa")):
        tilt = _number(section.get(key)) if isinstance(section, Mapping) else None
        if tilt is not None:
            found["stage_tilt"] = math.degrees(tilt)
            break
    system = sections.get("System")
    if isinstance(system, Mapping) and system.get("SystemType"):
        found["microscope"] = str(system["SystemType"])
    if rows and 0 < height - rows < 0.25 * height:
        found["databar_rows"] = round(height - rows)
    return found


def _fei_xml(root: ElementTree.Element, width: int) -> Reported:
    """`<PixelSize><X unit="m">` (Thermo) or `<pixelWidth unit="nm">` (Phenom)."""
    source = "Thermo XML tag"
    sizes: dict[str, float] = {}
    for axis, paths in (("x", ("PixelSize/X", "pixelWidth")), ("y", ("PixelSize/Y", "pixelHeight"))):
        for path in paths:
            element = root.find(f".//{path}")
            value = _number(element.text) if element is not None else None
            factor = nanometres(element.get("unit", "m")) if element is not None else None
            if value and factor:
                sizes[axis] = value * factor
                break
    if len(sizes) < 2:
        return Reported()
    said = _number(root.findtext(".//ImageSize/X"))
    if said and said != width:
        return _other_size(source, said, width)
    return Reported(scales=(Scale(source=source, y=sizes["y"], x=sizes["x"]),))


# --- Zeiss: unnamed numbers, then entries (name, value, unit)


def _zeiss(words: Mapping[str, Any], width: int, height: int) -> Reported:
    """`ap_image_pixel_size`, else `ap_pixel_size`, sharpened by the unnamed number 3 (m, of 1024 pixels) where that agrees."""
    source = "Zeiss tag"
    told = Reported(metadata=_zeiss_more(words))
    stored = re.match(r"(\d+)\s*\*\s*(\d+)", str(_entry(words, "dp_image_store")[0] or ""))
    if stored and int(stored[1]) != width:
        return told + _other_size(source, int(stored[1]), width)
    named = next((n for key in ("ap_image_pixel_size", "ap_pixel_size") if (n := _zeiss_length(words, key)) is not None), None)
    numbers = words.get("", ())
    precise = _number(numbers[3]) if isinstance(numbers, tuple | list) and len(numbers) > 3 else None
    exact = precise * _METRE * _DISPLAY / width if precise else None
    if named is None and exact is None:
        return told
    pixel = named if named is not None else exact
    if named is not None and exact is not None and abs(exact / named - 1) < _CLOSE:
        pixel = exact
    return Reported(scales=(Scale(source=source, y=pixel, x=pixel),)) + told


def _entry(words: Mapping[str, Any], key: str) -> tuple[Any, str]:
    """The value and the unit of an entry; (None, "") where there is none."""
    entry = words.get(key)
    if not isinstance(entry, tuple) or len(entry) < 2:
        return None, ""
    return entry[1], str(entry[2]) if len(entry) > 2 else ""


def _zeiss_length(words: Mapping[str, Any], key: str) -> float | None:
    value, unit = _entry(words, key)
    if isinstance(value, str) and len(value) < _LONG:  # “4.883nm”, written without a space
        parts = re.fullmatch(r"\s*([-+.\deE]+)\s*(\S+)\s*", value)
        value, unit = (parts[1], parts[2]) if parts else (None, "")
    number, factor = _number(value), nanometres(unit)
    return number * factor if number and factor else None


def _zeiss_more(words: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    tilt = _number(_entry(words, "ap_stage_at_t")[0])
    if tilt is not None:
        found["stage_tilt"] = tilt
    corrected = next((e[1] for e in words.values() if _is_tilt_correction(e)), None)
    if isinstance(corrected, bool):
        found["tilt_corrected"] = corrected
    system = _entry(words, "dp_sem")[0] or _entry(words, "sv_serial_number")[0]
    if system:
        found["microscope"] = f"Zeiss {system}".replace("Zeiss Zeiss", "Zeiss")
    return found


def _is_tilt_correction(entry: Any) -> bool:
    return isinstance(entry, tuple) and len(entry) > 1 and str(entry[0]).strip().lower().startswith("tilt corr")


# --- FIBICS (ATLAS): XML; vectors from pixel to pixel in µm


def _fibics(root: ElementTree.Element, width: int) -> Reported:
    """The lengths of `Scan/(Ux, Uy)` and `Scan/(Vx, Vy)`, checked against `Scan/FOV_X` over `Image/Width`."""
    source = "FIBICS tag"
    said = _number(root.findtext(".//Image/Width"))
    if said and said != width:
        return _other_size(source, said, width)
    along = [_number(root.findtext(f".//Scan/{name}")) for name in ("Ux", "Uy", "Vx", "Vy")]
    x = math.hypot(along[0], along[1] or 0) * _MICROMETRE if along[0] is not None else None
    y = math.hypot(along[2] or 0, along[3]) * _MICROMETRE if along[3] is not None else None
    field = root.find(".//Scan/FOV_X")
    wide = _number(field.text) if field is not None else None
    factor = nanometres(field.get("units", "um")) if field is not None else None
    seen = wide * factor / width if wide and factor else None
    if not x or not y or (seen is not None and abs(seen / x - 1) > _CLOSE):
        return Reported(
            findings=("The FIBICS tag contradicts itself about the pixel size; it was ignored.",) if x and seen else ()
        )
    return Reported(scales=(Scale(source=source, y=y, x=x),))


# --- Gatan (DigitalMicrograph): a step and a unit an axis


def _gatan(page: tifffile.TiffPage) -> Reported:
    """The steps along x and y, and along z where there is one; a unit that is no length (1/nm, eV) makes it no scale."""
    sizes: dict[str, float] = {}
    for axis, (step, unit) in _GATAN.items():
        value, words = _number(page.tags.valueof(step)), page.tags.valueof(unit)
        factor = nanometres(words) if isinstance(words, str) else None
        if value and factor:
            sizes[axis] = value * factor
    if "x" not in sizes or "y" not in sizes:
        return Reported()
    return Reported(scales=(Scale(source="Gatan tags", **sizes),))


def _xml(value: Any) -> ElementTree.Element | None:
    """The root of a tag's XML without namespaces; None where it is none."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    if not isinstance(text, str) or "<" not in text:
        return None
    # ElementTree refuses a declared encoding that a text no longer has; entities of its own a header needs not.
    text = re.sub(r"\A<\?xml[^>]*\?>", "", text.strip().strip("\0"))
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root
