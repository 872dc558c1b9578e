"""The commands: options, and a call to the room that does the work."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from microtome import __version__, log
from microtome.commands import COMMANDS
from microtome.errors import FileError, InputError, MicrotomeError, UnknownNameError, nearest
from microtome.terminal import Progress, finished

_DESCRIPTION = "Cut volumes into slices, train networks on them, let evolution find the best one."
_EPILOG = "Without a command the window opens; paths given to it open as if they had been dropped on it."


class _Parser(argparse.ArgumentParser):
    """One clear line instead of argparse's usage block."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[:1].upper()}{message[1:]}.", f"See “{self.prog} --help”.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="microtome", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"microtome {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)

    def command(name: str, help_: str, action: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_, description=help_)
        sub.set_defaults(action=action)
        sub.add_argument("--json", action="store_true", help="print one JSON object a line")
        return sub

    sub = command("demo", "the whole main job on simulated structures, through the real window", _demo)
    sub.add_argument("--out", type=Path, default=Path("microtome-demo"), metavar="DIR")
    sub = command("info", "say what a file or folder is", _info)
    sub.add_argument("path", type=Path, metavar="PATH")
    sub.add_argument("--health", action="store_true", help="look through every slice for drift, gaps, stripes, saturation …")
    _settings(sub, "an option of the reader, e.g. shape=128,128,128 or dataset=/entry/data")
    sub = command(
        "import", "copy a volume that is slow to read into chunks that are fast; goes on where it was stopped", _import
    )
    sub.add_argument("path", type=Path, metavar="PATH")
    sub.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    _settings(sub, "an option of the reader")
    sub = command("simulate", "make a simulated structure and save it as a volume", _simulate)
    sub.add_argument("kind", metavar="KIND", help="a generator: m-sbr, n-sbr, rnd or a plugin's")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE", help=".tif: voxels; .xyz: the particles themselves")
    sub.add_argument("--seed", type=int, default=0, metavar="N")
    _settings(sub, "a setting of the generator, or voxel_size=… in nm")
    sub = command("slices", "cut the image set of a recipe", _slices)
    sub.add_argument("recipe", type=Path, metavar="RECIPE")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR")
    sub = command("run", "do what a recipe says: train, or search where it has [search]", _run)
    sub.add_argument("recipe", type=Path, metavar="RECIPE")
    sub.add_argument("--project", type=Path, required=True, metavar="DIR")
    sub = command("resume", "go on with a run exactly where it stopped", _resume)
    sub.add_argument("run", type=Path, metavar="RUN_FOLDER")
    sub = command("predict", "tell the classes of volumes or images with a trained network", _predict)
    sub.add_argument("model", type=Path, metavar="MODEL")
    sub.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    sub.add_argument("--csv", type=Path, metavar="FILE")
    sub.add_argument("--slices", type=int, default=100, metavar="N", help="random slices cut from each volume (default 100)")
    sub.add_argument("--seed", type=int, default=0, metavar="N")
    sub = command("export", "save a trained network for other programs", _export)
    sub.add_argument("model", type=Path, metavar="MODEL")
    sub.add_argument("--format", required=True, metavar="FORMAT", help="onnx, torchscript or safetensors")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE")
    sub = command("report", "write a project's or a run's report as one HTML file", _report)
    sub.add_argument("target", type=Path, metavar="PROJECT_OR_RUN")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE")
    command("plugins", "list the plugins: what was found, where, and what is broken", _plugins)
    return parser


def _settings(sub: argparse.ArgumentParser, help_: str) -> None:
    sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="settings", help=help_)


def _spread(arguments: list[str]) -> list[str]:
    # `--set a=1 b=2` is `--set a=1 --set b=2`; argparse's own nargs="+" would swallow a KIND or PATH that follows.
    spread: list[str] = []
    pairs = 0  # since the last --set
    for argument in arguments:
        if argument == "--set":
            pairs = 1
        elif pairs and (pairs == 1 or ("=" in argument and not argument.startswith("-"))):
            spread += ["--set"] if pairs > 1 else []
            pairs += 1
        else:
            pairs = 0
        spread.append(argument)
    return spread


def run_command(arguments: list[str]) -> int:
    """Run one command; 0 done, 2 the user's mistake (one line on stderr), 1 a bug (a traceback), 130 interrupted."""
    log.start("command")
    try:
        if not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
            raise UnknownNameError(f"There is no command and no file “{arguments[0]}”.", nearest(arguments[0], COMMANDS))
        options = _parser().parse_args(_spread(arguments))
        return int(options.action(options))
    except MicrotomeError as error:
        print(f"microtome: {error}".replace("\n", " "), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("microtome: interrupted; everything finished so far is kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`microtome … | head`): nothing more to say, and not to stdout's flush either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError:
        print(
            "microtome: there is not enough memory for this. Use fewer or smaller slices, or a smaller volume.", file=sys.stderr
        )
        return 2


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


def _demo(options: argparse.Namespace) -> int:
    from microtome.ui.demo import run_demo

    return run_demo(options.out, as_json=options.json)


def _info(options: argparse.Namespace) -> int:
    from microtome.volumes.read import describe

    settings = parse_settings(options.settings)
    found = describe(options.path, **settings)
    data = found.to_json()
    health = _health(options.path, settings, as_json=options.json) if options.health and found.kind == "volume" else []
    if options.json:
        finished({**data, "health": health} if options.health else data, as_json=True, sentence="")
        return 0
    for name, value in data.items():
        if value not in (None, "", [], {}, ()):
            print(f"{name.replace('_', ' '):<16} {_words(value)}")
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
    from microtome.volumes.health import look_over
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


def _import(options: argparse.Namespace) -> int:
    from microtome.results.words import duration
    from microtome.volumes.copying import CopyProgress, run_copy

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


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("path", value))
    if isinstance(value, list | tuple):
        numbers = all(isinstance(v, int | float) for v in value)
        return (" × " if numbers else "; ").join(_words(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _simulate(options: argparse.Namespace) -> int:
    from microtome.volumes.extxyz import save_structure
    from microtome.volumes.simulate import default_voxel_size, save_tiff, simulate, voxelise

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


def _slices(options: argparse.Namespace) -> int:
    from microtome.search.recipe import load
    from microtome.slices.imageset import build

    recipe = load(options.recipe)
    progress = Progress(as_json=options.json)
    images = build(recipe.classes, recipe.slices, options.out, progress=progress.phase, should_stop=lambda: False)
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
    }
    if not options.json:
        for warning in images.warnings:
            print(f"warning: {warning}", file=sys.stderr)
    finished(data, as_json=options.json, sentence=f"{images.path}: {total} images. {images.independence}")
    return 0


def _drive(folder: Path, *, as_json: bool) -> int:
    from microtome.results.words import duration
    from microtome.search.driver import drive, summary
    from microtome.store.run import RunFolder

    run = RunFolder.open(folder)
    progress = Progress(as_json=as_json)
    end = drive(run, progress.event)
    progress.close()
    if end.state == "failed":
        raise InputError(end.message)
    data = summary(run)
    sentence = f"{run.path}: {end.state} after {duration(end.seconds)}"
    if data.get("accuracy") is not None:
        low, high = data["interval"]
        sentence += f", evaluation accuracy {data['accuracy']:.1%} (95 % interval {low:.1%} … {high:.1%})"
    finished(data, as_json=as_json, sentence=sentence)
    return 0 if end.state == "done" else 130


def _run(options: argparse.Namespace) -> int:
    from microtome.from_recipe import fill_project
    from microtome.search.driver import create_run
    from microtome.search.recipe import load, require_classes
    from microtome.store.project import Project

    recipe = load(options.recipe)
    require_classes(recipe)
    project = Project.create(options.project)
    fill_project(project, recipe)
    run = create_run(recipe, project, options.recipe.stem)
    return _drive(run.path, as_json=options.json)


def _resume(options: argparse.Namespace) -> int:
    return _drive(options.run, as_json=options.json)


def _predict(options: argparse.Namespace) -> int:
    from microtome.results.predict import predict_paths, write_csv

    rows = predict_paths(options.model, options.paths, slices=options.slices, seed=options.seed)
    if options.csv is not None:
        write_csv(rows, options.csv)
    for row in rows:
        if options.json:
            print(json.dumps({"event": "prediction", **row.to_json()}, ensure_ascii=False), flush=True)
        else:
            print(row.sentence())
            for warning in row.warnings:
                print(f"warning: {warning}", file=sys.stderr)
    data = {"predictions": [row.to_json() for row in rows], "csv": str(options.csv) if options.csv else None}
    finished(data, as_json=options.json, sentence=f"Saved {options.csv}" if options.csv else "")
    return 0


def _export(options: argparse.Namespace) -> int:
    from microtome.training.export import FORMATS, export_model

    if options.format not in FORMATS:
        raise InputError(f"There is no export format “{options.format}”.", nearest(options.format, tuple(FORMATS)))
    export_model(options.model, options.format, options.out)
    finished({"file": str(options.out)}, as_json=options.json, sentence=f"Saved {options.out}")
    return 0


def _report(options: argparse.Namespace) -> int:
    from microtome.results.report import write_report

    if not options.target.exists():
        raise FileError(f"{options.target} does not exist.", "Give a project or a run folder.")
    write_report(options.target, options.out)
    finished({"file": str(options.out)}, as_json=options.json, sentence=f"Saved {options.out}")
    return 0


def _plugins(options: argparse.Namespace) -> int:
    from microtome.plugin import KINDS
    from microtome.registry import registry

    found = registry()
    rows = [
        {"kind": p.kind, "name": p.name, "label": p.label, "summary": p.summary, "file": p.file}
        for kind in KINDS
        for p in found.of_kind(kind)
    ]
    broken = [{"file": b.file, "error": b.error} for b in found.broken]
    if options.json:
        finished({"plugins": rows, "broken": broken}, as_json=True, sentence="")
        return 0
    for row in rows:
        print(f"{row['kind']:<14} {row['name']:<18} {row['summary']}")
        print(f"{'':<14} {'':<18} {row['file']}")
    for item in broken:
        print(f"{'broken':<14} {item['file']}\n{item['error']}")
    return 0
