"""Nothing grows without end: files, classes and functions have ceilings; annotations and docstrings are never missing."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Source

FILE_LINES = 400
CLASS_LINES = 250
CLASS_METHODS = 20
FUNCTION_LINES = 50


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def _classes(source: Source) -> list[ast.ClassDef]:
    return [node for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)]


def _methods(node: ast.ClassDef) -> int:
    # A property with its setter counts twice: it is two pieces of behaviour.
    return sum(isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) for child in node.body)


def test_files_stay_short(product: list[Source]) -> None:
    lengths = {s.name: s.text.count("\n") for s in product}
    assert {name: n for name, n in lengths.items() if n > FILE_LINES} == {}


def test_classes_stay_small(product: list[Source]) -> None:
    """Qt applications grow a god class, the main window or the canvas, unless something stops them."""
    too_big = [
        f"{s.name}: {node.name} has {_length(node)} lines and {_methods(node)} methods"
        for s in product
        for node in _classes(s)
        if _length(node) > CLASS_LINES or _methods(node) > CLASS_METHODS
    ]
    assert too_big == []


def test_functions_stay_short(product: list[Source]) -> None:
    too_long = [
        f"{s.name}: {name} has {_length(node)} lines"
        for s in product
        for name, node in s.functions()
        if _length(node) > FUNCTION_LINES
    ]
    assert too_long == []


def test_every_module_says_what_it_is(product: list[Source], suite: list[Source]) -> None:
    silent = [s.name for s in [*product, *suite] if s.text.strip() and not ast.get_docstring(s.tree)]
    assert silent == []


def test_every_folder_of_modules_says_what_it_is(product: list[Source]) -> None:
    """A folder without `__init__.py` would be imported all the same, but belong to no room."""
    folders = {s.path.parent for s in product if s.name.startswith("desktop/")}
    assert [str(f) for f in sorted(folders) if not (f / "__init__.py").exists()] == []


def test_every_function_is_annotated(product: list[Source], suite: list[Source]) -> None:
    bare = []
    for s in [*product, *suite]:
        for name, node in s.functions():
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
            missing = [a.arg for a in arguments if a is not None and a.annotation is None and a.arg not in ("self", "cls")]
            if missing or (node.returns is None):
                bare.append(f"{s.name}: {name} ({', '.join(missing) or 'its result'})")
    assert bare == []


def test_public_functions_have_docstrings(product: list[Source]) -> None:
    undocumented = [
        f"{s.name}: {name}"
        for s in product
        for name, node in s.functions()
        if _public(name) and not ast.get_docstring(node) and not _trivial(node)
    ]
    assert undocumented == []


def _public(name: str) -> bool:
    # Functions inside functions are details; Qt's overrides (camelCase) are documented by Qt.
    parts = name.split(".")
    nested = any(part[0].islower() for part in parts[:-1])
    return not nested and not any(part.startswith("_") for part in parts) and parts[-1].lower() == parts[-1]


def _trivial(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    body = node.body[0]
    is_stub = isinstance(body, ast.Expr) and isinstance(body.value, ast.Constant) and body.value.value is Ellipsis
    return is_stub or any(isinstance(d, ast.Attribute) and d.attr == "setter" for d in node.decorator_list)
