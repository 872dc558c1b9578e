"""What single engines promise beyond the contract of all."""

from __future__ import annotations

import math
from typing import Any

import pytest

from microtome.errors import UnknownNameError
from microtome.plugin import Space
from microtome.search.edit import replay
from microtome.search.engine import DEFAULT, make_engine
from microtome.search.space import space_from_table

SPACE = space_from_table(
    {"n": {"low": 2, "high": 5}, "rate": {"low": 1e-4, "high": 1e-1, "log": True}, "kind": ["a", "b"]},
)


def all_points(name: str, space: Space, budget: int) -> list[dict[str, Any]]:
    engine = make_engine(name, space, budget=budget, seed=0)
    points = []
    while (point := engine.ask()) is not None:
        points.append(point)
        assert len(points) <= 10 * budget
    return points


@pytest.mark.parametrize("budget", [2, 7, 20, 24, 100])
def test_a_grid_uses_its_budget_and_repeats_nothing(budget: int) -> None:
    points = all_points("grid", SPACE, budget)
    assert len({tuple(p.values()) for p in points}) == len(points)
    assert budget // 2 <= len(points) <= budget


def test_a_grid_of_choices_is_complete_whatever_the_budget() -> None:
    space = space_from_table({"a": [1, 2, 3], "b": [True, False], "c": {"low": 0.0, "high": 1.0}})
    assert len(all_points("grid", space, 2)) == 6


def test_a_grid_holds_the_ends_and_spreads_its_first_points() -> None:
    space = space_from_table({"x": {"low": 0.0, "high": 1.0}})
    values = [p["x"] for p in all_points("grid", space, 11)]
    assert sorted(values) == pytest.approx([i / 10 for i in range(11)])
    assert max(values[:3]) - min(values[:3]) > 0.5


def test_random_points_repeat_only_when_there_are_no_others() -> None:
    space = space_from_table({"a": {"low": 1, "high": 6}})
    engine = make_engine("random", space, budget=12, seed=0)
    points = [engine.ask() for _ in range(12)]
    assert len({p["a"] for p in points[:6] if p is not None}) == 6


def test_auto_is_the_default_engine_and_a_wrong_name_names_the_nearest() -> None:
    auto, named = (make_engine(name, SPACE, budget=8, seed=3) for name in ("auto", DEFAULT))
    assert [auto.ask() for _ in range(8)] == [named.ask() for _ in range(8)]
    with pytest.raises(UnknownNameError, match="two-points-de"):
        make_engine("two-point-de", SPACE, budget=8, seed=0)


@pytest.mark.parametrize("name", ["two-points-de", "cma", "tpe", "quasi-random", "random"])
def test_replaying_what_was_asked_and_told_gives_the_same_next_points(name: str) -> None:
    def value(point: dict[str, Any]) -> float:
        return -abs(math.log10(point["rate"]) + 2.5)

    first = make_engine(name, SPACE, budget=30, seed=5, workers=2)
    history: list[tuple[str, dict[str, Any], float | None]] = []
    waiting: list[dict[str, Any]] = []
    for i in range(20):  # two at a time, told out of order, one of them failed
        point = first.ask()
        assert point is not None
        history.append(("ask", dict(point), None))
        waiting.append(point)
        if len(waiting) == 2:
            told = waiting.pop(i % 2)
            result = None if i == 9 else value(told)
            first.tell(told, result)
            history.append(("tell", told, result))
    second = make_engine(name, SPACE, budget=30, seed=5, workers=2)
    replay(second, history)
    assert [first.ask() for _ in range(5)] == [second.ask() for _ in range(5)]


@pytest.mark.parametrize("name", ["two-points-de", "de", "cma", "pso", "one-plus-one", "genetic", "ngopt", "tpe"])
def test_an_engine_maximises(name: str) -> None:
    space = space_from_table({"x": {"low": -1.0, "high": 1.0}, "y": {"low": 0.01, "high": 100.0, "log": True}})

    def value(point: dict[str, Any]) -> float:
        return -((point["x"] - 0.6) ** 2) - 0.1 * math.log10(point["y"] / 10) ** 2

    engine = make_engine(name, space, budget=120, seed=2)
    values = []
    for _ in range(120):
        point = engine.ask()
        assert point is not None
        values.append(value(point))
        engine.tell(point, values[-1])
    assert max(values) > -0.03
    assert sum(values[-30:]) > sum(values[:30])
