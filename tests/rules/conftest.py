"""The sources that the rules are about, read and parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """The path from the checkout's root, with forward slashes."""
        return self.path.relative_to(ROOT).as_posix()

    def functions(self) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        """Every function with its dotted name."""
        yield from _functions(self.tree, "")


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield f"{prefix}{child.name}", child
                yield from _functions(child, f"{prefix}{child.name}.")
            case ast.ClassDef():
                yield from _functions(child, f"{prefix}{child.name}.")
            case _:
                yield from _functions(child, prefix)


def _read(*folders: str) -> list[Source]:
    files = sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    texts = ((file, file.read_text(encoding="utf-8")) for file in files)
    return [Source(file, text, ast.parse(text, str(file))) for file, text in texts]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def product() -> list[Source]:
    """Every Python file that a user runs."""
    sources = _read("desktop", "plugins", "installer")
    assert len(sources) > 30, "the rules look in the wrong place"
    return sources


@pytest.fixture(scope="session")
def plugin_files(product: list[Source]) -> list[Source]:
    """The built-in plugins."""
    return [s for s in product if s.name.startswith("plugins/")]


@pytest.fixture(scope="session")
def suite() -> list[Source]:
    """Every Python file of the tests."""
    return _read("tests")
