"""Which device a trial computes on, and whether its memory has room for one more trial."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SHARE = 0.9  # of a GPU's memory: the rest is the display's, and every process's own


def gpus() -> int:
    """How many NVIDIA GPUs this process may use, without importing torch; where the system does not number them, at most 1."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return sum(1 for name in allowed.split(",") if name.strip() not in ("", "-1"))
    numbered = sum(1 for path in Path("/dev").glob("nvidia[0-9]*"))
    return numbered or int(Path("C:/Windows/System32/nvcuda.dll").exists())


@dataclass
class Devices:
    """The GPUs of this machine; none: trials compute on the CPU.

    What a trial needs is what the hungriest one so far has held; until one has said so, one trial runs on each GPU.
    """

    count: int
    needed: float = 0.0  # bytes of the hungriest trial
    total: float = 0.0  # bytes of a GPU

    def choose(self, taken: Iterable[str]) -> str:
        """The device with the fewest trials; `taken` are the devices of those that run. "auto" where there is no choice."""
        if self.count < 2:
            return "auto"
        running = list(taken)
        return min((f"cuda:{n}" for n in range(self.count)), key=lambda name: (running.count(name), name))

    def learn(self, costs: dict[str, float]) -> None:
        """Take a trial's costs ("memory" and "memory_total", in bytes)."""
        self.needed = max(self.needed, costs.get("memory", 0.0))
        self.total = costs.get("memory_total", self.total)

    def room(self, running: int) -> bool:
        """True where one more trial may be started beside so many; the first one always may."""
        if self.count == 0 or running < self.count:
            return True
        if not self.needed or not self.total:
            return False
        on_the_fullest = running // self.count + 1
        return on_the_fullest * self.needed <= _SHARE * self.total
