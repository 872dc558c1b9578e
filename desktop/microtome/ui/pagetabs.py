"""The tabs in the centre: opening, closing, feeding and restoring pages."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QTabBar, QTabWidget

from microtome.errors import UnknownNameError
from microtome.session import Change
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon
from microtome.ui.pages.base import Page
from microtome.ui.pages.catalogue import make_page
from microtome.ui.widgets import tool


class PageTabs(QTabWidget):
    """Holds the pages; the start page cannot be closed."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.setDocumentMode(True)
        self.setMovable(True)
        self.tabBar().setExpanding(False)
        self.setUsesScrollButtons(True)
        self._versions: dict[str, tuple[int, str]] = {}
        self.currentChanged.connect(self._came_to_front)
        desk.page_wanted.connect(self.open)
        desk.changed.connect(self._changed)
        desk.tails.changed.connect(self._run_changed)

    def pages(self) -> list[Page]:
        """The open pages in the order of their tabs."""
        return [p for p in (self.widget(i) for i in range(self.count())) if isinstance(p, Page)]

    def page(self, key: str) -> Page | None:
        """The open page of a key."""
        return next((p for p in self.pages() if p.key == key), None)

    def current(self) -> Page | None:
        """The page in front."""
        page = self.currentWidget()
        return page if isinstance(page, Page) else None

    def open(self, key: str, kept: dict[str, Any] | None = None) -> Page:
        """Bring the page of a key to the front; it is built where it is not open."""
        page = self.page(key)
        if page is None:
            page = self._add(key, kept or {})
        self.setCurrentWidget(page)
        return page

    def _add(self, key: str, kept: dict[str, Any]) -> Page:
        page = make_page(self.desk, key)
        index = self.addTab(page, icon(page.icon), page.title())
        self.setTabToolTip(index, page.title())
        page.refresh(Change.ALL)
        page.restore(kept)
        if key != "start":
            side = QTabBar.ButtonPosition.RightSide
            self.tabBar().setTabButton(index, side, tool("close", tr("Close this page"), lambda: self.close_page(page)))
        return page

    def close_page(self, page: Page) -> None:
        """Close a page (not the start page)."""
        index = self.indexOf(page)
        if index >= 0 and page.key != "start":
            self.removeTab(index)
            self._versions.pop(page.key, None)
            page.deleteLater()

    def close_all(self) -> None:
        """Close every page, the start page too."""
        self.blockSignals(True)
        for page in self.pages():
            self.removeTab(self.indexOf(page))
            page.deleteLater()
        self._versions = {}
        self.blockSignals(False)

    def keep(self) -> dict[str, Any]:
        """Open pages, the one in front, and what each keeps, as plain JSON."""
        front = self.current()
        return {
            "pages": [{"key": p.key, "kept": p.keep()} for p in self.pages()],
            "front": front.key if front is not None else "start",
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Open what `keep` returned; a page that no longer exists (its run was deleted) is left out."""
        self.close_all()
        self.open("start")
        for item in kept.get("pages", []):
            try:
                if item["key"] != "start" and self._exists(item["key"]):
                    self.open(item["key"], item.get("kept", {}))
            except UnknownNameError:
                continue
        front = self.page(kept.get("front", "start")) or self.page("start")
        if front is not None:
            self.setCurrentWidget(front)

    def _exists(self, key: str) -> bool:
        prefix, _, name = key.partition(":")
        return prefix not in ("run", "search", "evaluation") or self.desk.tails.get(name) is not None

    def _came_to_front(self, index: int) -> None:
        page = self.widget(index)
        if isinstance(page, Page):
            self._feed(page, force=True)
            page.setFocus()

    def _changed(self, change: Change) -> None:
        for page in self.pages():
            page.refresh(change)
            index = self.indexOf(page)
            if self.tabText(index) != page.title():
                self.setTabText(index, page.title())

    def _run_changed(self, name: str) -> None:
        page = self.current()
        if page is not None and page.argument == name:
            self._feed(page)

    def _feed(self, page: Page, *, force: bool = False) -> None:
        tail = self.desk.tails.get(page.argument) if page.argument else None
        if tail is None:
            return
        # A driver that comes or goes changes what may be ordered, before it has written anything.
        now = (tail.state.version, tail.word)
        if force or self._versions.get(page.key) != now or not tail.active:
            self._versions[page.key] = now
            page.show_state(tail.state)
