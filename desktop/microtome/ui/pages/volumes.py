"""The volumes page: one slice of the selected volume, and a table of all volumes."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QButtonGroup, QSplitter, QStackedWidget, QWidget

from microtome.errors import MicrotomeError
from microtome.session import Change
from microtome.store.project import VolumeEntry
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import number, unit_word
from microtome.ui.pages.base import Page
from microtome.ui.reading import PLANES, SliceRead, SliceRequest, read_slice
from microtome.ui.theme import GRID
from microtome.ui.views.slice_controls import SliceControls
from microtome.ui.views.slice_view import SliceView
from microtome.ui.views.volume_table import VolumeTable
from microtome.ui.widgets import EmptyState, button, column, framed, holding, label, row

_BUSY_MS = 250


class VolumesPage(Page):
    """Follows the selection: the tree, the table and the picture show the same volume."""

    prefix: ClassVar[str] = "volumes"
    icon: ClassVar[str] = "volume"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__(desk, argument)
        self._entry: VolumeEntry | None = None
        self._read: SliceRead | None = None
        self._reading = self._again = False
        self.view, self.controls = SliceView(), SliceControls()
        self.planes = self._plane_buttons()
        self.name = label("", "heading")
        self.table = VolumeTable(desk)
        self.stack = QStackedWidget()
        self.stack.addWidget(self._empty())
        self.stack.addWidget(self._viewer())
        self.setLayout(column(self.stack))
        self._busy = QTimer(self)
        self._busy.setSingleShot(True)
        self._busy.setInterval(_BUSY_MS)
        self._busy.timeout.connect(self._show_busy)
        self.view.stepped.connect(lambda n: self._go(self.controls.slider.value() + n))
        self.view.hovered.connect(self._show_value)
        self.controls.moved.connect(self._go)
        self.controls.levels_changed.connect(self._request)
        desk.selected.connect(self._selected)

    def title(self) -> str:
        """The tab's words."""
        return tr("Volumes")

    def _empty(self) -> QWidget:
        act = self._trigger
        return EmptyState(
            "volume",
            tr("No volumes yet"),
            tr("Drop TIFF stacks, folders of slices, NPY or raw files anywhere on this window."),
            ((tr("Add files…"), lambda: act("add-files")), (tr("Add a simulated structure…"), lambda: act("simulate"))),
        )

    def _trigger(self, name: str) -> None:
        for action in self.window().actions():
            if action.objectName() == name:
                action.trigger()

    def _plane_buttons(self) -> QButtonGroup:
        group = QButtonGroup(self)
        for i, plane in enumerate(PLANES):
            made = button(plane, kind="small")
            made.setCheckable(True)
            made.setChecked(i == 0)
            made.setToolTip(tr("Cut along {plane}", plane=plane))
            group.addButton(made, i)
        group.idClicked.connect(lambda _: self._go(None))
        return group

    def _viewer(self) -> QWidget:
        fit = button(tr("Fit"), self.view.fit, kind="small")
        fit.setToolTip(tr("Ctrl + wheel zooms, dragging moves, a double click fits"))
        head = row(self.name, None, *self.planes.buttons(), fit, gap=GRID // 2)
        top = column(head, self.view, self.controls, gap=GRID)
        top.setStretch(1, 1)
        top.setContentsMargins(2 * GRID, GRID + 4, 2 * GRID, GRID)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.addWidget(holding(top))
        table = column(self.table)
        table.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        splitter.addWidget(framed(table, "panel"))
        splitter.setStretchFactor(0, 1)
        splitter.setSizes([520, 180])
        splitter.setChildrenCollapsible(False)
        return splitter

    def refresh(self, change: Change) -> None:
        """Fill the table; show the selected volume, or the first."""
        if not change & (Change.PROJECT | Change.VOLUMES):
            return
        project = self.desk.session.project
        volumes = list(project.volumes) if project is not None else []
        self.stack.setCurrentIndex(1 if volumes else 0)
        self.table.fill(volumes)
        self._selected(self.desk.selection)
        if self._entry is not None and not self.desk.selection:
            self.desk.select(f"volume:{self._entry.id}")

    def _selected(self, key: str) -> None:
        project = self.desk.session.project
        volumes = list(project.volumes) if project is not None else []
        kind, _, name = key.partition(":")
        wanted = [v for v in volumes if (kind == "volume" and v.id == name) or (kind == "class" and v.class_name == name)]
        kept = [v for v in volumes if self._entry is not None and v.id == self._entry.id]
        chosen = next(iter(wanted or kept or volumes), None)
        self.table.mark(volumes.index(chosen) if chosen is not None else -1)
        if chosen is None or chosen == self._entry:
            return
        same = self._entry is not None and self._entry.id == chosen.id
        self._entry = chosen
        self.name.setText(chosen.name)
        if not same:
            self._read = None
            self.view.show_picture(None)
            self.view.fit()
            self.controls.automatic()
        self._request()

    def _go(self, index: int | None) -> None:
        if self._read is None:
            return
        self.controls.aim(index)
        self._request()

    def _request(self) -> None:
        """Ask for the slice that the controls name; while one is being read the next waits, so that none is skipped over."""
        project = self.desk.session.project
        if self._entry is None or project is None:
            return
        if self._reading:
            self._again = True
            return
        self._reading, self._again = True, False
        request = SliceRequest(
            project=project,
            entry=self._entry,
            plane=PLANES[max(0, self.planes.checkedId())],
            index=self.controls.aimed if self._read is not None else None,
            levels=self.controls.levels(),
        )
        self._busy.start()
        self.desk.tasks.request(
            self, "slice", lambda: read_slice(request), lambda read: self._landed(request, read), failed=self._failed
        )

    def _landed(self, request: SliceRequest, read: SliceRead) -> None:
        self._reading = False
        self._busy.stop()
        if self._entry is not None and request.entry.id == self._entry.id:
            self._read = read
            self.view.show_picture(read.picture)
            axis = PLANES.index(request.plane)
            step = read.voxel_size[axis] if read.voxel_size is not None else None
            self.controls.show_place("zyx"[axis], read.index, read.shape[axis], step, read.unit)
            self.controls.show_levels(read.picture.levels)
        if self._again or self._read is None:
            self._request()

    def _failed(self, error: MicrotomeError) -> None:
        self._reading = self._again = False
        self._busy.stop()
        self.view.show_picture(None)
        self.view.show_busy(error.message)
        self.desk.report(error)

    def _show_busy(self) -> None:
        simulated = self._entry is not None and self._entry.simulate is not None and self._read is None
        self.view.show_busy(tr("Simulating the structure…") if simulated else tr("Reading…"))

    def _show_value(self, found: tuple[int, int, Any] | None) -> None:
        if found is None or self._read is None:
            self.controls.say("")
            return
        plane = PLANES[max(0, self.planes.checkedId())]
        axis = PLANES.index(plane)
        place = [0, 0, 0]
        place[axis] = self._read.index
        for other, value in zip([a for a in range(3) if a != axis], found[:2], strict=True):
            place[other] = value
        words = f"z {place[0]}  y {place[1]}  x {place[2]}"
        if self._read.voxel_size is not None:
            at = [p * v for p, v in zip(place, self._read.voxel_size, strict=True)]
            words += f"   ({', '.join(number(v, 5) for v in at)}) {unit_word(self._read.unit)}"
        self.controls.say(f"{words}   =  {number(float(found[2]), 6)}")

    def keep(self) -> dict[str, Any]:
        """The plane."""
        return {"plane": self.planes.checkedId()}

    def restore(self, kept: dict[str, Any]) -> None:
        """The plane."""
        made = self.planes.button(int(kept.get("plane", 0)))
        if made is not None:
            made.setChecked(True)
