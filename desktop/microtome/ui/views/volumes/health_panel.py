"""The health of a volume: one pass over its slices, findings with what can be done about them, and plots over z."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QProgressBar, QSplitter, QStackedWidget, QWidget

from microtome.errors import MicrotomeError
from microtome.plugin import Report
from microtome.store.project import Project, VolumeEntry
from microtome.ui.desk import Desk
from microtome.ui.health_kept import Kept, keep, kept
from microtome.ui.i18n import tr
from microtome.ui.icons import icon
from microtome.ui.numbers import between, percent
from microtome.ui.opened import opened
from microtome.ui.passes import Pass
from microtome.ui.theme import GRID, current
from microtome.ui.views.volumes.finding_row import FindingRow, severity_look
from microtome.ui.widgets import Choice, EmptyState, button, clear, column, holding, label, note, row, scrolling, set_property
from microtome.volumes.health.findings import Finding

if TYPE_CHECKING:
    from microtome.ui.views.plots import Plot
    from microtome.volumes.health.check import Health

_AT_ONCE = 2**24  # voxels; smaller volumes are looked over without being asked
#: Which profile shows a kind of finding.
_SHOWS = {
    "drift": "Position x",
    "brightness": "Mean",
    "missing": "Likeness to the next",
    "repeated": "Likeness to the next",
    "stripes": "Vertical stripes",
    "saturation": "At the highest value",
    "empty": "Deviation",
    "not a number": "Mean",
}


class HealthPanel(QWidget):
    """The page calls `show_entry`; `slice_wanted` asks it to show a slice, `remedy_wanted` carries a step to propose."""

    slice_wanted = Signal(int)
    remedy_wanted = Signal(object)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.entry: VolumeEntry | None = None
        self.found: Kept | None = None
        self.rows: list[FindingRow] = []
        self.plot: Plot | None = None
        self._regions: list[Any] = []
        self._pass = Pass(self, self._failed)
        self._pass.progressed.connect(self._show_progress)
        self._pass.ended.connect(self._show_state)
        self.look = button(tr("Look over"), self.begin, kind="primary", icon_name="search")
        self.stop = button(tr("Stop"), self._pass.stop, icon_name="stop")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.words = label("", "muted", wrap=True)
        self.list = column(gap=GRID // 2)
        self.profile = Choice([])
        self.profile.setAccessibleName(tr("Profile along z"))
        self.profile.currentIndexChanged.connect(lambda _: self._draw())
        self._right = column(row(label(tr("Profile along z"), "muted"), self.profile, None), margin=GRID)
        self.stack = QStackedWidget()
        self.stack.addWidget(EmptyState("volume", tr("Choose a volume that lies in a file: it is looked over here.")))
        self.stack.addWidget(self._halves())
        self.setLayout(column(self.stack))
        desk.leaving.connect(self._pass.stop)
        self.show_entry(None)

    def _halves(self) -> QSplitter:
        head = row(self.look, self.stop, self.words, gap=GRID)
        head.setStretch(2, 1)
        left = column(head, self.bar, scrolling(holding(column(self.list, None))), margin=GRID)
        left.setStretch(2, 1)
        self._plots = holding(self._right)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(holding(left))
        splitter.addWidget(self._plots)
        splitter.setStretchFactor(0, 1)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([520, 480])
        splitter.setChildrenCollapsible(False)
        return splitter

    def show_entry(self, entry: VolumeEntry | None) -> None:
        """Show what is known of a volume's health; a small volume is looked over once the panel is seen."""
        usable = entry is not None and entry.in_file
        before, self.entry = self.entry, entry if usable else None
        self.stack.setCurrentIndex(1 if usable else 0)
        if self.entry is not None and before is not None and _same_voxels(before, self.entry):
            return
        self._pass.stop()
        project = self.desk.session.project
        self.found = kept(project, self.entry) if project is not None and self.entry is not None else None
        self._show_found()
        self._begin_if_small()

    def showEvent(self, event: Any) -> None:
        """Look over what is small enough, now that the result is seen."""
        super().showEvent(event)
        self._begin_if_small()

    # --- looking

    def begin(self) -> None:
        """Look over the volume, as its corrections leave it, in the background."""
        project, entry = self.desk.session.project, self.entry
        if project is None or entry is None:
            return
        self._pass.start(partial(_look, project, entry), self._looked)
        self._show_state()

    def _begin_if_small(self) -> None:
        shape = self.entry.shown_shape if self.entry is not None else None
        small = shape is not None and shape[0] * shape[1] * shape[2] <= _AT_ONCE
        if self.isVisible() and small and self.found is None and not self._pass.running:
            self.begin()

    def _looked(self, found: Kept) -> None:
        self.found = found
        self._show_found()

    def _failed(self, error: MicrotomeError) -> None:
        self.found = None
        clear(self.list)
        self.list.addWidget(note(str(error), "bad"))

    def _show_progress(self, share: float, left: tuple[float, float] | None) -> None:
        self.bar.setValue(round(1000 * share))
        words = tr("Looking… {share}", share=percent(share, 0))
        self.words.setText(words if left is None else f"{words} · {tr('{time} left', time=between(*left))}")

    def _show_state(self) -> None:
        running = self._pass.running
        self.look.setVisible(not running)
        self.look.setText(tr("Look over again") if self.found is not None else tr("Look over"))
        set_property(self.look, "kind", "" if self.found is not None else "primary")
        self.look.setIcon(icon("search", "" if self.found is not None else current().accent_text))
        self.stop.setVisible(running)
        self.bar.setVisible(running)
        if not running:
            self.words.setText("")
            if self.found is not None:
                when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.found.made))
                self.words.setText(tr("Looked over {when}.", when=when))

    # --- what was found

    def _show_found(self) -> None:
        clear(self.list)
        self.rows = []
        health = self.found.health if self.found is not None else None
        if health is None:
            words = tr(
                "Every slice is read once: drift, jumps in brightness, missing and repeated slices, stripes, clipped values "
                "and empty regions are found."
            )
            self.list.addWidget(label(words, "muted", wrap=True))
        elif not [f for f in health.findings if f.kind != "reader"]:
            words = tr("Nothing is wrong: no drift, jumps, missing or repeated slices, stripes or clipped values were found.")
            self.list.addWidget(note(words, "good"))
        for finding in health.findings if health is not None else ():
            made = FindingRow(finding)
            made.chosen.connect(partial(self._choose, finding))
            made.slice_wanted.connect(self.slice_wanted)
            made.remedy_wanted.connect(self.remedy_wanted)
            self.rows.append(made)
            self.list.addWidget(made)
        self._plots.setVisible(health is not None)
        if health is not None:
            self._fill_profiles(health)
        self._show_state()

    def _fill_profiles(self, health: Health) -> None:
        before = self.profile.value() if self.profile.count() else ""
        self.profile.blockSignals(True)
        self.profile.clear()
        for made in health.profiles:
            self.profile.addItem(tr(made.name), made.name)
        worst = next((f for f in health.findings if f.kind in _SHOWS), None)
        self.profile.choose(before or (_SHOWS[worst.kind] if worst is not None else "Mean"))
        self.profile.blockSignals(False)
        self._draw()

    def _choose(self, finding: Finding) -> None:
        if finding.kind in _SHOWS:
            self.profile.choose(_SHOWS[finding.kind])
        if finding.slices:
            self.slice_wanted.emit(finding.slices[0][0])

    # --- the plot

    def _draw(self) -> None:
        """The chosen profile, and the ranges of every finding that is more than a note."""
        if self.found is None or not self.profile.count():
            return
        plot = self._made_plot()
        chosen = next((p for p in self.found.health.profiles if p.name == self.profile.value()), None)
        if chosen is None:
            return
        values = np.array(chosen.values, dtype=np.float64)
        plot.getPlotItem().getAxis("left").setLabel(tr(chosen.unit) if chosen.unit else "")
        plot.line("profile", current().accent).setData(np.arange(len(values), dtype=np.float64), values)
        self._mark(plot, self.found.health)
        plot.show_all()

    def _made_plot(self) -> Plot:
        if self.plot is None:
            # Imported here: pyqtgraph takes a second that the window must not wait for.
            from microtome.ui.views.plots import Plot

            self.plot = Plot(tr("slice"), "", whole_x=True)
            self.plot.picked.connect(lambda x, _y: self.slice_wanted.emit(max(0, round(x))))
            self._right.addWidget(self.plot, 1)
        return self.plot

    def _mark(self, plot: Plot, health: Health) -> None:
        import pyqtgraph as pg

        from microtome.ui.views.plots import faded

        for region in self._regions:
            plot.removeItem(region)
        self._regions = []
        for finding in health.findings:
            _, colour, _ = severity_look(finding.severity)
            for first, last in finding.slices if finding.severity != "note" else ():
                brush, pen = pg.mkBrush(faded(colour, 50)), pg.mkPen(faded(colour, 90))
                made = pg.LinearRegionItem((first - 0.5, last + 0.5), movable=False, brush=brush, pen=pen)
                made.setZValue(-10)
                plot.addItem(made, ignoreBounds=True)
                self._regions.append(made)


def _look(project: Project, entry: VolumeEntry, report: Report) -> Kept:
    """Look over a volume and keep what was found (in a background thread)."""
    # Imported here: it brings scipy, which the window must not wait for at its start.
    from microtome.volumes.health.check import look_over

    return keep(project, entry, look_over(opened(project, entry), report))


def _same_voxels(one: VolumeEntry, other: VolumeEntry) -> bool:
    """Whether two states of an entry are looked over with the same result."""

    def what(entry: VolumeEntry) -> tuple[Any, ...]:
        options = {k: v for k, v in entry.options.items() if k != "copy"}
        return (entry.id, entry.path, options, entry.voxel_size, entry.unit)

    return what(one) == what(other)
