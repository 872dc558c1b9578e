"""The three planes of a volume beside each other, linked by a cross-hair and one zoom, with a fourth field beside them."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from microtome.ui.theme import current
from microtome.ui.viewing import PLANES, Facts, SliceRead
from microtome.ui.views.pose import Pose
from microtome.ui.views.viewer.cross_hair import CrossHair
from microtome.ui.views.viewer.plane_trace import PlaneTrace
from microtome.ui.views.viewer.slice_view import Overlay, SliceView

FOURTH = "fourth"
_FIELDS = {"xy": (0, 0), FOURTH: (0, 1), "xz": (1, 0), "yz": (1, 1)}  # xz lies below xy (same x), yz beside xz (same z)
_MOST_UNEVEN = 4.0  # of a box's edges: beyond it, one scale for all planes would make threads of some
Place = tuple[int, int, int]


def plane_colour(name: str) -> str:
    """The colour of a plane, the same in every view."""
    theme = current()
    return {"xy": theme.class_colour(0), "xz": theme.class_colour(1), "yz": theme.class_colour(2)}.get(
        name, theme.class_colour(4)
    )


class PlanesView(QWidget):
    """Three SliceViews about one place (z, y, x) in voxels, and a field for something else.

    `arrange` says what is seen; a double click on a field shows it alone, or all again.
    """

    moved = Signal(object)  # the place that is wanted
    hovered = Signal(str, object)  # plane, (row, column, value) or None
    touched = Signal(str)
    posed = Signal(object, bool)  # the free plane was dragged: Pose, and whether the drag has ended
    plane_wanted = Signal(int)
    rearranged = Signal()

    def __init__(self, fourth: QWidget) -> None:
        super().__init__()
        self.fourth = fourth
        self.facts: Facts | None = None
        self.place: Place = (0, 0, 0)
        self.mode, self.plane, self.alone = "one", "xy", ""
        self.extra: list[Overlay] = []  # over the first plane that is seen
        self.views = {name: SliceView(name) for name in PLANES}
        self.crosses = {name: self._cross(name) for name in PLANES}
        self.traces = {
            name: PlaneTrace(axis, lambda pose, done: self.posed.emit(pose, done), plane_colour("oblique"))
            for axis, name in enumerate(PLANES)
        }
        self.grid = QGridLayout()
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setSpacing(2)
        for name, (i, j) in _FIELDS.items():
            self.grid.addWidget(self.views.get(name, fourth), i, j)
        self.setLayout(self.grid)
        for name, view in self.views.items():
            self._connect(name, view)
        self.arrange("one", "xy")

    def _cross(self, name: str) -> CrossHair:
        first, second = (a for a in range(3) if a != PLANES.index(name))

        def moved(row: int, column: int) -> None:
            place = list(self.place)
            place[first], place[second] = row, column
            self.moved.emit(tuple(place))

        # A line of constant row is where the plane normal to the rows' axis cuts this one.
        return CrossHair(moved, plane_colour(PLANES[first]), plane_colour(PLANES[second]))

    def _connect(self, name: str, view: SliceView) -> None:
        axis = PLANES.index(name)
        view.stepped.connect(lambda n: self._step(axis, n))
        view.nudged.connect(lambda down, right: self._nudge(name, down, right))
        view.hovered.connect(partial(self.hovered.emit, name))
        view.touched.connect(partial(self.touched.emit, name))
        view.zoomed.connect(lambda: self._link(name))
        view.double_clicked.connect(lambda: self.view_alone(name))
        view.plane_wanted.connect(self.plane_wanted)

    def _step(self, axis: int, n: int) -> None:
        if self.facts is not None:
            place = list(self.place)
            place[axis] = max(0, min(self.facts.shape[axis] - 1, place[axis] + n))
            self.moved.emit(tuple(place))

    def _nudge(self, name: str, down: int, right: int) -> None:
        axis = PLANES.index(name)
        if self.mode == "one":
            self._step(axis, down + right)
            return
        first, second = (a for a in range(3) if a != axis)
        self._step(first, down) if down else self._step(second, right)

    def arrange(self, mode: str, plane: str) -> None:
        """Show one plane ("one"), all ("three"), all with the free plane ("oblique"), or the fourth field ("space")."""
        if mode != self.mode:
            self.alone = ""
        self.mode, self.plane = mode, plane
        several = mode in ("three", "oblique")
        for name, view in self.views.items():
            view.setVisible((several and self.alone in ("", name)) or (mode == "one" and name == plane))
            view.tint = plane_colour(name) if several else ""
            lines: list[Overlay] = [self.traces[name]] if mode == "oblique" else []
            first = not several or self.alone == name or (mode == "three" and not self.alone and name == PLANES[0])
            extra = self.extra if first else []
            view.overlays = [*lines, self.crosses[name], *extra] if several else extra
            view.update()
        self.fourth.setVisible(mode == "space" or (several and self.alone in ("", FOURTH)))
        for k in range(2):
            self.grid.setRowStretch(k, 1 if any(self._seen(n) for n, (i, _) in _FIELDS.items() if i == k) else 0)
            self.grid.setColumnStretch(k, 1 if any(self._seen(n) for n, (_, j) in _FIELDS.items() if j == k) else 0)
        self._share_scale()

    def _seen(self, name: str) -> bool:
        return not self.views.get(name, self.fourth).isHidden()

    def seen_planes(self) -> list[str]:
        """The planes that are shown."""
        return [name for name in PLANES if self._seen(name)]

    def view_alone(self, name: str) -> None:
        """Show one field alone, or all again; where there is one plane, fit it."""
        if self.mode == "one":
            self.views[name].fit()
            return
        self.alone = "" if self.alone else name
        self.arrange(self.mode, self.plane)
        self.rearranged.emit()

    def fit(self) -> None:
        """Show the whole pictures."""
        for view in self.views.values():
            view.fit()

    def show_facts(self, facts: Facts) -> None:
        """Take the shape and voxel size of the volume."""
        self.facts = facts
        for trace in self.traces.values():
            trace.shape, trace.sizes = facts.shape, facts.sizes
        self._share_scale()

    def show_place(self, place: Place) -> None:
        """Move the cross-hair."""
        self.place = place
        for axis, name in enumerate(PLANES):
            first, second = (a for a in range(3) if a != axis)
            self.crosses[name].row, self.crosses[name].column = place[first], place[second]
            self.traces[name].place = place[axis]
            self.views[name].update()

    def show_pose(self, pose: Pose) -> None:
        """Move the traces of the free plane."""
        for name, trace in self.traces.items():
            trace.pose = pose
            self.views[name].update()

    def show_read(self, plane: str, read: SliceRead) -> None:
        """Paint a slice that was read."""
        self.views[plane].show_picture(read.picture)

    def _link(self, name: str) -> None:
        """Take another view's zoom, and its place along the shared axis."""
        source = self.views[name].zoom
        axes = (a for a in range(3) if a != PLANES.index(name))
        shares = dict(zip(axes, (source.y, source.x), strict=True))
        for axis, other in enumerate(PLANES):
            if other != name and self.mode != "one":
                zoom = self.views[other].zoom
                first, second = (a for a in range(3) if a != axis)
                zoom.factor, zoom.y, zoom.x = source.factor, shares.get(first, zoom.y), shares.get(second, zoom.x)
                self.views[other].update()

    def _share_scale(self) -> None:
        scale = None
        if self.facts is not None and self.mode in ("three", "oblique") and not self.alone:
            edges = self.facts.edges
            if edges.max() <= _MOST_UNEVEN * edges.min():
                fits = []
                for name, view in self.views.items():
                    height, width = self.facts.extent(name)
                    fits.append(min(view.width() / width, view.height() / height))
                scale = min(fits)
        for view in self.views.values():
            view.zoom.scale = scale

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The fields' sizes decide the common scale."""
        super().resizeEvent(event)
        self._share_scale()
