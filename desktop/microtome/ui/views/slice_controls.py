"""The controls below a slice: which one, its contrast, and the read-out."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSlider, QWidget

from microtome.ui.editors import UnitEdit
from microtome.ui.i18n import tr
from microtome.ui.numbers import length, number
from microtome.ui.theme import GRID
from microtome.ui.widgets import button, column, label, row


class SliceControls(QWidget):
    """A slider for the slice, grey levels (automatic or typed), and a line of words."""

    moved = Signal(object)  # the index that is wanted
    levels_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.aimed: int | None = None
        self._levels: tuple[float, float] | None = None
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(tr("Slice"))
        self.slider.valueChanged.connect(lambda value: self.moved.emit(value))
        self.place = label("", "muted")
        self.place.setMinimumWidth(168)
        self.low, self.high = UnitEdit(), UnitEdit()
        for line, words in ((self.low, tr("Black at")), (self.high, tr("White at"))):
            line.setFixedWidth(76)
            line.setAccessibleName(words)
            line.setToolTip(words)
            line.settled.connect(self._typed)
        self.auto = button(tr("Auto"), self._auto, kind="small")
        self.auto.setToolTip(tr("Contrast from the volume's own grey values"))
        self.readout = label("", "muted")
        self.readout.setMinimumWidth(40)
        first = row(self.slider, self.place, gap=GRID)
        first.setStretch(0, 1)
        second = row(
            label(tr("Contrast"), "muted"), self.low, label("–", "muted"), self.high, self.auto, None, self.readout, gap=6
        )
        self.setLayout(column(first, second, gap=GRID // 2))

    def levels(self) -> tuple[float, float] | None:
        """The typed grey levels, or None where they are automatic."""
        return self._levels

    def automatic(self) -> None:
        """Forget typed levels and the aimed slice (another volume)."""
        self._levels, self.aimed = None, None

    def aim(self, index: int | None) -> None:
        """Name the slice to be read next; None: the middle one."""
        self.aimed = None if index is None else max(0, min(self.slider.maximum(), index))

    def show_place(self, axis: str, index: int, count: int, step: float | None, unit: str) -> None:
        """Show which slice of how many is seen, and where it lies."""
        self.slider.blockSignals(True)
        self.slider.setRange(0, count - 1)
        if not self.slider.isSliderDown():
            self.slider.setValue(index)
        self.slider.blockSignals(False)
        self.aimed = index if self.aimed is None or not self.slider.isSliderDown() else self.aimed
        where = f" · {length(index * step, unit)}" if step is not None else ""
        self.place.setText(f"{axis} {index + 1} / {count}{where}")

    def show_levels(self, levels: tuple[float, float]) -> None:
        """Show the levels in use."""
        self.low.show_text(number(levels[0], 5))
        self.high.show_text(number(levels[1], 5))

    def say(self, words: str) -> None:
        """Show the read-out."""
        self.readout.setText(words)

    def _typed(self) -> None:
        try:
            low, high = float(self.low.text()), float(self.high.text())
        except ValueError:
            return
        if low < high:
            self._levels = (low, high)
            self.levels_changed.emit()

    def _auto(self) -> None:
        self._levels = None
        self.levels_changed.emit()
