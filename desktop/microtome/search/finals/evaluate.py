"""The last measurement of a run: the best trial's network on the locked evaluation set, beside simple methods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from microtome.errors import MicrotomeError
from microtome.events import Evaluated, Event, Note, Phase, WorkerEnded
from microtome.jobs.runner import Cancelled, Crashed, Done, Ended, Failed, Lost, Report, Runner, Task
from microtome.search.steer import Helm
from microtome.search.workers.deaths import ATTEMPTS, in_a_row
from microtome.training.spec import TrialSpec

_TASK = 0  # the id of its task; trials begin at 1
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
    from microtome.training.evaluate import run_evaluation, trust_words
    from microtome.training.told import tell_in_worker

    done = 0

    def next_method(name: str = "") -> None:
        nonlocal done
        report(Phase(name="evaluating", done=done, total=_METHODS, unit="methods"))
        done += 1

    next_method()
    images = ImageSet.open(Path(spec["image_set"]))
    try:
        if spec.get("target") == "value":
            result = tell_in_worker(spec, images, should_stop, next_method)
        else:
            result = run_evaluation(spec, report, should_stop)
            told = baselines(images, should_stop, next_method)
            predicted = np.array(result.pop("predicted"), dtype=np.int64)
            result |= beside(told, images.split("evaluation"), predicted, images.labels, images.classes)
            result["caution"] = trust_words(images)
    except BaselineStoppedError:
        return {"outcome": "cancelled"}
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
        caution=result["caution"],
        **_of_values(result),
    )


def _of_values(result: dict[str, Any]) -> dict[str, Any]:
    """What an evaluation tells beside, where it is of a number."""
    if "r2" not in result:
        return {}
    points = tuple((true, mean, deviation, int(n)) for true, mean, deviation, n in result["points"])
    return {**{key: result[key] for key in ("r2", "rmse", "mae", "unit", "n")}, "points": points}


def evaluate_trial(number: int, spec: TrialSpec, *, runner: Runner, helm: Helm, emit: Callable[[Event], None]) -> str:
    """Open the evaluation set, once, for a trial; returns done | stopped | aborted.

    Raises a MicrotomeError where it cannot be measured, TrialBugError for what is a bug.
    """
    what = {"folder": spec.folder, "image_set": spec.image_set, "threads": spec.threads, "target": spec.training.target}
    task = Task(id=_TASK, function="microtome.search.finals.evaluate:evaluate_in_worker", arguments={"spec": what})
    deaths = 0
    while deaths < ATTEMPTS:
        runner.submit(task)
        end = _end(runner, helm, emit)
        match end.outcome:
            case Done(result=result):
                emit(evaluated(number, result))
                return "done"
            case Failed(message=message, trace=trace):
                if trace:
                    raise TrialBugError(f"Trial {number} could not be evaluated: {message}\n{trace}")
                raise MicrotomeError(f"Trial {number} could not be evaluated: {message}")
            case Cancelled():
                return "aborted" if helm.mode == "abort" else "stopped"
            case Crashed() | Lost() as outcome:
                emit(WorkerEnded(worker=end.worker, reason=outcome.message, log=outcome.log))
                deaths = in_a_row(deaths, outcome, moved=False)
    raise MicrotomeError(f"The evaluation's worker died {ATTEMPTS} times.", "Look into its log in the run's folder “workers”.")


def answer_late_orders(helm: Helm, emit: Callable[[Event], None]) -> None:
    """Say of orders about trials that they came too late; nobody waits for them in vain."""
    late = [*helm.take_edits(), helm.take_budget()]
    if any(order is not None for order in late):
        text = "The trials of this search are over: a change of its space or budget, or a trial of your own, comes too late."
        emit(Note(text=text, level="warning", hint="Start another search; what this one has trained is not trained again."))


def _end(runner: Runner, helm: Helm, emit: Callable[[Event], None]) -> Ended:
    while True:
        for message in runner.poll(_POLL):
            if isinstance(message, Ended):
                return message
            if isinstance(message, Report):
                emit(message.event)
        answer_late_orders(helm, emit)
        if helm.look() in ("interrupt", "abort"):
            runner.cancel(_TASK, "kill")
