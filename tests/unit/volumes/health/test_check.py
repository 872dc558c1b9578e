"""The health check finds planted faults at their slices, and none where there is none."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from microtome.errors import FileError
from microtome.volumes.corrections.progress import LookStoppedError
from microtome.volumes.health.check import Health, look_over
from microtome.volumes.health.findings import Finding
from microtome.volumes.read import open_volume
from microtome.volumes.transforms import measured, transformed
from microtome.volumes.volume import Volume


@cache
def _truth() -> NDArray[np.float32]:
    """A grey two-phase structure, isotropic, with a little noise: 40 × 128 × 128."""
    rng = np.random.default_rng(7)
    field = gaussian_filter(rng.standard_normal((40, 128, 128)), 2.5, mode="wrap")
    voxels = 60 + 120 / (1 + np.exp(-6 * field / field.std())) + rng.normal(0, 4, field.shape)
    return np.asarray(voxels.astype(np.float32))


def _look(voxels: NDArray[Any], dtype: str = "uint8") -> Health:
    values = voxels if dtype.startswith("f") else np.clip(np.rint(voxels), 0, np.iinfo(dtype).max)
    return look_over(Volume.from_array(values.astype(dtype), (20.0, 10.0, 10.0), "nm"), lambda _share: False)


def _kinds(health: Health) -> list[str]:
    return [finding.kind for finding in health.findings]


def _only(health: Health, kind: str) -> Finding:
    assert _kinds(health) == [kind], [f.words for f in health.findings]
    return health.findings[0]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_sound_volume_has_no_fault(dtype: str) -> None:
    assert _look(_truth(), dtype).findings == ()


def test_noise_and_a_flat_volume_are_no_crash() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (12, 40, 40))
    assert _look(noise).findings == ()
    assert _only(_look(np.zeros((5, 9, 9))), "empty").severity == "bad"
    for shape in ((1, 1, 1), (2, 3, 300), (3, 1, 5)):
        _look(np.arange(np.prod(shape)).reshape(shape) % 251)


def test_finds_a_drift_and_says_it_in_nm() -> None:
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(0, 0.8, (40, 2)), axis=0)
    moved = np.array([shift(page, by, order=1, mode="mirror") for page, by in zip(_truth(), walk, strict=True)])
    finding = _only(_look(moved), "drift")
    assert "nm" in finding.words
    assert finding.remedies[0].step == {"name": "align"}


def test_finds_a_leap_at_its_slice() -> None:
    voxels = _truth().copy()
    voxels[23:] = np.roll(voxels[23:], (7, -4), axis=(1, 2))
    finding = _only(_look(voxels), "drift")
    assert finding.slices == ((23, 23),)
    said = re.search(r"up to ([\d.]+) px", finding.words)
    assert said is not None
    assert float(said[1]) == pytest.approx(np.hypot(7, 4), abs=0.4)


def test_finds_a_missing_slice_between_its_neighbours() -> None:
    finding = _only(_look(np.delete(_truth(), 17, axis=0)), "missing")
    assert finding.slices == ((16, 17),)


def test_finds_slices_that_are_the_same_or_nearly() -> None:
    voxels = _truth().copy()
    voxels[9] = voxels[8]
    finding = _only(_look(voxels), "repeated")
    assert finding.slices == ((9, 9),)
    assert finding.severity == "warning"
    voxels[9] = voxels[8] + np.random.default_rng(3).normal(0, 1, voxels[8].shape)
    near = _only(_look(voxels), "repeated")
    assert near.slices == ((9, 9),)
    assert near.severity == "note"


def test_finds_flicker_jumps_and_single_bright_slices() -> None:
    rng = np.random.default_rng(4)
    flicker = _truth() + rng.normal(0, 4, (40, 1, 1))
    assert "flickers" in _only(_look(flicker), "brightness").words
    jump = _truth().copy()
    jump[25:] += 12
    finding = _only(_look(jump), "brightness")
    assert finding.slices == ((25, 25),)
    assert "12" in finding.words
    single = _truth().copy()
    single[11] += 15
    assert _only(_look(single), "brightness").slices == ((11, 11),)


def test_finds_stripes_and_their_direction() -> None:
    rng = np.random.default_rng(5)
    curtain = 16 * gaussian_filter(rng.standard_normal((40, 1, 128)), (1, 0, 1)) / 0.3
    finding = _only(_look(_truth() + curtain), "stripes")
    assert finding.remedies[0].step == {"name": "destripe", "direction": "vertical"}
    across = _only(_look(_truth() + curtain.transpose(0, 2, 1)), "stripes")
    assert across.remedies[0].step["direction"] == "horizontal"


def test_finds_saturation_but_not_in_labels() -> None:
    clipped = np.minimum(_truth(), 165)
    finding = _only(_look(clipped), "saturation")
    assert "165" in finding.words
    assert _look((_truth() > 120).astype(np.float32) * 255).findings == ()


def test_finds_what_is_empty_and_how_to_crop_it() -> None:
    framed = np.pad(_truth(), ((0, 0), (5, 0), (0, 9)))
    frame = next(f for f in _look(framed).findings if f.kind == "empty")
    assert frame.remedies[0].step == {"name": "crop", "y_from": 5, "x_to": 128}
    blank = _truth().copy()
    blank[36:] = 3
    ends = next(f for f in _look(blank).findings if f.kind == "empty")
    assert ends.slices == ((36, 39),)
    assert ends.remedies[0].step == {"name": "crop", "z_from": 0, "z_to": 36}
    blank[12] = 3
    among = next(f for f in _look(blank).findings if f.kind == "empty")
    assert among.remedies[0].step == {"name": "exclude", "slices": "12, 36-39", "instead": "interpolate"}


def test_finds_a_data_bar() -> None:
    voxels = _truth().copy()
    bar = np.where(np.random.default_rng(6).random((14, 128)) > 0.8, 255, 0)
    voxels[:, 114:] = bar
    finding = next(f for f in _look(voxels).findings if "data bar" in f.words)
    assert finding.remedies[0].step == {"name": "crop", "y_to": 114}


def test_finds_what_is_not_a_number() -> None:
    voxels = _truth().copy()
    voxels[3, 5:9, 5] = np.nan
    voxels[30] = np.inf
    finding = next(f for f in _look(voxels, "float32").findings if f.kind == "not a number")
    assert finding.slices == ((3, 3), (30, 30))
    assert finding.remedies[0].step["slices"] == "30"


def test_the_remedies_remove_what_was_found() -> None:
    """One click each: align the leap, replace the blank slice, equalise the flicker, and the volume is sound."""
    rng = np.random.default_rng(8)
    voxels = _truth() + rng.normal(0, 4, (40, 1, 1)).astype(np.float32)
    voxels[20:] = np.roll(voxels[20:], 6, axis=1)
    voxels[13] = 0
    volume = Volume.from_array(np.clip(np.rint(voxels), 0, 255).astype(np.uint8))
    before = look_over(volume, lambda _share: False)
    assert {"drift", "empty", "brightness"} <= set(_kinds(before))
    for kind in ("empty", "drift", "brightness"):
        finding = next(f for f in look_over(volume, lambda _share: False).findings if f.kind == kind)
        step = measured(volume, finding.remedies[0].step, lambda _share: False)
        volume = transformed(volume, [step])
    left = [f for f in look_over(volume, lambda _share: False).findings if f.kind != "reader"]
    assert left == [], [f.words for f in left]


def test_profiles_have_a_number_a_slice_and_the_look_can_be_stopped() -> None:
    shares: list[float] = []

    def report(share: float) -> bool:
        shares.append(share)
        return share > 0.5

    volume = Volume.from_array(_truth())
    with pytest.raises(LookStoppedError):
        look_over(volume, report)
    assert shares == sorted(shares)
    assert all(len(p.values) == 40 for p in _look(_truth()).profiles)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["NT_128x128x128", "cement_128x128x128", "bone_128x128x128"])
def test_real_volumes_raise_no_alarm(name: str, shared: Path) -> None:
    """CT volumes of good quality: notes at most."""
    file = shared / "qim3d" / f"{name}.tif"
    health = look_over(open_volume(file), lambda _share: False)
    assert [f.words for f in health.findings if f.severity != "note"] == []


@pytest.mark.shared
def test_slices_taken_out_of_a_real_volume_are_missed(shared: Path) -> None:
    """Three of a hundred slices of cement: each gap between its neighbours, and nothing else."""
    voxels = open_volume(shared / "qim3d" / "cement_128x128x128.tif").as_array()[:100]
    health = look_over(Volume.from_array(np.delete(voxels, [20, 45, 70], axis=0)), lambda _share: False)
    assert _only(health, "missing").slices == ((19, 20), (43, 44), (67, 68))


def test_a_slice_that_cannot_be_read_is_found_and_replaced(tmp_path: Path) -> None:
    """One broken file of a folder: the others are looked over all the same, and the remedy makes the volume whole."""
    voxels = np.clip(_truth(), 0, 255).astype(np.uint8)
    for z, page in enumerate(voxels):
        imageio.imwrite(tmp_path / f"{z}.png", page)
    for z in (17, 39):
        whole = (tmp_path / f"{z}.png").read_bytes()
        (tmp_path / f"{z}.png").write_bytes(whole[: len(whole) // 2])
    volume = open_volume(tmp_path)
    health = look_over(volume, lambda _share: False)
    finding = _only(health, "damaged")
    assert finding.slices == ((17, 17), (39, 39)) and finding.severity == "bad"
    assert "17.png" in finding.words
    mean = next(p for p in health.profiles if p.name == "Mean").values
    assert np.flatnonzero(np.isnan(mean)).tolist() == [17, 39]
    mended = transformed(volume, [finding.remedies[0].step])
    assert np.abs(mended[17].astype(float) - voxels[16:19:2].mean(axis=0)).max() <= 0.5
    assert mended[39].tolist() == voxels[38].tolist()


def test_a_file_that_goes_away_meanwhile_is_no_damaged_slice(tmp_path: Path) -> None:
    for z, page in enumerate(np.clip(_truth(), 0, 255).astype(np.uint8)[:12]):
        imageio.imwrite(tmp_path / f"{z}.png", page)
    volume = open_volume(tmp_path)

    def vanish(share: float) -> bool:
        if share > 0.5:
            for file in tmp_path.iterdir():
                file.unlink()
        return False

    with pytest.raises(FileError):
        look_over(volume, vanish)
