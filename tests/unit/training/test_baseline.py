"""Methods without a network: they see texture where there is some, learn from training images alone, and can be stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from microtome.slices.imageset import ImageSet, build
from microtome.slices.plan import ClassSource, SlicePlan, VolumeSource
from microtome.training.baseline import GRADIENTS, SPECTRUM, BaselineStoppedError, Told, baselines, evenly
from microtome.training.baseline_compare import beside
from microtome.training.baseline_features import (
    SPECTRUM_BINS,
    gradient_features,
    radial_spectrum,
    reduced,
    spectrum_features,
)
from microtome.training.baseline_folds import folds, groups_of, share_out


def texture(width: float, seed: int) -> NDArray[Any]:
    field = gaussian_filter(np.random.default_rng(seed).standard_normal((64, 64, 64)), width, mode="wrap")
    result: NDArray[np.float32] = (field / field.std()).astype(np.float32)
    return result


def cut_set(folder: Path, *classes: list[NDArray[Any]]) -> ImageSet:
    sources = []
    for k, volumes in enumerate(classes):
        files = [folder / f"{k}-{i}.npy" for i in range(len(volumes))]
        for file, volume in zip(files, volumes, strict=True):
            np.save(file, volume)
        sources.append(ClassSource(name=str(k), volumes=tuple(VolumeSource(path=str(file)) for file in files)))
    plan = SlicePlan(field_of_view=16, pixels=16, train=60, validation=5, evaluation=60, normalisation="slice")
    return build(tuple(sources), plan, folder / "sets")


def test_textures_of_different_width_are_told(tmp_path: Path) -> None:
    image_set = cut_set(tmp_path, [texture(1.0, 0)], [texture(3.0, 1)])
    found = baselines(image_set)
    assert [one.name for one in found] == [SPECTRUM, GRADIENTS]
    assert all("learnt from 120 images" in one.details for one in found)
    assert "kernel, C = " in found[1].details
    reached = {one.name: float((image_set.labels[one.images] == one.predicted).mean()) for one in found}
    assert reached[SPECTRUM] > 0.9
    assert reached[GRADIENTS] > 0.7  # 16 pixels are a single block of cells


def test_equal_textures_are_not_told(tmp_path: Path) -> None:
    # The same statistics in both classes: anything far above a half would be a leak.
    image_set = cut_set(tmp_path, [texture(1.0, 0)], [texture(1.0, 1)])
    for one in baselines(image_set):
        assert 0.25 < float((image_set.labels[one.images] == one.predicted).mean()) < 0.75


def test_one_class_has_no_baseline(tmp_path: Path) -> None:
    assert baselines(cut_set(tmp_path, [texture(1.0, 0)])) == []


def test_it_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    image_set = cut_set(tmp_path, [texture(1.0, 0)], [texture(1.6, 1)])
    begun: list[str] = []
    with pytest.raises(BaselineStoppedError):
        baselines(image_set, lambda: "stop" if begun[-1:] == [GRADIENTS] else "", begun.append)
    assert begun == [SPECTRUM, GRADIENTS]


def test_folds_keep_volumes_whole_and_slabs_together(tmp_path: Path) -> None:
    image_set = cut_set(tmp_path, [texture(1.0, k) for k in range(5)], [texture(1.6, 9)])
    train = image_set.split("train")
    found = folds(image_set, train)
    labels, poses = image_set.labels[train], image_set.poses
    assert set(found.tolist()) == {0, 1, 2}
    for label in (0, 1):
        assert set(found[labels == label].tolist()) == {0, 1, 2}, "something of every class in every fold"
    volumes, centres = poses.volumes[train], poses.centres[train]
    for volume in np.unique(volumes[labels == 0]):
        of_it = found[volumes == volume]
        if len(np.unique(volumes[labels == 0])) >= 3:
            assert len(set(of_it.tolist())) == 1
    # The one volume of class 1 is divided along one axis, without overlap.
    mine = labels == 1
    axis = int(np.ptp(centres[mine], axis=0).argmax())
    spans = sorted((centres[mine & (found == k), axis].min(), centres[mine & (found == k), axis].max()) for k in range(3))
    assert spans[0][1] <= spans[1][0] and spans[1][1] <= spans[2][0]


def test_groups_are_volumes_where_there_are_enough() -> None:
    volumes = np.array([4, 4, 7, 7, 9, 4])
    assert groups_of(volumes, np.zeros((6, 3)), 3).tolist() == [0, 0, 1, 1, 2, 0]
    # One volume: thirds along y, whatever the order of the images.
    centres = np.zeros((6, 3))
    centres[:, 1] = [50, 0, 10, 60, 30, 20]
    assert groups_of(np.zeros(6, dtype=np.int64), centres, 3).tolist() == [2, 0, 0, 2, 1, 1]
    # Two volumes of one and two images: no slab is empty, for each image is a group.
    assert len(set(groups_of(np.array([0, 1, 1]), np.zeros((3, 3)), 3).tolist())) == 3


def test_folds_are_filled_evenly_by_whole_groups() -> None:
    groups = np.array([0] * 5 + [1] * 4 + [2] * 3 + [3] * 2)
    found = share_out(groups, 2)
    assert [len(set(found[groups == g].tolist())) for g in range(4)] == [1, 1, 1, 1]
    assert np.bincount(found).tolist() == [7, 7]


def test_too_many_images_are_thinned_evenly() -> None:
    indices = np.arange(100, 1100)
    assert evenly(indices, 1000) is indices
    few = evenly(indices, 10)
    assert (few[0], few[-1], len(set(few.tolist()))) == (100, 1099, 10)


def test_the_network_is_compared_image_by_image() -> None:
    labels = np.array([9, 9, 0, 0, 0, 0, 1, 1, 1, 1])  # the first two belong to other sets
    images = np.arange(2, 10)
    network = np.array([0, 0, 0, 0, 1, 1, 1, 0])
    told = Told(name="x", details="how", images=images[::2], predicted=np.array([0, 1, 1, 0]))
    found = beside([told], images, network, labels, ("a", "b"))
    # Of images 2, 4, 6, 8 the network tells all, the other method 2 and 6.
    assert found["baseline"] == {"x": 0.5}
    assert found["baseline_gains"]["x"][0] == 0.5
    low, high = found["baseline_intervals"]["x"]
    assert 0 < low < 0.5 < high < 1
    assert (found["baseline_details"], found["baseline_images"]) == ({"x": "how"}, 4)
    assert beside([], images, network, labels, ("a", "b"))["baseline"] == {}


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


@pytest.mark.parametrize("edge", [8, 15, 64])
def test_features_are_finite_for_any_image(edge: int) -> None:
    images = np.zeros((4, edge, edge), np.float32)
    images[1], images[2, 0, 0] = 1e6, 1.0
    for features in (spectrum_features(images), gradient_features(images)):
        assert len(features) == 4
        assert np.isfinite(features).all()
    assert spectrum_features(images).shape == (4, 34)


def test_gradients_are_those_of_the_literature() -> None:
    # 64 pixels: 8 × 8 cells, 7 × 7 blocks of 4 cells, 9 orientations; more than 128 pixels are reduced first.
    rng = np.random.default_rng(0)
    assert gradient_features(rng.standard_normal((1, 64, 64)).astype(np.float32)).shape == (1, 1764)
    assert gradient_features(rng.standard_normal((1, 256, 256)).astype(np.float32)).shape == (1, 8100)


def test_reduction_takes_means_of_squares() -> None:
    images = np.arange(2 * 5 * 4, dtype=np.float64).reshape(2, 5, 4)
    assert reduced(images, 5) is images
    np.testing.assert_allclose(reduced(images, 3)[0], [[2.5, 4.5], [10.5, 12.5]])
