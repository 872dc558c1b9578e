"""What cannot be trained is refused before a run is made, and before anything is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small import table

from microtome.errors import MicrotomeError
from microtome.search.driver import create_run
from microtome.search.recipe import parse
from microtome.store.project import Project

VARIED = {"slices.pixels": {"low": 16, "high": 48}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": {"name": "resnet18"}}, "Images of 16 pixels are too small for the network “resnet18”"),
        ({"transfer": {"weights": "none.pth"}}, r"The weights .*none\.pth cannot be read"),
        ({"transfer": {"weights": "published"}}, "The network “cnn” has no published weights"),
    ],
)
def test_it_is_said_before_a_run_is_made(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    recipe = table(tmp_path / "data")
    for section, values in changes.items():
        recipe[section] = values
    project = Project.create(tmp_path / "project")
    with pytest.raises(MicrotomeError, match=words):
        create_run(parse(recipe, tmp_path), project)
    assert not list(project.runs_dir.glob("*"))


@pytest.mark.parametrize("changes", [{"transfer": {"image_size": 32}}, {"search": {"space": VARIED}}])
def test_what_is_resized_or_varied_is_left_to_the_trials(tmp_path: Path, changes: dict[str, Any]) -> None:
    recipe = {**table(tmp_path / "data"), "network": {"name": "resnet18"}, **changes}
    assert create_run(parse(recipe), Project.create(tmp_path / "project")).recipe.is_file()
