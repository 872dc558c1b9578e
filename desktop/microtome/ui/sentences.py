"""Finished English sentences of the rooms without a window, as notes and errors are, told in the language in use.

Those rooms, and the journals that they write, know no language but English. The files in `resources/i18n/sentences` hold
templates, “{path} is empty (0 bytes).” with its translation; a sentence that fits one is told by it, with its numbers and names
kept. A place written `{why:said}` in a translation is itself words and is translated as well; one written `{n:numbers}` in the
English is nothing but numbers, `{name:item}` one item of a list. What fits no template stays English.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator
from functools import lru_cache

from microtome.paths import resources
from microtome.ui import i18n

_WORD = re.compile(r"\w+")
_ENDS = re.compile(r"(?<=[.?!:;])\s+")
# A place holds no end of a sentence with the beginning of another, so that two sentences never count as one.
_PLACES = {"": r"((?:(?![.?!] [A-Z“\d])[\s\S])*?)", "numbers": r"([\d ,.…%×/+−–-]*?)", "item": r"([^;]*?)"}
_WIDE = re.compile(r"[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]")
_MOST_PARTS = 12
_KEPT = 20_000


class _Template:
    """One sentence with places, and how it is told."""

    def __init__(self, source: str, words: str) -> None:
        parts = [(literal, name, kind) for literal, name, kind, _ in string.Formatter().parse(source)]
        self.names = [name for _, name, _ in parts if name is not None]
        self.weight = sum(len(literal) for literal, _, _ in parts)
        self._words = [(literal, name, kind == "said") for literal, name, kind, _ in string.Formatter().parse(words)]
        self._source = "".join(re.escape(literal) + ("" if kind is None else _PLACES[kind]) for literal, _, kind in parts)
        self._pattern: re.Pattern[str] | None = None
        # Words that touch a place may go on in it: “{n} slice{s}” has no word “slice”.
        self.anchors: set[str] = set()
        for i, (literal, name, _) in enumerate(parts):
            for found in _WORD.finditer(literal):
                inner = (found.start() > 0 or i == 0) and (found.end() < len(literal) or name is None)
                self.anchors |= {found.group()} if inner else set()

    def told(self, text: str) -> str | None:
        """The translation of a sentence, or None where it is none of this template."""
        if self._pattern is None:
            self._pattern = re.compile(self._source)
        found = self._pattern.fullmatch(text)
        if found is None:
            return None
        places = dict(zip(self.names, found.groups(), strict=True))
        made = ""
        for literal, name, is_words in self._words:
            made = _beside(made, literal)
            if name is not None:
                made = _beside(made, said(places[name]) if is_words else places[name].replace("”, “", "」、「"))
        return made


class Catalogue:
    """The templates of one language, found by their rarest word: a sentence is held against few of them, not against all."""

    def __init__(self, table: dict[str, str]) -> None:
        self._plain: dict[str, str] = {}
        templates = []
        for source, words in table.items():
            template = _Template(source, words)
            if template.names:
                templates.append(template)
            else:
                self._plain[source.format()] = words.format()
        often: dict[str, int] = {}
        for word in (word for template in templates for word in template.anchors):
            often[word] = often.get(word, 0) + 1
        self._by_word: dict[str, list[_Template]] = {}
        for template in templates:
            rarest = min(template.anchors, key=lambda word: (often[word], word), default="")
            self._by_word.setdefault(rarest, []).append(template)

    def told(self, text: str) -> str | None:
        """The translation of one whole sentence by the template that shares most letters with it; None where there is none."""
        plain = self._plain.get(text)
        if plain is not None:
            return plain
        words = {"", *_WORD.findall(text)}
        templates = [template for word in words for template in self._by_word.get(word, ())]
        for template in sorted(templates, key=lambda template: -template.weight):
            told = template.told(text)
            if told is not None:
                return told
        return None


def load_sentences(language: str) -> dict[str, str]:
    """English template → translation, of all files of a language."""
    table: dict[str, str] = {}
    for file in sorted((resources() / "i18n" / "sentences").glob(f"{language}_*.json")):
        table.update(json.loads(file.read_text(encoding="utf-8")))
    return table


def said(sentence: object) -> str:
    """A finished sentence, or several, or an error's, in the language in use; what has no translation stays as it is."""
    text, language = str(sentence), i18n.language()
    return text if language == "en" or not text else _said(text, language)


@lru_cache(maxsize=2)
def _catalogue(language: str) -> Catalogue:
    # Read when the first sentence is told, so that the window does not wait for it.
    return Catalogue(load_sentences(language))


@lru_cache(maxsize=_KEPT)
def _said(text: str, language: str) -> str:
    whole = _told(text.strip(), language)
    if whole is not None:
        return whole
    if "\n" in text:
        return "\n".join(said(line) for line in text.split("\n"))
    pieces = _ENDS.split(text)
    return text if len(pieces) == 1 else _joined(_parts(pieces, language))


def _told(text: str, language: str) -> str | None:
    # A word within a sentence may mean something else than the same word on a button, so the sentences are asked first.
    catalogue = _catalogue(language)
    told = catalogue.told(text)
    if told is None and text[-1:].isalnum() and (sentence := catalogue.told(f"{text}.")) is not None:
        return sentence.removesuffix("。")  # an error within another's sentence has lost its full stop
    return told if told is not None or (known := i18n.tr(text)) == text else known


def _parts(pieces: list[str], language: str) -> Iterator[str]:
    """Runs of sentences, the longest that some template knows first."""
    at = 0
    while at < len(pieces):
        for end in range(min(len(pieces), at + _MOST_PARTS), at, -1):
            run = " ".join(pieces[at:end])
            told = _told(run, language)
            if told is None and run.endswith((";", ":")) and (told := _told(run[:-1], language)) is not None:
                told += {";": "；", ":": "："}[run[-1]]
            if told is not None:
                break
        yield told if told is not None else pieces[at]
        at = end


def _joined(parts: Iterator[str]) -> str:
    """Sentences in a row: no blank behind a full stop that is as wide as a letter."""
    text = ""
    for part in parts:
        text += part if not text or text.endswith(("。", "：", "；")) else f" {part}"
    return text


def _beside(left: str, right: str) -> str:
    """Two parts of a sentence; a blank between them is for figures and names, not for letters as wide as two."""
    inner, outer = left.rstrip(" "), right.lstrip(" ")
    both_wide = inner and outer and _WIDE.match(inner[-1]) and _WIDE.match(outer[0])
    return inner + outer if both_wide else left + right
