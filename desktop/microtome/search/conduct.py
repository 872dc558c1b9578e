"""The trials of a run: what each one is, whether it is known already, what its end is worth, all of it as events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from microtome.errors import MicrotomeError, NoRoomError
from microtome.events import EpochEnded, Event, Note, TrialEnded, TrialPaused, TrialStarted, WorkerEnded
from microtome.jobs.runner import (
    Cancelled,
    Crashed,
    Done,
    Failed,
    Lost,
    Outcome,
    Paused,
    Pruned,
    Report,
    Runner,
    Task,
    WorkerDied,
)
from microtome.search.engine import Value
from microtome.search.imagesets import ImageSets
from microtome.search.known.inherit import parent_of
from microtome.search.known.ledger import Finished, Ledger, clear_debris, costs_of, epochs_of, name_of
from microtome.search.loop import Again, Answer, Elsewhere, Entry, Follow, Later, Rest
from microtome.search.recipe import Recipe
from microtome.search.records import STOPPED, Record, Records, both, full_epochs, measure
from microtome.search.stopping.schedule import Scheduler, Verdict, follow
from microtome.search.trials import trial_of
from microtome.search.workers.deaths import ATTEMPTS, in_a_row
from microtome.search.workers.devices import Devices
from microtome.slices.cutting import CuttingStoppedError
from microtome.store.atomic import sweep_folder
from microtome.store.run import RunFolder
from microtome.training.checkpoint import epochs_done
from microtome.training.spec import TrialSpec
from microtome.training.trial import MODEL


@dataclass
class Conductor:
    """Owner of a run's trials (see loop.Owner)."""

    run: RunFolder
    recipe: Recipe
    emit: Callable[[Event], None]
    records: Records
    image_sets: ImageSets
    ledger: Ledger
    reuse: bool  # whether other runs answer; where not, they may still be answered by this one
    scheduler: Scheduler
    runner: Runner
    device: str  # for the record: cpu | cuda
    devices: Devices
    threads: int  # of each worker
    epochs: int  # of a full trial
    bug: str = ""  # the traceback of the latest trial that failed by a bug
    _specs: dict[int, TrialSpec] = field(default_factory=dict)  # of the running trials
    _begun: dict[int, int] = field(default_factory=dict)  # running trial → epochs that it had when it was started
    _continued: dict[int, str] = field(default_factory=dict)  # trial → run/trial whose checkpoint it goes on from
    _inherited: dict[int, str] = field(default_factory=dict)  # trial → run/trial whose weights it begins with
    _keys: dict[str, int] = field(default_factory=dict)  # key → the first trial of it that has not come to its end

    def __post_init__(self) -> None:
        for event in self.records.timeline:
            follow(self.scheduler, event, measure(event, self.objective) if isinstance(event, EpochEnded) else None)
        for record in sorted(self.records.trials.values(), key=lambda r: r.number):
            self.devices.learn(record.costs)
            if record.key and not record.reused_from and (not record.ended or record.outcome in STOPPED):
                self._keys.setdefault(record.key, record.number)

    @property
    def objective(self) -> str:
        """What is maximised."""
        return self.recipe.search.objective if self.recipe.search is not None else "mean"

    def spec(self, entry: Entry) -> TrialSpec:
        """What a point means; its image set is cut where it is not there yet."""
        recipe = self.recipe.with_values(entry.parameters)
        images = self.image_sets.get(recipe)
        parent = parent_of(self.records, self.recipe, entry.number, entry.parameters)
        folder = None if parent is None else self.run.trial(parent.number)
        self._inherited[entry.number] = "" if folder is None else name_of(folder)
        device = self.devices.choose(spec.device for spec in self._specs.values())
        return replace(
            trial_of(recipe, images, self.run.trial(entry.number), device=device, threads=self.threads),
            stop_after=entry.until,
            inherited="" if folder is None else str(folder / MODEL),
            inherited_key="" if parent is None else parent.key,
        )

    # --- what the loop asks

    def prepare(self, entry: Entry) -> Task | Answer | Rest | Follow | Elsewhere:
        """A task, or the answer of the ledger, or the twin that runs; a point that cannot be cut or built has failed."""
        try:
            spec = self.spec(entry)
        except (CuttingStoppedError, NoRoomError):
            raise
        except MicrotomeError as error:
            if self.recipe.search is None:
                raise
            self._started(entry, key="", worker=0)
            return self._ended(entry.number, "failed", message=str(error))
        key = spec.key()
        if entry.number not in self.records.trials:
            clear_debris(self.run.trial(entry.number), key)
        known = self._known(entry, key)
        if known is not None:
            return known
        self._specs[entry.number] = spec
        arguments = {"spec": spec.to_json(), "trial": entry.number}
        return Task(id=entry.number, function="microtome.training.trial:run_trial", arguments=arguments)

    def room(self, running: int) -> bool:
        """See Devices."""
        return self.devices.room(running)

    def started(self, entry: Entry, worker: int) -> None:
        """Note it."""
        self._started(entry, key=self._specs[entry.number].key(), worker=worker)

    def reported(self, report: Report) -> None:
        """Note what is new: a resumed trial repeats the epochs of its checkpoint."""
        event = report.event
        if not isinstance(event, EpochEnded):
            self.emit(event)
            return
        if self._epoch(report.task, event) == "stop":
            self.runner.cancel(report.task, "prune")

    def ended(self, entry: Entry, outcome: Outcome, worker: int) -> Answer | Rest | Again | Later:
        """Note the end, unless the trial is to go on."""
        spec = self._specs.pop(entry.number)
        self.ledger.release(spec.key())
        match outcome:
            case Done(result=result):
                for epoch in epochs_of(result):
                    self._epoch(entry.number, epoch)
                self.ledger.add(spec.key(), self.run.trial(entry.number))
                return self._valued(entry.number, result)
            case Pruned(result=result) | Paused(result=result):
                for epoch in epochs_of(result):
                    self._epoch(entry.number, epoch)
                return self._rests(entry.number, costs_of(result))
            case Cancelled(result=result) if entry.speculative:
                record, epochs = self.records.trials[entry.number], epochs_done(self.run.trial(entry.number))
                value, costs = record.reached(self.objective), costs_of(result) if result else record.costs
                self._note(TrialPaused(trial=entry.number, epochs=epochs, value=value, costs=costs))
                return Rest(None)
            case Cancelled():
                return Later()
            case Failed(message=message, no_room=True):
                raise NoRoomError(message)  # the next trial would fare no better; this one goes on when there is room again
            case Failed(message=message, trace=trace):
                self.bug = trace or self.bug
                return self._ended(entry.number, "failed", message=message)
            case Crashed() | Lost():
                return self._died(entry, outcome, worker)

    def closed(self, entry: Entry) -> None:
        """A trial that waits in vain has ended where it stands."""
        record = self.records.trials[entry.number]
        if not record.ended:
            word = "dropped" if entry.speculative else "pruned"
            value, costs = record.reached(self.objective), {**record.costs, "stopped": 1.0}
            self._ended(entry.number, word, value=value, seconds=costs.get("seconds", 0.0), costs=costs)

    def worker_died(self, message: WorkerDied) -> None:
        """Note it; another takes its place."""
        self.emit(WorkerEnded(worker=message.worker, reason=message.reason, log=message.log))

    # --- events

    def _note(self, event: Event) -> Verdict:
        self.emit(event)
        return follow(self.scheduler, event, measure(event, self.objective) if isinstance(event, EpochEnded) else None)

    def _started(self, entry: Entry, *, key: str, worker: int) -> None:
        self._begun[entry.number] = epochs_done(self.run.trial(entry.number))
        spec = self._specs.get(entry.number)
        self._note(
            TrialStarted(
                trial=entry.number,
                parameters=entry.parameters,
                key=key,
                worker=worker,
                device=self.device if spec is None or spec.device == "auto" else spec.device,
                start_epoch=self._begun[entry.number],
                attempt=entry.attempt,
                speculative=entry.speculative,
                own=entry.own,
                inherited=self._inherited.get(entry.number, ""),
                continued=self._continued.pop(entry.number, ""),
                until=entry.until,
            )
        )

    def _epoch(self, number: int, event: EpochEnded) -> Verdict:
        event = msgspec.structs.replace(event, trial=number)
        record = self.records.trials.get(number)
        known = record.epochs.get(event.epoch) if record is not None else None
        return self._note(event) if known != event else follow(self.scheduler, event, measure(event, self.objective))

    def _known(self, entry: Entry, key: str) -> Answer | Rest | Follow | Elsewhere | None:
        """What is known of a key: finished, or trained just now. None: it is ours to train, from the furthest checkpoint on."""
        folder = self.run.trial(entry.number)
        if not self.reuse:
            self.ledger.claim(key, folder)
            new = self.recipe.search is None and entry.number not in self.records.trials
            if new and (twin := self.ledger.find(key)) is not None:
                self.emit(twin.note())
            return None
        leader = self._keys.get(key, entry.number)
        if leader != entry.number and self.ledger.find(key) is None:
            return self._twin(entry, key, self.records.trials[leader])
        other = self.ledger.claim(key, folder)
        if other is not None:
            if entry.number not in self.records.trials:
                self._started(entry, key=key, worker=0)
                self.emit(Note(text=f"Trial {entry.number} waits for {name_of(other)}: they are the same."))
            return Elsewhere()
        if (finished := self.ledger.find(key)) is not None and finished.folder != folder:
            self.ledger.release(key)
            return self._reuse(entry, key, finished)
        self._keys.setdefault(key, entry.number)
        self._continued[entry.number] = self.ledger.go_on(key, folder)
        return None

    def _reuse(self, entry: Entry, key: str, finished: Finished) -> Answer:
        """Answer a twin at once, with the curves and the files of the trial that was trained."""
        self._started(entry, key=key, worker=0)
        finished.copy_to(self.run.trial(entry.number))
        for epoch in finished.history:
            self._epoch(entry.number, epoch)
        best = next((e for e in finished.history if e.epoch == finished.best_epoch), None)
        value = finished.value if best is None else measure(best, self.objective)
        rest: dict[str, Any] = {"best_epoch": finished.best_epoch, "reused_from": finished.name, "costs": finished.costs}
        return self._ended(entry.number, "reused", value=value, **rest)

    def _twin(self, entry: Entry, key: str, leader: Record) -> Answer | Follow:
        """The same is trained by another trial: wait for its end, or, where that one waits itself, take what it has."""
        self._started(entry, key=key, worker=0)
        if not leader.resting and leader.outcome not in STOPPED:
            return Follow(leader.number)
        value, costs = leader.reached(self.objective), {**leader.costs, "stopped": 1.0}
        name = name_of(self.run.trial(leader.number))
        return self._ended(entry.number, "pruned", value=value, reused_from=name, costs=costs)

    def _valued(self, number: int, result: dict[str, Any]) -> Answer:
        best = next((e for e in epochs_of(result) if e.epoch == result["best_epoch"]), None)
        value = result["value"] if best is None else measure(best, self.objective)
        rest = {name: result[name] for name in ("best_epoch", "seconds", "message")}
        return self._ended(number, "done", value=value, costs=costs_of(result), **rest)

    def _rests(self, number: int, costs: dict[str, float]) -> Rest:
        """A trial has stopped with its checkpoint: it waits, or it has fallen behind."""
        self.devices.learn(costs)
        costs = {**costs, "stopped": 1.0}
        value = told = self.records.trials[number].reached(self.objective)
        if number in self.scheduler.stopped:
            seconds = costs.get("seconds", 0.0)
            self._note(TrialEnded(trial=number, outcome="pruned", value=value, told=told, seconds=seconds, costs=costs))
        else:
            epochs = len(self.records.trials[number].epochs)
            self._note(TrialPaused(trial=number, epochs=epochs, value=value, told=told, costs=costs))
        return Rest(_told(self.recipe, self.records.trials[number], told, costs, full=self.epochs))

    def _died(self, entry: Entry, outcome: Crashed | Lost, worker: int) -> Answer | Again:
        self.emit(WorkerEnded(worker=worker, reason=outcome.message, log=outcome.log))
        moved = epochs_done(self.run.trial(entry.number)) > self._begun[entry.number]
        if (deaths := in_a_row(entry.deaths, outcome, moved=moved)) < ATTEMPTS:
            return Again(deaths)
        word = "crashed" if isinstance(outcome, Crashed) else "lost"
        return self._ended(entry.number, word, message=f"{outcome.message} Tried {ATTEMPTS} times.")

    def _ended(self, number: int, outcome: str, *, value: float | None = None, **rest: Any) -> Answer:
        self._keys = {key: trial for key, trial in self._keys.items() if trial != number or outcome in STOPPED}
        sweep_folder(self.run.trial(number))
        event = TrialEnded(trial=number, outcome=outcome, value=value, **rest)
        self.devices.learn(event.costs)
        self._note(event)
        return Answer(_told(self.recipe, self.records.trials[number], value, event.costs, full=self.epochs))


def _told(recipe: Recipe, record: Record, value: float | None, costs: dict[str, float], *, full: int) -> Value:
    """What the engine is told of a trial, where a full one has so many epochs."""
    second = recipe.search.second if recipe.search is not None else "none"
    return both(value, costs, second, full=full_epochs(record.parameters, full))
