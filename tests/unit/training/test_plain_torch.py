"""A whole training is the one that a plain loop of torch's own parts makes: losses, schedules, decay, averages, curves."""

from __future__ import annotations

import copy
import csv
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its customary name
from torch.optim import lr_scheduler

from microtome.slices.imageset import ImageSet
from microtome.training.build import build_network
from microtome.training.loop import seed_epoch
from microtome.training.trial import run_trial

Sets = Callable[..., ImageSet]
Trials = Callable[..., dict[str, Any]]
# Without batch normalisation: it makes the biases before it drift by rounding alone, which Adam enlarges.
NETWORK = {"convolutions": 2, "dense": 1, "width": 4, "dense_width": 16, "dropout": 0.0}
EPOCHS, BATCH = 3, 8
METHODS: tuple[dict[str, Any], ...] = (
    {"optimizer": "adam", "schedule": "cosine", "label_smoothing": 0.1, "balance": "weights", "weight_decay": 0.01, "ema": 0.9},
    {"optimizer": "adamw", "schedule": "step", "step_epochs": 1, "step_factor": 0.3, "weight_decay": 0.1},
    {"optimizer": "sgd", "momentum": 0.8, "schedule": "cosine", "weight_decay": 0.01, "balance": "weights", "ema": 0.99},
    {"optimizer": "sgd", "momentum": 0.0, "schedule": "constant", "label_smoothing": 0.2},
)


def unlike(image_set: ImageSet) -> ImageSet:
    """The set with the first ten training images of its first class taken out: classes of 7, 17 and 17."""
    path = image_set.path / "index.csv"
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    for row in [row for row in rows if row[1] == "train"][:10]:
        row[1] = "evaluation"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return ImageSet.open(image_set.path)


def optimiser_of(network: nn.Module, methods: dict[str, Any], rate: float) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": methods.get("weight_decay", 0.0)},
        {"params": [p for p in network.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    momentum = methods.get("momentum", 0.0)
    match methods["optimizer"]:
        case "adam":
            return torch.optim.Adam(groups, lr=rate)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate)
        case _:
            return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=momentum > 0)


def schedule_of(optimiser: torch.optim.Optimizer, methods: dict[str, Any], batches: int) -> lr_scheduler.LRScheduler:
    match methods["schedule"]:
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * batches)
        case "step":
            return lr_scheduler.StepLR(optimiser, methods["step_epochs"] * batches, gamma=methods["step_factor"])
        case _:
            return lr_scheduler.ConstantLR(optimiser, 1.0)


def plain(image_set: ImageSet, methods: dict[str, Any], rate: float) -> list[tuple[float, float]]:
    """(training loss, validation loss) by epoch."""

    def part(name: str) -> tuple[Tensor, Tensor]:
        indices = image_set.split(name)
        return torch.from_numpy(image_set.images[indices]), torch.from_numpy(image_set.labels[indices])

    (images, labels), (others, theirs) = part("train"), part("validation")
    mean, deviation = float(images.double().mean()), float(images.double().std(correction=0))
    images, others = (((x - mean) / deviation).unsqueeze(1) for x in (images, others))
    torch.manual_seed(0)
    network = build_network("cnn", 1, 3, 16, **NETWORK)
    optimiser, batches = optimiser_of(network, methods, rate), math.ceil(len(labels) / BATCH)
    schedule = schedule_of(optimiser, methods, batches)
    weights = len(labels) / (3 * torch.bincount(labels)) if methods.get("balance") else None
    criterion = nn.CrossEntropyLoss(weight=weights, label_smoothing=methods.get("label_smoothing", 0.0))
    average, step, found = copy.deepcopy(network), 0, []
    for epoch in range(EPOCHS):
        order = torch.randperm(len(labels), generator=seed_epoch(0, epoch))
        total = 0.0
        for some in np.array_split(order.numpy(), batches):
            loss = criterion(network(images[some]), labels[some])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(some)
            share = min(methods.get("ema", 0.0), (1 + step) / (10 + step))
            with torch.no_grad():
                for mine, learnt in zip(average.parameters(), network.parameters(), strict=True):
                    mine.copy_(share * mine + (1 - share) * learnt)
            step += 1
        with torch.no_grad():
            found.append((total / len(labels), float(F.cross_entropy(average(others), theirs))))
    return found


@pytest.mark.parametrize("methods", METHODS, ids=lambda methods: f"{methods['optimizer']}-{methods['schedule']}")
def test_the_curve_is_that_of_a_plain_loop(textures: Sets, trial: Trials, methods: dict[str, Any]) -> None:
    image_set = unlike(textures(counts=(17, 9, 5)))
    spec = trial(image_set, network=NETWORK, epochs=EPOCHS, batch_size=BATCH, learning_rate=3e-3, symmetries=False, **methods)
    lines = run_trial(spec, lambda event: None, lambda: "")["history"]
    curve = [(epoch["train_loss"], epoch["validation_loss"]) for epoch in map(json.loads, lines)]
    np.testing.assert_allclose(curve, plain(image_set, methods, 3e-3), rtol=1e-5)
