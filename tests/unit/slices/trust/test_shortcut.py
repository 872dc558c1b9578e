"""Planted shortcuts are found, with their accuracy; classes without one give no false alarm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from microtome.slices.trust.shortcut import Shortcut, advice, classify, shortcuts

Images = NDArray[np.float32]


def noise(n: int, seed: int = 0, mean: float = 100.0, deviation: float = 10.0) -> Images:
    return np.random.default_rng(seed).normal(mean, deviation, (n, 16, 16)).astype(np.float32)


def audit(*classes: Images, sizes: tuple[float, ...] = ()) -> dict[str, Shortcut]:
    images = np.concatenate(classes)
    labels = np.repeat(np.arange(len(classes)), [len(c) for c in classes])
    sets = np.concatenate([np.arange(len(c)) % 3 for c in classes])
    edges = np.array(sizes or [1.0] * len(classes))[labels][:, None] * np.ones(3)
    return {s.cue: s for s in shortcuts(images, labels, sets, edges)}


def test_one_class_two_percent_brighter_is_found() -> None:
    found = audit(noise(300), noise(300, 1, mean=102.0))
    assert found["mean"].strength == "strong"
    assert found["mean"].accuracy > 0.9
    assert found["mean"].n == 200
    assert found["mean"].chance == 0.5
    low, high = found["mean"].interval
    assert low < found["mean"].accuracy < high
    assert found["deviation"].strength == "none"
    (words,) = advice(list(found.values()), "none")
    assert "mean grey value" in words
    assert "normalisation by slice" in words


def test_contrast_and_histogram_are_cues() -> None:
    dull = audit(noise(300), noise(300, 1, deviation=12.0))
    assert dull["deviation"].strength == "strong"
    assert dull["mean"].strength == "none"
    # The same mean and deviation, but two grey levels instead of a bell.
    two = np.where(np.random.default_rng(3).random((300, 16, 16)) < 0.5, 90, 110).astype(np.float32)
    flat = audit(noise(300), two)
    assert flat["histogram"].strength == "strong"
    assert flat["mean"].strength == "none"


def test_means_that_spread_differently_are_told_by_a_linear_rule() -> None:
    wide = noise(300, 1) + np.random.default_rng(2).normal(0, 20, (300, 1, 1)).astype(np.float32)
    assert audit(noise(300), wide)["mean"].strength != "none"


def test_voxel_sizes_are_a_cue_where_they_differ() -> None:
    found = audit(noise(60), noise(60, 1), sizes=(1.0, 2.0))
    assert found["voxel size"].accuracy == 1.0
    assert "bin the finer ones" in advice(list(found.values()), "slice")[0]
    assert "voxel size" not in audit(noise(60), noise(60, 1))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 100_000), classes=st.integers(2, 4))
def test_there_is_no_false_alarm(seed: int, classes: int) -> None:
    found = audit(*(noise(150, 10 * seed + k) for k in range(classes)))
    assert {s.strength for s in found.values()} == {"none"}
    assert advice(list(found.values()), "volume") == []


def test_rounding_is_no_cue() -> None:
    pictures = [noise(90, k, mean=1000.0 * k) for k in range(2)]
    by_slice = [
        ((p - p.mean(axis=(1, 2), keepdims=True)) / p.std(axis=(1, 2), keepdims=True)).astype(np.float32) for p in pictures
    ]
    assert audit(*by_slice)["mean"].accuracy == pytest.approx(0.5, abs=0.15)
    constant = np.zeros((30, 16, 16), np.float32)
    assert audit(constant, constant)["histogram"].accuracy == pytest.approx(0.5)


def test_one_class_has_no_shortcut() -> None:
    assert audit(noise(9)) == {}


def test_linear_discriminants_separate_what_a_line_separates() -> None:
    rng = np.random.default_rng(0)
    spread = rng.multivariate_normal([0, 0], [[1, 0.95], [0.95, 1]], 400)
    labels = np.arange(400) % 2
    shown = spread + np.outer(labels, (1.0, -1.0))
    assert np.mean(classify(shown[:200], labels[:200], shown[200:]) == labels[200:]) > 0.99
