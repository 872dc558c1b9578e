"""A search is edited in its middle through the page: freeze, narrow, add, a trial of one's own; reopened, it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from microtome.ui.pages.search import SearchPage
from microtome.ui.tail import RunTail
from microtome.ui.views.axes_dialog import OwnTrialDialog, SpaceDialog
from microtome.ui.window import MainWindow
from microtome.volumes.read import describe

Press = Callable[[MainWindow, str], None]
LONG = 150_000
RATE, ACTIVATION, WIDTH = "training.learning_rate", "network.activation", "network.width"
SMALL = {
    "slices.field_of_view": 24.0,
    "slices.pixels": 24,
    "slices.train": 48,
    "slices.validation": 16,
    "slices.evaluation": 24,
    "network.convolutions": 2,
    "network.dense": 0,
    "network.width": 8,
    "training.epochs": 4,
    "search.algorithm": "random",
    "search.budget": 1000,  # it does not end while it is edited, on any machine
    "search.workers": 1,
}


@pytest.fixture
def answer(qapp: QApplication) -> Iterator[Callable[[type[QDialog], Callable[[Any], None]], None]]:
    """Fills in the next dialog of a kind as a user does, once it is open, and presses its button."""
    timers: list[QTimer] = []

    def next_time(kind: type[QDialog], fill: Callable[[Any], None]) -> None:
        timer = QTimer()
        timers.append(timer)

        def look() -> None:
            dialog = QApplication.activeModalWidget()
            if isinstance(dialog, kind):
                timer.stop()
                fill(dialog)
                assert dialog.accept_button.isEnabled(), dialog.problem.text()  # type: ignore[attr-defined]
                dialog.accept_button.click()  # type: ignore[attr-defined]

        timer.timeout.connect(look)
        timer.start(20)

    yield next_time
    for timer in timers:
        timer.stop()


def start_search(window: MainWindow, press: Press, qtbot: QtBot) -> tuple[RunTail, SearchPage]:
    known = {t.run.name for t in window.desk.tails.all()}
    window.desk.open_page("optimise")
    press(window, "Start search")
    qtbot.waitUntil(lambda: len(window.desk.tails.all()) > len(known), timeout=LONG)
    page = window.tabs.current()
    assert isinstance(page, SearchPage)
    return next(t for t in window.desk.tails.all() if t.run.name not in known), page


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_search_is_edited_in_its_middle_and_goes_on_after_reopening(
    make_window: Callable[[], MainWindow],
    press: Press,
    volume_files: list[Path],
    tmp_path: Path,
    qtbot: QtBot,
    answer: Callable[[type[QDialog], Callable[[Any], None]], None],
) -> None:
    window = make_window()
    session = window.desk.session
    window.desk.perform(lambda: session.new_project(tmp_path / "project"))
    for file in volume_files:
        window.desk.perform(lambda f=file: session.add_volume(describe(f), f.stem))  # type: ignore[misc]
    for name, value in SMALL.items():
        session.set_value(name, value)
    session.set_axis(RATE, {"low": 1e-4, "high": 1e-1, "log": True})
    session.set_axis(ACTIVATION, ["relu", "gelu"])
    tail, page = start_search(window, press, qtbot)
    qtbot.waitUntil(lambda: len(tail.state.ended_trials()) >= 2 and page.edit_space.isEnabled(), timeout=LONG)

    # Freeze one, narrow another, add a third: in one go.
    def edit(dialog: SpaceDialog) -> None:
        by_name = {made.axis.name: made for made in dialog.rows}
        by_name[ACTIVATION].freeze.setChecked(True)
        by_name[RATE].low.setText("0.001")
        by_name[RATE].high.setText("0.01")
        dialog.add.choose(WIDTH)

    answer(SpaceDialog, edit)
    press(window, "Edit the space…")
    qtbot.waitUntil(lambda: bool(tail.state.spaces), timeout=LONG)
    changed = tail.state.spaces[-1]
    assert set(changed.table) == {RATE, WIDTH} and (changed.table[RATE]["low"], changed.table[RATE]["high"]) == (0.001, 0.01)
    assert set(changed.fixed) == {ACTIVATION} and changed.defaults == {WIDTH: 8}

    answer(OwnTrialDialog, lambda dialog: dialog.lines[RATE]._line.setText("0.005"))
    press(window, "Add my own trial…")
    qtbot.waitUntil(lambda: any(t.parameters.get(RATE) == 0.005 for t in tail.state.trials.values()), timeout=LONG)
    own = next(t for t in tail.state.trials.values() if t.parameters.get(RATE) == 0.005)
    qtbot.waitUntil(lambda: tail.state.trials[own.number].ended and max(tail.state.trials) > own.number, timeout=LONG)
    later = [t for n, t in tail.state.trials.items() if n > own.number]
    assert all(0.001 <= t.parameters[RATE] <= 0.01 and WIDTH in t.parameters for t in later), "it goes on in the new space"
    assert {t.parameters[ACTIVATION] for t in later} == {changed.fixed[ACTIVATION]}
    press(window, "Stop")
    qtbot.waitUntil(lambda: tail.word == "stopped" and not tail.driving, timeout=LONG)
    window.close()

    again = make_window()
    again.desk.perform(lambda: again.desk.session.open_project(tmp_path / "project"))
    qtbot.waitUntil(lambda: all(t.caught_up for t in again.desk.tails.all()) and bool(again.desk.tails.all()), timeout=LONG)
    again.desk.open_page(page.key)
    page = again.tabs.current()
    assert isinstance(page, SearchPage)
    tail = again.desk.tails.all()[0]
    qtbot.waitUntil(lambda: bool(page.edit_space.toolTip()), timeout=LONG)
    assert not page.edit_space.isEnabled() and not page.own_trial.isEnabled(), "read-only until Continue"
    ended = len(tail.state.ended_trials())
    press(again, "Continue")
    qtbot.waitUntil(lambda: len(tail.state.ended_trials()) > ended + 1, timeout=LONG)
    press(again, "Stop")
    qtbot.waitUntil(lambda: tail.word == "stopped" and not tail.driving, timeout=LONG)
    assert set(tail.state.trials[max(tail.state.trials)].parameters) == {RATE, WIDTH, ACTIVATION}, "the edit has outlived it"
