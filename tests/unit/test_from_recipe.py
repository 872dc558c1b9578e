"""A command's recipe is what the window finds in the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from microtome.from_recipe import fill_project
from microtome.search.recipe import parse
from microtome.session import Session
from microtome.store.project import Project


def test_the_window_would_run_the_same_recipe(tmp_path: Path) -> None:
    for seed, name in enumerate(("a.tif", "b.tif", "m 1.tif")):
        shape = (8, 9, 10) if name != "m 1.tif" else (9, 10)
        tifffile.imwrite(tmp_path / name, np.random.default_rng(seed).integers(0, 9, shape, dtype=np.uint8))
    recipe = parse(
        {
            "class": [
                {"name": "A", "volumes": [{"path": "a.tif", "voxel_size": [10.0, 4.0, 4.0], "unit": "nm"}]},
                {"name": "B", "volumes": ["b.tif"]},
                {"name": "M", "images": ["m *.tif"]},
                {"name": "S", "simulate": {"kind": "rnd", "seed": 3, "edge": 200.0, "boxes": 2}},
            ],
            "slices": {"pixels": 16, "field_of_view": 4.0},
            "network": {"convolutions": 2},
            "training": {"epochs": 2},
            "search": {"algorithm": "random", "budget": 3, "space": {"training.learning_rate": {"low": 1e-4, "high": 1e-2}}},
        },
        tmp_path,
    )
    project = Project.create(tmp_path / "project")
    fill_project(project, recipe)
    session = Session()
    session.open_project(tmp_path / "project")
    again = session.recipe(search=True)
    assert [c.name for c in again.classes] == ["A", "B", "M", "S"]
    assert again.classes[0] == recipe.classes[0]
    assert again.classes[3] == recipe.classes[3]
    assert again.classes[2].images == (str(tmp_path / "m 1.tif"),)
    assert (again.slices, again.network, again.training, again.search) == (
        recipe.slices,
        recipe.network,
        recipe.training,
        recipe.search,
    )
    before = [v.id for v in session.need_project().volumes]
    fill_project(session.need_project(), parse({}))
    assert [v.id for v in session.need_project().volumes] == before, "a project that has volumes is left as it is"


def test_numbers_of_volumes_reach_the_window(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 9, 10), dtype=np.uint8))
    made = [{"kind": "rnd", "seed": 1, "value": 3.5}, {"kind": "rnd", "seed": 2, "property": "volume fraction"}]
    volumes = [{"path": "a.tif", "value": -1.25}]
    recipe = parse(
        {"class": [{"name": "all", "volumes": volumes, "simulate": made}], "training": {"target": "value"}}, tmp_path
    )
    project = Project.create(tmp_path / "project")
    fill_project(project, recipe)
    session = Session()
    session.open_project(tmp_path / "project")
    assert session.trainable, "one class does where numbers are told"
    assert session.recipe().classes == recipe.classes
    session.set_value("training.target", "class")
    assert [s.property for s in session.recipe().classes[0].simulated] == ["", ""], "classes are told: numbers do not matter"
