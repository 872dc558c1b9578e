"""What the window remembers: open pages, selection and splitters with the project, its own size with the settings."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QByteArray, QObject, QTimer
from PySide6.QtWidgets import QSplitter, QWidget

from microtome import settings
from microtome.session import Change
from microtome.ui.desk import Desk
from microtome.ui.pagetabs import PageTabs

_KEY = "layout"
_QUIET_MS = 1500
_TREE, _PANEL = 232, 252


class LayoutKeeper(QObject):
    """Keeps the layout a moment after it changed and when the project is left; restores it when one is opened."""

    def __init__(self, desk: Desk, tabs: PageTabs, splitter: QSplitter) -> None:
        super().__init__(splitter)
        self._desk, self._tabs, self._splitter = desk, tabs, splitter
        self._kept: dict[str, Any] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_QUIET_MS)
        self._timer.timeout.connect(self.keep)
        desk.leaving.connect(self.keep)
        desk.changed.connect(self._changed)
        desk.selected.connect(self._touched)
        tabs.currentChanged.connect(self._touched)
        splitter.splitterMoved.connect(self._touched)

    def describe(self) -> dict[str, Any]:
        """The layout as plain JSON."""
        return {
            **self._tabs.keep(),
            "selection": self._desk.selection,
            "splitter": self._splitter.sizes(),
        }

    def keep(self) -> None:
        """Write the layout into the project where it changed."""
        self._timer.stop()
        project = self._desk.session.project
        if project is None or not self._tabs.count():
            return
        layout = self.describe()
        if layout != self._kept:
            self._kept = layout
            self._desk.perform(lambda: self._desk.session.remember(_KEY, layout))

    def restore(self, layout: dict[str, Any] | None = None) -> None:
        """Show the open project's layout, or the one that is given."""
        if layout is None:
            project = self._desk.session.project
            layout = self._desk.session.remembered(_KEY, {}) if project is not None else {}
        self._tabs.restore(layout)
        sizes = layout.get("splitter")
        if not (isinstance(sizes, list) and len(sizes) == self._splitter.count() and min(sizes) > 0):
            # Hidden panels have no width to be kept: begin with the usual ones.
            sizes = [_TREE, max(400, self._splitter.width() - _TREE - _PANEL), _PANEL]
        self._splitter.setSizes(sizes)
        self._desk.select(str(layout.get("selection", "")))
        self._timer.stop()
        self._kept = layout

    def _changed(self, change: Change) -> None:
        if change & Change.PROJECT:
            self.restore()

    def _touched(self, *_: object) -> None:
        if self._desk.session.project is not None:
            self._timer.start()


def keep_geometry(window: QWidget) -> None:
    """Remember the window's place and size."""
    settings.put("geometry", window.saveGeometry().toBase64().toStdString())


def restore_geometry(window: QWidget) -> None:
    """Put the window where it was; the first time a size that fits most screens."""
    kept = settings.load().get("geometry")
    if not (isinstance(kept, str) and window.restoreGeometry(QByteArray.fromBase64(kept.encode()))):
        window.resize(1280, 800)
