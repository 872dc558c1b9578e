"""The commands: options, and a call to the room that does the work."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from microtome import __version__, log
from microtome.cli import clusters, data, info, runs
from microtome.commands import COMMANDS
from microtome.errors import InputError, MicrotomeError, UnknownNameError, nearest
from microtome.paths import user_plugins
from microtome.terminal import finished

_DESCRIPTION = "Cut volumes into slices, train networks on them, let evolution find the best one."
_RECIPE = "a TOML file; resources/docs/manual/recipe.md says what is in it"
_MODEL = "a model file, or the folder of a run or of a trial"
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

    _data_commands(command)
    _run_commands(command)
    command("plugins", "list the plugins: what was found, where, and what is broken", _plugins)
    return parser


def _data_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    sub = command("demo", "the whole main job on simulated structures, through the real window", _demo)
    sub.add_argument("--out", type=Path, default=Path("microtome-demo"), metavar="DIR")
    sub = command("info", "say what a file or folder is", info.info_command)
    sub.add_argument("path", type=Path, metavar="PATH")
    sub.add_argument("--health", action="store_true", help="look through every slice for drift, gaps, stripes, saturation …")
    _settings(sub, "an option of the reader, e.g. shape=128,128,128 or dataset=/entry/data")
    sub = command(
        "import",
        "copy a volume that is slow to read into chunks that are fast; goes on where it was stopped",
        data.import_command,
    )
    sub.add_argument("path", type=Path, metavar="PATH")
    sub.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    _settings(sub, "an option of the reader")
    sub = command("simulate", "make a simulated structure and save it as a volume", data.simulate_command)
    sub.add_argument("kind", metavar="KIND", help="a generator: m-sbr, n-sbr, rnd or a plugin's")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE", help=".tif: voxels; .xyz: the particles themselves")
    sub.add_argument("--seed", type=int, default=0, metavar="N")
    _settings(sub, "a setting of the generator, or voxel_size=… in nm")
    sub = command("slices", "cut the image set of a recipe", data.slices_command)
    sub.add_argument("recipe", type=Path, metavar="RECIPE", help=_RECIPE)
    sub.add_argument("--out", type=Path, required=True, metavar="DIR")
    sub.add_argument("--export", metavar="FORMAT", help="also for other programs: tiff, png, npz or zarr, in DIR/HASH-FORMAT")


def _run_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    sub = command("run", "do what a recipe says: train, or search where it has [search]", runs.run_command)
    sub.add_argument("recipe", type=Path, metavar="RECIPE", help=_RECIPE)
    sub.add_argument("--project", type=Path, required=True, metavar="DIR", help="its runs lie there; made where there is none")
    sub.add_argument("--pilot", action="store_true", help="only measure for a minute, and promise hours, memory and disk")
    sub.add_argument("--until", metavar="TIME", help="stop there, resumable: 08:00, or 3 h from now")
    sub.add_argument("--queue", action="store_true", help="let it wait until the project's other runs have ended")
    clusters.add_place(sub)
    sub = command("resume", "go on with a run exactly where it stopped", runs.resume_command)
    sub.add_argument("run", type=Path, metavar="RUN_FOLDER", help="a folder in a project's runs/")
    clusters.add_place(sub)
    sub = command("cluster", "try the connection to a dask cluster and say which workers can be used", clusters.cluster_command)
    sub.add_argument("scheduler", metavar="ADDRESS", help="e.g. tls://host:8786")
    clusters.add_tls(sub)
    sub = command("predict", "tell the classes of volumes or images with a trained network", runs.predict_command)
    sub.add_argument("model", type=Path, metavar="MODEL", help=_MODEL)
    sub.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="volumes, images, folders of them")
    sub.add_argument("--csv", type=Path, metavar="FILE", help="save the answers as a table as well")
    _settings(sub, "an option of the reader, as with info; of all PATHs")
    sub.add_argument("--slices", type=int, default=100, metavar="N", help="random slices cut from each volume (default 100)")
    sub.add_argument("--seed", type=int, default=0, metavar="N")
    sub = command("export", "save a trained network for other programs", runs.export_command)
    sub.add_argument("model", type=Path, metavar="MODEL", help=_MODEL)
    sub.add_argument("--format", required=True, metavar="FORMAT", help="onnx, torchscript or safetensors")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE")
    sub = command("report", "write a project's or a run's report as one HTML file", runs.report_command)
    sub.add_argument("target", type=Path, metavar="PROJECT_OR_RUN")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE")


def _settings(sub: argparse.ArgumentParser, help_: str) -> None:
    sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE ...", dest="settings", help=help_)


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


def _demo(options: argparse.Namespace) -> int:
    from microtome.ui.demo import run_demo

    return run_demo(options.out, as_json=options.json)


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
    folder = str(user_plugins())
    if options.json:
        finished({"plugins": rows, "broken": broken, "folder": folder}, as_json=True, sentence="")
        return 0
    for row in rows:
        print(f"{row['kind']:<14} {row['name']:<18} {row['summary']}")
        print(f"{'':<14} {'':<18} {row['file']}")
    for item in broken:
        print(f"{'broken':<14} {item['file']}\n{item['error']}")
    print(f"{'yours go into':<14} {folder}")
    return 0
