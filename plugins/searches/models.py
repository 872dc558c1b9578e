"""Engines that model what they were told: optuna's samplers, by ask and tell."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from microtome.plugin import Space, search

__version__ = "2"
_ABSENT = object()


class _Optuna:
    """One optuna study in memory. A choice is its number; a point of optuna's also has the axes that do not exist there."""

    def __init__(
        self, space: Space, make_sampler: Callable[[Any], Any], *, objectives: int = 1, conditional: bool = False
    ) -> None:
        """`conditional`: the sampler itself knows axes that are missing in some trials; else they are filled in."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # “experimental” options
            sampler = make_sampler(optuna)
        self._study = optuna.create_study(directions=["maximize"] * objectives, sampler=sampler)
        self._space = space
        self._conditional = conditional
        self._axes = {axis.name: _distribution(axis) for axis in space}
        self._asked: list[tuple[dict[str, Any], Any]] = []
        self._values: list[tuple[float, ...]] = []
        self._failed: list[dict[str, Any]] = []

    def ask(self) -> dict[str, Any]:
        with warnings.catch_warnings(), _one_thread():
            warnings.simplefilter("ignore")
            trial = self._study.ask() if self._conditional else self._study.ask(self._axes)
            point = self._define(trial) if self._conditional else self._space.active(self._decoded(trial.params))
        self._asked.append((point, trial))
        return dict(point)

    def _define(self, trial: Any) -> dict[str, Any]:
        """Ask a trial for the axes that exist, those that others depend on first."""
        values: dict[str, Any] = {}
        waiting = list(self._space)
        while waiting:
            later = []
            for axis in waiting:
                if axis.when is not None and any(other.name == axis.when[0] for other in waiting):
                    later.append(axis)
                elif axis.when is None or values.get(axis.when[0], _ABSENT) in axis.when[1]:
                    raw = _suggest(trial, axis.name, self._axes[axis.name])
                    values[axis.name] = axis.choices[raw] if axis.kind == "choice" else raw
            waiting = later
        point: dict[str, Any] = self._space.active(values)
        return point

    def _decoded(self, raw: dict[str, Any]) -> dict[str, Any]:
        return {a.name: a.choices[raw[a.name]] if a.kind == "choice" else raw[a.name] for a in self._space}

    def tell(self, parameters: dict[str, Any], value: float | tuple[float, ...] | None) -> None:
        if value is not None:
            # One objective given twice ranks trials as it does once.
            values = (
                tuple(map(float, value)) if isinstance(value, tuple | list) else (float(value),) * len(self._study.directions)
            )
            self._values.append(values)
            self._tell(parameters, values)
        else:
            self._failed.append(parameters)
        # A failed trial counts as the worst; while nothing has succeeded, nobody knows what that is.
        while self._failed and self._values:
            self._tell(self._failed.pop(0), tuple(min(column) for column in zip(*self._values, strict=True)))

    def _tell(self, parameters: dict[str, Any], values: tuple[float, ...]) -> None:
        import optuna

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for i, (asked, trial) in enumerate(self._asked):
                if asked == parameters:
                    del self._asked[i]
                    self._study.tell(trial, values)
                    return
            raw = self._encoded(parameters)
            axes = {name: self._axes[name] for name in raw}
            self._study.add_trial(optuna.trial.create_trial(params=raw, distributions=axes, values=values))

    def _encoded(self, parameters: dict[str, Any]) -> dict[str, Any]:
        raw = {}
        for axis in self._space:
            if axis.name in parameters or not self._conditional:
                value = parameters.get(axis.name, axis.at(0.5))
                raw[axis.name] = axis.choices.index(value) if axis.kind == "choice" else value
        return raw


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
        return CategoricalDistribution(tuple(range(len(axis.choices))))
    if axis.kind == "int":
        return IntDistribution(round(axis.low), round(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _suggest(trial: Any, name: str, axis: Any) -> Any:
    """What a trial has for an axis of this distribution."""
    if hasattr(axis, "choices"):
        return trial.suggest_categorical(name, axis.choices)
    suggest = trial.suggest_float if isinstance(axis.low, float) else trial.suggest_int
    return suggest(name, axis.low, axis.high, log=axis.log)


@search("tpe", label="Tree of Parzen estimators", family="model")
def tpe(space: Space, budget: int, seed: int) -> object:
    """Models where good and where bad trials lie; strong on mixed spaces and from about 20 trials on."""
    start = max(4, min(10, budget // 4))
    conditional = any(axis.when is not None for axis in space)
    return _Optuna(
        space,
        lambda optuna: optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=start, multivariate=True, group=conditional, constant_liar=True
        ),
        conditional=conditional,
    )


@search("gp", label="Gaussian process", family="model")
def gp(space: Space, budget: int, seed: int) -> object:
    """Models the result as a smooth random surface; strong on few, continuous settings, slow beyond some hundred trials."""
    start = max(4, min(10, budget // 4))
    return _Optuna(space, lambda optuna: optuna.samplers.GPSampler(seed=seed, n_startup_trials=start))


@search("nsga2", label="NSGA-II", family="evolution", objectives=2)
def nsga2(space: Space, budget: int, seed: int) -> object:
    """A genetic algorithm with non-dominated sorting: also for two objectives, of which no weighing is known."""
    size = max(6, min(50, budget // 4))
    return _Optuna(space, lambda optuna: optuna.samplers.NSGAIISampler(seed=seed, population_size=size), objectives=2)
