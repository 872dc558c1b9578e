"""The menus, from the window's commands."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtWidgets import QApplication, QMenu, QMessageBox, QWidget

from microtome import __version__, settings
from microtome.paths import log_dir, resources
from microtome.ui import i18n, theme
from microtome.ui.commands import Command, page_commands, quit_window
from microtome.ui.i18n import tr
from microtome.ui.notices import wanted as notices_wanted
from microtome.ui.palette import Palette
from microtome.ui.preferences import ask_at_once, ask_memory_limit, switch_notices
from microtome.ui.projects import ask_new, ask_open, open_project, open_sample
from microtome.ui.toasts import MessageList
from microtome.ui.where import ask_where

if TYPE_CHECKING:
    from microtome.ui.window import MainWindow


def window_commands(window: MainWindow) -> None:
    """Add every command to the window."""
    commands = [*_file(window), *_view(window), *page_commands(window.desk), *_help(window)]
    for command in commands:
        window.commands.add(command)


def _file(window: MainWindow) -> list[Command]:
    desk = window.desk
    return [
        Command("new", "file", tr("New project…"), lambda: ask_new(desk, window), "Ctrl+N", "add"),
        Command("open", "file", tr("Open project…"), lambda: ask_open(desk, window), "Ctrl+O", "open"),
        Command("sample", "file", tr("Open the sample"), lambda: open_sample(desk), "", "sample"),
        Command("add-files", "file", tr("Add files…"), window.drops.ask_files, "Ctrl+Shift+O", "volume"),
        Command("add-folder", "file", tr("Add a folder…"), window.drops.ask_folder, "", "folder"),
        Command("simulate", "file", tr("Add a simulated structure…"), window.drops.ask_simulated, "", "simulate", True),
        Command("quit", "file", tr("Quit"), quit_window, "Ctrl+Q"),
    ]


def _view(window: MainWindow) -> list[Command]:
    def toggle(part: str) -> None:
        widget: QWidget = getattr(window, part)
        widget.setVisible(not widget.isVisible())
        window.commands.refresh()

    def shown(part: str) -> bool:
        return not getattr(window, part).isHidden()

    return [
        Command("palette", "view", tr("Command palette…"), lambda: show_palette(window), "Ctrl+Shift+P", "search"),
        Command("messages", "view", tr("Messages…"), lambda: MessageList(window.desk, window).show(), "Ctrl+Shift+M", "bell"),
        Command(
            *("show-tree", "view", tr("Project tree"), partial(toggle, "tree"), "F9", ""),
            needs_project=True,
            checked=partial(shown, "tree"),
        ),
        Command(
            *("show-properties", "view", tr("Properties"), partial(toggle, "properties"), "F10", ""),
            needs_project=True,
            checked=partial(shown, "properties"),
        ),
        Command("memory", "view", tr("Memory limit…"), lambda: ask_memory_limit(window)),
        Command("notices", "view", tr("Desktop notice when a run ends"), switch_notices, checked=notices_wanted),
        Command("at-once", "view", tr("Queue: runs at once…"), lambda: ask_at_once(window), needs_project=True),
        Command("where", "view", tr("Where trials work…"), lambda: ask_where(window)),
        *[
            Command(f"theme-{m}", "theme", words, partial(set_theme, window, m), checked=partial(_is_theme, m))
            for m, words in zip(theme.MODES, (tr("Like the system"), tr("Light"), tr("Dark")), strict=True)
        ],
        *[
            Command(f"language-{c}", "language", words, partial(set_language, window, c), checked=partial(_is_language, c))
            for c, words in i18n.LANGUAGES.items()
        ],
    ]


def _help(window: MainWindow) -> list[Command]:
    return [
        Command("manual", "help", tr("Manual"), lambda: _show(resources() / "docs"), "F1", "info"),
        Command("logs", "help", tr("Log files"), lambda: _show(log_dir())),
        Command("about", "help", tr("About Microtome"), lambda: _about(window)),
    ]


def fill_menus(window: MainWindow) -> None:
    """Build the menu bar from the commands."""
    bar = window.menuBar()
    file, go, view, help_ = (bar.addMenu(words) for words in (tr("&File"), tr("&Go"), tr("&View"), tr("&Help")))
    actions = window.commands.actions
    file.addActions([actions["new"], actions["open"]])
    recent = file.addMenu(tr("Recent projects"))
    recent.aboutToShow.connect(lambda: _fill_recent(window, recent))
    file.addAction(actions["sample"])
    file.addSeparator()
    file.addActions([actions["add-files"], actions["add-folder"], actions["simulate"]])
    file.addSeparator()
    file.addAction(actions["quit"])
    go.addActions(window.commands.in_menu("go"))
    view.addActions(window.commands.in_menu("view"))
    view.addSeparator()
    view.addMenu(tr("Theme")).addActions(window.commands.in_menu("theme"))
    view.addMenu(tr("Language")).addActions(window.commands.in_menu("language"))
    help_.addActions(window.commands.in_menu("help"))


def _fill_recent(window: MainWindow, menu: QMenu) -> None:
    menu.clear()
    for path in settings.recent():
        action = QAction(str(path), menu)
        action.triggered.connect(lambda _=False, p=path: open_project(window.desk, p))
        menu.addAction(action)
    if menu.isEmpty():
        menu.addAction(tr("None yet")).setEnabled(False)


def show_palette(window: MainWindow) -> Palette:
    """Open the command palette."""
    palette = Palette(window.desk, window.commands, window)
    palette.show()
    palette.line.setFocus()
    return palette


def _is_theme(mode: str) -> bool:
    return bool(settings.load().get("theme", "system") == mode)


def _is_language(code: str) -> bool:
    return i18n.language() == code


def set_theme(window: MainWindow, mode: str) -> None:
    """Dress the program and build the window anew."""
    settings.put("theme", mode)
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    theme.apply(app, mode)
    window.rebuild()


def set_language(window: MainWindow, code: str) -> None:
    """Change the words and build the window anew."""
    settings.put("language", code)
    i18n.set_language(code)
    window.rebuild()


def _show(path: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


def _about(window: MainWindow) -> None:
    text = tr("Cut volumes into slices, train networks on them, let evolution find the best one.")
    licence = tr("Free software under the GNU General Public License, version 3 or later.")
    QMessageBox.about(window, "Microtome", f"Microtome {__version__}\n\n{text}\n\n{licence}")
