"""A search's page: the staircase, the trials, their curves, the parameters against the value, who worked on what."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QBoxLayout, QSpinBox, QWidget

from microtome.errors import MicrotomeError
from microtome.results.fold import RunState, TrialState
from microtome.search.recipe import Recipe
from microtome.store.run import Order
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.pages.base import Page
from microtome.ui.search_again import adopt, take_up
from microtome.ui.search_space import SpaceOrders, newest_space, read_recipe
from microtome.ui.search_sums import SearchSums
from microtome.ui.search_words import about_words
from microtome.ui.theme import GRID
from microtome.ui.views.run.header import RunHeader
from microtome.ui.views.run.verdict import Verdict
from microtome.ui.views.run.words import RunWords
from microtome.ui.views.search.board import SearchBoard
from microtome.ui.widgets import button, column, holding, label, row, scrolling
from microtome.ui.words import run_title

_QUIET_MS = 400  # between two redraws: what changes faster cannot be read
_SLOW_TRIALS = 1000  # from here on redraws are rarer


class SearchPage(Page):
    """Follows one search; its selection follows the best trial until the user picks one."""

    prefix: ClassVar[str] = "search"
    icon: ClassVar[str] = "optimise"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__(desk, argument)
        self.state = RunState()
        self._drawn = 0.0
        self._spaces = -1  # how many of the run's spaces are shown
        self.header, self.verdict = RunHeader(desk, argument), Verdict(brief=True)
        self.about = label("", "muted", wrap=True, selectable=True)
        self.remarks = RunWords()
        self.board = SearchBoard(desk, argument)
        self.board.picked.connect(lambda number: self.board.choose(number, by_user=True))
        self.board.trial.wanted.connect(self._use)
        self.board.trial.follow_wanted.connect(lambda: self.board.choose(_interesting(self.state), by_user=False))
        self.workers, self.budget = QSpinBox(), QSpinBox()
        self.sums = SearchSums(self.board)
        self.space = SpaceOrders(desk, self.board, self._send)
        self.edit_space = button(tr("Edit the space…"), self.space.edit)
        self.own_trial = button(tr("Add my own trial…"), self.space.own_trial)
        self.further = button(tr("Search further…"), self._search_further, icon_name="optimise")
        self.further.setToolTip(
            tr("Another search that begins with what these trials have shown; nothing known is trained again")
        )
        self._steering = self._tools()
        self.look = button(tr("Look at the evaluation"), self._evaluation, icon_name="evaluation")
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._draw)
        self.setLayout(column(scrolling(holding(self._body()))))
        self._asked_space = False
        self._read_space()

    def title(self) -> str:
        """The tab's words."""
        return run_title(self.argument)

    def _body(self) -> QBoxLayout:
        about = row(self.about, self.further, self.look, gap=GRID)
        about.setStretch(0, 1)
        tools = row(self._steering, None, self.edit_space, self.own_trial, gap=GRID)
        body = column(self.header, about, self.remarks, self.verdict, tools, self.board, margin=2 * GRID, gap=GRID)
        body.setStretch(5, 1)
        return body

    def _tools(self) -> QWidget:
        for spin, words, most, order in (
            (self.workers, tr("Workers"), 256, "workers"),
            (self.budget, tr("Trials in all"), 1_000_000, "budget"),
        ):
            spin.setRange(1, most)
            spin.setAccessibleName(words)
            spin.setKeyboardTracking(False)
            spin.valueChanged.connect(lambda n, o=order: self._steer(o, n))
        first, second = label(tr("Workers"), "muted"), label(tr("Trials in all"), "muted")
        return holding(row(first, self.workers, GRID, second, self.budget, gap=GRID // 2))

    def _read_space(self) -> None:
        tail = self.desk.tails.get(self.argument)
        if tail is not None:
            self._asked_space = True
            # A recipe that cannot be read any more costs the scales of the axes, nothing else.
            self.desk.tasks.request(self, "space", lambda: read_recipe(tail.run), self._take, failed=self._unreadable)

    def _take(self, recipe: Recipe) -> None:
        self.space.take(recipe)
        self.about.setText(about_words(recipe))
        if recipe.search is not None and recipe.search.second != "none":
            self.board.front_first(recipe.search.second)
        elif recipe.search is not None:
            self.sums.engine = recipe.search.algorithm
        self._spaces = -1
        self._show_space()
        tail = self.header.tail
        self._allow(tail is not None and tail.active)  # a paused search says nothing that would ask again
        self._draw()

    def _unreadable(self, _error: MicrotomeError) -> None:
        self.sums.space = {}
        self._draw()

    def _show_space(self) -> None:
        """The scales of all axes that were ever searched."""
        if self.space.recipe is not None and self._spaces != len(self.state.spaces):
            self._spaces = len(self.state.spaces)
            self.sums.space = newest_space(self.space.recipe, self.state)
            self.sums.within = self.space.within
            self.board.set_space(self.sums.space)

    def _send(self, command: Order, **arguments: Any) -> None:
        self.header.order(command, **arguments)

    def show_state(self, state: RunState) -> None:
        """Follow the run: words at once, pictures a few times a second."""
        self.state = state
        if not self._asked_space:  # the page was there before its run was found
            self._read_space()
        self.header.show_now()
        tail = self.header.tail
        active = tail is not None and tail.active
        self._steering.setVisible(active)
        self._allow(active)
        for spin, value in ((self.workers, state.workers), (self.budget, state.planned_trials)):
            if not spin.hasFocus() and value and spin.value() != value:
                spin.blockSignals(True)
                spin.setValue(value)
                spin.blockSignals(False)
        self.remarks.show_state(state, None)
        self.verdict.show_result(state.evaluated)
        self.look.setVisible(state.evaluated is not None)
        self._ask()

    def _allow(self, active: bool) -> None:
        """Orders about the space: only to a driver that takes them; a reopened search is read-only until Continue."""
        over = not active and self.state.state == "done"
        for made, order in ((self.edit_space, "space"), (self.own_trial, "trial")):
            reason = self.space.reason(active, order)  # type: ignore[arg-type]
            made.setEnabled(not reason)
            made.setToolTip(reason)
            made.setVisible(not over)
        self.further.setVisible(over)
        self.board.lessons.allow(self.space.reason(active), self.space.heeded)

    def _ask(self) -> None:
        pause = _QUIET_MS * (1 if len(self.state.trials) < _SLOW_TRIALS else 5)
        since = (time.monotonic() - self._drawn) * 1000
        if self.state.finished or since > pause:
            self._draw()
        elif not self._later.isActive():
            self._later.start(int(pause - since) + 1)

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        if not self.board.user_chose and self.board.chosen != _interesting(self.state):
            self.board.state = self.state
            self.board.choose(_interesting(self.state), by_user=False)
        self._show_space()
        self.board.show_run(self.state)
        tail = self.header.tail
        if tail is not None and tail.caught_up:
            self.sums.show_run(self.state)

    def _steer(self, command: Order, value: int) -> None:
        now = self.state.workers if command == "workers" else self.state.planned_trials
        if value != now:
            self.header.order(command, n=value)

    def _evaluation(self) -> None:
        self.desk.open_page(f"evaluation:{self.argument}")

    def _search_further(self) -> None:
        recipe, session = self.space.recipe, self.desk.session
        table, fixed = self.space.table(), self.space.fixed()
        if recipe is None or self.desk.perform(lambda: take_up(session, recipe, table, fixed)) is None:
            return
        self.desk.open_page("optimise")
        self.desk.say(
            tr("The settings are those of this search; “Warm start” lets the next one begin with its trials."), level="good"
        )

    def _use(self) -> None:
        tail = self.header.tail
        trial = self.state.trials.get(self.board.chosen) if self.board.chosen is not None else None
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
        """The chosen trial, the axis of the staircase, the filter, brushes and pins."""
        board = self.board
        chosen = board.chosen if board.user_chose else None
        return {
            "chosen": chosen,
            "over": board.stairs.over.value(),
            "filter": board.filter.text(),
            "brushes": board.parallel.brushes.by_axis,
            "pinned": board.table.shown.pinned,
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take them up."""
        self.board.stairs.over.choose(str(kept.get("over", "trials")))
        self.board.filter.setText(str(kept.get("filter", "")))
        brushes = kept.get("brushes", {})
        self.board.parallel.brushes.by_axis = {name: [(a, b) for a, b in parts] for name, parts in brushes.items()}
        for number in kept.get("pinned", []):
            self.board.table.shown.pin(int(number))
        if isinstance(kept.get("chosen"), int):
            self.board.choose(kept["chosen"], by_user=True)


def _interesting(state: RunState) -> int | None:
    """The best trial; before there is one, the running one that is furthest."""
    if state.best_trial is not None:
        return state.best_trial
    candidates: list[TrialState] = state.running_trials() or list(state.trials.values())
    return max(candidates, key=lambda t: (len(t.epochs), -t.number)).number if candidates else None
