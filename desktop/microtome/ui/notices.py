"""Tell how a run ended: a message in the window, and a notice of the desktop where the user is elsewhere; never a dialog."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QProcess, QTimer
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from microtome import settings
from microtome.events import images_of
from microtome.results.words import value_words
from microtome.ui.i18n import tr
from microtome.ui.icons import app_icon
from microtome.ui.numbers import percent, span
from microtome.ui.sentences import said
from microtome.ui.tail import RunTail
from microtome.ui.words import page_of, run_title

if TYPE_CHECKING:
    from microtome.ui.window import MainWindow

SETTING = "notices"
_SHOWN_MS = 10_000
_LEVELS = {"done": "good", "failed": "error", "aborted": "warning", "stopped": "warning"}


def wanted() -> bool:
    """Whether the user wants notices of the desktop; on until switched off."""
    return bool(settings.load().get(SETTING, True))


def end_words(tail: RunTail) -> tuple[str, str]:
    """How a run ended: a headline, and its result in words."""
    state = tail.state
    name = run_title(tail.run.name)
    headlines = {
        "done": tr("{name} is done.", name=name),
        "failed": tr("{name} failed.", name=name),
        "aborted": tr("{name} was aborted.", name=name),
        "stopped": tr("{name} has stopped.", name=name),
    }
    parts = [_result(tail)]
    if state.message:
        parts.append(said(state.message))
    if state.ended is not None and state.started:
        parts.append(tr("It took {time}.", time=span(state.took)))
    return headlines.get(state.state, name), " ".join(part for part in parts if part)


def _result(tail: RunTail) -> str:
    state = tail.state
    if state.evaluated is not None:
        low, high = state.evaluated.interval
        if state.evaluated.r2 is not None:
            return value_words(state.evaluated)
        total = images_of(state.evaluated.per_class)
        return tr(
            "Accuracy {share} on {n} evaluation images (95 % interval {low} – {high}).",
            share=percent(state.evaluated.accuracy),
            n=total,
            low=percent(low),
            high=percent(high),
        )
    trial = state.best or next(iter(state.trials.values()), None)
    best = trial.best if trial is not None else None
    if best is None:
        return ""
    if best.r2 is not None:
        return f"R² {best.r2:.3f}"
    total = images_of(best.per_class)
    share = percent(best.validation_accuracy)
    return tr("Best so far: {share} on {n} validation images.", share=share, n=total)


class Notices(QObject):
    """Watches the runs that this window saw running."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window, self._desk = window, window.desk
        self._running: set[str] = set()
        self._tray: QSystemTrayIcon | None = None
        self._hide = QTimer(self)
        self._hide.setSingleShot(True)
        self._hide.setInterval(_SHOWN_MS)
        self._hide.timeout.connect(self._put_away)
        self.said: list[tuple[str, str]] = []  # what went to the desktop
        self._desk.tails.changed.connect(self._changed)

    def _changed(self, name: str) -> None:
        tail = self._desk.tails.get(name)
        if tail is None:
            return
        if tail.active:
            if name not in self._running:
                self._window.toasts.withdraw(f"run:{name}")  # how it ended before is no news any more
            self._running.add(name)
        elif tail.state.finished and name in self._running:
            self._running.discard(name)
            self._tell(tail)

    def _tell(self, tail: RunTail) -> None:
        head, words = end_words(tail)
        key = page_of(tail.kind, tail.run.name)
        level = _LEVELS.get(tail.state.state, "info")
        about = f"run:{tail.run.name}"
        self._desk.say(head, hint=words, level=level, action=tr("Show"), act=lambda: self._desk.open_page(key), about=about)
        if wanted() and QApplication.activeWindow() is None:
            self.show_on_desktop(head, words)

    def show_on_desktop(self, head: str, words: str) -> None:
        """By the system's tray or its notification command; the taskbar's entry blinks in any case."""
        self.said.append((head, words))
        QApplication.alert(self._window)
        if QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages():
            if self._tray is None:
                self._tray = QSystemTrayIcon(app_icon(), self)
            self._tray.show()  # a message needs an icon that is there
            self._tray.showMessage(head, words, app_icon())
            self._hide.start()
        elif sys.platform.startswith("linux") and (command := shutil.which("notify-send")):
            # Desktops without a tray have the freedesktop notifications all the same.
            QProcess.startDetached(command, ["--app-name=Microtome", "--icon=microtome", "--", head, words])

    def _put_away(self) -> None:
        if self._tray is not None:
            self._tray.hide()
