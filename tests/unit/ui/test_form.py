"""Forms: what is typed is checked, kept, said to be wrong, searched, reset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from microtome.session import Session
from microtome.ui.desk import Desk
from microtome.ui.editors import UnitEdit
from microtome.ui.form import FieldRow, Form, FormOptions


@pytest.fixture
def desk(qtbot: QtBot, tmp_path: Path) -> Desk:
    session = Session()
    session.new_project(tmp_path / "project")
    return Desk(session)


@pytest.fixture
def make(desk: Desk, qtbot: QtBot) -> Callable[..., Form]:
    forms: list[Form] = []  # a test may hold no more than a row of its form

    def build(section: str, options: FormOptions | None = None) -> Form:
        form = Form(desk, section, options)
        qtbot.addWidget(form)
        forms.append(form)
        desk.changed.connect(form.refresh)
        form.show()
        return form

    return build


def line(row: FieldRow) -> UnitEdit:
    found = row.editor.findChild(UnitEdit)
    assert isinstance(found, UnitEdit)
    return found


def enter(edit: QLineEdit, text: str) -> None:
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, text)
    QTest.keyClick(edit, Qt.Key.Key_Return)


def test_a_value_is_kept_and_can_be_reset(make: Callable[..., Form], desk: Desk) -> None:
    row = make("training").rows["epochs"]
    assert line(row).text() == "10"
    assert row.reset.isHidden()
    enter(line(row), "25")
    assert desk.session.value("training.epochs") == 25
    assert not row.reset.isHidden()
    row.reset.click()
    assert desk.session.value("training.epochs") == 10
    assert line(row).text() == "10"
    assert row.reset.isHidden()


@pytest.mark.parametrize("text", ["0", "-3", "ten", "2.5", "", "1e99", "nan"])
def test_what_makes_no_sense_is_said_below_and_not_kept(make: Callable[..., Form], desk: Desk, text: str) -> None:
    form = make("training")
    row = form.rows["epochs"]
    enter(line(row), "7")
    enter(line(row), text or " ")
    assert desk.session.value("training.epochs") == 7
    assert list(form.problems()) == ["epochs"]
    assert not row.problem.isHidden()
    assert line(row).property("wrong") == "true"
    enter(line(row), "8")
    assert form.problems() == {}
    assert row.problem.isHidden()
    assert line(row).property("wrong") == "false"


def test_the_sentence_names_the_field_as_the_form_does(make: Callable[..., Form]) -> None:
    form = make("training")
    enter(line(form.rows["batch_size"]), "1")
    assert form.problems()["batch_size"] == "Batch size is 1 images; it must be at least 2 images."


def test_typing_is_kept_when_it_pauses(make: Callable[..., Form], desk: Desk, qtbot: QtBot) -> None:
    row = make("slices").rows["pixels"]
    edit = line(row)
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, "96")
    assert desk.session.value("slices.pixels") == 64
    qtbot.waitUntil(lambda: desk.session.value("slices.pixels") == 96)


def test_a_comma_list_means_sweep(make: Callable[..., Form], desk: Desk) -> None:
    row = make("training").rows["batch_size"]
    enter(line(row), "16, 32,64")
    assert desk.session.axes() == {"training.batch_size": [16, 32, 64]}
    assert desk.session.value("training.batch_size") == 32, "the plain value stays"
    assert row.tick is not None and row.tick.isChecked()
    assert row.axis is not None and not row.axis.isHidden()
    assert line(row).text() == "32"


def test_one_wrong_number_of_a_list_spoils_it(make: Callable[..., Form], desk: Desk) -> None:
    form = make("training")
    enter(line(form.rows["batch_size"]), "16, 1")
    assert desk.session.axes() == {}
    assert "batch_size" in form.problems()


def test_a_tick_proposes_the_range_and_unticking_takes_it_back(make: Callable[..., Form], desk: Desk) -> None:
    row = make("training").rows["learning_rate"]
    assert row.tick is not None and row.axis is not None
    row.tick.click()
    assert desk.session.axes()["training.learning_rate"] == {"low": 1e-4, "high": 1e-2, "log": True}
    low = row.axis.findChildren(UnitEdit)[0]
    enter(low, "0.001")
    assert desk.session.axes()["training.learning_rate"]["low"] == pytest.approx(1e-3)  # type: ignore[call-overload]
    row.tick.click()
    assert desk.session.axes() == {}
    assert row.axis.isHidden()


def test_a_range_that_is_upside_down_is_said(make: Callable[..., Form], desk: Desk) -> None:
    row = make("training").rows["learning_rate"]
    assert row.tick is not None and row.axis is not None
    row.tick.click()
    enter(row.axis.findChildren(UnitEdit)[0], "5")
    assert "exchange the two" in row.problem.text()
    assert desk.session.axes()["training.learning_rate"]["low"] == 1e-4  # type: ignore[call-overload]


def test_advanced_settings_are_folded_until_one_is_changed(make: Callable[..., Form], desk: Desk) -> None:
    row = make("training").rows["momentum"]
    assert not row.isVisible()
    desk.perform(lambda: desk.session.set_value("training.momentum", 0.5))
    assert make("training").rows["momentum"].isVisible()


def test_another_network_brings_its_own_fields(make: Callable[..., Form], desk: Desk) -> None:
    form = make("network")
    assert "convolutions" in form.rows
    names = [name for name in _networks() if name != "cnn"]
    if not names:
        pytest.skip("there is one network only")
    desk.perform(lambda: desk.session.set_network(names[0]))
    assert set(form.rows) == set(desk.session.specs("network"))


def _networks() -> list[str]:
    from microtome.registry import registry

    return registry().names("network")


def test_a_form_can_go_without_ticks(make: Callable[..., Form]) -> None:
    form = make("slices", FormOptions(unsearchable=("pixels",), hidden=("seed",)))
    assert form.rows["pixels"].tick is None
    assert form.rows["orientation"].tick is not None
    assert "seed" not in form.rows
    assert all(row.tick is None for row in make("search", FormOptions(searchable=False)).rows.values())


def test_every_editor_can_be_reached_by_tab_and_is_named(make: Callable[..., Form]) -> None:
    form = make("slices")
    for row in form.rows.values():
        editor = row.editor.focusProxy()
        assert editor is not None
        assert editor.accessibleName()
        assert editor.focusPolicy() & Qt.FocusPolicy.TabFocus
