"""A checkpoint gives back network, optimiser and epochs to the bit, and holds no pickle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from microtome.errors import FileError
from microtome.events import EpochEnded
from microtome.training import checkpoint
from microtome.training.build import build_network
from microtome.training.optimiser import make_optimiser
from microtome.training.spec import TrainingSpec


def start(optimizer: str, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    network = build_network("cnn", image_size=16, convolutions=2, dense=1, width=4, dense_width=16, batch_norm=True)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    settings = TrainingSpec(optimizer=optimizer, learning_rate=0.01, weight_decay=0.1, momentum=0.5)
    return network, make_optimiser(network, settings)


def steps(network: nn.Module, optimiser: torch.optim.Optimizer, seed: int, count: int = 3) -> None:
    torch.manual_seed(seed)
    for _ in range(count):
        loss = nn.functional.cross_entropy(network(torch.randn(6, 1, 16, 16)), torch.tensor([0, 1, 2] * 2))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


EPOCH = EpochEnded(
    trial=3,
    epoch=0,
    train_loss=0.1 + 0.2,
    train_accuracy=1 / 3,
    validation_loss=None,
    validation_accuracy=2 / 3,
    per_class={"微細": (1, 2)},
    confusion=((1, 1), (0, 2)),
    learning_rate=1e-3,
    images_per_second=123.4,
    seconds=5.6,
)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_what_is_loaded_goes_on_as_what_was_saved(optimizer: str, tmp_path: Path) -> None:
    network, optimiser = start(optimizer, seed=0)
    steps(network, optimiser, seed=1)
    checkpoint.save(tmp_path, network, optimiser, [EPOCH], "key")
    again, its = start(optimizer, seed=9)
    assert checkpoint.load(tmp_path, again, its, "key") == [EPOCH]
    for model, opt in ((network, optimiser), (again, its)):
        steps(model, opt, seed=2)
    mine, theirs = network.state_dict(), again.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    one, other = optimiser.state_dict(), its.state_dict()
    assert one["param_groups"] == other["param_groups"]
    for index, values in one["state"].items():
        assert values.keys() == other["state"][index].keys()
        assert all(torch.equal(torch.as_tensor(v), torch.as_tensor(other["state"][index][k])) for k, v in values.items())


def test_it_is_a_header_and_plain_numbers(tmp_path: Path) -> None:
    network, optimiser = start("adam", seed=0)
    checkpoint.save(tmp_path, network, optimiser, [], "key")
    data = (tmp_path / checkpoint.NAME).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    assert len(data) == 8 + int.from_bytes(data[:8], "little") + max(ends)


def test_without_a_checkpoint_it_begins(tmp_path: Path) -> None:
    network, optimiser = start("adam", seed=0)
    assert checkpoint.load(tmp_path, network, optimiser, "key") == []
    assert checkpoint.epochs_done(tmp_path) == 0


def test_another_trials_checkpoint_is_refused(tmp_path: Path) -> None:
    network, optimiser = start("adam", seed=0)
    checkpoint.save(tmp_path, network, optimiser, [EPOCH], "key")
    assert checkpoint.epochs_done(tmp_path) == 1
    with pytest.raises(FileError, match="another trial"):
        checkpoint.load(tmp_path, network, optimiser, "another key")
