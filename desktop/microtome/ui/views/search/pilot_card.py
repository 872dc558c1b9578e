"""What a search will take: its smallest and largest networks are tried for a minute, and hours, memory and disk promised."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QWidget

from microtome import settings
from microtome.errors import MicrotomeError
from microtome.events import Event, Phase, Piloted
from microtome.jobs.cluster import Scheduler
from microtome.search.forecast.pilot import SECONDS, known_promise, pilot
from microtome.search.forecast.promise import memory_short, trials_that_fit
from microtome.search.recipe import Recipe
from microtome.session import TimeLimit
from microtome.session.launch import CLUSTER
from microtome.store.project import Project
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import between, size_of, span
from microtome.ui.theme import GRID
from microtome.ui.widgets import button, clear, column, facts, note

_LOOK_MS = 250


@dataclass
class _Work:
    """A pilot in a thread of its own; the window looks at it now and then."""

    recipe: Recipe
    project: Project
    seconds: float
    stop: threading.Event = field(default_factory=threading.Event)
    done: float = 0.0
    found: Piloted | None = None
    problem: MicrotomeError | None = None

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, name="microtome-pilot", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.found = pilot(
                self.recipe, self.project, seconds=self.seconds, report=self._heard, should_stop=self.stop.is_set
            )
        except MicrotomeError as error:
            self.problem = error

    def _heard(self, event: Event) -> None:
        if isinstance(event, Phase) and event.total:
            self.done = event.done / event.total


class PilotCard(QWidget):
    """The promise for the settings of now, and the button that asks for one; `changed` comes with every promise."""

    changed = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.promised: Piloted | None = None
        self.seconds = SECONDS
        self.button = button(tr("Try it for a minute"), self.toggle, icon_name="clock")
        self.button.setToolTip(tr("Trains the smallest and the largest network, and tells what the whole search will take"))
        self._body = column(gap=GRID // 2)
        self.setLayout(self._body)
        self._work: _Work | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)
        self.destroyed.connect(self._timer.stop)

    @property
    def busy(self) -> bool:
        """Whether a pilot is under way."""
        return self._work is not None

    def toggle(self) -> None:
        """Begin a pilot, or end the one under way."""
        if self._work is not None:
            self._work.stop.set()
            return
        session = self.desk.session
        recipe = self.desk.perform(lambda: session.recipe(search=True))
        if recipe is not None:
            self._work = _Work(recipe, session.need_project(), self.seconds)
            self._timer.start()
            self._look()

    def refresh(self) -> None:
        """Find the promise for the settings of now; another one's is none."""
        session = self.desk.session
        self.promised = None
        if session.project is None or not session.axes():
            return
        try:
            self.promised = known_promise(session.recipe(search=True), session.project)
        except MicrotomeError:
            return  # settings that make no recipe have no promise: the page says what is wrong with them

    def show_promise(self, limit: TimeLimit) -> None:
        """Show it, beside what of the search fits into a limit."""
        clear(self._body)
        found, session = self.promised, self.desk.session
        if found is None:
            return
        budget, workers = int(session.value("search.budget")), int(session.value("search.workers"))
        self._body.addWidget(facts(promise_facts(found, budget, limit)))
        if memory_short(found, min(workers, budget)):
            self._body.addWidget(
                note(tr("So many workers need more memory than there is: use fewer, or smaller networks."), "bad")
            )
        if Scheduler.from_json(settings.load().get(CLUSTER)) is not None:
            words = tr("It was measured on this computer; on the cluster trials take other times, and each worker runs one.")
            self._body.addWidget(note(words, "info"))
        for words in found.notes:
            self._body.addWidget(note(words, "info"))

    def close_down(self) -> None:
        """Let no worker outlive the page."""
        if self._work is not None:
            self._work.stop.set()

    def _look(self) -> None:
        work = self._work
        if work is None:
            return
        if work.thread.is_alive():
            self.button.setText(tr("Stop trying: {n} %", n=f"{100 * work.done:.0f}"))
            return
        self._timer.stop()
        self._work = None
        self.button.setText(tr("Try it for a minute"))
        if work.problem is not None:
            self.desk.report(work.problem)
        self.refresh()
        self.changed.emit()


def promise_facts(found: Piloted, budget: int, limit: TimeLimit) -> list[tuple[str, str]]:
    """Name and value pairs of a promise."""
    low, likely, high = (3600 * h for h in found.hours)
    hungriest = max((int(c["memory"]) for c in found.corners), default=0)
    speeds = [float(c["images_per_second"]) for c in found.corners]
    pairs = [
        (tr("Time"), tr("{range}, likely {time}", range=between(low, high), time=span(likely))),
        (
            tr("Memory"),
            tr(
                "{size} a worker, {all} for {n} workers; there are {total}",
                size=size_of(hungriest),
                all=size_of(hungriest * found.workers),
                n=found.workers,
                total=size_of(found.total_memory),
            ),
        ),
        (tr("Disk"), tr("about {size}", size=size_of(found.disk))),
        (
            tr("Speed"),
            tr("{low} – {high} images a second", low=f"{min(speeds):.0f}", high=f"{max(speeds):.0f}"),
        ),
    ]
    left = limit.left()
    if left is not None:
        least, most = trials_that_fit(found, budget, left)
        words = (
            tr("all {n} trials", n=budget)
            if least >= budget
            else tr("{low} – {high} of {n} trials", low=least, high=most, n=budget)
        )
        pairs.append((tr("Fits into the time budget"), words))
    return pairs
