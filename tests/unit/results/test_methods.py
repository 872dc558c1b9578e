"""The methods paragraph names everything that decided what was learnt, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from microtome.results.fold import RunState
from microtome.results.methods import methods
from microtome.search.recipe import parse


def text(**sections: dict[str, Any]) -> str:
    return methods(parse(sections), RunState(), {}, "")


def test_a_plain_training_has_no_more_than_it_had() -> None:
    found = text(training={"epochs": 7, "learning_rate": 0.002})
    assert (
        "for up to 7 epochs with Adam (batches of 32, learning rate 0.002, constant schedule) to minimise the cross entropy,"
        in found
    )
    for word in ("pretrained", "average of", "smoothed", "decay", "candidates", "was to end", "resized", "head", "weighted"):
        assert word not in found


def test_momentum_is_named() -> None:
    assert "with stochastic gradient descent with Nesterov's momentum 0.8 (batches" in text(
        training={"optimizer": "sgd", "momentum": 0.8}
    )
    assert "momentum" not in text(training={"optimizer": "sgd", "momentum": 0.0})


def test_the_loss_is_the_one_that_was_minimised() -> None:
    found = text(training={"label_smoothing": 0.1, "balance": "weights", "weight_decay": 0.01})
    assert (
        "constant schedule, weight decay 0.01) to minimise the cross entropy of labels smoothed by 0.1, each image weighted"
        in found
    )
    assert "each class was seen equally often" in text(training={"balance": "sampling"})


@pytest.mark.parametrize(
    ("transfer", "said"),
    [
        (
            {"weights": "published"},
            "by its authors), of which all weights were trained, pretrained ones at 0.1 of",
        ),
        ({"weights": "/far/away/net.pth", "train": "head"}, "(net.pth), of which the head alone was trained."),
        (
            {"weights": "hub:timm/x", "train": "last", "blocks": 2},
            "(hub:timm/x), of which the last 2 blocks and the head were",
        ),
        ({"weights": "published", "head_epochs": 4}, "The head alone was trained at first (4 epochs)."),
        ({"train": "head"}, "Part of the network kept its random first weights."),
        ({"image_size": 224}, "resized to 224 × 224 pixels."),
    ],
)
def test_where_the_weights_came_from(transfer: dict[str, Any], said: str) -> None:
    assert said in text(transfer=transfer, network={"name": "efficientnet-lite0"})


def test_what_else_decided() -> None:
    found = text(training={"ema": 0.999, "patience": 5}, importance={"candidates": 3})
    assert "exponential moving average of the weights (decay up to 0.999)." in found
    assert "was to end after 5 epochs without a better one." in found
    assert "Of 3 candidates of an image, itself and augmented looks, one was drawn by its loss under the network" in found
