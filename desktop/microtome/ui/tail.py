"""Follow every run's journal with one timer: read what is new, fold it, say which run changed (at most 30 times a second)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, QTimer, Signal

from microtome.errors import MicrotomeError
from microtome.results.fold import RunState, fold
from microtome.session import Session
from microtome.store.journal import JournalReader
from microtome.store.run import RunFolder
from microtome.ui.eta import Eta

INTERVAL_MS = 34  # below 30 Hz
_CHUNK = 100_000  # bytes of one journal a step: about a millisecond of decoding and folding
_BUDGET = 0.006  # seconds of a tick, so that a long replay never holds up the window
_DRIVER_SECONDS = 1.0  # how often a run's lock is looked at


@dataclass
class RunTail:
    """One run: its folded state, and whether a driver lives."""

    run: RunFolder
    kind: str = "train"
    state: RunState = field(default_factory=RunState)
    driving: bool = False
    caught_up: bool = False  # the journal has been read to its end at least once
    queued: bool = False  # it waits for its turn
    again: bool = False  # it had ended, and a new driver has not yet said that it goes on
    eta: Eta = field(default_factory=Eta)
    problem: str = ""

    def __post_init__(self) -> None:
        self._reader: JournalReader = self.run.reader()

    def step(self) -> bool:
        """Read and fold the next piece of the journal; True where something was new."""
        events = self._reader.read(_CHUNK)
        for event in events:
            fold(self.state, event)
        self.again = self.again and self.state.finished
        self.caught_up = self.caught_up or not events
        if events and self.caught_up:
            self.eta.update(time.time(), self.state.fraction())
        return bool(events)

    @property
    def word(self) -> str:
        """The state word: the journal's, or starting | interrupted where the driver says otherwise, queued."""
        if self.queued and not self.driving:
            return "queued"
        if self.again:
            return "starting"
        if self.state.finished:
            return self.state.state
        if not self.driving:
            return "interrupted"
        return "starting" if self.state.state == "waiting" else self.state.state

    @property
    def active(self) -> bool:
        """True while a driver works on the run."""
        return self.driving and (self.again or not self.state.finished)

    def fraction(self) -> float:
        """How far it is, 0 to 1; what had failed begins again."""
        return 0.0 if self.again and self.state.state == "failed" else self.state.fraction()

    def found(self, driving: bool) -> None:
        """Take in whether a driver lives now."""
        # A driver of an ended run imports for seconds before its first event; till then the journal says “stopped”.
        self.again = driving and not self.driving and self.state.finished
        self.driving = driving
        self.caught_up = False  # what the driver wrote last is still to be read

    def eta_range(self) -> tuple[float, float] | None:
        """Seconds to go, (low, high), or None where nothing can be said."""
        return self.eta.range() if self.word == "running" else None

    def speed(self) -> float:
        """Images a second over all running trials, as of their last epochs; 0 where not known."""
        return sum(t.epochs[-1].images_per_second for t in self.state.running_trials() if t.epochs)

    def devices(self) -> list[str]:
        """The devices that running trials use."""
        return sorted({t.device for t in self.state.running_trials() if t.device})


class Tails(QObject):
    """All runs of the open project; `changed` carries a run's name after its state or its driver changed."""

    changed = Signal(str)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._tails: dict[str, RunTail] = {}
        self._looked = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.tick)

    def all(self) -> list[RunTail]:
        """Every run, oldest first."""
        return list(self._tails.values())

    def get(self, name: str) -> RunTail | None:
        """The run of a name, or None."""
        return self._tails.get(name)

    @property
    def idle(self) -> bool:
        """True while the timer rests."""
        return not self._timer.isActive()

    def sync(self) -> None:
        """Take up runs that are new in the project, drop those of another one, and wake up."""
        runs = {run.name: run for run in self._session.runs()}
        kept = {n: t for n, t in self._tails.items() if n in runs and t.run.path == runs[n].path}
        self._tails = {}
        for name, run in runs.items():
            tail = self._tails[name] = kept.get(name) or self._begin(run)
            tail.caught_up = False  # a run that had ended may have been taken up again
        self._looked = 0.0
        self._timer.start()

    def mark_queued(self, names: Iterable[str]) -> None:
        """Say which runs wait in the queue."""
        waiting = set(names)
        for name, tail in self._tails.items():
            if tail.queued != (name in waiting):
                tail.queued = name in waiting
                self.changed.emit(name)

    @staticmethod
    def _begin(run: RunFolder) -> RunTail:
        try:
            return RunTail(run, kind=str(run.info().get("kind", "train")))
        except MicrotomeError as error:  # a damaged run.json: said where the run is shown
            return RunTail(run, problem=str(error))

    def tick(self) -> None:
        """One beat: a bounded amount of reading; rests when nothing runs and all is read."""
        end = time.perf_counter() + _BUDGET
        changed = self._look_at_drivers()
        for tail in self._tails.values():
            if (tail.driving or not tail.caught_up) and self._read(tail, end):
                changed.add(tail.run.name)
        for name in changed:
            self.changed.emit(name)
        # A driver outlives its last event by a moment: only when it is gone is the run at rest.
        if all(t.caught_up and not t.driving for t in self._tails.values()):
            self._timer.stop()

    def _read(self, tail: RunTail, end: float) -> bool:
        new = False
        try:
            while tail.step():
                new = True
                if time.perf_counter() > end:
                    break
        except MicrotomeError as error:  # a damaged journal: said on the run's page, the others go on
            tail.problem, tail.caught_up = str(error), True
            return True
        return new

    def _starting(self) -> frozenset[str]:
        """The runs that a driver took out of the queue when its own run had ended, and that have no lock yet."""
        if self._session.project is None:
            return frozenset()
        try:
            return self._session.queue.starting()
        except MicrotomeError:
            return frozenset()  # a damaged queue is said where it is shown

    def _look_at_drivers(self) -> set[str]:
        now = time.monotonic()
        if now - self._looked < _DRIVER_SECONDS:
            return set()
        self._looked = now
        changed = set()
        # Asked before the locks are: a driver that takes its lock in between counts all the same.
        starting = self._starting()
        for tail in self._tails.values():
            rests = tail.state.finished and tail.caught_up and not tail.driving
            driving = tail.run.name in starting or (not rests and self._session.driving(tail.run))
            if driving != tail.driving:
                tail.found(driving)
                changed.add(tail.run.name)
        return changed
