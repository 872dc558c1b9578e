"""A training whose loss was no number: what happened, which network is kept, and a button that goes on with a lower rate."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame

from microtome.results.fold import RunState, TrialState
from microtome.results.words import percent
from microtome.session import Change
from microtome.training.changes import Offer, accept, offer
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID
from microtome.ui.widgets import button, clear, column, label, row


class RateOffer(QFrame):
    """Asks a failed trial's folder what it offers; hidden where that is nothing. `offer`: what is shown."""

    offered = Signal(bool)

    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__()
        self.desk, self.name = desk, name
        self.offer: Offer | None = None
        self._asked: tuple[Path, str, int] | None = None
        self.setProperty("role", "note")
        self.setProperty("tone", "warn")
        self._body = column(margin=GRID + 4, gap=GRID)
        self.setLayout(self._body)
        self.hide()

    def follow(self, state: RunState, trial: TrialState | None) -> None:
        """Show what the trial offers, where it has failed and nothing drives the run."""
        tail = self.desk.tails.get(self.name)
        failed = tail is not None and trial is not None and trial.outcome == "failed" and state.finished and not tail.driving
        if not failed or tail is None or trial is None:
            self._asked = None
            self._land(None, None)
            return
        folder = tail.run.trial(trial.number)
        key = (folder, trial.outcome, len(trial.epochs))
        if key == self._asked:
            return
        self._asked = key
        self.desk.tasks.request(self, "offer", lambda: offer(folder), lambda found: self._land(found, trial))

    def _land(self, found: Offer | None, trial: TrialState | None) -> None:
        if found == self.offer:
            return
        self.offer = found
        clear(self._body)
        self.setVisible(found is not None)
        self.offered.emit(found is not None)
        if found is None or trial is None:
            return
        best = trial.best
        kept = (
            tr("The network of epoch {n} is kept: {share} on the validation set.", n=best.epoch + 1, share=_share(trial))
            if best is not None
            else tr("No epoch ended before: there is no network yet.")
        )
        head = label(tr("The loss was no longer a number in epoch {n}.", n=found.epoch + 1), "heading")
        why = tr("Most often the learning rate is too high: the weights then grow without bound. Nothing else was lost.")
        rate = f"{found.learning_rate:g}"
        words = (
            tr("Go on from epoch {n} with the rate {rate}", n=found.epoch, rate=rate)
            if found.epoch
            else tr("Begin again with the rate {rate}", rate=rate)
        )
        self.button = button(words, self.go_on, kind="primary", icon_name="play")
        self.button.setToolTip(tr("A third of the rate that failed; the epochs before stay as they are"))
        self._body.addWidget(head)
        self._body.addWidget(label(f"{kept} {why}", wrap=True, selectable=True))
        self._body.addLayout(row(self.button, None))

    def go_on(self) -> None:
        """Accept the lower rate, and take the run up again."""
        tail, found, asked = self.desk.tails.get(self.name), self.offer, self._asked
        if tail is None or found is None or asked is None:
            return

        def act() -> Change:
            accept(asked[0], found.learning_rate)
            return self.desk.session.drive(tail.run)

        if self.desk.perform(act) is not None:
            self._asked = None
            self._land(None, None)


def _share(trial: TrialState) -> str:
    best = trial.best
    if best is None:
        return ""
    return percent(best.validation_accuracy) if best.r2 is None else f"R² {best.r2:.3f}"
