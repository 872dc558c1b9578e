"""The replay of engines on a search's finished trials."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microtome.errors import InputError
from microtome.search.replay import EngineReplay, Landscape, replay_engines, summarise
from microtome.search.space import space_from_table

SPACE = space_from_table({"x": {"low": 0.0, "high": 1.0, "type": "float"}, "k": ["a", "b"]})


def _trials(n: int = 60) -> list[tuple[dict[str, Any], float]]:
    rng = np.random.default_rng(0)
    points = [{"x": float(rng.random()), "k": str(rng.choice(["a", "b"]))} for _ in range(n)]
    return [(p, 1 - abs(p["x"] - 0.3) - (0.3 if p["k"] == "b" else 0.0)) for p in points]


def test_the_landscape_gives_a_trial_its_own_value_and_others_a_near_one() -> None:
    trials = _trials()
    land = Landscape(trials, SPACE)
    for point, value in trials:
        assert land.value(point) == pytest.approx(value)
    assert land.value({"x": 0.301, "k": "a"}) == pytest.approx(1.0, abs=0.05)
    assert land.value({"x": 0.301, "k": "b"}) == pytest.approx(0.7, abs=0.05)


def test_engines_arrive_and_their_curves_never_fall() -> None:
    said: list[float] = []
    found = replay_engines(_trials(), SPACE, ["random", "tpe", "grid"], range(3), budget=50, workers=2, report=said.append)
    by_name = {e.engine: e for e in found.engines}
    assert set(by_name) == {"random", "tpe", "grid"}
    assert all(len(c) == 50 and (np.diff(c) >= 0).all() for e in found.engines for c in e.curves)
    assert found.best == max(v for _, v in _trials())
    assert found.target == pytest.approx(np.quantile([v for _, v in _trials()], 0.95))
    assert summarise(by_name["tpe"], 50)[0] <= 50, "it arrives"
    assert summarise(EngineReplay("grid", ((0.1,),), (None, None, 7)), 50) == (51, 29, 51), "quartiles; never is beyond"
    assert said[-1] == 1.0
    again = replay_engines(_trials(), SPACE, ["tpe"], range(3), budget=50, workers=2)
    assert again.engines[0] == by_name["tpe"]


def test_few_trials_are_no_landscape_and_a_stop_keeps_what_is_done() -> None:
    with pytest.raises(InputError, match="15 are needed"):
        replay_engines(_trials(9), SPACE, ["random"], [0])
    asked = iter(["", "stop", "stop"])
    found = replay_engines(_trials(), SPACE, ["random", "tpe"], [0], budget=5, should_stop=lambda: next(asked))
    assert [e.engine for e in found.engines] == ["random"]
