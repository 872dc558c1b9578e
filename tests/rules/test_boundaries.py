"""What may not be written where: broad excepts, sleeping tests, foreign imports in plugins, binary files, foreign words."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import grimp
import pytest

from microtome.paths import builtin_plugins
from microtome.plugin import KINDS
from microtome.registry import discover

if TYPE_CHECKING:
    from conftest import Source

#: The only functions that may catch everything: foreign code and foreign processes end here, with their traceback kept.
BROAD_EXCEPTS = {
    "desktop/microtome/jobs/worker.py:run_guarded": "worker boundary",
    "desktop/microtome/registry.py:Registry.load_file": "plugin import",
    "desktop/microtome/registry.py:discover": "plugin import",
}
#: What a plugin file may import besides the standard library and the libraries that it wraps: the one public module, and,
#: where a built-in plugin is a thin name for work that its room shares with others, that room (but never its way in).
PLUGIN_DOORS = {
    "readers": ("microtome.plugin", "microtome.volumes."),
    "transforms": ("microtome.plugin", "microtome.volumes."),
    "generators": ("microtome.plugin", "microtome.volumes."),
    "networks": ("microtome.plugin",),
    "augmentations": ("microtome.plugin",),
    "searches": ("microtome.plugin",),
}
PLUGIN_LIBRARIES = {
    "readers": {"numpy", "scipy", "tifffile", "imagecodecs", "h5py", "zarr", "rsciio", "chemfiles"},
    "transforms": {"numpy", "scipy", "skimage", "numba"},
    "generators": {"numpy", "scipy", "numba"},
    "networks": {"torch"},
    "augmentations": {"torch"},
    "searches": {"numpy", "scipy", "nevergrad", "optuna"},
}
#: What opens volumes by their readers and transforms is not for these to call: they would go in circles.
ABOVE_PLUGINS = ("microtome.volumes.read", "microtome.volumes.drop", "microtome.volumes.transforms")
#: Pictures, and the recorded learning curves that the benchmark of engines replays.
BINARY_ALLOWED = ("resources/docs/images/", "resources/icons/", "tests/benchmarks/data/")


def _broad_excepts(source: Source) -> Iterator[str]:
    owners: dict[ast.AST, str] = {}
    for name, function in source.functions():  # inner functions come later and overwrite
        owners.update(dict.fromkeys(ast.walk(function), name))
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
            yield f"{source.name}:{owners.get(node, '<module>')}"


def _is_broad(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(isinstance(n, ast.Name) and n.id in ("Exception", "BaseException") for n in names)


def _reraises(source: Source, place: str) -> bool:
    name = place.split(":", 1)[1]
    function = next(node for n, node in source.functions() if n == name)
    handlers = [n for n in ast.walk(function) if isinstance(n, ast.ExceptHandler) and _is_broad(n.type)]
    return all(isinstance(h.body[-1], ast.Raise) and h.body[-1].exc is None for h in handlers)


def test_everything_is_caught_in_few_named_places(product: list[Source]) -> None:
    """A handler that cleans up and raises the same error again hides nothing, so it does not count."""
    found = {place for s in product for place in _broad_excepts(s) if place.endswith("<module>") or not _reraises(s, place)}
    assert found - set(BROAD_EXCEPTS) == set()
    assert set(BROAD_EXCEPTS) - found == set(), "a named place no longer exists: take it off the list"


def test_no_test_sleeps(suite: list[Source]) -> None:
    """A test waits for what it waits for (qtbot.waitUntil, a process's end), never for a while."""
    sleepers = [
        f"{s.name}:{node.lineno}"
        for s in suite
        for node in ast.walk(s.tree)
        if isinstance(node, ast.Attribute) and node.attr == "sleep" and isinstance(node.value, ast.Name)
        if node.value.id in ("time", "asyncio", "QTest")
    ]
    assert sleepers == []


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def test_plugins_import_only_their_door_and_their_library(plugin_files: list[Source]) -> None:
    strangers = []
    for s in plugin_files:
        doors, libraries = PLUGIN_DOORS[s.path.parent.name], PLUGIN_LIBRARIES[s.path.parent.name]
        for module in _imports(s.tree):
            top = module.split(".")[0]
            shared = module.startswith(doors) and module not in ABOVE_PLUGINS
            if not shared and top not in libraries and top not in sys.stdlib_module_names:
                strangers.append(f"{s.name} imports {module}")
    assert strangers == []


def test_no_module_imports_in_a_circle() -> None:
    """Strongly connected components of the import graph; imports for type checkers alone do not count."""
    graph = grimp.build_graph("microtome", exclude_type_checking_imports=True, cache_dir=None)
    circles = [
        f"{module} → {' → '.join(chain)}"
        for module in sorted(graph.modules)
        for follower in graph.find_modules_directly_imported_by(module)
        if (chain := graph.find_shortest_chain(importer=follower, imported=module)) is not None
    ]
    assert circles == []


def _tracked(root: Path) -> list[str]:
    result = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        pytest.skip("this is not a git checkout")
    return [name for name in result.stdout.splitlines() if (root / name).is_file()]


def test_no_binary_file_is_committed(root: Path) -> None:
    """Data are generated; only pictures of the documentation and icons are binary."""
    binary = [
        name for name in _tracked(root) if not name.startswith(BINARY_ALLOWED) and b"\0" in (root / name).read_bytes()[:8000]
    ]
    assert binary == []


def test_the_product_speaks_only_of_itself(root: Path) -> None:
    """No path of one machine, no index of one network, and no word about how the files came to be."""
    foreign = re.compile(
        r"/work/|/root/|/tmp/prompts|\bissue \d|\bissue #\d|\bagents?\b|\bsession \d|pypi\.org|npmjs|claude|anthropic|\bllm\b",
        re.I,
    )
    texts = {".py", ".md", ".toml", ".json", ".html", ".css", ".txt", ".yml", ".sh", ".desktop", ".xml", ".svg", ".spec", ""}
    here = Path(__file__).relative_to(root).as_posix()
    hits = [
        f"{name}: {found[0]}"
        for name in _tracked(root)
        if (root / name).suffix in texts and name not in ("LICENSE", here)
        for found in [foreign.search((root / name).read_text(encoding="utf-8", errors="ignore"))]
        if found
    ]
    assert hits == []


def test_every_plugin_keeps_its_contract(root: Path) -> None:
    """A built-in plugin is named in its kind's contract tests, in a file that inherits the suite of the kind."""
    unproved = []
    for plugin in discover(builtin_plugins(), entry_points=False).plugins.values():
        file = root / "tests" / "contract" / f"test_{KINDS[plugin.kind]}.py"
        tree = ast.parse(file.read_text(encoding="utf-8")) if file.exists() else ast.Module([], [])
        suites = {ast.unparse(base) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases}
        names = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        if not any(suite.lower() == f"{plugin.kind}contract" for suite in suites) or plugin.name not in names:
            unproved.append(f"{plugin.kind} {plugin.name}: {file.relative_to(root)}")
    assert unproved == []
