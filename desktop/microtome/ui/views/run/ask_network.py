"""Ask the network of a run about an image or a volume, also while it trains: classes with probabilities, or a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QFrame, QMenu

from microtome.errors import MicrotomeError
from microtome.results.words import percent, with_unit
from microtome.store.project import Project, VolumeEntry
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID
from microtome.ui.tree import dragged
from microtome.ui.views.interval_bars import Bar, IntervalBars
from microtome.ui.views.run.told_answer import TOLD_COLUMNS, told_bars, told_rows, told_words
from microtome.ui.views.saving import Savers
from microtome.ui.widgets import button, clear, column, label, note, row
from microtome.ui.worker_child import WorkerChild

_MODEL = "model.safetensors"
_SLICES = 50
_TOP = 5
_IDLE_MS = 120_000
_LISTED = 30  # volumes in the menu


@dataclass(frozen=True)
class Subject:
    """What is asked about: a file, or a volume of the project."""

    name: str
    path: Path | None = None
    entry: VolumeEntry | None = None

    def spec(self, project: Project | None) -> dict[str, Any]:
        """Its part of the worker's question (in a background thread)."""
        from dataclasses import asdict

        from microtome.slices.plan import SimulatedSource
        from microtome.ui.opened import member

        if self.entry is None or project is None:
            return {"path": str(self.path)}
        source = member(project, self.entry).source
        return {"simulated" if isinstance(source, SimulatedSource) else "volume": asdict(source)}


@lru_cache(maxsize=1)
def child() -> WorkerChild:
    """The worker that answers, one for all pages."""
    return WorkerChild(
        "microtome.results.asking:ask_in_worker",
        "asking",
        patience=180.0,
        failing="The network could not be asked.",
        late=("The network did not answer in time.", "Ask again when less is running."),
    )


class AskNetwork(QFrame):
    """A card that takes a dropped image or volume; `answers` holds what was said so far, the newest last."""

    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__()
        self.desk, self.name = desk, name
        self.subject: Subject | None = None
        self.answers: list[dict[str, Any]] = []
        self._folder: Path | None = None
        self.setProperty("role", "card")
        self.setAcceptDrops(True)
        self.what = label("", "muted", wrap=True)
        self.choose = button(tr("Choose a file…"), self._choose, kind="small", icon_name="open")
        self.volumes = button(tr("A volume of the project"), kind="small", icon_name="volume")
        self.volumes.setMenu(QMenu(self.volumes))
        self.volumes.menu().aboutToShow.connect(self._fill)
        self.again = button(tr("Ask again"), self.ask, kind="small", icon_name="refresh")
        self.again.hide()
        self.bars = IntervalBars(tr("Probabilities of the classes"))
        self.scale = IntervalBars(tr("The number that is told"), from_zero=False)
        for made in (self.bars, self.scale):
            made.hide()
        self.said = column(gap=GRID // 2)
        head = row(label(tr("Ask the network"), "heading"), None, self.again, self.choose, self.volumes, gap=GRID)
        answer = row(column(self.bars, self.scale, None), self.said, gap=2 * GRID)
        answer.setStretch(0, 1)
        answer.setStretch(1, 1)
        self.setLayout(column(head, self.what, answer, margin=GRID + 4, gap=GRID))
        self.savers = Savers(desk, self, self._table, f"{name}-asked")
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(_IDLE_MS)
        self._idle.timeout.connect(child().close)
        desk.leaving.connect(child().close)
        self._say_what()

    def follow(self, folder: Path) -> None:
        """The folder of the trial whose network is asked."""
        self._folder = folder

    def about(self, subject: Subject) -> None:
        """Ask about something else."""
        self.subject, self.answers = subject, []
        self._show()
        self.ask()

    def ask(self) -> None:
        """Ask the network of now."""
        subject, folder, project = self.subject, self._folder, self.desk.session.project
        if subject is None or folder is None:
            return
        self.again.setEnabled(False)
        self._say_what(tr("Asking about {name}…", name=subject.name))

        def work() -> dict[str, Any]:
            question = {"model": str(folder / _MODEL), "name": subject.name, "slices": _SLICES, **subject.spec(project)}
            return child().ask(question)

        self.desk.tasks.request(self, "ask", work, self._landed, failed=self._failed)

    def _landed(self, answer: dict[str, Any]) -> None:
        self.answers.append(answer)
        self._idle.start()
        self._show()

    def _failed(self, error: MicrotomeError) -> None:
        self._show()
        self.said.addWidget(note(f"{error.message} {error.hint}".strip(), "bad"))

    def _say_what(self, words: str = "") -> None:
        asked = tr("{name}, by {n} slices at most.", name=self.subject.name, n=_SLICES) if self.subject is not None else ""
        self.what.setText(words or asked or tr("Drop an image or a volume here. The best network so far says what it is."))

    def _show(self) -> None:
        self._say_what()
        self.again.setVisible(self.subject is not None)
        self.again.setEnabled(True)
        clear(self.said)
        told = bool(self.answers) and "value" in self.answers[-1]
        self.bars.setVisible(bool(self.answers) and not told)
        self.scale.setVisible(told)
        if not self.answers:
            return
        last = self.answers[-1]
        if "value" in last:
            self._show_told(last)
            return
        ranked = sorted(last["probabilities"].items(), key=lambda pair: -pair[1])[:_TOP]
        self.bars.show_bars([Bar(n, p, p, p, percent(p), strong=i == 0) for i, (n, p) in enumerate(ranked)])
        votes = last["votes"][last["class"]]
        low, high = last["interval"]
        words = (
            tr(
                "{name}, asked of epoch {epoch}: {votes} of {n} slices say so (95 % interval {low} – {high}).",
                name=last["class"],
                epoch=last["epoch"] + 1,
                votes=votes,
                n=last["slices"],
                low=percent(low),
                high=percent(high),
            )
            if last["slices"] > 1
            else tr("{name}, asked of epoch {epoch}.", name=last["class"], epoch=last["epoch"] + 1)
        )
        self.said.addWidget(label(words, wrap=True, selectable=True))
        by_epoch = list({a["epoch"]: a for a in self.answers}.values())[-_TOP:]
        if len(by_epoch) > 1:
            line = " → ".join(
                f"{tr('epoch {n}', n=a['epoch'] + 1)}: {a['class']} {percent(a['probabilities'][a['class']])}" for a in by_epoch
            )
            self.said.addWidget(label(line, "muted", wrap=True, selectable=True))
        self._warn(last)

    def _show_told(self, last: dict[str, Any]) -> None:
        """A number, how far it may be wrong, and from which numbers the network learned."""
        self.scale.show_bars(told_bars(last))
        for i, words in enumerate(told_words(last)):
            self.said.addWidget(label(words, "" if i == 0 else "muted", wrap=True, selectable=True))
        by_epoch = list({a["epoch"]: a for a in self.answers}.values())[-_TOP:]
        if len(by_epoch) > 1:
            line = " → ".join(f"{tr('epoch {n}', n=a['epoch'] + 1)}: {with_unit(a['value'], a['unit'])}" for a in by_epoch)
            self.said.addWidget(label(line, "muted", wrap=True, selectable=True))
        self._warn(last)

    def _warn(self, last: dict[str, Any]) -> None:
        for warning in last["warnings"]:
            self.said.addWidget(note(warning, "warn"))
        self.said.addStretch(1)

    def _choose(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, tr("An image or a volume"))
        if chosen:
            self.about(Subject(Path(chosen).name, path=Path(chosen)))

    def _fill(self) -> None:
        menu, project = self.volumes.menu(), self.desk.session.project
        menu.clear()
        for entry in [] if project is None else project.volumes[:_LISTED]:
            menu.addAction(entry.name).triggered.connect(lambda _=False, e=entry: self.about(Subject(e.name, entry=e)))

    def _dropped(self, event: QDropEvent) -> Subject | None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if len(paths) == 1:
            return Subject(paths[0].name, path=paths[0])
        kind, _, name = dragged(event.mimeData()).partition(":")
        project = self.desk.session.project
        if kind != "volume" or project is None:
            return None
        return next((Subject(v.name, entry=v) for v in project.volumes if v.id == name), None)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take one file, or a volume from the tree."""
        if self._dropped(event) is not None:
            event.acceptProposedAction()
        else:
            event.ignore()

    def dropEvent(self, event: QDropEvent) -> None:
        """Ask about it."""
        subject = self._dropped(event)
        if subject is not None:
            event.acceptProposedAction()
            self.about(subject)

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        if self.answers and "value" in self.answers[-1]:
            return TOLD_COLUMNS, told_rows(self.answers)
        classes = list(self.answers[-1]["probabilities"]) if self.answers else []
        header = ["path", "epoch", "class", "slices", *(f"p_{c}" for c in classes)]
        return header, [
            [a["path"], a["epoch"] + 1, a["class"], a["slices"], *a["probabilities"].values()] for a in self.answers
        ]
