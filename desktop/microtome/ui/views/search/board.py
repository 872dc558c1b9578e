"""All views of a search on one board: two or three beside each other, one selection, each redrawn only when it must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QGridLayout, QLineEdit, QWidget

from microtome.plugin import Parameter
from microtome.results.fold import RunState
from microtome.results.tables import trial_rows
from microtome.results.worker_use import worker_use
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID
from microtome.ui.views.legend import LegendStrip
from microtome.ui.views.redraw import Redraw
from microtome.ui.views.saving import Savers
from microtome.ui.views.search.brushes import Numbers
from microtome.ui.views.search.dots import DotCard
from microtome.ui.views.search.lessons import LessonsCard
from microtome.ui.views.search.parallel import ParallelView
from microtome.ui.views.search.pareto_card import ParetoCard
from microtome.ui.views.search.ranking_card import RankingCard
from microtome.ui.views.search.replay_card import ReplayCard
from microtome.ui.views.search.slice_plot import SlicePlotCard
from microtome.ui.views.search.staircase import StaircaseCard
from microtome.ui.views.search.timeline import Timeline, legend_entries, use_words
from microtome.ui.views.search.trial_card import TrialCard
from microtome.ui.views.search.trial_curves import TrialCurvesCard
from microtome.ui.views.search.trial_table import TrialTable
from microtome.ui.widgets import button, card, label, row, tool

_COLUMNS = 6
_WIDE = 1150  # pixels, from which three cards fit beside each other
_BRUSH_MS = 8  # between a brush's move and the other views: the lines are painted first
_REST_MS = 150  # of a resting hand, before what is scrolled away follows


@dataclass(frozen=True)
class _Place:
    """Line, first column and number of columns of a card, in a narrow and in a wide window."""

    narrow: tuple[int, int, int]
    wide: tuple[int, int, int]


_PLACES = {
    "ranking": _Place((0, 0, 6), (0, 0, 6)),
    "stairs": _Place((1, 0, 3), (1, 0, 2)),
    "curves": _Place((1, 3, 3), (1, 2, 2)),
    "table": _Place((2, 0, 3), (2, 0, 2)),
    "trial": _Place((2, 3, 3), (1, 4, 2)),
    "parallel": _Place((3, 0, 6), (2, 2, 4)),
    "lessons": _Place((4, 0, 6), (3, 0, 2)),
    "slice": _Place((5, 0, 3), (3, 2, 2)),
    "pareto": _Place((5, 3, 3), (3, 4, 2)),
    "timeline": _Place((6, 0, 6), (4, 0, 6)),
    "replay": _Place((7, 0, 6), (5, 0, 6)),
}


_SWAPPED = {"curves": "pareto", "pareto": "curves"}


class SearchBoard(QWidget):
    """`picked` carries the number of the trial that the user chose in any view."""

    picked = Signal(int)

    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__()
        self.desk, self.name = desk, name
        self.redraw = Redraw(self)
        self.state = RunState()
        self.chosen: int | None = None
        self.kept: Numbers | None = None
        self.user_chose = False
        self._seen: dict[str, object] = {}
        self._savers: list[Savers] = []
        self.stairs, self.curves = StaircaseCard(desk, name), TrialCurvesCard(desk, name)
        self.table, self.parallel, self.timeline = TrialTable(), ParallelView(), Timeline()
        self.trial, self.filter = TrialCard(desk, name), QLineEdit()
        self.slice, self.pareto, self.lessons = SlicePlotCard(desk, name), ParetoCard(desk, name), LessonsCard()
        self.ranking, self.replay = RankingCard(), ReplayCard(desk, name)
        self.marks = LegendStrip()  # of the timeline
        self.brush_words, self.use_words = label("", "muted"), label("", "muted", wrap=True)
        for view in (self.stairs, self.table, self.parallel, self.timeline, self.slice, self.pareto, self.ranking):
            view.picked.connect(self.picked)
        self.lessons.parameter_picked.connect(self.slice.show_parameter)
        self._restricting, self._resting = QTimer(self), QTimer(self)
        for timer, wait, act in ((self._restricting, _BRUSH_MS, self._restrict), (self._resting, _REST_MS, self._catch_up)):
            timer.setSingleShot(True)
            timer.setInterval(wait)
            timer.timeout.connect(act)
        self._late: dict[str, Callable[[Numbers | None], None]] = {}
        self.parallel.brushed.connect(lambda: self._restricting.isActive() or self._restricting.start())
        self._wide, self._front_first = False, False
        self._lay_out()

    def _lay_out(self) -> None:
        for made in (self.stairs, self.curves, self.slice, self.pareto):
            made.setMinimumWidth(240)
            made.setMinimumHeight(270)
        self._grid = QGridLayout()
        self._grid.setSpacing(GRID)
        self._grid.setContentsMargins(0, 0, 0, 0)
        for place in range(_COLUMNS):
            self._grid.setColumnStretch(place, 1)
        self._cards: dict[str, QWidget] = {
            "ranking": self.ranking,
            "stairs": self.stairs,
            "curves": self.curves,
            "table": self._table_card(),
            "trial": self.trial,
            "parallel": self._parallel_card(),
            "lessons": self.lessons,
            "slice": self.slice,
            "pareto": self.pareto,
            "timeline": self._timeline_card(),
            "replay": self.replay,
        }
        self.setLayout(self._grid)
        self._arrange(wide=False)

    def _arrange(self, *, wide: bool) -> None:
        self._wide = wide
        for name, made in self._cards.items():
            name = _SWAPPED.get(name, name) if self._front_first else name
            line, place, columns = _PLACES[name].wide if wide else _PLACES[name].narrow
            self._grid.removeWidget(made)
            self._grid.addWidget(made, line, place, 1, columns)
        for line in range(8):
            self._grid.setRowStretch(line, int(line in ((1, 2, 3) if wide else (1, 2, 3, 5))))

    def front_first(self, cost: str) -> None:
        """Of a search with two objectives the front of both is the result: it stands beside the staircase."""
        self._front_first = True
        self.pareto.show_cost(cost)
        self._arrange(wide=self._wide)

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
        self.table.setMinimumHeight(220)
        pin = button(tr("Pin"), self.table.pin_chosen, kind="small")
        pin.setToolTip(tr("Keep the selected trial at the top, or let it go (P)"))
        return _tight(card(row(label(tr("Trials"), "heading"), None, pin, self.filter), self.table))

    def _parallel_card(self) -> QFrame:
        self.unbrush = tool("close", tr("Show all trials again (Escape)"), self.parallel.clear_brushes)
        self.unbrush.setEnabled(False)
        self.parallel.setToolTip("")
        self.brush_words.setText(_brush_help())
        head = row(label(tr("Parameters and value"), "heading"), self.brush_words, None, self.unbrush, gap=GRID)
        self.brush_words.setMinimumWidth(40)
        return self._plain_card(head, self.parallel, "parameters")

    def _timeline_card(self) -> QFrame:
        made = self._plain_card(row(label(tr("Worker timeline"), "heading"), None), self.timeline, "timeline")
        inside = made.layout()
        assert isinstance(inside, QBoxLayout)
        inside.insertWidget(1, self.marks)
        inside.addWidget(self.use_words)
        return made

    def _plain_card(self, head: object, view: QWidget, name: str) -> QFrame:
        made = _tight(card(head, view))  # type: ignore[arg-type]
        self._savers.append(Savers(self.desk, made, lambda: trial_rows(self.state), f"{self.name}-{name}"))
        return made

    def set_space(self, space: Mapping[str, Parameter]) -> None:
        """The ranges and scales of the search's axes."""
        self.parallel.space = space
        for name in ("parameters", "slice"):
            self._seen.pop(name, None)
        self.show_run(self.state)

    def show_run(self, state: RunState) -> None:
        """Ask for every view that has something new; one is drawn a beat."""
        self.state = state
        waiting = sum(t.outcome == "paused" for t in state.trials.values())
        ended = (len(state.trials), len(state.ended_trials()), waiting, state.best_trial, state.state)
        epochs = (*ended, sum(len(t.epochs) for t in state.trials.values()))
        # Most events are progress within an epoch, which only the timeline shows.
        views: list[tuple[str, Callable[[RunState], None], object]] = [
            ("staircase", self.stairs.show_run, ended),
            ("table", self.table.show_run, epochs),
            ("curves", self.curves.show_run, epochs),
            ("parameters", self.parallel.show_run, ended),
            ("slice", lambda state: self.slice.show_run(state, self.parallel.axes), ended),
            ("pareto", self.pareto.show_run, ended),
            ("ranking", self.ranking.show_run, (len(state.retrained), state.ranked)),
            ("timeline", self._show_timeline, state.version),
            ("trial", self._show_trial, (epochs, self.chosen)),
        ]
        for name, show, seen in views:
            if self._seen.get(name) != seen:
                self._seen[name] = seen
                self.redraw.ask(name, lambda show=show: show(self.state))  # type: ignore[misc]

    def _show_timeline(self, state: RunState) -> None:
        self.timeline.show_run(state)
        self.marks.show_entries(legend_entries(state))
        self.use_words.setText(use_words(worker_use(state)))

    def _restrict(self) -> None:
        """Pass on what the brushes keep: at once to the views that can be seen, to the others when the hand rests."""
        self.kept = self.parallel.kept_numbers()
        self.unbrush.setEnabled(self.kept is not None)
        if self.kept is None:
            self.brush_words.setText(_brush_help())
        else:
            self.brush_words.setText(
                tr("{n} of {total} trials; click a stretch to remove it", n=len(self.kept), total=len(self.parallel.trials))
            )
        for name, view in self._restricted().items():
            if view.visibleRegion().isEmpty():
                self._late[name] = view.restrict
            else:
                view.restrict(self.kept)
        if self._late:
            self._resting.start()

    def _catch_up(self) -> None:
        for name, restrict in self._late.items():
            self.redraw.ask(f"restrict {name}", lambda restrict=restrict: restrict(self.kept))  # type: ignore[misc]
        self._late.clear()

    def _restricted(self) -> dict[str, TrialTable | DotCard | TrialCurvesCard]:
        return {
            "table": self.table,
            "staircase": self.stairs,
            "curves": self.curves,
            "slice": self.slice,
            "pareto": self.pareto,
        }

    @property
    def settled(self) -> bool:
        """True once every view shows what the brushes keep and what the run says."""
        return not self._restricting.isActive() and not self._resting.isActive() and self.redraw.idle

    def choose(self, number: int | None, *, by_user: bool) -> None:
        """Select a trial in every view."""
        self.user_chose = by_user
        if number != self.chosen:
            self.chosen = number
            for view in (self.stairs, self.curves, self.table, self.parallel, self.timeline, self.slice, self.pareto):
                view.choose(number)
        self._show_trial(self.state)

    def _show_trial(self, state: RunState) -> None:
        trial = state.trials.get(self.chosen) if self.chosen is not None else None
        self.trial.show_trial(trial, state, picked=self.user_chose)


def _brush_help() -> str:
    return tr("Drag along an axis to keep only what lies there; drag a title to reorder.")


def _tight(made: QFrame) -> QFrame:
    inside = made.layout()
    assert inside is not None
    inside.setContentsMargins(GRID + 4, GRID + 4, GRID + 4, GRID + 4)
    made.setMinimumWidth(240)
    return made
