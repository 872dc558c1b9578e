"""What the panel at the right says of a run: its figures, each with its interval and n."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import journals
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from microtome.events import Event
from microtome.store.project import Project
from microtome.store.run import RunFolder
from microtome.ui.properties import PropertiesPanel
from microtome.ui.window import MainWindow

LayRun = Callable[[Project, Sequence[Event]], RunFolder]


def test_figures_have_their_interval_and_n_and_are_said_once(
    window: MainWindow, project: Project, lay_run: LayRun, qtbot: QtBot
) -> None:
    run = lay_run(project, journals.training())
    window.desk.tails.sync()
    window.desk.select(f"run:{run.name}")

    def words() -> list[str]:
        return [label.text() for label in PropertiesPanel(window.desk).findChildren(QLabel)]

    qtbot.waitUntil(lambda: "90.0 % (84.0 % – 94.0 %), n = 150" in words(), timeout=60_000)
    assert "85.0 %, n = 300" in words()
    assert "Best value" not in words(), "it is the best validation accuracy"
