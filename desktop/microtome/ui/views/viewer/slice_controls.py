"""The controls below the planes: which slice of the plane in hand, where it lies, and the read-out."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSlider, QWidget

from microtome.ui.i18n import tr
from microtome.ui.numbers import length
from microtome.ui.theme import GRID
from microtome.ui.widgets import label, row


class SliceControls(QWidget):
    """A slider for the slice, and its place in words."""

    moved = Signal(int)  # the index that is wanted

    def __init__(self) -> None:
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(tr("Slice"))
        self.slider.valueChanged.connect(self.moved)
        self.place = label("", "muted")
        self.place.setMinimumWidth(168)
        line = row(self.slider, self.place, gap=GRID)
        line.setStretch(0, 1)
        self.setLayout(line)

    def show_place(self, axis: str, index: int, count: int, step: float | None, unit: str) -> None:
        """Show which slice is seen, counted from 0 as in findings, corrections and the read-out, and where it lies."""
        self.slider.blockSignals(True)
        self.slider.setRange(0, count - 1)
        if not self.slider.isSliderDown():
            self.slider.setValue(index)
        self.slider.blockSignals(False)
        where = f" · {length(index * step, unit)}" if step is not None else ""
        self.place.setText(f"{axis} = {index}  (0 … {count - 1}){where}")
