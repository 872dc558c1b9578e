"""A trial that needs no torch: its files, reports and ways to end are those of a real one, an epoch takes some milliseconds.

`python -m cheap_trial RUN` drives a run with it; each epoch follows from the one before, so one that was lost or doubled shows.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from microtome.events import EpochEnded, Event, decode, encode
from microtome.store.atomic import replacing, sweep_folder, write_json
from microtome.training import checkpoint
from microtome.training.metrics import best_epoch
from microtome.training.spec import TrialSpec
from microtome.training.trial import finished, write_history

BEGUN = "begun.txt"  # in a trial's folder: one line an epoch that was begun
_WORK = 15_000  # hashes an epoch: some milliseconds
_INSTEAD = {
    "microtome.training.trial:run_trial": "cheap_trial:run_trial",
    "microtome.search.finals.evaluate:evaluate_in_worker": "cheap_trial:evaluate",
}


def run_trial(
    spec: dict[str, Any], report: Callable[[Event], None], should_stop: Callable[[], str], *, trial: int = 0
) -> dict[str, Any]:
    """As microtome.training.trial.run_trial."""
    wanted = TrialSpec.from_json(spec)
    folder, key, epochs = Path(wanted.folder), wanted.key(), wanted.training.epochs
    found = finished(folder, key)
    if found is not None:
        for line in found["history"]:
            report(decode(line.encode()))
        return found
    folder.mkdir(parents=True, exist_ok=True)
    sweep_folder(folder)
    write_json(folder / "params.json", {"key": key, **spec})
    path = folder / checkpoint.NAME
    history = checkpoint.history(path) if path.exists() else []
    for event in history:
        report(event)
    outcome = "done"
    while len(history) < epochs:
        word = should_stop()
        if 0 < wanted.stop_after <= len(history) or word:
            outcome = "pruned" if word == "prune" else "cancelled" if word else "paused"
            break
        _append(folder / BEGUN, f"{len(history)}\n")
        history.append(_epoch(trial, history, wanted))
        if best_epoch(history) is history[-1]:
            _tensors(folder / "model.safetensors", {})
        _tensors(path, {"training": json.dumps({"key": key, "history": [encode(e).decode() for e in history]})})
        write_history(folder / "history.csv", history)
        _append(folder / "log.txt", f"epoch {history[-1].epoch}:\n")
        report(history[-1])
    best = best_epoch(history)
    result: dict[str, Any] = {
        "outcome": outcome,
        "value": None if best is None else best.validation_accuracy,
        "best_epoch": None if best is None else best.epoch,
        "epochs": len(history),
        "seconds": sum(e.seconds for e in history),
        "message": "",
        "parameters": 100,
        "history": [encode(e).decode() for e in history],
    }
    if outcome == "done":
        write_json(folder / checkpoint.RESULT, {"key": key, **result})
        path.unlink(missing_ok=True)
    return result


def _epoch(trial: int, history: list[EpochEnded], spec: TrialSpec) -> EpochEnded:
    """The epoch after those; it needs the number that the one before has left."""
    state = repr(history[-1].train_loss) if history else spec.key()
    for _ in range(_WORK):
        state = hashlib.sha256(state.encode()).hexdigest()
    chance, number = int(state[:8], 16) / 16**8, len(history)
    skill = 1 / (1 + abs(np.log10(spec.training.learning_rate) + 2.5))
    right = round(60 * skill * (1 - 0.5 ** (number + 1))) + round(20 * chance)
    return EpochEnded(
        trial=trial,
        epoch=number,
        train_loss=1 - chance,
        train_accuracy=0.5,
        validation_loss=1 - right / 100,
        validation_accuracy=right / 100,
        per_class={"fine": (right, 100), "coarse": (right, 100)},
        confusion=((right, 100 - right), (100 - right, right)),
        learning_rate=spec.training.learning_rate,
        images_per_second=100.0,
        seconds=0.01,
    )


def _append(path: Path, text: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def _tensors(path: Path, metadata: dict[str, str]) -> None:
    from safetensors.numpy import save

    with replacing(path, durable=False) as file:
        file.write(save({"weights": np.zeros(64, np.float32)}, metadata))


def evaluate(report: Callable[[Any], None], should_stop: Callable[[], str], *, spec: dict[str, Any]) -> dict[str, Any]:
    """As microtome.search.finals.evaluate.evaluate_in_worker, of a network that is always right."""
    assert (Path(spec["folder"]) / "model.safetensors").is_file()
    return {
        "accuracy": 1.0,
        "interval": (0.9, 1.0),
        "per_class": {"fine": (15, 15), "coarse": (15, 15)},
        "confusion": ((15, 0), (0, 15)),
        "baseline": {},
        "baseline_intervals": {},
        "baseline_gains": {},
        "baseline_details": {},
        "baseline_images": 0,
        "independence": "",
        "caution": "",
    }


def main() -> None:
    """Drive a run as the command does, with these trials."""
    from microtome.jobs.local import LocalRunner
    from microtome.jobs.runner import Task
    from microtome.search.driver import drive as drive_run
    from microtome.search.workers import place
    from microtome.store.run import RunFolder

    class Cheap(LocalRunner):
        def __init__(self, workers: int, *, logs: Path, warm: tuple[str, ...] = ()) -> None:
            super().__init__(workers, logs=logs)

        def submit(self, task: Task) -> int:
            return super().submit(replace(task, function=_INSTEAD[str(task.function)]))

    place.LocalRunner = Cheap  # type: ignore[misc]
    end = drive_run(RunFolder.open(Path(sys.argv[1])), lambda event: print(encode(event).decode(), flush=True))
    print(json.dumps({"event": "finished", "state": end.state, "message": end.message}), flush=True)


if __name__ == "__main__":
    main()
