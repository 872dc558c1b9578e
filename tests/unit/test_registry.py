"""Plugins are found, a broken one is kept with its error, a collision is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from microtome.errors import UnknownNameError
from microtome.registry import discover

GOOD = """
from microtome.plugin import Field, generator

@generator("{name}", label="Mine")
def mine(rng: object, *, size: int = Field(3, 1, 9)) -> int:
    "Do a thing."
    return size
"""


def _write(root: Path, file: str, text: str) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(text)


def test_a_plugin_file_anywhere_below_the_folder_is_found_and_called(tmp_path: Path) -> None:
    _write(tmp_path, "top.py", GOOD.format(name="top"))
    _write(tmp_path, "generators/deep.py", GOOD.format(name="deep"))
    found = discover(tmp_path, entry_points=False)
    assert found.names("generator") == ["deep", "top"]
    plugin = found.get("generator", "top")
    assert plugin.summary == "Do a thing."
    assert plugin.call(None, size=4) == 4
    assert plugin.call(None) == 3
    assert len(plugin.source_hash) == 16


def test_a_broken_plugin_is_a_line_not_a_failed_start(tmp_path: Path) -> None:
    _write(tmp_path, "bad.py", "import no_such_module_at_all")
    _write(tmp_path, "worse.py", "def f(:")
    _write(tmp_path, "good.py", GOOD.format(name="good"))
    found = discover(tmp_path, entry_points=False)
    assert found.names("generator") == ["good"]
    assert [Path(b.file).name for b in found.broken] == ["bad.py", "worse.py"]
    assert "no_such_module_at_all" in found.broken[0].error


def test_two_plugins_of_one_name_are_said(tmp_path: Path) -> None:
    _write(tmp_path, "a.py", GOOD.format(name="same"))
    _write(tmp_path, "b.py", GOOD.format(name="same"))
    found = discover(tmp_path, entry_points=False)
    assert "Two plugins call themselves generator “same”" in found.broken[0].error


def test_an_unknown_plugin_names_the_nearest(tmp_path: Path) -> None:
    _write(tmp_path, "a.py", GOOD.format(name="m-sbr"))
    with pytest.raises(UnknownNameError, match="Did you mean “m-sbr”"):
        discover(tmp_path, entry_points=False).get("generator", "msbr")
