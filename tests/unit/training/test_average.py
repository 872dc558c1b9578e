"""The average of weights follows its formula, and is what a training measures and keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from microtome.events import EpochEnded, Event
from microtome.slices.imageset import ImageSet
from microtome.training.average import Average
from microtome.training.evaluate import evaluate
from microtome.training.trial import run_trial


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_the_formula(decay: float) -> None:
    layer = nn.Linear(2, 1)
    average = Average(layer, decay)
    expected = layer.weight.detach().double().numpy().copy()
    for step in range(30):
        with torch.no_grad():
            layer.weight.add_(step * 0.1)
        average.update(step)
        share = min(decay, (1 + step) / (10 + step))
        expected = share * expected + (1 - share) * layer.weight.detach().double().numpy()
    np.testing.assert_allclose(average.network.weight.detach().numpy(), expected, rtol=1e-5)  # type: ignore[union-attr]


def test_buffers_are_copied_and_nothing_of_it_learns() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    average = Average(network, 0.9)
    network(torch.randn(4, 1, 8, 8)).sum().backward()
    average.update(0)
    for mine, theirs in zip(average.network.buffers(), network.buffers(), strict=True):
        assert torch.equal(mine, theirs)
    assert int(average.network[1].num_batches_tracked) == 1  # type: ignore[index, arg-type]
    assert not any(p.requires_grad for p in average.network.parameters())


def test_it_is_what_is_measured_and_kept(textures: Callable[..., ImageSet], trial: Callable[..., dict[str, Any]]) -> None:
    image_set = textures(counts=(30, 30, 5))
    specs = [trial(image_set, f"ema-{ema}", epochs=3, ema=ema) for ema in (0.0, 0.9)]
    losses: list[list[float | None]] = []
    for spec in specs:
        events: list[Event] = []
        result = run_trial(spec, events.append, lambda: "")
        epochs = [e for e in events if isinstance(e, EpochEnded)]
        assert evaluate(spec["folder"], image_set, "validation").per_class == epochs[result["best_epoch"]].per_class
        losses.append([e.validation_loss for e in epochs])
        # The weights that learn are the same: only what is looked at differs.
        losses.append([e.train_loss for e in epochs])
    assert losses[1] == losses[3]
    assert losses[0] != losses[2]
    plain, averaged = (load_file(Path(spec["folder"], "model.safetensors")) for spec in specs)
    assert plain.keys() == averaged.keys()
    assert any(not np.array_equal(plain[k], averaged[k]) for k in plain)
