"""Another space in mid-search and a trial of one's own: from a click on the page to an order in the run's control file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from microtome.errors import MicrotomeError
from microtome.plugin import Parameter, Space
from microtome.results.fold import RunState
from microtome.results.learnt import Lesson
from microtome.results.tables import short
from microtome.results.words import number
from microtome.search.edit import settings_of
from microtome.search.recipe import Recipe, load
from microtome.search.space import carried, space_from_table
from microtome.store.run import OBEYED, Order, RunFolder
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.views.search.axes_dialog import OwnTrialDialog, SpaceDialog, Table, frozen, narrowed, with_choices
from microtome.ui.views.search.board import SearchBoard

Send = Callable[..., None]
_ANSWERED = 10.0  # seconds: by then the driver has changed the space, or has said why not


@dataclass(frozen=True)
class _Asked:
    """An order that the driver has not answered yet: what is asked next begins where it leaves off."""

    table: Table
    fixed: Table
    spaces: int  # how many the run had
    when: float

    def open(self, spaces: int) -> bool:
        """Whether its answer is still to come."""
        return self.spaces == spaces and time.monotonic() - self.when < _ANSWERED


class SpaceOrders:
    """The space as it is now (the recipe's, or the newest edited one), and the orders that change it."""

    def __init__(self, desk: Desk, board: SearchBoard, send: Send) -> None:
        self.desk, self.board, self._send = desk, board, send
        self.recipe: Recipe | None = None
        self._given: Table = {}
        self._asked: _Asked | None = None
        lessons = board.lessons
        lessons.frozen.connect(self.freeze)
        lessons.narrowed.connect(self.narrow)
        lessons.kept_choices.connect(self.keep_choices)

    def take(self, recipe: Recipe) -> None:
        """The recipe of the run."""
        self.recipe = recipe
        self._given = dict(recipe.search.table) if recipe.search is not None else {}

    def table(self) -> Table:
        """The search space as it is now, as in a recipe."""
        spaces = self.board.state.spaces
        if self._asked is not None and self._asked.open(len(spaces)):
            return dict(self._asked.table)
        return dict(spaces[-1].table) if spaces else dict(self._given)

    def within(self, trials: list[tuple[dict[str, Any], float]]) -> tuple[Space, list[tuple[dict[str, Any], float]]]:
        """The space as it is now, and of some trials (parameters, value) those that lie in it, as points of it."""
        space = space_from_table(self.table())
        settings = settings_of(self.recipe) if self.recipe is not None else {}
        found = [(carried(point, space, defaults=settings), value) for point, value in trials]
        return space, [(point, value) for point, value in found if point is not None]

    def space(self) -> dict[str, Parameter]:
        """The axes as they are now."""
        return {p.name: p for p in space_from_table(self.table())}

    def reason(self, active: bool, order: Order = "space") -> str:
        """Why the space cannot be changed now; "" where it can."""
        state = self.board.state
        if not active and state.state == "done":
            return tr("This search is finished; “Search further…” begins another with what it has shown.")
        if not active:
            return tr("The search is not running: “Continue” makes it go on, and then this can be changed.")
        if order not in OBEYED:
            return tr("The driver of this version does not take this order.")
        return "" if self._given else tr("The space of this search cannot be read from its recipe.")

    def freeze(self, name: str, value: Any) -> None:
        """Fix a parameter from now on."""
        self._order(frozen(self.table(), name), {name: value}, self._said(name, tr("frozen at {value}", value=_words(value))))

    def heeded(self, lesson: Lesson) -> str:
        """What of a lesson's proposal is so already, in words: frozen, or searched no wider than it; "" where nothing is."""
        axis, fixed = self.table().get(lesson.name), self.fixed()
        if lesson.name in fixed:
            return tr("frozen at {value}", value=_words(fixed[lesson.name]))
        if axis is None:  # it was never an axis of this search, or its recipe cannot be read
            return ""
        if lesson.choices:
            return tr("left out") if len(lesson.choices) > 1 and set(_choices(axis)) <= set(lesson.choices) else ""
        if lesson.low is None or lesson.high is None:
            return ""
        wanted = narrowed(self.table(), lesson.name, lesson.low, lesson.high)[lesson.name]
        within = wanted["low"] <= axis["low"] and axis["high"] <= wanted["high"]
        return tr("searched in {range}", range=_ends(axis)) if within else ""

    def narrow(self, name: str, low: Any, high: Any) -> None:
        """Search a shorter range from now on; what is narrower already is not widened."""
        axis = self.table()[name]
        if axis["low"] < high and low < axis["high"]:
            low, high = max(low, axis["low"]), min(high, axis["high"])
        table = narrowed(self.table(), name, low, high)
        self._order(table, {}, self._said(name, tr("searched in {range}", range=_ends(table[name]))))

    def keep_choices(self, name: str, choices: tuple[Any, ...]) -> None:
        """Search fewer choices from now on; what is left out already stays out."""
        choices = tuple(c for c in choices if c in _choices(self.table()[name])) or choices
        words = tr("searched in {range}", range=", ".join(_words(c) for c in choices))
        self._order(with_choices(self.table(), name, choices), {}, self._said(name, words))

    def edit(self) -> None:
        """Ask for another space."""
        best = self.board.state.best
        dialog = SpaceDialog(self.board, self.table(), self.space(), best.parameters if best else {}, self._addable())
        if dialog.exec():
            self._order(dialog.table, dialog.fixed, tr("The space is changed."), dialog.defaults)

    def own_trial(self) -> None:
        """Ask for a trial of the user's own."""
        state = self.board.state
        start = state.trials.get(self.board.chosen) if self.board.chosen is not None else state.best
        dialog = OwnTrialDialog(self.board, self.space(), start.parameters if start else {})
        if dialog.exec():
            self._send("trial", parameters=dialog.parameters)
            self.desk.say(tr("Your trial is trained next."), level="good")

    def _order(self, table: Table, fixed: Table, words: str, defaults: Mapping[str, Any] | None = None) -> None:
        if not table:
            self.desk.report(MicrotomeError(tr("At least one parameter must stay free.")))
            return
        frozen_by_now = self.fixed() | fixed
        self._send("space", table=table, fixed=frozen_by_now, defaults=dict(defaults or {}))
        self._asked = _Asked(dict(table), frozen_by_now, len(self.board.state.spaces), time.monotonic())
        self.desk.say(words, level="good")

    def fixed(self) -> Table:
        """What is frozen by now."""
        spaces = self.board.state.spaces
        if self._asked is not None and self._asked.open(len(spaces)):
            return dict(self._asked.fixed)
        return dict(spaces[-1].fixed) if spaces else {}

    def _said(self, name: str, words: str) -> str:
        return f"{tr(short(name))}: {words}"

    def _addable(self) -> dict[str, tuple[Any, Any]]:
        """Settings that could be searched as well → (the axis that is proposed, the value of the trials so far)."""
        recipe, session = self.recipe, self.desk.session
        if recipe is None or recipe.network.name != session.network_name():
            return {}
        taken = {*self.table(), *self.fixed()}
        found: dict[str, tuple[Any, Any]] = {}
        for section, values in (("training", vars(recipe.training)), ("network", recipe.network.parameters)):
            for key in session.specs(section):
                axis = session.default_axis(name) if (name := f"{section}.{key}") not in taken else None
                if axis is not None and key in values and key != "seed":
                    found[name] = (axis, values[key])
        return found


def read_recipe(run: RunFolder) -> Recipe:
    """The recipe of a search; MicrotomeError where it is none."""
    recipe = load(run.recipe)
    if recipe.search is None:
        raise MicrotomeError(f"{run.name} is no search.")
    return recipe


def newest_space(recipe: Recipe, state: RunState) -> dict[str, Parameter]:
    """Every axis that was ever searched, as it was last described: trials of an earlier space keep their scales."""
    table: Table = dict(recipe.search.table) if recipe.search is not None else {}
    for changed in state.spaces:
        table |= changed.table
    # The axes are of different times: what one depended on may be gone since.
    plain = {n: {k: v for k, v in a.items() if k != "when"} if isinstance(a, Mapping) else a for n, a in table.items()}
    return {p.name: p for p in space_from_table(plain)}


def _choices(axis: Any) -> list[Any]:
    return list(axis["choices"] if isinstance(axis, Mapping) else axis)


def _ends(axis: Mapping[str, Any]) -> str:
    return f"{_words(axis['low'])} … {_words(axis['high'])}"


def _words(value: Any) -> str:
    return tr(value) if isinstance(value, str) else number(value)
