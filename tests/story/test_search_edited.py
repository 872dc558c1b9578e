"""A search through its page: edited in its middle, reopened and continued; a second one begins with what the first knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QCheckBox, QDialog, QLabel
from pytestqt.qtbot import QtBot

from microtome.events import WarmStarted
from microtome.ui.pages.optimise import OptimisePage
from microtome.ui.pages.search import SearchPage
from microtome.ui.tail import RunTail
from microtome.ui.views.search.axes_dialog import OwnTrialDialog, SpaceDialog
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


def window_with(window: MainWindow, volume_files: list[Path], folder: Path) -> MainWindow:
    """A project of two classes whose trainings are short."""
    session = window.desk.session
    window.desk.perform(lambda: session.new_project(folder))
    for file in volume_files:
        window.desk.perform(lambda f=file: session.add_volume(describe(f), f.stem))  # type: ignore[misc]
    for name, value in SMALL.items():
        session.set_value(name, value)
    return window


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
    window = window_with(make_window(), volume_files, tmp_path / "project")
    session = window.desk.session
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


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_search_begins_with_what_an_earlier_one_knows(
    make_window: Callable[[], MainWindow], press: Press, volume_files: list[Path], tmp_path: Path, qtbot: QtBot
) -> None:
    window = window_with(make_window(), volume_files, tmp_path / "project")
    session = window.desk.session
    session.set_value("search.algorithm", "grid")
    session.set_value("search.budget", 2)
    session.set_value("training.epochs", 2)
    session.set_axis(ACTIVATION, ["relu", "gelu"])
    first, _ = start_search(window, press, qtbot)
    qtbot.waitUntil(lambda: first.word == "done" and not first.driving, timeout=LONG)
    assert [t.outcome for t in first.state.trials.values()] == ["done", "done"]

    session.set_axis(ACTIVATION, ["relu", "gelu", "silu"])
    session.set_value("search.budget", 3)
    window.desk.open_page("optimise")
    page = window.tabs.current()
    assert isinstance(page, OptimisePage)
    fold, form = page.folds["known"]
    fold.head.click()
    tick = form.rows["warm_start"].editor.findChild(QCheckBox)
    assert tick is not None
    qtbot.waitUntil(tick.isVisible)
    tick.click()
    assert session.value("search.warm_start") is True
    assert "Warm start" in fold.summary.text()

    second, page_of_run = start_search(window, press, qtbot)
    qtbot.waitUntil(lambda: second.word == "done" and not second.driving, timeout=LONG)
    warm = next(e for e in second.run.reader().read() if isinstance(e, WarmStarted))
    known = {t.parameters[ACTIVATION]: t.value for t in first.state.trials.values()}
    assert {p["parameters"][ACTIVATION]: p["value"] for p in warm.points} == pytest.approx(known)
    said = [made.text() for made in page_of_run.remarks.findChildren(QLabel)]
    assert any("what 2 trials of other runs have shown" in words for words in said), said
    trials = {t.parameters[ACTIVATION]: t for t in second.state.trials.values()}
    trained = {name for name, t in trials.items() if t.outcome == "done"}
    assert trained == {"silu"}, "only what nobody knew was trained"
    reused = {name: t.value for name, t in trials.items() if t.outcome == "reused"}
    assert reused == pytest.approx({name: known[name] for name in reused})
    assert set(reused) == set(known), "what the first one trained is answered at once"
    assert "known before" in page_of_run.board.stairs.legend.texts()
