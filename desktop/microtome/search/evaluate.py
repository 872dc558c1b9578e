"""The last measurement of a run: the best trial's network on the locked evaluation set, beside simple methods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from microtome.errors import MicrotomeError
from microtome.events import Evaluated, Event, Phase
from microtome.jobs.runner import Cancelled, Done, Ended, Failed, Report, Runner, Task
from microtome.search.steer import Helm
from microtome.training.spec import TrialSpec

_TASK = 0  # the id of its task; trials begin at 1
_ATTEMPTS = 3
_METHODS = 3  # the network and two baselines
_POLL = 0.1


class TrialBugError(RuntimeError):
    """A run ended because of a bug in a worker; the message holds the worker's traceback."""


def evaluate_in_worker(
    report: Callable[[Any], None], should_stop: Callable[[], str], *, spec: dict[str, Any]
) -> dict[str, Any]:
    """A worker's task: `run_evaluation` of a trial {folder, image_set, …}, beside the baselines of the same slices."""
    # Both take seconds to import what they need; a driver never needs it.
    from microtome.slices.imageset import ImageSet
    from microtome.training.baseline import BaselineStoppedError, baselines
    from microtome.training.baseline_compare import beside
    from microtome.training.evaluate import run_evaluation

    done = 0

    def next_method(name: str = "") -> None:
        nonlocal done
        report(Phase(name="evaluating", done=done, total=_METHODS, unit="methods"))
        done += 1

    next_method()
    result = run_evaluation(spec, report, should_stop)
    images = ImageSet.open(Path(spec["image_set"]))
    try:
        told = baselines(images, should_stop, next_method)
    except BaselineStoppedError:
        return {"outcome": "cancelled"}
    predicted = np.array(result.pop("predicted"), dtype=np.int64)
    result |= beside(told, images.split("evaluation"), predicted, images.labels, images.classes)
    result["independence"] = images.independence
    report(Phase(name="evaluating", done=_METHODS, total=_METHODS, unit="methods"))
    return result


def evaluated(trial: int, result: dict[str, Any]) -> Evaluated:
    """The event of what `evaluate_in_worker` returned."""
    low, high = result["interval"]
    return Evaluated(
        trial=trial,
        accuracy=result["accuracy"],
        interval=(low, high),
        per_class={name: (correct, total) for name, (correct, total) in result["per_class"].items()},
        confusion=tuple(tuple(row) for row in result["confusion"]),
        baseline=result["baseline"],
        baseline_intervals={name: (low, high) for name, (low, high) in result["baseline_intervals"].items()},
        baseline_gains={name: (gain, low, high) for name, (gain, low, high) in result["baseline_gains"].items()},
        baseline_details=result["baseline_details"],
        baseline_images=result["baseline_images"],
        independence=result["independence"],
    )


def evaluate_trial(number: int, spec: TrialSpec, *, runner: Runner, helm: Helm, emit: Callable[[Event], None]) -> str:
    """Open the evaluation set, once, for a trial; returns done | stopped | aborted.

    Raises a MicrotomeError where it cannot be measured, TrialBugError for what is a bug.
    """
    what = {"folder": spec.folder, "image_set": spec.image_set, "threads": spec.threads}
    task = Task(id=_TASK, function="microtome.search.evaluate:evaluate_in_worker", arguments={"spec": what})
    for _ in range(_ATTEMPTS):
        runner.submit(task)
        match _end(runner, helm, emit).outcome:
            case Done(result=result):
                emit(evaluated(number, result))
                return "done"
            case Failed(message=message, trace=trace):
                if trace:
                    raise TrialBugError(f"Trial {number} could not be evaluated: {message}\n{trace}")
                raise MicrotomeError(f"Trial {number} could not be evaluated: {message}")
            case Cancelled():
                return "aborted" if helm.mode == "abort" else "stopped"
    raise MicrotomeError(f"The evaluation's worker died {_ATTEMPTS} times.", "Look into its log in the run's folder “workers”.")


def _end(runner: Runner, helm: Helm, emit: Callable[[Event], None]) -> Ended:
    while True:
        for message in runner.poll(_POLL):
            if isinstance(message, Ended):
                return message
            if isinstance(message, Report):
                emit(message.event)
        if helm.look() in ("interrupt", "abort"):
            runner.cancel(_TASK, "kill")
