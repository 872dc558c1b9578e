"""The head of a run's page: its name, state word, how far it is, how long it takes, and the orders to it."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QFrame, QProgressBar, QSizePolicy

from microtome.results.fold import RunState, TrialState
from microtome.store.run import Order
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon
from microtome.ui.numbers import between, span
from microtome.ui.sentences import said
from microtome.ui.tail import RunTail
from microtome.ui.theme import GRID
from microtome.ui.widgets import button, column, label, note, row, set_property
from microtome.ui.words import run_title, state_tone, state_word


class RunHeader(QFrame):
    """Follows one run; `show_now` is cheap."""

    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__()
        self.desk, self.name = desk, name
        self.title = label(run_title(name), "title")
        self.title.setMinimumWidth(80)
        self.badge = label("", "badge")
        self.words = label("", "muted", selectable=True)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.pause = button(tr("Pause"), self._pause, icon_name="pause")
        self.stop = button(tr("Stop"), lambda: self.order("stop"), icon_name="stop")
        self.stop.setToolTip(
            tr("Start nothing new; a search finishes its running trials, a training keeps a checkpoint. Continue goes on later")
        )
        self.abort = button(tr("Abort"), lambda: self.order("abort"), kind="danger", icon_name="abort")
        self.abort.setToolTip(tr("End at once; all finished epochs are kept"))
        self.again = button(tr("Continue"), self._go_on, kind="primary", icon_name="play")
        self.problem = column(gap=0)
        self._problem = ""
        self._offered = False
        top = row(self.title, self.badge, self.words, self.again, self.pause, self.stop, self.abort, gap=GRID)
        top.setStretch(2, 1)
        self.setLayout(column(top, self.bar, self.problem, gap=6))

    @property
    def tail(self) -> RunTail | None:
        """The run, while its project is open."""
        return self.desk.tails.get(self.name)

    def order(self, command: Order, **arguments: Any) -> None:
        """Send an order to the run."""
        tail = self.tail
        if tail is not None:
            self.desk.perform(lambda: self.desk.session.order(tail.run, command, **arguments))

    def _pause(self) -> None:
        tail = self.tail
        self.order("resume" if tail is not None and tail.word in ("paused", "pausing") else "pause")

    def _go_on(self) -> None:
        tail = self.tail
        if tail is not None:
            self.desk.perform(lambda: self.desk.session.drive(tail.run))

    def offered(self, lower: bool) -> None:
        """Whether the page itself says why the run failed and offers how to go on: then the head does not."""
        if lower != self._offered:
            self._offered = lower
            self.show_now()

    def show_now(self) -> None:
        """Show the run as it is now."""
        tail = self.tail
        if tail is None:
            return
        word = tail.word
        self.badge.setText(state_word(word))
        set_property(self.badge, "tone", state_tone(word))
        tone = state_tone(word)
        set_property(self.bar, "tone", "" if tone == "accent" else tone)
        self.bar.setValue(round(1000 * tail.fraction()))
        self.bar.setVisible(not tail.state.finished or tail.again)
        words = progress_words(tail)
        self.words.setText(words)
        self.words.setToolTip(words)
        paused = word in ("paused", "pausing")
        self.pause.setText(tr("Resume") if paused else tr("Pause"))
        self.pause.setIcon(icon("play" if paused else "pause"))
        for made in (self.pause, self.stop, self.abort):
            made.setVisible(tail.active)
        self.pause.setEnabled(word in ("running", "paused", "pausing"))
        self.stop.setEnabled(word in ("starting", "running", "pausing", "paused"))
        self.again.setVisible(not tail.active and word in ("interrupted", "stopped", "aborted", "failed") and not self._offered)
        self._say_problem(tail)

    def _say_problem(self, tail: RunTail) -> None:
        words = tail.problem or (tail.state.message if tail.word in ("failed", "aborted", "stopped") else "")
        if tail.word == "interrupted":
            words = tr("The job ended unexpectedly; everything it finished is kept.")
        words = "" if self._offered else _in_words(words)
        if words == self._problem:
            return
        self._problem = words
        while (item := self.problem.takeAt(0)) is not None:
            made = item.widget()
            if made is not None:
                made.deleteLater()
        if words:
            self.problem.addWidget(note(words, {"interrupted": "warn", "stopped": "info"}.get(tail.word, "bad")))


def _in_words(message: str) -> str:
    """A driver's last words in the language in use; they carry the time of the clock."""
    before, _, rest = message.partition("Its time was over at ")
    clock, _, after = rest.partition(";")
    if not before and rest and after:
        return tr("Its time was over at {time}, as asked; Continue goes on where it stopped.", time=clock)
    return said(message)


def progress_words(tail: RunTail) -> str:
    """Where a run is: the phase, or the trial and epoch; the time left."""
    state = tail.state
    parts: list[str] = []
    if tail.again:
        return ""
    if state.finished:
        if state.ended:
            parts.append(tr("ended after {time}", time=span(state.took)))
        if state.kind == "search":
            parts.append(tr("{n} trials", n=len(state.ended_trials())))
        return " · ".join(parts)
    running = state.running_trials()
    if state.phase is not None and not running:
        share = f" {100 * state.phase.done / state.phase.total:.0f} %" if state.phase.total else ""
        parts.append(tr(state.phase.name) + share)
    elif state.kind == "search":
        parts.append(tr("trial {n} of {total}", n=len(state.ended_trials()), total=state.planned_trials))
    elif running:
        parts.append(epoch_words(state, running[0]))
    eta = tail.eta_range()
    if eta is not None:
        parts.append(tr("{time} left", time=between(*eta)))
    return " · ".join(parts)


def epoch_words(state: RunState, trial: TrialState) -> str:
    """`epoch 3 of 10`."""
    return tr("epoch {n} of {total}", n=min(len(trial.epochs) + 1, state.planned_epochs), total=state.planned_epochs)
