"""The start page: five steps from volumes to a network in use, the sample, and recent projects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QLabel, QWidget

from microtome import settings
from microtome.session import Change
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import pixmap
from microtome.ui.pages.base import Page
from microtome.ui.projects import ask_new, ask_open, open_project, open_sample
from microtome.ui.tail import RunTail
from microtome.ui.theme import GRID, current
from microtome.ui.widgets import button, clear, column, holding, label, row, scrolling

_RECENT = 6
_QUIET_MS = 200  # a project of many runs opens with many changes at once


@dataclass(frozen=True)
class Step:
    """One step: what it is, how far it is, and its button. state: done | ready | blocked."""

    icon: str
    title: str
    words: str
    state: str
    button: str
    act: Callable[[], object]


class StartPage(Page):
    """Where everything begins, and the way on from wherever one is."""

    prefix: ClassVar[str] = "start"
    icon: ClassVar[str] = "start"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__(desk, argument)
        self._steps = column(gap=GRID)
        self._side = column(gap=GRID)
        self._title, self._words = label("", "title", wrap=True), label("", "muted", wrap=True)
        steps, side = holding(column(self._steps, None)), holding(self._side)
        side.setFixedWidth(264)
        body = row(steps, side, gap=3 * GRID)
        body.setAlignment(side, Qt.AlignmentFlag.AlignTop)
        body.setStretchFactor(steps, 1)
        whole = column(self._title, self._words, 2 * GRID, body, None, gap=GRID // 2)
        whole.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 2 * GRID)
        content = holding(whole)
        content.setMaximumWidth(1120)
        self.setLayout(column(scrolling(holding(row(content, gap=0)))))
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(_QUIET_MS)
        self._quiet.timeout.connect(lambda: self.refresh(Change.RUNS))
        desk.tails.changed.connect(self._run_changed)
        self._seen: set[tuple[str, str]] = set()

    def title(self) -> str:
        """The tab's words."""
        return tr("Start")

    def refresh(self, change: Change) -> None:
        """Show how far the project is."""
        project = self.desk.session.project
        self._title.setText(project.name if project is not None else tr("Which structure is this?"))
        self._words.setText(
            tr("Five steps from a volume to a network that tells its structure.")
            if project is not None
            else tr("Drop volumes on this window, cut oblique slices, and let a network tell their structures apart.")
        )
        clear(self._steps)
        for number, step in enumerate(self.steps(), start=1):
            self._steps.addWidget(self._step_card(number, step))
        self._fill_side()

    def _run_changed(self, name: str) -> None:
        tail = self.desk.tails.get(name)
        if tail is not None and (name, tail.word) not in self._seen:
            self._seen.add((name, tail.word))
            self._quiet.start()

    def steps(self) -> list[Step]:
        """The five steps as they stand now."""
        session = self.desk.session
        volumes = list(session.project.volumes) if session.project is not None else []
        classes = session.classes() if session.project is not None else []
        tails = self.desk.tails.all()
        return [
            self._volumes_step(len(volumes), len(classes)),
            self._slices_step(classes, any((t.state.image_set is not None) for t in tails)),
            self._train_step(session.trainable, [t for t in tails if t.kind != "search"]),
            self._optimise_step(session.trainable, [t for t in tails if t.kind == "search"]),
            self._use_step([t for t in tails if t.state.evaluated is not None]),
        ]

    def _volumes_step(self, volumes: int, classes: int) -> Step:
        if not volumes:
            words = tr("Drop files or folders anywhere on this window: TIFF stacks, folders of slices, NPY, raw.")
        elif classes < 2:
            words = tr("{n} volumes so far. Add a second class: telling apart needs at least two.", n=volumes)
        else:
            words = tr("{n} volumes in {k} classes.", n=volumes, k=classes)
        done = classes >= 2
        if done:
            return Step("volume", tr("Add volumes"), words, "done", tr("Show"), lambda: self.desk.open_page("volumes"))
        return Step("volume", tr("Add volumes"), words, "ready", tr("Add files…"), lambda: self._trigger("add-files"))

    def _slices_step(self, classes: list[str], cut: bool) -> Step:
        state = "blocked" if not classes else "done" if cut else "ready"
        words = {
            "blocked": tr("Needs a volume with a class."),
            "ready": tr("Choose field of view, pixels and numbers while you watch the slices change."),
            "done": tr("Slices were cut; other settings give another set."),
        }[state]
        return Step("slices", tr("Cut slices"), words, state, tr("Set up"), lambda: self.desk.open_page("slices"))

    def _train_step(self, ready: bool, runs: list[RunTail]) -> Step:
        state = "blocked" if not ready else "done" if any(t.word == "done" for t in runs) else "ready"
        words = {
            "blocked": tr("Needs two classes with volumes, or volumes with values."),
            "ready": tr("A network learns in the background; the accuracy of every class is live."),
            "done": tr("{n} trainings so far.", n=len(runs)) if len(runs) > 1 else tr("One training so far."),
        }[state]
        return Step("train", tr("Train"), words, state, tr("Set up"), lambda: self.desk.open_page("train"))

    def _optimise_step(self, ready: bool, runs: list[RunTail]) -> Step:
        state = "blocked" if not ready else "done" if any(t.word == "done" for t in runs) else "ready"
        words = {
            "blocked": tr("Needs two classes with volumes, or volumes with values."),
            "ready": tr("Tick “optimise” on any setting and let evolution find the best network."),
            "done": tr("{n} searches so far.", n=len(runs)) if len(runs) > 1 else tr("One search so far."),
        }[state]
        return Step("optimise", tr("Optimise"), words, state, tr("Set up"), lambda: self.desk.open_page("optimise"))

    def _use_step(self, evaluated: list[RunTail]) -> Step:
        if not evaluated:
            words = tr("Needs a finished training: then its accuracy on locked slices, image by image.")
            return Step("use", tr("Use"), words, "blocked", tr("Open"), lambda: None)
        best = max(evaluated, key=lambda t: t.state.evaluated.accuracy if t.state.evaluated else 0.0)
        words = tr("Look at what the best network tells, and how sure it is.")
        act = lambda: self.desk.open_page(f"evaluation:{best.run.name}")  # noqa: E731 - one expression, used once
        return Step("use", tr("Use"), words, "ready", tr("Open"), act)

    def _trigger(self, name: str) -> None:
        for action in self.window().actions():
            if action.objectName() == name:
                action.trigger()

    def _step_card(self, number: int, step: Step) -> QFrame:
        theme = current()
        colour = {"done": theme.good, "ready": theme.accent, "blocked": theme.faint}[step.state]
        picture = QLabel()
        picture.setPixmap(pixmap("good" if step.state == "done" else step.icon, 32, colour))
        head = label(f"{number}  {step.title}", "heading")
        words = label(step.words, "muted" if step.state != "blocked" else "faint", wrap=True)
        first_ready = step.state == "ready" and all(s.state != "ready" for s in self.steps()[: number - 1])
        made = button(step.button, step.act, kind="primary" if first_ready else "")
        made.setEnabled(step.state != "blocked")
        made.setMinimumWidth(104)
        made.setAccessibleName(f"{step.title}: {step.button}")
        text = column(head, words, gap=GRID // 2)
        body = row(picture, text, made, gap=2 * GRID)
        body.setContentsMargins(2 * GRID, GRID + 4, 2 * GRID, GRID + 4)
        body.setStretchFactor(text, 1)
        frame = QFrame()
        frame.setProperty("role", "card")
        frame.setProperty("tone", "accent" if first_ready else "")
        frame.setLayout(body)
        return frame

    def _fill_side(self) -> None:
        clear(self._side)
        sample = button(tr("Open the sample"), lambda: open_sample(self.desk), icon_name="sample")
        self._side.addWidget(label(tr("TRY IT"), "section"))
        self._side.addWidget(label(tr("Three simulated dispersions, generated here, no download."), "muted", wrap=True))
        self._side.addWidget(sample)
        self._side.addSpacing(2 * GRID)
        self._side.addWidget(label(tr("PROJECTS"), "section"))
        self._side.addWidget(button(tr("New project…"), lambda: ask_new(self.desk, self), icon_name="add"))
        self._side.addWidget(button(tr("Open project…"), lambda: ask_open(self.desk, self), icon_name="open"))
        project = self.desk.session.project
        recent = [p for p in settings.recent() if project is None or p != project.path][:_RECENT]
        if recent:
            self._side.addSpacing(GRID)
            self._side.addWidget(label(tr("RECENT"), "section"))
        for path in recent:
            self._side.addWidget(self._recent(path.name, str(path), partial(open_project, self.desk, path)))

    @staticmethod
    def _recent(name: str, path: str, act: Callable[[], object]) -> QWidget:
        made = button(name, act, kind="link", icon_name="folder")
        made.setToolTip(path)
        return made
