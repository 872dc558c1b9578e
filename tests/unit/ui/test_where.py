"""The dialog that says where trials work."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from microtome import settings
from microtome.jobs.cluster import Scheduler
from microtome.session import Session
from microtome.session.launch import CLUSTER
from microtome.ui.desk import Desk
from microtome.ui.where import WhereDialog


@pytest.fixture
def parent(qtbot: QtBot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    return made


def dialog(parent: QWidget) -> WhereDialog:
    made = WhereDialog(Desk(Session()), parent)
    made.place.setCurrentIndex(1)
    made.place.activated.emit(1)
    return made


def test_the_place_is_kept_and_wrong_ones_are_said(parent: QWidget, tmp_path: Path) -> None:
    asked = dialog(parent)
    asked.address.setText("head")
    asked._accept()
    assert "not a scheduler's address" in asked.problem.text() and not asked.result()
    asked.address.setText("tls://head:8786")
    asked._accept()
    assert "authority" in asked.problem.text()
    for name, edit in asked.files.items():
        (tmp_path / f"{name}.pem").touch()
        edit.setText(str(tmp_path / f"{name}.pem"))
    asked._accept()
    assert asked.result()
    kept = Scheduler.from_json(settings.load()[CLUSTER])
    assert kept is not None and kept.address == "tls://head:8786" and kept.key == str(tmp_path / "key.pem")
    assert kept.options()[:2] == ["--scheduler", "tls://head:8786"]
    again = dialog(parent)
    assert again.address.text() == "tls://head:8786"
    again.place.setCurrentIndex(0)
    again._accept()
    assert Scheduler.from_json(settings.load()[CLUSTER]) is None


def test_an_attempt_tells_what_stands_against_it(parent: QWidget, qtbot: QtBot) -> None:
    asked = dialog(parent)
    asked.address.setText("tcp://127.0.0.1:1")
    asked._try()
    qtbot.waitUntil(lambda: bool(asked.problem.text()) and asked.attempt.isEnabled(), timeout=60_000)
    assert "cannot be reached" in asked.problem.text()
