"""Classes of unlike size count alike: by weights of the loss, or by how often they are drawn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from microtome.events import EpochEnded
from microtome.training.augment import Augmenter
from microtome.training.data import Images, balanced_batches, class_weights
from microtome.training.hooks import Hooks
from microtome.training.loop import train
from microtome.training.spec import TrainingSpec

LABELS = np.array([0] * 90 + [1] * 10)


def test_weights_make_classes_alike() -> None:
    weights = class_weights(torch.from_numpy(LABELS), 3)
    np.testing.assert_allclose(weights.numpy(), [100 / 180, 100 / 20, 0.0])
    assert float(weights[torch.from_numpy(LABELS)].mean()) == pytest.approx(1.0)


def test_balanced_batches_see_each_class_equally_often() -> None:
    labels = torch.from_numpy(LABELS)
    generator = torch.Generator().manual_seed(0)
    drawn = [balanced_batches(labels, 2, 32, generator) for _ in range(40)]
    assert {len(p) for parts in drawn for p in parts} == {25}
    share = float(torch.cat([labels[p] for parts in drawn for p in parts]).float().mean())
    assert share == pytest.approx(0.5, abs=0.05)
    again = balanced_batches(labels, 2, 32, torch.Generator().manual_seed(0))
    for one, other in zip(drawn[0], again, strict=True):
        assert torch.equal(one, other)


class Prior(nn.Module):
    """A network that sees nothing: it can only learn how frequent the classes are."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(2))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(images), 2)


@pytest.mark.parametrize(("balance", "share"), [("none", 0.1), ("weights", 0.5), ("sampling", 0.5)])
def test_what_a_blind_network_learns(balance: str, share: float) -> None:
    device = torch.device("cpu")
    images = Images(np.zeros((100, 8, 8), np.float32), LABELS, mean=0.0, deviation=1.0, device=device)
    settings = dataclasses.replace(TrainingSpec(), epochs=60, batch_size=50, balance=balance)
    network = Prior()
    history: list[EpochEnded] = []
    train(
        network,
        torch.optim.Adam(network.parameters(), lr=0.05),
        images,
        images,
        dataclasses.replace(settings, learning_rate=0.05, schedule="cosine"),
        classes=("A", "B"),
        augment=Augmenter(),
        history=history,
        hooks=Hooks(should_stop=lambda: "", batch_done=lambda *_: None, epoch_done=lambda _: None),
    )
    assert len(history) == 60
    assert float(torch.softmax(network.logits.detach(), 0)[1]) == pytest.approx(share, abs=0.06)
