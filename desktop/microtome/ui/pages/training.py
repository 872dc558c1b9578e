"""The training page: which network, how it learns, what it will take, and the button that starts it."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtWidgets import QStackedWidget, QWidget

from microtome.registry import registry
from microtome.session import Change
from microtome.ui.desk import Desk
from microtome.ui.forecast import forecast_facts, last_speed
from microtome.ui.form import Form
from microtome.ui.i18n import tr
from microtome.ui.pages.base import Page
from microtome.ui.theme import GRID
from microtome.ui.views.augment_chooser import AugmentChooser
from microtome.ui.widgets import (
    Choice,
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


class TrainingSetupPage(Page):
    """Network and training settings in two columns, the forecast and Start below."""

    prefix: ClassVar[str] = "train"
    icon: ClassVar[str] = "train"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__(desk, argument)
        self._stack = QStackedWidget()
        self.setLayout(column(self._stack))
        self._forms: list[Form | AugmentChooser] = []
        self.network: Choice | None = None
        self._about = label("", "muted", wrap=True)
        self._facts = column(gap=GRID)
        self.start_button = button(tr("Start training"), self.start, kind="primary", icon_name="play")

    def title(self) -> str:
        """The tab's words."""
        return tr("Training")

    def refresh(self, change: Change) -> None:
        """Show what the session holds."""
        session = self.desk.session
        ready = session.project is not None and len(session.classes()) >= 2
        if (change & (Change.PROJECT | Change.VOLUMES) and ready != bool(self._forms)) or self._stack.count() == 0:
            self._choose_face(ready)
        if not self._forms:
            return
        for form in self._forms:
            form.refresh(change)
        if self.network is not None:
            self.network.choose(session.network_name())
            self._about.setText(tr(registry().get("network", session.network_name()).summary))
        self._show_facts()

    def _choose_face(self, ready: bool) -> None:
        empty_stack(self._stack)
        self._forms = []
        self._stack.addWidget(self._face() if ready else self._empty())

    def _empty(self) -> QWidget:
        session = self.desk.session
        if session.project is None or not session.project.volumes:
            hint = tr("Add volumes first: drop them anywhere on this window.")
        else:
            hint = tr("Telling apart needs at least two classes: give every volume one on the volumes page.")
        text = tr("Nothing to train on yet")
        return EmptyState("train", text, hint, ((tr("Go to the volumes"), lambda: self.desk.open_page("volumes")),))

    def _face(self) -> QWidget:
        names = [(p.name, tr(p.label)) for p in registry().of_kind("network")]
        self.network = Choice(names, self.desk.session.network_name())
        self.network.setAccessibleName(tr("Network"))
        self.network.activated.connect(lambda _: self._choose_network())
        self._about = label("", "muted", wrap=True)
        self._facts = column(gap=GRID)
        self.start_button = button(tr("Start training"), self.start, kind="primary", icon_name="play")
        network, training = Form(self.desk, "network"), Form(self.desk, "training")
        self.augmentations = AugmentChooser(self.desk)
        self._forms = [network, training, self.augmentations]
        for form in self._forms:
            form.changed.connect(self._show_facts)
        left = card(row(self.network, None), self._about, network, heading=tr("Network"))
        right = card(training, heading=tr("Training"))
        columns = row(holding(column(left, None)), holding(column(right, None)), gap=GRID)
        columns.setStretch(0, 1)
        columns.setStretch(1, 1)
        hint = label(tr("Tick “optimise” on a setting to let a search choose it."), "muted", wrap=True)
        augmented = card(self.augmentations, heading=tr("Augmentations"))
        upper = column(hint, columns, augmented, None, margin=0, gap=GRID)
        upper.setContentsMargins(GRID, 2 * GRID, GRID, GRID)
        area = scrolling(holding(upper))
        foot = card(self._foot())
        whole = column(area, holding(column(foot, margin=GRID)), gap=0)
        whole.setStretch(0, 1)
        return holding(whole)

    def _foot(self) -> QWidget:
        search = button(tr("On to the search"), lambda: self.desk.open_page("optimise"), icon_name="optimise")
        orders = column(self.start_button, search, None, gap=GRID)
        body = row(holding(self._facts), holding(orders), gap=2 * GRID)
        body.setStretch(0, 1)
        return holding(body)

    def _choose_network(self) -> None:
        assert self.network is not None
        name = self.network.value()
        if name != self.desk.session.network_name():
            self.desk.perform(lambda: self.desk.session.set_network(name))

    def _show_facts(self) -> None:
        clear(self._facts)
        session = self.desk.session
        self._facts.addWidget(facts(forecast_facts(session, last_speed(self.desk))))
        ticked = session.axes()
        if ticked:
            words = tr(
                "{n} settings are ticked “optimise”; a training uses the values shown, a search varies them.", n=len(ticked)
            )
            self._facts.addWidget(note(words, "info"))
        wrong = [sentence for form in self._forms for sentence in form.problems().values()]
        self.start_button.setEnabled(not wrong)
        self.start_button.setToolTip("\n".join(wrong))

    def start(self) -> None:
        """Start the training and show its page."""
        run = self.desk.perform(lambda: self.desk.session.start(search=False, name="train"))
        if run is not None:
            self.desk.open_page(f"run:{run.name}")
            self.desk.select(f"run:{run.name}")
