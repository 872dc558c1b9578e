"""Whatever the rooms without a window say has its Japanese, and no template waits for a sentence that nobody says."""

from __future__ import annotations

import ast
import itertools
import json
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from microtome.fields import fields_of
from microtome.plugin import KINDS
from microtome.registry import registry
from microtome.session.working import SECTIONS
from microtome.ui.i18n import load_table
from microtome.ui.sentences import load_sentences

if TYPE_CHECKING:
    from conftest import Source

_MOST = 64
#: Rooms and files whose words no window shows: the commands, pages of a report, the methods' text of a paper, contract suites.
_UNSEEN = ("desktop/microtome/ui/", "desktop/microtome/cli/", "desktop/microtome/contract/", "desktop/microtome/results/report")
_UNSEEN += tuple(f"desktop/microtome/results/{name}.py" for name in ("methods", "cut_words", "lines"))
_UNSEEN += ("desktop/microtome/terminal.py", "installer/")
#: What is given to these is shown even where it is no whole sentence.
_SAID = ("Finding", "Remedy", "Note", "Choice", "Question", "RunEnded", "TrialEnded", "WorkerEnded")
#: Errors of Python itself are bugs, which are shown as they are.
_BUGS = (
    "AttributeError",
    "TypeError",
    "IndexError",
    "ValueError",
    "KeyError",
    "RuntimeError",
    "OSError",
    "NotImplementedError",
)
_SHOWN = ("message", "hint", "words", "label", "detail", "text", "reason")


@dataclass(frozen=True)
class _Place:
    """An expression within a sentence."""

    code: str


_Spoken = tuple["str | _Place", ...]


def _spoken(sources: list[Source]) -> dict[str, str]:
    """Every template, `{}` at its places, that the rooms say → where."""
    found: dict[str, str] = {}
    for source in sources:
        if source.name.startswith(_UNSEEN):
            continue
        for node in _shown(source.tree):
            for one in _variants(node) or []:
                if _WORDS.search(text := _template(one)):
                    found.setdefault(text, f"{source.name}:{node.lineno}")
    return found


def _shown(tree: ast.AST) -> Iterator[ast.expr]:
    """Whole sentences wherever they stand, and what is given to something that is shown."""
    whole = (node for node in _texts(tree) if any(_is_sentence(_template(one)) for one in _variants(node) or []))
    given = (node for node in _given(tree) if any(_WORDS.search(_template(one)) for one in _variants(node) or []))
    yield from itertools.chain(whole, given)


def _literals(sources: list[Source]) -> str:
    """All texts of all sources, to look for a part of one."""
    nodes = (node for source in sources for node in ast.walk(source.tree))
    return "\0".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _normal(template: str) -> str:
    """A template of the catalogue with `{}` at its places."""
    parts = string.Formatter().parse(template)
    return "".join(
        literal.replace("{", "{{").replace("}", "}}") + ("" if name is None else "{}") for literal, name, _, _ in parts
    )


def _variants(node: ast.expr) -> list[_Spoken] | None:
    """Every way in which a text may come out where conditions choose between literal texts; None: it is no literal text."""
    match node:
        case ast.Constant(value=str(text)):
            return [(text,)]
        case ast.JoinedStr(values=values):
            return _product([_formatted(v) if isinstance(v, ast.FormattedValue) else _variants(v) or [] for v in values])
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            sides = _variants(left), _variants(right)
            if sides == (None, None):
                return None
            return _product([s or [(_Place(ast.unparse(n)),)] for s, n in zip(sides, (left, right), strict=True)])
        case ast.IfExp(body=body, orelse=orelse):
            either = _variants(body), _variants(orelse)
            return None if either[0] is None or either[1] is None else [*either[0], *either[1]]
    return None


def _formatted(node: ast.FormattedValue) -> list[_Spoken]:
    inner = _variants(node.value) if node.conversion == -1 and node.format_spec is None else None
    return inner or [(_Place(ast.unparse(node.value)),)]


def _product(parts: list[list[_Spoken]]) -> list[_Spoken]:
    return [tuple(itertools.chain(*chosen)) for chosen in itertools.islice(itertools.product(*parts), _MOST)]


def _template(one: _Spoken) -> str:
    merged = "".join("\0" if isinstance(part, _Place) else part for part in one).strip()
    return merged.replace("{", "{{").replace("}", "}}").replace("\0", "{}")


def _texts(tree: ast.AST) -> Iterator[ast.expr]:
    """The largest expressions that are texts, docstrings left out; then those within their places."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.expr) and _variants(child) is not None:
            yield child
            for part in ast.walk(child):
                if isinstance(part, ast.FormattedValue) and _variants(part.value) is None:
                    yield from _texts(part)
        else:
            yield from _texts(child)


def _given(tree: ast.AST) -> Iterator[ast.expr]:
    """Texts that are given to what a window shows: errors, notes, findings, questions."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = (
            node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
        )
        if name in _SAID or (name.endswith("Error") and name not in _BUGS):
            given = [*node.args, *(word.value for word in node.keywords if word.arg in _SHOWN)]
            yield from (value for value in given if _variants(value) is not None)


_WORDS = re.compile(r"[A-Za-z]{2}")
_SENTENCE = re.compile(r"[\w“(\[{].*[\w”)\]}%][^\w\s]*[.?!]", re.DOTALL)


def _is_sentence(text: str) -> bool:
    """Two words at least, and a full stop or another end; no pattern of `re`."""
    return bool(_SENTENCE.fullmatch(text)) and len(text.split()) > 1 and not any(sign in text for sign in ("\\", "(?", ".+"))


#: A file in a project's folder, which no window shows; and sentences whose parts are told one by one.
_ENGLISH = (
    "This folder is a Microtome project.",
    "{} without looking at the structure. {} If that is no property of the materials, {}.",
    "{} {}.",
    "{}: {}.",
)


def _rooms(product: list[Source]) -> list[Source]:
    return [s for s in product if "/ui/" not in s.name]


def test_every_sentence_of_the_rooms_has_its_japanese(product: list[Source]) -> None:
    known = {_normal(template) for template in load_sentences("ja")} | set(load_table("ja"))
    said = {text: where for text, where in _spoken(product).items() if not text.startswith(_ENGLISH)}
    assert [f"{where}: {text}" for text, where in said.items() if not {text, text.removeprefix("{} ")} & known] == []


def test_no_template_is_of_a_sentence_that_nobody_says(product: list[Source]) -> None:
    """Either it is one of those that were found, or, where it is put together of parts, its words stand in the sources."""
    said, words = set(_spoken(product)), set(re.findall(r"\w+", _literals(_rooms(product))))
    parts = {t: " ".join(literal for literal, *_ in string.Formatter().parse(t)) for t in load_sentences("ja")}
    assert [t for t, text in parts.items() if _normal(t) not in said and not set(re.findall(r"\w+", text)) <= words] == []


def test_a_translation_fills_no_place_that_its_sentence_lacks() -> None:
    def places(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    def kinds(text: str) -> set[str]:
        return {kind for _, _, kind, _ in string.Formatter().parse(text) if kind}

    table = load_sentences("ja")
    assert [t for t, words in table.items() if not places(words) <= places(t)] == []
    assert [t for t, words in table.items() if not kinds(t) <= {"numbers", "item"} or not kinds(words) <= {"said"}] == []


def test_no_two_files_tell_a_sentence_differently(root: Path) -> None:
    seen: dict[str, str] = {}
    clashes = []
    for file in sorted((root / "resources" / "i18n" / "sentences").glob("ja_*.json")):
        for text, words in json.loads(file.read_text(encoding="utf-8")).items():
            if seen.setdefault(text, words) != words:
                clashes.append(f"{file.name}: {text}")
    assert clashes == []


def test_what_a_plugin_shows_has_its_japanese() -> None:
    """Labels and summaries, and what stands at their settings: title, help, choices and unit."""
    table, missing = load_table("ja"), []
    for kind in KINDS:
        for plugin in registry().of_kind(kind):
            shown = [plugin.label, plugin.summary]
            for spec in plugin.fields.values():
                shown += [spec.title, spec.help, spec.unit]
                # A reader's choices are names of its format.
                shown += [] if kind == "reader" else spec.choices
            missing += [f"{plugin.kind} {plugin.name}: {text}" for text in shown if text and text not in table]
    assert missing == []


def test_every_way_of_saying_is_seen() -> None:
    code = """
raise FileError(f"{path} is {'too short' if size else 'empty'}.", "Copy it" + " again.")
note = Note(text="a word", level="warning")
words = f"{', '.join(f'{n} of these are bad.' for n in names)}"
raise ValueError("an index of the program is wrong")
"""
    seen = {_template(one) for node in _shown(ast.parse(code)) for one in _variants(node) or []}
    assert seen == {"{} is too short.", "{} is empty.", "Copy it again.", "a word", "{} of these are bad."}


def test_what_a_setting_of_the_recipe_shows_has_its_japanese() -> None:
    table = load_table("ja")
    specs = [spec for section in SECTIONS.values() for spec in fields_of(section).values()]
    shown = [text for spec in specs for text in (spec.title, spec.help, spec.unit, *spec.choices)]
    assert [text for text in shown if text and text not in table] == []
