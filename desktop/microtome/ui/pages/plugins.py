"""The plugins page: what was found, where, and what is broken with its traceback."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHeaderView, QPlainTextEdit, QTreeWidget, QTreeWidgetItem

from microtome.paths import user_plugins
from microtome.plugin import KINDS
from microtome.registry import registry
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon
from microtome.ui.pages.base import Page
from microtome.ui.theme import GRID, current
from microtome.ui.widgets import button, column, label, row

_WORDS = {
    "reader": "Readers",
    "transform": "Corrections",
    "generator": "Simulated structures",
    "network": "Networks",
    "augmentation": "Augmentations",
    "search": "Search engines",
}


class PluginsPage(Page):
    """Every plugin by its kind; a broken one shows why."""

    prefix: ClassVar[str] = "plugins"
    icon: ClassVar[str] = "plugins"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__(desk, argument)
        found = registry()
        self.tree = QTreeWidget()
        self.tree.setAccessibleName(tr("Plugins"))
        self.tree.setHeaderLabels([tr("Name"), tr("What it is"), tr("File")])
        self.tree.setAlternatingRowColors(True)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.header().resizeSection(1, 460)
        self.tree.header().setStretchLastSection(True)
        for kind in KINDS:
            top = QTreeWidgetItem(self.tree, [f"{tr(_WORDS[kind])} ({len(found.of_kind(kind))})"])
            for plugin in found.of_kind(kind):
                item = QTreeWidgetItem(top, [plugin.name, tr(plugin.summary), plugin.file])
                item.setToolTip(1, tr(plugin.summary))
                item.setToolTip(2, plugin.file)
            top.setExpanded(True)
        self.error = QPlainTextEdit()
        self.error.setReadOnly(True)
        self.error.setAccessibleName(tr("What is wrong"))
        self.error.hide()
        self._add_broken()
        self.tree.currentItemChanged.connect(self._show_error)
        where = label(tr("Your own plugins: one Python file each in {folder}", folder=user_plugins()), "muted", wrap=True)
        opening = button(tr("Open that folder"), self._open_folder, icon_name="folder")
        head, place = row(label(tr("Plugins"), "title"), None), row(where, opening)
        place.setStretch(0, 1)
        self.setLayout(column(head, place, self.tree, self.error, margin=2 * GRID, gap=GRID))

    def _add_broken(self) -> None:
        broken = registry().broken
        if not broken:
            return
        top = QTreeWidgetItem([f"{tr('Broken')} ({len(broken)})"])
        top.setIcon(0, icon("error", current().bad))
        self.tree.insertTopLevelItem(0, top)
        for one in broken:
            last = one.error.strip().splitlines()[-1]
            item = QTreeWidgetItem(top, [one.file.replace("\\", "/").split("/")[-1], last, one.file])
            item.setData(0, Qt.ItemDataRole.UserRole, one.error)
        top.setExpanded(True)

    def title(self) -> str:
        """The tab's words."""
        return tr("Plugins")

    def _show_error(self, item: QTreeWidgetItem | None) -> None:
        text = item.data(0, Qt.ItemDataRole.UserRole) if item is not None else None
        self.error.setVisible(bool(text))
        self.error.setPlainText(text or "")

    def _open_folder(self) -> None:
        user_plugins().mkdir(parents=True, exist_ok=True)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(user_plugins())))
