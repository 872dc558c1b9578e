"""Hand-made features: they see contrast and texture scale, not what is not there; the baselines learn from training alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from microtome.slices.imageset import ImageSet, build
from microtome.slices.plan import ClassSource, SlicePlan, VolumeSource
from microtome.training.baseline import HISTOGRAM_BINS, SPECTRUM_BINS, baseline, features, histogram_edges, radial_spectrum


def texture(width: float, seed: int) -> NDArray[Any]:
    field = gaussian_filter(np.random.default_rng(seed).standard_normal((64, 64, 64)), width, mode="wrap")
    return (field / field.std()).astype(np.float32)


def cut_set(folder: Path, *volumes: NDArray[Any]) -> ImageSet:
    classes = []
    for k, volume in enumerate(volumes):
        np.save(folder / f"{k}.npy", volume)
        classes.append(ClassSource(name=str(k), volumes=(VolumeSource(path=str(folder / f"{k}.npy")),)))
    plan = SlicePlan(field_of_view=16, pixels=16, train=60, validation=5, evaluation=60, normalisation="slice")
    return build(tuple(classes), plan, folder / "sets")


def test_textures_of_different_width_are_told(tmp_path: Path) -> None:
    result = baseline(cut_set(tmp_path, texture(1.0, 0), texture(1.6, 1)))
    assert set(result) == {"histogram + spectrum, LDA", "histogram + spectrum, logistic regression"}
    assert all(0.9 < v <= 1 for v in result.values())


def test_equal_textures_are_not_told(tmp_path: Path) -> None:
    # The same statistics in both classes: anything far above a half would be a leak.
    result = baseline(cut_set(tmp_path, texture(1.0, 0), texture(1.0, 1)))
    assert all(0.25 < v < 0.75 for v in result.values())


def test_one_class_has_no_baseline(tmp_path: Path) -> None:
    assert baseline(cut_set(tmp_path, texture(1.0, 0))) == {}


@pytest.mark.parametrize("cycles", [2, 5, 13])
def test_spectrum_peaks_at_the_frequency_in_any_direction(cycles: int) -> None:
    x = np.arange(64)
    wave = np.sin(2 * np.pi * cycles * x / 64)
    images = np.stack([np.broadcast_to(wave, (64, 64)), np.broadcast_to(wave[:, None], (64, 64))])
    spectrum = radial_spectrum(images)
    assert spectrum.shape == (2, SPECTRUM_BINS)
    assert (spectrum.argmax(axis=1) == int(cycles / 64 / 0.5 * SPECTRUM_BINS)).all()


def test_brightness_is_not_in_the_spectrum() -> None:
    images = np.random.default_rng(0).standard_normal((3, 20, 24))
    np.testing.assert_allclose(radial_spectrum(images), radial_spectrum(images + 50), atol=1e-6)


def test_features_are_finite_for_any_image() -> None:
    images = np.zeros((4, 8, 8), np.float32)
    images[1], images[2, 0, 0] = 1e6, 1.0
    everyone = np.arange(4)
    edges = histogram_edges(images, everyone)
    found = features(images, everyone, edges)
    assert found.shape == (4, HISTOGRAM_BINS + 2 + SPECTRUM_BINS)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, :HISTOGRAM_BINS].sum(axis=1), 1)
