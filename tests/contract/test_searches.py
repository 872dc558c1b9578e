"""Every built-in engine keeps the contract of its kind."""

from __future__ import annotations

import pytest

from microtome.contract import SearchContract
from microtome.registry import registry

PROMISED = (
    *("grid", "random", "quasi-random", "two-points-de", "de", "cma", "pso", "one-plus-one", "genetic", "ngopt"),
    *("tpe", "gp", "nsga2"),
)
QUICK = [name for name in PROMISED if name != "gp"]


def test_all_promised_engines_are_there() -> None:
    assert set(PROMISED) <= set(registry().names("search"))


@pytest.mark.parametrize("name", QUICK)
class TestEngines(SearchContract):
    @pytest.fixture(autouse=True)
    def _named(self, name: str) -> None:
        type(self).name = name


@pytest.mark.slow
class TestGaussianProcess(SearchContract):
    name = "gp"


class TestGaussianProcessBriefly(SearchContract):
    name = "gp"
    budget = 5  # most of it random: its model takes up to a second a point
