"""Runs beside each other: only what differs, and differences only where the same images were asked about."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from microtome.results.compare import Side, difference, differing, read_answers, read_side, setting_title
from microtome.search.recipe import dumps, parse
from microtome.store.run import RunFolder


def lay(folder: Path, name: str, **training: object) -> RunFolder:
    table = {
        "class": [{"name": c, "simulate": {"kind": c, "seed": 1}} for c in ("m-sbr", "rnd")],
        "training": {"epochs": 4, **training},
    }
    return RunFolder.create(folder, name=name, info={"kind": "train"}, recipe_toml=dumps(parse(table)))


def answers(run: RunFolder, said: list[str]) -> None:
    """Sixty images, half of each class, all of the second class told rightly."""
    path = run.trial(1) / "predictions.csv"
    path.parent.mkdir(parents=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "true", "predicted"])
        for i in range(60):
            true = "a" if i < 30 else "b"
            rows.writerow([i, true, said[i] if i < 30 else "b"])


def test_only_what_differs_is_listed(tmp_path: Path) -> None:
    one, two = lay(tmp_path, "one"), lay(tmp_path, "two", learning_rate=1e-2, optimizer="sgd")
    sides = [read_side(one, 1, {}), read_side(two, 1, {"network.dropout": 0.3})]
    rows = dict(differing(sides))
    assert rows["training.learning_rate"] == (1e-3, 1e-2)
    assert rows["training.optimizer"] == ("adam", "sgd")
    assert rows["network.dropout"][1] == 0.3, "a trial's parameters count"
    assert len(rows) == 3
    assert differing([sides[0], sides[0]]) == []
    assert setting_title("training.learning_rate") == "Learning rate"


def test_a_recipe_that_cannot_be_read_says_so_and_hides_nothing(tmp_path: Path) -> None:
    one, two, three = lay(tmp_path, "one"), lay(tmp_path, "two"), lay(tmp_path, "three", batch_size=64)
    two.recipe.write_text("[network]\nname = 'gone'\n")
    sides = [read_side(run, None, {}) for run in (two, one, three)]
    assert sides[0].problem
    assert dict(differing(sides)) == {"training.batch_size": (None, 32, 64)}


def test_a_difference_on_the_same_images_is_paired(tmp_path: Path) -> None:
    one, two = lay(tmp_path, "one"), lay(tmp_path, "two")
    answers(one, ["a"] * 30)
    answers(two, ["a"] * 10 + ["b"] * 20)
    good, bad = (read_side(run, 1, {}, "set") for run in (one, two))
    found = difference(good, bad)
    assert found is not None
    assert found.gain == pytest.approx((20 / 30 + 0) / 2)
    assert found.images == 60
    assert found.word == "better"
    back = difference(bad, good)
    assert back is not None
    assert back.word == "worse"
    same = difference(good, good)
    assert same is not None
    assert (same.gain, same.word) == (0.0, "open")


def test_other_images_are_not_compared(tmp_path: Path) -> None:
    mine = Side(name="a", image_set="x", answers={1: ("a", "a"), 2: ("b", "b")})
    assert difference(mine, Side(name="b", image_set="y", answers=mine.answers)) is None
    assert difference(mine, Side(name="b", image_set="x", answers={1: ("a", "a")})) is None, "of some only"
    assert difference(mine, Side(name="b", image_set="x", answers={1: ("a", "a"), 2: ("a", "b")})) is None, "true otherwise"
    assert difference(mine, Side(name="b", image_set="x")) is None
    (tmp_path / "p.csv").write_text("image,true\nthree,a\n")
    assert read_answers(tmp_path / "p.csv") == {}
    assert read_answers(tmp_path / "none.csv") == {}
