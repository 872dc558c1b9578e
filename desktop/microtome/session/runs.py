"""The session: an open project and the runs that are started in it, followed and steered."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from microtome.errors import MicrotomeError
from microtome.search.driver import create_run
from microtome.session.change import Change
from microtome.session.launch import launch
from microtome.session.limit import TimeLimit
from microtome.session.queue import Queue
from microtome.session.working import WorkingRecipe
from microtome.store.run import Order, RunFolder, RunLock


@dataclass
class Session(WorkingRecipe):
    """An open project, if any, and all that can be done with it."""

    drivers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)  # run name → its driver, ours to reap

    def start(self, *, search: bool, name: str = "", limit: TimeLimit | None = None) -> RunFolder:
        """Write the run folder and start its driver, which outlives this window and stops at its limit."""
        run = create_run(self.recipe(search=search), self.need_project(), name)
        if limit:
            run.order("until", **limit.to_json())
        self.drive(run)
        return run

    def enqueue(self, *, search: bool, name: str = "", limit: TimeLimit | None = None) -> RunFolder:
        """Write the run folder with the settings of now and put it at the queue's end; it starts if nothing else runs."""
        run = create_run(self.recipe(search=search), self.need_project(), name)
        self.queue.add(run, limit)
        self.advance()
        return run

    @property
    def queue(self) -> Queue:
        """The project's queue."""
        return Queue(self.need_project().path)

    def advance(self) -> Change:
        """Start what waits in the queue while there is room."""
        if self.project is None or self.project.read_only:
            return Change.NOTHING
        mine = [name for name, driver in self.drivers.items() if driver.poll() is None]
        begun = self.queue.advance(begun_elsewhere=mine)
        self.drivers.update(begun)
        return Change.RUNS if begun else Change.NOTHING

    def drive(self, run: RunFolder) -> Change:
        """Start a driver that begins the run, or goes on where it stopped; nothing where one runs already."""
        if RunLock(run).holder() is None and not self.driving(run):
            self.drivers[run.name] = launch(run)
        return Change.RUNS

    def driving(self, run: RunFolder) -> bool:
        """True while the run's driver lives (ours or another window's)."""
        mine = self.drivers.get(run.name)
        if mine is not None and mine.poll() is None:
            return True
        return RunLock(run).holder() is not None

    def order(self, run: RunFolder, command: Order, **arguments: Any) -> Change:
        """Pause, resume, stop or abort a run, or change its workers or budget; a run without a driver gets one to resume."""
        if run.name not in self.queue.starting() and not self.driving(run):
            if command == "resume":
                return self.drive(run)
            raise MicrotomeError(f"{run.name} is not running.", "Press Continue to go on with it.")
        run.order(command, **arguments)
        return Change.RUNS

    def edit_space(
        self, run: RunFolder, table: Mapping[str, Any], fixed: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
    ) -> Change:
        """Let a running search go on in another space: `table` as a recipe's [search.space], `fixed` all frozen values.

        `defaults`: what the trials so far had on an axis that is new. The driver checks it, and answers a wrong one by a note.
        """
        return self.order(run, "space", table=dict(table), fixed=dict(fixed), defaults=dict(defaults or {}))

    def add_trial(self, run: RunFolder, parameters: Mapping[str, Any]) -> Change:
        """Let a running search try this point next, beside its budget; what it leaves out is as in the recipe."""
        return self.order(run, "trial", parameters=dict(parameters))

    def runs(self) -> list[RunFolder]:
        """The project's runs, oldest first."""
        return self.project.runs() if self.project is not None else []
