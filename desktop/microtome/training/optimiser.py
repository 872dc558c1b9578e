"""Optimisers and learning rate schedules by name; the rate is a function of the step, so a resumed training needs no memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import nn

from microtome.training.spec import TrainingSpec

_WARM_UP = 0.3  # share of a one-cycle training in which the rate rises
_START, _END = 1 / 25, 1e-4  # of the highest rate, at a one-cycle training's ends (Smith & Topin, arXiv:1708.07120)


def make_optimiser(
    network: nn.Module, settings: TrainingSpec, factors: Mapping[str, float] = MappingProxyType({})
) -> torch.optim.Optimizer:
    """The optimiser of the settings; biases and normalisation weights are exempt from weight decay.

    `factors`: parameters' names with the share of the learning rate at which they are trained, where that is not all of it.
    What needs no gradient now is not among its parameters.
    """
    parts: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            parts.setdefault((factors.get(name, 1.0), parameter.ndim > 1), []).append(parameter)
    groups = [
        {"params": parts[factor, decays], "weight_decay": settings.weight_decay * decays, "factor": factor}
        for factor, decays in sorted(parts, reverse=True)
    ]
    rate = settings.learning_rate
    match settings.optimizer:
        case "adam":
            return torch.optim.Adam(groups, lr=rate, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, fused=True)
        case _:
            found = torch.optim.SGD(groups, lr=rate, momentum=settings.momentum, nesterov=settings.momentum > 0, fused=True)
            if settings.momentum > 0:
                # From nothing, as torch begins; but its fused form fails where weights are freed after others have begun.
                for parameter in (p for group in found.param_groups for p in group["params"]):
                    found.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
            return found


def learning_rate(settings: TrainingSpec, step: int, steps: int) -> float:
    """The rate of batch `step` (0, 1, …) of `steps` in the whole training."""
    highest = settings.learning_rate
    match settings.schedule:
        case "cosine":
            return highest * _fall(step / steps)
        case "step":
            epoch = step * settings.epochs // steps
            return highest * settings.step_factor ** (epoch // settings.step_epochs)
        case "one-cycle":
            place = (step + 0.5) / steps
            if place < _WARM_UP:
                return highest * (1 - (1 - _START) * _fall(place / _WARM_UP))
            return highest * (_END + (1 - _END) * _fall((place - _WARM_UP) / (1 - _WARM_UP)))
        case _:
            return highest


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Use `rate` from the next step on; groups that have a `factor` use that share of it."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)


def _fall(place: float) -> float:
    """From 1 at place 0 to 0 at place 1 along a cosine."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, place))))
