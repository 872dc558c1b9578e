"""Networks by name: what cannot be built is said in a sentence."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - its customary name

import microtome
from microtome.errors import InputError, UnknownNameError
from microtome.training.build import build_network


def test_it_is_the_promised_function() -> None:
    network = microtome.build_network("cnn", channels=1, classes=5, image_size=32, convolutions=2)
    assert network(torch.zeros(1, 1, 32, 32)).shape == (1, 5)


def test_unknown_names_name_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean “cnn”"):
        build_network("cn")
    with pytest.raises(UnknownNameError, match="Did you mean “convolutions”"):
        build_network("cnn", convolution=4)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"convolutions": 1}, "convolutions is 1; it must be at least 2"),
        ({"dropout": 0.9}, "dropout is 0.9; it must be at most 0.8"),
        ({"activation": "sigmoid"}, "activation cannot be 'sigmoid'"),
        ({"image_size": 12}, "12 pixels are too small"),
        ({"classes": 0}, "cannot have classes = 0"),
        ({"channels": 0}, "cannot have channels = 0"),
        ({"image_size": 64.5}, "cannot have image_size = 64.5"),
    ],
)
def test_what_cannot_be_built_is_said(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        build_network("cnn", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("cnn", {}),
        ("alexnet", {"dense_width": 64}),
        ("vgg16", {"width": 8, "dense_width": 64}),
        ("resnet18", {"width": 16}),
        ("resnet50", {"width": 8}),
        ("preactresnet18", {"width": 8}),
        ("mobilenet-v1", {"width": 0.5}),
        ("densenet121", {"growth": 4}),
        ("efficientnet-lite0", {}),
    ],
)
def test_a_fresh_network_knows_nothing_and_claims_nothing(name: str, parameters: dict[str, Any]) -> None:
    """Its loss is about that of guessing: a head that answers loudly at random has to be unlearned first."""
    torch.manual_seed(0)
    network = build_network(name, 1, 2, 32, **parameters).train()
    with torch.no_grad():
        loss = F.cross_entropy(network(torch.randn(16, 1, 32, 32)), torch.arange(16) % 2)
    assert float(loss) < math.log(2) + 0.3
