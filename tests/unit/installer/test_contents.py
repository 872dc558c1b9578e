"""What builds for people without Python carry, and what Linux desktops are told."""

from __future__ import annotations

import ast
import configparser
import importlib.util
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LINUX = ROOT / "installer" / "linux"


def test_a_build_carries_what_plugins_import() -> None:
    spec = importlib.util.spec_from_file_location("contents", ROOT / "installer" / "contents.py")
    assert spec is not None and spec.loader is not None
    contents = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(contents)
    assert {"torch", "nevergrad", "optuna", "microtome.volumes.tiff.stack", "microtome.plugin"} <= set(
        contents.plugin_imports()
    )
    assert "__future__" not in contents.plugin_imports()
    for here, there in contents.data_folders():
        assert Path(here).is_dir()
        assert there.startswith("microtome/")


def test_the_desktop_entry_starts_what_is_installed() -> None:
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment, method-assign]
    entry.read(LINUX / "microtome.desktop", encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    values = entry["Desktop Entry"]
    assert values["Exec"].split()[0] in project["gui-scripts"]
    assert (ROOT / "resources" / "icons" / f"{values['Icon']}.svg").exists()
    assert values["Comment"] == project["description"]


def test_the_metainfo_names_the_same_program() -> None:
    component = ElementTree.parse(LINUX / "microtome.metainfo.xml").getroot()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    binaries = {node.text for node in component.iter("binary")}
    assert binaries == {*project["scripts"], *project["gui-scripts"]}
    assert component.findtext("project_license") == project["license"]
    assert component.findtext("launchable") == "microtome.desktop"


def test_the_smoke_tests_recipe_is_valid() -> None:
    """Read without running: the frozen build is where it runs."""
    from microtome.search.recipe import parse, require_classes

    tree = ast.parse((ROOT / "installer" / "smoke_test.py").read_text(encoding="utf-8"))
    (text,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RECIPE"
    ]
    recipe = parse(tomllib.loads(text))
    require_classes(recipe)
    assert recipe.search is not None
