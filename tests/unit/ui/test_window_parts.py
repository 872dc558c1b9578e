"""The parts of a running window: tree, properties, jobs, toasts, palette, layout, language, crashes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QTreeWidgetItem, QTreeWidgetItemIterator
from pytestqt.qtbot import QtBot

from microtome import settings
from microtome.events import ImageSetReady, Phase, RunEnded, RunStarted
from microtome.session import Change
from microtome.store.run import RunFolder, RunLock
from microtome.ui import theme
from microtome.ui.crash import CrashWatch, crash_dir
from microtome.ui.i18n import tr
from microtome.ui.menus import set_language, set_theme, show_palette
from microtome.ui.palette import score
from microtome.ui.projects import new_project, open_project
from microtome.ui.volume_properties import VolumeProperties, VoxelSizeEdit
from microtome.ui.window import MainWindow
from microtome.volumes.read import describe


@pytest.fixture
def project(window: MainWindow, tmp_path: Path, volume_files: list[Path]) -> Path:
    path = tmp_path / "project"
    new_project(window.desk, path)
    for file in volume_files:
        window.desk.perform(lambda f=file: window.desk.session.add_volume(describe(f), f.stem))  # type: ignore[misc]
    return path


def tree_words(window: MainWindow) -> list[str]:
    words, items = [], QTreeWidgetItemIterator(window.tree)
    while (item := items.value()) is not None:
        assert isinstance(item, QTreeWidgetItem)
        words.append(item.text(0))
        items += 1  # type: ignore[assignment, operator]
    return words


def run_folder(window: MainWindow, *, kind: str = "train") -> RunFolder:
    run = RunFolder.create(window.desk.session.need_project().runs_dir, name=kind, info={"kind": kind}, recipe_toml="")
    with run.writer() as journal:
        journal.append(RunStarted(run=run.name, kind=kind, classes=("fine", "coarse"), trials=1, epochs=4, pid=1))
    return run


def test_without_a_project_the_side_panels_rest(window: MainWindow) -> None:
    assert window.tree.isHidden() and window.properties.isHidden()
    assert not window.commands.actions["page-slices"].isEnabled()
    assert window.commands.actions["new"].isEnabled()


def test_the_tree_shows_classes_volumes_and_runs(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    assert not window.tree.isHidden()
    assert {"fine", "coarse", "fine.tif", "coarse.tif"} <= set(tree_words(window))
    run = run_folder(window)
    window.desk.announce(Change.RUNS)
    qtbot.waitUntil(lambda: window.desk.tails.idle)
    item = window.tree.findItems("train ·", Qt.MatchFlag.MatchContains | Qt.MatchFlag.MatchRecursive)[0]
    assert item.text(1) == "interrupted"
    assert item.toolTip(0) == str(run.path)


def test_selecting_a_volume_shows_it_and_its_class_can_be_changed(window: MainWindow, project: Path) -> None:
    entry = window.desk.session.need_project().volumes[0]
    window.desk.select(f"volume:{entry.id}")
    panel = window.properties.findChild(VolumeProperties)
    assert isinstance(panel, VolumeProperties)
    line = panel.class_box.lineEdit()
    assert line is not None
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, "other")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert window.desk.session.classes() == ["other", "coarse"]
    assert "other" in tree_words(window)


def test_a_missing_voxel_size_is_red_until_it_is_entered(window: MainWindow, project: Path) -> None:
    session = window.desk.session
    entry = session.need_project().volumes[0]
    window.desk.perform(lambda: session.change_volume(entry.id, voxel_size=None))
    window.desk.select(f"volume:{entry.id}")
    edit = window.properties.findChild(VoxelSizeEdit)
    assert isinstance(edit, VoxelSizeEdit)
    assert [line.property("wrong") for line in edit.lines] == ["missing"] * 3
    edit.lines[0].setFocus()
    QTest.keyClicks(edit.lines[0], "12.5")
    QTest.keyClick(edit.lines[0], Qt.Key.Key_Return)
    assert session.volume(entry.id).voxel_size == (12.5, 12.5, 12.5), "one number means a cube"


@pytest.mark.parametrize("text", ["0", "-4", "x", "inf"])
def test_a_senseless_voxel_size_is_said_and_not_kept(window: MainWindow, project: Path, text: str) -> None:
    session = window.desk.session
    entry = session.need_project().volumes[0]
    window.desk.select(f"volume:{entry.id}")
    panel = window.properties.findChild(VolumeProperties)
    assert isinstance(panel, VolumeProperties)
    line = panel.voxel.lines[1]
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, text)
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert session.volume(entry.id).voxel_size == entry.voxel_size
    assert panel.problem.text()


def test_moved_data_can_be_found_again(window: MainWindow, project: Path, volume_files: list[Path]) -> None:
    entry = window.desk.session.need_project().volumes[0]
    volume_files[0].rename(volume_files[0].with_name("moved.tif"))
    window.desk.select(f"volume:{entry.id}")
    words = [b.text() for b in window.properties.findChildren(QPushButton)]
    assert tr("Find the data…") in words


def test_a_class_can_be_renamed(window: MainWindow, project: Path) -> None:
    window.desk.select("class:fine")
    line = window.properties.findChild(QLineEdit)
    assert isinstance(line, QLineEdit)
    line.setText("silica")
    line.editingFinished.emit()
    assert window.desk.session.classes() == ["silica", "coarse"]


def test_an_interrupted_run_offers_to_continue(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    run = run_folder(window)
    window.desk.announce(Change.RUNS)
    qtbot.waitUntil(lambda: len(window.strip.rows()) == 1)
    row = window.strip.rows()[0]
    assert row.tail.run.name == run.name
    assert row.badge.text() == "interrupted"
    assert row.pause.text() == tr("Continue")
    assert row.stop.isHidden() and row.abort.isHidden()
    with run.writer() as journal:
        journal.append(RunEnded(state="stopped"))
    row.tail.caught_up = False
    window.desk.tails.sync()
    qtbot.waitUntil(lambda: not window.strip.rows())


def test_an_order_that_cannot_be_given_is_a_toast(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    run = run_folder(window)
    window.desk.perform(lambda: window.desk.session.order(run, "stop"))
    assert "is not running" in window.toasts.all()[-1].message.text


def test_toasts_are_few_and_all_is_kept(window: MainWindow) -> None:
    for i in range(6):
        window.desk.say(f"problem {i}", level="error")
    assert [t.message.text for t in window.toasts.all()] == ["problem 3", "problem 4", "problem 5"]
    assert len(window.desk.messages) == 6
    window.toasts.all()[0].close()
    assert len(window.toasts.all()) == 2
    window.desk.say("problem 5", level="error")
    assert len(window.toasts.all()) == 2, "the same words are not stacked"


def test_a_toasts_action_is_run_once(window: MainWindow) -> None:
    done: list[int] = []
    window.desk.say("Removed.", action="Undo", act=lambda: done.append(1))
    button = next(b for b in window.toasts.all()[0].findChildren(QPushButton) if b.text() == "Undo")
    button.click()
    assert done == [1]
    assert window.toasts.all() == []


def test_the_palette_finds_and_runs_commands(window: MainWindow, project: Path) -> None:
    palette = show_palette(window)
    QTest.keyClicks(palette.line, "slic")
    assert palette.shown()[0] == "Slices"
    QTest.keyClick(palette.line, Qt.Key.Key_Return)
    page = window.tabs.current()
    assert page is not None and page.key == "slices"


def test_the_palette_prefers_beginnings_and_takes_letters_in_order() -> None:
    assert score("Slices", "sli") > score("New slices", "sli") > score("Simulated lines", "sli") > 0
    assert score("Slices", "xyz") == 0
    assert score("Theme: Dark", "dark theme") > 0


def test_the_theme_changes_live_and_is_kept(window: MainWindow, project: Path) -> None:
    window.desk.open_page("slices")
    set_theme(window, "dark")
    assert theme.current().name == "dark"
    assert settings.load()["theme"] == "dark"
    page = window.tabs.current()
    assert page is not None and page.key == "slices"
    assert window.commands.actions["theme-dark"].isChecked()
    assert not window.commands.actions["theme-light"].isChecked()
    set_theme(window, "light")
    assert not window.tree.isHidden()


def test_the_language_changes_live_and_is_kept(window: MainWindow, project: Path) -> None:
    window.desk.open_page("volumes")
    set_language(window, "ja")
    assert [p.title() for p in window.tabs.pages()] == ["スタート", "ボリューム"]
    assert settings.load()["language"] == "ja"
    set_language(window, "en")
    assert [p.title() for p in window.tabs.pages()] == ["Start", "Volumes"]


def test_another_project_brings_its_own_layout(window: MainWindow, project: Path, tmp_path: Path) -> None:
    window.desk.open_page("volumes")
    window.desk.open_page("slices")
    window.desk.select("class:fine")
    new_project(window.desk, tmp_path / "second")
    assert [p.key for p in window.tabs.pages()] == ["start"]
    assert window.desk.selection == ""
    open_project(window.desk, project)
    assert [p.key for p in window.tabs.pages()] == ["start", "volumes", "slices"]
    front = window.tabs.current()
    assert front is not None and front.key == "slices"
    assert window.desk.selection == "class:fine"


def test_what_is_no_project_is_a_toast_and_changes_nothing(window: MainWindow, project: Path, tmp_path: Path) -> None:
    assert not open_project(window.desk, tmp_path / "nothing")
    assert "is not a Microtome project" in window.toasts.all()[-1].message.text
    assert window.desk.session.need_project().path == project


def test_the_start_page_cannot_be_closed(window: MainWindow) -> None:
    start = window.tabs.page("start")
    assert start is not None
    window.tabs.close_page(start)
    assert window.tabs.page("start") is start


def test_every_shortcut_is_given_once(window: MainWindow) -> None:
    keys = [a.shortcut().toString() for a in window.commands.actions.values() if not a.shortcut().isEmpty()]
    assert len(keys) == len(set(keys))
    assert {"Ctrl+O", "Ctrl+N", "Ctrl+Shift+P", "Ctrl+Q"} <= set(keys)


def test_a_bug_leaves_a_crash_file_and_a_message_to_copy(window: MainWindow) -> None:
    watch = CrashWatch(window.desk)
    seen: list[type[BaseException]] = []
    before = sys.excepthook
    sys.excepthook = lambda kind, *_: seen.append(kind)
    watch = CrashWatch(window.desk)
    watch.start()
    try:
        try:
            raise ZeroDivisionError("a bug")
        except ZeroDivisionError as error:
            watch.take(type(error), error, error.__traceback__)
    finally:
        watch.stop()
        sys.excepthook = before
    files = list(crash_dir().glob("crash-*.txt"))
    assert len(files) == 1
    assert "ZeroDivisionError: a bug" in files[0].read_text(encoding="utf-8")
    message = window.desk.messages[-1]
    assert "a bug" in message.text
    assert "Traceback" in message.full()
    assert seen == [ZeroDivisionError], "it is printed as well"
    assert not (crash_dir() / "fault.txt").exists()


def test_an_earlier_fault_is_offered_at_the_next_start(make_window: Callable[[], MainWindow]) -> None:
    crash_dir().mkdir(parents=True)
    (crash_dir() / "fault.txt").write_text("Fatal Python error: Segmentation fault", encoding="utf-8")
    window = make_window()
    watch = CrashWatch(window.desk)
    watch.start()
    watch.stop()
    assert "ended unexpectedly" in window.desk.messages[-1].text
    assert "Segmentation fault" in window.desk.messages[-1].details
    assert len(list(crash_dir().glob("fault-*.txt"))) == 1


def test_a_run_that_ends_changes_the_project_and_its_epochs_do_not(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    run = run_folder(window)
    RunLock(run).take()
    window.desk.announce(Change.RUNS)
    tail = window.desk.tails.get(run.name)
    assert tail is not None
    qtbot.waitUntil(lambda: tail.word == "running")
    heard: list[Change] = []
    window.desk.changed.connect(heard.append)
    with run.writer() as journal:
        journal.append(Phase(name="cutting", done=1, total=2))
    qtbot.waitUntil(lambda: tail.state.phase is not None)
    assert heard == []
    with run.writer() as journal:
        journal.append(ImageSetReady(hash="h", counts={}, pixel_size=1.0, unit="nm"))
        journal.append(RunEnded(state="done"))
    qtbot.waitUntil(lambda: bool(heard))
    RunLock(run).release()
    qtbot.waitUntil(lambda: window.desk.tails.idle)
    assert set(heard) == {Change.RUNS}


def test_a_run_with_a_damaged_description_does_not_stop_the_window(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    run = run_folder(window)
    (run.path / "run.json").write_text("{", encoding="utf-8")
    window.desk.announce(Change.RUNS)
    qtbot.waitUntil(lambda: len(window.strip.rows()) == 1)
    assert "damaged" in window.strip.rows()[0].words.text()


def test_a_project_of_many_runs_opens(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    for _ in range(60):
        run = run_folder(window)
        with run.writer() as journal:
            journal.append(RunEnded(state="done"))
    window.desk.announce(Change.RUNS)
    qtbot.waitUntil(lambda: window.desk.tails.idle)
    words = [t.word for t in window.desk.tails.all()]
    assert words == ["done"] * 60
    assert window.strip.rows() == []


def test_the_toast_of_a_run_s_end_goes_when_the_run_goes_on(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    run = run_folder(window)
    RunLock(run).take()
    window.desk.announce(Change.RUNS)
    tail = window.desk.tails.get(run.name)
    assert tail is not None
    qtbot.waitUntil(lambda: tail.active)
    with run.writer() as journal:
        journal.append(RunEnded(state="failed", message="The loss is not a number."))
    RunLock(run).release()
    window.desk.say("Another thing", level="error")
    qtbot.waitUntil(lambda: [t.message.about for t in window.toasts.all()] == ["", f"run:{run.name}"])
    qtbot.waitUntil(lambda: window.desk.tails.idle)
    RunLock(run).take()
    window.desk.announce(Change.RUNS)
    qtbot.waitUntil(lambda: [t.message.text for t in window.toasts.all()] == ["Another thing"])
    qtbot.waitUntil(lambda: len(window.strip.rows()) == 1)
    assert window.strip.rows()[0].bar.value() == 0, "what failed begins again"
    RunLock(run).release()
    qtbot.waitUntil(lambda: window.desk.tails.idle, timeout=10_000)


def test_another_project_takes_the_toasts_of_runs_away(window: MainWindow, project: Path, tmp_path: Path) -> None:
    window.desk.say("train is done.", level="error", about="run:train")
    window.desk.say("Another thing", level="error")
    window.desk.perform(lambda: window.desk.session.new_project(tmp_path / "other"))
    assert [t.message.text for t in window.toasts.all()] == ["Another thing"]
    assert "train is done." in [m.text for m in window.desk.messages], "the list keeps it"


def test_the_properties_panel_is_never_empty_between_two_events(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    window.show()
    qtbot.waitExposed(window)
    window.properties.show_selection()
    name = window.desk.session.need_project().name
    headings = [made for made in window.properties.findChildren(QLabel) if made.text() == name]
    assert any(made.isVisible() for made in headings), "seen before the event loop turns"
