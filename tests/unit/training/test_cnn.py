"""The CNN family has the sizes of the published network, and every member of it works."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from microtome.training.build import build_network


def layers(network: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    """The convolutions and dense layers with the shapes of their weights."""
    return [
        (type(layer).__name__, tuple(layer.weight.shape))
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]


@pytest.mark.parametrize(("edge", "weights"), [(64, 1_700_611), (128, 10_089_219)])
def test_c4f2_has_exactly_the_seeds_parameters(edge: int, weights: int) -> None:
    network = build_network("cnn", channels=1, classes=3, image_size=edge)
    assert sum(p.numel() for p in network.parameters()) == weights


def test_c4f2_is_the_layer_list_of_the_seed() -> None:
    network = build_network("cnn", image_size=64)
    assert layers(network) == [
        ("Conv2d", (32, 1, 3, 3)),
        ("Conv2d", (64, 32, 3, 3)),
        ("Conv2d", (128, 64, 3, 3)),
        ("Conv2d", (256, 128, 3, 3)),
        ("Linear", (1024, 1024)),
        ("Linear", (256, 1024)),
        ("Linear", (3, 256)),
    ]
    assert [layer.padding for layer in network.modules() if isinstance(layer, nn.Conv2d)] == [(1, 1), (1, 1), (0, 0), (0, 0)]
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in network.modules()) == 4
    assert [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("dense", "widths"),
    [(0, []), (1, [1024]), (2, [1024, 256]), (3, [1024, 512, 256]), (4, [1024, 512, 512, 256])],
)
def test_dense_widths_fall_from_1024_to_256(dense: int, widths: list[int]) -> None:
    network = build_network("cnn", dense=dense)
    found = [shape[0] for name, shape in layers(network) if name == "Linear"]
    assert found == [*widths, 3]


def test_first_weights_are_glorots_and_biases_zero() -> None:
    torch.manual_seed(0)
    network = build_network("cnn", image_size=64)
    dense = network.get_submodule("dense1")
    assert isinstance(dense, nn.Linear)
    limit = math.sqrt(6 / (1024 + 1024))
    assert 0.99 * limit < float(dense.weight.detach().abs().max()) <= limit
    assert all(float(p.detach().abs().max()) == 0 for name, p in network.named_parameters() if name.endswith("bias"))


@settings(max_examples=25, deadline=None)
@given(
    convolutions=st.integers(2, 6),
    dense=st.integers(0, 9),
    edge=st.integers(16, 70),
    kernel=st.integers(3, 7),
    activation=st.sampled_from(["relu", "gelu", "silu", "elu", "leaky-relu"]),
    batch_norm=st.booleans(),
    init=st.sampled_from(["glorot", "he"]),
    channels=st.integers(1, 3),
    classes=st.integers(2, 7),
)
def test_every_member_trains(
    convolutions: int,
    dense: int,
    edge: int,
    kernel: int,
    activation: str,
    batch_norm: bool,
    init: str,
    channels: int,
    classes: int,
) -> None:
    """Images of any size from 16 pixels go in, logits come out, and a gradient reaches the first layer."""
    torch.manual_seed(0)
    network = build_network(
        "cnn",
        channels,
        classes,
        edge,
        convolutions=convolutions,
        dense=dense,
        kernel=kernel,
        activation=activation,
        batch_norm=batch_norm,
        init=init,
        width=4,
        dense_width=64,
        dropout=0.0,
    )
    logits = network(torch.randn(4, channels, edge, edge))
    assert logits.shape == (4, classes)
    assert torch.isfinite(logits).all()
    logits.square().sum().backward()  # type: ignore[no-untyped-call]
    first = network.get_parameter("conv1.weight").grad
    assert first is not None
    assert torch.isfinite(first).all()
    if activation != "relu":  # a deep, narrow stack of rectifiers may be silent for a few images
        assert float(first.abs().max()) > 0
