"""The command that says what a file or folder is, in lines for people or as JSON."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microtome.cli.settings import parse_settings
from microtome.terminal import Progress, finished, size_words

if TYPE_CHECKING:
    from microtome.volumes.read import Description

_MISSING = 'missing: give it in the recipe (voxel_size = [z, y, x], unit = "nm") or in the window'


def info_command(options: argparse.Namespace) -> int:
    """`microtome info`: what a file or folder is, and on request how healthy a volume is."""
    from microtome.volumes.read import describe

    settings = parse_settings(options.settings)
    found = describe(options.path, **settings)
    health = _health(options.path, settings, as_json=options.json) if options.health and found.kind == "volume" else []
    if options.json:
        data = found.to_json()
        finished({**data, "health": health} if options.health else data, as_json=True, sentence="")
        return 0
    for name, words in _lines(found):
        print(f"{name:<16} {words}")
    for finding in health:
        print(f"{finding['severity']:<16} {finding['words']}")
    if options.health and not health:
        print(f"{'health':<16} {'nothing stands out' if found.kind == 'volume' else 'only volumes are looked through'}")
    return 0


def _lines(found: Description) -> Iterator[tuple[str, str]]:
    """What is known, each with its unit; what is not known is left out, but for the voxel size of a volume."""
    yield "path", found.path
    yield "kind", found.kind
    if found.reader:
        yield "reader", found.reader
    if found.shape is not None:
        yield "shape", _shape(found.kind, found.shape)
    if found.dtype:
        yield "dtype", found.dtype
    if found.voxel_size is not None:
        yield "voxel size", f"{_by(found.voxel_size)} {found.unit} (z, y, x)"
    if found.pixel_size is not None and found.voxel_size is None:
        yield "pixel size", f"{_by(found.pixel_size)} nm (y, x)"  # whatever is known of the third axis
    if found.physical_size is not None:
        yield "physical size", f"{_by(found.physical_size)} {found.unit} (z, y, x)"
    if found.particles is not None:
        yield "particles", _particles(found.particles)
    if found.file_bytes:
        yield "file", size_words(found.file_bytes)
    if found.memory_bytes:
        yield "memory needed", size_words(found.memory_bytes)
    if found.options:
        yield "read with", " ".join(f"{name}={_option(value)}" for name, value in found.options.items())
    for name, items in (("finding", found.findings), ("holds", [_child(c) for c in found.children])):
        yield from ((name, item) for item in items)
    yield from (("not readable", error) for _, error in found.problems)
    if found.kind == "volume" and found.voxel_size is None:
        yield "voxel size", _MISSING


def _shape(kind: str, shape: Sequence[int]) -> str:
    if kind == "images folder":
        return f"{shape[0]} images of {_by(shape[1:])} px (y, x)"
    return f"{_by(shape[1:])} px (y, x)" if kind == "image" else f"{_by(shape)} voxels (z, y, x)"


def _child(child: Description) -> str:
    shape = "" if child.shape is None else f", {_shape(child.kind, child.shape)}"
    return f"{child.name}: {child.kind}{shape}"


def _particles(found: dict[str, Any]) -> str:
    axes = "".join(axis for axis, wraps in zip("zyx", found["periodic"], strict=True) if wraps)
    periodic = f"periodic along {', '.join(axes)}" if axes else "not periodic"
    return f"{found['count']} in a box of {_by(found['box'])} {found['unit']} (z, y, x), {periodic}"


def _option(value: Any) -> str:
    return ",".join(str(v) for v in value) if isinstance(value, list | tuple) else str(value)


def _by(numbers: Sequence[float]) -> str:
    return " × ".join(f"{n:g}" if isinstance(n, float) else str(n) for n in numbers)


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
