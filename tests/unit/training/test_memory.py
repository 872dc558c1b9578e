"""Where memory ends, a training goes on with fewer images at once, whose gradients add up to the same batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its customary name

from microtome.errors import MicrotomeError
from microtome.events import EpochEnded, Event, Note
from microtome.slices.imageset import ImageSet
from microtome.training import prepare
from microtome.training.changes import Changes
from microtome.training.criterion import CrossEntropy
from microtome.training.evaluate import Model
from microtome.training.importance import Drawn
from microtome.training.measure import measure
from microtome.training.spec import TrainingSpec
from microtome.training.trial import run_trial

Sets = Callable[..., ImageSet]
Trials = Callable[..., dict[str, Any]]
PLAIN = {"convolutions": 2, "dense": 1, "width": 4, "dense_width": 32, "dropout": 0.0}


class Narrow(nn.Module):
    """A network whose memory holds so many images at once, and only after `since` trained batches; −1: always."""

    def __init__(self, network: nn.Module, most: int, since: int) -> None:
        super().__init__()
        self.network, self.most, self.since, self.calls = network, most, since, 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += self.training
        if len(images) > self.most and self.calls > self.since and (self.training or self.since < 0):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        found: Tensor = self.network(images)
        return found


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let all networks have little memory from now on."""
    build = prepare.build_resizing

    def make(most: int, since: int = 0) -> None:
        monkeypatch.setattr(prepare, "build_resizing", lambda *a, **k: Narrow(build(*a, **k), most, since))

    return make


def run(spec: dict[str, Any], should_stop: Callable[[], str] = lambda: "") -> tuple[dict[str, Any], list[Event]]:
    events: list[Event] = []
    return run_trial(spec, events.append, should_stop), events


def weights(spec: dict[str, Any]) -> dict[str, Any]:
    return load_file(Path(spec["folder"], "model.safetensors"))


@pytest.mark.parametrize(
    "training", [{}, {"balance": "weights", "label_smoothing": 0.1}, {"augmentations": ({"name": "mixup"},)}]
)
def test_the_update_is_that_of_whole_batches(textures: Sets, trial: Trials, narrow: Any, training: dict[str, Any]) -> None:
    image_set = textures()
    # Stochastic gradient descent: Adam would turn the rounding of a zero gradient into a step.
    options = {"network": PLAIN, "optimizer": "sgd", "learning_rate": 0.01, "epochs": 2, **training}
    narrow(100)
    whole = trial(image_set, "whole", **options)
    expected, _ = run(whole)
    narrow(3)
    parts = trial(image_set, "parts", **options)
    result, events = run(parts)
    assert result["outcome"] == "done"
    assert Changes.load(Path(parts["folder"])).at_once == 2  # 8, 4, 2
    notes = [e for e in events if isinstance(e, Note)]
    assert [n.level for n in notes] == ["warning"] * 2
    assert "holds no 8 images" in notes[0].text
    assert [n.hint for n in notes] == ["", ""]
    one, other = weights(whole), weights(parts)
    for name, values in one.items():
        np.testing.assert_allclose(other[name], values, rtol=1e-4, atol=1e-6)
    losses = [[e.train_loss for e in found if isinstance(e, EpochEnded)] for found in (events, run(whole)[1])]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert result["epochs"] == expected["epochs"]


def test_batch_normalisation_has_its_caveat(textures: Sets, trial: Trials, narrow: Any) -> None:
    narrow(4)
    _, events = run(trial(textures(), network={**PLAIN, "batch_norm": True}, epochs=1))
    assert [n.hint for n in events if isinstance(n, Note)] == [
        "Batch normalisation then looks at fewer images at once: the result is not quite that of whole batches."
    ]


def test_it_comes_in_mid_training_and_is_the_same_when_resumed(textures: Sets, trial: Trials, narrow: Any) -> None:
    """Memory ends in the second epoch, once: what is resumed then, with memory enough, still does as it was going to."""
    image_set = textures()
    narrow(4, since=9)
    found = []
    for name, stop in (("whole", 10**6), ("parts", 15)):
        spec = trial(image_set, name, epochs=3)
        asked = iter(range(10**9))
        run(spec, lambda asked=asked, stop=stop: "pause" if next(asked) >= stop else "")  # type: ignore[misc]
        if name == "parts":
            assert Changes.load(Path(spec["folder"])).at_once == 4
            narrow(100)
        result, events = run(spec)
        assert result["outcome"] == "done"
        epochs = [e for e in events if isinstance(e, EpochEnded)]
        assert [e.epoch for e in epochs] == [0, 1, 2]  # each is told once
        found.append((weights(spec), [(e.train_loss, e.validation_loss) for e in epochs]))
    assert found[0][1] == found[1][1]
    assert all(np.array_equal(found[0][0][k], found[1][0][k]) for k in found[0][0])


def test_where_not_even_two_fit_it_is_said(textures: Sets, trial: Trials, narrow: Any) -> None:
    narrow(1)
    with pytest.raises(MicrotomeError, match="memory of the GPU is too small for batches of 8"):
        run(trial(textures()))


def test_a_measurement_needs_no_more_than_fits(textures: Sets) -> None:
    from microtome.training.data import load

    device = torch.device("cpu")
    images = load(textures(), "validation", mean=0.0, deviation=1.0, device=device)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))
    whole = measure(network, images, classes=3)
    parts = measure(Narrow(network, 5, -1), images, classes=3)
    assert np.array_equal(whole.confusion, parts.confusion)
    assert parts.loss == pytest.approx(whole.loss)
    with pytest.raises(torch.OutOfMemoryError):
        measure(Narrow(network, 0, -1), images, classes=3)


def test_a_trained_network_is_asked_with_no_more_than_fits(textures: Sets, trial: Trials) -> None:
    """What was trained and measured with little memory can be evaluated with as little."""
    image_set = textures()
    spec = trial(image_set, epochs=1)
    run(spec)
    model = Model.load(spec["folder"], device="cpu")
    narrow = replace(model, network=Narrow(model.network, 5, -1))
    images = image_set.images[:23]
    np.testing.assert_allclose(narrow.predict(images), model.predict(images), atol=1e-6)
    with pytest.raises(MicrotomeError, match="too small for a single image"):
        replace(model, network=Narrow(model.network, 0, -1)).predict(images)


@pytest.mark.parametrize("balance", ["none", "weights"])
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("counted", [False, True])
def test_shares_add_up_to_the_mean(balance: str, mixed: bool, counted: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.tensor([0, 1, 2, 0, 0, 1, 0])
    logits = torch.randn(7, 3, generator=generator)
    shares = torch.softmax(torch.randn(7, 3, generator=generator), 1)
    targets = shares if mixed else labels
    criterion = CrossEntropy(TrainingSpec(balance=balance, label_smoothing=0.2), labels, 3)
    drawn = Drawn(torch.zeros(7, 1, 4, 4), targets, torch.rand(7, generator=generator) if counted else None)
    total = criterion.total(drawn)
    parts = [criterion.share(logits[some], drawn.part(some), total) for some in (slice(0, 3), slice(3, 5), slice(5, 7))]
    assert float(torch.stack(parts).sum()) == pytest.approx(float(criterion.mean(logits, drawn)), rel=1e-5)


def test_smoothing_and_class_weights_by_hand() -> None:
    """Smoothed, (1 − s) of a target is its class and s is spread over all; weights count classes by their rarity."""
    labels = torch.tensor([0, 0, 0, 1])
    logits = torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, -0.5]])
    logs = F.log_softmax(logits, 1).double().numpy()
    drawn = Drawn(torch.zeros(4, 1, 2, 2), labels)
    smooth = CrossEntropy(TrainingSpec(label_smoothing=0.1), labels, 2).mean(logits, drawn)
    own = logs[np.arange(4), labels]
    assert float(smooth) == pytest.approx(-(0.9 * own + 0.1 * logs.mean(axis=1)).mean(), rel=1e-6)
    weighted = CrossEntropy(TrainingSpec(balance="weights"), labels, 2).mean(logits, drawn)
    each = np.array([4 / 6, 4 / 6, 4 / 6, 4 / 2])
    assert float(weighted) == pytest.approx(-(each * own).sum() / each.sum(), rel=1e-6)
