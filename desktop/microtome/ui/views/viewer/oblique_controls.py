"""The free plane in numbers: its normal's angles, its turn, its distance from the volume's middle, the size of its pixels."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSlider, QWidget

from microtome.ui.editors import UnitEdit
from microtome.ui.i18n import tr
from microtome.ui.numbers import number, unit_word
from microtome.ui.theme import GRID
from microtome.ui.viewing import Facts
from microtome.ui.views.pose import NAMED, Pose, random_pose
from microtome.ui.widgets import button, column, label, row

_STEPS = 1000


class ObliqueControls(QWidget):
    """`changed` carries the new pose and whether the picture should be fine; `pixel_changed` the pixel size or None."""

    changed = Signal(object, bool)
    pixel_changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.pose = Pose()
        self._facts: Facts | None = None
        self._rng = np.random.default_rng()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(-_STEPS, _STEPS)
        self.slider.setAccessibleName(tr("Offset"))
        self.slider.valueChanged.connect(self._slid)
        self.slider.sliderReleased.connect(lambda: self.changed.emit(self.pose, True))
        named = [button(name, partial(self._take, NAMED[name]), kind="small") for name in NAMED]
        self.random = button(tr("Random"), lambda: self._take(random_pose(self._rng)), kind="small")
        self.random.setToolTip(tr("Any orientation, all equally likely"))
        self.lines = {
            "azimuth": UnitEdit("°"),
            "elevation": UnitEdit("°"),
            "rotation": UnitEdit("°"),
            "offset": UnitEdit(),
        }
        self.pixel = UnitEdit()
        self.pixel.setPlaceholderText(tr("auto"))
        self.pixel.setToolTip(tr("Pixel size; empty: the finest edge of a voxel"))
        self.pixel.settled.connect(self._pixel_typed)
        words = (tr("Azimuth"), tr("Elevation"), tr("Rotation"), tr("Offset"), tr("Pixel"))
        parts: list[QWidget | None] = []
        for line, name in zip((*self.lines.values(), self.pixel), words, strict=True):
            line.setAccessibleName(name)
            line.setMinimumWidth(60)
            line.setMaximumWidth(96)
            parts += [label(name, "muted"), line]
        for line in self.lines.values():
            line.settled.connect(self._typed)
        first = row(self.slider, *named, self.random, gap=GRID // 2)
        first.setStretch(0, 1)
        self.setLayout(column(first, row(*parts, None, gap=GRID // 2), gap=GRID // 2))

    def show_pose(self, pose: Pose, facts: Facts | None) -> None:
        """Show a pose that came from elsewhere."""
        self.pose, self._facts = pose, facts
        for name, line in self.lines.items():
            line.show_text(number(round(getattr(pose, name), 4), 6))
        if facts is not None:
            self.lines["offset"].set_unit(unit_word(facts.length_unit))
            self.pixel.set_unit(unit_word(facts.length_unit))
            most = facts.reach(pose.normal)
            self.slider.blockSignals(True)
            if not self.slider.isSliderDown():
                self.slider.setValue(round(_STEPS * min(1.0, max(-1.0, pose.offset / max(most, 1e-30)))))
            self.slider.blockSignals(False)

    def _set(self, pose: Pose, *, fine: bool) -> None:
        self.show_pose(pose, self._facts)
        self.changed.emit(pose, fine)

    def _take(self, pose: Pose) -> None:
        # A turn keeps the plane near where it was, as far as it then still cuts the volume.
        most = self._facts.reach(pose.normal) if self._facts is not None else 0.0
        self._set(replace(pose, offset=min(most, max(-most, self.pose.offset))), fine=True)

    def _slid(self, value: int) -> None:
        if self._facts is not None:
            most = self._facts.reach(self.pose.normal)
            self._set(replace(self.pose, offset=value / _STEPS * most), fine=not self.slider.isSliderDown())

    def _typed(self) -> None:
        try:
            values = {name: float(line.text()) for name, line in self.lines.items()}
        except ValueError:
            return
        if all(np.isfinite(v) for v in values.values()):
            self._set(Pose(**values), fine=True)

    def _pixel_typed(self) -> None:
        text = self.pixel.text().strip()
        try:
            value = float(text) if text else None
        except ValueError:
            return
        if value is None or 0 < value < float("inf"):
            self.pixel_changed.emit(value)
