"""Toasts over the lower right corner, and the list in which everything that was said is kept."""

from __future__ import annotations

import time

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QFrame, QLabel, QListWidget, QListWidgetItem, QWidget

from microtome.session import Change
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon, pixmap
from microtome.ui.messages import Message
from microtome.ui.theme import GRID, current
from microtome.ui.widgets import button, column, label, row, tool

_WIDTH = 380
_MOST = 3
_SECONDS = {"info": 6, "good": 6, "warning": 12, "error": 0}  # 0: until it is closed
_ICONS = {"info": "info", "good": "good", "warning": "warning", "error": "error"}


def level_colour(level: str) -> str:
    """The colour of a message's level."""
    theme = current()
    return {"good": theme.good, "warning": theme.warn, "error": theme.bad}.get(level, theme.accent)


def copy(text: str) -> None:
    """Put text on the clipboard."""
    QGuiApplication.clipboard().setText(text)


class Toast(QFrame):
    """One message: what happened, what to do, its action, copy, close."""

    def __init__(self, message: Message, parent: QWidget) -> None:
        super().__init__(parent)
        self.message = message
        self.setProperty("role", "toast")
        self.setProperty("tone", message.level)
        self.setFixedWidth(_WIDTH)
        self.setAccessibleName(f"{message.text} {message.hint}")
        picture = QLabel()
        picture.setPixmap(pixmap(_ICONS[message.level], 20, level_colour(message.level)))
        picture.setAlignment(Qt.AlignmentFlag.AlignTop)
        words = column(label(message.text, wrap=True, selectable=True), gap=GRID // 2)
        if message.hint:
            words.addWidget(label(message.hint, "muted", wrap=True, selectable=True))
        acts = row(gap=GRID)
        if message.act is not None:
            acts.addWidget(button(message.action, self._act, kind="link"))
        if message.level == "error" or message.details:
            acts.addWidget(button(tr("Copy details"), lambda: copy(message.full()), kind="link"))
        acts.addStretch(1)
        if acts.count() > 1:
            words.addLayout(acts)
        close = tool("close", tr("Close"), self.close)
        body = row(picture, words, close, gap=GRID)
        body.setContentsMargins(GRID + 4, GRID + 2, GRID, GRID + 2)
        body.setStretchFactor(words, 1)
        body.setAlignment(close, Qt.AlignmentFlag.AlignTop)
        self.setLayout(body)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        seconds = _SECONDS[message.level]
        if seconds:
            QTimer.singleShot(1000 * seconds, self, self.close)

    def _act(self) -> None:
        act = self.message.act
        self.close()
        if act is not None:
            act()


class Toasts(QObject):
    """Stacks toasts in the corner of a widget, the newest lowest."""

    def __init__(self, desk: Desk, host: QWidget) -> None:
        super().__init__(host)
        self._host = host
        self._toasts: list[Toast] = []
        desk.said.connect(self.show)
        desk.changed.connect(self._changed)
        host.installEventFilter(self)

    def all(self) -> list[Toast]:
        """The toasts on show."""
        return list(self._toasts)

    def show(self, message: Message) -> None:
        """Add a toast; a fourth pushes the oldest out (it stays in the list), the same words replace themselves."""
        text, about = message.text, message.about
        outdated = [t for t in self._toasts if t.message.text == text or (about and t.message.about == about)]
        for old in outdated + self._toasts[: -(_MOST - 1)]:
            old.close()
        toast = Toast(message, self._host)
        toast.destroyed.connect(self._place)
        toast.installEventFilter(self)
        self._toasts.append(toast)
        toast.show()
        self._place()

    def _changed(self, change: Change) -> None:
        if change & Change.PROJECT:  # what was said of runs leads to pages that this project has not
            for old in [t for t in self._toasts if t.message.about]:
                old.close()

    def withdraw(self, about: str) -> None:
        """Close what was said of something that has gone on since; the list of messages keeps it."""
        for old in [t for t in self._toasts if t.message.about == about]:
            old.close()

    def _place(self) -> None:
        bottom = self._host.height() - GRID
        for toast in reversed(self._toasts):
            toast.setFixedHeight(toast.heightForWidth(_WIDTH))
            bottom -= toast.height()
            toast.move(self._host.width() - _WIDTH - 2 * GRID, bottom)
            toast.raise_()
            bottom -= GRID

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the host's size; forget closed toasts."""
        if event.type() == QEvent.Type.Close and isinstance(watched, Toast):
            self._toasts = [t for t in self._toasts if t is not watched]
            self._place()
        elif event.type() == QEvent.Type.Resize and watched is self._host:
            self._place()
        return False


class MessageList(QDialog):
    """Everything that was said since the start, newest first."""

    def __init__(self, desk: Desk, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Messages"))
        self.resize(640, 420)
        self._desk = desk
        self.list = QListWidget()
        self.list.setWordWrap(True)
        self.list.setAccessibleName(tr("Messages"))
        for message in reversed(desk.messages):
            clock = time.strftime("%H:%M:%S", time.localtime(message.time))
            item = QListWidgetItem(icon(_ICONS[message.level], level_colour(message.level)), f"{clock}  {message.text}")
            if message.hint:
                item.setText(f"{item.text()}\n{message.hint}")
            self.list.addItem(item)
        empty = label(tr("Nothing was said yet."), "muted")
        empty.setVisible(not desk.messages)
        copying = button(tr("Copy all"), self._copy, icon_name="copy")
        self.setLayout(column(empty, self.list, row(copying, None, button(tr("Close"), self.accept)), margin=2 * GRID))

    def _copy(self) -> None:
        copy("\n\n".join(m.full() for m in self._desk.messages))
