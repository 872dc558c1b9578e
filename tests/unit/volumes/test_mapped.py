"""Mapped files that change, shrink or vanish while they are open: a sentence, and the program lives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from microtome.errors import FileError, MicrotomeError
from microtome.volumes.mapped import MappedFile, checked, mapped
from microtome.volumes.read import open_volume
from microtome.volumes.volume import Volume

Bytes = NDArray[np.uint8]
SHAPE = (4, 5, 6)


@pytest.fixture
def numbers(tmp_path: Path) -> tuple[Path, NDArray[Any]]:
    """A file of 120 big-endian numbers behind 7 bytes, and the numbers."""
    data = np.arange(120, dtype=">u2").reshape(SHAPE)
    (tmp_path / "a.bin").write_bytes(b"1234567" + data.tobytes())
    return tmp_path / "a.bin", data


@given(key=hnp.basic_indices(SHAPE, allow_newaxis=False, allow_ellipsis=True))
def test_any_part_is_that_of_the_array(tmp_path_factory: pytest.TempPathFactory, key: Any) -> None:
    """Whether it is read, copied or mapped; always an ordinary array or number."""
    path = tmp_path_factory.mktemp("m") / "a.bin"
    data = np.arange(120, dtype="<f4").reshape(SHAPE)
    path.write_bytes(b"abc" + data.tobytes())
    part = mapped(path, "<f4", shape=SHAPE, offset=3)[key]
    np.testing.assert_array_equal(part, data[key])
    assert not isinstance(part, np.memmap)


@given(places=st.lists(st.integers(-4, 3), min_size=1, max_size=5))
def test_lists_of_slices_and_calculations_are_ordinary(tmp_path_factory: pytest.TempPathFactory, places: list[int]) -> None:
    """What is no view of the file does not look at it."""
    path = tmp_path_factory.mktemp("m") / "a.bin"
    data = np.arange(120, dtype=np.int16).reshape(SHAPE)
    data.tofile(path)
    array = mapped(path, np.int16, shape=SHAPE)
    np.testing.assert_array_equal(array[places], data[places])
    assert type(array[places]) is type(array + 1) is type(array[array > 3]) is np.ndarray
    assert not isinstance(array.mean(), np.ndarray)


def test_a_changed_file_is_a_sentence(numbers: tuple[Path, NDArray[Any]]) -> None:
    """Every access looks, a look at the whole too."""
    path, data = numbers
    array = mapped(path, ">u2", shape=SHAPE, offset=7)
    np.testing.assert_array_equal(array[1], data[1])
    os.utime(path, ns=(1, 1))
    for look in (lambda: array[1], lambda: array[:, 2], lambda: array[0, 0, 0], lambda: checked(array)):
        with pytest.raises(FileError, match=r"a\.bin has changed since it was opened"):
            look()


def test_a_vanished_file_is_a_sentence(numbers: tuple[Path, NDArray[Any]]) -> None:
    """As on a network drive that goes away."""
    path, _ = numbers
    array = mapped(path, ">u2", shape=SHAPE, offset=7)
    path.unlink()
    with pytest.raises(FileError, match="does not exist"):
        array[1]
    with pytest.raises(FileError, match="does not exist"):
        mapped(path, ">u2", shape=SHAPE)


def test_a_part_whose_file_fails_in_the_middle_of_a_read_is_a_sentence(numbers: tuple[Path, NDArray[Any]]) -> None:
    """A file that shrinks behind the look at it: a piece is read by an ordinary read, which notices."""
    path, _ = numbers
    array = mapped(path, ">u2", shape=SHAPE, offset=7)
    assert isinstance(array, MappedFile)
    os.truncate(path, 30)
    array._stamp = (path.stat().st_size, path.stat().st_mtime_ns)  # as if it had shrunk just after the look
    with pytest.raises(FileError, match="has changed"):
        array[3]


def test_a_file_that_is_too_short_is_refused(numbers: tuple[Path, NDArray[Any]]) -> None:
    """With both numbers of bytes."""
    with pytest.raises(FileError, match="250 bytes are promised, 247 are there"):
        mapped(numbers[0], ">u2", shape=SHAPE, offset=10)


def test_a_mapped_stack_cut_off_while_open_does_not_end_the_program(tmp_path: Path) -> None:
    """In a process of its own: without the look it would end by a signal (SIGBUS on Linux)."""
    tifffile.imwrite(tmp_path / "a.tif", np.ones((40, 64, 64), np.uint8), photometric="minisblack")
    code = (
        "import os, sys\n"
        "from microtome.errors import FileError\n"
        "from microtome.volumes.read import open_volume\n"
        "volume = open_volume(sys.argv[1])\n"
        "os.truncate(sys.argv[1], 5000)\n"
        "for look in (lambda: volume[30], lambda: volume[:, 3], lambda: volume[30, 3, 3], lambda: volume.as_array()):\n"
        "    try:\n"
        "        look()\n"
        "    except FileError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.tif")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("has changed since it was opened. Open it again.") == 4


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_stacks_that_go_away_or_change_are_sentences(tmp_path: Path, voxels: Bytes, compression: str | None) -> None:
    """Mapped or read by pages; changed in place with the same shape, then gone; another volume goes on."""
    path, other = tmp_path / "a.tif", tmp_path / "b.tif"
    for one in (path, other):
        tifffile.imwrite(one, voxels, compression=compression, photometric="minisblack")
    volume, steady = open_volume(path), open_volume(other)
    tifffile.imwrite(path, voxels[::-1].copy(), compression=compression, photometric="minisblack")
    os.utime(path, ns=(5, 5))
    with pytest.raises(MicrotomeError, match=r"a\.tif has changed"):
        volume[0]
    path.unlink()
    with pytest.raises(MicrotomeError, match="does not exist"):
        volume[0]
    np.testing.assert_array_equal(steady[3], voxels[3])


def test_a_folder_that_loses_a_slice_goes_on_with_the_others(tmp_path: Path, voxels: Bytes) -> None:
    """The slice is named."""
    for z, page in enumerate(voxels):
        (tmp_path / f"{z}.png").write_bytes(imagecodecs.png_encode(page))
    volume: Volume = open_volume(tmp_path)
    (tmp_path / "2.png").unlink()
    with pytest.raises(FileError, match=r"2\.png"):
        volume[:]
    np.testing.assert_array_equal(volume[3], voxels[3])
