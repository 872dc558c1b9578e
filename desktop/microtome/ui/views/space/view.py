"""The 3-D view of a volume: reads in the background what its buttons ask for, and shows it as a scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication, QImage, QShowEvent
from PySide6.QtWidgets import QFileDialog, QWidget

from microtome.errors import FileError, MicrotomeError
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.views.space.canvas import SpaceCanvas
from microtome.ui.views.space.controls import SpaceControls
from microtome.ui.views.space.handle import Pose
from microtome.ui.views.space.load import Loaded, oblique_panel, scene_of, with_planes, with_surface, with_voxels
from microtome.ui.views.space.scene import Panel, Triple
from microtome.ui.widgets import column

if TYPE_CHECKING:
    from microtome.volumes.volume import Volume

T = TypeVar("T")
Open = Callable[[], "Volume"]
_VOXELS = frozenset(("planes", "oblique", "surface"))


class SpaceView(QWidget):
    """Box, planes, surface and particles of a volume; nothing is read before it is shown, nor in the window's thread."""

    place_wanted = Signal(object)  # where the planes are to cross, as shares (z, y, x) of the volume's edges
    oblique_moved = Signal(object, object)  # centre (3,) and axes (2, 3) as (z, y, x), lengths in the scene's unit

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self.canvas, self.controls = SpaceCanvas(desk), SpaceControls()
        self.canvas.setAccessibleName(tr("3-D view"))
        self.canvas.setAccessibleDescription(tr("Drag to turn, Shift + drag to move, wheel to zoom, double click to reset"))
        self._key = ""
        self._open: Open | None = None
        self._volume: Volume | None = None
        self._loaded: Loaded | None = None
        self._parts: frozenset[str] = frozenset(("box",))
        self._level: float | None = None
        self._place: Triple = (0.5, 0.5, 0.5)
        self._pose: Pose | None = None
        self._panel: Panel | None = None
        self._reading = False
        layout = column(self.controls, self.canvas, gap=GRID // 2)
        layout.setStretch(1, 1)
        self.setLayout(layout)
        self.controls.parts_changed.connect(self._choose)
        self.controls.level_changed.connect(self._set_level)
        self.controls.view_wanted.connect(self.canvas.look_from)
        self.controls.picture_wanted.connect(partial(_share, desk, self.canvas))
        self.canvas.posed.connect(self._posed)
        self.canvas.picked.connect(self._picked)

    def show_volume(self, key: str, opener: Open) -> None:
        """Show another volume once this view is on the screen; `opener()` is called in a background thread.

        `key` says which volume it is: the same one again changes nothing.
        """
        if key == self._key:
            return
        self.clear()
        self._key, self._open = key, opener
        self._advance()

    def set_place(self, place: Triple) -> None:
        """Let the three planes cross at a place, given as shares (z, y, x) of the volume's edges."""
        if place != self._place:
            self._place = place
            self._advance()

    def set_oblique(self, pose: Pose, panel: Panel | None = None) -> None:
        """Put the free plane somewhere; `panel`: its finer picture, else it is cut from the overview."""
        self._pose, self._panel = pose, panel
        if "oblique" in self._parts:
            self._refresh()

    def show_part(self, name: str, on: bool) -> None:
        """Show or hide a part, as its button does."""
        parts = self._parts | {name} if on else self._parts - {name}
        if parts != self._parts:
            self._choose(parts)

    def clear(self) -> None:
        """Show nothing."""
        self._desk.tasks.cancel(self, "read")
        self._key, self._open, self._volume, self._loaded = "", None, None, None
        self._level, self._pose, self._panel, self._reading = None, None, None, False
        self._place = (0.5, 0.5, 0.5)
        self.canvas.show_scene(None)
        self.canvas.show_busy("")

    def showEvent(self, event: QShowEvent) -> None:
        """Reading begins when the view is first seen."""
        super().showEvent(event)
        self._advance()

    def _choose(self, parts: frozenset[str]) -> None:
        self._parts = parts
        self.controls.show_parts(parts, self._possible())
        self._refresh()
        self._advance()

    def _possible(self) -> frozenset[str]:
        found = frozenset(("box", *(_VOXELS if self._volume is not None else ())))
        particles = self._loaded is not None and self._loaded.scene.particles is not None
        return found | {"particles"} if particles else found

    def _set_level(self, level: float) -> None:
        self._level = level
        self._advance()

    def _posed(self, pose: Pose) -> None:
        self._pose, self._panel = pose, None
        self._refresh()
        self.oblique_moved.emit(pose.centre, pose.axes)

    def _picked(self, point: Triple) -> None:
        if self._loaded is not None:
            z, y, x = (p / b for p, b in zip(point, self._loaded.scene.box, strict=True))
            self.set_place((z, y, x))
            self.place_wanted.emit((z, y, x))

    def _advance(self) -> None:
        """Read the next thing that is wanted and not there; one at a time, each from what is known by then."""
        if self._open is None or self._reading or not self.isVisible():
            return
        loaded, volume, opener = self._loaded, self._volume, self._open
        if volume is None or loaded is None:
            self._read(tr("Opening the volume…"), partial(_open_volume, opener), self._opened)
        elif loaded.view is None and self._parts & _VOXELS:
            self._read(tr("Reading an overview…"), partial(with_voxels, volume, loaded), self._landed)
        elif "planes" in self._parts and loaded.place != self._place:
            self._read("", partial(with_planes, volume, loaded, self._place), self._landed)
        elif "surface" in self._parts and (loaded.scene.surface is None or self._level not in (None, loaded.level)):
            self._read(tr("Finding the surface…"), partial(with_surface, loaded, self._level), self._landed)

    def _read(self, words: str, work: Callable[[], T], landed: Callable[[T], None]) -> None:
        self._reading = True
        self.canvas.show_busy(words)

        def land(result: T) -> None:
            self._reading = False
            self.canvas.show_busy("")
            landed(result)
            self._advance()

        self._desk.tasks.request(self, "read", work, land, failed=self._failed)

    def _opened(self, found: tuple[Volume, Loaded]) -> None:
        self._volume, self._loaded = found
        particles = self._loaded.scene.particles is not None
        asked = self._parts & {"oblique"}
        self._parts = frozenset(("box", "particles") if particles else ("box", "planes", "surface")) | asked
        self.controls.show_parts(self._parts, self._possible())
        self._refresh()

    def _landed(self, loaded: Loaded) -> None:
        self._loaded = loaded
        if loaded.level is not None:
            self.controls.show_level(loaded.level if self._level is None else self._level, loaded.levels)
        self._refresh()

    def _failed(self, error: MicrotomeError) -> None:
        # What cannot be read once is not asked for again and again: another volume, or another part, starts anew.
        self._open, self._reading = None, False
        self.canvas.show_busy(said(error.message))
        self._desk.report(error)

    def _refresh(self) -> None:
        """Put together what is to be seen of what is there."""
        loaded = self._loaded
        if loaded is None:
            return
        scene, pose = loaded.scene, None
        if "oblique" in self._parts and loaded.view is not None:
            self._pose = pose = self._pose or Pose.slanted(scene.box)
            panel = self._panel or oblique_panel(loaded.view, loaded.levels, pose.centre, pose.axes)
            scene = replace(scene, oblique=panel)
        self.canvas.show_box = "box" in self._parts
        self.canvas.show_scene(scene.only(self._parts), pose)


def _share(desk: Desk, canvas: SpaceCanvas, what: str) -> None:
    """Copy the picture, or ask where to save it."""
    if what == "copy":
        QGuiApplication.clipboard().setImage(canvas.render_image())
        return
    chosen, _ = QFileDialog.getSaveFileName(canvas, tr("Save as"), "3-d.png", "PNG (*.png)")
    if chosen:
        path = Path(chosen) if Path(chosen).suffix else Path(chosen + ".png")
        if desk.perform(lambda: save_picture(canvas.render_image(), path)):
            desk.say(tr("Saved {path}", path=path), level="good")


def _open_volume(opener: Open) -> tuple[Volume, Loaded]:
    """The volume, and what is seen of it at once: its particles, or else its planes."""
    volume = opener()
    loaded = Loaded(scene=scene_of(volume))
    return volume, (loaded if loaded.scene.particles is not None else with_voxels(volume, loaded))


def save_picture(image: QImage, path: Path) -> bool:
    """Write a picture; FileError where that cannot be done."""
    if not image.save(str(path)):
        raise FileError(f"Could not write {path}.", "Choose another folder, or free some space.")
    return True
