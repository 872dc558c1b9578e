"""Copies among images of different sets are found in any position; what is merely alike is not taken for one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from microtome.slices.trust.similar import most_similar, thumbnail, turns


def textures(n: int, edge: int = 24, seed: int = 0) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(size=(n, edge, edge))
    return gaussian_filter(noise, (0, 1.5, 1.5)).astype(np.float32)


def test_a_turned_copy_with_other_grey_values_is_found() -> None:
    images = textures(90)
    images[70] = 5 - 0 + 3 * np.rot90(images[4])[:, ::-1]
    sets, volumes = np.repeat([0, 1, 2], 30), np.zeros(90, dtype=np.int64)
    found = most_similar(images, sets, volumes)
    assert found.all is not None
    assert {found.all.first, found.all.second} == {4, 70}
    assert found.all.correlation > 0.999
    assert found.sharpest is not None
    assert found.sharpest.sharpened > 0.999
    assert found.other_volume is None, "all are of one volume"
    assert found.compared == (30, 30, 30)
    apart = most_similar(images, sets, np.arange(90) // 45)
    assert apart.other_volume is not None
    assert {apart.other_volume.first, apart.other_volume.second} == {4, 70}


def test_copies_within_a_set_do_not_count() -> None:
    images = textures(60)
    images[3] = images[2]
    found = most_similar(images, np.repeat([0, 1], 30), np.zeros(60, dtype=np.int64))
    assert found.all is not None
    assert found.all.correlation < 0.95


def test_bright_halves_and_single_pixels_are_alike_but_no_copies() -> None:
    images = textures(40) * 0.02
    images[:, :12] += 1
    single = np.zeros((40, 24, 24), np.float32)
    single[:, 5, 7] = 1
    sets = np.repeat([0, 1], 20)
    for pictures in (images, single):
        found = most_similar(pictures, sets, np.zeros(40, dtype=np.int64))
        assert found.all is not None
        assert found.sharpest is not None
        assert found.all.correlation > 0.98
        assert found.sharpest.sharpened < 0.9 or pictures is images
    assert found.sharpest.sharpened == 0


def test_images_without_contrast_are_left_out() -> None:
    found = most_similar(np.full((6, 8, 8), 3, np.float32), np.array([0, 0, 1, 1, 2, 2]), np.zeros(6, dtype=np.int64))
    assert found.all is None
    assert found.compared == (0, 0, 0)


def test_thumbnails_are_means_and_turns_are_all_different() -> None:
    image = textures(1, 40)
    assert np.isclose(thumbnail(image).mean(), image.mean(), atol=0.02)
    assert thumbnail(textures(2, 8)).shape == (2, 64)
    assert len({t.tobytes() for t in map(np.ascontiguousarray, turns(image))}) == 8
