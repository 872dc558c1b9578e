"""A training's page: loss, accuracy, accuracy of every class, confusion, live and ever after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QGridLayout, QSlider, QVBoxLayout, QWidget

from microtome.errors import MicrotomeError
from microtome.events import EpochEnded
from microtome.results.fold import RunState, TrialState
from microtome.results.tables import confusion_rows
from microtome.results.words import Trend, per_class_counts, trend
from microtome.store.atomic import read_json
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import length
from microtome.ui.pages.base import Page
from microtome.ui.theme import GRID
from microtome.ui.views.confusion import ConfusionView
from microtome.ui.views.curves import TrialCurves, accuracy_card, class_card, loss_card, rate_card, speed_card
from microtome.ui.views.redraw import Redraw
from microtome.ui.views.run_header import RunHeader
from microtome.ui.views.saving import Savers
from microtome.ui.views.verdict import Verdict
from microtome.ui.widgets import Choice, button, card, clear, column, holding, label, note, row, scrolling
from microtome.ui.words import run_title

_TALL = 200


class RunPage(Page):
    """Follows one training."""

    prefix: ClassVar[str] = "run"
    icon: ClassVar[str] = "train"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__(desk, argument)
        self.redraw = Redraw(self)
        self.header = RunHeader(desk, argument)
        self.verdict = Verdict(brief=True)
        self.look = button(tr("Look at the evaluation"), self._evaluation, icon_name="evaluation")
        self.curves = TrialCurves(self.redraw, self)
        self.loss, self.accuracy = loss_card(desk, argument), accuracy_card(desk, argument)
        self.speed, self.rate = speed_card(desk, argument), rate_card(desk, argument)
        self.classes: Sequence[str] = ()
        self.confusion = ConfusionView()
        self._which = Choice([("best", tr("of the best epoch")), ("last", tr("of the last epoch"))], "best")
        self._which.currentIndexChanged.connect(lambda _: self._show_confusion())
        self._trial: TrialState | None = None
        self._words, self._facts = column(gap=GRID), column(gap=GRID // 2)
        self._said: Trend | None = None
        self._set_hash = ""
        self._grid = QGridLayout()
        self.setLayout(column(scrolling(holding(self._body()))))

    def title(self) -> str:
        """The tab's words."""
        return run_title(self.argument)

    def _body(self) -> QVBoxLayout:
        self.log = QCheckBox(tr("Logarithmic loss"))
        self.log.toggled.connect(lambda on: self.loss.plot.set_log(y=on))
        self.smooth = QSlider(Qt.Orientation.Horizontal)
        self.smooth.setRange(0, 95)
        self.smooth.setMaximumWidth(140)
        self.smooth.setAccessibleName(tr("Smoothing"))
        self.smooth.valueChanged.connect(self._smooth)
        tools = row(self.log, 2 * GRID, label(tr("Smoothing"), "muted"), self.smooth, None, self.look, gap=GRID)
        self.look.hide()
        grid = self._grid
        grid.setSpacing(GRID)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.loss, 0, 0)
        grid.addWidget(self.accuracy, 0, 1)
        grid.addWidget(self._confusion_card(), 1, 1)
        grid.addWidget(self.speed, 2, 0)
        grid.addWidget(self.rate, 2, 1)
        for column_number in (0, 1):
            grid.setColumnStretch(column_number, 1)
        grid.setRowMinimumHeight(0, _TALL)
        grid.setRowMinimumHeight(1, _TALL + GRID)
        grid.setRowStretch(0, 1)
        grid.setRowStretch(1, 1)
        # Equal columns, however wide a legend would like to be.
        for made in (self.loss, self.accuracy, self.speed, self.rate):
            made.setMinimumWidth(240)
        body = column(self.header, self.verdict, self._words, tools, grid, self._facts, margin=2 * GRID, gap=GRID)
        body.setStretch(4, 1)
        assert isinstance(body, QVBoxLayout)
        return body

    def _confusion_card(self) -> QWidget:
        made = card(row(label(tr("Confusion, validation set"), "heading"), None, self._which), self.confusion)
        inside = made.layout()
        assert inside is not None
        inside.setContentsMargins(GRID + 4, GRID + 4, GRID + 4, GRID + 4)
        made.setMinimumWidth(240)
        self._savers = Savers(self.desk, made, self._confusion_table, f"{self.argument}-confusion")
        return made

    def _confusion_table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        return confusion_rows(self.confusion.classes, self.confusion.counts)

    def show_state(self, state: RunState) -> None:
        """Follow the run."""
        self.header.show_now()
        if state.classes and tuple(state.classes) != tuple(self.classes):
            self.classes = state.classes
            self._add_class_card(state.classes)
        trial = state.best or next(iter(state.trials.values()), None)
        if trial is not None:
            self._trial = trial
            if self.curves.show(trial, self.classes):
                self.redraw.ask("confusion", self._show_confusion)
                self._say(trial)
        self.verdict.show_result(state.evaluated)
        self.look.setVisible(state.evaluated is not None)
        self._show_facts(state)

    def _add_class_card(self, classes: Sequence[str]) -> None:
        made = class_card(self.desk, self.argument, classes)
        made.setMinimumWidth(240)
        if len(self.curves.cards) > 2:
            self._grid.removeWidget(self.curves.cards[2])
            self.curves.cards[2].deleteLater()
        self._grid.addWidget(made, 1, 0)
        self.curves.cards = [self.loss, self.accuracy, made, self.speed, self.rate]
        for shown in self.curves.cards:
            shown.classes = classes

    def _epoch(self) -> EpochEnded | None:
        if self._trial is None or not self._trial.epochs:
            return None
        return self._trial.best if self._which.value() == "best" else self._trial.epochs[-1]

    def _show_confusion(self) -> None:
        epoch = self._epoch()
        if epoch is not None:
            self.confusion.show_matrix(self.classes, epoch.confusion)

    def _say(self, trial: TrialState) -> None:
        found = trend(trial.epochs)
        if found == self._said:
            return
        self._said = found
        clear(self._words)
        if found.word == "over-fitting":
            words = tr(
                "Over-fitting since epoch {n}: the training loss goes on falling while the validation loss rises. "
                "The network of the best epoch is the one that is kept.",
                n=found.epoch,
            )
            self._words.addWidget(note(words, "warn"))
        elif found.word == "not-learning":
            words = tr("The loss does not fall. Another learning rate, or a smaller network, may help.")
            self._words.addWidget(note(words, "warn"))

    def _show_facts(self, state: RunState) -> None:
        ready = state.image_set
        if ready is None or ready.hash == self._set_hash:
            return
        self._set_hash = ready.hash
        clear(self._facts)
        counts = tr(
            "Images a class: {train} for training, {validation} for validation, "
            "{evaluation} for evaluation (locked until the end).",
            train=per_class_counts(ready, "train"),
            validation=per_class_counts(ready, "validation"),
            evaluation=per_class_counts(ready, "evaluation"),
        )
        pixel = tr("A pixel is {size}.", size=length(ready.pixel_size, ready.unit))
        self._facts.addWidget(label(f"{counts} {pixel}", "muted", wrap=True, selectable=True))
        for words in ready.warnings:
            self._facts.addWidget(note(words, "warn"))
        project = self.desk.session.project
        if project is not None:
            file = project.imagesets / ready.hash / "plan.json"
            # A set that was deleted since has nothing to say; the run's own figures stay.
            self.desk.tasks.request(self, "independence", lambda: read_json(file), self._say_independence, failed=self._no_plan)

    def _say_independence(self, plan: dict[str, Any]) -> None:
        words = str(plan.get("independence", ""))
        if words:
            self._facts.addWidget(label(words, "muted", wrap=True, selectable=True))

    def _no_plan(self, error: MicrotomeError) -> None:
        self._facts.addWidget(label(tr("The slice set of this run is no longer there."), "muted", wrap=True))

    def _smooth(self, value: int) -> None:
        for made in self.curves.cards[:3]:
            made.set_smoothing(value / 100)

    def _evaluation(self) -> None:
        self.desk.open_page(f"evaluation:{self.argument}")

    def keep(self) -> dict[str, Any]:
        """Log axis, smoothing, which confusion."""
        return {"log": self.log.isChecked(), "smooth": self.smooth.value(), "which": self._which.value()}

    def restore(self, kept: dict[str, Any]) -> None:
        """Take them up."""
        self.log.setChecked(bool(kept.get("log", False)))
        self.smooth.setValue(int(kept.get("smooth", 0)))
        self._which.choose(str(kept.get("which", "best")))
