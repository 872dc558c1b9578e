"""The honest winner: the best trials, trained again on fresh seeds and slices and ranked; it alone sees the evaluation set.

trials/0012-1/      trial 12 on the first fresh seed: files as in a trial's folder
model.safetensors   in the run's folder: the network that was evaluated
"""

from __future__ import annotations

import math
import shutil
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from microtome.errors import MicrotomeError, NoRoomError
from microtome.events import (
    EpochEnded,
    Event,
    ImageSetReady,
    Note,
    Phase,
    Ranked,
    Retrained,
    StateChanged,
    WorkerEnded,
    images_of,
)
from microtome.jobs.runner import Crashed, Done, Ended, Failed, Lost, Outcome, Report, Task
from microtome.search.conduct import Conductor
from microtome.search.finals.evaluate import TrialBugError, answer_late_orders, evaluate_trial
from microtome.search.finals.ranking import Contender, rank
from microtome.search.imagesets import ImageSets
from microtome.search.known.ledger import epochs_of
from microtome.search.loop import Entry
from microtome.search.recipe import Recipe
from microtome.search.records import COUNTED, Record, Records, measure
from microtome.search.steer import Helm
from microtome.search.trials import trial_of
from microtome.search.workers.deaths import ATTEMPTS, in_a_row
from microtome.store.atomic import explain
from microtome.store.journal import read_all
from microtome.training.checkpoint import epochs_done
from microtome.training.spec import TrialSpec

_FIRST = 1_000_000_000  # the ids of its tasks lie above those of all trials
_BRANCH = 20_016  # of a training's seed: the fresh seeds
_POLL = 0.1
_MARGIN = 1.25  # of the longest trial: what comes may be longer
_CLOSING = 15.0  # seconds for the evaluation
_EVERY = 0.02  # of the whole, between two events of progress
_FILES = ("model.safetensors", "predictions.csv")

Emit = Callable[[Event], None]


def conclude(conductor: Conductor, *, helm: Helm, emit: Emit) -> str:
    """Retrain and rank the finalists, if there are to be some; open the evaluation set once; returns done | stopped | aborted.

    Whatever was done before is taken from the journal and from the folders. Raises a MicrotomeError where nothing
    can be measured, TrialBugError for what is a bug.
    """
    best = conductor.records.best()
    if best is None:
        raise MicrotomeError("No trial came to a result.")
    final = Finals(conductor, helm, emit)
    state = final.run()
    if state != "done":
        return state
    number, spec = final.winner() or (best.number, conductor.spec(Entry(number=best.number, parameters=best.parameters)))
    if conductor.records.evaluated is None:
        state = evaluate_trial(number, spec, runner=conductor.runner, helm=helm, emit=emit)
    if state == "done" and final.jobs:
        _hand_over(conductor, number, Path(spec.folder))
    return state


def finalists(records: Records, count: int) -> list[Record]:
    """The best `count` trials that were trained to their end, best first; of those that trained the same only the first."""
    found: dict[str, Record] = {}
    counted = [r for r in records.trials.values() if r.outcome in COUNTED and r.value is not None]
    for record in sorted(counted, key=lambda r: (-(r.value or 0.0), r.number)):
        found.setdefault(record.key or str(record.number), record)
    return list(found.values())[:count]


def closing_seconds(records: Records, recipe: Recipe) -> float:
    """Seconds that a search needs from its last beginning to its end: the longest trial, the finalists, the evaluation."""
    search = recipe.search
    longest = max((r.costs.get("seconds", r.seconds) for r in records.trials.values()), default=0.0)
    if search is None or not longest:
        return 0.0
    again = min(search.finalists, search.budget) * search.finalist_seeds
    return _MARGIN * longest * (1 + math.ceil(again / search.workers)) + _CLOSING


def fresh_seeds(seed: int, count: int) -> list[int]:
    """Seeds that no trial of a search with this seed has used; the first of them do not depend on their number."""
    drawn = np.random.SeedSequence(seed, spawn_key=(_BRANCH,)).generate_state(count + 8).tolist()
    fresh = dict.fromkeys(int(n) & 0x7FFFFFFF for n in drawn)
    return [n for n in fresh if n not in (0, seed)][:count]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One retraining: a trial on one fresh seed, the same for all trials; `turn` counts them from 1."""

    record: Record
    seed: int
    turn: int


class Finals:
    """The retrainings of one driver, and what they come to. Workers train side by side, the first seed of all trials first."""

    def __init__(self, conductor: Conductor, helm: Helm, emit: Emit) -> None:
        self._conductor, self._helm, self._emit = conductor, helm, emit
        search, run = conductor.recipe.search, conductor.run
        chosen = finalists(conductor.records, search.finalists) if search is not None else []
        seeds = fresh_seeds(conductor.recipe.training.seed, search.finalist_seeds) if search is not None else []
        self.jobs = [Job(record=r, seed=s, turn=k + 1) for k, s in enumerate(seeds) for r in chosen]
        # A search without finalists need not read its journal again.
        journal = [e for e in read_all(run.events) if isinstance(e, Retrained | Ranked)] if self.jobs else []
        self._known = {(e.trial, e.seed): e for e in journal if isinstance(e, Retrained)}
        self._ranked = next((e for e in reversed(journal) if isinstance(e, Ranked)), None)
        # Fresh slices are no news of the run's own image set.
        self._sets = ImageSets(run.path.parent.parent / "imagesets", self._about_cutting, lambda: helm.leaving)
        self._out: set[int] = set()  # trials that failed on a fresh seed
        self._waiting: deque[Job] = deque()
        self._running: dict[int, tuple[Job, TrialSpec]] = {}
        self._deaths: dict[int, int] = {}  # task → of its workers in a row
        self._begun: dict[int, int] = {}  # task → epochs that it had when it was submitted
        self._epochs: dict[int, float] = {}  # task → epochs, as a part of all it has
        self._told = -1.0
        self._state = "running"

    def run(self) -> str:
        """Retrain what was not yet, and rank; returns done | stopped | aborted."""
        self._waiting = deque(job for job in self.jobs if self._event(job) is None)
        state = self._train()
        if state == "done" and self.jobs:
            self._rank()
        return state

    def winner(self) -> tuple[int, TrialSpec] | None:
        """The trial taken and its network: of its retrainings the one of the median value, so neither luck nor bad luck."""
        if self._ranked is None:
            return None
        number = self._ranked.winner
        mine = sorted((e.value, job.turn, job) for job in self.jobs if job.record.number == number and (e := self._event(job)))
        return number, self._spec(mine[(len(mine) - 1) // 2][2])

    # --- what is trained

    def _event(self, job: Job) -> Retrained | None:
        return self._known.get((job.record.number, job.seed))

    def _spec(self, job: Job) -> TrialSpec:
        """The trial's own settings, but for its seed and the drawing of its slices; blocks and sets stay as they are."""
        c = self._conductor
        recipe = c.recipe.with_values(job.record.parameters)
        recipe = replace(
            recipe,
            training=replace(recipe.training, seed=job.seed),
            slices=replace(recipe.slices, drawing=job.seed),
        )
        folder = c.run.trial(job.record.number)
        device = c.devices.choose(spec.device for _, spec in self._running.values())
        place = folder.with_name(f"{folder.name}-{job.turn}")
        return trial_of(recipe, self._sets.get(recipe), place, device=device, threads=c.threads)

    def _about_cutting(self, event: Event) -> None:
        if not isinstance(event, ImageSetReady):
            self._emit(event)

    # --- the work

    def _train(self) -> str:
        while self._waiting or self._running:
            mode = self._helm.look()
            if mode == "abort":
                return self._abort()
            answer_late_orders(self._helm, self._emit)
            workers = self._helm.take_workers()
            if workers is not None:
                self._conductor.runner.resize(workers)
                self._emit(StateChanged(state=self._state, workers=workers))
            if mode == "run":
                self._say("running")
                self._fill()
            else:
                for task in self._running:
                    self._conductor.runner.cancel(task, "pause")
                if mode != "pause":
                    self._say("stopping")
                    if not self._running:
                        return "stopped"
                else:
                    self._say("pausing" if self._running else "paused")
            self._collect()
        return "done"

    def _fill(self) -> None:
        c = self._conductor
        elsewhere: list[Job] = []  # another run trains the same just now
        while self._waiting and c.runner.idle > 0 and c.room(len(self._running)):
            job = self._waiting.popleft()
            if job.record.number in self._out:
                continue
            spec = self._spec(job)
            key, folder = spec.key(), Path(spec.folder)
            if c.ledger.claim(key, folder) is not None and c.reuse:
                elsewhere.append(job)
                continue
            found = c.ledger.find(key) if c.reuse else None
            if found is not None:
                if found.folder != folder:
                    found.copy_to(folder)
                c.ledger.release(key)
                self._keep(job, spec, found.history, found.best_epoch)
                continue
            if c.reuse:
                c.ledger.go_on(key, folder)
            task = _FIRST + self.jobs.index(job)
            arguments = {"spec": spec.to_json(), "trial": job.record.number}
            c.runner.submit(Task(id=task, function="microtome.training.trial:run_trial", arguments=arguments))
            self._running[task], self._begun[task] = (job, spec), epochs_done(folder)
            self._progress()
        self._waiting.extend(elsewhere)

    def _collect(self) -> None:
        for message in self._conductor.runner.poll(_POLL):
            match message:
                case Report(task=task, event=EpochEnded() as event) if task in self._running:
                    # Epochs of a retraining are none of the trial's own: they are progress, and in the retraining's folder.
                    self._epochs[task] = (event.epoch + 1) / self._running[task][1].training.epochs
                    self._progress()
                case Report(event=Note() as note):
                    self._emit(note)
                case Ended() if message.task in self._running:
                    job, spec = self._running.pop(message.task)
                    self._end(message.task, job, spec, message.outcome, message.worker)

    def _end(self, task: int, job: Job, spec: TrialSpec, outcome: Outcome, worker: int) -> None:
        number = job.record.number
        self._conductor.ledger.release(spec.key())
        match outcome:
            case Done(result=result):
                self._keep(job, spec, epochs_of(result), result["best_epoch"])
            case Failed(message=message, no_room=True):
                raise NoRoomError(message)
            case Failed(message=message, trace=trace):
                if trace:
                    raise TrialBugError(f"Trial {number} could not be trained again: {message}\n{trace}")
                self._drop(number, message)
            case Crashed() | Lost():
                self._emit(WorkerEnded(worker=worker, reason=outcome.message, log=outcome.log))
                moved = epochs_done(Path(spec.folder)) > self._begun[task]
                self._deaths[task] = in_a_row(self._deaths.get(task, 0), outcome, moved=moved)
                if self._deaths[task] >= ATTEMPTS:
                    self._drop(number, f"{outcome.message} Tried {ATTEMPTS} times.")
                else:
                    self._waiting.appendleft(job)
            case _:  # interrupted: it goes on from its checkpoint
                self._waiting.appendleft(job)

    def _keep(self, job: Job, spec: TrialSpec, history: tuple[EpochEnded, ...], best: int | None) -> None:
        epoch = next((e for e in history if e.epoch == best), None)
        value = None if epoch is None else measure(epoch, self._conductor.objective)
        if epoch is None or value is None:
            self._drop(job.record.number, "It came to no value.")
            return
        self._conductor.ledger.add(spec.key(), Path(spec.folder))
        event = Retrained(
            trial=job.record.number,
            seed=job.seed,
            value=value,
            correct=sum(correct for correct, _ in epoch.per_class.values()),
            total=images_of(epoch.per_class),
            image_set=spec.image_set_hash,
        )
        self._known[job.record.number, job.seed] = event
        self._emit(event)
        self._progress()

    def _drop(self, number: int, why: str) -> None:
        """A network that fails on a fresh seed is no winner."""
        if number not in self._out:
            self._out.add(number)
            self._emit(Note(text=f"Trial {number} is out of the ranking: it failed on a fresh seed. {why}", level="warning"))

    def _abort(self) -> str:
        self._say("stopping")
        for task in self._running:
            self._conductor.runner.cancel(task, "kill")
        while self._running:
            for message in self._conductor.runner.poll(_POLL):
                if isinstance(message, Ended):
                    self._running.pop(message.task, None)
        return "aborted"

    # --- what is said

    def _say(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._emit(StateChanged(state=state))

    def _progress(self) -> None:
        done = sum(1 for job in self.jobs if self._event(job) is not None)
        part = done + sum(self._epochs.get(task, 0.0) for task in self._running)
        if abs(part - self._told) >= _EVERY * len(self.jobs) or done == len(self.jobs):
            self._told = part
            self._emit(Phase(name="retraining", done=part, total=len(self.jobs), unit="networks"))

    def _rank(self) -> None:
        kept: dict[int, list[Retrained]] = {}
        for job in self.jobs:
            event = self._event(job)
            if event is not None and job.record.number not in self._out:
                kept.setdefault(job.record.number, []).append(event)
        if not kept:
            text = "None of the finalists could be trained again: the best trial of the search is evaluated as it is."
            self._emit(Note(text=text, level="warning"))
            return
        shares = self._conductor.objective != "loss"
        least = min((e.total for events in kept.values() for e in events if e.total), default=0)
        found = rank(
            [_contender(self._conductor.records.trials[number], events) for number, events in kept.items()],
            grain=self._grain(least) if shares and least else 0.0,
            bounds=(0.0, 1.0) if shares and least else None,  # a value told without counts may be below 0
        )
        ranked = Ranked(
            means={str(trial): triple for trial, triple in found.means.items()},
            tied=found.tied,
            words=found.words,
            winner=found.winner,
            p={str(trial): p for trial, p in found.p.items()},
        )
        # The same ranking is said once, however often a driver comes this far.
        if self._ranked is None or (self._ranked.means, self._ranked.winner) != (ranked.means, ranked.winner):
            self._emit(ranked)
        self._ranked = ranked

    def _grain(self, images: int) -> float:
        """The step of a value told of so many images: of their mean class accuracy, or of the worst class alone."""
        c = self._conductor
        return (len(c.recipe.classes) if c.objective == "worst" else 1) / images


def _contender(record: Record, events: list[Retrained]) -> Contender:
    parameters = record.costs.get("parameters", float("inf"))
    return Contender(trial=record.number, values=tuple(e.value for e in events), parameters=parameters)


def _hand_over(conductor: Conductor, number: int, folder: Path) -> None:
    """Make the evaluated network the run's own, and its answers those of its trial."""
    targets: dict[str, Any] = {_FILES[0]: conductor.run.path, _FILES[1]: conductor.run.trial(number)}
    for name, target in targets.items():
        if folder == target:
            continue  # none could be trained again: the trial's own network was evaluated
        try:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / name, target / name)
        except OSError as error:
            raise explain(error, target, "copy the winner's files to") from error
