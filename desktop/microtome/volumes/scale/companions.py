"""Files beside an image or a folder of slices that tell its scale: JEOL, Hitachi, TESCAN, SkyScan, Auto Slice & View."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microtome.volumes.scale.tags import ome_report
from microtome.volumes.scale.weigh import Reported, Scale
from microtome.volumes.units import nanometres

_ENDINGS = (".txt", ".hdr", ".log", ".info", ".json", ".xml")
_MOST = 2**20  # bytes of a companion that are looked at
_LARGEST_PROJECT = 2**26  # bytes; the project file of Auto Slice & View holds all its sites and recipes
_PROJECT, _LEVELS = "Project.AsvProject", 4
_METRE, _MICROMETRE = 1e9, 1e3


def image_companions(path: Path, width: int) -> Reported:
    """What files of an image's own name say of its scale: `a.txt`, `a-tif.hdr`, … of `a.tif`; `width` pixels must agree."""
    report = Reported()
    for ending in _ENDINGS:
        for name in (path.stem + ending, path.name + ending, f"{path.stem}-{path.suffix.lower().lstrip('.')}{ending}"):
            report += _companion(path.with_name(name), width)
    return report


def stack_companions(path: Path, width: int) -> Reported:
    """What tells the scale of a whole stack, a folder of slices or a file: a SkyScan log, an Auto Slice & View project."""
    report = Reported()
    if not path.is_dir():
        report += _companion(path.with_name(f"{path.stem}_rec.log"), width)
    else:
        for log in _logs(path):
            report += _companion(log, width)
    return report + _sliced((path if path.is_dir() else path.parent).absolute())


def _logs(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*_rec.log"))[:2]
    except OSError:
        return []


def _companion(path: Path, width: int) -> Reported:
    text = _text(path)
    if not text:
        return Reported()
    name = path.name
    for known in (_jeol, _hitachi, _tescan, _skyscan, _pyhst):
        found = known(text, name, width)
        if found is not None:
            return found
    if path.suffix.lower() == ".json":
        return _json(text, name)
    if path.suffix.lower() == ".xml" and "PhysicalSizeX" in text:
        return ome_report(text, source=f"OME file {name}")
    return Reported()


def _text(path: Path) -> str:
    """The text of a small file, whatever its encoding; "" where there is none to read."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST)
    except (OSError, ValueError):  # a companion is a help: one that is not there or cannot be read says nothing
        return ""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _value(text: str, key: str, separator: str = "=") -> str:
    """What stands behind a key at the beginning of a line, "" where there is none."""
    # Blanks of one line only: with \s a file of a million empty lines would take hours.
    found = re.search(rf"^[ \t]*{re.escape(key)}[ \t]*{separator}([^\r\n]*)", text, re.MULTILINE)
    return found[1].strip() if found else ""


def _float(text: str) -> float | None:
    found = re.match(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text.strip())
    return float(found[0]) if found else None


def _if_of_this(name: str, said: float | None, width: int, report: Reported) -> Reported:
    """A report on an image of `said` columns, without its scale where this one has others."""
    if said is None or said == width:
        return report
    words = f"{name} describes an image {said:g} pixels wide, this one has {width}; its pixel size was not taken."
    return Reported(metadata=report.metadata, findings=(*report.findings, words))


def _jeol(text: str, name: str, width: int) -> Reported | None:
    """`$$SM_MICRON_BAR` pixels are `$$SM_MICRON_MARKER` long."""
    bar = _float(_value(text, "$$SM_MICRON_BAR", r"[ \t]"))
    marker = re.match(r"([\d.]+)\s*(\S+)", _value(text, "$$SM_MICRON_MARKER", r"[ \t]"))
    if not bar or not marker:
        return None
    length, unit = _float(marker[1]), nanometres(marker[2])
    if not length or not unit:
        return None
    edge = length * unit / bar
    said = _float(_value(text, "$CM_FULL_SIZE", r"[ \t]"))
    return _if_of_this(name, said, width, Reported(scales=(Scale(source=f"JEOL file {name} (its scale bar)", y=edge, x=edge),)))


def _hitachi(text: str, name: str, width: int) -> Reported | None:
    """`PixelSize` in nm, of an image of `DataSize` columns × rows."""
    if "[SemImageFile]" not in text and "[TemImageFile]" not in text:
        return None
    edge = _float(_value(text, "PixelSize"))
    if not edge:
        return Reported()
    scale = Scale(source=f"Hitachi file {name}", y=edge, x=edge)
    return _if_of_this(name, _float(_value(text, "DataSize")), width, Reported(scales=(scale,)))


def _tescan(text: str, name: str, width: int) -> Reported | None:
    """`PixelSizeX` and `PixelSizeY` in m, `StageTilt` in degrees."""
    x, y = _float(_value(text, "PixelSizeX")), _float(_value(text, "PixelSizeY"))
    if not x or not y or "[" not in text:
        return None
    tilt = _float(_value(text, "StageTilt"))
    metadata = {} if tilt is None else {"stage_tilt": tilt}
    return Reported(scales=(Scale(source=f"TESCAN file {name}", y=y * _METRE, x=x * _METRE),), metadata=metadata)


def _skyscan(text: str, name: str, width: int) -> Reported | None:
    """NRecon's `Pixel Size (um)` of cubic voxels; slices may be saved at a `Section to Section Step`."""
    if "[Reconstruction]" not in text:
        return None
    edge = _float(_value(text, "Pixel Size (um)"))
    if not edge:
        return Reported()
    edge *= _MICROMETRE
    step = _float(_value(text, "Section to Section Step")) or 1.0
    scale = Scale(source=f"SkyScan log {name}", z=edge * step, y=edge, x=edge)
    return _if_of_this(name, _float(_value(text, "Result Image Width (pixels)")), width, Reported(scales=(scale,)))


def _pyhst(text: str, name: str, width: int) -> Reported | None:
    """`voxelSize` in µm of a reconstruction by PyHST (ESRF)."""
    edge = _float(_value(text, "voxelSize"))
    if not edge or not _value(text, "NUM_X"):
        return None
    edge *= _MICROMETRE
    scale = Scale(source=f"PyHST file {name}", z=edge, y=edge, x=edge)
    return _if_of_this(name, _float(_value(text, "NUM_X")), width, Reported(scales=(scale,)))


def _json(text: str, name: str) -> Reported:
    """`{"voxel_size": [z, y, x], "unit": "nm"}` or `"pixel_size": [y, x]`, as people write it themselves."""
    words = _parsed(text)
    factor = nanometres(words["unit"]) if isinstance(words.get("unit"), str) else None
    for key, axes in (("voxel_size", "zyx"), ("pixel_size", "yx")):
        value = words.get(key)
        numbers = [value] * len(axes) if isinstance(value, int | float) and not isinstance(value, bool) else value
        if isinstance(numbers, list) and len(numbers) == len(axes) and all(isinstance(n, int | float) for n in numbers):
            if factor is None:
                return Reported(findings=(f"{name} gives a {key} without a length as its unit; it was ignored.",))
            nm = {a: float(n) * factor for a, n in zip(axes, numbers, strict=True)}
            return Reported(scales=(Scale(source=f"file {name}", **nm),))
    return Reported()


def _parsed(text: str) -> dict[str, Any]:
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return words if isinstance(words, dict) else {}


def _sliced(folder: Path) -> Reported:
    """The slice thickness of the Auto Slice & View project that a folder lies in: of its own site, or of the only one."""
    for level in (folder, *folder.parents)[:_LEVELS]:
        project = level / _PROJECT
        try:
            if not project.is_file() or project.stat().st_size > _LARGEST_PROJECT:
                continue
            words = _parsed(project.read_text(encoding="utf-8-sig", errors="replace"))
        except OSError:
            continue
        inside = {*folder.relative_to(level).parts}
        thickness = _thickness(words, inside)
        if thickness is None:
            return Reported()
        return Reported(scales=(Scale(source=f"slice thickness in {_PROJECT}", z=thickness * _METRE),))
    return Reported()


def _thickness(project: Mapping[str, Any], folders: set[str]) -> float | None:
    """`Sites[].Context.Slicing.SliceThickness` in m, where it is clear which site is meant."""
    found: dict[str, float] = {}
    sites = project.get("Sites")
    for site in sites if isinstance(sites, list) else []:
        name, value = _at(site, "Properties", "Name"), _at(site, "Context", "Slicing", "SliceThickness")
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[str(name)] = float(value)
    own = [v for n, v in found.items() if n in folders]
    if len(own) == 1:
        return own[0]
    return next(iter(found.values())) if len(found) == 1 else None


def _at(words: Any, *keys: str) -> Any:
    for key in keys:
        words = words.get(key) if isinstance(words, Mapping) else None
    return words
