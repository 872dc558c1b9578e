"""Cutting: the kernel against scipy, its edges, its promises about threads and data, its refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from microtome.errors import InputError
from microtome.slices.planes.cut import cut, sample
from microtome.volumes.volume import Volume

MODES = {"nan": "constant", "nearest": "nearest", "wrap": "grid-wrap"}
DTYPES = ["u1", "i1", "u2", "i2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">u2", "?"]
Z, Y, X = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def points(centres: NDArray[Any], axes: NDArray[Any], size: tuple[int, int], step: float) -> NDArray[np.float64]:
    """Coordinates (3, n, h, w) as the interface defines them."""
    i = (np.arange(size[0]) - (size[0] - 1) / 2)[None, :, None, None]
    j = (np.arange(size[1]) - (size[1] - 1) / 2)[None, None, :, None]
    p = centres[:, None, None] + i * step * axes[:, 0][:, None, None] + j * step * axes[:, 1][:, None, None]
    return np.moveaxis(p, -1, 0)


def volume_of(shape: tuple[int, ...], dtype: str, seed: int) -> NDArray[Any]:
    rng, kind = np.random.default_rng(seed), np.dtype(dtype)
    if kind.kind == "f":
        return (rng.standard_normal(shape) * 100).astype(kind)
    if kind.kind == "b":
        return rng.random(shape) < 0.5
    info = np.iinfo(kind)
    # 2**53: what scipy's and our double precision can tell apart.
    return rng.integers(
        max(info.min, -(2**53)), min(info.max, 2**53), shape, dtype=kind.newbyteorder("="), endpoint=True
    ).astype(kind)


def poses(n: int, shape: tuple[int, ...], seed: int, margin: float = 3.0) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((n, 3, 3)))[0][:, :2]
    return rng.uniform(-margin, np.array(shape) - 1 + margin, (n, 3)), axes


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 12)] * 3),
    dtype=st.sampled_from(DTYPES),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    step=st.floats(0.05, 3.0),
    outside=st.sampled_from(sorted(MODES)),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_scipy(
    shape: tuple[int, int, int], dtype: str, size: tuple[int, int], step: float, outside: Any, seed: int
) -> None:
    volume = volume_of(shape, dtype, seed)
    centres, axes = poses(3, shape, seed)
    found = cut(volume, centres, axes, size=size, step=step, outside=outside, threads=1)
    p = points(centres, axes, size, step)
    data = volume.astype(np.float64)
    expected = map_coordinates(data, p.reshape(3, -1), order=1, mode=MODES[outside], cval=np.nan).reshape(found.shape)
    last = np.array(shape).reshape(3, 1, 1, 1) - 1
    on_edge = (np.minimum(np.abs(p), np.abs(p - last)) < 1e-7).any(axis=0)  # rounding decides there
    scale = np.abs(data).max() + 1e-30
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[~on_edge] / scale, expected[~on_edge] / scale, atol=3e-7)


def test_layout_of_memory_does_not_matter() -> None:
    volume = volume_of((9, 10, 11), "u1", 0)
    centres, axes = poses(5, volume.shape, 1)
    expected = cut(volume, centres, axes, size=(6, 7))
    for view in (np.asfortranarray(volume), np.repeat(volume, 2, axis=1)[:, ::2], volume[::-1].copy()[::-1]):
        np.testing.assert_array_equal(cut(view, centres, axes, size=(6, 7)), expected)


@settings(max_examples=30, deadline=None)
@given(
    dtype=st.sampled_from(["u1", "i2", "f4"]),
    width=st.integers(1, 300),
    stride=st.integers(2, 3),
    outside=st.sampled_from(sorted(MODES)),
    seed=st.integers(0, 2**32 - 1),
)
def test_runs_of_pairs_equal_single_voxels(dtype: str, width: int, stride: int, outside: Any, seed: int) -> None:
    # The quick way reads two voxels at once, which lie side by side along x; where they do not, they are read singly.
    wide = volume_of((14, 15, 16 * stride), dtype, seed)
    if dtype == "f4":
        wide[3, 4, ::5] = np.nan
    volume = wide[:, :, ::stride]
    centres, axes = poses(4, volume.shape, seed, margin=-4.0)
    step = 20 / width
    quick = cut(np.ascontiguousarray(volume), centres, axes, (3, width), step, outside=outside, threads=1)
    np.testing.assert_array_equal(quick, cut(volume, centres, axes, (3, width), step, outside=outside, threads=2))


def test_the_order_of_slices_does_not_matter() -> None:
    volume = volume_of((150, 160, 170), "u1", 3)
    centres, axes = poses(60, volume.shape, 4, margin=-20.0)
    every = cut(volume, centres, axes, size=9)
    order = np.random.default_rng(5).permutation(60)
    np.testing.assert_array_equal(cut(volume, centres[order], axes[order], size=9), every[order])
    np.testing.assert_array_equal(
        np.concatenate([cut(volume, centres[k : k + 1], axes[k : k + 1], size=9) for k in order]), every[order]
    )


def test_planes_through_voxels_are_the_voxels() -> None:
    volume = volume_of((8, 9, 10), "u2", 3)
    xy = cut(volume, [[5, 4, 4.5]], [[Y, X]], size=(9, 10))
    np.testing.assert_array_equal(xy[0], volume[5])
    xz = cut(volume, [[3.5, 8, 4.5]], [[Z, X]], size=(8, 10))
    np.testing.assert_array_equal(xz[0], volume[:, 8])
    yz = cut(volume, [[3.5, 4, 0]], [[Z, Y]], size=(8, 9))
    np.testing.assert_array_equal(yz[0], volume[:, :, 0])


def test_outermost_voxel_centres_are_inside_and_nothing_beyond() -> None:
    volume = np.arange(512, dtype=np.float32).reshape(1, 1, 512)
    row = cut(volume, [[0, 0, 255.5]], [[Y, X]], size=(1, 512))[0, 0]
    np.testing.assert_array_equal(row, np.arange(512))
    wider = cut(volume, [[0, 0, 255.5]], [[Y, X]], size=(3, 514))[0]
    assert np.isnan(wider[[0, 2]]).all()
    assert np.isnan(wider[1, [0, -1]]).all()
    np.testing.assert_array_equal(wider[1, 1:-1], np.arange(512))


@pytest.mark.parametrize("angle", np.linspace(0, 2 * np.pi, 9))
def test_rounded_axes_lose_no_edge(angle: float) -> None:
    # cos(90°) is 6e-17: such an axis leaves the outermost plane by rounding only.
    down, right = (np.cos(angle), -np.sin(angle), 0.0), (np.sin(angle), np.cos(angle), 0.0)
    volume = volume_of((65, 65, 2), "u1", 0)
    quarter = round(angle / (np.pi / 2), 6).is_integer()
    images = cut(volume, [[32, 32, 0], [32, 32, 1]], [[down, right]] * 2, size=65)
    assert np.isnan(images).any() != quarter


def test_voxels_of_weight_zero_do_not_matter() -> None:
    volume = np.zeros((3, 4, 5), np.float32)
    volume[1, 2, 3] = np.nan
    through = cut(volume, [[1, 1.5, 2]], [[Y, X]], size=(4, 5))[0]
    assert np.isnan(through).sum() == 1
    assert np.isnan(through[2, 3])
    assert not np.isnan(cut(volume, [[0, 1.5, 2], [2, 1.5, 2]], [[Y, X]] * 2, size=(4, 5))).any()
    beside = cut(volume, [[1, 1.5, 1.75]], [[Y, X]], size=(4, 4))[0]
    assert np.isnan(beside[2]).tolist() == [False, False, True, True]  # x = 2.25 and 3.25


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_any_number_of_threads_gives_the_same_bits(threads: int) -> None:
    volume = volume_of((30, 31, 32), "f4", 5)
    centres, axes = poses(23, volume.shape, 6)
    one = cut(volume, centres, axes, size=(17, 19), threads=1)
    np.testing.assert_array_equal(cut(volume, centres, axes, size=(17, 19), threads=threads), one)


def test_files_and_volumes_are_cut_where_they_lie(tmp_path: Path) -> None:
    volume = volume_of((12, 13, 14), "u2", 8)
    np.save(tmp_path / "v.npy", volume)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    centres, axes = poses(4, volume.shape, 9)
    expected = cut(volume, centres, axes, (5, 6), 0.7)
    np.testing.assert_array_equal(cut(mapped, centres, axes, (5, 6), 0.7), expected)
    np.testing.assert_array_equal(cut(Volume.from_array(volume), centres, axes, (5, 6), 0.7), expected)


def test_no_slices_of_any_size() -> None:
    volume = np.zeros((4, 4, 4), np.uint8)
    assert cut(volume, np.empty((0, 3)), np.empty((0, 2, 3)), size=(5, 6)).shape == (0, 5, 6)
    assert cut(volume, [], [], size=(5, 6)).shape == (0, 5, 6)


def test_far_away_poses_are_outside() -> None:
    volume = volume_of((6, 6, 6), "u1", 2)
    far, axes = [[1e300, 0, 0], [-1e18, 5, 5]], [[Y, X]] * 2
    assert np.isnan(cut(volume, far, axes, size=3)).all()
    nearest = cut(volume, far, axes, size=1, outside="nearest")[:, 0, 0]
    assert nearest.tolist() == [volume[5, 0, 0], volume[0, 5, 5]]
    assert np.isfinite(cut(volume, [[-1e15, 5.5, 1e9]], [[Y, X]], size=3, outside="wrap")).all()


def test_steps_of_different_length_for_voxels_that_are_no_cubes() -> None:
    volume = np.broadcast_to(np.arange(40.0)[:, None, None], (40, 10, 10)).copy()
    steps = np.array([[[4.0, 0, 0], [0, 0.5, 0]]])
    image = sample(volume, np.array([[20.0, 5, 5]]), steps, size=(5, 4))[0]
    np.testing.assert_allclose(image, np.repeat([[12], [16], [20], [24], [28]], 4, axis=1))


GOOD: dict[str, Any] = {
    "volume": np.zeros((4, 5, 6), np.uint8),
    "centres": np.ones((2, 3)),
    "axes": np.array([[Y, X]] * 2),
    "size": (3, 3),
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"volume": np.zeros((4, 5))}, "three axes"),
        ({"volume": np.zeros((0, 5, 6))}, "empty"),
        ({"volume": np.zeros((4, 5, 6), complex)}, "complex128"),
        ({"volume": "volume.tif"}, "str"),
        ({"centres": np.ones((2, 2))}, r"\(n, 3\)"),
        ({"centres": np.full((2, 3), np.nan)}, "6 are not"),
        ({"centres": [["a", 0, 0]] * 2}, "centres must be"),
        ({"axes": np.ones((3, 2, 3))}, r"\(2, 2, 3\)"),
        ({"axes": 2 * np.array([[Y, X]] * 2)}, "length 2"),
        ({"size": (0, 3)}, "size"),
        ({"size": (3, 3, 3)}, "size"),
        ({"size": (3.5, 3)}, "size"),
        ({"step": 0.0}, "step"),
        ({"step": float("nan")}, "step"),
        ({"threads": 0}, "threads"),
        ({"outside": "mirror"}, "mirror"),
    ],
)
def test_what_makes_no_sense_is_said(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        cut(**{**GOOD, **changes})


def test_compiled_code_goes_to_the_cache_folder_where_the_package_is_read_only(tmp_path: Path) -> None:
    script = (
        "import os; from pathlib import Path; real = os.access\n"
        "os.access = lambda path, mode: False if Path(path).name == 'volumes' else real(path, mode)\n"
        "from microtome.volumes import compiled; import numba; print(numba.config.CACHE_DIR, compiled._CACHE)"
    )
    environment = {**os.environ, "MICROTOME_HOME": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split() == [str(tmp_path / "cache" / "numba"), "True"]
