"""A slice of a volume before and after its corrections: which of them, under a divider or beside, slice by slice."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QSlider, QWidget

from microtome.errors import MicrotomeError
from microtome.store.project import VolumeEntry
from microtome.ui.corrected import PLANES, Compared, Comparison, compare
from microtome.ui.correction_chain import Chain
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.views.volumes.before_after import BeforeAfter
from microtome.ui.widgets import Choice, button, column, label, row

_BUSY_MS = 250


class ComparisonView(QWidget):
    """Reads in the background what `show_chain` names; nothing is read while it is not seen."""

    compared = Signal(object)  # Compared, of the chain that was shown last
    failed = Signal(object)  # MicrotomeError

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.view = BeforeAfter()
        self.index: int | None = None
        self._entry: VolumeEntry | None = None
        self._chain, self._chosen = Chain(), -1
        self._reading = self._again = False
        self._busy = QTimer(self)
        self._busy.setSingleShot(True)
        self._busy.setInterval(_BUSY_MS)
        self._busy.timeout.connect(lambda: self.view.show_busy(tr("Reading…")))
        self.what = Choice([("step", tr("this correction")), ("all", tr("all of them"))], "step")
        self.what.setAccessibleName(tr("Compare"))
        self.what.setToolTip(tr("Compare before and after one correction, or all of them"))
        self.what.activated.connect(lambda _: self.request())
        self.plane = Choice([(p, p) for p in PLANES], "xy")
        self.plane.setAccessibleName(tr("Plane"))
        self.plane.activated.connect(lambda _: self._turned())
        self.beside = button(tr("Side by side"), kind="small")
        self.beside.setCheckable(True)
        self.beside.toggled.connect(self.view.set_beside)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(tr("Slice"))
        self.slider.setMinimumWidth(60)
        self.slider.valueChanged.connect(self.go)
        self.place = label("", "muted")
        self.view.stepped.connect(lambda n: self.go((self.index or 0) + n))
        bar = row(self.what, self.plane, self.beside, self.slider, self.place, gap=GRID)
        bar.setStretch(3, 1)
        inner = column(bar, self.view, margin=GRID)
        inner.setStretch(1, 1)
        self.setLayout(inner)

    def show_chain(self, entry: VolumeEntry | None, chain: Chain, chosen: int) -> None:
        """Compare by these corrections, `chosen` of them alone; another volume begins at its middle slice."""
        if entry is None or self._entry is None or entry.id != self._entry.id:
            self.index = None
            self.view.show_pictures(None, None)
            self.view.fit()
        self._entry, self._chain, self._chosen = entry, chain, chosen
        self.request()

    def go(self, index: int) -> None:
        """Compare this slice, counted from 0."""
        if index != self.index:
            self.index = max(0, index)
            self.request()

    def show_z(self, index: int) -> None:
        """Compare slice `index` (z), unless another plane is compared."""
        if self.plane.value() == "xy":
            self.go(index)

    def _turned(self) -> None:
        self.index = None
        self.view.fit()
        self.request()

    def showEvent(self, event: QShowEvent) -> None:
        """Read what is to be seen, now that it is."""
        super().showEvent(event)
        if self.view.pictures is None:
            self.request()

    def request(self) -> None:
        """Read what is named now; while one slice is being read the next waits, so that none is skipped over."""
        project, entry = self.desk.session.project, self._entry
        if project is None or entry is None or not self.isVisible():
            return
        if self._reading:
            self._again = True
            return
        self._reading, self._again = True, False
        ready = self._chain.ready() - 1
        whole, last = self._chain.steps(ready), min(self._chosen, ready)
        before, after = ([], whole) if self.what.value() == "all" else (self._chain.steps(last - 1), self._chain.steps(last))
        asked = Comparison(project, entry, before, after, whole, self.index, self.plane.value())
        self._busy.start()
        self.desk.tasks.request(
            self, "compare", lambda: compare(asked), lambda found: self._landed(entry, found), failed=self._failed
        )

    def _landed(self, entry: VolumeEntry, found: Compared) -> None:
        again = self._rest()
        if self._entry is None or entry.id != self._entry.id:
            return
        self.view.show_pictures(found.before, found.after)
        if not again:
            self.index = found.index
            self.compared.emit(found)
        self.slider.blockSignals(True)
        self.slider.setRange(0, found.count - 1)
        self.slider.setValue(found.index)
        self.slider.blockSignals(False)
        axis = "zyx"[PLANES.index(self.plane.value())]
        self.place.setText(f"{axis} = {found.index}  (0 … {found.count - 1})")

    def _failed(self, error: MicrotomeError) -> None:
        if not self._rest():
            self.view.show_pictures(None, None)
            self.view.show_busy(said(error))
            self.failed.emit(error)

    def _rest(self) -> bool:
        """A request has ended; answers whether a newer one has begun."""
        self._reading = False
        self._busy.stop()
        again = self._again
        if again:
            self.request()
        return again
