"""Find plugin files, keep a broken one with its error, resolve plugins by kind and name."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import sys
import traceback
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from microtome.errors import PluginError, UnknownNameError, nearest
from microtome.paths import builtin_plugins, user_plugins
from microtome.plugin import KINDS, Plugin, PluginKind


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin file that could not be imported, with the traceback to show on the Plugins page."""

    file: str
    error: str


@dataclass
class Registry:
    """Every plugin that was found, by (kind, name)."""

    plugins: dict[tuple[PluginKind, str], Plugin] = field(default_factory=dict)
    broken: list[BrokenPlugin] = field(default_factory=list)

    def add(self, plugin: Plugin) -> None:
        """Register one plugin; two plugins of one kind and name are an error naming both files."""
        key = (plugin.kind, plugin.name)
        if key in self.plugins and self.plugins[key].file != plugin.file:
            raise PluginError(
                f"Two plugins call themselves {plugin.kind} “{plugin.name}”: {self.plugins[key].file} and {plugin.file}.",
                "Rename one of them.",
            )
        self.plugins[key] = plugin

    def get(self, kind: PluginKind, name: str) -> Plugin:
        """Return the plugin; an unknown name raises UnknownNameError naming the nearest."""
        try:
            return self.plugins[kind, name]
        except KeyError:
            raise UnknownNameError(f"There is no {kind} “{name}”.", nearest(name, self.names(kind))) from None

    def names(self, kind: PluginKind) -> list[str]:
        """The names of a kind, in alphabetical order."""
        return sorted(n for k, n in self.plugins if k == kind)

    def of_kind(self, kind: PluginKind) -> list[Plugin]:
        """The plugins of a kind, in alphabetical order of their names."""
        return [self.plugins[kind, n] for n in self.names(kind)]

    def load_file(self, file: Path) -> None:
        """Import one plugin file; what goes wrong in it is kept, never raised."""
        try:
            module = _import_file(file)
            self.add_module(module, str(file), hashlib.sha256(file.read_bytes()).hexdigest()[:16])
        except Exception:  # noqa: BLE001 - the plugin-import boundary: foreign code may raise anything
            self.broken.append(BrokenPlugin(str(file), traceback.format_exc()))

    def add_module(self, module: ModuleType, file: str, source_hash: str) -> None:
        """Register every decorated function that the module itself defines."""
        for thing in vars(module).values():
            plugin = getattr(thing, "__microtome_plugin__", None)
            if isinstance(plugin, Plugin) and thing.__module__ == module.__name__:
                self.add(replace(plugin, file=file, source_hash=source_hash))


def _import_file(file: Path) -> ModuleType:
    # The path is part of the name: two files of one name in two folders are two modules.
    digest = hashlib.sha256(str(file).encode()).hexdigest()[:8]
    name = f"microtome_plugin_{file.stem.replace('-', '_')}_{digest}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise PluginError(f"{file} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _files(root: Path) -> list[Path]:
    folders = [root, *(root / folder for folder in KINDS.values())]
    return [f for folder in folders if folder.is_dir() for f in sorted(folder.glob("*.py")) if f.name[0] != "_"]


def discover(*roots: Path, entry_points: bool = True) -> Registry:
    """Load the plugins below `roots`, and those that installed packages announce as `microtome.plugins`."""
    registry = Registry()
    for root in roots:
        for file in _files(root):
            registry.load_file(file)
    if entry_points:
        for point in importlib.metadata.entry_points(group="microtome.plugins"):
            try:
                module = importlib.import_module(point.module)
                registry.add_module(module, f"{point.dist.name if point.dist else point.name}", "")
            except Exception:  # noqa: BLE001 - the plugin-import boundary: foreign code may raise anything
                registry.broken.append(BrokenPlugin(point.value, traceback.format_exc()))
    return registry


@lru_cache(maxsize=1)
def registry() -> Registry:
    """The registry of this process: shipped plugins, the user's folder, installed packages."""
    return discover(builtin_plugins(), *(_instead or [user_plugins()]))


_instead: list[Path] = []  # the folder that stands for the user's, if any


def use_plugins(folder: Path) -> None:
    """From now on, this process takes the user's plugins from another folder: a cluster's worker, from what came with a run."""
    if _instead != [folder]:
        _instead[:] = [folder]
        registry.cache_clear()
