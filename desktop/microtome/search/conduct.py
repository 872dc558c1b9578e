"""The trials of a run: what each one is, whether it is known already, what its end is worth, all of it as events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from microtome.errors import MicrotomeError
from microtome.events import EpochEnded, Event, TrialEnded, TrialStarted, WorkerEnded
from microtome.jobs.runner import (
    Cancelled,
    Crashed,
    Done,
    Failed,
    Lost,
    Outcome,
    Pruned,
    Report,
    Runner,
    Task,
    WorkerDied,
)
from microtome.search.imagesets import ImageSets
from microtome.search.ledger import Finished, Ledger, epochs_of
from microtome.search.loop import Again, Answer, Entry, Follow, Later
from microtome.search.recipe import Recipe
from microtome.search.records import Records, measure
from microtome.search.stop import StoppingRule
from microtome.slices.cutting import CuttingStoppedError
from microtome.store.run import RunFolder
from microtome.training.checkpoint import epochs_done
from microtome.training.spec import TrialSpec

_ATTEMPTS = 3  # times that a trial is begun before its worker's death counts as its own fault


@dataclass
class Conductor:
    """Owner of a run's trials (see loop.Owner)."""

    run: RunFolder
    recipe: Recipe
    emit: Callable[[Event], None]
    records: Records
    image_sets: ImageSets
    ledger: Ledger | None  # None: nothing is reused
    rule: StoppingRule
    runner: Runner
    device: str  # for the record: cpu | cuda
    threads: int  # of each worker
    bug: str = ""  # the traceback of the latest trial that failed by a bug
    _specs: dict[int, TrialSpec] = field(default_factory=dict)  # of the running trials

    @property
    def objective(self) -> str:
        """What is maximised."""
        return self.recipe.search.objective if self.recipe.search is not None else "mean"

    def spec(self, entry: Entry) -> TrialSpec:
        """What a point means; its image set is cut where it is not there yet."""
        recipe = self.recipe.with_values(entry.parameters)
        images = self.image_sets.get(recipe)
        return TrialSpec(
            image_set=str(images.path),
            image_set_hash=images.hash,
            network=recipe.network,
            training=recipe.training,
            transfer=recipe.transfer,
            importance=recipe.importance,
            folder=str(self.run.trial(entry.number)),
            threads=self.threads,
        )

    # --- what the loop asks

    def prepare(self, entry: Entry) -> Task | Answer | Follow:
        """A task, or the answer of the ledger, or the running twin; a point that cannot be cut or built has failed."""
        try:
            spec = self.spec(entry)
        except CuttingStoppedError:
            raise
        except MicrotomeError as error:
            if self.recipe.search is None:
                raise
            self._started(entry, key="", worker=0)
            return self._ended(entry.number, "failed", message=str(error))
        key = spec.key()
        if self.ledger is not None:
            finished = self.ledger.find(key)
            if finished is not None and finished.folder != self.run.trial(entry.number):
                return self._reuse(entry, key, finished)
            leader = next((n for n, s in self._specs.items() if s.key() == key), None)
            if leader is not None:
                self._started(entry, key=key, worker=0)
                return Follow(leader)
        self._specs[entry.number] = spec
        arguments = {"spec": spec.to_json(), "trial": entry.number}
        return Task(id=entry.number, function="microtome.training.trial:run_trial", arguments=arguments)

    def started(self, entry: Entry, worker: int) -> None:
        """Note it."""
        self._started(entry, key=self._specs[entry.number].key(), worker=worker)

    def reported(self, report: Report) -> None:
        """Note what is new: a resumed trial repeats the epochs of its checkpoint."""
        event = report.event
        if not isinstance(event, EpochEnded):
            self.emit(event)
            return
        event = msgspec.structs.replace(event, trial=report.task)
        self._epoch(report.task, event)
        value = measure(event, self.objective)
        if value is not None and self.rule.behind(report.task, event.epoch, value):
            self.runner.cancel(report.task, "prune")

    def ended(self, entry: Entry, outcome: Outcome, worker: int) -> Answer | Again | Later:
        """Note the end, unless the trial is to go on."""
        spec = self._specs.pop(entry.number)
        match outcome:
            case Done(result=result) | Pruned(result=result):
                word = "done" if isinstance(outcome, Done) else "pruned"
                for epoch in epochs_of(result):
                    self._epoch(entry.number, msgspec.structs.replace(epoch, trial=entry.number))
                if word == "done" and self.ledger is not None:
                    self.ledger.add(spec.key(), self.run.trial(entry.number))
                return self._valued(entry.number, word, result)
            case Cancelled():
                return Later()
            case Failed(message=message, trace=trace):
                self.bug = trace or self.bug
                return self._ended(entry.number, "failed", message=message)
            case Crashed() | Lost():
                log = outcome.log if isinstance(outcome, Crashed) else ""
                self.emit(WorkerEnded(worker=worker, reason=outcome.message, log=log))
                if entry.attempt < _ATTEMPTS:
                    return Again()
                word = "crashed" if isinstance(outcome, Crashed) else "lost"
                return self._ended(entry.number, word, message=f"{outcome.message} Tried {_ATTEMPTS} times.")

    def worker_died(self, message: WorkerDied) -> None:
        """Note it; another takes its place."""
        self.emit(WorkerEnded(worker=message.worker, reason=message.reason, log=message.log))

    # --- events

    def _started(self, entry: Entry, *, key: str, worker: int) -> None:
        self.emit(
            TrialStarted(
                trial=entry.number,
                parameters=entry.parameters,
                key=key,
                worker=worker,
                device=self.device,
                start_epoch=epochs_done(self.run.trial(entry.number)),
                attempt=entry.attempt,
            )
        )

    def _epoch(self, number: int, event: EpochEnded) -> None:
        record = self.records.trials.get(number)
        known = record.epochs.get(event.epoch) if record is not None else None
        if known is None or known != event:
            self.emit(event)

    def _reuse(self, entry: Entry, key: str, finished: Finished) -> Answer:
        """Answer a twin at once, with the curves and the files of the trial that was trained."""
        self._started(entry, key=key, worker=0)
        finished.copy_to(self.run.trial(entry.number))
        for epoch in finished.history:
            self._epoch(entry.number, msgspec.structs.replace(epoch, trial=entry.number))
        best = next((e for e in finished.history if e.epoch == finished.best_epoch), None)
        value = finished.value if best is None else measure(best, self.objective)
        return self._ended(entry.number, "reused", value=value, best_epoch=finished.best_epoch, reused_from=finished.name)

    def _valued(self, number: int, word: str, result: dict[str, Any]) -> Answer:
        best = next((e for e in epochs_of(result) if e.epoch == result["best_epoch"]), None)
        value = result["value"] if best is None else measure(best, self.objective)
        return self._ended(
            number, word, value=value, best_epoch=result["best_epoch"], seconds=result["seconds"], message=result["message"]
        )

    def _ended(self, number: int, outcome: str, *, value: float | None = None, **rest: Any) -> Answer:
        self.emit(TrialEnded(trial=number, outcome=outcome, value=value, **rest))
        return Answer(value)
