"""The application without a window: every action returns what it changed, and is on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from microtome import settings
from microtome.errors import InputError, MicrotomeError
from microtome.session import Change, Session
from microtome.volumes.read import describe


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("MICROTOME_HOME", str(tmp_path / "home"))
    session = Session()
    session.new_project(tmp_path / "project")
    yield session


def _volume(folder: Path, name: str, seed: int) -> Path:
    path = folder / name
    rng = np.random.default_rng(seed)
    tifffile.imwrite(path, rng.integers(0, 255, (24, 24, 24), dtype=np.uint8))
    return path


def test_without_a_project_it_is_said() -> None:
    with pytest.raises(InputError, match="No project is open"):
        Session().classes()


def test_a_project_is_recent_until_it_is_gone(session: Session, tmp_path: Path) -> None:
    assert settings.recent() == [tmp_path / "project"]
    (tmp_path / "project").rename(tmp_path / "moved")
    assert settings.recent() == []


def test_volumes_are_added_once_and_come_back(session: Session, tmp_path: Path) -> None:
    path = _volume(tmp_path, "a b#%.tif", 0)
    description = describe(path)
    assert session.add_volume(description, "A") is Change.VOLUMES
    assert session.add_volume(description, "A") is Change.NOTHING
    entry = session.need_project().volumes[0]
    session.change_volume(entry.id, voxel_size=(5.0, 5.0, 5.0), unit="nm", class_name="Q")
    again = Session()
    again.open_project(tmp_path / "project")
    assert again.classes() == ["Q"]
    assert again.volume(entry.id).voxel_size == (5.0, 5.0, 5.0)
    assert again.recipe().classes[0].volumes[0].voxel_size == (5.0, 5.0, 5.0)
    again.remove_volume(entry.id)
    assert again.classes() == []
    assert path.exists(), "the data are never touched"


def test_settings_keep_only_what_differs(session: Session) -> None:
    assert session.value("training.epochs") == 10
    session.set_value("training.epochs", 4)
    assert session.need_project().settings["recipe"]["training"] == {"epochs": 4}
    session.set_value("training.epochs", 10)
    assert session.need_project().settings["recipe"]["training"] == {}
    with pytest.raises(InputError, match="at least 1"):
        session.set_value("training.epochs", 0)


def test_axes_are_checked_and_can_be_dropped(session: Session) -> None:
    axis = session.default_axis("training.learning_rate")
    assert axis == {"low": 1e-4, "high": 1e-2, "log": True}
    session.set_axis("training.learning_rate", axis)
    session.set_axis("network.convolutions", {"low": 2, "high": 4})
    search = session.recipe(search=True).search
    assert search is not None
    assert [a.name for a in search.space] == ["training.learning_rate", "network.convolutions"]
    with pytest.raises(MicrotomeError, match="low = 4 above high = 2"):
        session.set_axis("network.convolutions", {"low": 4, "high": 2})
    session.set_axis("network.convolutions", None)
    session.set_axis("training.learning_rate", None)
    with pytest.raises(InputError, match="nothing to vary"):
        session.recipe(search=True)


def test_a_network_that_comes_back_has_its_settings_again(session: Session, tmp_path: Path) -> None:
    session.set_value("network.width", 16)
    session.set_value("network.dropout", 0.25)
    session.set_value("network.convolutions", 3)
    session.set_axis("network.convolutions", {"low": 2, "high": 4})
    session.set_axis("network.dropout", {"low": 0.0, "high": 0.3})
    session.set_network("resnet18")
    assert (session.value("network.width"), session.value("network.dropout")) == (16, 0.25), "the same name, and valid"
    assert "convolutions" not in session.recipe().network.parameters
    assert list(session.axes()) == ["network.dropout"]
    session.set_value("network.width", 32)
    session.set_value("network.stem", "small")

    again = Session()
    again.open_project(tmp_path / "project")
    again.set_network("cnn")
    assert [again.value(f"network.{n}") for n in ("width", "dropout", "convolutions")] == [16, 0.25, 3]
    assert set(again.axes()) == {"network.convolutions", "network.dropout"}
    again.set_network("resnet18")
    assert [again.value(f"network.{n}") for n in ("width", "dropout", "stem")] == [32, 0.25, "small"]
    again.recipe()


def test_settings_that_another_network_cannot_take_stay_behind(session: Session) -> None:
    session.set_value("network.width", 4)  # less than a residual network may have
    session.set_axis("network.width", {"low": 4, "high": 12})
    session.set_axis("training.learning_rate", session.default_axis("training.learning_rate"))
    session.set_network("resnet18")
    assert session.value("network.width") == 64
    assert list(session.axes()) == ["training.learning_rate"]
    session.set_network("resnet18")
    assert session.set_network("cnn")
    assert session.value("network.width") == 4


def test_a_best_trial_becomes_the_working_network(session: Session, tmp_path: Path) -> None:
    session.adopt({"network.convolutions": 3, "training.learning_rate": 0.01})
    recipe = session.recipe()
    assert recipe.network.parameters["convolutions"] == 3
    assert recipe.training.learning_rate == 0.01


def test_a_run_cannot_start_with_one_class(session: Session, tmp_path: Path) -> None:
    session.add_volume(describe(_volume(tmp_path, "a.tif", 0)), "A")
    with pytest.raises(MicrotomeError, match="only one class"):
        session.start(search=False)
    assert session.runs() == []


def test_the_window_state_is_kept_with_the_project(session: Session, tmp_path: Path) -> None:
    session.remember("tabs", ["start", "slices"])
    again = Session()
    again.open_project(tmp_path / "project")
    assert again.remembered("tabs") == ["start", "slices"]
    assert again.remembered("nothing", 3) == 3


def test_the_value_of_a_structure_may_be_computed(session: Session, tmp_path: Path) -> None:
    session.add_simulated("rnd", seed=1, class_name="A")
    session.add_volume(describe(_volume(tmp_path, "a.tif", 0)), "A")
    made, read = session.need_project().volumes
    assert not session.trainable
    session.set_volume_value(made.id, "Contact number")
    assert (session.volume(made.id).computed, session.volume(made.id).value) == ("contact number", None)
    assert session.trainable
    session.set_volume_value(made.id, "0,2")
    assert (session.volume(made.id).computed, session.volume(made.id).value) == ("", 0.2)
    with pytest.raises(InputError, match="no number"):
        session.set_volume_value(read.id, "contact number")
    session.set_volume_value(made.id, "contact number")
    session.set_volume_value(made.id, "")
    assert (session.volume(made.id).computed, session.volume(made.id).value) == ("", None)
    assert not session.trainable
