"""What the parts of a viewer tell each other: pictures that land, the mouse over them, chosen modes, menus."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication

from microtome.errors import MicrotomeError
from microtome.ui.i18n import tr
from microtome.ui.numbers import number, unit_word
from microtome.ui.sentences import said
from microtome.ui.viewing import PLANES, Facts, ObliqueRead, SliceRead, Statistics
from microtome.ui.views.pose import NAMED, Vector
from microtome.ui.views.viewer.feeds import OBLIQUE
from microtome.ui.views.viewer.menu import ViewerMenu
from microtome.ui.views.viewer.slice_view import SliceView

if TYPE_CHECKING:
    from microtome.ui.views.viewer.viewer import VolumeViewer


class Wiring(QObject):
    """Belongs to a viewer and answers its parts."""

    def __init__(self, viewer: VolumeViewer) -> None:
        super().__init__(viewer)
        self.viewer = viewer
        self._connect_feeds()
        self._connect_planes()
        self._connect_oblique()
        viewer.head.chosen.connect(self.choose)
        viewer.head.fitted.connect(self.fit)
        viewer.head.bar_switched.connect(viewer.show_bar)
        viewer.head.menu_wanted.connect(lambda: self._menu_in_hand().open(QCursor.pos()))
        viewer.contrast.changed.connect(viewer.set_look)
        viewer.controls.moved.connect(self._slide)
        viewer.problem.again.connect(lambda: viewer.show_source(viewer.source))
        self.menus = {plane: self._menu(plane, view) for plane, view in viewer.planes.views.items()}
        self.menus[OBLIQUE] = self._menu(OBLIQUE, viewer.oblique)

    def _connect_feeds(self) -> None:
        feeds = self.viewer.feeds
        feeds.landed.connect(self._land)
        feeds.cut.connect(self._land_oblique)
        feeds.measured.connect(self._measure)
        feeds.failed.connect(self._fail)
        feeds.waiting.connect(self._wait)

    def _connect_planes(self) -> None:
        viewer, planes = self.viewer, self.viewer.planes
        planes.moved.connect(viewer.go)
        planes.hovered.connect(self._hover)
        planes.touched.connect(self._touch)
        planes.posed.connect(lambda pose, done: viewer.set_pose(pose, fine=done))
        planes.plane_wanted.connect(self._take_plane)
        planes.rearranged.connect(viewer.want_all)
        viewer.space.posed.connect(lambda pose: viewer.set_pose(pose, fine=False))
        viewer.space.place_wanted.connect(viewer.go)

    def _connect_oblique(self) -> None:
        viewer, view = self.viewer, self.viewer.oblique
        view.hovered.connect(self._hover_oblique)
        view.stepped.connect(self._step_oblique)
        view.nudged.connect(lambda down, right: self._step_oblique(down + right))
        view.double_clicked.connect(view.fit)
        view.plane_wanted.connect(lambda i: viewer.set_pose(NAMED[PLANES[i]], fine=True))
        viewer.oblique_controls.changed.connect(lambda pose, fine: viewer.set_pose(pose, fine=fine))
        viewer.oblique_controls.pixel_changed.connect(self._set_pixel)

    # --- pictures

    def _land(self, plane: str, read: SliceRead) -> None:
        viewer = self.viewer
        first = viewer.facts is None
        viewer.reads[plane] = read
        viewer.facts = read.facts
        viewer.stack.setCurrentWidget(viewer.halves)
        viewer.planes.show_facts(read.facts)
        viewer.planes.show_read(plane, read)
        viewer.contrast.show_contrast(read.picture.contrast)
        if first:
            viewer.space.show_facts(read.facts)
            viewer.about.setText(about_images(read.facts) if _of_images(self.viewer) else about(read.facts))
            viewer.arrange()
            viewer.show_place()
            viewer.show_pose()
            viewer.want_all()

    def _land_oblique(self, read: ObliqueRead) -> None:
        self.viewer.cut = read
        self.viewer.oblique.show_picture(read.picture)

    def _measure(self, statistics: Statistics) -> None:
        viewer = self.viewer
        viewer.contrast.show_statistics(statistics)
        if viewer.source is None or viewer.facts is None:
            return
        if statistics.labels and viewer.source[1].id not in viewer.looks:
            viewer.set_look(replace(viewer.look, colours="labels"))
        elif viewer.look.levels is None:
            viewer.want_all()

    def _fail(self, name: str, error: MicrotomeError) -> None:
        viewer = self.viewer
        if name == OBLIQUE:
            viewer.oblique.show_picture(None)
            viewer.oblique.show_busy(said(error))
        elif _middle_instead(viewer, name):
            return
        elif _lost_slice_only(viewer):
            viewer.reads.pop(name, None)
            viewer.planes.views[name].show_picture(None)
            viewer.planes.views[name].show_busy(said(error))
        elif viewer.source is not None:
            viewer.problem.show_error(viewer.source[1], error)
            viewer.stack.setCurrentWidget(viewer.problem)
            viewer.arrange()

    def _wait(self, name: str) -> None:
        viewer = self.viewer
        if viewer.source is None:
            return
        simulated = viewer.source[1].simulate is not None and viewer.facts is None
        view = viewer.oblique if name == OBLIQUE else viewer.planes.views[name]
        view.show_busy(tr("Simulating the structure…") if simulated else tr("Reading…"))

    # --- the mouse over a picture

    def _hover(self, plane: str, found: tuple[int, int, float] | None) -> None:
        facts, read = self.viewer.facts, self.viewer.reads.get(plane)
        if found is None or facts is None or read is None:
            self.viewer.readout.setText("")
            return
        if _of_images(self.viewer):
            self.viewer.readout.setText(image_place_words(found, facts, read.picture.colour(*found[:2])))
            return
        axis = PLANES.index(plane)
        place = np.zeros(3)
        place[axis] = read.index
        place[[a for a in range(3) if a != axis]] = found[:2]
        self.viewer.readout.setText(place_words(place, facts, found[2]))

    def _hover_oblique(self, found: tuple[int, int, float] | None) -> None:
        read = self.viewer.cut
        if found is None or read is None:
            self.viewer.readout.setText("")
        else:
            self.viewer.readout.setText(place_words(read.voxel_at(*found[:2]), read.facts, found[2]))

    def _touch(self, plane: str) -> None:
        viewer = self.viewer
        if viewer.head.mode() == "one":
            return
        if plane != viewer.head.plane():
            viewer.head.choose(plane=plane)
            viewer.show_place()
        # The keys go where the mouse is, but no field that is being typed into loses them.
        if isinstance(QApplication.focusWidget(), SliceView):
            viewer.planes.views[plane].setFocus(Qt.FocusReason.MouseFocusReason)

    # --- what is chosen

    def choose(self) -> None:
        """Another mode or plane was chosen."""
        viewer = self.viewer
        viewer.arrange()
        viewer.show_place()
        viewer.show_pose()
        viewer.want_all()

    def fit(self) -> None:
        """Show whole pictures."""
        self.viewer.planes.fit()
        self.viewer.oblique.fit()

    def _take_plane(self, index: int) -> None:
        self.viewer.head.choose(plane=PLANES[index])
        self.choose()
        self.viewer.view.setFocus()

    def _slide(self, index: int) -> None:
        place = list(self.viewer.place)
        place[PLANES.index(self.viewer.head.plane())] = index
        self.viewer.go((place[0], place[1], place[2]))

    def _step_oblique(self, n: int) -> None:
        viewer = self.viewer
        if viewer.facts is not None:
            step = viewer.pixel or min(viewer.facts.sizes)
            most = viewer.facts.reach(viewer.pose.normal)
            offset = min(most, max(-most, viewer.pose.offset + n * step))
            viewer.set_pose(replace(viewer.pose, offset=offset), fine=False)

    def _set_pixel(self, pixel: float | None) -> None:
        self.viewer.pixel = pixel
        self.viewer.want_oblique(fine=True)

    # --- menus

    def _menu(self, name: str, view: SliceView) -> ViewerMenu:
        viewer = self.viewer
        request: Any = viewer.request_of_oblique if name == OBLIQUE else partial(viewer.request_of, name)
        made = ViewerMenu(viewer.desk, view, request)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)

        def opened(where: QPoint) -> None:
            made.open(view.mapToGlobal(where))

        view.customContextMenuRequested.connect(opened)
        return made

    def _menu_in_hand(self) -> ViewerMenu:
        head = self.viewer.head
        return self.menus[OBLIQUE if head.mode() == OBLIQUE else head.plane()]


def place_words(place: Vector, facts: Facts, value: float) -> str:
    """A voxel (z, y, x), where it lies, and its value."""
    words = "  ".join(f"{axis} {number(round(float(p), 1))}" for axis, p in zip("zyx", place, strict=True))
    if facts.voxel_size is not None:
        at = ", ".join(number(float(p * v), 5) for p, v in zip(place, facts.voxel_size, strict=True))
        words += f"   ({at}) {unit_word(facts.unit)}"
    return f"{words}   =  {number(value, 6)}"


def image_place_words(found: tuple[int, int, float], facts: Facts, colour: tuple[float, float, float] | None) -> str:
    """A pixel (y, x) of an image, where it lies, and its value; in colour that is its brightness, beside its colours."""
    row, column, value = found
    words = f"y {row}  x {column}"
    if facts.voxel_size is not None:
        at = ", ".join(number(n * v, 5) for n, v in zip((row, column), facts.voxel_size[1:], strict=True))
        words += f"   ({at}) {unit_word(facts.unit)}"
    if colour is None:
        return f"{words}   =  {number(value, 6)}"
    red, green, blue = (number(c, 6) for c in colour)
    return f"{words}   =  R {red}  G {green}  B {blue} · " + tr("brightness {value}", value=number(value, 6))


def about_images(facts: Facts) -> str:
    """How many images there are, and of the one on show its size, grey values and pixel size."""
    count, *edges = facts.shape
    words = [tr("1 image") if count == 1 else tr("{n} images", n=count), " × ".join(str(n) for n in edges), facts.dtype]
    if facts.voxel_size is not None:
        words.append(" × ".join(number(v, 4) for v in facts.voxel_size[1:]) + f" {unit_word(facts.unit)}")
    return " · ".join(words)


def about(facts: Facts) -> str:
    """Shape, grey values, voxel size and how far it is from a cube."""
    words = [" × ".join(str(n) for n in facts.shape), facts.dtype]
    if facts.voxel_size is not None:
        words.append(" × ".join(number(v, 4) for v in facts.voxel_size) + f" {unit_word(facts.unit)}")
        ratio = max(facts.voxel_size) / min(facts.voxel_size)
        if ratio > 1 + 1e-6:
            words.append(tr("anisotropy {n}", n=number(ratio, 3)))
    return " · ".join(words)


def _of_images(viewer: VolumeViewer) -> bool:
    return viewer.source is not None and viewer.source[1].images


def _there(viewer: VolumeViewer) -> bool:
    """Whether the volume's file or folder can be seen."""
    return viewer.source is not None and (
        viewer.source[1].simulate is not None or viewer.source[0].resolve(viewer.source[1]).exists()
    )


def _lost_slice_only(viewer: VolumeViewer) -> bool:
    """Whether a slice that cannot be read lies in a volume of which others can be: the way to them must stay."""
    return viewer.facts is not None and _there(viewer)


def _middle_instead(viewer: VolumeViewer, plane: str) -> bool:
    """Ask for the middle slice where the first that was asked for is not that, but the damaged one that was left last."""
    if viewer.source is None or viewer.facts is not None or not _there(viewer):
        return False
    if viewer.places.pop(viewer.source[1].id, None) is None:
        return False
    request = viewer.request_of(plane)
    if request is not None:
        viewer.feeds.want(request)
    return request is not None
