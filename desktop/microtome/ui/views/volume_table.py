"""All volumes of a project as a table; its selection is the window's."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from microtome.store.project import VolumeEntry
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon
from microtome.ui.numbers import number, shape, size_of, unit_word
from microtome.ui.theme import current

_COLUMNS = ("Name", "Class", "Shape (z, y, x)", "Grey values", "Voxel size", "On disk", "Findings")
_ROW = 28


class VolumeTable(QTableWidget):
    """One row a volume; what is odd about it comes last."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(0, len(_COLUMNS))
        self.desk = desk
        self.setAccessibleName(tr("Volumes"))
        self.setHorizontalHeaderLabels([tr(c) for c in _COLUMNS])
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setMaximumSectionSize(260)
        header.setStretchLastSection(True)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.setIconSize(QSize(16, 16))
        self.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(92)
        self.itemSelectionChanged.connect(self._selected)

    def fill(self, volumes: list[VolumeEntry]) -> None:
        """Show these volumes."""
        theme = current()
        classes = self.desk.session.classes() if volumes else []
        self.blockSignals(True)
        self.setRowCount(len(volumes))
        for i, entry in enumerate(volumes):
            cells = [entry.name, entry.class_name or tr("none yet"), *self._facts(entry), "; ".join(entry.findings)]
            items = [QTableWidgetItem(text) for text in cells]
            for j, item in enumerate(items):
                item.setToolTip(item.text())
                self.setItem(i, j, item)
            items[0].setData(Qt.ItemDataRole.UserRole, entry.id)
            known = entry.class_name in classes
            items[1].setIcon(icon("class", theme.class_colour(classes.index(entry.class_name)) if known else theme.warn))
        self.blockSignals(False)

    @staticmethod
    def _facts(entry: VolumeEntry) -> tuple[str, str, str, str]:
        if entry.simulate is not None:
            return (tr("simulated"), "uint8", tr("its own"), "–")
        size = tr("missing")
        edges = entry.shown_voxel_size
        if edges is not None:
            size = " × ".join(number(v, 4) for v in edges) + f" {unit_word(entry.unit)}"
        return (shape(entry.shown_shape), entry.dtype, size, size_of(entry.size))

    def mark(self, index: int) -> None:
        """Show a row as selected (-1: none) without saying so."""
        self.blockSignals(True)
        if index >= 0:
            self.selectRow(index)
        self.blockSignals(False)

    def _selected(self) -> None:
        item = self.item(self.currentRow(), 0)
        if item is not None and self.selectedItems():
            self.desk.select(f"volume:{item.data(Qt.ItemDataRole.UserRole)}")
