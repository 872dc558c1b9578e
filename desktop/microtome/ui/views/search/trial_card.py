"""The chosen trial of a search: its parameters, its accuracy of every class, and the button that takes it over."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame

from microtome.results.fold import COUNTED, RunState, TrialState
from microtome.results.scores import score_of
from microtome.results.tables import current_value, short
from microtome.results.words import number
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID
from microtome.ui.views.run.curves import CurveCard, class_card
from microtome.ui.views.run.value_cards import r2_card
from microtome.ui.widgets import button, clear, column, label, note, row
from microtome.ui.words import state_word

_SHOWN = 8  # parameters


class TrialCard(QFrame):
    """`wanted`: take over this trial; `follow_wanted`: show the best one again."""

    wanted = Signal()
    follow_wanted = Signal()

    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__()
        self.desk, self.name = desk, name
        self.setProperty("role", "card")
        self.setMinimumWidth(240)
        self.use = button(tr("Use this network"), self.wanted.emit, kind="primary", icon_name="target")
        self.follow = button(tr("Follow the best"), self.follow_wanted.emit, kind="small", icon_name="refresh")
        self.title = label("", "heading")
        self.curves: CurveCard | None = None
        self._facts, self._place = column(gap=2), column(gap=0)
        self._classes: Sequence[str] = ()
        self._tells = False  # a number
        self._told: tuple[int | None, str] = (None, "")
        body = column(row(self.title, None, self.follow, self.use), self._facts, self._place, margin=GRID + 4)
        body.setStretch(2, 1)
        self.setLayout(body)

    def show_trial(self, trial: TrialState | None, state: RunState, *, picked: bool) -> None:
        """Show a trial of a run; picked: the user chose it, so it stays until he follows the best again."""
        self.follow.setVisible(picked)
        self.use.setEnabled(trial is not None)
        if trial is None:
            self.title.setText(tr("No trial yet"))
            return
        best = " · " + tr("best") if trial.number == state.best_trial else ""
        self.title.setText(f"{tr('trial {n}', n=trial.number)} · {score_of(trial).words(current_value(trial))}{best}")
        self._tell(trial)
        tells = bool(trial.epochs) and trial.epochs[-1].r2 is not None
        if self.curves is None or tuple(self._classes) != tuple(state.classes) or tells != self._tells:
            self._add_curves(state.classes, tells)
        assert self.curves is not None
        self.curves.show_trial(trial, self._classes)
        self.curves.show_best()

    def _add_curves(self, classes: Sequence[str], tells: bool) -> None:
        clear(self._place)
        self._classes, self._tells = classes, tells
        if tells:
            self.curves = r2_card(self.desk, self.name)
        else:
            self.curves = class_card(self.desk, self.name, classes, tr("Its accuracy of every class"))
        self.curves.bare()
        self._place.addWidget(self.curves)

    def _tell(self, trial: TrialState) -> None:
        """The parameters, and why it ended early."""
        if self._told == (trial.number, trial.outcome):
            return
        self._told = (trial.number, trial.outcome)
        clear(self._facts)
        if trial.outcome not in (*COUNTED, "running"):
            self._facts.addWidget(note(f"{state_word(trial.outcome)}. {trial.message}".strip(), "warn"))
        # A value stays in the line of its name.
        pairs = [
            f"{tr(short(name))} {tr(v) if isinstance(v, str) else number(v)}".replace(" ", "\N{NO-BREAK SPACE}")
            for name, v in list(trial.parameters.items())[:_SHOWN]
        ]
        self._facts.addWidget(label(" · ".join(pairs), "muted", wrap=True, selectable=True))
