"""The present drive of a run: phases, trials, orders, the last measurement, and its end as a value."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from microtome.errors import MicrotomeError
from microtome.events import (
    EpochEnded,
    Evaluated,
    Event,
    Note,
    RunEnded,
    RunStarted,
    StateChanged,
    TrialEnded,
)
from microtome.jobs.runner import Runner
from microtome.search.conduct import Conductor
from microtome.search.edit import SearchEngine, obey, replay
from microtome.search.engine import Engine, OneTrial
from microtome.search.finals.evaluate import TrialBugError
from microtome.search.finals.finalists import closing_seconds, conclude
from microtome.search.imagesets import ImageSets
from microtome.search.known.ledger import Ledger
from microtome.search.known.warm import warm_up
from microtome.search.loop import Entry, Loop
from microtome.search.recipe import Recipe
from microtome.search.records import STOPPED, Record, Records
from microtome.search.steer import Helm
from microtome.search.stopping.rules import make_scheduler
from microtome.search.workers.place import Place
from microtome.slices.cutting import CuttingStoppedError
from microtome.store.atomic import write_text
from microtome.store.journal import JournalWriter
from microtome.store.run import RunFolder

_POLL = 0.1  # seconds: orders are looked for at least so often
_TABLE_EVERY = 20  # trials between two writings of trials.csv


class Drive:
    """One driver's work on a run, from its lock to its RunEnded."""

    def __init__(
        self,
        run: RunFolder,
        recipe: Recipe,
        records: Records,
        helm: Helm,
        journal: JournalWriter,
        on_event: Callable[[Event], None] | None,
        place: Place,
    ) -> None:
        self._run, self._place = run, place
        self._recipe = recipe
        self._records = records
        self._helm = helm
        self._journal = journal
        self._on_event = on_event or (lambda event: None)
        self._begun = time.monotonic()
        self._state = "running"
        self._tabled = 0
        self._withheld = 0  # trials of the budget for which there was no time
        search = recipe.search
        if search is not None and search.hours > 0:
            helm.allow(search.hours * 3600 - records.seconds)
        self._budget = records.budget or (search.budget if search is not None else 1)
        self._workers = records.workers or (search.workers if search is not None else 1)
        project = run.path.parent.parent
        self._image_sets = ImageSets(project / "imagesets", self._emit, lambda: helm.leaving)
        self._ledger = Ledger(run.path.parent)
        self._bug = ""

    def run(self) -> RunEnded:
        """Work to an end; a MicrotomeError is one of them, anything else is journalled and raised."""
        try:
            end = self._work()
        except CuttingStoppedError:
            end = self._end("aborted" if self._helm.mode == "abort" else "stopped")
        except MicrotomeError as error:
            end = self._end("failed", str(error))
        except Exception as error:
            self._close(self._end("failed", f"A bug ended the run: {type(error).__name__}: {error}"))
            raise
        finally:
            self._ledger.close()
        self._close(end)
        if end.state == "failed" and self._bug:
            raise TrialBugError(f"{end.message}\n{self._bug}")
        return end

    # --- events

    def _emit(self, event: Event) -> None:
        self._journal.append(event)
        if isinstance(event, EpochEnded | TrialEnded | Evaluated | RunEnded):
            self._journal.sync()
        self._records.take(event)
        self._on_event(event)

    def _end(self, state: str, message: str = "") -> RunEnded:
        seen, best = self._records.evaluated, self._records.best()
        if state == "done" and seen is not None:
            best = self._records.trials[seen.trial]  # with finalists, the winner need not be the highest
        seconds = time.monotonic() - self._begun
        message = message or (self._helm.reason if state == "stopped" else "")
        return RunEnded(state=state, message=message, best_trial=None if best is None else best.number, seconds=seconds)

    def _close(self, end: RunEnded) -> None:
        try:
            self._emit(end)
        except MicrotomeError:
            # The disk is full or gone: the journal keeps what it has, and the end is told to whoever listens.
            self._on_event(end)
        self._write_table()

    def _write_table(self) -> None:
        try:
            write_text(self._run.path / "trials.csv", self._records.table())
        except MicrotomeError:
            return  # derived: it can be made again at any time

    def _say(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._emit(StateChanged(state=state))

    # --- the work

    def _work(self) -> RunEnded:
        recipe = self._recipe
        self._emit(
            RunStarted(
                run=self._run.name,
                kind="train" if recipe.search is None else "search",
                classes=tuple(c.name for c in recipe.classes),
                trials=self._budget,
                epochs=_longest(self._recipe),
                pid=os.getpid(),
                resumed=self._records.started,
                workers=self._workers,
                objective=recipe.search.objective if recipe.search is not None else "mean",
            )
        )
        # The workers import torch while the slices are being cut.
        with self._place.runner(self._workers, self._run.path, self._helm) as runner:
            axes = recipe.search.space if recipe.search is not None else ()
            fixed = not any(axis.name.startswith("slices.") for axis in axes)
            image_set = self._image_sets.get(recipe).hash if fixed else ""
            warm_up(self._records, self._ledger, recipe, image_set, run=self._run.name, emit=self._emit)
            engine = self._engine()
            conductor = self._conductor(runner)
            # Once the evaluation set was seen, nothing more is chosen: an earlier driver has died before it could say the end.
            seen = self._records.evaluated is not None
            state = "done" if seen else self._trials(self._loop(engine, runner, conductor), runner, engine)
            self._bug = conductor.bug
            if state != "done":
                return self._end(state)
            return self._finish(conductor)

    def _engine(self) -> Engine:
        return OneTrial() if self._recipe.search is None else SearchEngine(self._recipe)

    def _conductor(self, runner: Runner) -> Conductor:
        search = self._recipe.search
        return Conductor(
            run=self._run,
            recipe=self._recipe,
            emit=self._emit,
            records=self._records,
            image_sets=self._image_sets,
            ledger=self._ledger,
            reuse=search is not None and search.reuse,
            scheduler=make_scheduler(search.early_stopping if search is not None else None, max_epochs=_longest(self._recipe)),
            runner=runner,
            device=self._place.device,
            devices=self._place.devices,
            threads=self._place.threads(self._workers),
            epochs=_longest(self._recipe),
        )

    def _loop(self, engine: Engine, runner: Runner, conductor: Conductor) -> Loop:
        search = self._recipe.search
        replay(engine, self._records.told(search.second if search is not None else "none", full=conductor.epochs))
        loop = Loop(
            engine,
            runner,
            conductor,
            budget=self._budget,
            scheduler=conductor.scheduler,
            speculate=search is not None and search.speculate,
        )
        loop.asked = len(self._records.trials)
        loop.own.extend(self._records.owed)
        # A training that failed is tried again, since its user asks for it; a search has other trials.
        single = self._recipe.search is None
        loop.restore(
            (_entry(record), record.resting or record.outcome in STOPPED)
            for record in self._records.trials.values()
            if record.goes_on or (single and record.outcome in ("failed", "crashed", "lost"))
        )
        return loop

    def _trials(self, loop: Loop, runner: Runner, engine: Engine) -> str:
        """Run trials until all are done or the user wills otherwise; returns done | stopped | aborted."""
        while not loop.finished or self._helm.more():
            self._resize(loop, runner)
            if self._helm.until is not None:
                self._helm.reserve = closing_seconds(self._records, self._recipe)
            self._mind_the_time(loop)
            mode = self._helm.look()
            if mode == "abort":
                self._abort(loop, runner)
                return "aborted"
            for order in self._helm.take_edits():
                obey(order, engine, loop, emit=self._emit, state=self._state)
            loop.accepting = mode == "run"
            if mode == "run":
                self._say("running")
                loop.fill()
            elif self._wind_down(loop, mode):
                return "stopped"
            loop.collect(_POLL)
            ended = sum(1 for r in self._records.trials.values() if r.ended)
            if ended >= self._tabled + _TABLE_EVERY:
                self._tabled = ended
                self._write_table()
        loop.close()
        return "done"

    def _mind_the_time(self, loop: Loop) -> None:
        """Begin nothing new once the time is used up; where more of it is given before all has ended, go on."""
        if not self._helm.used_up:
            loop.budget, self._withheld = loop.budget + self._withheld, 0
        elif loop.budget > loop.asked:
            self._withheld += loop.budget - loop.asked
            loop.budget = loop.asked
            self._emit(Note(text="The search's time budget is used up: nothing new is begun."))

    def _wind_down(self, loop: Loop, mode: str) -> bool:
        """Let what runs come to its checkpoint (or, when a search stops, to its end); True when the run may end."""
        if mode != "stop" or self._recipe.search is None:
            loop.interrupt()
        if mode == "pause":
            self._say("pausing" if loop.running else "paused")
            return False
        loop.interrupt(early=True)
        self._say("stopping")
        return not loop.running

    def _abort(self, loop: Loop, runner: Runner) -> None:
        self._say("stopping")
        for number in list(loop.running):
            runner.cancel(number, "kill")
        cancelled = list(loop.running)
        while loop.running:
            loop.collect(_POLL)
        for number in cancelled:
            if not self._records.trials[number].ended:
                self._emit(TrialEnded(trial=number, outcome="cancelled"))

    def _resize(self, loop: Loop, runner: Runner) -> None:
        workers, budget = self._helm.take_workers(), self._helm.take_budget()
        if self._recipe.search is None or (workers is None and budget is None):
            return
        if workers is not None:
            runner.resize(workers)
        if budget is not None:
            loop.budget, self._withheld = max(budget, loop.asked), 0
            budget = loop.budget
        self._emit(StateChanged(state=self._state, workers=workers, trials=budget))

    # --- the end

    def _finish(self, conductor: Conductor) -> RunEnded:
        best = self._records.best()
        if best is None:
            return self._end("failed", self._why_none())
        state = conclude(conductor, helm=self._helm, emit=self._emit)
        if state != "done":
            return self._end(state)
        self._bug = ""
        return self._end("done")

    def _why_none(self) -> str:
        trials = list(self._records.trials.values())
        first = next((t.message for t in trials if t.message), "")
        if self._recipe.search is None:
            return first or "The training has not come to a result."
        return f"None of the {len(trials)} trials came to a result. {first}".strip()


def _entry(record: Record) -> Entry:
    return Entry(
        number=record.number,
        parameters=record.parameters,
        attempt=record.attempts if record.resting or record.ended else record.attempts + 1,
        until=record.until,
        speculative=record.speculative and not record.ended,
    )


def _longest(recipe: Recipe) -> int:
    """Epochs of a full trial; where they are searched, of the longest."""
    for axis in recipe.search.space if recipe.search is not None else ():
        if axis.name == "training.epochs":
            return int(max(axis.choices)) if axis.kind == "choice" else round(axis.high)
    return recipe.training.epochs
