"""What a user sets for the program as a whole, beside theme and language: how much memory it may keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QInputDialog

from microtome import settings
from microtome.ui.i18n import tr
from microtome.ui.numbers import size_of
from microtome.volumes.memory import SETTING, memory_limit, set_memory_limit

if TYPE_CHECKING:
    from microtome.ui.window import MainWindow


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
