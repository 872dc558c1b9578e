"""Corrections against planted faults of which the truth is known, and the chain that they are kept in."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from microtome.errors import InputError, MicrotomeError, UnknownNameError
from microtome.volumes.corrections.ranges import join_ranges, parse_ranges, write_ranges
from microtome.volumes.corrections.registration import Pair, positions
from microtome.volumes.corrections.spacing import depths
from microtome.volumes.read import open_volume
from microtome.volumes.transforms import (
    before_after,
    describe_steps,
    measured,
    transformed,
)
from microtome.volumes.volume import Volume

Array = NDArray[Any]


def _structure(shape: tuple[int, int, int], length: float, seed: int) -> Array:
    """An isotropic two-phase structure with soft walls, 0 … 1."""
    field = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), length, mode="wrap")
    return np.asarray(1 / (1 + np.exp(-6 * field / field.std())))


def _grey(structure: Array, seed: int, noise: float = 6.0) -> Volume:
    voxels = 60 + 120 * structure + np.random.default_rng(seed).normal(0, noise, structure.shape)
    return Volume.from_array(np.clip(np.rint(voxels), 0, 255).astype(np.uint8), (20.0, 5.0, 5.0), "nm")


def _measured(volume: Volume, step: dict[str, Any]) -> dict[str, Any]:
    return measured(volume, step, lambda _share: False)


def _straightened(place: Array) -> Array:
    """Positions without their mean and their best line: what neither alignment nor anyone can know."""
    z = np.arange(len(place)) - (len(place) - 1) / 2
    centred = place - place.mean(axis=0)
    return np.asarray(centred - z[:, None] * (z[:, None] * centred).sum(axis=0) / (z**2).sum())


def test_align_recovers_a_planted_drift() -> None:
    """A random walk of 0.8 px a slice with a jump of 7.5 px, under stripes: to 0.15 px (rms, a steady slant aside)."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(0, 0.8, (40, 2)), axis=0)
    walk[20:] += (6.3, -4.2)
    walk -= (walk.max(axis=0) + walk.min(axis=0)) / 2
    wide = _structure((40, 296, 296), 1.5, 0)
    moved = np.array([shift(page, by, order=3, mode="nearest")[20:-20, 20:-20] for page, by in zip(wide, walk, strict=True)])
    striped = _grey(moved, 1).as_array() + _curtain((256, 256), 3, 12.0)  # which stay where they are
    volume = Volume.from_array(np.clip(striped, 0, 255).astype(np.uint8), (20.0, 5.0, 5.0), "nm")
    step = _measured(volume, {"name": "align"})
    left = _straightened(np.array(step["known"]["positions"]) - walk)
    assert float(np.sqrt((left**2).mean())) < 0.15
    aligned = transformed(volume, [step])
    assert "px" in aligned.findings[-1]
    again = _straightened(np.array(_measured(aligned, {"name": "align"})["known"]["positions"]))
    assert float(np.abs(again).max()) < 0.6
    assert "drift of" in describe_steps([step])[0]


def _cylinders(slope: float, bend: float = 0.0) -> tuple[Volume, Array]:
    """Parallel fibres that run askew (px a slice along x) or in a bow, and where they run."""
    z = np.arange(48)
    centre = slope * (z - 23.5) + bend * np.sin(np.pi * z / 47)
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:120, :160]
    pages = []
    for moved in centre:
        page = np.zeros((120, 160))
        for cy, cx in itertools.product(range(12, 120, 22), range(14, 160, 24)):
            jitter = (cx * 7 + cy * 3) % 9
            page += 1 / (1 + np.exp(2 * (np.hypot(y - cy - jitter, x - cx - moved) - 6)))
        pages.append(page)
    voxels = 80 + 100 * np.array(pages) + rng.normal(0, 6, (48, 120, 160))
    return Volume.from_array(np.clip(np.rint(voxels), 0, 255).astype(np.uint8)), centre


def test_align_leaves_a_slant_and_on_wish_a_bow() -> None:
    """Fibres askew by 0.4 px a slice stay so by the default; a bow of 6 px stays where slow bends are to stay."""
    volume, _ = _cylinders(0.4)
    found = transformed(volume, [_measured(volume, {"name": "align", "edges": "repeat"})])
    slope = np.polyfit(np.arange(48), np.array(_measured(found, {"name": "align"})["known"]["positions"])[:, 1], 1)[0]
    assert slope == pytest.approx(0.4, abs=0.02)
    gone = transformed(volume, [_measured(volume, {"name": "align", "edges": "repeat", "keep": "nothing"})])
    slope = np.polyfit(np.arange(48), np.array(_measured(gone, {"name": "align"})["known"]["positions"])[:, 1], 1)[0]
    assert abs(slope) < 0.02
    bowed, _ = _cylinders(0.0, 6.0)
    for keep, least, most in (("slow bends", 3.0, 6.5), ("a steady slant", -0.5, 0.5)):
        step = _measured(bowed, {"name": "align", "edges": "repeat", "keep": keep, "slow": 15})
        place = np.array(_measured(transformed(bowed, [step]), {"name": "align"})["known"]["positions"])[:, 1]
        assert least < place[16:32].max() - (place[0] + place[-1]) / 2 < most


def test_align_bridges_an_empty_slice() -> None:
    """A blank slice in the middle does not tear the chain."""
    volume = _grey(_structure((16, 128, 128), 1.5, 4), 4)
    voxels = volume.as_array().copy()
    voxels[8:] = np.roll(voxels[8:], 5, axis=1)
    voxels[7] = 0
    place = np.array(_measured(Volume.from_array(voxels), {"name": "align"})["known"]["positions"])
    assert place[8:, 0].mean() - place[:7, 0].mean() == pytest.approx(5, abs=0.4)


def test_align_outvotes_a_pair_that_contradicts_the_rest() -> None:
    found = [
        Pair(first=a, second=b, moved=(1.0 * (b - a), 0.0), alike=0.8)
        for a in range(9)
        for b in (a + 1, a + 2, a + 3)
        if b < 10
    ]
    found[0] = Pair(first=0, second=1, moved=(30.0, 0.0), alike=0.8)
    np.testing.assert_allclose(positions(found, 10)[:, 0], np.arange(10), atol=0.3)


def test_align_says_what_it_costs_and_refuses_the_impossible() -> None:
    """The common area is cut out and its loss said; where there is none, a sentence says so."""
    volume = Volume.from_array(np.arange(4 * 20 * 30, dtype=np.uint16).reshape(4, 20, 30))
    known = {"positions": [[0, 0], [2, 0], [2, 3], [0, 0]]}
    found = transformed(volume, [{"name": "align", "keep": "nothing", "known": known}])
    assert found.shape == (4, 18, 26)
    assert "22.0 % of the area was cut off" in found.findings[-1]
    np.testing.assert_array_equal(found[0, :, 5] - found[1, :, 5], np.full(18, -660 & 0xFFFF, dtype=np.uint16))
    far = {"positions": [[0, 0], [0, 40], [0, 0], [0, 0]]}
    with pytest.raises(InputError, match="no area is common"):
        transformed(volume, [{"name": "align", "keep": "nothing", "known": far}])
    empty = transformed(
        Volume.from_array(volume.as_array().astype(np.float32)),
        [{"name": "align", "keep": "nothing", "edges": "empty", "known": far}],
    )
    assert np.isnan(empty[1]).mean() > 0.5


def test_tilt_divides_y_by_the_sine_and_never_twice() -> None:
    volume = Volume.from_array(np.zeros((3, 4, 5), np.uint8), (10.0, 5.0, 5.0), "nm")
    found = transformed(volume, [{"name": "tilt", "angle": 52.0}])
    assert found.voxel_size == pytest.approx((10.0, 5.0 / np.sin(np.radians(52)), 5.0), rel=1e-12)
    with pytest.raises(InputError, match="already"):
        transformed(volume, [{"name": "tilt"}, {"name": "tilt"}])
    with pytest.raises(InputError, match="already corrected"):
        transformed(found, [{"name": "tilt"}])
    with pytest.raises(InputError, match="not known"):
        transformed(Volume.from_array(np.zeros((3, 4, 5), np.uint8)), [{"name": "tilt"}])


def _curtain(shape: tuple[int, int], seed: int, amplitude: float) -> Array:
    """Stripes along y with a 1/f spectrum along x, growing with depth y."""
    rng = np.random.default_rng(seed)
    waves = np.fft.rfftfreq(shape[1])
    waves[1:] = waves[1:] ** -0.5
    line = np.fft.irfft(waves * np.exp(2j * np.pi * rng.random(len(waves))), shape[1])
    return np.asarray(amplitude * np.linspace(0.4, 1.4, shape[0])[:, None] * (line / line.std())[None, :])


@pytest.mark.parametrize("direction", ["vertical", "horizontal"])
def test_destripe_cuts_stripes_and_spares_the_structure(direction: str) -> None:
    """Planted stripes lose 10 dB or more, the structure less than 0.5 dB (without stripes it hardly changes)."""
    clean = (60 + 120 * _structure((3, 256, 256), 4.0, 5)[1]) + np.random.default_rng(6).normal(0, 4, (256, 256))
    curtain = _curtain((256, 256), 7, 8.0)
    if direction == "horizontal":
        clean, curtain = clean.T, curtain.T
    step = {"name": "destripe", "direction": direction, "length": 85.0}
    both = Volume.from_array(np.stack([clean, clean + curtain]).astype(np.float32))
    spared, cut = transformed(both, [step]).as_array().astype(np.float64)
    narrow = curtain - gaussian_filter(curtain, 12, axes=(1,) if direction == "vertical" else (0,), mode="reflect")
    left = cut - spared - (curtain - narrow)
    assert 10 * np.log10((narrow**2).mean() / (left**2).mean()) > 10
    assert -10 * np.log10(1 - ((spared - clean) ** 2).mean() / clean.var()) < 0.5


def test_brightness_removes_flicker_and_keeps_slow_changes() -> None:
    """Flicker of 5 % in gain and offset falls to a quarter; a slow rise over the volume stays."""
    rng = np.random.default_rng(8)
    clean = 60 + 100 * _structure((60, 64, 64), 1.5, 8) + np.linspace(0, 30, 60)[:, None, None]
    flicker = clean * (1 + rng.normal(0, 0.05, (60, 1, 1))) + rng.normal(0, 4, (60, 1, 1))
    volume = Volume.from_array(np.clip(np.rint(flicker), 0, 255).astype(np.uint8))
    found = transformed(volume, [_measured(volume, {"name": "brightness"})]).as_array().astype(float)
    was = flicker.mean(axis=(1, 2)) - clean.mean(axis=(1, 2))
    now = found.mean(axis=(1, 2)) - clean.mean(axis=(1, 2))
    assert np.diff(now).std() < 0.25 * np.diff(was).std()
    assert found[-10:].mean() - found[:10].mean() == pytest.approx(clean[-10:].mean() - clean[:10].mean(), abs=4)
    whole = transformed(volume, [_measured(volume, {"name": "brightness", "window": 0})]).as_array()
    assert np.ptp(whole.mean(axis=(1, 2))) < 1.5
    assert np.ptp(whole.std(axis=(1, 2))) < 1.5


def test_slice_positions_find_uneven_distances() -> None:
    """Slices jittered by 30 %: the error of the distances falls to half or less, that of the depths (mean slope aside) too."""
    rng = np.random.default_rng(2)
    fine = _structure((160, 160, 160), 3.0, 4)
    at = np.cumsum(2 * (1 + 0.3 * np.clip(rng.normal(0, 1, 60), -2.3, 2.3)))
    at = at[at < 158]
    low = np.floor(at).astype(int)
    pages = fine[low] + (fine[low + 1] - fine[low]) * (at - low)[:, None, None]
    volume = _grey(pages, 3, 8.0)
    step = _measured(volume, {"name": "slice-positions"})
    true = (at - at[0]) / (at[-1] - at[0]) * (len(at) - 1)
    before, after = (
        float(np.sqrt(((np.diff(p) - np.diff(true)) ** 2).mean())) for p in (np.arange(len(at)), step["known"]["depths"])
    )
    assert after < before / 2
    apart, left = (
        float(_straightened(np.array([p, p]).T - np.array([true, true]).T).std())
        for p in (np.arange(len(at)), step["known"]["depths"])
    )
    assert left < 0.6 * apart
    found = transformed(volume, [step])
    assert found.shape == volume.shape
    assert "of the mean were made even" in found.findings[-1]


def test_slice_positions_stay_even_where_nothing_can_be_said() -> None:
    noise = Volume.from_array(np.random.default_rng(1).integers(0, 255, (12, 40, 40)).astype(np.uint8))
    assert _measured(noise, {"name": "slice-positions"})["known"]["depths"] == list(range(12))
    np.testing.assert_array_equal(depths([], 5), np.arange(5))


def test_denoise_comes_nearer_to_the_truth() -> None:
    """Every method leaves less than half of the noise's power; labels and what is not a number stay what they are."""
    truth = 60 + 120 * _structure((7, 96, 96), 3.0, 9)
    noisy = Volume.from_array((truth + np.random.default_rng(9).normal(0, 20, truth.shape)).astype(np.float32))
    for method in ("median", "gaussian", "non-local means", "median 3-D"):
        found = transformed(noisy, [{"name": "denoise", "method": method}]).as_array()
        assert ((found[2:5] - truth[2:5]) ** 2).mean() < 0.5 * 20**2, method
    voxels = noisy.as_array().copy()
    voxels[3, 40, 40] = np.nan
    for method in ("median", "gaussian", "median 3-D"):
        found = transformed(Volume.from_array(voxels), [{"name": "denoise", "method": method}]).as_array()
        assert np.isnan(found[3, 40, 40])
        assert np.isnan(found).sum() == 1, method


def test_crop_exclude_and_bin_are_plain_arithmetic() -> None:
    voxels = np.random.default_rng(2).integers(0, 60000, (11, 13, 17)).astype(np.uint16)
    volume = Volume.from_array(voxels, (4.0, 2.0, 1.0), "nm")
    crop = transformed(volume, [{"name": "crop", "z_from": 2, "y_to": 9, "x_from": 5}])
    np.testing.assert_array_equal(crop.as_array(), voxels[2:, :9, 5:])
    removed = transformed(volume, [{"name": "exclude", "slices": "0, 4-5", "instead": "remove"}])
    np.testing.assert_array_equal(removed.as_array(), np.delete(voxels, [0, 4, 5], axis=0))
    between = transformed(volume, [{"name": "exclude", "slices": "0, 4-5"}]).as_array()
    np.testing.assert_array_equal(between[0], voxels[1])
    np.testing.assert_allclose(between[4], voxels[3] + (voxels[6].astype(float) - voxels[3]) / 3, atol=0.51)
    binned = transformed(volume, [{"name": "bin", "z": 2, "y": 3, "x": 4}])
    assert binned.voxel_size == (8.0, 6.0, 4.0)
    means = voxels[:10, :12, :16].reshape(5, 2, 4, 3, 4, 4).mean(axis=(1, 3, 5))
    np.testing.assert_array_equal(binned.as_array(), np.rint(means).astype(np.uint16))
    assert "last 1 slice and 1 row and 1 column." in binned.findings[-1]
    sampled = transformed(volume, [{"name": "bin", "z": 2, "y": 2, "x": 2, "how": "sample"}])
    assert np.isin(sampled.as_array(), voxels).all()


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"name": "crop", "z_from": 9}, "Nothing can be cropped"),
        ({"name": "crop", "x_from": 3, "x_to": 2}, "Nothing can be cropped"),
        ({"name": "exclude", "slices": "0-4"}, "Every slice"),
        ({"name": "exclude", "slices": "7"}, "no slice 7"),
        ({"name": "exclude", "slices": "three"}, "names no slices"),
        ({"name": "bin", "z": 9}, "cannot become one"),
        ({"name": "denoise", "method": "magic"}, "method cannot be"),
    ],
)
def test_nonsense_is_a_sentence(step: dict[str, Any], words: str) -> None:
    volume = Volume.from_array(np.zeros((5, 6, 7), np.uint8), (1.0, 1.0, 1.0), "nm")
    with pytest.raises(MicrotomeError, match=words) as caught:
        transformed(volume, [step])
    assert caught.value.hint


@given(st.sets(st.integers(0, 500), max_size=40))
def test_ranges_are_read_as_they_are_written(slices: set[int]) -> None:
    assert parse_ranges(write_ranges(join_ranges(slices))) == sorted(slices)


@given(st.text("0123456789-–, to\n;x", max_size=30))
def test_ranges_of_any_text_are_slices_or_a_sentence(text: str) -> None:
    try:
        found = parse_ranges(text)
    except InputError as error:
        assert error.hint
    else:
        assert found == sorted(set(found))


CHAIN: list[dict[str, Any]] = [
    {"name": "denoise"},
    {"name": "align", "known": {"positions": [[0, 0], [1, 2]]}},
    {"name": "bin"},
    {"name": "crop", "z_to": 5},
]


def test_steps_are_said_in_words() -> None:
    phrases = describe_steps(CHAIN)
    assert len(phrases) == 4
    assert phrases[3] == "cropped to slices 0 to 4"
    with pytest.raises(UnknownNameError, match="aling"):
        describe_steps([{"name": "aling"}])


def test_before_and_after_show_the_same_place() -> None:
    voxels = np.random.default_rng(1).integers(0, 255, (9, 8, 8)).astype(np.uint8)
    volume = Volume.from_array(voxels)
    before, after = before_after(volume, {"name": "crop", "z_from": 4}, 6)
    np.testing.assert_array_equal(before, after)
    _, after = before_after(volume, {"name": "exclude", "slices": "2, 3", "instead": "remove"}, 6)
    np.testing.assert_array_equal(voxels[6], after)
    with pytest.raises(InputError, match="no slice 9"):
        before_after(volume, {"name": "crop"}, 9)


class _Watched:
    """Voxels on a disk that counts what is read at once."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape, self.dtype, self.most, self.read = shape, np.dtype(np.uint8), 0, 0

    def __getitem__(self, key: Any) -> Array:
        part = np.zeros(self.shape, np.uint8)[key] + np.uint8(7)
        self.most, self.read = max(self.most, part.nbytes), self.read + part.nbytes
        return np.asarray(part)


def test_a_row_through_all_slices_reads_no_more_than_rows() -> None:
    """Crop, exclude, align, brightness and median of a section along z: a few rows of each slice, never the volume."""
    source = _Watched((30, 64, 80))
    known = {"positions": [[0.3 * (z % 3), 0.0] for z in range(30)]}
    level = {"centre": [7.0] * 30, "spread": [1.0] * 30}
    chain = [
        {"name": "crop", "y_from": 4},
        {"name": "exclude", "slices": "5"},
        {"name": "align", "known": known, "keep": "nothing", "edges": "repeat"},
        {"name": "brightness", "known": level},
        {"name": "denoise"},
    ]
    volume = transformed(Volume(voxels=source), chain)
    assert volume[:, 20].shape == (30, 80)
    assert source.most <= 6 * 80
    assert source.read <= 31 * 6 * 80


def test_a_step_measured_on_other_data_is_said(tmp_path: Path) -> None:
    """A file overwritten by another of its shape would be corrected by what was measured on the first, in silence."""
    rng = np.random.default_rng(3)
    file = tmp_path / "a.npy"
    np.save(file, rng.integers(90, 160, (6, 32, 32), dtype=np.uint8))
    step = measured(open_volume(file), {"name": "brightness"}, lambda _share: False)
    assert not any("measured" in words for words in open_volume(file, transforms=[step]).findings)
    elsewhere = tmp_path / "copy.npy"
    elsewhere.write_bytes(file.read_bytes())
    assert not any("measured" in words for words in open_volume(elsewhere, transforms=[step]).findings)
    np.save(file, rng.integers(20, 60, (6, 32, 32), dtype=np.uint8))
    assert any("measure again" in words for words in open_volume(file, transforms=[step]).findings)
