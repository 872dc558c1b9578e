"""What a page holds in hand: the session, the runs, background work, and a voice; no widget in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from microtome.errors import MicrotomeError
from microtome.session import Change, Session
from microtome.ui import opened
from microtome.ui.actions import perform
from microtome.ui.cutting import Cutting
from microtome.ui.importing import Imports
from microtome.ui.messages import Message
from microtome.ui.queueing import Queueing
from microtome.ui.sentences import said
from microtome.ui.tail import Tails
from microtome.ui.tasks import Tasks

T = TypeVar("T")
_KEPT = 200


class Desk(QObject):
    """The window's shared state. Pages act through `perform` and hear of changes by `changed`; they never call each other."""

    changed = Signal(object)  # Change
    leaving = Signal()  # another project is about to be opened, or the window to close: keep what is to be kept
    said = Signal(object)  # Message
    page_wanted = Signal(str)  # a page key: "slices", "run:NAME"
    selected = Signal(str)  # what is selected: "volume:ID", "class:NAME", "run:NAME", "" for nothing

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.tails = Tails(session, self)
        self.tasks = Tasks(self, self.report)
        self.imports = Imports(self)
        self.cutting = Cutting(self)
        self.queueing = Queueing(self)
        self.messages: list[Message] = []
        self.selection = ""
        self._milestones: dict[str, tuple[bool, bool, bool]] = {}
        self.tails.changed.connect(self._follow)

    def perform(self, action: Callable[[], T]) -> T | None:
        """Run a session action; a MicrotomeError becomes a toast and None, a Change is announced."""
        return perform(self, action)

    def announce(self, change: Change) -> None:
        """Tell every page what changed."""
        if change & (Change.PROJECT | Change.RUNS):
            self.queueing.look()
            self.tails.sync()
            self.tails.mark_queued(w.run for w in self.queueing.waiting)
        if change & Change.PROJECT:
            opened.forget()
            self._milestones = {}
            self.select("")
        if change:
            self.changed.emit(change)

    def _follow(self, name: str) -> None:
        # A run that made a slice set, was evaluated or ended changed the project; its epochs did not.
        tail = self.tails.get(name)
        if tail is None:
            return
        state = tail.state
        now = (state.image_set is not None, state.evaluated is not None, state.finished)
        before = self._milestones.setdefault(name, now)
        if before != now:
            self._milestones[name] = now
            self.changed.emit(Change.RUNS)

    def say(
        self,
        text: str,
        *,
        hint: str = "",
        level: str = "info",
        details: str = "",
        action: str = "",
        act: Callable[[], object] | None = None,
        about: str = "",
    ) -> None:
        """Show a toast, kept in the list of messages. level: info | good | warning | error."""
        message = Message(said(text), said(hint), level, details, action, act, about)
        self.messages = [*self.messages[-_KEPT:], message]
        self.said.emit(message)

    def report(self, error: MicrotomeError) -> None:
        """Show a user's mistake or a bad file as a toast."""
        self.say(error.message, hint=error.hint, level="error")

    def open_page(self, key: str) -> None:
        """Open a page, or bring it to the front."""
        self.page_wanted.emit(key)

    def select(self, key: str) -> None:
        """Select a thing; the tree and the properties panel follow."""
        if key != self.selection:
            self.selection = key
            self.selected.emit(key)
