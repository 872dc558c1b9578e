"""Every word on the screen goes through tr() and has its Japanese; every place in a sentence survives the translation."""

from __future__ import annotations

import ast
import json
import string
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Source


def _japanese(root: Path) -> dict[str, str]:
    files = sorted((root / "resources" / "i18n").glob("ja*.json"))
    if not files:
        pytest.skip("there is no Japanese yet")
    table: dict[str, str] = {}
    for file in files:
        table |= json.loads(file.read_text(encoding="utf-8"))
    return table


def _spoken(product: list[Source]) -> dict[str, str]:
    """Text given literally to tr() → where."""
    return {
        node.args[0].value: f"{s.name}:{node.lineno}"
        for s in product
        for node in ast.walk(s.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr" and node.args
        if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    }


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_visible_sentence_has_its_japanese(root: Path, product: list[Source]) -> None:
    table = _japanese(root)
    missing = [f"{where}: {text}" for text, where in _spoken(product).items() if text and text not in table]
    assert missing == []


def test_translations_fill_the_same_places(root: Path) -> None:
    wrong = [text for text, words in _japanese(root).items() if words and _places(text) != _places(words)]
    assert wrong == []


def test_no_two_files_translate_a_text_differently(root: Path) -> None:
    seen: dict[str, tuple[str, str]] = {}
    clashes = []
    for file in sorted((root / "resources" / "i18n").glob("ja*.json")):
        for text, words in json.loads(file.read_text(encoding="utf-8")).items():
            if text in seen and seen[text][1] != words:
                clashes.append(f"{text}: {seen[text]} and {(file.name, words)}")
            seen[text] = (file.name, words)
    assert clashes == []
