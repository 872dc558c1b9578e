"""All views of a search on one board: two or three beside each other, one selection, each redrawn only when it must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLineEdit, QWidget

from microtome.plugin import Parameter
from microtome.results.fold import RunState
from microtome.results.tables import trial_rows
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID
from microtome.ui.views.parallel import ParallelView
from microtome.ui.views.redraw import Redraw
from microtome.ui.views.saving import Savers
from microtome.ui.views.staircase import StaircaseCard
from microtome.ui.views.timeline import Timeline
from microtome.ui.views.trial_card import TrialCard
from microtome.ui.views.trial_curves import TrialCurvesCard
from microtome.ui.views.trial_table import TrialTable
from microtome.ui.widgets import card, label, row

_COLUMNS = 6
_WIDE = 1150  # pixels, from which three cards fit beside each other
#: Line, first column and number of columns of: staircase, curves, table, trial, parameters, timeline.
_NARROW_PLACES = ((0, 0, 3), (0, 3, 3), (1, 0, 3), (1, 3, 3), (2, 0, 6), (3, 0, 6))
_WIDE_PLACES = ((0, 0, 2), (0, 2, 2), (1, 0, 3), (0, 4, 2), (1, 3, 3), (2, 0, 6))


class SearchBoard(QWidget):
    """`picked` carries the number of the trial that the user chose in any view."""

    picked = Signal(int)

    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__()
        self.desk, self.name = desk, name
        self.redraw = Redraw(self)
        self.state = RunState()
        self.chosen: int | None = None
        self.user_chose = False
        self._seen: dict[str, object] = {}
        self._savers: list[Savers] = []
        self.stairs, self.curves = StaircaseCard(desk, name), TrialCurvesCard(desk, name)
        self.table, self.parallel, self.timeline = TrialTable(), ParallelView(), Timeline()
        self.trial, self.filter = TrialCard(desk, name), QLineEdit()
        for view in (self.stairs, self.table, self.parallel, self.timeline):
            view.picked.connect(self.picked)
        self._wide = False
        self._lay_out()

    def _lay_out(self) -> None:
        for made in (self.stairs, self.curves):
            made.setMinimumWidth(240)
            made.setMinimumHeight(210)
        self._grid = QGridLayout()
        self._grid.setSpacing(GRID)
        self._grid.setContentsMargins(0, 0, 0, 0)
        for place in range(_COLUMNS):
            self._grid.setColumnStretch(place, 1)
        parallel = self._plain_card(tr("Parameters and value"), self.parallel, "parameters")
        timeline = self._plain_card(tr("Worker timeline"), self.timeline, "timeline")
        self._cards = (self.stairs, self.curves, self._table_card(), self.trial, parallel, timeline)
        self.setLayout(self._grid)
        self._arrange(wide=False)

    def _arrange(self, *, wide: bool) -> None:
        self._wide = wide
        for made, (line, place, columns) in zip(self._cards, _WIDE_PLACES if wide else _NARROW_PLACES, strict=True):
            self._grid.removeWidget(made)
            self._grid.addWidget(made, line, place, 1, columns)
        for line, stretch in enumerate((3, 3, 0 if wide else 2, 0)):
            self._grid.setRowStretch(line, stretch)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Choose the arrangement that fits."""
        super().resizeEvent(event)
        if (self.width() >= _WIDE) != self._wide:
            self._arrange(wide=self.width() >= _WIDE)

    def _table_card(self) -> QFrame:
        self.filter.setPlaceholderText(tr("Filter"))
        self.filter.setAccessibleName(tr("Filter"))
        self.filter.setClearButtonEnabled(True)
        self.filter.setMaximumWidth(180)
        self.filter.textChanged.connect(self.table.shown.set_filter)
        self.table.setMinimumHeight(180)
        return _tight(card(row(label(tr("Trials"), "heading"), None, self.filter), self.table))

    def _plain_card(self, title: str, view: QWidget, name: str) -> QFrame:
        made = _tight(card(label(title, "heading"), view))
        self._savers.append(Savers(self.desk, made, lambda: trial_rows(self.state), f"{self.name}-{name}"))
        return made

    def set_space(self, space: Mapping[str, Parameter]) -> None:
        """The ranges and scales of the search's axes."""
        self.parallel.space = space
        self._seen.pop("parameters", None)
        self.show_run(self.state)

    def show_run(self, state: RunState) -> None:
        """Ask for every view that has something new; one is drawn a beat."""
        self.state = state
        ended = (len(state.trials), sum(t.ended > 0 for t in state.trials.values()), state.best_trial, state.state)
        epochs = (*ended, sum(len(t.epochs) for t in state.trials.values()))
        # Most events are progress within an epoch, which only the timeline shows.
        views: list[tuple[str, Callable[[RunState], None], object]] = [
            ("staircase", self.stairs.show_run, ended),
            ("table", self.table.show_run, epochs),
            ("curves", self.curves.show_run, epochs),
            ("parameters", self.parallel.show_run, ended),
            ("timeline", self.timeline.show_run, state.version),
            ("trial", self._show_trial, (epochs, self.chosen)),
        ]
        for name, show, seen in views:
            if self._seen.get(name) != seen:
                self._seen[name] = seen
                self.redraw.ask(name, lambda show=show: show(self.state))  # type: ignore[misc]

    def choose(self, number: int | None, *, by_user: bool) -> None:
        """Select a trial in every view."""
        self.user_chose = by_user
        if number != self.chosen:
            self.chosen = number
            for view in (self.stairs, self.curves, self.table, self.parallel, self.timeline):
                view.choose(number)
        self._show_trial(self.state)

    def _show_trial(self, state: RunState) -> None:
        trial = state.trials.get(self.chosen) if self.chosen is not None else None
        self.trial.show_trial(trial, state, picked=self.user_chose)


def _tight(made: QFrame) -> QFrame:
    inside = made.layout()
    assert inside is not None
    inside.setContentsMargins(GRID + 4, GRID + 4, GRID + 4, GRID + 4)
    made.setMinimumWidth(240)
    return made
