"""The pictures of a viewer, read in the background: coarse first where that takes long, then fine, the latest wish only."""

from __future__ import annotations

import time
from dataclasses import replace

from PySide6.QtCore import QObject, QTimer, Signal

from microtome.errors import MicrotomeError
from microtome.store.project import Project, VolumeEntry
from microtome.ui.desk import Desk
from microtome.ui.latest import Latest
from microtome.ui.viewing import (
    PLANES,
    ObliqueRead,
    ObliqueRequest,
    SliceRead,
    SliceRequest,
    Statistics,
    read_oblique,
    read_slice,
    read_statistics,
)

OBLIQUE = "oblique"
_BUSY_MS = 250
_SETTLE_MS = 180  # without a new wish, after which a coarse oblique slice is made fine
_QUICK = 0.05  # seconds: an oblique slice that comes this fast is never coarse


class Feeds(QObject):
    """Reads slices of one volume. Everything that lands belongs to the volume that was shown last."""

    landed = Signal(str, object)  # plane, SliceRead
    cut = Signal(object)  # ObliqueRead
    measured = Signal(object)  # Statistics
    failed = Signal(str, object)  # plane or "oblique", MicrotomeError
    waiting = Signal(str)  # plane or "oblique" whose picture takes long

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self._seconds, self._began = 1.0, 0.0
        self.source: tuple[Project, VolumeEntry] | None = None
        self._planes: dict[str, Latest[SliceRequest, SliceRead]] = {
            plane: Latest(desk, self, read_slice, self._land, lambda request, error: self._fail(request.plane, error))
            for plane in PLANES
        }
        self._oblique: Latest[ObliqueRequest, ObliqueRead] = Latest(
            desk, self, read_oblique, self._land_oblique, lambda _, error: self._fail(OBLIQUE, error)
        )
        self._last: ObliqueRequest | None = None
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._refine)
        self._timers = {name: self._timer(name) for name in (*PLANES, OBLIQUE)}

    def _timer(self, name: str) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(_BUSY_MS)
        timer.timeout.connect(lambda: self.waiting.emit(name))
        return timer

    def show(self, source: tuple[Project, VolumeEntry] | None) -> None:
        """Read another volume from now on."""
        for latest in self._planes.values():
            latest.forget()
        self._oblique.forget()
        for timer in self._timers.values():
            timer.stop()
        self._settle.stop()
        self._desk.tasks.cancel(self, "statistics")
        self.source, self._seconds = source, 1.0

    def want(self, request: SliceRequest) -> None:
        """Ask for a slice."""
        self._start(request.plane)
        self._planes[request.plane].want(request)

    def want_oblique(self, request: ObliqueRequest) -> None:
        """Ask for an oblique slice; a coarse one is made fine where that is quick."""
        self._start(OBLIQUE)
        self._settle.stop()
        self._last = request
        if not self._oblique.busy:
            self._began = time.perf_counter()
        self._oblique.want(replace(request, coarse=request.coarse and self._seconds > _QUICK))

    def want_statistics(self) -> None:
        """Ask for the grey values at large."""
        if self.source is None:
            return
        project, entry = self.source
        self._desk.tasks.request(
            self, "statistics", lambda: read_statistics(project, entry), self._measure, failed=lambda _: None
        )

    def _start(self, name: str) -> None:
        if not self._timers[name].isActive():
            self._timers[name].start()

    def _measure(self, statistics: Statistics) -> None:
        self.measured.emit(statistics)

    def _land(self, request: SliceRequest, read: SliceRead) -> None:
        plane = self._planes[request.plane]
        if not plane.busy:
            self._timers[request.plane].stop()
        self.landed.emit(request.plane, read)
        if read.coarse and not plane.busy and not request.fine:
            plane.want(replace(request, fine=True, have=None))

    def _land_oblique(self, request: ObliqueRequest, read: ObliqueRead) -> None:
        now = time.perf_counter()
        if not request.coarse:
            self._seconds = now - self._began
        self._began = now
        if not self._oblique.busy:
            self._timers[OBLIQUE].stop()
        self.cut.emit(read)
        if request.coarse and not self._oblique.busy:
            self._settle.start()

    def _refine(self) -> None:
        if self._last is not None:
            self.want_oblique(replace(self._last, coarse=False))

    def _fail(self, name: str, error: MicrotomeError) -> None:
        self._timers[name].stop()
        self.failed.emit(name, error)
