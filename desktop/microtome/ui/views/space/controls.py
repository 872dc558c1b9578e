"""The bar over the 3-D view: what is shown, the surface's level, standard views, the picture as a file."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, SignalInstance
from PySide6.QtWidgets import QMenu, QPushButton, QSizePolicy, QSlider, QToolBar, QToolButton, QWidget

from microtome.ui.i18n import tr
from microtome.ui.icons import icon
from microtome.ui.numbers import number
from microtome.ui.widgets import button, label, row, tool

_STEPS = 500


class SpaceControls(QWidget):
    """Buttons that stay down for the parts that are shown, a slider, and two menus."""

    parts_changed = Signal(object)  # frozenset of parts
    level_changed = Signal(float)
    view_wanted = Signal(str)  # corner | xy | xz | yz
    picture_wanted = Signal(str)  # copy | save

    def __init__(self) -> None:
        super().__init__()
        self._levels = (0.0, 1.0)
        self.buttons = {name: self._part(name, words, tip) for name, words, tip in _parts()}
        self.level = QSlider(Qt.Orientation.Horizontal)
        self.level.setRange(0, _STEPS)
        self.level.setMinimumWidth(48)
        self.level.setMaximumWidth(140)
        self.level.setAccessibleName(tr("Grey level of the surface"))
        self.level.setToolTip(tr("Grey level of the surface"))
        self.level.valueChanged.connect(self._slid)
        self.value = label("", "muted")
        self.value.setMinimumWidth(40)
        self.views = self._menu(tr("View"), tr("Standard views"), _views(), self.view_wanted)
        self.picture = self._menu(tr("Picture"), tr("Copy or save this picture"), _pictures(), self.picture_wanted)
        reset = tool(
            "reset", tr("Show the whole box from the first side (double click)"), lambda: self.view_wanted.emit("corner")
        )
        # A tool bar: what finds no room in a narrow view is behind its last button.
        bar = QToolBar()
        bar.setIconSize(QSize(16, 16))
        self.shown = {name: bar.addWidget(made) for name, made in self.buttons.items()}
        self.shown |= {"level": bar.addWidget(self.level), "value": bar.addWidget(self.value)}
        spacer = QWidget()
        spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        for part in (spacer, self.views, self.picture, reset):
            bar.addWidget(part)
        self.setLayout(row(bar))
        self.show_parts(frozenset(("box",)), frozenset(("box",)))

    def _part(self, name: str, words: str, tip: str) -> QPushButton:
        made = button(words, lambda: self.parts_changed.emit(self.parts()), kind="small")
        made.setCheckable(True)
        made.setToolTip(tip)
        made.setObjectName(f"space-{name}")
        return made

    def _menu(self, words: str, tip: str, items: list[tuple[str, str, str]], wanted: SignalInstance) -> QToolButton:
        made = QToolButton()
        made.setText(words)
        made.setToolTip(tip)
        made.setAccessibleName(tip)
        made.setIconSize(QSize(16, 16))
        made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(made)
        for name, text, icon_name in items:
            action = menu.addAction(icon(icon_name), text) if icon_name else menu.addAction(text)
            action.triggered.connect(lambda _=False, name=name: wanted.emit(name))
        made.setMenu(menu)
        return made

    def parts(self) -> frozenset[str]:
        """The parts whose buttons are down."""
        return frozenset(name for name, made in self.buttons.items() if made.isChecked() and self.shown[name].isVisible())

    def show_parts(self, shown: frozenset[str], possible: frozenset[str]) -> None:
        """Show which parts are on, and only the buttons of parts that this volume has."""
        for name, made in self.buttons.items():
            self.shown[name].setVisible(name in possible)
            made.setChecked(name in shown)
        for name in ("level", "value"):
            self.shown[name].setVisible("surface" in shown and "surface" in possible)

    def show_level(self, level: float, levels: tuple[float, float]) -> None:
        """Show the surface's level between the grey levels of the volume."""
        self._levels = levels
        if not self.level.isSliderDown():
            self.level.blockSignals(True)
            self.level.setValue(round((level - levels[0]) / (levels[1] - levels[0]) * _STEPS))
            self.level.blockSignals(False)
        self.value.setText(number(level, 4))

    def _slid(self, step: int) -> None:
        low, high = self._levels
        level = low + (high - low) * step / _STEPS
        self.value.setText(number(level, 4))
        self.level_changed.emit(level)


def _parts() -> list[tuple[str, str, str]]:
    return [
        ("box", tr("Box"), tr("Edges and lengths of the volume")),
        ("planes", tr("Planes"), tr("Three slices; the corner before them is cut away")),
        ("oblique", tr("Free plane"), tr("A slice of any direction: drag its diamond to move it, the arrow's tip to turn it")),
        ("surface", tr("Surface"), tr("Where the grey value passes a level")),
        ("particles", tr("Particles"), tr("The particles of the structure")),
    ]


def _views() -> list[tuple[str, str, str]]:
    return [
        ("corner", tr("Corner") + "\t0", ""),
        ("xy", tr("Along {axis}", axis="z") + " (xy)\t1", ""),
        ("xz", tr("Along {axis}", axis="y") + " (xz)\t2", ""),
        ("yz", tr("Along {axis}", axis="x") + " (yz)\t3", ""),
    ]


def _pictures() -> list[tuple[str, str, str]]:
    return [("copy", tr("Copy picture"), "copy"), ("save", tr("Save as PNG…"), "")]
