"""Words on the screen: English is the source text, other languages are files in resources/i18n."""

from __future__ import annotations

import json
from typing import Any

from microtome.paths import resources

LANGUAGES = {"en": "English", "ja": "日本語"}


class _Words:
    """The language of this process and its dictionary."""

    def __init__(self) -> None:
        self.language = "en"
        self.table: dict[str, str] = {}


_words = _Words()


def load_table(language: str) -> dict[str, str]:
    """English source text → translation, merged from `<language>.json` and every `<language>_*.json`."""
    folder = resources() / "i18n"
    files = [folder / f"{language}.json", *sorted(folder.glob(f"{language}_*.json"))]
    table: dict[str, str] = {}
    for file in files:
        if file.is_file():
            table.update(json.loads(file.read_text(encoding="utf-8")))
    return table


def set_language(language: str) -> None:
    """Switch the words of this process; an unknown language counts as English."""
    _words.language = language if language in LANGUAGES else "en"
    _words.table = {} if _words.language == "en" else load_table(_words.language)


def language() -> str:
    """The code of the language in use."""
    return _words.language


def tr(text: str, /, **values: Any) -> str:
    """The text in the language in use, with `{name}` places filled from `values`."""
    words = _words.table.get(text) or text
    return words.format(**values) if values else words
