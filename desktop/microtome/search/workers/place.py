"""Where a run's trials work: in processes on this computer, or on the workers of a cluster."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from microtome.jobs.cluster import Scheduler
from microtome.jobs.local import LocalRunner
from microtome.jobs.runner import threads_each
from microtome.search.steer import Helm
from microtome.search.workers.devices import Devices, gpus

if TYPE_CHECKING:
    from microtome.jobs.clustered import ClusterRunner

_WARM = ("torch", "microtome.training.loop")  # imported by a worker while slices are being cut


@dataclass(frozen=True)
class Place:
    """This computer, or the cluster of a scheduler. It is where, not what: no run's folder keeps it."""

    scheduler: Scheduler | None = None

    def runner(self, workers: int, folder: Path, helm: Helm) -> LocalRunner | ClusterRunner:
        """The slots for the trials of a run in `folder`: so many processes here, or all that a cluster has.

        Raises a MicrotomeError where the cluster cannot be reached. A cluster that stays away later stops the run, resumably.
        """
        if self.scheduler is None:
            return LocalRunner(workers, logs=folder / "workers", warm=_WARM)
        # Distributed takes a second to import; a run on this computer never needs it.
        from microtome.jobs.clustered import ClusterRunner

        def leave(reason: str) -> None:
            helm.reason, helm.mode = reason, "interrupt"

        return ClusterRunner(self.scheduler, folder=folder, gave_up=leave)

    @property
    def device(self) -> str:
        """Where trials compute, for the record, without importing torch: its CPU builds say so in their version."""
        if self.scheduler is not None:
            return "cluster"
        if importlib.metadata.version("torch").endswith("+cpu"):
            return "cpu"
        return "cuda" if Path("/dev/nvidia0").exists() or Path("C:/Windows/System32/nvcuda.dll").exists() else "cpu"

    @property
    def devices(self) -> Devices:
        """The GPUs that are to be shared out here; a cluster's workers choose their own."""
        return Devices(gpus() if self.device == "cuda" else 0)

    def threads(self, workers: int) -> int:
        """Threads of each worker; a cluster's workers are told theirs by how many share a computer."""
        return threads_each(workers)
