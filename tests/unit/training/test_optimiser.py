"""Optimisers by name and learning rates by step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from microtome.training.optimiser import learning_rate, make_optimiser, set_learning_rate
from microtome.training.spec import TrainingSpec


def rates(schedule: str, steps: int = 1000) -> list[float]:
    settings = TrainingSpec(schedule=schedule, learning_rate=0.1)
    return [learning_rate(settings, step, steps) for step in range(steps)]


def test_constant_stays() -> None:
    assert set(rates("constant")) == {0.1}


def test_cosine_falls_from_the_rate_to_nothing() -> None:
    found = rates("cosine")
    assert found[0] == 0.1
    assert found == sorted(found, reverse=True)
    assert found[500] == pytest.approx(0.05)
    assert found[-1] < 1e-6


def test_one_cycle_rises_to_the_rate_and_falls_below_its_start() -> None:
    found = rates("one-cycle")
    top = found.index(max(found))
    assert 290 <= top <= 310
    assert found[top] == pytest.approx(0.1, rel=1e-3)
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)
    assert found[0] == pytest.approx(0.004, rel=0.01)
    assert found[-1] < found[0] / 10


def torchs(make: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler], steps: int) -> list[float]:
    """The rates of one of torch's own schedulers, beginning at 0.1."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = make(optimiser)
    found = []
    for _ in range(steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return found


def test_cosine_is_torchs() -> None:
    expected = torchs(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 200), 200)
    assert rates("cosine", 200) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_steps_are_torchs() -> None:
    """By epochs of 7 batches, falling to 30 % after every third."""
    settings = TrainingSpec(schedule="step", learning_rate=0.1, epochs=10, step_epochs=3, step_factor=0.3)
    found = [learning_rate(settings, step, 70) for step in range(70)]
    by_epoch = torchs(lambda o: torch.optim.lr_scheduler.StepLR(o, 3, gamma=0.3), 10)
    assert found == pytest.approx([rate for rate in by_epoch for _ in range(7)], rel=1e-12)


def test_one_cycle_is_torchs_but_for_half_a_step() -> None:
    """Torch counts its steps from the first to the last; ours are the middles of as many equal parts."""
    steps = 2000
    expected = torchs(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o, 0.1, total_steps=steps + 1, pct_start=0.3, div_factor=25, final_div_factor=400, cycle_momentum=False
        ),
        steps,
    )
    assert rates("one-cycle", steps) == pytest.approx(expected, abs=0.1 * 3 / steps)


def test_a_single_step_has_a_rate() -> None:
    for schedule in ("constant", "cosine", "step", "one-cycle"):
        assert rates(schedule, 1)[0] > 0


@pytest.mark.parametrize(("name", "kind"), [("adam", "Adam"), ("adamw", "AdamW"), ("sgd", "SGD")])
def test_optimisers_by_name_take_steps(name: str, kind: str) -> None:
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    optimiser = make_optimiser(network, TrainingSpec(optimizer=name, learning_rate=0.05))
    assert type(optimiser).__name__ == kind
    losses = []
    for _ in range(20):
        loss = (network(torch.ones(1, 3)) - 1).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 4


def test_biases_do_not_decay() -> None:
    network = nn.Linear(3, 2)
    nn.init.ones_(network.bias)
    weight = network.weight.detach().clone()
    optimiser = make_optimiser(network, TrainingSpec(optimizer="adamw", weight_decay=0.5, learning_rate=0.1))
    set_learning_rate(optimiser, 0.2)
    (network(torch.zeros(1, 3)) * 0).sum().backward()
    optimiser.step()
    assert torch.allclose(network.weight, weight * 0.9)
    assert torch.equal(network.bias, torch.ones(2))


def test_weights_that_are_freed_later_learn_as_others_began() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimiser = make_optimiser(network, TrainingSpec(optimizer="sgd", momentum=0.9, learning_rate=0.1))
    before = network[0].weight.detach().clone()
    for frozen in (True, False):
        network[0].requires_grad_(not frozen)
        optimiser.zero_grad(set_to_none=True)
        network(torch.ones(3, 2)).sum().backward()
        optimiser.step()
        assert torch.equal(network[0].weight, before) == frozen
    # Nesterov's first step, whose momentum is the gradient.
    assert torch.allclose(before - network[0].weight, 0.1 * 1.9 * network[0].weight.grad)
