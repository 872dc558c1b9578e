"""What a run means in words: over-fitting is said when it is there, and only then."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from journals import epoch, evaluated

from microtome.events import EpochEnded, ImageSetReady
from microtome.results.words import interval, number, per_class_counts, percent, standing, standing_words, trend


def _run(train: list[float | None], validation: list[float | None]) -> list[EpochEnded]:
    return [epoch(1, i, accuracy=0.5, train=t, validation=v) for i, (t, v) in enumerate(zip(train, validation, strict=True))]


def test_over_fitting_is_training_falling_while_validation_rises() -> None:
    found = trend(_run([1.0, 0.7, 0.5, 0.3, 0.2, 0.1], [1.0, 0.8, 0.6, 0.7, 0.9, 1.1]))
    assert (found.word, found.epoch) == ("over-fitting", 3)


def test_a_ripple_is_no_over_fitting() -> None:
    assert trend(_run([1.0, 0.7, 0.5, 0.3, 0.2, 0.1], [1.0, 0.8, 0.6, 0.61, 0.6, 0.59])).word == "learning"


@pytest.mark.parametrize("epochs", [12, 40])
def test_noise_alone_is_hardly_ever_called_over_fitting(epochs: int) -> None:
    rng = np.random.default_rng(1)
    at = np.arange(epochs)
    train, flat = 0.1 + np.exp(-at / 8), 0.5 + 0.5 * np.exp(-at / 3)
    said = [trend(_run(train.tolist(), (flat + rng.normal(0, 0.1, epochs)).tolist())).word for _ in range(200)]
    assert said.count("over-fitting") <= 10, "of 200"
    rising = flat + 0.04 * np.maximum(0, at - epochs / 3)
    said = [trend(_run(train.tolist(), (rising + rng.normal(0, 0.02, epochs)).tolist())).word for _ in range(50)]
    assert said.count("over-fitting") >= 45, "of 50"


def test_single_epochs_that_leap_up_are_no_over_fitting() -> None:
    rng = np.random.default_rng(2)
    at = np.arange(30)
    train, falling = 0.2 + 0.8 * np.exp(-at / 8), 0.3 + 0.8 * np.exp(-at / 8)
    alarms = 0
    for _ in range(200):
        leaps = np.where(rng.random(30) < 0.08, rng.uniform(1.5, 4, 30), 1)
        epochs = _run(train.tolist(), (falling * np.exp(rng.normal(0, 0.05, 30)) * leaps).tolist())
        alarms += any(trend(epochs[:n]).word == "over-fitting" for n in range(5, 31))
    assert alarms <= 30, "of 200, at any of 26 epochs"


def test_both_rising_is_no_over_fitting() -> None:
    assert trend(_run([1.0, 0.7, 0.5, 0.6, 0.8, 0.9], [1.0, 0.8, 0.6, 0.7, 0.9, 1.1])).word != "over-fitting"


def test_losses_that_stay_are_not_learning() -> None:
    assert trend(_run([1.1, 1.1, 1.1, 1.09, 1.1], [1.1, 1.1, 1.1, 1.1, 1.09])).word == "not-learning"


def test_few_epochs_and_lost_losses_tell_nothing() -> None:
    assert trend([]).word == "none"
    assert trend(_run([1.0, None, None, 0.5, 0.2], [1.0, 0.5, 0.4, None, 0.9])).word == "none"


def test_counts_a_class() -> None:
    counts = {"train": {"a": 300, "b": 300}, "validation": {"a": 80, "b": 100}}
    ready = ImageSetReady(hash="h", counts=counts, pixel_size=1.0, unit="nm")
    assert per_class_counts(ready, "train") == "300"
    assert per_class_counts(ready, "validation") == "80–100"
    assert per_class_counts(ready, "evaluation") == "0"


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), (0.1 + 0.2, "0.3"), (1e-7, "1e-07"), (32, "32"), ("relu", "relu"), (None, "–"), (0.00062271, "0.0006227")],
)
def test_numbers_carry_no_noise(value: object, text: str) -> None:
    assert number(value) == text


def test_shares() -> None:
    assert percent(0.876) == "87.6 %"
    assert percent(None) == "–"
    assert interval(0.5, 1.0) == "50.0–100.0 %"


@pytest.mark.parametrize(
    ("gains", "word", "names", "said"),
    [
        ({"a": (0.2, 0.1, 0.3), "b": (0.1, 0.01, 0.2)}, "beats", ("a", "b"), "does better than a and b"),
        ({"a": (0.2, 0.1, 0.3), "b": (0.1, -0.01, 0.2)}, "level", ("b",), "not shown that the network does better than b"),
        ({"a": (0.2, 0.1, 0.3), "b": (-0.1, -0.2, -0.01)}, "behind", ("b",), "b did better than the network"),
        ({"a": (0.0, -0.1, 0.1), "b": (-0.1, -0.2, -0.01)}, "behind", ("b",), "must win against all"),
        ({}, "unknown", (), ""),
    ],
)
def test_a_network_is_good_only_where_it_beats_every_baseline(
    gains: dict[str, tuple[float, float, float]], word: str, names: tuple[str, ...], said: str
) -> None:
    found = msgspec.structs.replace(evaluated(1), baseline_gains=gains)
    assert (standing(found).word, standing(found).names) == (word, names)
    assert said in standing_words(found)
    assert bool(standing_words(found)) == bool(gains)
