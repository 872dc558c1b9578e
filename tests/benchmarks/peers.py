"""Searches to be compared, each as a strategy of asynchronous workers: ours, and plain ones of other libraries."""

from __future__ import annotations

import math
import random
import warnings
from typing import Any, Protocol

import numpy as np

from microtome.plugin import Part, Space
from microtome.search.engine import make_engine
from microtome.search.stopping.rules import make_scheduler

Point = dict[str, Any]
Job = tuple[int, Point, int]
"""A trial's number, its point, and the epochs after which it is asked again whether it goes on (0: its end)."""


class Strategy(Protocol):
    """What workers ask and tell. Values are accuracies."""

    def job(self) -> Job | None:
        """What an idle worker does next; None: it waits until another has ended."""
        ...

    def epoch(self, trial: int, epoch: int, value: float) -> bool:
        """Take an epoch's value (0, 1, …); True where the worker leaves the trial now."""
        ...

    def left(self, trial: int, value: float, complete: bool) -> None:
        """The worker has left the trial: best value so far."""
        ...


class Ours:
    """An engine of the registry with a schedule of the product, as a run has them."""

    def __init__(
        self, space: Space, epochs: int, seed: int, workers: int, *, engine: str = "auto", stopping: str = "auto"
    ) -> None:
        self._engine = make_engine(engine, space, budget=1000 // workers, seed=seed, workers=workers)
        self._scheduler = make_scheduler(stopping, max_epochs=epochs)
        self._points: dict[int, Point] = {}
        self._epochs = epochs

    def job(self) -> Job | None:
        leg = self._scheduler.next()
        if leg is not None:
            self._scheduler.started(leg.trial, leg.until)
            return leg.trial, self._points[leg.trial], leg.until
        point = self._engine.ask()
        if point is None:
            return None
        number = len(self._points) + 1
        self._points[number] = point
        until = self._scheduler.first(number)
        self._scheduler.started(number, until)
        return number, point, until

    def epoch(self, trial: int, epoch: int, value: float) -> bool:
        return self._scheduler.observe(trial, epoch, value) != "go on"

    def left(self, trial: int, value: float, complete: bool) -> None:
        if complete:
            self._scheduler.ended(trial, value)
            self._engine.tell(self._points[trial], value)
        else:
            self._scheduler.rests(trial)
            worth = self._scheduler.worth(trial)
            if worth is not None:
                share = len(self._scheduler.curves[trial]) / self._epochs
                self._engine.tell(self._points[trial], Part(worth, share))


class Optuna:
    """optuna as its documentation has it: the default sampler, with a pruner or without."""

    def __init__(self, space: Space, epochs: int, seed: int, workers: int, *, hyperband: bool) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        pruner = optuna.pruners.HyperbandPruner(1, epochs, 3) if hyperband else optuna.pruners.NopPruner()
        sampler = optuna.samplers.TPESampler(seed=seed)
        self._study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner, study_name=f"bench-{seed}")
        self._axes = {axis.name: _distribution(axis) for axis in space}
        self._trials: dict[int, Any] = {}

    def job(self) -> Job | None:
        trial = self._study.ask(self._axes)
        self._trials[trial.number] = trial
        return trial.number, dict(trial.params), 0

    def epoch(self, trial: int, epoch: int, value: float) -> bool:
        self._trials[trial].report(value, epoch)
        return bool(self._trials[trial].should_prune())

    def left(self, trial: int, value: float, complete: bool) -> None:
        import optuna

        state = optuna.trial.TrialState.COMPLETE if complete else optuna.trial.TrialState.PRUNED
        self._study.tell(self._trials.pop(trial), value if complete else None, state=state)


def _distribution(axis: Any) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.kind == "choice":
        return CategoricalDistribution(axis.choices)
    if axis.kind == "int":
        return IntDistribution(round(axis.low), round(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


class Hyperopt:
    """hyperopt's TPE with its defaults; the running trials are in its list."""

    def __init__(self, space: Space, epochs: int, seed: int, workers: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import hyperopt

        self._space = space
        self._axes = {axis.name: self._expression(axis) for axis in space}
        self._domain = hyperopt.base.Domain(lambda point: 0.0, self._axes)
        self._trials = hyperopt.Trials()
        self._rng = np.random.default_rng(seed)
        self._docs: dict[int, Any] = {}

    @staticmethod
    def _expression(axis: Any) -> Any:
        from hyperopt import hp

        if axis.kind == "choice":
            return hp.choice(axis.name, list(axis.choices))
        half = 0.5 if axis.kind == "int" else 0.0
        if axis.log:
            low, high = math.log(axis.low - half * 0.99), math.log(axis.high + half * 0.99)
            return hp.qloguniform(axis.name, low, high, 1) if axis.kind == "int" else hp.loguniform(axis.name, low, high)
        if axis.kind == "int":
            return hp.uniformint(axis.name, axis.low, axis.high)
        return hp.uniform(axis.name, axis.low, axis.high)

    def job(self) -> Job | None:
        from hyperopt import JOB_STATE_RUNNING, space_eval, tpe

        [number] = self._trials.new_trial_ids(1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            [doc] = tpe.suggest([number], self._domain, self._trials, int(self._rng.integers(2**31 - 1)))
        doc["state"] = JOB_STATE_RUNNING
        self._trials.insert_trial_docs([doc])
        self._trials.refresh()
        self._docs[number] = self._trials._dynamic_trials[-1]
        values = {name: found[0] for name, found in doc["misc"]["vals"].items()}
        raw = space_eval(self._axes, values)
        return number, {axis.name: _within(axis, raw[axis.name]) for axis in self._space}, 0

    def epoch(self, trial: int, epoch: int, value: float) -> bool:
        return False

    def left(self, trial: int, value: float, complete: bool) -> None:
        from hyperopt import JOB_STATE_DONE, STATUS_OK

        doc = self._docs.pop(trial)
        doc["result"] = {"loss": -value, "status": STATUS_OK}
        doc["state"] = JOB_STATE_DONE
        self._trials.refresh()


def _within(axis: Any, value: Any) -> Any:
    if axis.kind == "int":
        return int(min(axis.high, max(axis.low, round(float(value)))))
    return value


class DeapGenetic:
    """A generational genetic algorithm by DEAP's tools: tournaments of 3, crossover 0.5, mutation 0.2, 20 members.

    A generation waits for its last member, as DEAP's own algorithms do; who was not changed is not trained again.
    """

    def __init__(self, space: Space, epochs: int, seed: int, workers: int) -> None:
        self._space, self._rng = space, random.Random(seed)
        self._members: list[list[float]] = [[self._rng.random() for _ in space] for _ in range(20)]
        self._values: list[float | None] = [None] * len(self._members)
        self._queue = list(range(len(self._members)))
        self._trials: dict[int, int] = {}
        self._count = 0

    def job(self) -> Job | None:
        if not self._queue:
            if any(value is None for value in self._values):
                return None
            self._breed()
        member = self._queue.pop(0)
        self._count += 1
        self._trials[self._count] = member
        return self._count, self._space.at(self._members[member]), 0

    def _breed(self) -> None:
        from deap import tools

        state = random.getstate()
        random.setstate(self._rng.getstate())
        try:
            while True:
                chosen = [self._tournament() for _ in self._members]
                children = [list(self._members[i]) for i in chosen]
                values = [self._values[i] for i in chosen]
                for a in range(0, len(children) - 1, 2):
                    if random.random() < 0.5:
                        tools.cxTwoPoint(children[a], children[a + 1])
                        values[a] = values[a + 1] = None
                for i, child in enumerate(children):
                    if random.random() < 0.2:
                        for k in range(len(child)):
                            if random.random() < 0.2:
                                child[k] = random.random()
                        values[i] = None
                self._members, self._values = children, values
                self._queue = [i for i, value in enumerate(values) if value is None]
                if self._queue:
                    return
        finally:
            self._rng.setstate(random.getstate())
            random.setstate(state)

    def _tournament(self) -> int:
        return max((random.randrange(len(self._members)) for _ in range(3)), key=lambda i: self._values[i] or 0.0)

    def epoch(self, trial: int, epoch: int, value: float) -> bool:
        return False

    def left(self, trial: int, value: float, complete: bool) -> None:
        self._values[self._trials.pop(trial)] = value
