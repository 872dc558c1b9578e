"""Another space in mid-search and a trial of one's own: from a click on the page to an order in the run's control file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from microtome.errors import MicrotomeError
from microtome.plugin import Parameter, Space
from microtome.results.fold import RunState
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


class SpaceOrders:
    """The space as it is now (the recipe's, or the newest edited one), and the orders that change it."""

    def __init__(self, desk: Desk, board: SearchBoard, send: Send) -> None:
        self.desk, self.board, self._send = desk, board, send
        self.recipe: Recipe | None = None
        self._given: Table = {}
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
        if not active:
            return tr("The search is not running; while it runs this can be changed.")
        if order not in OBEYED:
            return tr("The driver of this version does not take this order.")
        return "" if self._given else tr("The space of this search cannot be read from its recipe.")

    def freeze(self, name: str, value: Any) -> None:
        """Fix a parameter from now on."""
        self._order(frozen(self.table(), name), {name: value}, self._said(name, tr("frozen at {value}", value=_words(value))))

    def narrow(self, name: str, low: Any, high: Any) -> None:
        """Search a shorter range from now on."""
        table = narrowed(self.table(), name, low, high)
        ends = f"{_words(table[name]['low'])} … {_words(table[name]['high'])}"
        self._order(table, {}, self._said(name, tr("searched in {range}", range=ends)))

    def keep_choices(self, name: str, choices: tuple[Any, ...]) -> None:
        """Search fewer choices from now on."""
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
        self._send("space", table=table, fixed=self._fixed_before() | fixed, defaults=dict(defaults or {}))
        self.desk.say(words, level="good")

    def _fixed_before(self) -> Table:
        spaces = self.board.state.spaces
        return dict(spaces[-1].fixed) if spaces else {}

    def _said(self, name: str, words: str) -> str:
        return f"{tr(short(name))}: {words}"

    def _addable(self) -> dict[str, tuple[Any, Any]]:
        """Settings that could be searched as well → (the axis that is proposed, the value of the trials so far)."""
        recipe, session = self.recipe, self.desk.session
        if recipe is None or recipe.network.name != session.network_name():
            return {}
        taken = {*self.table(), *self._fixed_before()}
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


def _words(value: Any) -> str:
    return tr(value) if isinstance(value, str) else number(value)
