"""A view of one volume of the plan: which one is chosen by a list, and it is read once the view is on the screen."""

from __future__ import annotations

from typing import Generic, TypeVar

from PySide6.QtCore import Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from microtome.errors import MicrotomeError
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.latest import Latest, Superseded
from microtome.ui.sentences import said
from microtome.ui.slices_sources import Asked, Source, carried_words
from microtome.ui.widgets import Choice

T = TypeVar("T")
_LISTED = 300  # volumes and images in the list


class SourceView(QWidget, Generic[T]):
    """Asks for a reading of the chosen volume whenever the plan changes; nothing is read while it is hidden."""

    read_anew = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._asked: Asked | None = None
        self._sources: list[Source] = []
        self._stale = False
        self.found: T | None = None
        self.choice = Choice([])
        self.choice.setAccessibleName(tr("Volume"))
        self.choice.setMinimumContentsLength(10)
        self.choice.setSizeAdjustPolicy(Choice.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.activated.connect(lambda _: self._want())
        self._latest: Latest[tuple[Asked, Source], T] = Latest(desk, self, self._work, self._take, self._failed)

    def show_plan(self, asked: Asked, sources: list[list[Source]]) -> None:
        """Another plan, or other volumes; the chosen volume stays chosen where it is still there."""
        every = [s for group in sources for s in group][:_LISTED]
        before = self.choice.value() if self.choice.count() else ""
        if [_key(s) for s in every] != [_key(s) for s in self._sources]:
            self.choice.clear()
            for source in every:
                carried = carried_words(source, asked.unit) if asked.values else ""
                self.choice.addItem(f"{carried or source.class_name} · {source.name}", _key(source))
            self.choice.choose(before)
        self._asked, self._sources = asked, every
        self._want()

    def showEvent(self, event: QShowEvent) -> None:
        """Read what was not read while this was hidden."""
        super().showEvent(event)
        if self._stale:
            self._want()

    def _want(self) -> None:
        index = self.choice.currentIndex()
        if self._asked is None or not 0 <= index < len(self._sources):
            self.show_found(None)
            return
        self._stale = not self.isVisible()
        if not self._stale:
            self.show_busy(tr("reading…"))
            self._latest.want((self._asked, self._sources[index]))

    def _work(self, request: tuple[Asked, Source], superseded: Superseded) -> T | None:
        return self.read(*request, superseded)

    def _take(self, _request: tuple[Asked, Source], found: T) -> None:
        self.found = found
        self.show_busy("")
        self.show_found(found)
        self.read_anew.emit()

    def _failed(self, _request: tuple[Asked, Source], error: MicrotomeError) -> None:
        self.found = None
        self.show_found(None)
        self.show_busy(said(error))

    def read(self, asked: Asked, source: Source, superseded: Superseded) -> T | None:
        """Read in a background thread; None once it is superseded."""
        raise NotImplementedError

    def show_found(self, found: T | None) -> None:
        """Show what was read; None where there is nothing to show."""
        raise NotImplementedError

    def show_busy(self, words: str) -> None:
        """Say what is waited for, or what went wrong."""
        raise NotImplementedError


def _key(source: Source) -> str:
    return f"{source.class_name} {source.number} {source.name}"
