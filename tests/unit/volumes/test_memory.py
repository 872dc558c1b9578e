"""The cap on memory holds: for what is read, for what is kept, for what is mapped."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.errors import FileError, InputError
from microtome.volumes import memory
from microtome.volumes.bricks import Bricks
from microtome.volumes.lazy import PagedArray
from microtome.volumes.memory import map_of, memory_limit, need_memory, parse_bytes, read_mapped, set_memory_limit, touches
from microtome.volumes.volume import Volume


@pytest.mark.parametrize(
    ("text", "size"),
    [("700 MB", 700_000_000), ("2GiB", 2**31), ("1.5 g", 3 * 2**29), ("4096", 4096), ("64kb", 64_000), ("1 TiB", 2**40)],
)
def test_sizes_as_people_write_them(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1 GB", "0", "3 GBit", "1e9", "GB"])
def test_what_is_no_size_is_said(text: str) -> None:
    with pytest.raises(InputError, match="no size of memory"):
        parse_bytes(text)


def test_the_environment_goes_before_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    default = memory_limit()
    assert default > 2**28
    set_memory_limit("3 GiB")
    assert memory_limit() == 3 * 2**30
    monkeypatch.setenv(memory.VARIABLE, "700 MB")
    assert memory_limit() == 700_000_000
    monkeypatch.setenv(memory.VARIABLE, "plenty")
    with pytest.raises(InputError):
        memory_limit()
    monkeypatch.delenv(memory.VARIABLE)
    set_memory_limit("")
    assert memory_limit() == default
    with pytest.raises(InputError):
        set_memory_limit("plenty")
    assert memory_limit() == default


def test_what_goes_beyond_the_cap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(memory.VARIABLE, "300 MiB")
    with pytest.raises(FileError, match=r"big\.tif needs 400\.0 MiB .* of the 300\.0 MiB"):
        need_memory(400 * 2**20, "big.tif")
    need_memory(2**20, "small.tif")


def page(z: int) -> np.ndarray[Any, Any]:
    return np.full((1024, 1024), z, np.uint8)


def test_volumes_that_are_kept_let_go_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fits, all together do not; what let go reads its voxels again."""
    monkeypatch.setenv(memory.VARIABLE, "64 MiB")
    array = PagedArray(shape=(8, 1024, 1024), dtype=np.dtype("u1"), read=lambda indices: (page(i) for i in indices))
    volumes = [Volume(voxels=array) for _ in range(6)]
    for volume in volumes:
        found = volume.at_hand()
        assert found is not None
        assert found[5, 0, 0] == 5
    held = [v for v in volumes if v._kept is not None]
    assert held == volumes[2:]
    assert volumes[0][7, 3, 3] == 7
    assert volumes[0].at_hand() is not None
    assert volumes[2]._kept is None
    del held, volume, volumes
    gc.collect()
    assert not [r for r, size in memory._kept.values() if r() is not None and size == 8 * 2**20]


def test_maps_are_known_through_views_and_private_ones_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    np.save(path, np.arange(60, dtype=">u2").reshape(3, 4, 5))
    mapped = np.load(path, mmap_mode="r")
    for view in (mapped, mapped[1:], mapped.T, np.asarray(mapped)[:, 1], mapped.view(np.ndarray)):
        assert map_of(view) is not None
    assert map_of(np.load(path, mmap_mode="c")) is None, "what was written to it would be lost"
    assert map_of(np.load(path, mmap_mode="r+")) is None
    assert map_of(np.zeros(3)) is None
    assert map_of([1, 2]) is None


slices = st.builds(slice, st.none() | st.integers(-9, 9), st.none() | st.integers(-9, 9), st.sampled_from([None, 1, 2, -1, -3]))


@settings(max_examples=60, deadline=None)
@given(key=st.tuples(*[st.integers(-5, 4) | slices] * 3), order=st.permutations([0, 1, 2]), little=st.booleans())
def test_parts_of_maps_are_what_numpy_says(
    key: tuple[Any, ...], order: list[int], little: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However the map is turned, and in however small pieces it is read."""
    data = np.arange(5 * 6 * 7, dtype=">i2").reshape(5, 6, 7)
    path = tmp_path_factory.getbasetemp() / "map.npy"
    if not path.exists():
        np.save(path, data)
    mapped = np.load(path, mmap_mode="r").transpose(order)
    with pytest.MonkeyPatch.context() as patch:
        if little:
            patch.setattr(memory, "WINDOW", 8)
            patch.setenv(memory.VARIABLE, "512")  # more than all of it, and pieces of 64
        found = read_mapped(mapped, key)
    expected = data.transpose(order)[key]
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, expected)


def test_how_much_of_a_file_a_view_touches() -> None:
    voxels = np.zeros((64, 64, 64), np.uint8)
    assert touches(voxels[3]) <= 64 * 64 + memory.WINDOW
    assert touches(voxels[:, :, 3]) <= 64**3 + memory.WINDOW
    assert touches(voxels[:0]) == 0
    thin = np.lib.stride_tricks.as_strided(voxels, (2, 10), (2**40, 1))
    assert touches(thin) == 2 * (10 + memory.WINDOW)


def test_planes_across_bricks_are_what_numpy_says() -> None:
    data = np.random.default_rng(0).integers(0, 255, (130, 70, 65), dtype=np.uint8)
    filled = np.pad(data, [(0, -n % 64) for n in data.shape], mode="edge")
    blocks = filled.reshape(3, 64, 2, 64, 2, 64).transpose(0, 2, 4, 1, 3, 5)
    bricks = Bricks(blocks=blocks, shape=(130, 70, 65))
    for key in (5, -1, np.s_[:, 69], np.s_[..., 64], np.s_[60:70, ::-3, 1:60:7], np.s_[9, 8, 7], np.s_[4:4], np.s_[::64]):
        np.testing.assert_array_equal(bricks[key], data[key])
    for wrong in (130, np.s_[:, 70], np.s_[:, :, -66], np.s_[[1, 2]], np.s_[1, 2, 3, 4]):
        with pytest.raises(IndexError):
            bricks[wrong]


CHILD = """
import sys
from pathlib import Path
import numpy as np
from microtome.slices.planes.cut import cut
from microtome.slices.geometry import random_axes
from microtome.volumes.read import open_volume

def most():
    return next(int(l.split()[1]) / 1024 for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM"))

volume = open_volume(sys.argv[1], shape="512x1024x1024", dtype="uint8")
axes = random_axes(np.random.default_rng(0), 8)
places = np.random.default_rng(1).uniform(200, 300, (8, 3))
cut(volume, places[:1] * 0, axes[:1], 2)
before = most()
for z in range(0, 512, 16):
    volume[z]
volume[:, 500], volume[:, :, 500], volume[::8, ::8, ::8]
cut(volume, places, axes, 300)
print(most() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the most memory that a process had")
def test_looking_at_a_mapped_file_keeps_little_of_it(tmp_path: Path) -> None:
    """512 MiB are looked at in every direction; under a cap of 256 MiB an eighth of that may stay mapped."""
    path = tmp_path / "large.raw"
    block = np.random.default_rng(0).integers(0, 255, 2**24, dtype=np.uint8).tobytes()
    with open(path, "wb") as file:
        for _ in range(32):
            file.write(block)
    environment = {**os.environ, memory.VARIABLE: "256 MiB"}
    run = subprocess.run(
        [sys.executable, "-c", CHILD, path], check=True, env=environment, stdout=subprocess.PIPE, encoding="utf-8"
    )
    path.unlink()
    assert float(run.stdout) < 160
