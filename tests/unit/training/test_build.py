"""Networks by name: what cannot be built is said in a sentence."""

from __future__ import annotations

import pytest
import torch

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
