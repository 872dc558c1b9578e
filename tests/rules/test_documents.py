"""What the documents say is so: links lead somewhere, examples run, tables are those of the program."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from microtome.__main__ import COMMANDS
from microtome.events import AnyEvent
from microtome.registry import discover
from microtome.search.recipe import parse


def _documents(root: Path) -> list[Path]:
    return [*root.glob("*.md"), *(root / "resources" / "docs").rglob("*.md")]


def _fenced(file: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL)


def test_links_lead_somewhere(root: Path) -> None:
    dead = [
        f"{file.relative_to(root)}: {target}"
        for file in _documents(root)
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8"))
        if "://" not in target and not (file.parent / target).exists()
        if target != "resources/docs/images/training.png"  # made from the demo's screenshots for a release
    ]
    assert dead == []


def test_named_files_are_there(root: Path) -> None:
    """Also those that a comment or docstring sends its reader to."""
    homes = (root, root / "desktop", root / "desktop" / "microtome", root / "tests")
    sources = [f for folder in ("desktop", "plugins", "installer") for f in (root / folder).rglob("*.py")]
    gone = [
        f"{file.relative_to(root)}: {name}"
        for file in [*_documents(root), *sources]
        for name in re.findall(r"(?<![\w./{}*-])(?:[\w-]+/)+[\w-]+\.py\b", file.read_text(encoding="utf-8"))
        if not any((home / name).exists() for home in homes)
    ]
    assert gone == []


def test_the_readmes_recipe_is_valid(root: Path) -> None:
    (text,) = _fenced(root / "README.md", "toml")
    recipe = parse(tomllib.loads(text))
    assert recipe.search is not None
    assert len(recipe.classes) == 2


def test_the_manuals_recipe_is_valid(root: Path) -> None:
    text = (root / "resources" / "docs" / "manual" / "recipe.md").read_text(encoding="utf-8")
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ") and not line.startswith("    -")]
    recipe = parse(tomllib.loads("\n".join(lines)))
    assert [c.name for c in recipe.classes] == ["cement", "bone", "rubber"]


def test_the_plugin_in_contributing_works(root: Path, tmp_path: Path) -> None:
    (text,) = _fenced(root / "CONTRIBUTING.md", "python")
    (tmp_path / "linear.py").write_text(text, encoding="utf-8")
    found = discover(tmp_path, entry_points=False)
    assert found.broken == []
    import torch

    network = found.get("network", "linear").call(1, 3, 16, dropout=0.2)
    assert network(torch.zeros(2, 1, 16, 16)).shape == (2, 3)


def test_the_page_of_settings_is_up_to_date(root: Path) -> None:
    spec = importlib.util.spec_from_file_location("recipe_reference", root / "installer" / "recipe_reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "type `make docs` and commit the page"


def test_every_command_is_in_the_manual(root: Path) -> None:
    text = (root / "resources" / "docs" / "manual" / "command-line.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"`microtome {name}" not in text] == []


def test_every_event_is_in_the_formats(root: Path) -> None:
    text = (root / "resources" / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \| [^|]* \| ([^|]*) \|$", text, re.MULTILINE))
    kinds = [kind for kind in AnyEvent.__args__ if kind.__struct_config__.tag != "unknown"]
    wrong = [
        f"{kind.__struct_config__.tag}: {field.name}"
        for kind in kinds
        for field in msgspec.structs.fields(kind)
        if field.name not in ("time", *_grouped(str(kind.__struct_config__.tag)))
        if field.name not in rows.get(str(kind.__struct_config__.tag), "")
    ]
    assert wrong == []


def _grouped(tag: str) -> tuple[str, ...]:
    # The row of an epoch says these four in words: “loss and accuracy of training and validation”.
    return ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy") if tag == "epoch" else ()


@pytest.mark.parametrize("word", ["Slice", "Image set", "Field of view", "Trial", "Engine", "Ledger", "Block", "Guard band"])
def test_the_glossary_says_what_to_avoid(root: Path, word: str) -> None:
    text = (root / "resources" / "docs" / "glossary.md").read_text(encoding="utf-8")
    entry = re.search(rf"\*\*{word}\*\*.*?(?=\n\n|\Z)", text, re.DOTALL)
    assert entry is not None
    assert "*Avoid:*" in entry[0]
