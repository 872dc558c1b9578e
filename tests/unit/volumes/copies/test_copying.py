"""A copy in bricks holds what its source holds, whole or not at all, whatever ends the process that makes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.plugin import LazyArray
from microtome.slices.geometry import random_axes
from microtome.slices.planes.cut import cut
from microtome.volumes.bricks import JOURNAL, Bricks, open_copy
from microtome.volumes.copies.copying import CopyProgress, copy_bytes, copy_volume, needs_copy, run_copy
from microtome.volumes.copies.pyramid import levels_of, thumbnail
from microtome.volumes.lazy import PagedArray
from microtome.volumes.read import describe, open_volume
from microtome.volumes.volume import Volume

SHAPE = (150, 90, 131)


def go_on(_share: float) -> bool:
    return False


def texture(dtype: str = "u1", shape: tuple[int, int, int] = SHAPE, seed: int = 0) -> NDArray[Any]:
    return (np.random.default_rng(seed).random(shape) * 250).astype(dtype)


def pages_of(voxels: NDArray[Any]) -> PagedArray:
    def read(indices: Sequence[int]) -> Iterator[NDArray[Any]]:
        yield from (voxels[i] for i in indices)

    z, y, x = voxels.shape
    return PagedArray(shape=(z, y, x), dtype=voxels.dtype, read=read)


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A compressed stack."""
    path = tmp_path / "packed stack.tif"
    tifffile.imwrite(path, texture(), compression="zlib", imagej=False)
    return path


def test_the_copy_is_read_instead_of_the_source(packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    said: list[CopyProgress] = []
    assert run_copy(packed, {"voxel_size": 4.0}, folder, said.append)
    assert [p.done for p in said] == sorted(p.done for p in said)
    assert (said[-1].done, said[-1].total, said[-1].eta) == (texture().nbytes, texture().nbytes, 0.0)
    volume = open_volume(packed, copy=folder, voxel_size=4.0)
    assert isinstance(volume.voxels, Bricks)
    for key in (np.s_[:], np.s_[-1], np.s_[3:140:7, ::-1, 5], np.s_[..., 130], np.s_[64:65, 63:66]):
        np.testing.assert_array_equal(volume[key], texture()[key])
    centres, axes = np.random.default_rng(0).uniform(0, 90, (9, 3)), random_axes(np.random.default_rng(1), 9)
    np.testing.assert_array_equal(cut(volume, centres, axes, 70), cut(texture(), centres, axes, 70))
    assert describe(packed, copy=str(folder)).options == {"copy": str(folder)}


def test_coarser_levels_are_means(packed: Path, tmp_path: Path) -> None:
    run_copy(packed, {"voxel_size": (4.0, 4.0, 4.0)}, tmp_path / "copy", lambda _p: None)
    volume = open_volume(packed, copy=tmp_path / "copy", voxel_size=(4.0, 4.0, 4.0))
    assert [v.shape for v in volume.levels] == [(75, 45, 66), (38, 23, 33)]
    assert [v.voxel_size for v in volume.levels] == [(8.0, 8.0, 8.0), (16.0, 16.0, 16.0)]
    fine = np.pad(texture(), [(0, 0), (0, 0), (0, 1)], mode="edge").astype(np.float64)
    means = fine.reshape(75, 2, 45, 2, 66, 2).mean(axis=(1, 3, 5))
    np.testing.assert_array_equal(volume.levels[0][:], np.floor(means + 0.5))
    assert volume.levels[0].levels == ()


def test_floats_leave_nan_out_of_means(tmp_path: Path) -> None:
    data = texture("f4", (70, 66, 64))
    data[0, 0, 0], data[2:4, :2, :2] = np.nan, np.nan
    path = tmp_path / "f.tif"
    tifffile.imwrite(path, data, compression="zlib")
    run_copy(path, {}, tmp_path / "copy", lambda _p: None)
    coarse = open_volume(path, copy=tmp_path / "copy").levels[0][:]
    assert coarse[0, 0, 0] == pytest.approx(np.nanmean(data[:2, :2, :2]))
    assert np.isnan(coarse).sum() == 1


def test_labels_are_never_mixed(tmp_path: Path) -> None:
    data = np.random.default_rng(0).choice([0, 1, 7], (66, 70, 80)).astype(np.uint8)
    path = tmp_path / "phases.tif"
    tifffile.imwrite(path, data, compression="zlib")
    run_copy(path, {}, tmp_path / "copy", lambda _p: None)
    coarse = open_volume(path, copy=tmp_path / "copy").levels[0][:]
    assert set(np.unique(coarse)) == {0, 1, 7}
    cell, counts = np.unique(data[:2, :2, :2], return_counts=True)
    assert coarse[0, 0, 0] in cell[counts == counts.max()]


def test_long_voxels_are_not_made_longer() -> None:
    factors = [level.factor for level in levels_of((500, 2048, 2048), (40.0, 5.0, 5.0))]
    assert factors[:6] == [(1, 1, 1), (1, 2, 2), (1, 4, 4), (1, 8, 8), (2, 16, 16), (4, 32, 32)]
    assert levels_of((64, 64, 64), None)[0].shape == (64, 64, 64)
    assert len(levels_of((64, 64, 64), None)) == 1
    assert levels_of((1, 500, 1), None)[-1].shape == (1, 63, 1)


@pytest.mark.parametrize("limit", ["1 GiB", "1 MiB"])
def test_thin_steps_make_the_same_copy(limit: str, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many slices fit into memory at once."""
    monkeypatch.setenv("MICROTOME_MEMORY", limit)
    shares: list[float] = []
    assert copy_volume(open_volume(packed), tmp_path / "a", lambda s: bool(shares.append(s)))
    assert len(shares) == (4 if limit == "1 GiB" else 20)
    monkeypatch.delenv("MICROTOME_MEMORY")
    copy_volume(open_volume(packed), tmp_path / "b", go_on)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def contents(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in sorted(folder.iterdir()) if f.suffix in (".npy", ".json")}


def test_what_was_stopped_goes_on(packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    calls: list[float] = []
    volume = open_volume(packed)
    assert not copy_volume(volume, folder, lambda share: bool(calls.append(share)) or len(calls) == 2, reading="x")
    assert open_copy(folder, packed, "x") is None
    again: list[float] = []
    assert copy_volume(volume, folder, lambda share: bool(again.append(share)), reading="x")
    assert again[0] == calls[1] > 0
    np.testing.assert_array_equal(opened(folder, packed, "x")[:], texture())
    done: list[float] = []
    assert copy_volume(volume, folder, lambda share: bool(done.append(share)), reading="x")
    assert done == [1.0]


def opened(folder: Path, source: Path, reading: str = "") -> Bricks:
    found = open_copy(folder, source, reading)
    assert found is not None
    return found


CHILD = """
import os, signal, sys
from microtome.volumes.copies import copying
from microtome.volumes.copies import pyramid
from microtome.volumes.read import open_volume

moment, count = sys.argv[3], int(sys.argv[4])
os.environ["MICROTOME_MEMORY"] = "1 MiB"

def dying(real):
    def call(*positional, **named):
        global count
        count -= 1
        if count == 0:
            if moment.endswith("torn"):
                positional[0].write(b"torn" * 999)
                positional[0].flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*positional, **named)
    return call

if moment.startswith("write"):
    copying._write = dying(copying._write)
elif moment == "layers":
    copying.make_layers = dying(copying.make_layers)
else:
    copying.write_json = dying(copying.write_json)
copying.copy_volume(open_volume(sys.argv[1]), sys.argv[2], lambda share: False)
"""


@pytest.mark.skipif(os.name == "nt", reason="a process cannot kill itself by a signal there")
@pytest.mark.parametrize(("moment", "count"), [("write", 3), ("write torn", 6), ("layers", 9), ("journal", 1), ("journal", 7)])
def test_a_killed_copy_goes_on(moment: str, count: int, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever it is killed: the result is that of a copy that was never disturbed, and until then there is none."""
    folder = tmp_path / "copy"
    run = subprocess.run([sys.executable, "-c", CHILD, packed, folder, moment, str(count)], check=False, capture_output=True)
    assert run.returncode == -9, run.stderr.decode()
    assert open_copy(folder, packed) is None
    monkeypatch.setenv("MICROTOME_MEMORY", "1 MiB")
    shares: list[float] = []
    assert copy_volume(open_volume(packed), folder, lambda s: bool(shares.append(s)))
    assert (shares[0] > 0) == (moment != "journal" or count > 1), "what was done is not done again"
    copy_volume(open_volume(packed), tmp_path / "whole", go_on)
    assert contents(folder) == contents(tmp_path / "whole")


def test_a_stale_copy_is_not_read(packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    run_copy(packed, {}, folder, lambda _p: None)
    assert isinstance(open_volume(packed, copy=folder).voxels, Bricks)
    tifffile.imwrite(packed, texture(seed=1), compression="zlib")
    changed = open_volume(packed, copy=folder)
    assert not isinstance(changed.voxels, Bricks)
    np.testing.assert_array_equal(changed[7], texture(seed=1)[7])
    run_copy(packed, {}, folder, lambda _p: None)
    again = open_volume(packed, copy=folder)
    assert isinstance(again.voxels, Bricks)
    np.testing.assert_array_equal(again[:], texture(seed=1))


def test_a_copy_of_one_channel_is_not_that_of_another(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    data = np.stack([texture(seed=0, shape=(20, 30, 40)), texture(seed=1, shape=(20, 30, 40))], axis=1)
    tifffile.imwrite(path, data, metadata={"axes": "ZCYX"}, compression="zlib")
    run_copy(path, {"channel": 1}, tmp_path / "copy", lambda _p: None)
    other, same = (open_volume(path, channel=c, copy=tmp_path / "copy") for c in (0, 1))
    assert not isinstance(other.voxels, Bricks)
    assert isinstance(same.voxels, Bricks)
    np.testing.assert_array_equal(same[:], data[:, 1])


def cut_off(folder: Path) -> None:
    os.truncate(folder / "level-1.npy", 5000)


def remove(folder: Path) -> None:
    (folder / "level-0.npy").unlink()


def garble(folder: Path) -> None:
    (folder / JOURNAL).write_text("{")


def claim(folder: Path) -> None:
    data = json.loads((folder / JOURNAL).read_text())
    data["levels"][0]["shape"] = [9999, 90, 131]
    (folder / JOURNAL).write_text(json.dumps(data))


@pytest.mark.parametrize("damage", [cut_off, remove, garble, claim])
def test_a_damaged_copy_is_none_and_is_made_again(damage: Callable[[Path], None], packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    run_copy(packed, {}, folder, lambda _p: None)
    damage(folder)
    volume = open_volume(packed, copy=folder)
    assert not isinstance(volume.voxels, Bricks)
    np.testing.assert_array_equal(volume[4], texture()[4])
    run_copy(packed, {}, folder, lambda _p: None)
    again = open_volume(packed, copy=folder)
    assert isinstance(again.voxels, Bricks)
    np.testing.assert_array_equal(again[:], texture())


def test_a_folder_that_is_no_copy_is_said(packed: Path, tmp_path: Path) -> None:
    assert not isinstance(open_volume(packed, copy=tmp_path / "nothing").voxels, Bricks)
    with pytest.raises(InputError, match="copy must be a folder"):
        open_volume(packed, copy=3)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="write the copy"):
        run_copy(packed, {}, tmp_path / "file", lambda _p: None)


def test_a_source_that_changes_meanwhile_is_said(packed: Path, tmp_path: Path) -> None:
    def change(_share: float) -> bool:
        os.utime(packed, ns=(1, 1))
        return False

    with pytest.raises(FileError, match=r"(has|was) changed"):
        copy_volume(open_volume(packed), tmp_path / "copy", change)
    assert open_copy(tmp_path / "copy", packed) is None


def test_what_no_disk_holds_is_refused_before(packed: Path, tmp_path: Path) -> None:
    huge = PagedArray(shape=(2**20, 2**14, 2**14), dtype=np.dtype("u1"), read=lambda indices: iter(()))
    volume = Volume(voxels=huge, source=str(packed))
    assert copy_bytes(volume) > 2**48
    with pytest.raises(FileError, match=r"GiB in .*GiB are free"):
        copy_volume(volume, tmp_path / "copy", go_on)
    assert contents(tmp_path / "copy") == {}


def test_two_processes_do_not_copy_at_once(packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    child = "import sys\nfrom microtome.store.run import RunFolder, RunLock\nfrom pathlib import Path\n"
    child += "RunLock(RunFolder(Path(sys.argv[1]))).take(); print('taken', flush=True); sys.stdin.read()"
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", child, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"taken\n"
        with pytest.raises(InputError, match="already being copied"):
            copy_volume(open_volume(packed), folder, go_on)
        other.communicate()
    assert copy_volume(open_volume(packed), folder, go_on)


def test_what_needs_a_copy(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tmp_path / "plain.tif"
    tifffile.imwrite(plain, texture())
    assert needs_copy(open_volume(packed)) == "", "it fits into memory"
    monkeypatch.setenv("MICROTOME_MEMORY", "2 MiB")
    assert "compressed or scattered" in needs_copy(open_volume(packed))
    assert needs_copy(open_volume(plain)) == ""
    run_copy(packed, {}, tmp_path / "copy", lambda _p: None)
    assert needs_copy(open_volume(packed, copy=tmp_path / "copy")) == ""


def test_an_overview_of_any_volume(packed: Path, tmp_path: Path) -> None:
    run_copy(packed, {}, tmp_path / "copy", lambda _p: None)
    sources: list[LazyArray] = [texture(), pages_of(texture())]
    for source in sources:
        small, factor = thumbnail(Volume(voxels=source), 30**3)
        assert small.size <= 30**3
        steps = [int(f) for f in factor]
        np.testing.assert_array_equal(small, texture()[:: steps[0], :: steps[1], :: steps[2]])
    whole, factor = thumbnail(Volume(voxels=texture()), 10**9)
    np.testing.assert_array_equal(whole, texture())
    assert factor == (1.0, 1.0, 1.0)
    copied = open_volume(packed, copy=tmp_path / "copy")
    small, factor = thumbnail(copied, 30_000)
    np.testing.assert_array_equal(small, copied.levels[1][:])
    assert factor == pytest.approx((150 / 38, 90 / 23, 131 / 33))
    small, factor = thumbnail(copied, 25_000)
    np.testing.assert_array_equal(small, copied.levels[0][::3, ::3, ::3])


def test_an_overview_of_long_voxels_is_near_cubes() -> None:
    volume = Volume(voxels=np.zeros((20, 300, 300), np.uint8), voxel_size=(30.0, 3.0, 3.0), unit="nm")
    small, factor = thumbnail(volume, 20 * 31 * 31)
    assert factor == (1.0, 10.0, 10.0)
    assert small.shape == (20, 30, 30)
