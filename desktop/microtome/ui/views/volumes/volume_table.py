"""All volumes of a project as a table; its selection is the window's."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from microtome.session import Change
from microtome.store.project import VolumeEntry
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon
from microtome.ui.numbers import number, shape, size_of, unit_word
from microtome.ui.sentences import said
from microtome.ui.theme import current
from microtome.ui.words import pixel_words
from microtome.volumes.particles.structure import PROPERTIES

_COLUMNS = ("Name", "Class", "Value", "Shape (z, y, x)", "Grey values", "Voxel size", "On disk", "Findings")
_VALUE = 2  # the column that is edited
_ROW = 28


def _about_value(entry: VolumeEntry) -> str:
    if entry.simulate is None:
        return ""
    return tr("A number, or what is computed of the structure: {list}", list=", ".join(tr(name) for name in PROPERTIES))


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
        self.setEditTriggers(QTableWidget.EditTrigger.DoubleClicked | QTableWidget.EditTrigger.EditKeyPressed)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(92)
        self.itemSelectionChanged.connect(self._selected)
        self.itemChanged.connect(self._changed)

    def fill(self, volumes: list[VolumeEntry]) -> None:
        """Show these volumes."""
        theme = current()
        classes = self.desk.session.classes() if volumes else []
        self.blockSignals(True)
        unit = str(self.desk.session.value("training.value_unit")) if volumes else ""
        head = self.horizontalHeaderItem(_VALUE)
        assert head is not None
        head.setText(f"{tr('Value')} ({unit})" if unit else tr("Value"))
        head.setToolTip(
            tr("The number that a network learns to tell, where it is not to tell classes; double-click to enter it")
        )
        self.setRowCount(len(volumes))
        for i, entry in enumerate(volumes):
            value = tr(entry.computed) if entry.value is None else f"{entry.value:.10g}"
            cells = [
                entry.name,
                entry.class_name or tr("none yet"),
                value,
                *self._facts(entry),
                "; ".join(map(said, entry.findings)),
            ]
            items = [QTableWidgetItem(text) for text in cells]
            for j, item in enumerate(items):
                item.setToolTip(_about_value(entry) if j == _VALUE else item.text())
                if j != _VALUE:
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
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
        if entry.images:
            size = pixel_words(entry) or size
        elif edges is not None:
            size = " × ".join(number(v, 4) for v in edges) + f" {unit_word(entry.unit)}"
        return (shape(entry.shown_shape), entry.dtype, size, size_of(entry.size))

    def _changed(self, item: QTableWidgetItem) -> None:
        """Keep a value that was entered; what is no number is said, and undone."""
        name = self.item(item.row(), 0)
        if item.column() != _VALUE or name is None:
            return
        entry_id, words = str(name.data(Qt.ItemDataRole.UserRole)), item.text()
        # Later: a table must not be filled anew while one of its cells is being edited.
        QTimer.singleShot(0, self, lambda: self._keep_value(entry_id, words))

    def _keep_value(self, entry_id: str, words: str) -> None:
        given = next((name for name in PROPERTIES if words.strip() == tr(name)), words)
        if self.desk.perform(lambda: self.desk.session.set_volume_value(entry_id, given)) is None:
            self.desk.announce(Change.VOLUMES)  # back to what it was

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
