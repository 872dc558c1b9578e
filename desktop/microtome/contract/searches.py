"""What an engine of searches promises: the suite that its author inherits."""

from __future__ import annotations

import random
import sys
from typing import Any, ClassVar

import numpy as np

from microtome.contract.base import PluginContract
from microtome.plugin import Parameter, Space
from microtome.search.space import carried


class SearchContract(PluginContract):
    """An engine proposes legal points of plain types, the same ones for the same seed, and survives whatever it is told."""

    kind = "search"
    budget: ClassVar[int] = 24
    space: ClassVar[Space] = Space(
        (
            Parameter(name="layers", kind="int", low=2, high=5),
            Parameter(name="rate", kind="float", low=1e-4, high=1e-1, log=True),
            Parameter(name="width", kind="int", low=8, high=128, log=True),
            Parameter(name="share", kind="float", low=-1.0, high=1.0),
            Parameter(name="activation", kind="choice", choices=("relu", "gelu", "elu")),
            Parameter(name="norm", kind="choice", choices=(True, False)),
            Parameter(name="fixed", kind="int", low=3, high=3),
            Parameter(name="constant", kind="float", low=0.5, high=0.5),
            Parameter(name="momentum", kind="float", low=0.0, high=0.9, when=("norm", (True,))),
            Parameter(name="heads", kind="int", low=1, high=4, when=("activation", ("gelu", "elu"))),
            Parameter(name="head width", kind="int", low=2, high=8, when=("heads", (3, 4))),
        )
    )

    @staticmethod
    def value(point: dict[str, Any]) -> float:
        """What the engines maximise here."""
        return float(point["layers"]) - abs(float(np.log10(point["rate"])) + 2) + (0.5 if point["norm"] else 0.0)

    def engine(self, seed: int = 1) -> Any:
        """A fresh engine."""
        return self.plugin.call(self.space, self.budget, seed)

    def walk(self, engine: Any, count: int) -> list[dict[str, Any]]:
        """Ask and tell `count` times; every seventh trial fails."""
        points = []
        for i in range(count):
            point = engine.ask()
            if point is None:
                break
            points.append(dict(point))
            engine.tell(point, None if i % 7 == 3 else self.value(point))
        return points

    def test_its_points_are_legal(self) -> None:
        """Every axis has a value inside its range, of exactly the axis's own type."""
        points = self.walk(self.engine(), self.budget)
        assert points
        for point in points:
            self.check(point, self.space)

    @staticmethod
    def check(point: dict[str, Any], space: Space) -> None:
        """The point has a legal value on every axis that exists in it, in the space's order, and no others."""
        whole = {axis.name: point.get(axis.name, axis.at(0.5)) for axis in space}
        assert list(point) == list(space.active(whole))
        for axis in space:
            if axis.name in point:
                value = point[axis.name]
                if axis.kind == "choice":
                    assert any(value is choice or (value == choice and type(value) is type(choice)) for choice in axis.choices)
                else:
                    assert type(value) is (int if axis.kind == "int" else float)
                    assert axis.low <= value <= axis.high

    def test_the_seed_determines_it(self) -> None:
        """The same answers to the same seed lead to the same points: a run is resumed by replaying it."""
        assert self.walk(self.engine(), self.budget) == self.walk(self.engine(), self.budget)

    def test_answers_may_come_late_or_never(self) -> None:
        """Many are asked at once, told in another order, some never, some unasked, some failed at the very start."""
        engine = self.engine()
        asked = [p for p in (engine.ask() for _ in range(6)) if p is not None]
        engine.tell(asked[-1], None)
        for point in reversed(asked[1:-1]):
            engine.tell(point, self.value(point))
        stranger = {"layers": 4, "rate": 0.01, "width": 9, "share": 0.25, "activation": "elu", "norm": True}
        stranger |= {"fixed": 3, "constant": 0.5, "momentum": 0.5, "heads": 1}
        engine.tell(stranger, 4.5)
        assert self.walk(engine, 4)

    def test_a_run_is_resumed_by_replaying_it(self) -> None:
        """Asked and told the same, late and out of order and with failures, a second engine proposes the same next points."""
        first, second = self.engine(5), self.engine(5)
        waiting: list[dict[str, Any]] = []
        for i in range(min(12, self.budget)):
            mine, its = first.ask(), second.ask()
            assert mine == its
            if mine is None:
                return
            waiting.append(mine)
            if len(waiting) == 3:
                told = waiting.pop(i % 3)
                for engine in (first, second):
                    engine.tell(told, None if i == 7 else self.value(told))
        assert [first.ask() for _ in range(3)] == [second.ask() for _ in range(3)]

    def test_it_may_be_told_all_that_is_known_before_it_is_asked(self) -> None:
        """A search may start from earlier trials: strangers first, some of them failed, one of them twice."""
        rng = np.random.default_rng(3)
        engine = self.engine()
        for i in range(10):
            point = self.space.at(rng.random(len(self.space)))
            engine.tell(point, None if i == 0 else self.value(point))
            if i == 5:
                engine.tell(point, self.value(point) + 0.1)
        for point in self.walk(engine, 4):
            self.check(point, self.space)

    def test_it_knows_all_earlier_trials_in_an_edited_space(self) -> None:
        """An axis frozen, one narrowed, one widened, one added with a default: points are of the new space at once."""
        changed: dict[str, Parameter] = {
            "layers": Parameter(name="layers", kind="int", low=3, high=3),
            "rate": Parameter(name="rate", kind="float", low=1e-3, high=1e-2, log=True),
            "width": Parameter(name="width", kind="int", low=4, high=256, log=True),
            "norm": Parameter(name="norm", kind="choice", choices=(True,)),
        }
        added = Parameter(name="decay", kind="float", low=0.0, high=0.1)
        edited = Space((*(changed.get(axis.name, axis) for axis in self.space), added))
        engine = self.plugin.call(edited, self.budget, 1)
        inside = {"layers": 4, "rate": 0.002, "width": 9, "share": 0.25, "activation": "relu", "norm": True}
        inside |= {"fixed": 3, "constant": 0.5, "momentum": 0.5}
        told = 0
        for point in (inside, *self.walk(self.engine(), min(self.budget, 16))):
            moved = carried(point, edited, defaults={"decay": 0.01, "momentum": 0.5})
            if moved is not None:
                self.check(moved, edited)
                engine.tell(moved, self.value(point))
                told += 1
        assert told > 0
        for point in self.walk(engine, 4):
            self.check(point, edited)

    def test_it_disturbs_nobody_elses_random_numbers(self) -> None:
        """Neither being made nor asked nor told: the program's shared generators belong to trainings."""
        before = _shared_numbers()
        self.walk(self.engine(), min(8, self.budget))
        after = _shared_numbers()
        assert {name: after[name] for name in before} == before

    def test_it_goes_on_beyond_its_budget_or_says_that_it_is_done(self) -> None:
        """A larger budget may be ordered in mid-search: more points, or None, and None again."""
        engine = self.engine()
        points = self.walk(engine, self.budget + 5)
        if len(points) < self.budget + 5:
            assert engine.ask() is None


def _shared_numbers() -> dict[str, Any]:
    """The states of all the program's shared generators of random numbers."""
    torch: Any = sys.modules.get("torch")
    found = {"random": random.getstate(), "numpy": np.random.get_state(legacy=False)["state"]["key"].tolist()}
    return found if torch is None else {**found, "torch": torch.get_rng_state().tolist()}
