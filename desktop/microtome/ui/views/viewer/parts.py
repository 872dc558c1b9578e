"""Parts of the viewer: its head with the modes, the strip that asks for a voxel size, and the panel that says what is wrong."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QFileDialog, QLabel, QSizePolicy, QToolButton, QWidget

from microtome.errors import MicrotomeError
from microtome.store.project import VolumeEntry
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon, pixmap
from microtome.ui.sentences import said
from microtome.ui.theme import GRID, current
from microtome.ui.viewing import PLANES
from microtome.ui.volume_properties import VoxelSizeEdit
from microtome.ui.widgets import breakable, button, column, framed, holding, label, row

MODES = ("one", "three", "oblique", "space")


def button_group(parent: QWidget, words: list[str], tips: list[str]) -> QButtonGroup:
    """Small buttons of which one is down; the first at the start."""
    group = QButtonGroup(parent)
    for i, (text, tip) in enumerate(zip(words, tips, strict=True)):
        made = button(text, kind="small")
        made.setCheckable(True)
        made.setChecked(i == 0)
        made.setToolTip(tip)
        group.addButton(made, i)
    return group


class ViewerHead(QWidget):
    """Name, modes, planes and what can be done with the picture. A chosen mode or plane is told by `chosen`."""

    chosen = Signal()
    fitted = Signal()
    menu_wanted = Signal()
    bar_switched = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.name = label("", "heading")
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        words = {"one": tr("One plane"), "three": tr("Three planes"), "oblique": tr("Oblique"), "space": tr("3-D")}
        tips = {
            "one": tr("One plane of the volume"),
            "three": tr("Three planes, linked by a cross-hair"),
            "oblique": tr("A free plane, with handles in the others"),
            "space": tr("The volume in space"),
        }
        self.modes = button_group(self, [words[m] for m in MODES], [tips[m] for m in MODES])
        self.modes.idClicked.connect(lambda _: self.chosen.emit())
        self.planes = button_group(self, list(PLANES), [tr("Cut along {plane}", plane=p) for p in PLANES])
        self.planes.idClicked.connect(lambda _: self.chosen.emit())
        self.bar = button(tr("Colour bar"), kind="small")
        self.bar.setCheckable(True)
        self.bar.setToolTip(tr("Which colour is which grey value"))
        self.bar.toggled.connect(self.bar_switched)
        fit = button(tr("Fit"), self.fitted.emit, kind="small")
        fit.setToolTip(tr("Ctrl + wheel zooms, dragging (in several planes with Shift) moves, F fits"))
        self.save = QToolButton()
        self.save.setIcon(icon("copy"))
        self.save.setToolTip(tr("Copy or save the picture or the slice"))
        self.save.setAccessibleName(self.save.toolTip())
        self.save.clicked.connect(self.menu_wanted.emit)
        # For whoever lays the viewer out: the planes stand beside the slider.
        self.planes_row = holding(row(*self.planes.buttons(), gap=2))
        line = row(self.name, holding(row(*self.modes.buttons(), gap=2)), self.bar, fit, self.save, gap=GRID)
        line.setStretch(0, 1)
        self.setLayout(line)

    def mode(self) -> str:
        """The chosen mode."""
        return MODES[max(0, self.modes.checkedId())]

    def plane(self) -> str:
        """The chosen plane."""
        return PLANES[max(0, self.planes.checkedId())]

    def choose(self, mode: str = "", plane: str = "") -> None:
        """Show another mode or plane as chosen, without telling."""
        if mode in MODES:
            self.modes.button(MODES.index(mode)).setChecked(True)
        if plane in PLANES:
            self.planes.button(PLANES.index(plane)).setChecked(True)
        self.planes_row.setVisible(self.mode() == "one")

    def show_entry(self, entry: VolumeEntry) -> None:
        """Name the volume; images of a folder have no third dimension."""
        self.name.setText(entry.name)
        self.name.setToolTip(entry.name)
        for made in (*self.modes.buttons()[1:], *self.planes.buttons()[1:]):
            made.setEnabled(not entry.images)


class SizeStrip(QWidget):
    """Says in red that a volume has no voxel size, and leads to the field for it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._entry: VolumeEntry | None = None
        self.words = label(tr("The voxel size is missing: lengths are counted in voxels."), "problem")
        enter = button(tr("Enter it…"), self.enter, kind="small")
        frame = framed(row(self.words, None, enter, margin=GRID // 2), "note", "bad")
        self.setLayout(column(frame))
        self.hide()

    def show_entry(self, entry: VolumeEntry | None) -> None:
        """Show the strip where it is needed."""
        self._entry = entry
        missing = entry is not None and entry.in_file and entry.voxel_size is None
        self.setVisible(missing)

    def enter(self) -> None:
        """Go to the field."""
        if self._entry is not None:
            self.desk.select(f"volume:{self._entry.id}")
        edit = self.window().findChild(VoxelSizeEdit)
        if isinstance(edit, VoxelSizeEdit):
            edit.lines[0].setFocus()
            edit.lines[0].selectAll()


class ProblemPanel(QWidget):
    """What is wrong with a volume in one sentence, and what can be done: show where its data are now, or try again."""

    again = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._entry: VolumeEntry | None = None
        picture = QLabel()
        picture.setPixmap(pixmap("error", 32, current().bad))
        self.message, self.hint = label("", "heading", wrap=True, selectable=True), label("", "muted", wrap=True)
        self.search = button(tr("Find the data…"), self._find, kind="primary", icon_name="link")
        retry = button(tr("Try again"), self.again.emit)
        words = holding(column(self.message, self.hint, GRID, row(self.search, retry, None)))
        words.setMaximumWidth(560)
        inner = row(None, column(picture, None), words, None, gap=2 * GRID)
        inner.setStretch(2, 1)
        self.setLayout(column(None, inner, None, margin=2 * GRID))

    def show_error(self, entry: VolumeEntry, error: MicrotomeError) -> None:
        """Say what happened to this volume."""
        self._entry = entry
        # A zero-width space after each separator lets a long path wrap.
        self.message.setText(breakable(said(error.message)))
        self.hint.setText(said(error.hint))
        self.hint.setVisible(bool(error.hint))
        self.search.setVisible(entry.simulate is None)

    def _find(self) -> None:
        entry = self._entry
        if entry is None:
            return
        words = tr("Find {name}", name=entry.name)
        project = self.desk.session.need_project()
        if project.resolve(entry).is_dir():
            path = QFileDialog.getExistingDirectory(self, words)
        else:
            path, _ = QFileDialog.getOpenFileName(self, words)
        if path:
            reference = project.refer(Path(path))
            self.desk.perform(lambda: self.desk.session.change_volume(entry.id, path=reference))
