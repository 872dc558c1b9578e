"""Another space in mid-search, and a trial of one's own: orders checked, and an engine that goes on in the new space."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from microtome.errors import InputError, MicrotomeError, UnknownNameError, nearest
from microtome.events import Event, Note, SpaceChanged, StateChanged, TrialAdded
from microtome.plugin import Space
from microtome.search.engine import Engine, Parameters, Value, make_engine
from microtome.search.loop import Loop
from microtome.search.recipe import Recipe, SearchSpec, check_space
from microtome.search.space import carried, space_from_table
from microtome.training.spec import AUGMENTATIONS

_SEEDS = 1_000_003  # between those of two engines of a search: the second must not repeat the places of the first


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Every setting that a search could vary, by its dotted name, with the recipe's value."""
    training = asdict(recipe.training)
    found = {f"slices.{name}": value for name, value in asdict(recipe.slices).items()}
    found |= {f"network.{name}": value for name, value in recipe.network.parameters.items()}
    found |= {f"training.{name}": value for name, value in training.items() if name != AUGMENTATIONS}
    found |= {f"transfer.{name}": value for name, value in asdict(recipe.transfer).items()}
    found |= {f"importance.{name}": value for name, value in asdict(recipe.importance).items()}
    for item in recipe.training.augmentations:
        found |= {f"augmentation.{item['name']}.{name}": value for name, value in item.items() if name != "name"}
    return found


class SearchEngine:
    """A search's engine over a space that may be edited; points are complete: frozen values stand in them.

    After an edit an engine is made anew and told every earlier trial that lies in the new space (decision 0015): the same
    asks, tells and edits in the same order bring it to the same place, which is how a search is resumed.
    """

    def __init__(self, recipe: Recipe) -> None:
        assert recipe.search is not None
        self._recipe, self._search = recipe, recipe.search
        self._settings = settings_of(recipe)
        self.table: Mapping[str, Any] = self._search.table
        self.fixed: dict[str, Any] = {}
        self.space = self._search.space
        self._changes = 0
        self._told: list[tuple[Parameters, Value]] = []
        self._engine = self._make(self.space, 0)

    def ask(self) -> Parameters | None:
        """See Engine."""
        point = self._engine.ask()
        return None if point is None else {**point, **self.fixed}

    def tell(self, parameters: Parameters, value: Value) -> None:
        """See Engine; a trial outside the space is kept for a space in which it lies."""
        self._told.append((parameters, value))
        self._pass_on(self._engine, self.space, parameters, value)

    def change(self, table: Mapping[str, Any], fixed: Mapping[str, Any]) -> tuple[int, int]:
        """Go on in another space; returns how many of the trials known so far lie in it, and how many there are.

        Raises InputError, and stays as it was, where the engine cannot search such a space.
        """
        space = space_from_table(table)
        engine = self._make(space, self._changes + 1)
        inside, all_of_them = set(), set()
        for parameters, value in self._told:
            name = json.dumps(parameters, sort_keys=True)
            all_of_them.add(name)
            if self._pass_on(engine, space, parameters, value):
                inside.add(name)
        self.table, self.fixed, self.space, self._engine = dict(table), dict(fixed), space, engine
        self._changes += 1
        return len(inside), len(all_of_them)

    def checked(self, order: Mapping[str, Any]) -> SpaceChanged:
        """An order to change the space as the event that it becomes; a MicrotomeError says what is wrong with it."""
        table, fixed, given = (_table(order.get(name, {}), name) for name in ("table", "fixed", "defaults"))
        twice = [name for name in fixed if name in table]
        if twice:
            raise InputError(f"“{twice[0]}” cannot be frozen and searched at once.", "Leave it in one of the two.")
        table = _without_conditions(_narrowed_conditions(table, self.table), fixed)
        changed: SearchSpec = replace(self._search, table=table)
        check_space(replace(self._recipe, search=changed))
        self._recipe.with_values(fixed)
        added = {name: self._settings.get(name) for name in table if name not in self.table and name not in self.fixed}
        for name, value in given.items():
            if name in added and added[name] != value:
                raise InputError(
                    f"The trials so far had {name} = {added[name]!r}, so they cannot count as trials with {value!r}.",
                    "Leave the default out.",
                )
        return SpaceChanged(table=table, fixed=fixed, defaults=added)

    def own(self, parameters: Any) -> Parameters:
        """The user's own trial as a complete point; what it leaves out is as in the recipe. It may lie outside the space.

        A MicrotomeError says what is wrong with it.
        """
        given = _table(parameters, "parameters")
        axes = {axis.name: axis for axis in self.space}
        for name in given:
            if name not in axes and name not in self.fixed:
                raise UnknownNameError(f"“{name}” is no axis of this search.", nearest(name, [*axes, *self.fixed]))
        values = {}
        for name, axis in axes.items():
            value = given.get(name, self._settings.get(name))
            if axis.kind == "float" and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)  # the same trial, and the same key
            values[name] = value
        frozen = {name: given.get(name, value) for name, value in self.fixed.items()}
        point = {**self.space.active(values), **frozen}
        self._recipe.with_values(point)
        return point

    def _make(self, space: Space, change: int) -> Engine:
        search = self._search
        # As the recipe says it, whatever was ordered since: the same engine must come out on every replay.
        return make_engine(
            search.algorithm,
            space,
            budget=search.budget,
            seed=(search.seed + _SEEDS * change) % 2**31,
            workers=search.workers,
            objectives=1 if search.second == "none" else 2,
        )

    def _pass_on(self, engine: Engine, space: Space, parameters: Parameters, value: Value) -> bool:
        point = carried(parameters, space, defaults=self._settings)
        if point is None:
            return False
        engine.tell(point, value)
        return True


def replay(engine: Engine, history: Iterable[tuple[str, Parameters, Value]]) -> None:
    """Bring a fresh engine to where a journal ends: ("ask", what was proposed, None), ("tell", point, value) and
    ("space", {table, fixed}, None) in order.

    A point that this engine does not propose (it was written by another version) is told as one that was never asked for.
    """
    for what, parameters, value in history:
        if what == "ask":
            engine.ask()
        elif what == "tell":
            engine.tell(parameters, value)
        elif isinstance(engine, SearchEngine):
            engine.change(parameters["table"], parameters["fixed"])


def obey(order: Mapping[str, Any], engine: Engine, loop: Loop, *, emit: Callable[[Event], None], state: str) -> None:
    """Change the space, or take up a trial of the user's own; a wrong order is answered by a note, and all goes on.

    `state` is the driver's state word, which an event about the budget repeats.
    """
    try:
        if not isinstance(engine, SearchEngine):
            raise InputError("A training has no search space.", "Start a search.")
        if order["command"] == "trial":
            point = engine.own(order.get("parameters"))
            emit(TrialAdded(parameters=point))
            loop.own.append(point)
            loop.budget += 1
            emit(StateChanged(state=state, trials=loop.budget))
            return
        changed = engine.checked(order)
        inside, known = engine.change(changed.table, changed.fixed)
        emit(changed)
        emit(Note(text=f"The space was changed: {inside} of the {known} trials that are known lie in it."))
        loop.exhausted = False
    except MicrotomeError as error:
        emit(Note(text=f"The search goes on as it was. {error.message}", level="warning", hint=error.hint))


def _narrowed_conditions(table: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The table where axes depend on values that were taken out of another one: on the rest of them, or they are gone."""
    made = {}
    for name, axis in table.items():
        parent, wanted = _condition(axis)
        left = [value for value in wanted if parent not in table or _offers(table[parent], value)]
        if len(left) < len(wanted) and _condition(before.get(name)) == (parent, wanted):
            if left:
                made[name] = {**axis, "when": {parent: left}}
        else:
            made[name] = axis
    return made


def _offers(axis: Any, value: Any) -> bool:
    """Whether an axis of a table has a value; one that makes no sense has all, to be said later."""
    if not isinstance(axis, Mapping):
        return value in axis if isinstance(axis, list | tuple) else True
    if isinstance(choices := axis.get("choices"), list | tuple):
        return value in choices
    low, high = axis.get("low"), axis.get("high")
    numbers = all(isinstance(v, int | float) for v in (low, high, value))
    return bool(low <= value <= high) if numbers else True


def _without_conditions(table: dict[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """The table where conditions on frozen axes are decided: such an axis is there always, or not at all."""
    made, gone = {}, set()
    for name, axis in table.items():
        parent, wanted = _condition(axis)
        if parent not in fixed:
            made[name] = axis
        elif fixed[parent] in wanted:
            made[name] = {key: value for key, value in axis.items() if key != "when"}
        else:
            gone.add(name)
    while below := {name for name, axis in made.items() if _condition(axis)[0] in gone}:
        gone |= below
        made = {name: axis for name, axis in made.items() if name not in below}
    return made


def _condition(axis: Any) -> tuple[str, Sequence[Any]]:
    """(the axis that this one depends on, its values); ("", []) where on none. What makes no sense is left to be said later."""
    when = axis.get("when") if isinstance(axis, Mapping) else None
    if not isinstance(when, Mapping) or len(when) != 1:
        return "", []
    [(parent, values)] = when.items()
    return str(parent), values if isinstance(values, list | tuple) else [values]


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{where} must be a table, not {value!r}.")
    return dict(value)
