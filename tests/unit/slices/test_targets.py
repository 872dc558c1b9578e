"""Numbers that volumes carry: from the recipe into the image set, and which volumes are held apart for them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from microtome.errors import InputError
from microtome.search.recipe import Recipe, dumps, parse, require_classes
from microtome.slices.imageset import build
from microtome.slices.targets import EVERY

_SLICES = {"field_of_view": 40, "unit": "nm", "pixels": 8, "train": 4, "validation": 2, "evaluation": 2}


def _box(seed: int, **more: Any) -> dict[str, Any]:
    return {"kind": "rnd", "seed": seed, "edge": 120.0, **more}


def _recipe(*classes: dict[str, Any], target: str = "value") -> Recipe:
    return parse({"class": list(classes), "slices": _SLICES, "training": {"target": target}})


def test_values_come_from_the_volume_or_else_its_class_and_survive_a_file() -> None:
    recipe = _recipe(
        {"name": "a", "value": 3, "simulate": [_box(1), _box(2, value=4.5)], "volumes": [{"path": "/x.tif", "value": -1}]},
        {"name": "b", "property": "contact number", "simulate": [_box(3)]},
    )
    first, second = recipe.classes
    assert [s.value for s in first.simulated] == [3.0, 4.5]
    assert first.volumes[0].value == -1.0
    assert second.simulated[0].property == "contact number"
    assert parse(tomllib.loads(dumps(recipe))).classes == recipe.classes


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ({"value": "much"}, "must be a number"),
        ({"value": float("nan")}, "must be a number"),
        ({"property": "colour"}, "no property “colour”"),
        ({"property": "contact number", "value": 1}, "Leave one of them out|and a property"),
    ],
)
def test_what_is_no_value_is_said(item: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        _recipe({"name": "a", "simulate": [_box(1, **item)]})


def test_a_run_needs_values_that_differ() -> None:
    require_classes(_recipe({"name": "a", "simulate": [_box(1, value=1), _box(2, value=2)]}))
    with pytest.raises(InputError, match="has no value"):
        require_classes(_recipe({"name": "a", "simulate": [_box(1, value=1), _box(2)]}))
    with pytest.raises(InputError, match="same value"):
        require_classes(_recipe({"name": "a", "value": 1, "simulate": [_box(1), _box(2)]}))
    search = {"objective": "worst", "space": {"training.learning_rate": {"low": 1e-3, "high": 1e-2}}}
    values = [{"name": "a", "simulate": [_box(1, value=1), _box(2, value=2)]}]
    with pytest.raises(InputError, match="no worst class"):
        require_classes(parse({"class": values, "training": {"target": "value"}, "search": search}))


def test_whole_volumes_of_all_classes_are_held_apart(tmp_path: Path) -> None:
    classes = [{"name": f"c{k}", "value": k, "simulate": [_box(k)]} for k in range(3)]
    made = build(*_recipe(*classes).cut, tmp_path)
    assert made.classes == (EVERY,)
    assert len(made) == 3 * 8
    serving = [set(made.values[made.split(name)]) for name in ("train", "validation", "evaluation")]
    assert [len(s) for s in serving] == [1, 1, 1]
    assert set.union(*serving) == {0.0, 1.0, 2.0}


def test_values_change_the_image_set_only_where_they_are_told(tmp_path: Path) -> None:
    plain = [{"name": f"c{k}", "simulate": [_box(k)]} for k in range(2)]
    valued = [{**c, "value": k} for k, c in enumerate(plain)]
    assert _recipe(*plain, target="class").cut == _recipe(*valued, target="class").cut
    one = build(*_recipe(*valued).cut, tmp_path)
    other = build(*_recipe({**valued[0], "value": 7}, valued[1]).cut, tmp_path)
    assert one.hash != other.hash
    assert set(other.values.tolist()) == {7.0, 1.0}


def test_a_property_is_computed_of_the_structure(tmp_path: Path) -> None:
    fractions = [0.05, 0.1, 0.2]
    boxes = [_box(k, volume_fraction=f) for k, f in enumerate(fractions)]
    made = build(*_recipe({"name": "a", "property": "volume fraction", "simulate": boxes}).cut, tmp_path)
    assert [v["value"] for v in made.volumes] == pytest.approx(fractions, rel=1e-6)
