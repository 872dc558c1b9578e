"""What a user sets beside theme and language: the memory that may be kept, notices, how many runs the queue keeps going."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QInputDialog

from microtome import settings
from microtome.session import Change
from microtome.session.queue import MOST_AT_ONCE
from microtome.ui import notices
from microtome.ui.i18n import tr
from microtome.ui.numbers import size_of
from microtome.volumes.memory import SETTING, memory_limit, set_memory_limit

if TYPE_CHECKING:
    from microtome.ui.window import MainWindow


def switch_notices() -> None:
    """Turn the desktop's notices of ended runs on or off."""
    settings.put(notices.SETTING, not notices.wanted())


def ask_at_once(window: MainWindow) -> None:
    """Ask how many runs of the project's queue may go at the same time, and keep the answer with the project."""
    words = tr("How many runs of this project's queue may go at the same time?")
    now = window.desk.queueing.at_once
    count, accepted = QInputDialog.getInt(window, tr("Queue"), words, now, 1, MOST_AT_ONCE)

    def keep() -> Change:
        window.desk.session.queue.set_at_once(count)
        return Change.RUNS

    if accepted:
        window.desk.perform(keep)


def ask_memory_limit(window: MainWindow) -> None:
    """Ask for the memory that volumes may take in each process of the program, and keep the answer."""
    kept = str(settings.load().get(SETTING) or "")
    words = tr(
        "The memory that each of the program's processes may keep for volumes, as 700 MB or 2 GiB.\n"
        "Empty: half of this machine's. It is {size} now.",
        size=size_of(memory_limit()),
    )
    text, accepted = QInputDialog.getText(window, tr("Memory limit"), words, text=kept)
    if accepted:
        window.desk.perform(lambda: set_memory_limit(text.strip()))
