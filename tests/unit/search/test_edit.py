"""Another space in mid-search and trials of one's own: what an engine knows after it, what is refused, and resuming."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import Watch, make

from microtome.errors import InputError, MicrotomeError
from microtome.events import Event, Note, RunEnded, SpaceChanged, StateChanged, TrialEnded, TrialStarted
from microtome.search.driver import drive
from microtome.search.edit import SearchEngine, replay, settings_of
from microtome.search.recipe import Recipe, parse
from microtome.search.records import Records
from microtome.store.journal import read_all
from microtome.store.run import RunFolder

RATE, DROPOUT, WIDTH, DECAY = "training.learning_rate", "network.dropout", "network.width", "training.weight_decay"
TABLE: dict[str, Any] = {RATE: {"low": 1e-4, "high": 1e-1, "log": True}, DROPOUT: {"low": 0.0, "high": 0.6}}


def recipe(algorithm: str = "random", table: dict[str, Any] | None = None) -> Recipe:
    search = {"algorithm": algorithm, "budget": 40, "seed": 3, "space": table or TABLE}
    return parse({"class": [{"name": "a"}, {"name": "b"}], "search": search})


def steps(engine: SearchEngine, count: int) -> list[tuple[str, dict[str, Any], float | None]]:
    history: list[tuple[str, dict[str, Any], float | None]] = []
    for _ in range(count):
        point = engine.ask()
        assert point is not None
        value = -abs(point.get(RATE, 1e-3) - 1e-3)
        engine.tell(point, value)
        history += [("ask", point, None), ("tell", point, value)]
    return history


def change(engine: SearchEngine, **order: Any) -> tuple[SpaceChanged, tuple[int, int]]:
    changed = engine.checked(order)
    return changed, engine.change(changed.table, changed.fixed)


def test_a_frozen_axis_keeps_its_value_and_every_trial_stays_known() -> None:
    engine = SearchEngine(recipe())
    steps(engine, 10)
    changed, known = change(engine, table={RATE: TABLE[RATE]}, fixed={DROPOUT: 0.25})
    assert known == (10, 10)
    assert changed.fixed == {DROPOUT: 0.25}
    points = [point for what, point, _ in steps(engine, 5) if what == "ask"]
    assert {p[DROPOUT] for p in points} == {0.25}
    assert len({p[RATE] for p in points}) == 5


def test_a_narrowed_axis_leaves_out_what_lies_beyond_until_it_is_widened() -> None:
    engine = SearchEngine(recipe())
    told = [point for what, point, _ in steps(engine, 20) if what == "tell"]
    inside = sum(1e-3 <= p[RATE] <= 1e-2 for p in told)
    assert 0 < inside < 20
    narrow = {**TABLE, RATE: {"low": 1e-3, "high": 1e-2, "log": True}}
    assert change(engine, table=narrow)[1] == (inside, 20)
    more = [point for what, point, _ in steps(engine, 10) if what == "ask"]
    assert all(1e-3 <= p[RATE] <= 1e-2 for p in more)
    assert change(engine, table=TABLE)[1] == (30, 30), "trials that lay outside are known again"


def test_an_axis_that_is_added_has_the_recipes_value_in_earlier_trials() -> None:
    engine = SearchEngine(recipe())
    steps(engine, 6)
    changed, known = change(engine, table={**TABLE, WIDTH: [8, 16, 32]}, defaults={WIDTH: 32})
    assert (changed.defaults, known) == ({WIDTH: 32}, (6, 6))
    assert {point[WIDTH] for what, point, _ in steps(engine, 12) if what == "ask"} == {8, 16, 32}
    assert change(engine, table={**TABLE, WIDTH: [8, 16]})[1][0] < 18, "those of 32 lie outside"


def test_an_engine_is_told_the_same_as_if_the_space_had_been_so_from_the_beginning() -> None:
    wide, narrow = SearchEngine(recipe("tpe")), {**TABLE, RATE: {"low": 1e-3, "high": 1e-2, "log": True}}
    steps(wide, 15)
    told: list[Any] = []
    made: Callable[..., Any] = wide._make

    class Heard:
        """Writes down what an engine is told."""

        def tell(self, point: Any, value: Any) -> None:
            told.append((point, value))

        def ask(self) -> None:
            return None

    wide._make = lambda space, number: Heard()  # type: ignore[method-assign, assignment]
    wide.change(narrow, {})
    assert told == [(p, v) for p, v in wide._told if 1e-3 <= p[RATE] <= 1e-2]
    wide._make = made  # type: ignore[method-assign]


AXES = st.fixed_dictionaries(
    {RATE: st.just({"low": 1e-3, "high": 1e-2, "log": True})},
    optional={
        DROPOUT: st.tuples(st.floats(0, 0.3), st.floats(0.3, 0.8)).map(lambda e: {"low": e[0], "high": e[1]}),
        WIDTH: st.sampled_from([[8, 16], [32], [8, 32, 64]]),
        DECAY: st.just({"low": 0.0, "high": 0.1}),
    },
)


@settings(max_examples=15, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, 4), AXES, st.integers(0, 2)), max_size=4),
    algorithm=st.sampled_from(["random", "de"]),
)
def test_the_same_asks_tells_and_edits_bring_an_engine_to_the_same_place(
    edits: list[tuple[int, dict[str, Any], int]], algorithm: str
) -> None:
    first, second = SearchEngine(recipe(algorithm)), SearchEngine(recipe(algorithm))
    history: list[tuple[str, dict[str, Any], Any]] = []
    for before, table, late in edits:
        history += steps(first, before)
        running = [point for _ in range(late) if (point := first.ask()) is not None]
        history += [("ask", point, None) for point in running]
        fixed = {} if DROPOUT in table else {DROPOUT: 0.4}
        changed, _ = change(first, table=table, fixed=fixed)
        history.append(("space", {"table": changed.table, "fixed": changed.fixed}, None))
        for point in running:  # they were asked for in another space
            first.tell(point, 0.1)
            history.append(("tell", point, 0.1))
    replay(second, history)
    assert [first.ask() for _ in range(4)] == [second.ask() for _ in range(4)]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"table": {}}, "nothing to vary"),
        ({"table": "all"}, "must be a table"),
        ({"table": {"training.learning_rat": [1e-3]}}, "learning_rat"),
        ({"table": {RATE: {"low": 1.0, "high": 1e-3}}}, "low = 1"),
        ({"table": {RATE: {"low": 1e-3, "high": 1e9}}}, "learning_rate"),
        ({"table": TABLE, "fixed": {DROPOUT: 0.1}}, "frozen and searched"),
        ({"table": {RATE: TABLE[RATE]}, "fixed": {DROPOUT: 7.0}}, "dropout"),
        ({"table": {RATE: TABLE[RATE]}, "fixed": {"nothing.at_all": 7.0}}, "nothing.at_all"),
        ({"table": {**TABLE, WIDTH: [8, 16]}, "defaults": {WIDTH: 16}}, "cannot count as trials with 16"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(order: dict[str, Any], words: str) -> None:
    engine = SearchEngine(recipe())
    with pytest.raises(MicrotomeError, match=words):
        change(engine, **order)
    assert engine.table == TABLE and engine.fixed == {}


def test_an_engine_that_cannot_search_the_new_space_keeps_the_old_one() -> None:
    engine = SearchEngine(recipe("cma"))
    steps(engine, 3)
    try:
        change(engine, table={WIDTH: [8, 16]})
    except InputError:
        assert engine.table == TABLE
    point = engine.ask()
    assert point is not None and set(point) in ({RATE, DROPOUT}, {WIDTH})


def test_conditions_on_a_frozen_axis_are_decided() -> None:
    table = {
        "training.optimizer": ["adam", "sgd"],
        "training.momentum": {"low": 0.5, "high": 0.9, "when": {"training.optimizer": ["sgd"]}},
    }
    left = {RATE: TABLE[RATE], "training.momentum": table["training.momentum"]}
    engine = SearchEngine(recipe(table={**TABLE, **table}))
    kept, _ = change(engine, table=left, fixed={"training.optimizer": "sgd"})
    assert kept.table["training.momentum"] == {"low": 0.5, "high": 0.9}
    gone, _ = change(engine, table=left, fixed={"training.optimizer": "adam"})
    assert set(gone.table) == {RATE}


def test_an_axis_goes_with_the_last_value_that_it_depended_on() -> None:
    width = {"low": 16, "high": 64, "when": {"network.dense": [1, 2]}}
    engine = SearchEngine(recipe(table={**TABLE, "network.dense": [0, 1, 2], "network.dense_width": width}))
    steps(engine, 8)
    changed, _ = change(engine, table={**engine.table, "network.dense": [0, 2]})
    assert changed.table["network.dense_width"]["when"] == {"network.dense": [2]}
    changed, known = change(engine, table={**engine.table, "network.dense": [0]})
    assert set(changed.table) == {RATE, DROPOUT, "network.dense"} and known[1] == 8
    wrong = {"low": 16, "high": 64, "when": {"network.dense": [7]}}
    with pytest.raises(InputError, match="never is"):
        engine.checked({"table": {**TABLE, "network.dense": [0, 1], "network.dense_width": wrong}})


def test_ones_own_trial_is_completed_and_checked_and_may_lie_outside() -> None:
    engine = SearchEngine(recipe())
    assert engine.own({RATE: 1}) == {RATE: 1.0, DROPOUT: settings_of(recipe())[DROPOUT]}
    for wrong, words in [
        ({WIDTH: 8}, "no axis"),
        ({RATE: "fast"}, "learning_rate"),
        ({RATE: 99.0}, "learning_rate"),
        (3, "table"),
    ]:
        with pytest.raises(MicrotomeError, match=words):
            engine.own(wrong)
    engine.tell(engine.own({RATE: 0.9}), 0.5)
    assert change(engine, table=TABLE)[1] == (0, 1)
    assert change(engine, table={RATE: {"low": 1e-4, "high": 1.0, "log": True}}, fixed={DROPOUT: 0.0})[1] == (1, 1)
    assert engine.own({RATE: 0.5}) == {RATE: 0.5, DROPOUT: 0.0}


class Edits(Watch):
    """Orders right and wrong things during the first trial, and stops the driver after the first trial of the new space."""

    def act(self, event: Event) -> None:
        if isinstance(event, TrialStarted) and self.once("orders"):
            self.order("space", table={RATE: {"low": 5.0, "high": 1.0}})
            self.order("trial", parameters={WIDTH: 8, RATE: 2e-3})
            self.order("space", table={RATE: [3e-3, 5e-3]}, fixed={WIDTH: 8})
            self.order("trial", parameters={"network.widht": 8})
        if isinstance(event, TrialEnded) and "space" in self.seen and self.once("stop"):
            self.order("stop")
        if isinstance(event, SpaceChanged):
            self.seen.add("space")


def test_a_search_obeys_in_its_middle_and_goes_on_after_a_stop(tmp_path: Path) -> None:
    search = {"algorithm": "random", "budget": 4, "workers": 1, "space": {WIDTH: [8, 16], RATE: [1e-3, 4e-3]}}
    run = make(tmp_path, search=search, training={"epochs": 3})
    watch = Edits(run)
    end = drive(run, watch)
    assert end.state == "stopped"
    wrong = [e.text for e in watch.of(Note) if e.level == "warning"]
    assert len(wrong) == 2 and "low = 5" in wrong[0] and "network.widht" in wrong[1]
    assert [e.trials for e in watch.of(StateChanged) if e.trials is not None] == [5]
    watch = Watch(run)
    assert drive(run, watch).state == "done"
    events = list(read_all(run.events))
    begun = {e.trial: e for e in events if isinstance(e, TrialStarted)}
    assert len(begun) == 5
    assert begun[2].own and begun[2].parameters == {WIDTH: 8, RATE: 2e-3}, "it is trained next"
    assert not any(begun[n].own for n in (1, 3, 4, 5))
    for number in (3, 4, 5):
        assert begun[number].parameters[WIDTH] == 8 and begun[number].parameters[RATE] in (3e-3, 5e-3)
    records = Records.of(events)
    assert records.owed == [] and sum(isinstance(e, RunEnded) for e in events) == 2
    undisturbed = SearchEngine(parse_of(run))
    replay(undisturbed, records.told("none", full=3))
    asked = [s.parameters for s in records.history if s.what == "ask"]
    again = SearchEngine(parse_of(run))
    proposed = []
    for what, parameters, value in records.told("none", full=3):
        if what == "ask":
            proposed.append(again.ask())
        else:
            replay(again, [(what, parameters, value)])
    assert proposed == asked, "replaying the journal proposes what was proposed"


def parse_of(run: RunFolder) -> Recipe:
    from microtome.search.recipe import load

    return load(run.recipe)


class AtTheLastMoment(Watch):
    """Asks for more when the last trial has just ended."""

    def act(self, event: Event) -> None:
        if isinstance(event, TrialEnded) and self.once("budget"):
            self.order("budget", n=2)
        elif isinstance(event, TrialEnded) and self.once("trial"):
            self.order("trial", parameters={RATE: 2e-3})


@pytest.mark.slow
def test_what_is_asked_for_at_the_last_moment_is_done(tmp_path: Path) -> None:
    search = {"algorithm": "random", "budget": 1, "workers": 1, "space": {RATE: [1e-3, 4e-3]}}
    run = make(tmp_path, search=search, training={"epochs": 1})
    watch = AtTheLastMoment(run)
    assert drive(run, watch).state == "done"
    assert [(e.trial, e.own) for e in watch.of(TrialStarted)] == [(1, False), (2, False), (3, True)]


class Late(Watch):
    """Asks for a trial, and for the end before it could begin."""

    def act(self, event: Event) -> None:
        if isinstance(event, TrialStarted) and self.once("order"):
            self.order("trial", parameters={RATE: 2e-3})
            self.order("stop")


@pytest.mark.slow
def test_a_trial_that_was_asked_for_outlives_the_driver(tmp_path: Path) -> None:
    search = {"algorithm": "random", "budget": 1, "workers": 1, "space": {RATE: [1e-3, 4e-3]}}
    run = make(tmp_path, search=search, training={"epochs": 2})
    drive(run, Late(run))
    assert drive(run).state == "done"
    ended = [e for e in read_all(run.events) if isinstance(e, TrialStarted)]
    assert [(e.trial, e.own) for e in ended] == [(1, False), (2, True)]
