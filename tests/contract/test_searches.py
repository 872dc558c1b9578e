"""Every built-in engine keeps the contract of its kind."""

from __future__ import annotations

import pytest

from microtome.contract import SearchContract
from microtome.registry import registry

PROMISED = (
    *("grid", "random", "quasi-random", "two-points-de", "de", "cma", "pso", "one-plus-one", "genetic", "ngopt", "portfolio"),
    *("tpe", "gp", "nsga2", "bayes"),
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


def test_the_gaussian_process_goes_beyond_its_random_start() -> None:
    """Its model takes up to a second a point, so the whole contract is for the slow tests."""
    contract = TestGaussianProcess()
    engine = registry().get("search", "gp").call(contract.space, 4, 1)
    for point in contract.walk(engine, 5):
        contract.check(point, contract.space)
