"""What is frozen stays to the bit, what learns learns at its rate, a resumed training is the uninterrupted one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its customary name

from microtome.errors import PluginError
from microtome.events import Event, Note
from microtome.slices.imageset import ImageSet
from microtome.training.build import build_network
from microtome.training.checkpoint import read_tensors
from microtome.training.evaluate import Model, evaluate
from microtome.training.export import export_model
from microtome.training.optimiser import make_optimiser, set_learning_rate
from microtome.training.spec import NetworkChoice, TrainingSpec, TransferSpec
from microtome.training.transfer import Stages, build_resizing, head_names, parts_of, resampling
from microtome.training.trial import run_trial

Sets = Callable[..., ImageSet]
Trials = Callable[..., dict[str, Any]]
SMALL = {"width": 8, "stem": "small"}
TINY = {"convolutions": 4, "dense": 0, "width": 4, "batch_norm": True}


def silent(event: Event) -> None:
    """Nobody listens."""


def network() -> nn.Module:
    """A ResNet of eight blocks, narrow."""
    torch.manual_seed(0)
    made = build_network("resnet18", 1, 3, 32, **SMALL)
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)  # some begin at 0, and then what is before them learns nothing in the first step
    return made


def stages(made: nn.Module, **transfer: Any) -> Stages:
    return Stages(made, TransferSpec(weights="some.pth", **transfer))


def learning(made: nn.Module) -> set[str]:
    return {name for name, parameter in made.named_parameters() if parameter.requires_grad}


def step(made: nn.Module) -> None:
    """One step of a training on noise."""
    optimiser = torch.optim.SGD([p for p in made.parameters() if p.requires_grad], lr=0.1, weight_decay=0.1)
    images = torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    F.cross_entropy(made(images), torch.tensor([0, 1, 2, 0])).backward()  # type: ignore[no-untyped-call]
    optimiser.step()


@pytest.mark.parametrize(
    ("transfer", "first"),
    [
        ({"train": "head"}, "head"),
        ({"train": "last", "blocks": 0}, "head"),
        ({"train": "last", "blocks": 2}, "7"),
        ({"train": "last", "blocks": 8}, "1"),
        ({"train": "all"}, "stem"),
    ],
)
def test_frozen_parts_stay_to_the_bit(transfer: dict[str, Any], first: str) -> None:
    made = network()
    parts = parts_of(made)
    begins = [part.name for part in parts].index(first)
    frozen = [f"{module}." for part in parts[:begins] for module in part.modules]
    before = {name: value.clone() for name, value in made.state_dict().items()}
    made.train()
    stages(made, **transfer).begin(0)
    step(made)
    for name, value in made.state_dict().items():
        changed = not torch.equal(value, before[name])
        assert changed != any(name.startswith(f) for f in frozen), name


def test_frozen_parts_answer_as_they_will_when_they_are_asked() -> None:
    """Batch normalisation that is frozen uses its own statistics, not the batch's."""
    made = network()
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -1, 1)  # type: ignore[arg-type]
    images = torch.randn(3, 1, 32, 32)
    expected = made.eval()(images)
    made.train()
    stages(made, train="head").begin(0)
    assert torch.equal(made(images), expected)


def test_the_head_alone_learns_first() -> None:
    made = network()
    plan = stages(made, train="last", blocks=1, head_epochs=3)
    seen = []
    for epoch in (0, 2, 3, 9, 1):
        made.train()
        plan.begin(epoch)
        seen.append({name.split(".")[0] for name in learning(made)})
    assert seen == [{"fc"}, {"fc"}, {"fc", "layer4"}, {"fc", "layer4"}, {"fc"}]


def test_rates_of_head_and_blocks() -> None:
    made = network()
    plan = stages(made, train="last", blocks=2, head_epochs=5, backbone_rate=0.05)
    settings = TrainingSpec(learning_rate=0.2, weight_decay=0.01)
    optimiser = make_optimiser(made, settings, plan.factors())
    names = {id(parameter): name for name, parameter in made.named_parameters()}
    for rate in (0.2, 0.1):
        set_learning_rate(optimiser, rate)
        found = {names[id(p)]: (g["lr"], g["weight_decay"]) for g in optimiser.param_groups for p in g["params"]}
        assert {name.split(".")[0] for name in found} == {"layer4", "fc"}
        assert found["fc.weight"] == (rate, 0.01)
        assert found["fc.bias"] == (rate, 0.0)
        assert found["layer4.0.conv1.weight"] == (pytest.approx(rate * 0.05), 0.01)
        assert found["layer4.0.bn1.weight"] == (pytest.approx(rate * 0.05), 0.0)


def test_without_pretrained_weights_all_learn_at_one_rate() -> None:
    made = network()
    assert set(Stages(made, TransferSpec(backbone_rate=0.1)).factors().values()) == {1.0}
    assert len(make_optimiser(made, TrainingSpec(), Stages(made, TransferSpec()).factors()).param_groups) == 2


def test_what_cannot_be_meant_is_said() -> None:
    made = network()
    assert stages(made, train="last", blocks=8).findings == ()
    (said,) = stages(made, train="last", blocks=20).findings
    assert said == "The network has 8 blocks: all of them are trained, not 20."
    (said,) = Stages(made, TransferSpec(train="head")).findings
    assert "random weights" in said


def test_parts_of_a_network_that_names_none() -> None:
    made = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3), nn.Flatten(), nn.Linear(2, 2))
    assert [part.name for part in parts_of(made)] == ["0", "2", "4"]
    assert head_names(made) == {"4.weight", "4.bias"}


def test_a_weight_in_no_part_is_a_mistake_of_the_plugin() -> None:
    made = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(2, 2))
    made.parts = (("stem", ("0",)), ("head", ()))  # type: ignore[assignment]
    with pytest.raises(PluginError, match=r"1\.weight is in none of its parts"):
        parts_of(made)


@given(edge=st.integers(2, 70), size=st.integers(2, 70), seed=st.integers(0, 3))
def test_resizing_is_torchs(edge: int, size: int, seed: int) -> None:
    image = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, 1, edge, edge)).astype(np.float32))
    matrix = resampling(edge, size)
    expected = F.interpolate(image, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    assert torch.allclose(matrix @ image @ matrix.T, expected, atol=1e-5)


def test_a_network_resizes_by_itself_and_its_copy_too() -> None:
    import copy

    torch.manual_seed(0)
    made = build_resizing("resnet18", channels=1, classes=3, edge=20, size=48, **SMALL).eval()
    same = build_network("resnet18", 1, 3, 48, **SMALL).eval()
    same.load_state_dict(made.state_dict())  # no name more, none less
    images = torch.randn(2, 1, 20, 20)
    enlarged = F.interpolate(images, size=(48, 48), mode="bilinear", antialias=True, align_corners=False)
    assert torch.allclose(made(images), same(enlarged), atol=1e-4)
    assert torch.equal(made(enlarged), same(enlarged))  # what has the network's size already stays
    assert torch.equal(copy.deepcopy(made)(images), made(images))


def specification(image_set: ImageSet, trial: Trials, folder: str, weights: str, **transfer: Any) -> dict[str, Any]:
    """A trial of four epochs; the head alone in the first two."""
    made = trial(image_set, folder=folder, epochs=4, schedule="cosine", weight_decay=0.01)
    made["network"] = asdict(NetworkChoice(name="cnn", parameters=dict(TINY)))
    made["transfer"] = asdict(TransferSpec(weights=weights, train="last", blocks=2, head_epochs=2, **transfer))
    return made


@pytest.fixture
def pretrained(tmp_path: Path) -> str:
    """Weights of the small CNN for photographs of ten kinds."""
    torch.manual_seed(7)
    path = tmp_path / "photographs.pth"
    torch.save(build_network("cnn", 3, 10, 32, **TINY).state_dict(), path)
    return str(path)


@pytest.mark.parametrize("batches", [4, 12, 15])
def test_resumed_across_the_stages_to_the_bit(textures: Sets, trial: Trials, pretrained: str, batches: int) -> None:
    """Six batches an epoch: stopped before, at and after the unfreezing, with the file of the weights gone meanwhile."""
    image_set = textures()
    whole = specification(image_set, trial, "whole", pretrained, image_size=32)
    run_trial(whole, silent, lambda: "")
    broken = specification(image_set, trial, "broken", pretrained, image_size=32)
    asked = iter(range(10_000))
    stopped = run_trial(broken, silent, lambda: "stop" if next(asked) >= batches else "")
    assert stopped["outcome"] == "cancelled"
    Path(pretrained).unlink()
    notes: list[Event] = []
    assert run_trial(broken, notes.append, lambda: "")["outcome"] == "done"
    assert not [event for event in notes if isinstance(event, Note)]
    one, other = (read_tensors(Path(spec["folder"]) / "model.safetensors") for spec in (whole, broken))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_patience_begins_once_all_learns(textures: Sets, trial: Trials, pretrained: str) -> None:
    made = specification(textures(), trial, "patient", pretrained, image_size=32)
    made["training"] |= {"epochs": 20, "patience": 2, "learning_rate": 1e-7, "schedule": "constant"}
    made["transfer"]["head_epochs"] = 6
    result = run_trial(made, silent, lambda: "")
    values = [json.loads(line)["validation_accuracy"] for line in result["history"]]
    best_so_far = [values.index(max(values[:n])) + 1 for n in range(1, len(values) + 1)]
    assert any(n - best >= 2 for n, best in enumerate(best_so_far[:6], start=1)), "it would have ended with the head alone"
    assert result["epochs"] == max(best_so_far[-1], 6) + 2


def test_training_evaluation_and_export_see_one_size(textures: Sets, trial: Trials, pretrained: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    image_set = textures(scale_grey=20.0, shift_grey=100.0)
    spec = specification(image_set, trial, "sized", pretrained, image_size=32)
    told: list[Event] = []
    ended = run_trial(spec, told.append, lambda: "")
    said = " ".join(event.text for event in told if isinstance(event, Note))
    assert "photographs.pth" in said
    assert "grey images" in said
    assert "head (output.weight, output.bias) begins with random weights" in said
    model = Model.load(Path(spec["folder"]), device="cpu")
    assert (model.card.image_size, model.card.input_size) == (16, 32)
    assert model.card.transfer["blocks"] == 2
    validated = evaluate(spec["folder"], image_set, "validation", device="cpu")
    assert validated.accuracy == pytest.approx(ended["value"])
    images = np.array(image_set.images[:5])
    expected = model.predict(images)
    export_model(spec["folder"], "onnx", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"images": images[:, None]})
    assert np.allclose(found, expected, atol=1e-5)
    export_model(spec["folder"], "torchscript", tmp_path / "model.pt")
    script = torch.jit.load(tmp_path / "model.pt")  # type: ignore[no-untyped-call]
    assert np.allclose(script(torch.from_numpy(images[:, None])).numpy(), expected, atol=1e-5)
