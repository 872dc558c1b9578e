"""The main window: a frame that holds the parts; what they do is theirs."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QMainWindow, QSplitter, QToolButton, QWidget

from microtome import settings
from microtome.session import Change
from microtome.ui.commands import Commands
from microtome.ui.desk import Desk
from microtome.ui.drop import DropZone
from microtome.ui.icons import icon
from microtome.ui.jobs_strip import JobsStrip
from microtome.ui.layout import LayoutKeeper, keep_geometry
from microtome.ui.menus import fill_menus, set_theme, window_commands
from microtome.ui.notices import Notices
from microtome.ui.pagetabs import PageTabs
from microtome.ui.properties import PropertiesPanel
from microtome.ui.theme import GRID
from microtome.ui.toasts import Toasts
from microtome.ui.tree import ProjectTree
from microtome.ui.widgets import column, holding, row


class MainWindow(QMainWindow):
    """Tree | pages | properties, above the jobs strip; toasts and the drop card float over them."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        desk.setParent(self)
        self.setAcceptDrops(True)
        self.setMinimumSize(960, 600)
        self.drops = DropZone(desk, self)
        self.notices = Notices(self)
        self.build()
        desk.changed.connect(self._changed)
        self.layout_keeper.restore()
        self._changed(Change.ALL)

    def build(self) -> None:
        """Make all parts, in the theme and language of the moment."""
        self.commands = Commands(self.desk, self)
        self.tree = ProjectTree(self.desk)
        self.tabs = PageTabs(self.desk)
        self.properties = PropertiesPanel(self.desk)
        self.strip = JobsStrip(self.desk)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        for part in (self.tree, self.tabs, self.properties):
            self.splitter.addWidget(part)
        self.tree.setMinimumWidth(176)
        self.properties.setMinimumWidth(236)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setChildrenCollapsible(False)
        # Toasts need a plain widget to float on: a splitter would make panes of them.
        floor = holding(column(self.splitter))
        centre = holding(column(floor, self.strip, gap=0))
        centre.layout().setStretch(0, 1)  # type: ignore[union-attr]
        self.setCentralWidget(centre)
        self.layout_keeper = LayoutKeeper(self.desk, self.tabs, self.splitter)
        self.toasts = Toasts(self.desk, floor)
        window_commands(self)
        fill_menus(self)
        # Kept here too: the menu bar does not own it.
        self.corner_tools = self._corner()
        self.menuBar().setCornerWidget(self.corner_tools)
        # Shown where it will be, or it would pass under the mouse on its way and keep looking touched.
        self.corner_tools.move(self.width(), 0)
        self.corner_tools.show()

    def rebuild(self) -> None:
        """Build every part anew (another theme or language), with the same pages, selection and sizes."""
        layout = self.layout_keeper.describe()
        old = [self.commands, self.layout_keeper, self.toasts]
        for action in self.actions():
            self.removeAction(action)
            action.deleteLater()
        self.tabs.close_all()
        self.menuBar().clear()
        for part in old:
            part.deleteLater()
        self.build()
        self.layout_keeper.restore(layout)
        self._changed(Change.PROJECT)
        self.drops.stay_on_top()

    def system_theme_changed(self) -> None:
        """Follow the desktop into dark or light, where the user asked for that."""
        if settings.load().get("theme", "system") == "system":
            set_theme(self, "system")

    def _corner(self) -> QWidget:
        bell, find = QToolButton(), QToolButton()
        for made, action, picture in ((find, "palette", "search"), (bell, "messages", "bell")):
            made.setDefaultAction(self.commands.actions[action])
            made.setIcon(icon(picture))
            made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            made.setToolTip(self.commands.actions[action].text())
            made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        return holding(row(find, bell, GRID // 2, gap=2))

    def _changed(self, change: Change) -> None:
        project = self.desk.session.project
        if change & Change.PROJECT:
            self.setWindowTitle(f"{project.name} – Microtome" if project is not None else "Microtome")
            # Without a project both side panels would be empty.
            self.tree.setVisible(project is not None)
            self.properties.setVisible(project is not None)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the layout; runs go on in their own processes."""
        self.desk.leaving.emit()
        keep_geometry(self)
        super().closeEvent(event)
