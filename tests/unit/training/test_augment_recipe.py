"""Augmentations in a recipe, in a search's space, in a project's settings and in what is told of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w

from microtome.errors import InputError, MicrotomeError, UnknownNameError
from microtome.from_recipe import fill_project
from microtome.results.fold import RunState
from microtome.results.methods import methods
from microtome.results.tables import short
from microtome.search.recipe import dumps, load, parse
from microtome.session import Session
from microtome.store.project import Project

LIST: list[Any] = [{"name": "shot-noise", "dose": 80}, "symmetries", {"name": "cutmix", "alpha": 0.5}]


def recipe(space: dict[str, Any] | None = None, chosen: list[Any] = LIST) -> Any:
    table: dict[str, Any] = {"training": {"epochs": 3, "augmentations": chosen}}
    return parse(table if space is None else {**table, "search": {"space": space}})


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("MICROTOME_HOME", str(tmp_path / "home"))
    made = Session()
    made.new_project(tmp_path / "project")
    return made


def test_it_is_read_and_written_back(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(tomli_w.dumps({"training": {"augmentations": LIST}}), encoding="utf-8")
    found = load(file)
    assert [a["name"] for a in found.training.augmentations] == ["shot-noise", "symmetries", "cutmix"]
    assert found.training.augmentations[0]["dose"] == 80.0
    file.write_text(dumps(found), encoding="utf-8")
    assert load(file) == found


def test_a_recipe_without_any_trains_as_ever() -> None:
    assert parse({}).training.augmentations == ()
    assert parse({}).training.symmetries


def test_a_wrong_name_in_a_recipe_is_a_sentence() -> None:
    with pytest.raises(UnknownNameError, match=r"There is no augmentation “cut-out”. Did you mean “cutout”"):
        recipe(chosen=["cut-out"])


def test_a_search_varies_their_settings() -> None:
    axes = {"augmentation.shot-noise.dose": {"low": 10.0, "high": 500.0, "log": True}, "augmentation.cutmix.alpha": [0.5, 1.0]}
    found = recipe(axes)
    trial = found.with_values({"augmentation.shot-noise.dose": 33.0, "augmentation.cutmix.alpha": 1.0, "training.epochs": 5})
    assert trial.training.augmentations[0]["dose"] == 33.0
    assert trial.training.augmentations[2]["alpha"] == 1.0
    assert trial.training.epochs == 5
    assert found.training.augmentations[0]["dose"] == 80.0


@pytest.mark.parametrize(
    ("axis", "kind", "words"),
    [
        ({"augmentation.blur.sigma": [1.0, 2.0]}, InputError, "no augmentation “blur” in this training"),
        ({"augmentation.shot-noise.doze": [1.0, 2.0]}, UnknownNameError, "dose"),
        ({"augmentation.shot-noise.dose": {"low": 0.0, "high": 9.0}}, InputError, "at least 0.5"),
        ({"augmentations.shot-noise.dose": [1.0]}, UnknownNameError, "Did you mean “augmentation”"),
    ],
)
def test_an_axis_that_cannot_be_is_refused(axis: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        recipe(axis)


def test_a_project_keeps_those_that_are_chosen(session: Session, tmp_path: Path) -> None:
    session.set_augmentations(LIST)
    kept = session.need_project().settings["recipe"]["training"]["augmentations"]
    assert kept == [{"name": "shot-noise", "dose": 80.0}, {"name": "symmetries"}, {"name": "cutmix", "alpha": 0.5}]
    again = Session()
    again.open_project(tmp_path / "project")
    assert again.recipe().training == parse({"training": {"augmentations": LIST}}).training
    assert list(again.specs("augmentation")) == [
        "shot-noise.dose",
        "shot-noise.spread",
        "shot-noise.background",
        "cutmix.alpha",
    ]
    again.set_augmentations([])
    assert "augmentations" not in again.need_project().settings["recipe"]["training"]


def test_a_setting_of_one_is_a_setting_like_others(session: Session) -> None:
    session.set_augmentations(["blur", "shot-noise"])
    assert session.value("augmentation.shot-noise.dose") == 50.0
    session.set_value("augmentation.shot-noise.dose", 20)
    assert session.value("augmentation.shot-noise.dose") == 20.0
    assert session.augmentations() == [{"name": "blur"}, {"name": "shot-noise", "dose": 20.0}]
    with pytest.raises(InputError, match=r"at least 0\.5"):
        session.set_value("augmentation.shot-noise.dose", 0)
    session.set_value("augmentation.shot-noise.dose", 50.0)
    assert session.augmentations() == [{"name": "blur"}, {"name": "shot-noise"}]


def test_its_axis_goes_with_it(session: Session) -> None:
    session.set_augmentations(["blur", "shot-noise"])
    for name in ("augmentation.blur.sigma", "augmentation.shot-noise.dose", "training.epochs"):
        axis = session.default_axis(name)
        assert axis is not None
        session.set_axis(name, axis)
    assert session.axes()["augmentation.shot-noise.dose"] == {"low": 10.0, "high": 1000.0, "log": True}
    assert len(session.recipe(search=True).search.space) == 3  # type: ignore[union-attr]
    session.set_augmentations(["blur"])
    assert list(session.axes()) == ["augmentation.blur.sigma", "training.epochs"]
    session.recipe(search=True)
    with pytest.raises(MicrotomeError, match="no augmentation “gamma”"):
        session.set_axis("augmentation.gamma.factor", [1.0, 2.0])


def test_a_window_opens_on_those_of_a_recipe(session: Session, tmp_path: Path) -> None:
    project = Project.create(tmp_path / "told")
    asked = recipe({"augmentation.shot-noise.dose": [10.0, 20.0]})
    fill_project(project, asked)
    session.open_project(tmp_path / "told")
    assert session.recipe(search=True).training == asked.training
    assert session.recipe(search=True).search == asked.search


def test_the_methods_say_what_was_done() -> None:
    text = methods(recipe(), RunState(), {}, "")
    assert "augmented at random by shot noise (dose 80, spread 10, background 0.1), symmetries, cutmix (alpha 0.5);" in text
    assert "augmented" not in methods(parse({}), RunState(), {}, "")


def test_a_table_heads_its_column_with_words() -> None:
    assert short("augmentation.shot-noise.dose") == "Shot noise: Dose"
    assert short("augmentation.of-someone.gone") == "Gone"
