"""Engines that model what they were told: optuna's samplers, by ask and tell."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from microtome.plugin import Space, search

__version__ = "1"


class _Optuna:
    """One optuna study in memory."""

    def __init__(self, space: Space, make_sampler: Callable[[Any], Any]) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # “experimental” options
            sampler = make_sampler(optuna)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._axes = {axis.name: _distribution(axis) for axis in space}
        self._asked: list[tuple[dict[str, Any], Any]] = []
        self._values: list[float] = []
        self._failed: list[dict[str, Any]] = []

    def ask(self) -> dict[str, Any]:
        with warnings.catch_warnings(), _one_thread():
            warnings.simplefilter("ignore")
            trial = self._study.ask(self._axes)
        self._asked.append((dict(trial.params), trial))
        return dict(trial.params)

    def tell(self, parameters: dict[str, Any], value: float | None) -> None:
        if value is not None:
            self._values.append(float(value))
            self._tell(parameters, float(value))
        else:
            self._failed.append(parameters)
        # A failed trial counts as the worst; while nothing has succeeded, nobody knows what that is.
        while self._failed and self._values:
            self._tell(self._failed.pop(0), min(self._values))

    def _tell(self, parameters: dict[str, Any], value: float) -> None:
        import optuna

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for i, (asked, trial) in enumerate(self._asked):
                if asked == parameters:
                    del self._asked[i]
                    self._study.tell(trial, value)
                    return
            made = optuna.trial.create_trial(params=dict(parameters), distributions=self._axes, value=value)
            self._study.add_trial(made)


@contextmanager
def _one_thread() -> Iterator[None]:
    # The Gaussian process computes by torch, on matrices so small that threads only wait for the trials' own.
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else 0
    if torch is not None:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch is not None:
            torch.set_num_threads(before)


def _distribution(axis: Any) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.kind == "choice":
        return CategoricalDistribution(axis.choices)
    if axis.kind == "int":
        return IntDistribution(round(axis.low), round(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


@search("tpe", label="Tree of Parzen estimators", family="model")
def tpe(space: Space, budget: int, seed: int) -> object:
    """Models where good and where bad trials lie; strong on mixed spaces and from about 20 trials on."""
    start = max(4, min(10, budget // 4))
    return _Optuna(
        space,
        lambda optuna: optuna.samplers.TPESampler(seed=seed, n_startup_trials=start, multivariate=True, constant_liar=True),
    )


@search("gp", label="Gaussian process", family="model")
def gp(space: Space, budget: int, seed: int) -> object:
    """Models the result as a smooth random surface; strong on few, continuous settings, slow beyond some hundred trials."""
    start = max(4, min(10, budget // 4))
    return _Optuna(space, lambda optuna: optuna.samplers.GPSampler(seed=seed, n_startup_trials=start))


@search("nsga2", label="NSGA-II", family="evolution")
def nsga2(space: Space, budget: int, seed: int) -> object:
    """A genetic algorithm with non-dominated sorting."""
    return _Optuna(space, lambda optuna: optuna.samplers.NSGAIISampler(seed=seed, population_size=max(6, min(50, budget // 4))))
