"""Imports: child processes that write fast copies of volumes into the project's cache, stopped and gone on with at will."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal

from microtome.errors import MicrotomeError
from microtome.session import Change, environment, program
from microtome.store.project import Project, VolumeEntry
from microtome.ui.children import event_of
from microtome.ui.eta import Eta
from microtome.ui.i18n import tr
from microtome.ui.numbers import size_of
from microtome.volumes.bricks import read_journal

if TYPE_CHECKING:
    from microtome.ui.desk import Desk

_KEPT = "imports"  # of the window's state: volumes whose import is wanted
_LEVELS = 8 / 7  # a copy holds coarser levels too, each an eighth of the one before
_SPARE = 200 * 2**20  # bytes that stay free on the disk
_END_MS = 3000


@dataclass
class Import:
    """One volume's import. state: waiting | running | stopped | failed."""

    entry_id: str
    name: str
    state: str = "waiting"
    share: float = 0.0
    problem: str = ""
    eta: Eta = field(default_factory=Eta)

    @property
    def active(self) -> bool:
        """Whether it runs or will."""
        return self.state in ("waiting", "running")


def copy_bytes(memory: int) -> int:
    """What the copy of a volume of that many bytes takes on the disk, with its coarser levels."""
    return int(memory * _LEVELS)


def room_problem(project: Project, entry: VolumeEntry) -> str:
    """Why a copy would not fit on the project's disk; "" where it fits or nothing is known of its size."""
    wanted = copy_bytes(memory_of(entry))
    free = shutil.disk_usage(project.path).free
    if wanted + _SPARE <= free:
        return ""
    return tr("A fast copy needs {size}; {free} are free on the project's disk.", size=size_of(wanted), free=size_of(free))


def memory_of(entry: VolumeEntry) -> int:
    """The bytes of a volume's voxels; 0 where its shape is not known."""
    import numpy as np

    if entry.shape is None or not entry.dtype:
        return 0
    z, y, x = entry.shape
    return z * y * x * np.dtype(entry.dtype).itemsize


class Imports(QObject):
    """The window's imports. What was wanted and is not done is remembered with the project, and offered at its next opening."""

    changed = Signal(str)  # volume id

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.desk = desk
        self.all: dict[str, Import] = {}
        self._process: QProcess | None = None
        self._running = ""
        self._rest = b""
        self._said = ""
        desk.changed.connect(self._project_changed)
        desk.leaving.connect(self._leave)

    def of(self, entry_id: str) -> Import | None:
        """The import of a volume, where one is under way, stopped or failed."""
        return self.all.get(entry_id)

    def start(self, entry_id: str) -> None:
        """Import a volume, or go on with it; says so where its disk is too full."""
        project, entry = self.desk.session.need_project(), self.desk.session.volume(entry_id)
        problem = room_problem(project, entry)
        if problem:
            self.desk.say(problem, hint=tr("Free some space, or work with the source as it is."), level="error")
            return
        self.all[entry_id] = Import(entry_id, entry.name)
        self._remember()
        self.changed.emit(entry_id)
        self._next()

    def stop(self, entry_id: str) -> None:
        """Stop an import; what is done is kept, so that it can go on."""
        found = self.all.get(entry_id)
        if found is None:
            return
        found.state = "stopped"
        if entry_id == self._running:
            self._end_process()
        self.changed.emit(entry_id)
        self._next()

    def forget(self, entry_id: str) -> None:
        """Do without the copy: stop, and delete what was made of it."""
        self.stop(entry_id)
        self.all.pop(entry_id, None)
        self._remember()
        project = self.desk.session.project
        entry = next((v for v in project.volumes if v.id == entry_id), None) if project is not None else None
        if project is not None and entry is not None:
            folder = project.copy_folder(entry)
            if "copy" in entry.options:
                self.desk.perform(lambda: self.desk.session.use_copy(entry_id, None))
            # The folder is cache: what cannot be deleted now does no harm.
            shutil.rmtree(folder, ignore_errors=True)
        self.changed.emit(entry_id)

    # --- the process

    def _next(self) -> None:
        """Begin with the import that waits the longest; one at a time, since the disk is what they wait for."""
        found = next((i for i in self.all.values() if i.state == "waiting"), None)
        project = self.desk.session.project
        if self._process is not None or found is None or project is None:
            return
        try:
            entry = self.desk.session.volume(found.entry_id)
        except MicrotomeError:
            self.all.pop(found.entry_id)
            self._next()
            return
        found.state, found.eta, self._running, self._rest, self._said = "running", Eta(), entry.id, b"", ""
        command = [*program(), "import", str(project.resolve(entry)), "--out", str(project.copy_folder(entry)), "--json"]
        command += [part for pair in _settings(entry) for part in ("--set", pair)]
        process = self._process = QProcess(self)
        process.setProcessEnvironment(_environment())
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._not_started)
        process.start(command[0], command[1:])
        self.changed.emit(entry.id)

    def _read(self) -> None:
        if self._process is None:
            return
        *lines, self._rest = (self._rest + bytes(self._process.readAllStandardOutput().data())).split(b"\n")
        found = self.all.get(self._running)
        for line in lines:
            event = event_of(line)
            if found is not None and event.get("event") == "progress" and event.get("total"):
                found.share = min(1.0, float(event["done"]) / float(event["total"]))
                found.eta.update(time.monotonic(), found.share)
                self.changed.emit(self._running)
            elif event.get("event") == "finished":
                self._said = "finished"

    def _finished(self, code: int, _status: QProcess.ExitStatus) -> None:
        process, entry_id = self._process, self._running
        if process is None:
            return
        self._read()
        words = bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip()
        self._process, self._running = None, ""
        process.deleteLater()
        found = self.all.get(entry_id)
        if found is not None and found.state == "running":
            if code == 0 and self._said == "finished":
                self._done(entry_id)
            else:
                found.state = "failed"
                found.problem = words.splitlines()[-1] if words else tr("The import ended unexpectedly (code {n}).", n=code)
                self.desk.say(tr("{name} could not be imported.", name=found.name), hint=found.problem, level="error")
        self.changed.emit(entry_id)
        self._next()

    def _not_started(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._finished(127, QProcess.ExitStatus.CrashExit)

    def _done(self, entry_id: str) -> None:
        found = self.all.pop(entry_id)
        self._remember()
        session = self.desk.session
        try:
            folder = session.need_project().copy_folder(session.volume(entry_id))
        except MicrotomeError:
            return  # the volume was removed meanwhile
        if self.desk.perform(lambda: session.use_copy(entry_id, folder)) is not None:
            self.desk.say(tr("{name} was imported: it is read from its fast copy now.", name=found.name), level="good")

    def _end_process(self) -> None:
        process, self._process, self._running = self._process, None, ""
        if process is not None:
            process.blockSignals(True)
            process.kill()  # safe at any moment: the copy is written slab by slab
            process.waitForFinished(_END_MS)
            process.deleteLater()

    # --- the project

    def _remember(self) -> None:
        project = self.desk.session.project
        if project is not None and self.desk.session.remembered(_KEPT, []) != list(self.all):
            self.desk.session.remember(_KEPT, list(self.all))

    def _leave(self) -> None:
        self._end_process()
        self.all = {}

    def _project_changed(self, change: Change) -> None:
        if not change & (Change.PROJECT | Change.VOLUMES):
            return
        project = self.desk.session.project
        entries = {v.id: v for v in project.volumes} if project is not None else {}
        if change & Change.PROJECT:
            self._end_process()
            wanted = self.desk.session.remembered(_KEPT, []) if project is not None else []
            self.all = {i: Import(i, entries[i].name, "stopped", _share(project, entries[i])) for i in wanted if i in entries}
        for gone in [i for i in self.all if i not in entries]:
            self.stop(gone)
            self.all.pop(gone, None)
            self.changed.emit(gone)


def _share(project: Project | None, entry: VolumeEntry) -> float:
    """How much of a volume's copy was done when its import was stopped."""
    kept = read_journal(project.copy_folder(entry)) if project is not None else None
    if kept is None or not isinstance(kept.get("done"), int) or not kept.get("planes"):
        return 0.0
    return min(1.0, float(kept["done"]) / float(kept["planes"]))


def _settings(entry: VolumeEntry) -> Iterator[str]:
    """The reader's options as the command line takes them; corrections are made on what is read from the copy."""
    for name, value in entry.options.items():
        if name not in ("transforms", "copy"):
            yield f"{name}={_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(_text(v) for v in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _environment() -> QProcessEnvironment:
    made = QProcessEnvironment()
    for name, value in environment().items():
        made.insert(name, value)
    return made
