"""The dialog that says where trials work, on this computer or on a cluster, and tries the connection."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QProcess, QProcessEnvironment
from PySide6.QtWidgets import QCheckBox, QDialog, QFileDialog, QFormLayout, QLineEdit, QWidget

from microtome import settings
from microtome.errors import MicrotomeError
from microtome.jobs.cluster import Scheduler
from microtome.session import Change, environment, program
from microtome.session.launch import CLUSTER
from microtome.ui.children import event_of
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.widgets import Choice, button, column, holding, label, row

if TYPE_CHECKING:
    from microtome.ui.window import MainWindow

_END_MS = 2000


class WhereDialog(QDialog):
    """Keeps the place of all runs that are started or continued from now on, when it is accepted."""

    def __init__(self, desk: Desk, parent: QWidget) -> None:
        super().__init__(parent)
        self.desk = desk
        self.setWindowTitle(tr("Where trials work"))
        self.setMinimumWidth(520)
        known = Scheduler.from_json(settings.load().get(CLUSTER))
        self.place = Choice([("here", tr("This computer")), ("cluster", tr("A cluster"))])
        self.place.setCurrentIndex(0 if known is None else 1)
        self.place.activated.connect(lambda _: self._show())
        shown = known or Scheduler("")
        self.address = QLineEdit(shown.address)
        self.address.setPlaceholderText("tls://host:8786")
        self.files = {name: QLineEdit(getattr(shown, name)) for name in ("ca", "cert", "key")}
        self.send_files = QCheckBox(tr("Send files even where workers see this computer's"))
        self.send_files.setChecked(shown.send_files)
        self.said = label("", "muted", wrap=True, selectable=True)
        self.problem = label("", "problem", wrap=True)
        self.attempt = button(tr("Try the connection"), self._try)
        self.attempt.setAutoDefault(False)
        self._process: QProcess | None = None
        form = QFormLayout()
        form.addRow(tr("Scheduler"), self.address)
        words = (tr("Authority (PEM)"), tr("Certificate (PEM)"), tr("Key (PEM)"))
        for word, edit in zip(words, self.files.values(), strict=True):
            choose = button("…", partial(self._choose, edit))
            choose.setAutoDefault(False)  # the return key is for “Keep”
            form.addRow(word, holding(row(edit, choose)))
        form.addRow("", self.send_files)
        form.addRow("", holding(row(self.attempt, None)))
        form.addRow("", self.said)
        self.cluster = holding(form)
        foot = row(None, button(tr("Cancel"), self.reject), button(tr("Keep"), self._accept, kind="primary"))
        self.setLayout(column(self.place, self.cluster, self.problem, foot, margin=2 * GRID))
        self.finished.connect(lambda _: self._end())
        self._show()

    def scheduler(self) -> Scheduler | None:
        """What is filled in; None: this computer."""
        if self.place.value() == "here":
            return None
        files = {name: edit.text().strip() for name, edit in self.files.items()}
        return Scheduler(self.address.text().strip(), **files, send_files=self.send_files.isChecked())

    def _show(self) -> None:
        self.cluster.setVisible(self.place.value() == "cluster")
        self.problem.setText("")
        self.adjustSize()

    def _choose(self, edit: QLineEdit) -> None:
        start = str(Path(edit.text()).parent) if edit.text() else ""
        path, _ = QFileDialog.getOpenFileName(self, tr("Choose a PEM file"), start, "PEM (*.pem *.crt *.key);;* (*)")
        if path:
            edit.setText(path)

    def _checked(self) -> tuple[bool, Scheduler | None]:
        """Whether what is filled in makes sense; says so where it does not."""
        wanted = self.scheduler()
        try:
            if wanted is not None:
                wanted.check()
        except MicrotomeError as error:
            self.problem.setText(said(error))
            return False, None
        self.problem.setText("")
        return True, wanted

    def _accept(self) -> None:
        good, wanted = self._checked()
        if good:
            self.desk.perform(lambda: _keep(wanted))
            self.accept()

    # --- trying: in a process of its own, since what knows clusters takes a second to import

    def _try(self) -> None:
        good, wanted = self._checked()
        if not good or wanted is None:
            return
        self._end()
        self.attempt.setEnabled(False)
        self.said.setText(tr("Connecting …"))
        process = self._process = QProcess(self)
        surroundings = QProcessEnvironment()
        for name, value in environment().items():
            surroundings.insert(name, value)
        process.setProcessEnvironment(surroundings)
        process.finished.connect(lambda *_: self._tried())
        _, address, *files = wanted.options()
        command = [*program(), "cluster", address, *(word for word in files if word != "--send-files"), "--json"]
        process.start(command[0], command[1:])

    def _tried(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        events = [event_of(line) for line in bytes(process.readAllStandardOutput().data()).splitlines()]
        words = next((str(e["cluster"]) for e in events if "cluster" in e), "")
        mistakes = bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip().splitlines()
        self.said.setText(said(words))
        self.problem.setText("" if words else said((mistakes or [tr("The attempt ended unexpectedly.")])[-1]))
        self.attempt.setEnabled(True)
        process.deleteLater()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.waitForFinished(_END_MS)


def _keep(wanted: Scheduler | None) -> Change:
    settings.put(CLUSTER, None if wanted is None else wanted.to_json())
    return Change.NOTHING


def ask_where(window: MainWindow) -> None:
    """Ask where trials work, and keep the answer."""
    WhereDialog(window.desk, window).open()
