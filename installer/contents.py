"""What a frozen build carries beyond what its imports tell: plugins, resources, modules that are named only in strings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from microtome.paths import builtin_plugins, resources
from microtome.registry import discover

#: Large libraries that some dependency would import if it could, and that nothing here uses.
EXCLUDED = [
    "tkinter",
    "matplotlib",
    "IPython",
    "notebook",
    "pytest",
    "torchvision",
    "torchaudio",
    "tensorboard",
    "PyQt5",
    "PyQt6",
]


def data_folders() -> list[tuple[str, str]]:
    """(folder here, folder in the build) of the shipped plugins and resources, where `microtome.paths` looks for them."""
    return [(str(builtin_plugins()), "microtome/plugins"), (str(resources()), "microtome/resources")]


def plugin_imports() -> list[str]:
    """Every module that a built-in plugin imports; the plugins are data to the build, so nothing else tells it."""
    found = discover(builtin_plugins(), entry_points=False)
    if found.broken:
        raise SystemExit(f"Broken plugins are not shipped:\n{found.broken[0].error}")
    files = {Path(plugin.file) for plugin in found.plugins.values()}
    return sorted({module for file in files for module in _imports(file)})


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module != "__future__":
            yield node.module
