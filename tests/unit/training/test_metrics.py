"""Counts and means of class accuracies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from microtome.events import EpochEnded
from microtome.training.metrics import Measured, best_epoch, confusion, mean_accuracy, per_class


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_counts_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    true, predicted = np.array(pairs).T
    counts = confusion(true, predicted, 4)
    assert (counts == confusion_matrix(true, predicted, labels=range(4))).all()


def test_accuracy_is_the_mean_over_classes_not_over_images() -> None:
    true = np.array([0] * 90 + [1] * 10)
    predicted = np.zeros(100, dtype=int)
    counts = confusion(true, predicted, 2)
    assert mean_accuracy(counts) == pytest.approx(0.5)
    assert mean_accuracy(counts) == pytest.approx(balanced_accuracy_score(true, predicted))
    assert per_class(counts, ("many", "few")) == {"many": (90, 90), "few": (0, 10)}


def test_a_class_without_images_does_not_count() -> None:
    counts = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    assert mean_accuracy(counts) == pytest.approx((0.75 + 1) / 2)
    assert mean_accuracy(np.zeros((2, 2))) == 0.0


def test_rows_are_plain_numbers() -> None:
    rows = Measured(loss=0.5, confusion=np.array([[1, 2], [3, 4]])).rows()
    assert rows == ((1, 2), (3, 4))
    assert all(type(n) is int for row in rows for n in row)


def ended(epoch: int, accuracy: float, loss: float | None) -> EpochEnded:
    return EpochEnded(
        trial=1,
        epoch=epoch,
        train_loss=1.0,
        train_accuracy=0.5,
        validation_loss=loss,
        validation_accuracy=accuracy,
        per_class={},
        confusion=(),
        learning_rate=1e-3,
        images_per_second=1.0,
        seconds=1.0,
    )


@pytest.mark.parametrize(
    ("epochs", "best"),
    [
        ([(0.5, 1.0), (0.9, 0.4), (0.8, 0.1)], 1),
        ([(0.9, 0.4), (0.9, 0.2), (0.9, 0.3)], 1),  # equally accurate: the surer one
        ([(0.9, None), (0.9, 7.0)], 1),
        ([(0.9, 0.4), (0.9, 0.4)], 0),
    ],
)
def test_the_best_epoch(epochs: list[tuple[float, float | None]], best: int) -> None:
    found = best_epoch([ended(i, *values) for i, values in enumerate(epochs)])
    assert found is not None
    assert found.epoch == best


def test_no_epoch_is_best_before_the_first() -> None:
    assert best_epoch([]) is None
