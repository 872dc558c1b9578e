"""What an engine of searches promises: the suite that its author inherits."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from microtome.contract.base import PluginContract
from microtome.plugin import Parameter, Space


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
            assert list(point) == [axis.name for axis in self.space]
            for axis in self.space:
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
        stranger |= {"fixed": 3, "constant": 0.5}
        engine.tell(stranger, 4.5)
        assert self.walk(engine, 4)

    def test_it_goes_on_beyond_its_budget_or_says_that_it_is_done(self) -> None:
        """A larger budget may be ordered in mid-search: more points, or None, and None again."""
        engine = self.engine()
        points = self.walk(engine, self.budget + 5)
        if len(points) < self.budget + 5:
            assert engine.ask() is None
