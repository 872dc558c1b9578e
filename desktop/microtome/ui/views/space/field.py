"""The fourth field of the viewer: the volume in space, told of the same place and the same free plane as the planes are."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from microtome.store.project import Project, VolumeEntry
from microtome.ui.desk import Desk
from microtome.ui.opened import identity, opened
from microtome.ui.viewing import Facts
from microtome.ui.views.pose import Pose, Vector
from microtome.ui.views.space.handle import Pose as SpacePose
from microtome.ui.views.space.view import SpaceView
from microtome.ui.widgets import column

_REST_MS = 120
_ROOM = 460  # pixels that the 3-D view's own buttons need


class SpaceField(QWidget):
    """Makes the 3-D view when it is first seen. Places are voxels (z, y, x); poses are measured from the volume's middle."""

    posed = Signal(object)  # Pose, dragged in space
    place_wanted = Signal(object)  # voxel (z, y, x)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._facts: Facts | None = None
        self._pose = Pose()
        self._dragged, self._posed = False, False
        self._place: tuple[int, int, int] | None = None
        # Painting space takes longer than a slice: while one scrolls or tilts, space follows at the next rest.
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._cross)
        self._rest.timeout.connect(self._put_plane)
        self.space = SpaceView(desk)
        self.space.oblique_moved.connect(self._moved)
        self.space.place_wanted.connect(self._crossed)
        self.setMinimumSize(96, 80)
        self.setLayout(column(self.space))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A small field is for looking, not for settings."""
        super().resizeEvent(event)
        self.space.controls.setVisible(event.size().width() >= _ROOM)

    def show_source(self, source: tuple[Project, VolumeEntry] | None) -> None:
        """Show another volume; nothing is read before the field is seen."""
        self._facts = self._place = None
        self._posed = False
        if source is None or source[1].images:
            self.space.clear()
            return
        project, entry = source
        self.space.show_volume(identity(project, entry), lambda: opened(project, entry))

    def show_facts(self, facts: Facts) -> None:
        """Take the volume's shape and voxel size."""
        self._facts = facts

    def show_place(self, place: tuple[int, int, int]) -> None:
        """Let the planes cross in a voxel."""
        if place != self._place:
            self._place = place
            self._rest.start()

    def _cross(self) -> None:
        if self._facts is not None and self._place is not None:
            z, y, x = ((p + 0.5) / n for p, n in zip(self._place, self._facts.shape, strict=True))
            self.space.set_place((z, y, x))

    def show_plane(self, on: bool) -> None:
        """Show or hide the free plane."""
        self.space.show_part("oblique", on)

    def show_pose(self, pose: Pose) -> None:
        """Put the free plane there."""
        changed, self._pose = pose != self._pose, pose
        # What is dragged in space stays where the mouse has it.
        if (changed or not self._posed) and not self._dragged:
            self._posed = False
            self._rest.start()

    def _put_plane(self) -> None:
        if self._facts is not None and not self._posed:
            pose, self._posed = self._pose, True
            centre = pose.normal * pose.offset + self._facts.edges / 2
            self.space.set_oblique(SpacePose(centre, pose.axes))

    def _moved(self, centre: Vector, axes: Vector) -> None:
        if self._facts is None:
            return
        down, right = np.asarray(axes, dtype=np.float64)
        place = np.asarray(centre, dtype=np.float64) - self._facts.edges / 2
        made = Pose.of(np.stack([down, right]), 0.0, self._pose.azimuth).through(place)
        self._dragged = True
        self.posed.emit(made)
        self._dragged = False

    def _crossed(self, shares: tuple[float, float, float]) -> None:
        if self._facts is not None:
            place = [min(n - 1, max(0, int(s * n))) for s, n in zip(shares, self._facts.shape, strict=True)]
            self.place_wanted.emit(tuple(place))
