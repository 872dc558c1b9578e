"""Write the manual's page of every recipe setting from the fields themselves, so that the two cannot disagree.

`make docs` runs it; a test compares the page with what it would write.
"""

from __future__ import annotations

from pathlib import Path

from microtome.fields import FieldSpec, fields_of
from microtome.paths import builtin_plugins
from microtome.plugin import KINDS, Plugin, PluginKind
from microtome.registry import discover
from microtome.search.recipe import SearchSpec
from microtome.slices.plan import Micrographs, SlicePlan
from microtome.training.spec import ImportanceSpec, TrainingSpec, TransferSpec

PAGE = Path(__file__).resolve().parent.parent / "resources" / "docs" / "manual" / "recipe-settings.md"
_HEAD = """# Every setting of a recipe

This page is written by `make docs` from the program's own fields. [The recipe](recipe.md) explains how they work together.
*Range* is what is allowed; *search* is what is offered when the setting is ticked for a search, where that is narrower.
"""
_LISTS = {
    "training": """
`augmentations` is a list, applied in its order to every batch of training images after the flips and quarter turns (which take
their place in the list where it names `"symmetries"`); none is the default. Their names and settings are below. A search varies
them as `augmentation.<name>.<setting>`:

    augmentations = ["rotation", { name = "shot-noise", dose = 50 }]
"""
}
_INTRODUCTIONS: dict[PluginKind, str] = {
    "reader": "Readers: settings beside `path` in a volume",
    "transform": "Corrections: steps of `transforms` in a volume, by their `name`",
    "generator": "Simulated structures: settings beside `kind` in `simulate`",
    "network": "Networks: settings of `[network]`, by its `name`",
    "augmentation": "Augmentations: names for `augmentations` in `[training]`, with their settings",
    "search": "Engines: names for `algorithm` in `[search]`",
}


def page() -> str:
    """The page as Markdown."""
    parts = [_HEAD]
    for name, section in (
        ("slices", SlicePlan),
        ("micrographs", Micrographs),
        ("training", TrainingSpec),
        ("transfer", TransferSpec),
        ("importance", ImportanceSpec),
        ("search", SearchSpec),
    ):
        parts.append(f"## [{name}]\n\n{table(fields_of(section))}{_LISTS.get(name, '')}")
    found = discover(builtin_plugins(), entry_points=False)
    for kind in KINDS:
        parts.append(f"## {_INTRODUCTIONS[kind]}\n")
        parts.extend(_plugin(plugin) for plugin in found.of_kind(kind))
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _plugin(plugin: Plugin) -> str:
    head = f"### `{plugin.name}`: {plugin.label}\n\n{plugin.summary}\n"
    # An engine's own settings are not part of a recipe.
    settable = plugin.fields and plugin.kind != "search"
    return f"{head}\n{table(plugin.fields)}" if settable else head


def table(fields: dict[str, FieldSpec]) -> str:
    """The fields as a Markdown table."""
    rows = ["| setting | default | range | search | meaning |", "|---|---|---|---|---|"]
    rows += [f"| `{f.name}` | {_value(f.default)} | {_range(f)} | {_search(f)} | {_meaning(f)} |" for f in fields.values()]
    return "\n".join(rows) + "\n"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _range(field: FieldSpec) -> str:
    if field.kind == "choice":
        return ", ".join(f"`{choice}`" for choice in field.choices if choice)
    if field.kind in ("bool", "text"):
        return "`true`, `false`" if field.kind == "bool" else "text"
    low = "" if field.low is None else f"from {_number(field.low)}"
    high = "" if field.high is None else f"to {_number(field.high)}"
    return f"{low} {high}".strip() or "any number"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


def _search(field: FieldSpec) -> str:
    if field.search is None:
        return "log" if field.log else ""
    low, high = field.search
    return f"{_number(low)} … {_number(high)}{', log' if field.log else ''}"


def _meaning(field: FieldSpec) -> str:
    words = field.help or field.title
    return f"{words} ({field.unit})" if field.unit else words


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
