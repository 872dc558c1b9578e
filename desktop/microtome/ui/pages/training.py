"""The training page: which network, how it learns, what it will take, and the buttons that start it or let it wait."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6.QtWidgets import QStackedWidget, QWidget

from microtome.registry import registry
from microtome.session import Change
from microtome.ui.desk import Desk
from microtome.ui.form import Form, FormOptions
from microtome.ui.i18n import tr
from microtome.ui.pages.base import Page
from microtome.ui.theme import GRID
from microtome.ui.time_budget import LimitField
from microtome.ui.training_forecast import fit_words, forecast, forecast_facts
from microtome.ui.views.training.augment_chooser import AugmentChooser
from microtome.ui.views.training.importance_card import ImportanceCard
from microtome.ui.views.training.network_chooser import NetworkChooser
from microtome.ui.views.training.network_panel import NetworkPanel
from microtome.ui.views.training.seen_field import SeenField
from microtome.ui.views.training.transfer_card import TransferCard
from microtome.ui.widgets import (
    EmptyState,
    button,
    card,
    clear,
    column,
    empty_stack,
    facts,
    holding,
    label,
    note,
    row,
    scrolling,
)

_FIXED = ("target", "value_unit")  # what is learnt: two that differ in it cannot be compared
Part = Form | AugmentChooser | TransferCard | ImportanceCard


class SetupFace(QWidget):
    """The settings in cards, the forecast and the orders below: what the page shows once there is something to train on."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.network = NetworkChooser(desk.session.network_name())
        self.network.activated.connect(lambda _: self._choose_network())
        self._about = label("", "muted", wrap=True)
        self._facts = column(gap=GRID)
        self.augmentations, self.transfer, self.importance = AugmentChooser(desk), TransferCard(desk), ImportanceCard(desk)
        self.panel, self.seen, self.limit = NetworkPanel(desk), SeenField(desk), LimitField()
        network, training = Form(desk, "network"), Form(desk, "training", FormOptions(unsearchable=_FIXED))
        self.parts: tuple[Part, ...] = (network, training, self.transfer, self.importance, self.augmentations)
        self.start_button = button(tr("Start training"), self.start, kind="primary", icon_name="play")
        self.queue_button = button(tr("Add to queue"), self.enqueue, icon_name="add")
        self.queue_button.setToolTip(tr("It begins with the settings of now, as soon as nothing else of the project runs"))
        self._lay_out(network, training)
        for part in self.parts:
            part.changed.connect(self._show_facts)
        self.panel.counted.connect(self._counted)
        self.limit.changed.connect(self._show_facts)

    def _lay_out(self, network: Form, training: Form) -> None:
        left = card(row(self.network, None), self._about, network, heading=tr("Network"))
        sees = card(self.seen, heading=tr("What it sees at once"))
        right = card(training, heading=tr("Training"))
        columns = row(holding(column(left, sees, None, gap=GRID)), holding(column(right, None)), gap=GRID)
        columns.setStretch(0, 1)
        columns.setStretch(1, 1)
        hint = label(tr("Tick “optimise” on a setting to let a search choose it."), "muted", wrap=True)
        augmented = card(self.augmentations, heading=tr("Augmentations"))
        upper = column(hint, columns, self.panel, self.transfer, self.importance, augmented, None, margin=0, gap=GRID)
        upper.setContentsMargins(GRID, 2 * GRID, GRID, GRID)
        whole = column(scrolling(holding(upper)), holding(column(card(self._foot()), margin=GRID)), gap=0)
        whole.setStretch(0, 1)
        self.setLayout(whole)

    def _foot(self) -> QWidget:
        search = button(tr("On to the search"), lambda: self.desk.open_page("optimise"), icon_name="optimise")
        orders = column(self.start_button, self.queue_button, search, self.limit, None, gap=GRID)
        told = column(holding(self._facts), None)
        body = row(holding(told), holding(orders), gap=2 * GRID)
        body.setStretch(0, 1)
        return holding(body)

    def refresh(self, change: Change) -> None:
        """Show what the session holds."""
        for part in self.parts:
            part.refresh(change)
        self.seen.refresh(change)
        name = self.desk.session.network_name()
        self.network.choose(name)
        self._about.setText(tr(registry().get("network", name).summary))
        self.panel.refresh()
        self._show_facts()

    def _choose_network(self) -> None:
        name = self.network.value()
        if name != self.desk.session.network_name():
            self.desk.perform(lambda: self.desk.session.set_network(name))

    def _counted(self) -> None:
        self.seen.show_facts(self.panel.facts)
        self.transfer.show_facts(self.panel.facts)
        self._show_facts()

    def _show_facts(self) -> None:
        session, panel = self.desk.session, self.panel
        if session.project is None:
            return
        clear(self._facts)
        found = forecast(session, panel.speed, panel.facts, self.limit.limit)
        self._facts.addWidget(facts(forecast_facts(session, found, exact=panel.facts is not None)))
        if words := fit_words(found):
            self._facts.addWidget(note(words))
        if panel.problem:
            self._facts.addWidget(note(panel.problem, "bad"))
        if ticked := session.axes():
            words = tr(
                "{n} settings are ticked “optimise”; a training uses the values shown, a search varies them.", n=len(ticked)
            )
            self._facts.addWidget(note(words, "info"))
        wrong = [sentence for part in self.parts for sentence in part.problems().values()]
        wrong += [text for text in (self.limit.problem.text(), panel.problem) if text]
        for made in (self.start_button, self.queue_button):
            made.setEnabled(not wrong)
        self.start_button.setToolTip("\n".join(wrong))

    def start(self) -> None:
        """Start the training and show its page."""
        limit = self.limit.limit
        run = self.desk.perform(lambda: self.desk.session.start(search=False, name="train", limit=limit))
        if run is not None:
            self.desk.open_page(f"run:{run.name}")
            self.desk.select(f"run:{run.name}")

    def enqueue(self) -> None:
        """Let the training wait for its turn; the page stays, for the next one."""
        limit = self.limit.limit
        run = self.desk.perform(lambda: self.desk.session.enqueue(search=False, name="train", limit=limit))
        if run is not None:
            self.desk.announce(Change.RUNS)


class TrainingSetupPage(Page):
    """Network and training settings, or what is missing before there can be a training."""

    prefix: ClassVar[str] = "train"
    icon: ClassVar[str] = "train"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__(desk, argument)
        self._stack = QStackedWidget()
        self.setLayout(column(self._stack))
        self.face: SetupFace | None = None
        self._kept: dict[str, Any] = {}

    def title(self) -> str:
        """The tab's words."""
        return tr("Training")

    def refresh(self, change: Change) -> None:
        """Show what the session holds."""
        session = self.desk.session
        ready = session.trainable
        if (change & (Change.PROJECT | Change.VOLUMES) and ready != (self.face is not None)) or self._stack.count() == 0:
            self._choose_face(ready)
        if self.face is not None:
            self.face.refresh(change)

    def _choose_face(self, ready: bool) -> None:
        empty_stack(self._stack)
        self.face = SetupFace(self.desk) if ready else None
        self._stack.addWidget(self.face or self._empty())
        self._unfold()

    def _empty(self) -> QWidget:
        session = self.desk.session
        if session.project is None or not session.project.volumes:
            hint = tr("Add volumes first: drop them anywhere on this window.")
        else:
            hint = tr(
                "Telling apart needs at least two classes: give every volume one on the volumes page. A network that tells a "
                "number needs volumes with values."
            )
        text = tr("Nothing to train on yet")
        return EmptyState("train", text, hint, ((tr("Go to the volumes"), lambda: self.desk.open_page("volumes")),))

    def keep(self) -> dict[str, Any]:
        """Which cards are unfolded, and the time budget as it was typed."""
        if self.face is None:
            return self._kept
        face = self.face
        folds = {"layers": face.panel.fold, "transfer": face.transfer.fold, "importance": face.importance.fold}
        return {"open": [name for name, fold in folds.items() if fold.open], "limit": face.limit.line.text()}

    def restore(self, kept: dict[str, Any]) -> None:
        """Unfold them again."""
        self._kept = kept
        self._unfold()

    def _unfold(self) -> None:
        face, kept = self.face, self._kept
        if face is None or not kept:
            return
        folds = {"layers": face.panel.fold, "transfer": face.transfer.fold, "importance": face.importance.fold}
        for name in kept.get("open", []):
            if name in folds:
                folds[name].unfold()
        face.limit.show_text(str(kept.get("limit", "")))
