"""An epoch in its middle: what a checkpoint must hold beside the weights to go on at the next batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from microtome.training.measure import Counter
from microtome.training.squares import ValueCounter


@dataclass(frozen=True, kw_only=True)
class Part:
    """An epoch that has begun: batches done, seconds spent, its sums and the states of its random numbers."""

    epoch: int
    done: int
    seconds: float
    tensors: dict[str, Tensor]

    @classmethod
    def take(cls, epoch: int, done: int, seconds: float, count: Counter | ValueCounter, generator: torch.Generator) -> Part:
        """The epoch as it is now, between two batches."""
        tensors = {**count.state(), "order": generator.get_state(), "random": torch.get_rng_state()}
        device = count.device
        if device.type == "cuda":
            tensors["random_gpu"] = torch.cuda.get_rng_state(device)
        return cls(epoch=epoch, done=done, seconds=seconds, tensors=tensors)

    def give_back(self, count: Counter | ValueCounter, generator: torch.Generator) -> None:
        """Bring sums and random numbers to where they were."""
        count.restore(self.tensors)
        generator.set_state(self.tensors["order"])
        torch.set_rng_state(self.tensors["random"])
        if "random_gpu" in self.tensors and count.device.type == "cuda":
            torch.cuda.set_rng_state(self.tensors["random_gpu"], count.device)
