"""Statistics of grey values and normalisation."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.errors import InputError
from microtome.slices.grey import Grey, grey_of, normalise


def test_statistics_of_a_small_volume_are_exact() -> None:
    volume = np.random.default_rng(0).integers(0, 60_000, (20, 30, 40), dtype=np.uint16)
    grey = grey_of(volume)
    assert grey.mean == pytest.approx(volume.mean())
    assert grey.deviation == pytest.approx(volume.std())


def test_statistics_of_a_large_volume_are_sampled_closely() -> None:
    volume = np.random.default_rng(0).normal(100, 5, (160, 170, 180)).astype(np.float32)
    grey = grey_of(volume)
    assert grey.mean == pytest.approx(100, abs=0.05)
    assert grey.deviation == pytest.approx(5, abs=0.05)


def test_what_is_not_finite_is_left_out() -> None:
    volume = np.full((4, 4, 4), np.nan)
    volume[0, 0, :2] = (1.0, 3.0)
    volume[1, 1, 1] = np.inf
    assert grey_of(volume) == Grey(2.0, 1.0)


def test_a_few_finite_voxels_are_found_between_the_samples() -> None:
    volume = np.full((130, 130, 130), np.nan, np.float32)
    volume[1, 1, 1] = 7.0
    assert grey_of(volume) == Grey(7.0, 0.0)


def test_no_number_at_all_is_said() -> None:
    with pytest.raises(InputError, match=r"dead\.tif holds no numbers"):
        grey_of(np.full((3, 3, 3), np.nan), name="dead.tif")


def test_normalisation() -> None:
    images = np.random.default_rng(0).normal(50, 3, (5, 8, 8)).astype(np.float32)
    images[4] = 1e6 + 0.1
    assert normalise(images, "none", Grey(0, 1)) is images
    np.testing.assert_allclose(normalise(images, "volume", Grey(50, 2)), (images.astype(float) - 50) / 2, rtol=1e-6)
    by_slice = normalise(images, "slice", Grey(50, 2))
    np.testing.assert_allclose(by_slice[:4].mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(by_slice[:4].std(axis=(1, 2)), 1, atol=1e-5)
    assert (by_slice[4] == 0).all()
    assert (normalise(np.full((1, 2, 2), 9, np.float32), "volume", Grey(9, 0)) == 0).all()
