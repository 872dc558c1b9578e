"""Correlation lengths are those of fields that are made with known ones; noise, constants and holes do not mislead."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from microtome.slices.blocks.correlation import correlation_of, measure
from microtome.volumes.volume import Volume


def blobs(
    sigma: tuple[float, float, float], shape: tuple[int, int, int] = (120, 120, 120), seed: int = 0
) -> NDArray[np.float32]:
    field = gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma, mode="wrap")
    return (100 + 20 * field / field.std()).astype(np.float32)


def test_a_gaussian_field_has_the_lengths_it_was_made_with() -> None:
    # White noise smoothed by a Gaussian of σ has the autocovariance exp(−r²/4σ²): 1/e at 2σ, a tenth at 2σ·√ln 10.
    sigma = (3.0, 2.0, 4.0)
    found = measure([blobs(sigma)])
    assert found.length == pytest.approx([2 * s for s in sigma], rel=0.15)
    assert found.decay == pytest.approx([2 * s * math.sqrt(math.log(10)) for s in sigma], rel=0.2)
    assert found.bounded
    assert found.guard == tuple(math.ceil(lag - 1e-6) for lag in found.decay)


def test_noise_does_not_hide_the_structure() -> None:
    clean = blobs((3.0, 3.0, 3.0))
    noisy = clean + np.random.default_rng(1).normal(0, 40, clean.shape)
    assert measure([noisy]).length == pytest.approx(measure([clean]).length, rel=0.2)


def test_noise_alone_is_not_correlated() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 60), dtype=np.uint8)
    assert measure([noise]).guard == (1, 1, 1)
    assert measure([np.full((9, 9, 9), 7, np.uint8)]).guard == (1, 1, 1)
    assert measure([np.full((1, 1, 1), np.nan)]).guard == (1, 1, 1)


def test_a_change_over_the_whole_depth_is_a_lower_bound() -> None:
    ramp = np.broadcast_to(np.arange(80.0)[:, None, None], (80, 40, 40)) + np.random.default_rng(0).normal(0, 1, (80, 40, 40))
    found = measure([ramp])
    assert not found.bounded
    assert found.length[0] > 15
    slow = Volume.from_array(np.ascontiguousarray(ramp))
    assert correlation_of(slow) == found
    assert correlation_of(slow) is correlation_of(slow), "measured once"


def test_holes_are_left_out() -> None:
    field = blobs((2.0, 2.0, 2.0))
    holed = field.copy()
    holed[np.random.default_rng(2).random(field.shape) < 0.2] = np.nan
    assert measure([holed]).length == pytest.approx(measure([field]).length, rel=0.1)


def test_only_bounded_parts_of_a_large_volume_are_read() -> None:
    class Watched:
        shape, dtype = (1000, 900, 800), np.dtype(np.uint8)
        read = 0

        def __getitem__(self, key: tuple[slice, ...]) -> NDArray[np.uint8]:
            edges = [len(range(n)[k]) for k, n in zip(key, self.shape, strict=True)]
            Watched.read += math.prod(edges)
            return np.random.default_rng(0).integers(0, 255, edges, dtype=np.uint8)

    correlation_of(Volume(voxels=Watched()))
    assert 0 < Watched.read <= 3 * 192**3
