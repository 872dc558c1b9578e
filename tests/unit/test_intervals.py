"""Intervals: known values, coverage by simulation, edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from microtome.errors import InputError
from microtome.intervals import class_mean_interval, mean_interval, paired_difference, wilson


@given(total=st.integers(1, 5000), share=st.floats(0, 1))
def test_wilson_equals_scipy(total: int, share: float) -> None:
    correct = round(total * share)
    expected = binomtest(correct, total).proportion_ci(0.95, method="wilson")
    assert wilson(correct, total) == pytest.approx((expected.low, expected.high), abs=1e-9)
    low, high = wilson(correct, total)
    assert 0 <= low <= correct / total <= high <= 1


def test_wilson_of_nothing_is_everything() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0


@pytest.mark.parametrize(("correct", "total"), [(3, 2), (-1, 5), (0, -1)])
def test_impossible_counts_are_refused(correct: int, total: int) -> None:
    with pytest.raises(InputError):
        wilson(correct, total)


def test_mean_over_seeds() -> None:
    mean, (low, high) = mean_interval([0.90, 0.92, 0.94])
    # t(0.975, 2) = 4.302653; deviation 0.02
    assert mean == pytest.approx(0.92)
    assert high - mean == pytest.approx(4.302653 * 0.02 / math.sqrt(3), rel=1e-6)
    assert mean - low == pytest.approx(high - mean)


def test_one_seed_says_nothing_of_the_spread() -> None:
    assert mean_interval([0.9]) == (0.9, (-math.inf, math.inf))
    with pytest.raises(InputError):
        mean_interval([])


def test_class_mean_covers_the_truth_as_often_as_it_says() -> None:
    rng, truth, total, inside = np.random.default_rng(0), np.array([0.95, 0.8, 0.6]), 200, 0
    for k in range(200):
        counts = {str(c): (int(rng.binomial(total, p)), total) for c, p in enumerate(truth)}
        _, (low, high) = class_mean_interval(counts, seed=k)
        inside += low <= truth.mean() <= high
    assert 180 <= inside <= 199  # 190 expected, standard error 3


def test_class_mean_weighs_classes_alike() -> None:
    mean, (low, high) = class_mean_interval({"a": (10, 10), "b": (500, 1000), "empty": (0, 0)})
    assert mean == 0.75
    assert 0.5 < low < mean < high < 0.8
    assert class_mean_interval({"a": (7, 10)}) == class_mean_interval({"a": (7, 10)})


def test_class_mean_without_errors_keeps_a_width() -> None:
    mean, (low, high) = class_mean_interval({"a": (100, 100), "b": (100, 100)})
    assert mean == high == 1.0
    assert 0.97 < low < 1.0


def test_class_mean_of_nothing_is_refused() -> None:
    with pytest.raises(InputError):
        class_mean_interval({"a": (0, 0)})
    with pytest.raises(InputError):
        class_mean_interval({"a": (5, 3)})


def test_paired_difference_covers_the_truth_as_often_as_it_says() -> None:
    # Two classes of 150 images; the first method alone is right on 12 and 6 %, the second on 4 and 6 %.
    rng, inside = np.random.default_rng(0), 0
    for k in range(300):
        counts = {}
        for name, shares in (("a", (0.12, 0.04, 0.84)), ("b", (0.06, 0.06, 0.88))):
            gained, lost, _ = rng.multinomial(150, shares)
            counts[name] = (int(gained), int(lost), 150)
        _, (low, high) = paired_difference(counts, seed=k)
        inside += low <= 0.04 <= high
    assert 272 <= inside <= 297  # 285 expected, standard error 4


def test_paired_difference_agrees_with_mcnemar() -> None:
    # Exact binomial test of the images that are told differently: p = 0.006 for 12 to 1, p = 0.13 for 6 to 1.
    mean, (low, high) = paired_difference({"a": (12, 1, 200)})
    assert mean == pytest.approx(11 / 200)
    assert 0 < low < mean < high
    _, (low, high) = paired_difference({"a": (6, 1, 200)})
    assert low < 0 < high
    there, (low, high) = paired_difference({"a": (12, 1, 200)})
    back, (_, other_high) = paired_difference({"a": (1, 12, 200)})
    assert (there, low) == pytest.approx((-back, -other_high), abs=0.002)


def test_paired_difference_weighs_classes_alike_and_keeps_a_width() -> None:
    mean, (low, high) = paired_difference({"a": (10, 0, 10), "b": (0, 0, 1000), "empty": (0, 0, 0)})
    assert mean == 0.5
    assert low < 0.5 <= high
    mean, (low, high) = paired_difference({"a": (0, 0, 100)})
    assert mean == 0 and low < 0 < high


@pytest.mark.parametrize("counts", [{"a": (0, 0, 0)}, {"a": (3, 3, 5)}, {"a": (-1, 3, 5)}])
def test_paired_difference_refuses_impossible_counts(counts: dict[str, tuple[int, int, int]]) -> None:
    with pytest.raises(InputError):
        paired_difference(counts)
