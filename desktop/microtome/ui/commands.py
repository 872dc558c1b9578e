"""Every command of the window: once as an action, shown in the menus and in the command palette."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QApplication, QWidget

from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon


@dataclass(frozen=True)
class Command:
    """One command: id, menu, words, what it does."""

    name: str
    menu: str
    words: str
    act: Callable[[], object]
    keys: str = ""
    icon: str = ""
    needs_project: bool = False
    checked: Callable[[], bool] | None = None


class Commands(QObject):
    """The actions by name; those that need a project are disabled without one."""

    def __init__(self, desk: Desk, window: QWidget) -> None:
        super().__init__(window)
        self._desk, self._window = desk, window
        self._commands: dict[str, Command] = {}
        self.actions: dict[str, QAction] = {}
        desk.changed.connect(self.refresh)

    def add(self, command: Command) -> QAction:
        """Make the action of a command; its shortcut works in the whole window."""
        action = QAction(command.words, self._window)
        action.setObjectName(command.name)
        if command.keys:
            action.setShortcut(QKeySequence(command.keys))
        if command.icon:
            action.setIcon(icon(command.icon))
        if command.checked is not None:
            action.setCheckable(True)
            action.setChecked(command.checked())
        action.triggered.connect(lambda _=False: command.act())
        self._window.addAction(action)
        self._commands[command.name] = command
        self.actions[command.name] = action
        self._refresh_one(command)
        return action

    def refresh(self, _change: object = None) -> None:
        """Enable and tick what fits the moment."""
        for command in self._commands.values():
            self._refresh_one(command)

    def _refresh_one(self, command: Command) -> None:
        action = self.actions[command.name]
        action.setEnabled(not command.needs_project or self._desk.session.project is not None)
        if command.checked is not None:
            action.setChecked(command.checked())

    def in_menu(self, menu: str) -> list[QAction]:
        """The actions of a menu, in the order they were added."""
        return [self.actions[c.name] for c in self._commands.values() if c.menu == menu]

    def listed(self) -> list[tuple[str, str, QAction]]:
        """(menu, words, action) of every enabled command, for the palette."""
        return [(c.menu, c.words, self.actions[c.name]) for c in self._commands.values() if self.actions[c.name].isEnabled()]


def page_commands(desk: Desk) -> list[Command]:
    """Going to a page."""
    pages = [
        ("start", tr("Start"), "Ctrl+1", "start", False),
        ("volumes", tr("Volumes"), "Ctrl+2", "volume", True),
        ("slices", tr("Slices"), "Ctrl+3", "slices", True),
        ("train", tr("Train"), "Ctrl+4", "train", True),
        ("optimise", tr("Optimise"), "Ctrl+5", "optimise", True),
        ("plugins", tr("Plugins"), "", "plugins", False),
    ]

    def go(key: str) -> Callable[[], None]:
        return lambda: desk.open_page(key)

    return [Command(f"page-{key}", "go", words, go(key), keys, picture, needs) for key, words, keys, picture, needs in pages]


def quit_window() -> None:
    """Close every window, and with the last one the program."""
    QApplication.closeAllWindows()
