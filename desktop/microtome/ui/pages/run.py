"""A training's page: loss, accuracy, accuracy of every class, confusion, live and ever after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QCheckBox, QGridLayout, QSlider, QVBoxLayout, QWidget

from microtome.events import EpochEnded
from microtome.results.fold import RunState, TrialState
from microtome.results.tables import confusion_rows
from microtome.session import Change
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.pages.base import Page
from microtome.ui.stages import Stages, read_stages
from microtome.ui.theme import GRID, current
from microtome.ui.tree import dragged
from microtome.ui.views.redraw import Redraw
from microtome.ui.views.run.ask_network import AskNetwork
from microtome.ui.views.run.comparison import RunComparison
from microtome.ui.views.run.confusion import ConfusionView
from microtome.ui.views.run.curves import TrialCurves, accuracy_card, class_card, loss_card, rate_card, speed_card
from microtome.ui.views.run.facts import RunFacts
from microtome.ui.views.run.header import RunHeader
from microtome.ui.views.run.rate_offer import RateOffer
from microtome.ui.views.run.seen_card import SeenCard
from microtome.ui.views.run.value_cards import ScatterCard, r2_card
from microtome.ui.views.run.verdict import Verdict
from microtome.ui.views.run.words import RunWords
from microtome.ui.views.saving import Savers
from microtome.ui.widgets import Choice, button, card, column, holding, label, row, scrolling
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
        self.words, self.told, self.facts = RunWords(), RunWords("info"), RunFacts(desk)
        self.offer, self.seen = RateOffer(desk, argument), SeenCard(desk, argument)
        self.offer.offered.connect(self.header.offered)
        self.ask, self.compared = AskNetwork(desk, argument), RunComparison(desk, argument)
        self.compared.others_changed.connect(lambda: self.redraw.ask("others", self._show_others))
        self._stages = Stages("", 0)
        self.scatter: ScatterCard | None = None  # of a network that tells a number
        self.setAcceptDrops(True)
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
        self._matrix = self._confusion_card()
        grid.addWidget(self._matrix, 1, 1)
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
        above = (self.header, self.offer, self.verdict, self.words, tools)
        body = column(*above, grid, self.facts, self.told, self.compared, self.ask, self.seen, margin=2 * GRID, gap=GRID)
        body.setStretch(len(above), 1)
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
            if trial.best is not None and trial.best.r2 is not None:
                self._show_values(trial.best)
            if self.curves.show(trial, self.classes):
                self.redraw.ask("confusion", self._show_confusion)
            self._follow_folder(state, trial)
        for made in (self.words, self.told):
            made.show_state(state, trial)
        self.offer.follow(state, trial)
        self.verdict.show_result(state.evaluated)
        self.look.setVisible(state.evaluated is not None)
        self.facts.show_set(state.image_set)

    def _follow_folder(self, state: RunState, trial: TrialState) -> None:
        """Let the cards look into the trial's folder."""
        tail = self.desk.tails.get(self.argument)
        if tail is None:
            return
        folder, ready = tail.run.trial(trial.number), state.image_set
        self.ask.follow(folder)
        pixel, unit = (ready.pixel_size, ready.unit) if ready is not None else (0.0, "")
        self.seen.follow(folder, len(trial.epochs), pixel=pixel, unit=unit)

    def refresh(self, change: Change) -> None:
        """Read once what the recipe says of the training; look again at the runs that are compared."""
        if change == Change.ALL and (tail := self.desk.tails.get(self.argument)) is not None:
            file = tail.run.recipe
            self.desk.tasks.request(self, "stages", lambda: read_stages(file), self._show_stages)
        if change & Change.RUNS:
            self.compared.refresh()

    def _show_stages(self, found: Stages) -> None:
        self._stages = found
        self.seen.show_sampling(found.candidates)
        for card_ in (self.loss, self.accuracy):
            x = found.head_epochs + 0.5 if found.head_epochs else None
            card_.plot.mark("stage", x, tr("until here the head alone"), low=not card_.high, colour=current().muted)

    def _show_others(self) -> None:
        others = self.compared.others()
        self.loss.show_others(others)
        self.accuracy.show_others(others)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take another run out of the tree."""
        kind, _, name = dragged(event.mimeData()).partition(":")
        if kind == "run" and name != self.argument:
            event.acceptProposedAction()
        else:
            event.ignore()

    def dropEvent(self, event: QDropEvent) -> None:
        """Compare with it."""
        event.acceptProposedAction()
        self.compared.add_run(dragged(event.mimeData()).partition(":")[2])

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

    def _show_values(self, best: EpochEnded) -> None:
        """Of a network that tells a number: R² and what it tells of every volume, instead of classes."""
        if self.scatter is None:
            self.scatter = ScatterCard(self.desk, self.argument, tr("Told values, validation set, best epoch"))
            for gone in (self.accuracy, self._matrix, *self.curves.cards[2:3]):
                self._grid.removeWidget(gone)
                gone.hide()
            self.accuracy = r2_card(self.desk, self.argument)
            self.accuracy.setMinimumWidth(240)
            self._grid.addWidget(self.accuracy, 0, 1)
            self._grid.addWidget(self.scatter, 1, 0, 1, 2)
            self._grid.setRowMinimumHeight(1, 2 * _TALL)
            self.loss.name_axis(tr("error of standardised values"))
            self.curves.cards = [self.loss, self.accuracy, self.speed, self.rate]
        if tuple(best.points) != self.scatter.points:
            self.scatter.show_points(best.points, self._stages.unit)

    def _epoch(self) -> EpochEnded | None:
        if self._trial is None or not self._trial.epochs:
            return None
        return self._trial.best if self._which.value() == "best" else self._trial.epochs[-1]

    def _show_confusion(self) -> None:
        epoch = self._epoch()
        if epoch is not None:
            self.confusion.show_matrix(self.classes, epoch.confusion)

    def _smooth(self, value: int) -> None:
        for made in self.curves.cards[:-2]:
            made.set_smoothing(value / 100)

    def _evaluation(self) -> None:
        self.desk.open_page(f"evaluation:{self.argument}")

    def keep(self) -> dict[str, Any]:
        """Log axis, smoothing, which confusion, which runs are compared."""
        return {
            "log": self.log.isChecked(),
            "smooth": self.smooth.value(),
            "which": self._which.value(),
            "compared": list(self.compared.names),
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take them up."""
        self.log.setChecked(bool(kept.get("log", False)))
        self.smooth.setValue(int(kept.get("smooth", 0)))
        self._which.choose(str(kept.get("which", "best")))
        self.compared.choose([str(name) for name in kept.get("compared", [])])
