"""Images as tensors: the same whether held or read, every image once an epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from microtome.errors import InputError
from microtome.slices.imageset import ImageSet
from microtome.training import data, levels

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(count=st.integers(1, 500), size=st.integers(2, 64), seed=st.integers(0, 5))
def test_every_image_once_in_even_batches(count: int, size: int, seed: int) -> None:
    parts = data.batches(count, size, generator(seed))
    assert sorted(torch.cat(parts).tolist()) == list(range(count))
    lengths = [len(p) for p in parts]
    assert max(lengths) <= max(size, 3)
    assert min(lengths) >= min(count, 2)  # batch normalisation cannot digest a single image
    assert max(lengths) - min(lengths) <= 1


def test_another_seed_is_another_order() -> None:
    first, second, again = (torch.cat(data.batches(100, 32, generator(s))).tolist() for s in (0, 1, 0))
    assert first == again
    assert first != second


def test_held_and_read_batches_are_the_same(textures: Callable[..., ImageSet]) -> None:
    image_set = textures(scale_grey=30.0, shift_grey=120.0)
    mean, deviation = levels.statistics(image_set.images, image_set.split("train"))
    held, read = (data.load(image_set, "train", mean=mean, deviation=deviation, device=CPU, hold=h) for h in (True, False))
    assert held.held
    assert not read.held
    positions = torch.tensor([5, 0, 17])
    for a, b in zip(held.batch(positions), read.batch(positions), strict=True):
        assert torch.equal(a, b)
    images, labels = held.batch(torch.arange(len(held)))
    assert images.shape == (48, 1, 16, 16)
    assert float(images.mean()) == pytest.approx(0, abs=1e-4)
    assert float(images.std()) == pytest.approx(1, abs=1e-2)
    assert Counter(labels.tolist()) == {0: 16, 1: 16, 2: 16}


def test_statistics_agree_with_numpy_far_from_zero() -> None:
    images = (np.random.default_rng(0).normal(size=(600, 8, 8)) * 0.5 + 40_000).astype(np.float32)
    chosen = np.arange(3, 600)
    mean, deviation = levels.statistics(images, chosen)
    assert mean == pytest.approx(images[chosen].mean(dtype=np.float64))
    assert deviation == pytest.approx(images[chosen].std(dtype=np.float64), rel=1e-6)


def test_constant_images_have_deviation_one() -> None:
    assert levels.statistics(np.full((4, 8, 8), 7.0, dtype=np.float32), np.arange(4)) == (7.0, 1.0)


def test_an_empty_set_is_said(textures: Callable[..., ImageSet]) -> None:
    image_set = textures(counts=(4, 4, 0))
    with pytest.raises(InputError, match="no evaluation images"):
        data.load(image_set, "evaluation", mean=0, deviation=1, device=CPU)
