"""A search's page: the staircase, the trials, their curves, the parameters against the value, who worked on what."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar

from PySide6.QtCore import QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QGridLayout, QLineEdit, QSpinBox, QWidget

from microtome.errors import MicrotomeError
from microtome.plugin import Parameter
from microtome.results.fold import COUNTED, RunState, TrialState
from microtome.results.tables import current_value, short, trial_rows
from microtome.results.words import number, percent
from microtome.search.recipe import load
from microtome.session import Change, Session
from microtome.store.run import Order, RunFolder
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.pages.base import Page
from microtome.ui.theme import GRID
from microtome.ui.views.curves import CurveCard, class_card
from microtome.ui.views.parallel import ParallelView
from microtome.ui.views.redraw import Redraw
from microtome.ui.views.run_header import RunHeader
from microtome.ui.views.saving import Savers
from microtome.ui.views.staircase import StaircaseCard
from microtome.ui.views.timeline import Timeline
from microtome.ui.views.trial_curves import TrialCurvesCard
from microtome.ui.views.trial_table import TrialTable
from microtome.ui.views.verdict import Verdict
from microtome.ui.widgets import button, card, clear, column, holding, label, note, row, scrolling
from microtome.ui.words import run_title, state_word

_QUIET_MS = 400  # between two redraws of all: what changes faster cannot be read
_SLOW_TRIALS = 1000  # from here on redraws are rarer
_COLUMNS = 6
_WIDE = 1180  # pixels, from which three cards fit beside each other
_SHOWN = 8  # parameters of the chosen trial


class SearchPage(Page):
    """Follows one search; one selection is shared by all views, and follows the best trial until the user picks one."""

    prefix: ClassVar[str] = "search"
    icon: ClassVar[str] = "optimise"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__(desk, argument)
        self.redraw = Redraw(self)
        self.state = RunState()
        self.chosen: int | None = None
        self._picked = False
        self._drawn = 0.0
        self._seen: dict[str, object] = {}
        self._told: tuple[int | None, str] = (None, "")
        self.header, self.verdict = RunHeader(desk, argument), Verdict(brief=True)
        self.stairs, self.curves = StaircaseCard(desk, argument), TrialCurvesCard(desk, argument)
        self.table, self.parallel, self.timeline = TrialTable(), ParallelView(), Timeline()
        self.classes: CurveCard | None = None
        self._classes_place = column(gap=0)
        self._wide = False
        self._class_names: Sequence[str] = ()
        self.use = button(tr("Use this network"), self._use, kind="primary", icon_name="target")
        self.follow = button(tr("Follow the best"), self._follow, kind="small", icon_name="refresh")
        self._name, self._facts = label("", "heading"), column(gap=2)
        self.filter = QLineEdit()
        self.workers, self.budget = QSpinBox(), QSpinBox()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._draw)
        for view in (self.stairs, self.table, self.parallel, self.timeline):
            view.picked.connect(self._pick)
        self.setLayout(column(scrolling(holding(self._body()))))
        self._read_space()

    def title(self) -> str:
        """The tab's words."""
        return run_title(self.argument)

    def _body(self) -> QBoxLayout:
        for made in (self.stairs, self.curves):
            made.setMinimumWidth(240)
            made.setMinimumHeight(210)
        self._grid = QGridLayout()
        self._grid.setSpacing(GRID)
        for place in range(_COLUMNS):
            self._grid.setColumnStretch(place, 1)
        parallel = self._plain_card(tr("Parameters and value"), self.parallel, "parameters")
        timeline = self._plain_card(tr("Worker timeline"), self.timeline, "timeline")
        self._cards = (self.stairs, self.curves, self._table_card(), self._trial_card(), parallel, timeline)
        self._arrange(wide=False)
        body = column(self.header, self.verdict, self._tools(), self._grid, margin=2 * GRID, gap=GRID)
        body.setStretch(3, 1)
        return body

    def _arrange(self, *, wide: bool) -> None:
        """Two cards beside each other, or three where there is room."""
        self._wide = wide
        stairs, curves, table, trial, parallel, timeline = self._cards
        places = [
            (stairs, 0, 0, 3),
            (curves, 0, 3, 3),
            (table, 1, 0, 3),
            (trial, 1, 3, 3),
            (parallel, 2, 0, 6),
            (timeline, 3, 0, 6),
        ]
        if wide:
            places = [
                (stairs, 0, 0, 2),
                (curves, 0, 2, 2),
                (trial, 0, 4, 2),
                (table, 1, 0, 3),
                (parallel, 1, 3, 3),
                (timeline, 2, 0, 6),
            ]
        for made, line, place, columns in places:
            self._grid.removeWidget(made)
            self._grid.addWidget(made, line, place, 1, columns)
        for line, stretch in enumerate((3, 3, 0 if wide else 2, 0)):
            self._grid.setRowStretch(line, stretch)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Choose the arrangement that fits."""
        super().resizeEvent(event)
        if (self.width() >= _WIDE) != self._wide:
            self._arrange(wide=self.width() >= _WIDE)

    def _tools(self) -> QBoxLayout:
        for spin, words, low, high in (
            (self.workers, tr("Workers"), 1, 256),
            (self.budget, tr("Trials in all"), 1, 1_000_000),
        ):
            spin.setRange(low, high)
            spin.setAccessibleName(words)
            spin.setKeyboardTracking(False)
        self.workers.valueChanged.connect(lambda n: self._steer("workers", n))
        self.budget.valueChanged.connect(lambda n: self._steer("budget", n))
        self._steering = holding(
            row(
                *(label(tr("Workers"), "muted"), self.workers, GRID, label(tr("Trials in all"), "muted"), self.budget),
                gap=GRID // 2,
            )
        )
        return row(self._steering, None, gap=GRID)

    def _table_card(self) -> QFrame:
        self.filter.setPlaceholderText(tr("Filter"))
        self.filter.setClearButtonEnabled(True)
        self.filter.setMaximumWidth(180)
        self.filter.textChanged.connect(self.table.shown.set_filter)
        made = card(row(label(tr("Trials"), "heading"), None, self.filter), self.table)
        self._tighten(made, 240)
        self.table.setMinimumHeight(180)
        return made

    def _trial_card(self) -> QFrame:
        made = card(row(self._name, None, self.follow, self.use), self._facts, holding(self._classes_place))
        self._tighten(made, 240)
        return made

    def _plain_card(self, title: str, view: QWidget, name: str) -> QFrame:
        made = card(label(title, "heading"), view)
        self._tighten(made, 200)
        savers = Savers(self.desk, made, lambda: trial_rows(self.state), f"{self.argument}-{name}")
        self._kept = (*getattr(self, "_kept", ()), savers)
        return made

    @staticmethod
    def _tighten(made: QFrame, width: int) -> None:
        inside = made.layout()
        assert inside is not None
        inside.setContentsMargins(GRID + 4, GRID + 4, GRID + 4, GRID + 4)
        made.setMinimumWidth(width)

    def _read_space(self) -> None:
        tail = self.desk.tails.get(self.argument)
        if tail is not None:
            # A recipe that cannot be read any more costs the scales of the axes, nothing else.
            self.desk.tasks.request(self, "space", lambda: _space(tail.run), self._take_space, failed=lambda _: None)

    def _take_space(self, space: dict[str, Parameter]) -> None:
        self.parallel.space = space
        self._seen.pop("parallel", None)
        self._draw()

    def show_state(self, state: RunState) -> None:
        """Follow the run: words at once, pictures a few times a second."""
        self.state = state
        self.header.show_now()
        tail = self.header.tail
        self._steering.setVisible(tail is not None and tail.active)
        for spin, value in ((self.workers, state.workers), (self.budget, state.planned_trials)):
            if not spin.hasFocus() and value and spin.value() != value:
                spin.blockSignals(True)
                spin.setValue(value)
                spin.blockSignals(False)
        self.verdict.show_result(state.evaluated)
        if state.classes and tuple(state.classes) != tuple(self._class_names):
            self._add_classes(state.classes)
        self._ask()

    def _add_classes(self, classes: Sequence[str]) -> None:
        clear(self._classes_place)
        self._class_names = classes
        self.classes = class_card(self.desk, self.argument, classes, tr("Its accuracy of every class"))
        self.classes.bare()
        self._classes_place.addWidget(self.classes)

    def _ask(self) -> None:
        pause = _QUIET_MS * (1 if len(self.state.trials) < _SLOW_TRIALS else 5)
        since = (time.monotonic() - self._drawn) * 1000
        if self.state.finished or since > pause:
            self._draw()
        elif not self._later.isActive():
            self._later.start(int(pause - since) + 1)

    def _draw(self) -> None:
        """Ask for every view that has something new; one is drawn a beat."""
        state = self.state
        self._drawn = time.monotonic()
        if not self._picked:
            self._choose(_interesting(state))
        ended = (len(state.trials), sum(t.ended > 0 for t in state.trials.values()), state.best_trial, state.state)
        epochs = (*ended, sum(len(t.epochs) for t in state.trials.values()))
        # Most events are progress within an epoch, which only the timeline shows.
        views: list[tuple[str, Any, object]] = [
            ("stairs", self.stairs.show_run, ended),
            ("table", self.table.show_run, epochs),
            ("curves", self.curves.show_run, epochs),
            ("parallel", self.parallel.show_run, ended),
            ("timeline", self.timeline.show_run, state.version),
            ("trial", lambda _: self._show_trial(), (epochs, self.chosen)),
        ]
        for name, show, seen in views:
            if self._seen.get(name) != seen:
                self._seen[name] = seen
                self.redraw.ask(name, lambda show=show: show(self.state))  # type: ignore[misc]

    def _pick(self, number_: int) -> None:
        self._picked = True
        self._choose(number_)
        self._show_trial()

    def _follow(self) -> None:
        self._picked = False
        self._choose(_interesting(self.state))
        self._show_trial()

    def _choose(self, number_: int | None) -> None:
        if number_ == self.chosen:
            return
        self.chosen = number_
        for view in (self.stairs, self.curves, self.table, self.parallel, self.timeline):
            view.choose(number_)

    def _show_trial(self) -> None:
        trial = self.state.trials.get(self.chosen) if self.chosen is not None else None
        self.follow.setVisible(self._picked)
        self.use.setEnabled(trial is not None)
        if trial is None:
            self._name.setText(tr("No trial yet"))
            return
        best = " · " + tr("best") if trial.number == self.state.best_trial else ""
        value = percent(current_value(trial))
        self._name.setText(f"{tr('trial {n}', n=trial.number)} · {value}{best}")
        self._tell(trial)
        if self.classes is not None:
            self.classes.show_trial(trial, self._class_names)
            self.classes.show_best()

    def _tell(self, trial: TrialState) -> None:
        """What is special about the chosen trial: its parameters, and why it ended early."""
        if self._told == (trial.number, trial.outcome):
            return
        self._told = (trial.number, trial.outcome)
        clear(self._facts)
        if trial.outcome not in (*COUNTED, "running"):
            self._facts.addWidget(note(f"{state_word(trial.outcome)}. {trial.message}".strip(), "warn"))
        pairs = [f"{short(name)} {number(v)}" for name, v in list(trial.parameters.items())[:_SHOWN]]
        self._facts.addWidget(label("  ·  ".join(pairs), "muted", wrap=True, selectable=True))

    def _steer(self, command: Order, value: int) -> None:
        current = self.state.workers if command == "workers" else self.state.planned_trials
        if value != current:
            self.header.order(command, n=value)

    def _use(self) -> None:
        tail = self.header.tail
        trial = self.state.trials.get(self.chosen) if self.chosen is not None else None
        if tail is None or trial is None:
            return
        if self.desk.perform(lambda: adopt(self.desk.session, tail.run, trial)) is not None:
            self.desk.say(
                tr("Trial {n} is now the network and training of this project.", n=trial.number),
                level="good",
                action=tr("Train it"),
                act=lambda: self.desk.open_page("train"),
            )

    def keep(self) -> dict[str, Any]:
        """The chosen trial, the axis of the staircase, the filter."""
        return {
            "chosen": self.chosen if self._picked else None,
            "over": self.stairs.over.value(),
            "filter": self.filter.text(),
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take them up."""
        self.stairs.over.choose(str(kept.get("over", "trials")))
        self.filter.setText(str(kept.get("filter", "")))
        if isinstance(kept.get("chosen"), int):
            self._picked = True
            self._choose(kept["chosen"])


def _interesting(state: RunState) -> int | None:
    """The best trial; before there is one, the running one that is furthest."""
    if state.best_trial is not None:
        return state.best_trial
    candidates: list[TrialState] = state.running_trials() or list(state.trials.values())
    return max(candidates, key=lambda t: (len(t.epochs), -t.number)).number if candidates else None


def adopt(session: Session, run: RunFolder, trial: TrialState) -> Change:
    """Make a trial's network and training the working ones: what the search fixed as well as what it varied."""
    recipe = load(run.recipe).with_values(trial.parameters)
    if session.network_name() != recipe.network.name:
        session.set_network(recipe.network.name)
    values = {f"network.{name}": value for name, value in recipe.network.parameters.items()}
    values |= {f"training.{name}": getattr(recipe.training, name) for name in session.specs("training")}
    # The slices are the project's own business, unless the search varied them.
    values |= {name: value for name, value in trial.parameters.items() if name.startswith("slices.")}
    return session.adopt(values)


def _space(run: RunFolder) -> dict[str, Parameter]:
    search = load(run.recipe).search
    if search is None:
        raise MicrotomeError(f"{run.name} is no search.")
    return {p.name: p for p in search.space}
