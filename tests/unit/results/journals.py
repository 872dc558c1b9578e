"""Journals for tests: events as a driver writes them, in the order in which it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from microtome.events import (
    EpochEnded,
    Evaluated,
    Event,
    ImageSetReady,
    RunEnded,
    RunStarted,
    TrialEnded,
    TrialStarted,
)

CLASSES = ("cement", "bone", "骨 & <fibre>")
_BEGUN = 1_000_000.0


def epoch(trial: int, number: int, *, accuracy: float, train: float | None, validation: float | None) -> EpochEnded:
    """An epoch with 100 images a class, whose mean accuracy is `accuracy`; the first class is the best one."""
    hits = [round(100 * min(1.0, accuracy + shift)) for shift in (0.1, 0.0, -0.1)]
    matrix = tuple(tuple(hits[t] if t == s else (100 - hits[t]) * ((s - t) % 3 == 1) for s in range(3)) for t in range(3))
    return EpochEnded(
        time=_BEGUN + 100 * trial + number + 1,
        trial=trial,
        epoch=number,
        train_loss=train,
        train_accuracy=accuracy,
        validation_loss=validation,
        validation_accuracy=sum(hits) / 300,
        per_class={name: (hit, 100) for name, hit in zip(CLASSES, hits, strict=True)},
        confusion=matrix,
        learning_rate=1e-3,
        images_per_second=250.0,
        seconds=1.0,
    )


def start(kind: str, trials: int, epochs: int) -> list[Event]:
    """The first events of a run."""
    counts = {split: dict.fromkeys(CLASSES, n) for split, n in (("train", 300), ("validation", 100), ("evaluation", 50))}
    return [
        RunStarted(time=_BEGUN, run=f"a-{kind}", kind=kind, classes=CLASSES, trials=trials, epochs=epochs, pid=1, workers=2),
        ImageSetReady(time=_BEGUN + 1, hash="abc", counts=counts, pixel_size=4.0, unit="nm", warnings=("Look out & <b>",)),
    ]


def trial(
    number: int,
    accuracies: Sequence[float],
    parameters: dict[str, Any] | None = None,
    *,
    outcome: str = "done",
    worker: int = 1,
) -> list[Event]:
    """A whole trial; its value is its best validation accuracy."""
    epochs = [epoch(number, i, accuracy=a, train=1.0 / (i + 1), validation=1.2 / (i + 1)) for i, a in enumerate(accuracies)]
    value = max((e.validation_accuracy for e in epochs), default=None)
    begun = _BEGUN + 100 * number
    return [
        TrialStarted(time=begun, trial=number, parameters=parameters or {}, key=str(number), worker=worker),
        *epochs,
        TrialEnded(time=begun + 50, trial=number, outcome=outcome, value=value if outcome == "done" else None, seconds=50.0),
    ]


def evaluated(number: int) -> Evaluated:
    """The evaluation set, opened for a trial: 45, 40 and 50 of 50 correct."""
    per_class = dict(zip(CLASSES, ((45, 50), (40, 50), (50, 50)), strict=True))
    confusion = ((45, 5, 0), (3, 40, 7), (0, 0, 50))
    return Evaluated(
        time=_BEGUN + 9000,
        trial=number,
        accuracy=0.9,
        interval=(0.84, 0.94),
        per_class=per_class,
        confusion=confusion,
        baseline={"HOG + SVM": 0.7, "radial spectrum + logistic regression": 0.8},
        baseline_intervals={"HOG + SVM": (0.62, 0.77), "radial spectrum + logistic regression": (0.73, 0.86)},
        baseline_gains={"HOG + SVM": (0.2, 0.11, 0.29), "radial spectrum + logistic regression": (0.1, 0.02, 0.18)},
        baseline_details={"HOG + SVM": "RBF kernel, C = 3, learnt from 900 images"},
        independence="The sets share no voxel.",
        caution="They come from 3 volumes.",
    )


def training(*, finished: bool = True) -> list[Event]:
    """A training of four epochs."""
    events = [*start("train", 1, 4), *trial(1, (0.5, 0.7, 0.85, 0.8))]
    if not finished:
        return events[:-1]
    return [*events, evaluated(1), RunEnded(time=_BEGUN + 9001, state="done", best_trial=1, seconds=60.0)]


def searching(*, finished: bool = True) -> list[Event]:
    """A search of five trials: the third is best, the fourth failed, the last one runs unless it has ended."""
    rates, names = (1e-4, 1e-3, 5e-3, 0.1, 2e-3), ("relu", "gelu", "relu", "silu", "gelu")
    events = start("search", 5, 2)
    for i, (rate, name) in enumerate(zip(rates, names, strict=True), start=1):
        parameters = {"training.learning_rate": rate, "network.activation": name, "network.dense": 2}
        best = (0.5, 0.6, 0.8, 0.0, 0.7)[i - 1]
        accuracies = () if i == 4 else (best - 0.1, best)
        events += trial(i, accuracies, parameters, outcome="failed" if i == 4 else "done", worker=1 + i % 2)
    if not finished:
        return events[:-1]
    return [*events, evaluated(3), RunEnded(time=_BEGUN + 9001, state="done", best_trial=3, seconds=600.0)]
