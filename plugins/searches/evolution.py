"""Evolutionary engines: nevergrad's, by ask and tell."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from microtome.plugin import Field, Space, search

__version__ = "2"


def _scalar(value: Any) -> float:
    return float(np.asarray(value).reshape(-1)[0])


@contextmanager
def _own_numbers(seed: int) -> Iterator[None]:
    """Let nevergrad's use of the program's shared random numbers (some of its optimisers, and its import) disturb nobody."""
    before, others = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(others)


def _mend() -> None:
    """Make nevergrad 1.0.12 work with today's numpy, and let the program end when it wants to."""
    from nevergrad.optimization import metamodel, recaster

    # float() of an array of one number, which numpy refuses from 2.4 on.
    metamodel.float = _scalar
    original: Any = getattr(recaster, "_MessagingThread", None)
    if original is None or original.__module__ == __name__:
        return

    class Thread(original):  # type: ignore[misc]
        """A thread in which an inner optimiser waits for answers, perhaps for ever."""

        def __init__(self, *positional: Any, **named: Any) -> None:
            super().__init__(*positional, **named)
            self.daemon = True

    recaster._MessagingThread = Thread


class _Nevergrad:
    """One nevergrad optimiser over the unit cube of the space's axes; choices are its own unordered kind."""

    def __init__(self, space: Space, budget: int, seed: int, workers: int, optimizer: str | tuple[str, dict[str, Any]]) -> None:
        with _own_numbers(seed):
            import nevergrad as ng

        _mend()
        self._seed, self._moves = seed, 0
        self._space = space
        with warnings.catch_warnings(), _own_numbers(seed):
            warnings.simplefilter("ignore")
            axes = {axis.name: self._axis(axis) for axis in space}
            parametrization = ng.p.Dict(**axes)
            parametrization.random_state.seed(seed)
            if isinstance(optimizer, str):
                make = ng.optimizers.registry[optimizer]
            else:
                family, settings = optimizer
                make = getattr(ng.families, family)(**settings)
            # For one worker NGOpt takes optimisers that need every answer in its turn; here they may come late or never.
            self._optimizer = make(parametrization, budget=budget, num_workers=max(2, workers))
        self._asked: list[tuple[dict[str, Any], Any]] = []
        self._losses: list[float] = []
        self._failed: list[dict[str, Any]] = []

    @staticmethod
    def _axis(axis: Any) -> Any:
        import nevergrad as ng

        if axis.kind == "choice":
            return ng.p.Choice(list(range(len(axis.choices))))
        return ng.p.Scalar(init=0.5, lower=0.0, upper=1.0)

    def _decode(self, raw: dict[str, Any]) -> dict[str, Any]:
        return self._space.active(
            {a.name: a.choices[int(raw[a.name])] if a.kind == "choice" else a.at(float(raw[a.name])) for a in self._space}
        )

    def _encode(self, parameters: dict[str, Any]) -> dict[str, Any]:
        places = zip(self._space, self._space.positions(parameters), strict=True)
        return {a.name: int(place * len(a.choices)) if a.kind == "choice" else place for a, place in places}

    def ask(self) -> dict[str, Any]:
        self._moves += 1
        with warnings.catch_warnings(), _own_numbers(self._seed + self._moves):
            warnings.simplefilter("ignore")
            candidate = self._optimizer.ask()
        parameters = self._decode(candidate.value)
        self._asked.append((parameters, candidate))
        return dict(parameters)

    def tell(self, parameters: dict[str, Any], value: float | None) -> None:
        if value is not None:
            self._losses.append(-float(value))
            self._tell(parameters, -float(value))
        else:
            self._failed.append(parameters)
        # A failed trial counts as the worst; while nothing has succeeded, nobody knows what that is.
        while self._failed and self._losses:
            self._tell(self._failed.pop(0), max(self._losses))

    def _tell(self, parameters: dict[str, Any], loss: float) -> None:
        from nevergrad.common.errors import TellNotAskedNotSupportedError

        self._moves += 1
        with warnings.catch_warnings(), _own_numbers(self._seed + self._moves):
            warnings.simplefilter("ignore")
            for i, (asked, candidate) in enumerate(self._asked):
                if asked == parameters:
                    del self._asked[i]
                    self._optimizer.tell(candidate, loss)
                    return
            try:
                self._optimizer.tell(self._optimizer.parametrization.spawn_child(new_value=self._encode(parameters)), loss)
            except TellNotAskedNotSupportedError:
                return  # this optimiser cannot use a point that it did not propose


def _population(budget: int, most: int) -> int:
    """Members, so that a small budget still leaves several generations."""
    return max(6, min(most, budget // 4))


@search("two-points-de", label="Differential evolution, two-point crossover", family="evolution")
def two_points_de(
    space: Space, budget: int, seed: int, *, workers: int = Field(1, 1, 256, help="Trials at the same time")
) -> object:
    """Differential evolution that passes on neighbouring settings together."""
    settings = {"crossover": "twopoints", "popsize": _population(budget, 30)}
    return _Nevergrad(space, budget, seed, workers, ("DifferentialEvolution", settings))


@search("de", label="Differential evolution", family="evolution")
def de(space: Space, budget: int, seed: int, *, workers: int = Field(1, 1, 256, help="Trials at the same time")) -> object:
    """Differences between good trials say where to look next."""
    return _Nevergrad(space, budget, seed, workers, ("DifferentialEvolution", {"popsize": _population(budget, 30)}))


@search("cma", label="CMA-ES", family="evolution")
def cma(space: Space, budget: int, seed: int, *, workers: int = Field(1, 1, 256, help="Trials at the same time")) -> object:
    """Covariance matrix adaptation: strong on continuous settings that depend on each other."""
    return _Nevergrad(space, budget, seed, workers, "CMA")


@search("pso", label="Particle swarm", family="evolution")
def pso(space: Space, budget: int, seed: int, *, workers: int = Field(1, 1, 256, help="Trials at the same time")) -> object:
    """A swarm that is drawn to its best members."""
    return _Nevergrad(space, budget, seed, workers, ("ConfPSO", {"popsize": _population(budget, 40)}))


@search("one-plus-one", label="(1 + 1) evolution strategy", family="evolution")
def one_plus_one(
    space: Space, budget: int, seed: int, *, workers: int = Field(1, 1, 256, help="Trials at the same time")
) -> object:
    """The best trial is mutated; a better child takes its place. Good for the smallest budgets."""
    return _Nevergrad(space, budget, seed, workers, "OnePlusOne")


@search("genetic", label="Genetic algorithm", family="evolution")
def genetic(space: Space, budget: int, seed: int, *, workers: int = Field(1, 1, 256, help="Trials at the same time")) -> object:
    """Parents are recombined and mutated."""
    size = _population(budget, 40)
    settings = {"recombination_ratio": 0.7, "popsize": size, "offsprings": size}
    return _Nevergrad(space, budget, seed, workers, ("EvolutionStrategy", settings))


@search("ngopt", label="NGOpt (chooses by itself)", family="evolution")
def ngopt(space: Space, budget: int, seed: int, *, workers: int = Field(1, 1, 256, help="Trials at the same time")) -> object:
    """nevergrad's own choice of optimiser by space and budget."""
    return _Nevergrad(space, budget, seed, workers, "NGOpt")


class _Portfolio:
    """Engines that take turns; each is told all results, also those of points that another proposed."""

    def __init__(self, engines: list[_Nevergrad]) -> None:
        self._engines = engines
        self._turn = 0

    def ask(self) -> dict[str, Any]:
        self._turn += 1
        return self._engines[self._turn % len(self._engines)].ask()

    def tell(self, parameters: dict[str, Any], value: float | None) -> None:
        for engine in self._engines:
            engine.tell(parameters, value)


@search("portfolio", label="Portfolio", family="evolution")
def portfolio(
    space: Space, budget: int, seed: int, *, workers: int = Field(1, 1, 256, help="Trials at the same time")
) -> object:
    """Differential evolution, CMA-ES and (1 + 1) in turns, each told all results: none has to be the right one."""
    size = {"crossover": "twopoints", "popsize": _population(budget // 3, 30)}
    kinds: tuple[str | tuple[str, dict[str, Any]], ...] = (("DifferentialEvolution", size), "CMA", "OnePlusOne")
    return _Portfolio([_Nevergrad(space, budget, seed + i, workers, kind) for i, kind in enumerate(kinds)])
