"""How a driver is started: this program once more, as a process of its own that outlives whoever starts it."""

from __future__ import annotations

import os
import subprocess
import sys

from microtome import settings
from microtome.jobs.cluster import Scheduler
from microtome.store.run import RunFolder

CLUSTER = "cluster"  # the setting: where trials work; absent: on this computer


def program() -> list[str]:
    """How to start this program once more, from a checkout as from a frozen build."""
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "microtome"]


def environment() -> dict[str, str]:
    """The environment of a driver: ours, without what belongs to a window."""
    return {k: v for k, v in os.environ.items() if not k.startswith("QT_")}


def launch(run: RunFolder) -> subprocess.Popen[bytes]:
    """Start a driver that begins the run, or goes on where it stopped, here or on the cluster of the settings."""
    there = Scheduler.from_json(settings.load().get(CLUSTER))
    run.order("launched")  # what is ordered from now on is for this driver, though it needs seconds to look
    with open(run.path / "driver.log", "ab") as log:
        return subprocess.Popen(
            [*program(), "resume", str(run.path), "--json", *(there.options() if there is not None else ())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
            env=environment(),
        )
