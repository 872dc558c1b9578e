"""Dropping on the whole window: examined in the background, answered on one card, added to the project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QLabel, QWidget

from microtome.errors import MicrotomeError
from microtome.session import Change
from microtome.ui.candidates import Dropped, look_at, understood
from microtome.ui.desk import Desk
from microtome.ui.dialogs import SimulatedDialog
from microtome.ui.drop_card import CandidateRow, DropCard
from microtome.ui.i18n import tr
from microtome.ui.projects import dated_folder, new_project, open_project
from microtome.ui.volume_properties import measure_again


class DropZone(QObject):
    """Makes a window accept files and folders; menus and the command line come the same way in."""

    def __init__(self, desk: Desk, window: QWidget) -> None:
        super().__init__(window)
        self._desk, self._window = desk, window
        self.card: DropCard | None = None
        self._new: Path | None = None
        self._veil = QLabel(tr("Drop to add"), window)
        self._veil.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._veil.setStyleSheet("background: rgba(11, 110, 143, 190); color: white; font-size: 24px;")
        self._veil.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._veil.hide()
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take drags with files; keep veil and card as large as the window."""
        kind = event.type()
        if kind in (QEvent.Type.DragEnter, QEvent.Type.DragMove) and isinstance(event, QDragEnterEvent | QDropEvent):
            if not event.mimeData().hasUrls():
                return False
            event.acceptProposedAction()
            self._veil.setText(tr("Drop to add"))
            self._veil.setGeometry(self._window.rect())
            self._veil.raise_()
            self._veil.show()
            return True
        if kind == QEvent.Type.DragLeave:
            self._veil.hide()
        elif kind == QEvent.Type.Drop and isinstance(event, QDropEvent):
            self._veil.hide()
            paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
            if paths:
                event.acceptProposedAction()
                self.take(paths)
            return True
        elif kind == QEvent.Type.Resize and self.card is not None:
            self.card.resize_to_host()
        return False

    def take(self, paths: list[Path]) -> None:
        """Look at paths as if they had been dropped: a project opens, the rest is shown on the card."""
        if self.card is not None:
            self.card.close()
        session = self._desk.session
        self._new = dated_folder() if session.project is None else None
        if session.project is None:
            where = tr("No project is open: one will be made at {path}. Your data stay where they are.", path=self._new)
        else:
            where = tr("Into {name}. The data stay where they are.", name=session.project.name)
        classes = session.classes() if session.project is not None else []
        card = self.card = DropCard(self._desk, self._window, where, classes)
        card.accepted.connect(self._add)
        card.gone.connect(self._forget)
        card.show()
        card.raise_()
        card.cancel.setFocus()
        self._desk.tasks.request(card, "examine", lambda: look_at(paths), self._looked, failed=self._failed)

    def stay_on_top(self) -> None:
        """Lift the card over parts of the window that were built after it."""
        if self.card is not None:
            self.card.raise_()

    def _forget(self, card: DropCard) -> None:
        if self.card is card:
            self.card = None

    def _failed(self, error: MicrotomeError) -> None:
        self._close()
        self._desk.report(error)

    def _close(self) -> None:
        card, self.card = self.card, None
        if card is not None:
            card.close()

    def _looked(self, found: Dropped) -> None:
        if found.projects and not found.candidates:
            self._close()
            open_project(self._desk, found.projects[0])
        elif self.card is not None:
            found.problems += [
                (p.name, tr("A project cannot be added to another; drop it alone to open it.")) for p in found.projects
            ]
            self.card.show_dropped(found)

    def _add(self, rows: list[CandidateRow]) -> None:
        """Add what was ticked; what fails is said, the rest is there."""
        if self._desk.session.project is None and not new_project(self._desk, self._new or dated_folder()):
            return
        session = self._desk.session
        before = {v.id for v in session.need_project().volumes}
        wanted: list[str] = []  # fast copies
        told: list[str] = []  # whose voxel size was entered
        for made in rows:
            try:
                description = understood(made.candidate, made.way.value() if made.candidate.ways else "")
                answer = made.answer()
                description = replace(description, voxel_size=answer.voxel_size, unit=answer.unit)
                session.add_volume(description, made.class_box.currentText().strip(), name=made.candidate.name)
                newest = session.need_project().volumes[-1]
                if made.copy.isChecked() and newest.id not in before:
                    wanted.append(newest.id)
                if (answer.voxel_size, answer.unit) != (made.candidate.description.voxel_size, made.candidate.description.unit):
                    told.append(newest.id)
            except MicrotomeError as error:
                self._desk.report(error)
        added = [v.id for v in session.need_project().volumes if v.id not in before]
        self._close()
        self._desk.announce(Change.VOLUMES)
        for entry_id in wanted:
            self._desk.imports.start(entry_id)
        for entry_id in told:
            measure_again(self._desk, entry_id)
        if added:
            self._desk.open_page("volumes")
            self._desk.select(f"volume:{added[0]}")
        elif rows:
            self._desk.say(tr("All of this is in the project already."))

    def ask_files(self) -> None:
        """Choose files in a dialog."""
        names, _ = QFileDialog.getOpenFileNames(self._window, tr("Add files"))
        if names:
            self.take([Path(n) for n in names])

    def ask_folder(self) -> None:
        """Choose a folder in a dialog."""
        name = QFileDialog.getExistingDirectory(self._window, tr("Add a folder of slices, volumes or classes"))
        if name:
            self.take([Path(name)])

    def ask_simulated(self) -> None:
        """Choose a structure to simulate."""
        SimulatedDialog(self._desk, self._window).open()
