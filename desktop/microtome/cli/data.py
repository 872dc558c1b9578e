"""The commands about volumes and slices: what a file is, a fast copy of it, a simulated structure, an image set."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from microtome.errors import InputError, nearest
from microtome.terminal import Progress, finished


def parse_settings(items: list[str]) -> dict[str, Any]:
    """Read NAME=VALUE pairs: numbers, true/false, comma lists of numbers, else text."""
    settings: dict[str, Any] = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise InputError(f"“{item}” is not NAME=VALUE.", "Write, for example, --set diameter=20.")
        parts = [_value(part.strip()) for part in text.split(",")]
        settings[name.strip()] = parts if len(parts) > 1 else parts[0]
    return settings


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def info_command(options: argparse.Namespace) -> int:
    """`microtome info`: what a file or folder is, and on request how healthy a volume is."""
    from microtome.volumes.read import describe

    settings = parse_settings(options.settings)
    found = describe(options.path, **settings)
    data = found.to_json()
    health = _health(options.path, settings, as_json=options.json) if options.health and found.kind == "volume" else []
    if options.json:
        finished({**data, "health": health} if options.health else data, as_json=True, sentence="")
        return 0
    for name, value in data.items():
        if value not in (None, "", [], {}, (), 0) and name != "unit":
            unit = f" {_unit_of(name, found.unit)}".rstrip()
            print(f"{name.replace('_', ' '):<16} {_words(value)}{unit}")
    if found.kind == "volume" and found.voxel_size is None:
        print('voxel size       missing: give it in the recipe (voxel_size = [z, y, x], unit = "nm") or in the window')
    for finding in health:
        print(f"{finding['severity']:<16} {finding['words']}")
    if options.health and not health:
        print(
            "health           nothing stands out"
            if found.kind == "volume"
            else "health           only volumes are looked through"
        )
    return 0


def _health(path: Path, settings: dict[str, Any], *, as_json: bool) -> list[dict[str, Any]]:
    from microtome.volumes.health.check import look_over
    from microtome.volumes.read import open_volume

    progress = Progress(as_json=as_json)

    def report(share: float) -> bool:
        progress.phase("looking through", share, 1.0)
        return False

    health = look_over(open_volume(path, **settings), report)
    progress.close()
    return [
        {"kind": f.kind, "severity": f.severity, "slices": [list(r) for r in f.slices], "words": f.words}
        for f in health.findings
    ]


def import_command(options: argparse.Namespace) -> int:
    """`microtome import`: a slow volume as a copy in chunks; goes on where it was stopped."""
    from microtome.results.words import duration
    from microtome.volumes.copies.copying import CopyProgress, run_copy

    progress = Progress(as_json=options.json)
    last: list[CopyProgress] = []

    def say(at: CopyProgress) -> None:
        last[:] = [at]
        if options.json:
            print(json.dumps({"event": "progress", **at.to_json()}), flush=True)
        else:
            progress.phase("copying", at.done, at.total, "bytes")

    run_copy(options.path, parse_settings(options.settings), options.out, say)
    progress.close()
    seconds = last[0].seconds if last else 0.0
    data = {"folder": str(options.out), "bytes": last[0].total if last else 0, "seconds": seconds}
    finished(data, as_json=options.json, sentence=f"{options.out}: copied in {duration(seconds)}")
    return 0


def _unit_of(name: str, unit: str) -> str:
    """The unit of one of a description's numbers; a pixel size is in nm whatever is known of the third axis."""
    return {"voxel_size": unit, "physical_size": unit, "pixel_size": "nm"}.get(name, "")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("path", value))
    if isinstance(value, list | tuple):
        numbers = all(isinstance(v, int | float) for v in value)
        return (" × " if numbers else "; ").join(_words(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def simulate_command(options: argparse.Namespace) -> int:
    """`microtome simulate`: a structure as voxels or particles."""
    from microtome.volumes.particles.extxyz import save_structure
    from microtome.volumes.particles.simulate import default_voxel_size, save_tiff, simulate, voxelise

    ending = options.out.suffix.lower()
    if ending not in (".tif", ".tiff", ".xyz"):
        raise InputError(
            f"Cannot write {options.out}: a structure is saved as voxels or as particles.",
            "Use a name that ends in .tif or .xyz.",
        )
    settings = parse_settings(options.settings)
    voxel = settings.pop("voxel_size", None)
    if voxel is not None and (isinstance(voxel, bool | list | str) or voxel <= 0):
        raise InputError(f"voxel_size must be a positive number of nm, not {voxel!r}.")
    progress = Progress(as_json=options.json)
    progress.phase("simulating", 0, 2)
    structure = simulate(options.kind, seed=options.seed, parameters=settings)
    if ending == ".xyz":
        save_structure(structure, options.out)
        progress.close()
        written = {
            "file": str(options.out),
            "particles": len(structure.radii),
            "box": list(structure.box),
            "unit": structure.unit,
        }
        finished(written, as_json=options.json, sentence=f"{options.out}: {len(structure.radii)} particles")
        return 0
    progress.phase("drawing voxels", 1, 2)
    volume = voxelise(structure, float(voxel) if voxel is not None else default_voxel_size(structure))
    save_tiff(volume, options.out)
    progress.close()
    data = {
        "file": str(options.out),
        "particles": len(structure.radii),
        "shape": list(volume.shape),
        "voxel_size": list(volume.voxel_size or ()),
        "unit": volume.unit,
    }
    shape = " × ".join(str(n) for n in volume.shape)
    finished(data, as_json=options.json, sentence=f"{options.out}: {len(structure.radii)} particles, {shape} voxels")
    return 0


def slices_command(options: argparse.Namespace) -> int:
    """`microtome slices`: the image set of a recipe."""
    from microtome.search.recipe import load
    from microtome.slices.export.folder import FORMATS, export_set
    from microtome.slices.imageset import build

    if options.export is not None and options.export not in FORMATS:
        raise InputError(f"Images cannot be exported as “{options.export}”.", nearest(options.export, FORMATS))
    recipe = load(options.recipe)
    progress = Progress(as_json=options.json)
    images = build(recipe.classes, recipe.slices, options.out, progress=progress.phase, should_stop=lambda: False)
    exported = None
    if options.export is not None:
        target = options.out / f"{images.hash}-{options.export}"
        if not target.exists():  # the same set, and an export appears whole or not at all
            export_set(images, target, format=options.export, progress=progress.phase)
        exported = str(target)
    progress.close()
    counts = images.counts()
    total = sum(sum(split.values()) for split in counts.values())
    data = {
        "folder": str(images.path),
        "hash": images.hash,
        "images": total,
        "counts": counts,
        "pixel_size": images.pixel_size,
        "unit": images.unit,
        "warnings": list(images.warnings),
        "independence": images.independence,
        "exported": exported,
    }
    if not options.json:
        for warning in images.warnings:
            print(f"warning: {warning}", file=sys.stderr)
    finished(data, as_json=options.json, sentence=f"{images.path}: {total} images. {images.independence}")
    return 0
