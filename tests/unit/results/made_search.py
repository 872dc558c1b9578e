"""A made-up search for tests and benchmarks: a journal in the true format, whose values come from a formula, not a training.

The formula: the learning rate is best near 2e-3 and most trials above 3e-2 fail; gelu is a little better than relu, silu far
worse; more width helps a little; dropout and batch size change nothing; momentum exists for sgd alone. Trials are proposed
at random, a third of them wait at rungs (half of those go on), some are begun early, some answered by an earlier run.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtome.events import (
    EpochEnded,
    Event,
    ImageSetReady,
    Ranked,
    Retrained,
    RunEnded,
    RunStarted,
    TrialEnded,
    TrialPaused,
    TrialStarted,
)

CLASSES = ("cement", "bone", "wood")
SPACE: dict[str, Any] = {
    "training.learning_rate": {"low": 1e-5, "high": 0.1, "log": True},
    "training.batch_size": [16, 32, 64, 128],
    "training.optimizer": ["adam", "sgd"],
    "training.momentum": {"low": 0.5, "high": 0.99, "when": {"training.optimizer": ["sgd"]}},
    "network.activation": ["relu", "gelu", "silu"],
    "network.dropout": {"low": 0.0, "high": 0.7, "type": "float"},
    "network.dense": {"low": 0, "high": 4},
    "network.width": {"low": 8, "high": 128, "log": True},
}
EPOCHS = 9
_BEGUN = 1_790_000_000.0


def formula(parameters: dict[str, Any], noise: float) -> float:
    """The value of a trial, 0 … 1."""
    rate = math.log10(parameters["training.learning_rate"] / 2e-3)
    value = 0.93 - 0.06 * rate * rate - {"relu": 0.015, "gelu": 0.0, "silu": 0.08}[parameters["network.activation"]]
    value += 0.02 * math.log2(parameters["network.width"] / 32) - 0.006 * abs(parameters["network.dense"] - 2)
    return min(0.995, max(0.34, value + 0.015 * noise))


def parameters_of(rng: np.random.Generator) -> dict[str, Any]:
    """A point of the space, drawn evenly."""
    drawn = {
        "training.learning_rate": float(f"{10 ** rng.uniform(-5, -1):.6g}"),
        "training.batch_size": int(rng.choice([16, 32, 64, 128])),
        "training.optimizer": str(rng.choice(["adam", "sgd"])),
        "training.momentum": float(f"{rng.uniform(0.5, 0.99):.6g}"),
        "network.activation": str(rng.choice(["relu", "gelu", "silu"])),
        "network.dropout": float(f"{rng.uniform(0, 0.7):.6g}"),
        "network.dense": int(rng.integers(0, 5)),
        "network.width": round(2 ** rng.uniform(3, 7)),
    }
    if drawn["training.optimizer"] != "sgd":
        del drawn["training.momentum"]
    return drawn


def _epoch(trial: int, number: int, time: float, value: float, seconds: float) -> EpochEnded:
    hits = [round(200 * min(1.0, max(0.0, value + shift))) for shift in (0.03, 0.0, -0.03)]
    matrix = tuple(tuple(hits[t] if t == s else (200 - hits[t]) * ((s - t) % 3 == 1) for s in range(3)) for t in range(3))
    return EpochEnded(
        time=time,
        trial=trial,
        epoch=number,
        train_loss=1.2 * (1.02 - value),
        train_accuracy=value,
        validation_loss=1.3 * (1.02 - value),
        validation_accuracy=value,
        per_class={name: (hit, 200) for name, hit in zip(CLASSES, hits, strict=True)},
        confusion=matrix,
        learning_rate=1e-3,
        images_per_second=600 / seconds,
        seconds=seconds,
    )


class MadeSearch:
    """Makes the journal: `workers` beside each other, in the order of time."""

    def __init__(self, trials: int, *, workers: int = 4, seed: int = 0, epochs: int = EPOCHS) -> None:
        self.rng = np.random.default_rng(seed)
        self.trials, self.epochs = trials, epochs
        self.free = dict.fromkeys(range(1, workers + 1), _BEGUN + 2.0)
        self.events: list[Event] = []
        self.waiting: list[tuple[int, dict[str, Any], float, int, float]] = []

    def journal(self, *, finished: bool = True) -> list[Event]:
        """All events in the order of their times."""
        for number in range(1, self.trials + 1):
            self._trial(number)
        body = sorted(self.events, key=lambda e: e.time)
        if not finished:
            cut = body[int(len(body) * 0.9)].time
            return [*self._start(), *(e for e in body if e.time <= cut)]
        end = max(self.free.values()) + 1
        best = max((e for e in body if isinstance(e, TrialEnded) and e.value is not None and e.outcome == "done"), key=_value)
        return [*self._start(), *body, RunEnded(time=end, state="done", best_trial=best.trial, seconds=end - _BEGUN)]

    def _start(self) -> list[Event]:
        workers, counts = len(self.free), {"train": 600, "validation": 200, "evaluation": 200}
        started = RunStarted(
            time=_BEGUN,
            run="a-search",
            kind="search",
            classes=CLASSES,
            trials=self.trials,
            epochs=self.epochs,
            pid=1,
            workers=workers,
        )
        sets = {split: dict.fromkeys(CLASSES, n) for split, n in counts.items()}
        return [started, ImageSetReady(time=_BEGUN + 1, hash="abc", counts=sets, pixel_size=4.0, unit="nm")]

    def _trial(self, number: int) -> None:
        rng, parameters = self.rng, parameters_of(self.rng)
        value = formula(parameters, float(rng.normal()))
        worker = min(self.free, key=lambda w: self.free[w])
        time, speed = self.free[worker], 0.5 + parameters["network.width"] / 64 + float(rng.random())
        if rng.random() < 0.03 and number > 5:
            begun = TrialStarted(time=time, trial=number, parameters=parameters, key=str(number), worker=0)
            ended = TrialEnded(time=time, trial=number, outcome="reused", value=value, reused_from="20260101-old/0007")
            self.events += [begun, ended]
            return
        if parameters["training.learning_rate"] > 3e-2 and rng.random() < 0.85:
            self._begin(number, parameters, worker, time)
            self._end(number, time + speed, "failed", None, parameters, 0, "The loss became infinite.")
            self.free[worker] = time + speed + 0.2
            return
        early = rng.random() < 0.08
        self._begin(number, parameters, worker, time, speculative=early)
        whole = rng.random() < 0.66 and not early
        until = self.epochs if whole else max(1, self.epochs // 3)
        time = self._epochs(number, 0, until, time, value, speed)
        if early and rng.random() < 0.4:
            self._end(number, time, "dropped", None, parameters, until)
        elif whole or early:
            self._end(number, time, "done", value, parameters, until)
        elif rng.random() < 0.5:
            so_far = value - 0.1 * math.exp(-until / 2)
            self.events.append(TrialPaused(time=time, trial=number, epochs=until, value=so_far))
            if rng.random() < 0.6:  # promoted at once
                self._begin(number, parameters, worker, time + 0.3, start_epoch=until)
                time = self._epochs(number, until, self.epochs, time + 0.3, value, speed)
                self._end(number, time, "done", value, parameters, self.epochs)
        else:
            self._end(number, time, "pruned", value - 0.1 * math.exp(-until / 2), parameters, until, "It fell behind.")
        self.free[worker] = time + 0.2 + (4.0 if rng.random() < 0.01 else 0.0)

    def _begin(self, number: int, parameters: dict[str, Any], worker: int, time: float, **rest: Any) -> None:
        self.events.append(TrialStarted(time=time, trial=number, parameters=parameters, key=str(number), worker=worker, **rest))

    def _epochs(self, number: int, first: int, until: int, time: float, value: float, speed: float) -> float:
        for k in range(first, until):
            time += speed
            self.events.append(_epoch(number, k, time, value - 0.1 * math.exp(-(k + 1) / 2), speed))
        return time

    def _end(
        self,
        number: int,
        time: float,
        outcome: str,
        value: float | None,
        parameters: dict[str, Any],
        epochs: int,
        why: str = "",
    ) -> None:
        size = 400.0 * parameters["network.width"] ** 1.5 * (1 + parameters["network.dense"])
        costs = {"parameters": round(size), "epochs": float(epochs), "seconds": time - _BEGUN if epochs == 0 else epochs * 1.5}
        self.events.append(TrialEnded(time=time, trial=number, outcome=outcome, value=value, costs=costs, message=why))


def _value(event: TrialEnded) -> float:
    return event.value or 0.0


def honest(best: list[int]) -> list[Event]:
    """The best trials, trained again on three fresh seeds each, and their ranking; the first two are tied."""
    events: list[Event] = []
    means = {}
    for place, trial in enumerate(best):
        values = [0.94 - 0.012 * place + d for d in (-0.008, 0.0, 0.007)]
        events += [Retrained(trial=trial, seed=i, value=v, correct=564, total=600) for i, v in enumerate(values)]
        means[str(trial)] = (sum(values) / 3, sum(values) / 3 - 0.018, sum(values) / 3 + 0.018)
    return [*events, Ranked(means=means, tied=tuple(best[:2]), words=f"Trials {best[0]} and {best[1]} are tied.")]


def made_search(trials: int, *, finished: bool = True, workers: int = 4, seed: int = 0, epochs: int = EPOCHS) -> list[Event]:
    """The journal of a made-up search."""
    return MadeSearch(trials, workers=workers, seed=seed, epochs=epochs).journal(finished=finished)
