"""The volumes page: a viewer of the selected volume; below it all volumes, its health, its corrections."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSizePolicy, QSplitter, QStackedWidget, QTabWidget, QWidget

from microtome.session import Change
from microtome.store.project import VolumeEntry
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.pages.base import Page
from microtome.ui.theme import GRID
from microtome.ui.viewing import Look
from microtome.ui.views.pose import Pose
from microtome.ui.views.viewer.slice_controls import SliceControls
from microtome.ui.views.viewer.slice_view import SliceView
from microtome.ui.views.viewer.viewer import VolumeViewer
from microtome.ui.views.volumes.corrections_panel import CorrectionsPanel
from microtome.ui.views.volumes.health_panel import HealthPanel
from microtome.ui.views.volumes.volume_table import VolumeTable
from microtome.ui.widgets import EmptyState, column, holding

_TABLE, _PANEL = 140, 320  # pixels that the table, and the panels beside it, are given


class VolumesPage(Page):
    """Follows the selection: the tree, the table and the picture show the same volume."""

    prefix: ClassVar[str] = "volumes"
    icon: ClassVar[str] = "volume"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__(desk, argument)
        self._entry: VolumeEntry | None = None
        self.viewer = VolumeViewer(desk)
        self.table = VolumeTable(desk)
        self.health = HealthPanel(desk)
        self.corrections = CorrectionsPanel(desk)
        self.tabs = QTabWidget()
        self.stack = QStackedWidget()
        self.stack.addWidget(self._empty())
        self.stack.addWidget(self._halves())
        self.setLayout(column(self.stack))
        self.viewer.place_changed.connect(lambda place: self.corrections.show_slice(place[0]))
        self.health.slice_wanted.connect(self.show_slice)
        self.health.remedy_wanted.connect(self._correct)
        desk.selected.connect(self._selected)

    @property
    def view(self) -> SliceView:
        """The view of the plane in hand."""
        return self.viewer.view

    @property
    def controls(self) -> SliceControls:
        """The controls of the plane in hand."""
        return self.viewer.controls

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

    def _halves(self) -> QWidget:
        top = column(self.viewer)
        top.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID // 2)
        table = column(self.table)
        table.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        self._panels = (holding(table), self.health, self.corrections)
        for panel, words in zip(self._panels, (tr("Volumes"), tr("Health"), tr("Corrections")), strict=True):
            self.tabs.addTab(panel, words)
        self.tabs.setDocumentMode(True)
        self.tabs.currentChanged.connect(lambda _: self._roomy())
        self.halves = QSplitter(Qt.Orientation.Vertical)
        self.halves.addWidget(holding(top))
        self.halves.addWidget(self.tabs)
        self.halves.setStretchFactor(0, 1)
        self.halves.setSizes([600, _TABLE])
        self.halves.setChildrenCollapsible(False)
        self._roomy()
        return self.halves

    def _roomy(self) -> None:
        """Panels need more room than the table; those that are not seen need none."""
        for i, panel in enumerate(self._panels):
            policy = QSizePolicy.Policy.Preferred if i == self.tabs.currentIndex() else QSizePolicy.Policy.Ignored
            panel.setSizePolicy(policy, policy)
        upper, lower = self.halves.sizes()
        least = _PANEL if self.tabs.currentIndex() else _TABLE
        if lower == _PANEL or (lower < _PANEL and self.tabs.currentIndex()):
            self.halves.setSizes([upper + lower - least, least])

    def refresh(self, change: Change) -> None:
        """Fill the table; show the selected volume, or the first."""
        if not change & (Change.PROJECT | Change.VOLUMES):
            return
        project = self.desk.session.project
        volumes = list(project.volumes) if project is not None else []
        self.stack.setCurrentIndex(1 if volumes else 0)
        self.table.fill(volumes)
        if not volumes:
            self._show(None)
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
        if chosen is not None and chosen != self._entry:
            self._show(chosen)

    def _show(self, entry: VolumeEntry | None) -> None:
        project = self.desk.session.project
        self._entry = entry
        self.viewer.show_source((project, entry) if project is not None and entry is not None else None)
        self.health.show_entry(entry)
        self.corrections.show_entry(entry)

    def _correct(self, step: dict[str, Any]) -> None:
        """Take up what the health check recommends."""
        self.tabs.setCurrentWidget(self.corrections)
        self.corrections.propose(step)

    def show_slice(self, index: int) -> None:
        """Show a slice (z) of the volume."""
        _, y, x = self.viewer.place
        self.viewer.go((index, y, x))

    def keep(self) -> dict[str, Any]:
        """Mode, plane, tab, and what was set up for each volume."""
        viewer = self.viewer
        return {
            "mode": viewer.head.mode(),
            "plane": viewer.head.planes.checkedId(),
            "tab": self.tabs.currentIndex(),
            "bar": viewer.head.bar.isChecked(),
            "looks": {name: asdict(look) for name, look in viewer.looks.items()},
            "places": {name: list(place) for name, place in viewer.places.items()},
            "poses": {name: asdict(pose) for name, pose in viewer.poses.items()},
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take up what `keep` returned."""
        viewer = self.viewer
        for name, look in kept.get("looks", {}).items():
            levels = look.get("levels")
            viewer.looks[name] = Look(**{**look, "levels": tuple(levels) if levels else None})
        viewer.places |= {name: (int(p[0]), int(p[1]), int(p[2])) for name, p in kept.get("places", {}).items()}
        viewer.poses |= {name: Pose(**pose) for name, pose in kept.get("poses", {}).items()}
        if viewer.head.planes.button(int(kept.get("plane", 0))) is not None:
            viewer.head.planes.button(int(kept.get("plane", 0))).setChecked(True)
        viewer.head.choose(mode=str(kept.get("mode", "one")))
        viewer.head.bar.setChecked(bool(kept.get("bar", False)))
        self.tabs.setCurrentIndex(int(kept.get("tab", 0)))
        viewer.show_source(viewer.source)
