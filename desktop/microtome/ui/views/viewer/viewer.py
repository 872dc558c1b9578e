"""The viewer of a volume: one plane, three linked planes, a free plane, or the volume in space, and its contrast."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSplitter, QStackedWidget, QWidget

from microtome.store.project import Project, VolumeEntry
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID
from microtome.ui.viewing import PLANES, Facts, Look, ObliqueRead, ObliqueRequest, SliceRead, SliceRequest
from microtome.ui.views.pose import Pose
from microtome.ui.views.space.field import SpaceField
from microtome.ui.views.viewer.colour_bar import ColourBar
from microtome.ui.views.viewer.contrast_bar import ContrastBar
from microtome.ui.views.viewer.feeds import OBLIQUE, Feeds
from microtome.ui.views.viewer.oblique_controls import ObliqueControls
from microtome.ui.views.viewer.parts import ProblemPanel, SizeStrip, ViewerHead
from microtome.ui.views.viewer.planes_view import Place, PlanesView, plane_colour
from microtome.ui.views.viewer.slice_controls import SliceControls
from microtome.ui.views.viewer.slice_view import SliceView
from microtome.ui.views.viewer.wiring import Wiring
from microtome.ui.widgets import column, holding, label, row

Source = tuple[Project, VolumeEntry]


class VolumeViewer(QWidget):
    """Shows one volume at a time. What the user set up for a volume (contrast, place, free plane) is kept for it."""

    place_changed = Signal(object)  # Place

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.source: Source | None = None
        self.facts: Facts | None = None
        self._bar, self._mode = ColourBar(), ""
        self.looks: dict[str, Look] = {}
        self.places: dict[str, Place] = {}
        self.poses: dict[str, Pose] = {}
        self.pixel: float | None = None
        self.reads: dict[str, SliceRead] = {}
        self.cut: ObliqueRead | None = None
        self.feeds = Feeds(desk, self)
        self.head, self.strip, self.problem = ViewerHead(), SizeStrip(desk), ProblemPanel(desk)
        self.space = SpaceField(desk)
        self.planes = PlanesView(self.space)
        self.oblique = SliceView(tr("Oblique"), plane_colour(OBLIQUE))
        self.controls, self.oblique_controls, self.contrast = SliceControls(), ObliqueControls(), ContrastBar()
        self.readout, self.about = label("", "muted"), label("", "muted")
        self._lay_out()
        self.wiring = Wiring(self)

    def _lay_out(self) -> None:
        self.halves = QSplitter(Qt.Orientation.Horizontal)
        self.halves.addWidget(self.oblique)
        self.halves.addWidget(self.planes)
        self.halves.setStretchFactor(0, 1)
        self.halves.setStretchFactor(1, 1)
        self.halves.setChildrenCollapsible(False)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.halves)
        self.stack.addWidget(self.problem)
        along = row(self.head.planes_row, self.controls, gap=GRID)
        along.setStretch(1, 1)
        self.below = holding(column(along, self.oblique_controls, self.contrast, gap=GRID // 2))
        self.readout.setMinimumWidth(40)
        words = row(self.readout, None, self.about, gap=GRID)
        self.foot = holding(column(self.below, words, gap=2))
        inner = column(self.head, self.strip, self.stack, self.foot, gap=GRID // 2)
        inner.setStretch(2, 1)
        self.setLayout(inner)
        self.arrange()

    @property
    def view(self) -> SliceView:
        """The view of the plane in hand."""
        return self.planes.views[self.head.plane()]

    @property
    def place(self) -> Place:
        """The voxel (z, y, x) that the planes cross in; the middle at first."""
        if self.source is None or self.facts is None:
            return (0, 0, 0)
        z, y, x = self.places.get(self.source[1].id, tuple(n // 2 for n in self.facts.shape))
        shape = self.facts.shape
        return (min(z, shape[0] - 1), min(y, shape[1] - 1), min(x, shape[2] - 1))

    @property
    def look(self) -> Look:
        """How the volume is seen."""
        return self.looks.get(self.source[1].id, Look()) if self.source is not None else Look()

    @property
    def pose(self) -> Pose:
        """The free plane."""
        return self.poses.get(self.source[1].id, Pose()) if self.source is not None else Pose()

    # --- what is to be shown

    def show_source(self, source: Source | None) -> None:
        """Show a volume of a project; the same one again is read anew where it was changed."""
        same = source is not None and self.source is not None and source[1].id == self.source[1].id
        self.source = source
        self.feeds.show(source)
        self.strip.show_entry(source[1] if source is not None else None)
        self.reads, self.cut, self.facts = {}, None, None
        if not same:
            self.pixel = None
            self.oblique_controls.pixel.clear()
            for view in (*self.planes.views.values(), self.oblique):
                view.show_picture(None)
                view.fit()
            self.contrast.show_statistics(None)
        self.space.show_source(source)
        if source is None:
            return
        self.head.show_entry(source[1])
        if source[1].images:
            self.head.choose("one", "xy")
        self.contrast.show_look(self.look)
        self.arrange()
        # The first picture tells the shape; the others are asked for when it is there.
        plane = self.head.plane() if self.head.mode() == "one" else "xy"
        self._want(plane)
        self.feeds.want_statistics()

    def arrange(self) -> None:
        """Show the views of the chosen mode."""
        mode = self.head.mode()
        self.head.choose()
        self.planes.arrange(mode, self.head.plane())
        self.oblique.setVisible(mode == OBLIQUE)
        if self._mode != mode:
            # Once a mode: in space the plane can be switched off again.
            self.space.show_plane(mode == OBLIQUE)
            self._mode = mode
        self.controls.setVisible(mode in ("one", "three"))
        self.oblique_controls.setVisible(mode == OBLIQUE)
        self.foot.setVisible(mode != "space" and self.stack.currentWidget() is self.halves)

    def want_all(self) -> None:
        """Ask for every picture that is seen."""
        if self.facts is None:
            return
        for plane in self.planes.seen_planes():
            self._want(plane)
        if self.head.mode() == OBLIQUE:
            self.want_oblique(fine=True)

    def _want(self, plane: str) -> None:
        request = self.request_of(plane)
        if request is not None:
            self.feeds.want(request)

    def request_of(self, plane: str) -> SliceRequest | None:
        """What names the slice that a plane's view shows."""
        if self.source is None:
            return None
        project, entry = self.source
        known = self.facts is not None or entry.id in self.places
        view, axis = self.planes.views[plane], PLANES.index(plane)
        place = self.places.get(entry.id, (0, 0, 0)) if self.facts is None else self.place
        display = view.display(self.facts.extent(plane)) if self.facts is not None else None
        return SliceRequest(
            project=project,
            entry=entry,
            plane=plane,
            index=place[axis] if known else None,
            look=self.look,
            display=display,
            have=self.reads.get(plane),
        )

    def request_of_oblique(self) -> ObliqueRequest | None:
        """What names the oblique slice."""
        if self.source is None:
            return None
        return ObliqueRequest(project=self.source[0], entry=self.source[1], pose=self.pose, pixel=self.pixel, look=self.look)

    def want_oblique(self, *, fine: bool) -> None:
        """Ask for the oblique slice."""
        request = self.request_of_oblique()
        if request is not None:
            self.feeds.want_oblique(replace(request, coarse=not fine))

    # --- what the user does

    def go(self, place: Place) -> None:
        """Let the planes cross in another voxel."""
        if self.source is None or self.facts is None:
            return
        before = self.place
        self.places[self.source[1].id] = place
        self.show_place()
        self.place_changed.emit(place)
        for axis, plane in enumerate(PLANES):
            if plane in self.planes.seen_planes() and place[axis] != before[axis]:
                self._want(plane)

    def set_look(self, look: Look) -> None:
        """See the volume in another contrast."""
        if self.source is not None:
            self.looks[self.source[1].id] = look
            self.contrast.show_look(look)
            self.want_all()

    def set_pose(self, pose: Pose, *, fine: bool) -> None:
        """Move the free plane."""
        if self.source is not None and self.facts is not None:
            self.poses[self.source[1].id] = pose
            self.show_pose()
            self.want_oblique(fine=fine)

    def show_bar(self, on: bool) -> None:
        """Show or hide the colour bar."""
        self.planes.extra = [self._bar] if on else []
        self.oblique.overlays = [self._bar] if on else []
        self.oblique.update()
        self.arrange()

    def show_place(self) -> None:
        """Show where the planes cross."""
        facts = self.facts
        if facts is None:
            return
        self.planes.show_place(self.place)
        self.space.show_place(self.place)
        axis = PLANES.index(self.head.plane())
        flat = self.source is not None and self.source[1].images
        step = facts.voxel_size[axis] if facts.voxel_size is not None and not flat else None
        name = tr("image") if flat else "zyx"[axis]
        self.controls.show_place(name, self.place[axis], facts.shape[axis], step, facts.unit)

    def show_pose(self) -> None:
        """Show where the free plane lies."""
        self.planes.show_pose(self.pose)
        self.oblique_controls.show_pose(self.pose, self.facts)
        if self.head.mode() == OBLIQUE:
            self.space.show_pose(self.pose)
