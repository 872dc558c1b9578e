"""Cut now: a child process that cuts the image set of the working recipe into the project, watched and stopped at will."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal

from microtome.session import Change, environment, program
from microtome.store.atomic import write_text
from microtome.ui.children import event_of
from microtome.ui.eta import Eta
from microtome.ui.i18n import tr
from microtome.ui.numbers import size_of, span, with_commas

if TYPE_CHECKING:
    from microtome.ui.desk import Desk

_SPARE = 200 * 2**20  # bytes that stay free on the disk
_END_MS = 3000


@dataclass
class Cut:
    """One cutting. state: running | failed; what ends well or is stopped is no longer there."""

    folder: Path  # of the project's image sets
    state: str = "running"
    phase: str = ""
    done: float = 0.0
    total: float = 0.0
    problem: str = ""
    begun: float = field(default_factory=time.monotonic)
    eta: Eta = field(default_factory=Eta)

    @property
    def share(self) -> float:
        """The part of the present phase that is done."""
        return min(1.0, self.done / self.total) if self.total else 0.0


class Cutting(QObject):
    """The cutting of a window: one at a time. It ends with the project, and what it did not finish is removed."""

    changed = Signal(str)  # always "": the jobs strip tells its jobs by name
    cut = Signal(str)  # the hash of an image set that is now there

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.desk = desk
        self.now: Cut | None = None
        self._process: QProcess | None = None
        self._recipe: Path | None = None
        self._rest = b""
        self._said: dict[str, Any] = {}
        desk.changed.connect(lambda change: self.stop() if change & Change.PROJECT else None)
        desk.leaving.connect(self.stop)

    @property
    def running(self) -> bool:
        """Whether slices are being cut."""
        return self.now is not None and self.now.state == "running"

    def start(self, wanted: int) -> None:
        """Cut the image set of the working recipe, `wanted` bytes large; says so where the disk is too full.

        Raises what a recipe that cannot be cut raises.
        """
        from microtome.search.recipe import dumps

        if self.running:
            return
        project = self.desk.session.need_project()
        recipe = dumps(self.desk.session.recipe())
        free = shutil.disk_usage(project.path).free
        if wanted + _SPARE > free:
            words = tr("This image set needs {size}; {free} are free.", size=size_of(wanted), free=size_of(free))
            self.desk.say(words, hint=tr("Free some space, or cut fewer or smaller images."), level="error")
            return
        self._recipe = project.cache / f"cut-{time.time_ns()}.toml"
        write_text(self._recipe, recipe)
        self.now, self._rest, self._said = Cut(project.imagesets), b"", {}
        command = [*program(), "slices", str(self._recipe), "--out", str(project.imagesets), "--json"]
        process = self._process = QProcess(self)
        made = QProcessEnvironment()
        for name, value in environment().items():
            made.insert(name, value)
        process.setProcessEnvironment(made)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._not_started)
        process.start(command[0], command[1:])
        self.changed.emit("")

    def stop(self) -> None:
        """End the cutting, or put a failure away; nothing of an unfinished set is kept."""
        process, self._process = self._process, None
        if process is not None:
            pid = process.processId()
            process.blockSignals(True)
            process.kill()  # safe at any moment: a set appears whole, or not at all
            process.waitForFinished(_END_MS)
            process.deleteLater()
            if self.now is not None:
                for part in self.now.folder.glob(f"*.{pid}.part"):
                    shutil.rmtree(part, ignore_errors=True)
        self._put_away()
        if self.now is not None:
            self.now = None
            self.changed.emit("")

    def _put_away(self) -> None:
        if self._recipe is not None:
            self._recipe.unlink(missing_ok=True)
            self._recipe = None

    def _read(self) -> None:
        if self._process is None or self.now is None:
            return
        *lines, self._rest = (self._rest + bytes(self._process.readAllStandardOutput().data())).split(b"\n")
        for line in lines:
            event = event_of(line)
            if event.get("event") == "phase":
                self._show(event)
            elif event.get("event") == "finished":
                self._said = event
        self.changed.emit("")

    def _show(self, event: dict[str, Any]) -> None:
        now = self.now
        assert now is not None
        if event.get("name") != now.phase:
            now.phase, now.eta = str(event.get("name", "")), Eta()
        now.done, now.total = float(event.get("done", 0)), float(event.get("total", 0))
        now.eta.update(time.monotonic(), now.share)

    def _finished(self, code: int, _status: QProcess.ExitStatus) -> None:
        process, now = self._process, self.now
        if process is None or now is None:
            return
        self._read()
        words = bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip()
        self._process = None
        process.deleteLater()
        self._put_away()
        if code == 0 and self._said:
            self._done(time.monotonic() - now.begun)
        else:
            now.state = "failed"
            now.problem = words.splitlines()[-1] if words else tr("The cutting ended unexpectedly (code {n}).", n=code)
            self.desk.say(tr("The slices could not be cut."), hint=now.problem, level="error")
        self.changed.emit("")

    def _done(self, seconds: float) -> None:
        self.now = None
        images = int(self._said.get("images", 0))
        self.desk.say(tr("{n} slices are cut, after {time}.", n=with_commas(images), time=span(seconds)), level="good")
        self.desk.announce(Change.RUNS)
        self.cut.emit(str(self._said.get("hash", "")))

    def _not_started(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._finished(127, QProcess.ExitStatus.CrashExit)
