"""The command palette: type a few letters, press Enter."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QWidget

from microtome.ui.commands import Commands
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon
from microtome.ui.theme import GRID
from microtome.ui.widgets import column
from microtome.ui.words import kind_word, page_of, run_title


def score(words: str, typed: str) -> int:
    """How well `typed` fits: 0 not at all, more for whole words and beginnings; letters in order are enough."""
    words, typed = words.casefold(), typed.casefold().strip()
    if not typed:
        return 1
    if words.startswith(typed):
        return 4
    if all(part in words for part in typed.split()):
        return 3
    rest = iter(words)
    return 2 if all(letter in rest for letter in typed.replace(" ", "")) else 0


class Palette(QDialog):
    """Commands and runs, filtered while typing."""

    def __init__(self, desk: Desk, commands: Commands, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setAccessibleName(tr("Command palette"))
        self._items: list[tuple[str, str, Callable[[], object]]] = []
        menus = {"theme": tr("Theme"), "language": tr("Language")}
        for menu, words, action in commands.listed():
            words = f"{menus[menu]}: {words}" if menu in menus else words
            self._items.append((words.replace("…", ""), action.shortcut().toString(), action.trigger))
        for tail in reversed(desk.tails.all()):
            words = f"{kind_word(tail.kind)}: {run_title(tail.run.name)}"
            self._items.append((words, "", partial(desk.open_page, page_of(tail.kind, tail.run.name))))
        self.line = QLineEdit()
        self.line.setPlaceholderText(tr("Type a command"))
        self.line.setAccessibleName(tr("Type a command"))
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Commands"))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.line.textChanged.connect(self._filter)
        self.line.installEventFilter(self)
        self.list.itemClicked.connect(lambda _: self._run())
        self.setLayout(column(self.line, self.list, margin=GRID))
        self.resize(520, 380)
        self.move(parent.mapToGlobal(parent.rect().center()).x() - 260, parent.mapToGlobal(parent.rect().topLeft()).y() + 64)
        self._filter("")

    def shown(self) -> list[str]:
        """The words of the items that fit, best first."""
        return [self._items[self.list.item(i).data(Qt.ItemDataRole.UserRole)][0] for i in range(self.list.count())]

    def _filter(self, typed: str) -> None:
        self.list.clear()
        ranked = sorted(((score(words, typed), -i) for i, (words, _, _) in enumerate(self._items)), reverse=True)
        for points, index in ranked:
            if points:
                words, keys, _ = self._items[-index]
                item = QListWidgetItem(icon("chevron-right"), f"{words}    {keys}" if keys else words)
                item.setData(Qt.ItemDataRole.UserRole, -index)
                self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _run(self) -> None:
        item = self.list.currentItem()
        self.accept()
        if item is not None:
            self._items[item.data(Qt.ItemDataRole.UserRole)][2]()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrows move in the list while the line keeps the focus; Enter runs."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                step = 1 if event.key() == Qt.Key.Key_Down else -1
                self.list.setCurrentRow(max(0, min(self.list.count() - 1, self.list.currentRow() + step)))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run()
                return True
        return super().eventFilter(watched, event)
