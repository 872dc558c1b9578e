"""The project tree at the left: volumes by class, slice sets, trainings, searches, each with its state."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QBrush, QColor
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from microtome.errors import MicrotomeError
from microtome.session import Change
from microtome.store.atomic import read_json
from microtome.store.project import VolumeEntry
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon
from microtome.ui.numbers import number, unit_word
from microtome.ui.sentences import said
from microtome.ui.tail import RunTail
from microtome.ui.theme import current
from microtome.ui.words import page_of, run_title, state_word

_KEY = int(Qt.ItemDataRole.UserRole)
_PAGE = _KEY + 1
_SECTION = _KEY + 2
_MIME = "application/x-microtome-key"
_DRAGGED = ("run:", "volume:")


def dragged(data: QMimeData) -> str:
    """What is dragged out of the tree, "run:NAME" or "volume:ID"; "" where it is something else."""
    return bytes(data.data(_MIME).data()).decode() if data.hasFormat(_MIME) else ""


def dragging(key: str) -> QMimeData:
    """What `dragged` reads."""
    made = QMimeData()
    made.setData(_MIME, key.encode())
    return made


class ProjectTree(QTreeWidget):
    """Selecting an item selects the thing; activating it opens its page."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.setObjectName("project")
        self.setAccessibleName(tr("Project"))
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setIndentation(14)
        self.setUniformRowHeights(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # volumes often differ in their last letters alone
        self.setExpandsOnDoubleClick(False)
        self.setDragDropMode(QTreeWidget.DragDropMode.DragOnly)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self._runs: dict[str, QTreeWidgetItem] = {}
        self._folded: set[str] = set()
        self.itemSelectionChanged.connect(self._select)
        self.itemClicked.connect(self._open)
        self.itemActivated.connect(self._open)
        self.itemCollapsed.connect(lambda item: self._folded.add(item.data(0, _SECTION)))
        self.itemExpanded.connect(lambda item: self._folded.discard(item.data(0, _SECTION)))
        desk.changed.connect(self._changed)
        desk.tails.changed.connect(self._run_changed)
        desk.selected.connect(self._show_selection)
        self.fill()

    def fill(self) -> None:
        """Build the tree anew from the project."""
        self.blockSignals(True)
        self.clear()
        self._runs = {}
        project = self.desk.session.project
        if project is not None:
            self._add_volumes(project.volumes)
            self._add_sets()
            self._add_runs("train", tr("Trainings"), "train", "train")
            self._add_runs("search", tr("Searches"), "optimise", "optimise")
        self.blockSignals(False)
        self._show_selection(self.desk.selection)

    def mimeData(self, items: Sequence[QTreeWidgetItem]) -> QMimeData:
        """A run or a volume, to be dragged onto a page."""
        self._carried = dragging(str(items[0].data(0, _KEY) or "") if items else "")  # Python must not let go of it
        return self._carried

    def startDrag(self, actions: Qt.DropAction) -> None:
        """Drag only what a page can take."""
        if any(str(item.data(0, _KEY) or "").startswith(_DRAGGED) for item in self.selectedItems()):
            super().startDrag(actions)

    def _section(self, name: str, words: str, icon_name: str, page: str, count: int) -> QTreeWidgetItem:
        item = QTreeWidgetItem(self, [words, str(count) if count else ""])
        item.setIcon(0, icon(icon_name))
        item.setData(0, _PAGE, page)
        item.setData(0, _SECTION, name)
        item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight)
        item.setForeground(1, QBrush(QColor(current().faint)))
        font = item.font(0)
        font.setBold(True)
        item.setFont(0, font)
        item.setExpanded(name not in self._folded)
        return item

    def _add_volumes(self, volumes: list[VolumeEntry]) -> None:
        top = self._section("volumes", tr("Volumes"), "volume", "volumes", len(volumes))
        classes = self.desk.session.classes()
        names = [*classes, *([""] if any(not v.class_name for v in volumes) else [])]
        for name in names:
            members = [v for v in volumes if v.class_name == name]
            group = QTreeWidgetItem(top, [name or tr("No class yet"), str(len(members))])
            colour = current().class_colour(classes.index(name)) if name else current().warn
            group.setIcon(0, icon("class", colour))
            group.setTextAlignment(1, Qt.AlignmentFlag.AlignRight)
            group.setForeground(1, QBrush(QColor(current().faint)))
            group.setData(0, _KEY, f"class:{name}")
            group.setData(0, _PAGE, "volumes")
            group.setData(0, _SECTION, f"class:{name}")
            for entry in members:
                self._add_volume(group, entry)
            group.setExpanded(f"class:{name}" not in self._folded)
        top.setExpanded("volumes" not in self._folded)

    def _add_volume(self, group: QTreeWidgetItem, entry: VolumeEntry) -> None:
        item = QTreeWidgetItem(group, [entry.name, ""])
        item.setData(0, _KEY, f"volume:{entry.id}")
        item.setData(0, _PAGE, "volumes")
        item.setToolTip(0, entry.path or entry.name)
        if entry.findings:
            item.setIcon(1, icon("warning", current().warn))
            item.setToolTip(1, "\n".join(map(said, entry.findings)))

    def _add_sets(self) -> None:
        project = self.desk.session.need_project()
        folders = sorted(project.imagesets.iterdir()) if project.imagesets.is_dir() else []
        found = [f for f in folders if (f / "plan.json").is_file()]
        top = self._section("sets", tr("Slice sets"), "slices", "slices", len(found))
        for folder in found:
            item = QTreeWidgetItem(top, [folder.name[:8], ""])
            item.setData(0, _PAGE, "slices")
            item.setData(0, _KEY, f"set:{folder.name}")
            try:
                plan = read_json(folder / "plan.json").get("plan", {})
            except MicrotomeError as error:
                item.setToolTip(0, said(error))
                continue
            if "field_of_view" in plan:
                size = f"{number(plan['field_of_view'], 4)} {unit_word(str(plan.get('unit', '')))}"
                item.setText(0, f"{size} → {plan.get('pixels', '?')} px")
            item.setToolTip(0, str(folder))
        top.setExpanded("sets" not in self._folded)

    def _add_runs(self, kind: str, words: str, icon_name: str, page: str) -> None:
        tails = [t for t in self.desk.tails.all() if (t.kind == "search") == (kind == "search")]
        top = self._section(kind, words, icon_name, page, len(tails))
        for tail in reversed(tails):
            item = QTreeWidgetItem(top, [run_title(tail.run.name), ""])
            item.setToolTip(0, str(tail.run.path))
            item.setData(0, _KEY, f"run:{tail.run.name}")
            item.setData(0, _PAGE, page_of(tail.kind, tail.run.name))
            self._runs[tail.run.name] = item
            self._show_word(item, tail)
        top.setExpanded(kind not in self._folded)

    @staticmethod
    def _show_word(item: QTreeWidgetItem, tail: RunTail) -> None:
        words = state_word(tail.word)
        if item.text(1) != words:
            item.setText(1, words)
            item.setForeground(1, QBrush(QColor(current().state_colour(tail.word))))

    def _run_changed(self, name: str) -> None:
        tail, item = self.desk.tails.get(name), self._runs.get(name)
        if tail is not None and item is not None:
            self._show_word(item, tail)

    def _changed(self, change: Change) -> None:
        if change & (Change.PROJECT | Change.VOLUMES | Change.RUNS):
            self.fill()

    def _select(self) -> None:
        items = self.selectedItems()
        key = items[0].data(0, _KEY) if items else None
        if key:
            self.desk.select(key)

    def _open(self, item: QTreeWidgetItem) -> None:
        page = item.data(0, _PAGE)
        if page:
            self.desk.open_page(page)

    def _show_selection(self, key: str) -> None:
        for item in self.findItems("*", Qt.MatchFlag.MatchWildcard | Qt.MatchFlag.MatchRecursive):
            if key and item.data(0, _KEY) == key:
                self.blockSignals(True)
                self.setCurrentItem(item)
                self.blockSignals(False)
                return
        self.blockSignals(True)
        self.clearSelection()
        self.blockSignals(False)
