"""Copies of volumes are found whatever was done to them; volumes of one material are not taken for copies."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from microtome.slices.trust.twins import Fingerprint, compare, twins
from microtome.volumes.read import open_volume
from microtome.volumes.volume import Volume

FOLDER = Path(__file__).parents[5] / "shared" / "data" / "qim3d"


def made(seed: int, shape: tuple[int, int, int] = (60, 64, 70)) -> NDArray[np.uint8]:
    field = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5)
    return (128 + 40 * field / field.std()).clip(0, 255).astype(np.uint8)


def fingerprint(array: NDArray[Any]) -> Fingerprint:
    return Fingerprint.of(Volume.from_array(np.ascontiguousarray(array)))


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a,
        lambda a: a[5:, 3:-10, 7:-9],
        lambda a: (0.3 * a + 40).astype(np.float32),
        lambda a: (255 * (a / 255.0) ** 0.6).astype(np.uint8),
        lambda a: a + np.random.default_rng(9).normal(0, 10, a.shape),
        lambda a: a[::-1, :, ::-1].transpose(2, 0, 1),
    ],
    ids=["same", "cropped", "rescaled", "gamma", "noisy", "turned"],
)
def test_a_copy_is_found(change: Any) -> None:
    assert compare(fingerprint(made(0)), fingerprint(change(made(0))), turned=True) is not None


def test_the_offset_of_a_crop_is_told_both_ways() -> None:
    whole, crop = fingerprint(made(0)), fingerprint(made(0)[5:, 3:-10, 7:-9])
    for one, other, sign in ((whole, crop, 1), (crop, whole, -1)):
        found = compare(one, other, turned=False)
        assert found is not None
        assert found[1] == (5 * sign, 3 * sign, 7 * sign)
        assert not found[2]


def test_micrographs_are_compared_in_their_plane() -> None:
    image = made(0, (1, 150, 160))
    assert compare(fingerprint(image), fingerprint(image[:, 10:120, 20:150]), turned=True) is not None
    assert compare(fingerprint(image), fingerprint(made(1, (1, 150, 160))), turned=True) is None


def test_volumes_of_one_kind_are_no_copies() -> None:
    prints = [fingerprint(made(seed)) for seed in range(5)]
    assert twins(prints, list(combinations(range(5), 2))).found == ()


def test_what_is_empty_or_not_to_be_compared_is_left_out() -> None:
    empty, full = fingerprint(np.zeros((40, 40, 40), np.uint8)), fingerprint(made(0))
    assert compare(empty, empty, turned=False) is None
    assert compare(full, empty, turned=False) is None
    found = twins([full, None, full], [(0, 1), (0, 2), (1, 2)])
    assert (found.compared, found.pairs) == (1, 1)
    (twin,) = found.found
    assert (twin.first, twin.second) == (0, 2)


@pytest.mark.shared
@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is not there")
def test_real_volumes() -> None:
    arrays = {f.stem[:4]: open_volume(f).as_array() for f in sorted(FOLDER.glob("*.tif"))}
    halves = [fingerprint(part) for a in arrays.values() for part in (a[: len(a) // 2], a[len(a) // 2 :])]
    pairs = list(combinations(range(len(halves)), 2))
    assert twins(halves, pairs).found == (), "two halves of one specimen are no copies"
    for name, array in arrays.items():
        crop = (0.5 * array[3:-10, 5:-20, 7:-31] + 20).astype(np.float32)
        assert compare(fingerprint(array), fingerprint(crop), turned=False) is not None, name
