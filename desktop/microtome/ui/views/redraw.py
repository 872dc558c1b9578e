"""Spread redrawing over the window's beats: one view a beat, the newest request of each, so that no beat is long."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

_BEAT_MS = 34


class Redraw(QObject):
    """Views ask for a redraw by a name; a name that waits already keeps its place and takes the newer call."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._waiting: dict[str, Callable[[], object]] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(_BEAT_MS)
        self._timer.timeout.connect(self._beat)

    def ask(self, name: str, draw: Callable[[], object]) -> None:
        """Call `draw()` on one of the next beats."""
        self._waiting[name] = draw
        if not self._timer.isActive():
            self._timer.start()

    def now(self) -> None:
        """Draw all that waits, at once."""
        while self._waiting:
            self._beat()

    @property
    def idle(self) -> bool:
        """True while nothing waits."""
        return not self._waiting

    def _beat(self) -> None:
        if self._waiting:
            self._waiting.pop(next(iter(self._waiting)))()
        if not self._waiting:
            self._timer.stop()
