"""Conditional axes, earlier points in an edited space, and engines on spaces of every shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microtome.contract import SearchContract
from microtome.errors import InputError, UnknownNameError
from microtome.plugin import Parameter, Part, Space
from microtome.search.engine import make_engine
from microtome.search.records import both
from microtome.search.space import carried, space_from_table

NETWORK = space_from_table(
    {
        "momentum": {"low": 0.5, "high": 0.99, "when": {"norm": [True]}},
        "norm": [True, False],
        "dense": {"low": 0, "high": 4},
        "units": {"choices": [64, 128], "when": {"dense": [1, 2, 3, 4]}},
        "drop": {"low": 0.0, "high": 0.6, "when": {"units": 128}},
    }
)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Up to five axes, each of which may depend on an earlier one of few values, in any order."""
    axes: list[Parameter] = []
    for i in range(draw(st.integers(1, 5))):
        parents = [axis for axis in axes if axis.count is not None and axis.count <= 4]
        when = None
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            values = [parent.at((k + 0.5) / (parent.count or 1)) for k in range(parent.count or 1)]
            when = (parent.name, tuple(draw(st.lists(st.sampled_from(values), min_size=1))))
        kind = draw(st.sampled_from(["int", "float", "log", "choice"]))
        if kind == "choice":
            choices = tuple(draw(st.lists(st.sampled_from(["a", "b", True, 3, 0.5]), min_size=1, max_size=4, unique=True)))
            axes.append(Parameter(name=f"x{i}", kind="choice", choices=choices, when=when))
        elif kind == "int":
            low = draw(st.integers(1, 9))
            high = low + draw(st.sampled_from([0, 1, 3, 500]))
            axes.append(Parameter(name=f"x{i}", kind="int", low=low, high=high, log=draw(st.booleans()), when=when))
        else:
            start = draw(st.floats(1e-6, 1.0))
            end = start * draw(st.sampled_from([1.0, 1.001, 1e4]))
            axes.append(Parameter(name=f"x{i}", kind="float", low=start, high=end, log=kind == "log", when=when))
    return Space(tuple(draw(st.permutations(axes))))


@pytest.mark.parametrize("name", ["bayes", "tpe", "one-plus-one", "quasi-random", "grid"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(space=spaces(), values=st.lists(st.none() | st.floats(-1e9, 1e9), min_size=10, max_size=10))
def test_nothing_outside_the_space_is_ever_proposed(name: str, space: Space, values: list[float | None]) -> None:
    engine = make_engine(name, space, budget=12, seed=1)
    for value in values:
        point = engine.ask()
        if point is None:
            break
        SearchContract.check(point, space)
        engine.tell(point, value)


def test_a_point_leaves_out_what_does_not_exist_there() -> None:
    whole = {"momentum": 0.9, "norm": False, "dense": 2, "units": 128, "drop": 0.1}
    assert NETWORK.active(whole) == {"norm": False, "dense": 2, "units": 128, "drop": 0.1}
    assert NETWORK.active({**whole, "units": 64, "norm": True}) == {"momentum": 0.9, "norm": True, "dense": 2, "units": 64}
    # The axis that it depends on does not exist either.
    assert NETWORK.active({**whole, "dense": 0}) == {"norm": False, "dense": 0}


@pytest.mark.parametrize(
    ("axis", "error", "words"),
    [
        ({"low": 0, "high": 1, "when": {"nrom": [True]}}, UnknownNameError, "norm"),
        ({"low": 0, "high": 1, "when": {"norm": ["yes"]}}, InputError, "never is"),
        ({"low": 0, "high": 1, "when": {"norm": [1]}}, InputError, "never is"),
        ({"low": 0, "high": 1, "when": {"rate": [0.5]}}, InputError, "continuous"),
        ({"low": 0, "high": 1, "when": {"a": [1]}}, InputError, "itself"),
        ({"low": 0, "high": 1, "when": {"norm": []}}, InputError, "never exist"),
        ({"low": 0, "high": 1, "when": ["norm"]}, InputError, "one other axis"),
        ({"choices": "relu"}, InputError, "list"),
        ({"choices": [1], "low": 0}, UnknownNameError, "low"),
    ],
)
def test_a_wrong_condition_is_said(axis: dict[str, Any], error: type[Exception], words: str) -> None:
    table = {"norm": [True, False], "rate": {"low": 0.0, "high": 1.0}, "a": axis}
    with pytest.raises(error, match=words):
        space_from_table(table)


def test_earlier_points_in_an_edited_space() -> None:
    space = space_from_table(
        {
            "rate": {"low": 1e-3, "high": 1e-1, "log": True},
            "drop": {"low": 0.2, "high": 0.2},
            "norm": [True, False],
            "width": {"low": 8, "high": 64, "when": {"norm": [True]}},
        }
    )
    defaults = {"norm": False, "width": 32, "rate": 1e-9}
    assert carried({"rate": 0.01, "drop": 0.5}, space, defaults=defaults) == {"rate": 0.01, "drop": 0.2, "norm": False}
    assert carried({"rate": 1e-4, "drop": 0.5}, space, defaults=defaults) is None, "narrowed past it"
    assert carried({"drop": 0.5}, space, defaults=defaults) is None, "its own setting lies outside"
    moved = carried({"rate": 0.01, "norm": True}, space, defaults=defaults)
    assert moved == {"rate": 0.01, "drop": 0.2, "norm": True, "width": 32}
    assert carried({"rate": 0.01, "norm": True}, space, defaults={}) is None, "nobody knows its width"
    assert carried({"rate": 0.01, "norm": 1, "width": 8}, space, defaults={}) is None, "1 is not True"


def test_two_objectives() -> None:
    """What one of them says alone is not enough: the whole front is found, and one value counts as both."""
    space = space_from_table({"x": {"low": 0.0, "high": 1.0}, "y": {"low": 0.0, "high": 1.0}})
    engine = make_engine("auto", space, budget=200, seed=0, objectives=2)
    points = []
    for i in range(200):
        point = engine.ask()
        assert point is not None
        points.append(point)
        engine.tell(point, None if i == 3 else (point["x"] - point["y"], 1 - point["x"] - point["y"]))
    late = points[120:]
    assert sum(p["y"] for p in late) / len(late) < 0.35, "y spoils both"
    assert min(p["x"] for p in late) < 0.2 and max(p["x"] for p in late) > 0.8, "x is a trade"
    with pytest.raises(InputError, match="one objective"):
        make_engine("bayes", space, budget=10, seed=0, objectives=2)


def test_an_engine_learns_how_far_a_beginning_tells_the_end() -> None:
    """Where whole trials contradict what their first epochs promised, proposals follow the whole ones."""
    space = space_from_table({"x": {"low": 0.0, "high": 1.0}})
    engine = make_engine("bayes", space, budget=60, seed=0)
    late = []
    for i in range(60):
        point = engine.ask()
        assert point is not None
        engine.tell(point, Part(0.5 + 0.2 * point["x"], 0.1))
        if i % 3 == 0:
            engine.tell(point, 0.9 - 0.5 * point["x"])
        if i >= 30:
            late.append(point["x"])
    assert sorted(late)[len(late) // 2] < 0.4


def test_a_stopped_trials_value_says_of_how_much_it_is() -> None:
    value = both(0.5, {"epochs": 3.0, "stopped": 1.0}, "none", full=12)
    assert isinstance(value, Part)
    assert (value, value.share) == (0.5, 0.25)
    assert not isinstance(both(0.5, {"epochs": 3.0}, "none", full=12), Part), "it came to its end by its own rule"
