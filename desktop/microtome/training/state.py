"""Where a training stands beside its weights and its optimiser: what a checkpoint in mid-epoch must hold."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from microtome.training.average import Average
from microtome.training.changes import Changes
from microtome.training.measure import Counter


@dataclass(frozen=True, kw_only=True)
class Part:
    """An epoch that has begun: batches done, seconds spent, its sums and the states of its random numbers."""

    epoch: int
    done: int
    seconds: float
    tensors: dict[str, Tensor]

    @classmethod
    def take(cls, epoch: int, done: int, seconds: float, count: Counter, generator: torch.Generator) -> Part:
        """The epoch as it is now, between two batches."""
        tensors = {**count.state(), "order": generator.get_state(), "random": torch.get_rng_state()}
        device = count.device
        if device.type == "cuda":
            tensors["random_gpu"] = torch.cuda.get_rng_state(device)
        return cls(epoch=epoch, done=done, seconds=seconds, tensors=tensors)

    def give_back(self, count: Counter, generator: torch.Generator) -> None:
        """Bring sums and random numbers to where they were."""
        count.restore(self.tensors)
        generator.set_state(self.tensors["order"])
        torch.set_rng_state(self.tensors["random"])
        if "random_gpu" in self.tensors and count.device.type == "cuda":
            torch.cuda.set_rng_state(self.tensors["random_gpu"], count.device)


@dataclass(kw_only=True)
class State:
    """A training's own memory."""

    average: Average | None = None  # of the weights, where the settings ask for one
    part: Part | None = None  # the epoch to go on with; None: at its beginning
    changes: Changes = field(default_factory=Changes)
