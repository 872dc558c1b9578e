"""The commands about volumes and slices: a fast copy of a volume, a simulated structure, an image set."""

from __future__ import annotations

import argparse
import json
import sys

from microtome.cli.settings import parse_settings
from microtome.errors import InputError, nearest
from microtome.terminal import Progress, finished


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
    classes, plan = load(options.recipe).cut  # the set that `run` would train on, found again there by its hash
    progress = Progress(as_json=options.json)
    images = build(classes, plan, options.out, progress=progress.phase, should_stop=lambda: False)
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
