"""The session: an open project and the runs that are started in it, followed and steered."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from microtome.errors import MicrotomeError
from microtome.search.driver import create_run
from microtome.session.change import Change
from microtome.session.working import WorkingRecipe
from microtome.store.run import Order, RunFolder, RunLock


@dataclass
class Session(WorkingRecipe):
    """An open project, if any, and all that can be done with it."""

    drivers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)  # run name → its driver, ours to reap

    def start(self, *, search: bool, name: str = "") -> RunFolder:
        """Write the run folder and start its driver, which outlives this window."""
        run = create_run(self.recipe(search=search), self.need_project(), name)
        self.drive(run)
        return run

    def drive(self, run: RunFolder) -> Change:
        """Start a driver that begins the run, or goes on where it stopped; nothing where one runs already."""
        if RunLock(run).holder() is None and not self.driving(run):
            with open(run.path / "driver.log", "ab") as log:
                self.drivers[run.name] = subprocess.Popen(
                    [*program(), "resume", str(run.path), "--json"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                    env=environment(),
                )
        return Change.RUNS

    def driving(self, run: RunFolder) -> bool:
        """True while the run's driver lives (ours or another window's)."""
        mine = self.drivers.get(run.name)
        if mine is not None and mine.poll() is None:
            return True
        return RunLock(run).holder() is not None

    def order(self, run: RunFolder, command: Order, **arguments: Any) -> Change:
        """Pause, resume, stop or abort a run, or change its workers or budget; a run without a driver gets one to resume."""
        if not self.driving(run):
            if command == "resume":
                return self.drive(run)
            raise MicrotomeError(f"{run.name} is not running.", "Press Continue to go on with it.")
        run.order(command, **arguments)
        return Change.RUNS

    def runs(self) -> list[RunFolder]:
        """The project's runs, oldest first."""
        return self.project.runs() if self.project is not None else []


def program() -> list[str]:
    """How to start this program once more, from a checkout as from a frozen build."""
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "microtome"]


def environment() -> dict[str, str]:
    """The environment of a driver: ours, without what belongs to a window."""
    return {k: v for k, v in os.environ.items() if not k.startswith("QT_")}
