"""An exponential moving average of a network's weights: what is measured and kept where a training asks for it."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Average:
    """A copy of a network that follows its weights slowly: after every step, average = k · average + (1 − k) · weights.

    k = min(decay, (1 + step) / (10 + step)), so that the first, random weights are soon forgotten (as in TensorFlow's
    ExponentialMovingAverage). Buffers, such as the statistics of batch normalisation, are copied as they are.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._decay = decay
        self._mine: list[torch.Tensor | None] = [p.detach() for p in self.network.parameters()]
        self._theirs: list[torch.Tensor | None] = [p.detach() for p in network.parameters()]
        self._buffers = list(zip(self.network.buffers(), network.buffers(), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the network after its step number `step` (0, 1, … from the training's beginning)."""
        blend = get_ema_multi_avg_fn(min(self._decay, (1 + step) / (10 + step)))  # type: ignore[no-untyped-call]
        blend(self._mine, self._theirs, step)
        for mine, theirs in self._buffers:
            mine.copy_(theirs)
