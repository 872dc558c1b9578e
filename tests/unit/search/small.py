"""A small job: two textures that a tiny network tells apart in seconds."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from microtome.events import BatchProgress, Event, SpaceChanged, StateChanged, TrialEnded
from microtome.search.recipe import parse
from microtome.store.project import Project
from microtome.store.run import Order, RunFolder


def volumes(folder: Path) -> list[dict[str, Any]]:
    """Write two volumes, fine and coarse, and return their classes."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    classes = []
    for name, grain in (("fine", 1), ("coarse", 4)):
        noise = rng.random((48 // grain,) * 3)
        voxels = (noise.repeat(grain, 0).repeat(grain, 1).repeat(grain, 2) * 255).astype(np.uint8)
        np.save(folder / f"{name}.npy", voxels)
        classes.append({"name": name, "volumes": [str(folder / f"{name}.npy")]})
    return classes


def table(folder: Path, **changes: dict[str, Any]) -> dict[str, Any]:
    """A recipe of a training that takes a second; `changes` by section."""
    recipe: dict[str, Any] = {
        "class": volumes(folder),
        "slices": {"field_of_view": 16.0, "pixels": 16, "train": 60, "validation": 20, "evaluation": 30, "orientation": "xy"},
        "network": {"name": "cnn", "convolutions": 2, "dense": 0, "width": 8},
        "training": {"epochs": 4, "batch_size": 16},
    }
    for section, values in changes.items():
        recipe[section] = {**recipe.get(section, {}), **values}
    return recipe


def project(folder: Path) -> Project:
    """The project of a test."""
    return Project.create(folder / "project")


def make(folder: Path, **changes: dict[str, Any]) -> RunFolder:
    """A new run in the test's project."""
    from microtome.search.driver import create_run

    return create_run(parse(table(folder / "data", **changes)), project(folder))


class Watch:
    """Collects a drive's events and acts on some of them."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.events: list[Event] = []
        self.seen: set[str] = set()
        self._held: list[psutil.Process] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, StateChanged | SpaceChanged):
            self.release()
        self.act(event)

    def order(self, command: Order, **rest: Any) -> None:
        """Give the driver an order; the workers stand still until it obeys, so that none is done before it looks."""
        self.run.order(command, **rest)
        self._held = self._held or workers()
        for worker in self._held:
            worker.suspend()

    def release(self) -> None:
        """Let the workers go on."""
        for worker in self._held:
            with suppress(psutil.NoSuchProcess):
                worker.resume()
        self._held = []

    def act(self, event: Event) -> None:
        """Overridden."""

    def once(self, name: str) -> bool:
        """True the first time."""
        new = name not in self.seen
        self.seen.add(name)
        return new

    def of(self, kind: type) -> list[Any]:
        """The events of a kind."""
        return [e for e in self.events if isinstance(e, kind)]

    def states(self) -> list[str]:
        """The state words."""
        return [e.state for e in self.of(StateChanged)]

    def outcomes(self) -> list[str]:
        """The trials' ends."""
        return [e.outcome for e in self.of(TrialEnded)]


def workers() -> list[psutil.Process]:
    """The worker processes of this process."""
    children = psutil.Process(os.getpid()).children(recursive=True)
    return [c for c in children if "spawn_main" in " ".join(c.cmdline())]


__all__ = ["BatchProgress", "Watch", "make", "project", "table", "volumes", "workers"]
