"""The contrast of a volume: histogram, limits to type, auto, full range, inversion and colours."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from microtome.ui.colourmaps import LABELS, NAMES
from microtome.ui.editors import UnitEdit
from microtome.ui.i18n import tr
from microtome.ui.numbers import number
from microtome.ui.viewing import Look, Statistics
from microtome.ui.views.picture import Contrast
from microtome.ui.views.viewer.histogram import Histogram
from microtome.ui.widgets import Choice, button, row


class ContrastBar(QWidget):
    """Shows and changes a Look; `changed` carries the new one."""

    changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.look = Look()
        self.histogram = Histogram()
        self.histogram.dragged.connect(lambda low, high: self._set(replace(self.look, levels=(low, high))))
        self.histogram.reset.connect(self._auto)
        self.low, self.high = UnitEdit(), UnitEdit()
        for line, words in ((self.low, tr("Black at")), (self.high, tr("White at"))):
            line.setFixedWidth(68)
            line.setAccessibleName(words)
            line.setToolTip(words)
            line.settled.connect(self._typed)
        self.auto = button(tr("Auto"), self._auto, kind="small")
        self.auto.setToolTip(tr("Contrast from the volume's own grey values (0.2 to 99.8 %)"))
        self.full = button(tr("Full"), self._full, kind="small")
        self.full.setToolTip(tr("From the lowest to the highest grey value of a sample"))
        self.invert = button(tr("Invert"), kind="small")
        self.invert.setCheckable(True)
        self.invert.clicked.connect(lambda on: self._set(replace(self.look, inverted=on)))
        names = {
            "grey": tr("Grey"),
            "viridis": "Viridis",
            "magma": "Magma",
            "cividis": "Cividis",
            "labels": tr("Labels"),
        }
        self.colours = Choice([(name, names[name]) for name in NAMES], "grey")
        self.colours.setAccessibleName(tr("Colours"))
        self.colours.setToolTip(tr("Colours; Labels gives every whole number a colour of its own"))
        self.colours.activated.connect(lambda _: self._set(replace(self.look, colours=self.colours.value())))
        parts = (self.low, self.histogram, self.high, self.auto, self.full, self.invert, self.colours)
        inner = row(*parts, None, gap=4)
        inner.setStretch(1, 100)  # what is left belongs to the histogram, as far as it grows
        self.setLayout(inner)

    def show_look(self, look: Look) -> None:
        """Show what a volume is seen with."""
        self.look = look
        self.invert.setChecked(look.inverted)
        self.colours.choose(look.colours)
        for part in (self.low, self.high, self.auto, self.full, self.invert):
            part.setEnabled(look.colours != LABELS)  # a label has its colour, whatever its neighbours

    def show_contrast(self, contrast: Contrast) -> None:
        """Show the levels in use."""
        if contrast == self.histogram.contrast and self.low.text() and self.high.text():
            return  # a line that is being typed into is left alone
        self.histogram.show_contrast(contrast)
        self.low.show_text(number(contrast.low, 5))
        self.high.show_text(number(contrast.high, 5))

    def show_statistics(self, statistics: Statistics | None) -> None:
        """Show a volume's grey values; None: not known yet."""
        self.histogram.show_statistics(statistics)
        self.full.setEnabled(statistics is not None and self.look.colours != LABELS)

    def _set(self, look: Look) -> None:
        self.look = look
        self.changed.emit(look)

    def _auto(self) -> None:
        self._set(replace(self.look, levels=None))

    def _full(self) -> None:
        if self.histogram.statistics is not None:
            low, high = self.histogram.statistics.full
            self._set(replace(self.look, levels=(low, high) if high > low else (low - 0.5, low + 0.5)))

    def _typed(self) -> None:
        try:
            low, high = float(self.low.text()), float(self.high.text())
        except ValueError:
            return
        if low < high:
            self._set(replace(self.look, levels=(low, high)))
