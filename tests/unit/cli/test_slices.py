"""`microtome slices` cuts the image set that `microtome run` trains on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from microtome.cli import run_command
from microtome.search.imagesets import ImageSets
from microtome.search.recipe import load

RECIPE = """
[[class]]
name = "soft"
volumes = [{ path = "0.npy", value = 1.0 }, { path = "1.npy", value = 2.0 }]
[[class]]
name = "hard"
volumes = [{ path = "2.npy", value = 3.0 }, { path = "3.npy", value = 4.0 }]
[slices]
field_of_view = 12.0
pixels = 12
train = 4
validation = 2
evaluation = 2
"""


@pytest.mark.parametrize("target", ["class", "value"])
def test_it_is_the_set_of_a_run(tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    """For a number whole volumes are held apart, so that these are other slices than for classes."""
    for i in range(4):
        np.save(tmp_path / f"{i}.npy", np.random.default_rng(i).integers(0, 255, (40, 40, 40)).astype(np.uint8))
    recipe = tmp_path / "r.toml"
    recipe.write_text(f'{RECIPE}[training]\ntarget = "{target}"\n')
    assert run_command(["slices", str(recipe), "--out", str(tmp_path / "sets"), "--json"]) == 0
    cut = json.loads(capsys.readouterr().out.splitlines()[-1])
    trained = ImageSets(tmp_path / "others", lambda event: None, lambda: False).get(load(recipe))
    assert cut["hash"] == trained.hash
    assert cut["counts"] == trained.counts()
