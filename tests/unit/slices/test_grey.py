"""Statistics of grey values and normalisation."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.errors import InputError
from microtome.slices.grey import Grey, grey_of, normalise, pooled
from microtome.volumes.particles.simulate import simulate, voxelise


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


def test_percentiles_and_their_fallback() -> None:
    volume = np.random.default_rng(0).normal(100, 10, (30, 30, 30))
    grey = grey_of(volume)
    assert (grey.low, grey.high) == pytest.approx(tuple(np.quantile(volume, (0.01, 0.99))))
    assert len(grey.quantiles) == 69
    background = np.zeros((20, 20, 20))
    background[0, 0, :5] = 50
    assert (grey_of(background).low, grey_of(background).high) == (0.0, 50.0)


@pytest.mark.parametrize("how", ["volume-percentile", "slice-percentile"])
def test_percentiles_go_to_0_and_1(how: str) -> None:
    images = np.random.default_rng(0).normal(50, 3, (4, 40, 40)).astype(np.float32)
    scaled = normalise(images, how, grey_of(images))
    np.testing.assert_allclose(np.quantile(scaled, (0.01, 0.99)), (0, 1), atol=0.05)
    assert scaled.max() > 1, "nothing is clipped"
    assert np.isfinite(normalise(np.full((1, 9, 9), 7, np.float32), how, Grey(7, 0))).all()


@pytest.mark.parametrize("how", ["volume", "volume-percentile", "histogram"])
def test_a_linear_change_of_grey_values_changes_nothing(how: str) -> None:
    images = np.random.default_rng(0).gamma(2, 10, (6, 20, 20)).astype(np.float32)
    other = (3 * images + 40).astype(np.float32)
    reference = grey_of(images).quantiles
    one, two = (normalise(i, how, grey_of(i), reference) for i in (images, other))
    np.testing.assert_allclose(one, two, atol=2e-4)


def test_a_matched_histogram_is_that_of_the_reference() -> None:
    rng = np.random.default_rng(0)
    dark, bright = (
        Grey(0, 0, 0, 0, grey_of(v.reshape(9, 11, -1)).quantiles) for v in (rng.gamma(2, 10, 9999), rng.normal(200, 5, 9999))
    )
    reference = pooled([[dark], [bright, bright]])
    np.testing.assert_allclose(reference, (np.array(dark.quantiles) + np.array(bright.quantiles)) / 2)
    images = rng.gamma(2, 10, (10, 50, 50)).astype(np.float32)
    matched = normalise(images, "histogram", dark, reference)
    assert matched.mean() == pytest.approx(0, abs=0.05)
    assert matched.std() == pytest.approx(1, abs=0.05)
    # Between the two in brightness, and everywhere: quantile by quantile.
    halfway = (
        np.quantile(images, np.linspace(0.1, 0.9, 5)) + np.quantile(rng.normal(200, 5, 99_999), np.linspace(0.1, 0.9, 5))
    ) / 2
    found = np.quantile(matched, np.linspace(0.1, 0.9, 5))
    np.testing.assert_allclose(
        np.diff(found) / np.diff(halfway), np.full(4, (found[-1] - found[0]) / np.ptp(halfway)), rtol=0.1
    )
    # Two phases of different shares keep their two levels.
    phases = np.repeat([0.0, 255.0], [80, 20])
    two = Grey(0, 0, 0, 0, grey_of(phases.reshape(4, 5, 5)).quantiles)
    levels = normalise(phases.reshape(1, 10, 10).astype(np.float32), "histogram", two)
    assert len(np.unique(levels)) == 2


def test_structures_of_one_volume_fraction_have_one_grey() -> None:
    """Else what their exact background is scaled to would tell every structure apart, and a network would learn that."""
    kinds = [("m-sbr", 4.0), ("n-sbr", 4.0), ("n-sbr", 7.0)]
    volumes = [voxelise(simulate(k, seed=1, parameters={"edge": 300.0}), edge) for k, edge in kinds]
    greys = [grey_of(volume) for volume in volumes]
    assert {(g.mean, g.deviation, g.low, g.high, g.quantiles) for g in greys} == {
        (51.0, 102.0, 0.0, 255.0, greys[0].quantiles),
    }
    background = np.zeros((1, 2, 2), np.float32)
    for how in ("volume", "volume-percentile", "histogram"):
        assert len({normalise(background, how, g).tobytes() for g in greys}) == 1
    assert abs(volumes[0].as_array().mean() - 51.0) < 0.3
