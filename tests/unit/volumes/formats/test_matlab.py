"""MATLAB files: which axis is z, several variables, complex numbers, version 7.3; and NumPy's archives."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.questions import QuestionError
from microtome.volumes.read import open_volume

Bytes = NDArray[np.uint8]


def _matlab73(path: Path, **variables: NDArray[Any]) -> Path:
    """As MATLAB writes version 7.3: HDF5 behind 512 bytes, axes the other way round, cells in #refs#."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in variables.items():
            file.create_dataset(name, data=array.T, chunks=True, compression="gzip")
        file["#refs#/a"] = np.zeros((9, 9, 9))
    content = path.read_bytes()
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: PCWIN64".ljust(128) + content[128:])
    return path


def test_rows_are_y_columns_x_pages_z(tmp_path: Path, voxels: Bytes) -> None:
    """A(row, column, page) in every version gives the same volume; imagesc(A(:, :, 1)) is slice 0."""
    pages = np.moveaxis(voxels, 0, 2)
    scipy.io.savemat(tmp_path / "old.mat", {"A": pages, "name": "scan", "list": [1, 2, 3]})
    scipy.io.savemat(tmp_path / "zip.mat", {"A": pages.astype(float)}, do_compression=True)
    for path in (tmp_path / "old.mat", tmp_path / "zip.mat", _matlab73(tmp_path / "new.mat", A=pages)):
        volume = open_volume(path)
        np.testing.assert_array_equal(volume[:], voxels)
        np.testing.assert_array_equal(volume[2, ::3, -1], voxels[2, ::3, -1])
    assert open_volume(tmp_path / "zip.mat").dtype == np.float64


def test_several_variables_and_a_fourth_axis(tmp_path: Path, voxels: Bytes) -> None:
    """Both are asked about, one after the other."""
    pages = np.moveaxis(voxels, 0, 2)
    both = np.stack([pages, 255 - pages], axis=3)
    scipy.io.savemat(tmp_path / "a.mat", {"both": both, "one": pages})
    for path in (tmp_path / "a.mat", _matlab73(tmp_path / "b.mat", both=both, one=pages)):
        with pytest.raises(QuestionError, match="2 variables") as which:
            open_volume(path)
        options = next(c.options for c in which.value.question.choices if c.label == "both")
        with pytest.raises(QuestionError, match=r"2 entries|2 volumes") as entry:
            open_volume(path, **options)
        np.testing.assert_array_equal(open_volume(path, **entry.value.question.choices[1].options)[:], 255 - voxels)
        np.testing.assert_array_equal(open_volume(path, variable="one")[:], voxels)
        with pytest.raises(InputError, match="no variable “tow”"):
            open_volume(path, variable="tow")


def test_what_is_no_volume_of_real_numbers(tmp_path: Path) -> None:
    """Complex numbers are found when they are read; text and lists are no volumes."""
    scipy.io.savemat(tmp_path / "a.mat", {"A": np.ones((3, 4, 5)) * 1j})
    with pytest.raises(FileError, match="no real numbers"):
        open_volume(tmp_path / "a.mat").as_array()
    scipy.io.savemat(tmp_path / "b.mat", {"text": "abc"})
    with pytest.raises(InputError, match=r"holds no volume.*text"):
        open_volume(tmp_path / "b.mat")
    for content in (b"", b"<html></html>" * 99):
        (tmp_path / "c.mat").write_bytes(content)
        with pytest.raises(MicrotomeError):
            open_volume(tmp_path / "c.mat")


def test_a_variable_that_changed_is_noticed(tmp_path: Path, voxels: Bytes) -> None:
    """Between opening and reading."""
    scipy.io.savemat(tmp_path / "a.mat", {"A": voxels})
    volume = open_volume(tmp_path / "a.mat")
    scipy.io.savemat(tmp_path / "a.mat", {"A": voxels[:3]})
    with pytest.raises(FileError, match="as the file says"):
        volume[0]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_members_of_an_archive(tmp_path: Path, voxels: Bytes, save: Any, order: Any) -> None:
    """Both orders of memory and both byte orders; one that is only stored is mapped."""
    kept = np.asarray(voxels, dtype=">u2", order=order)
    save(tmp_path / "a.npz", one=kept, two=kept + 1, table=np.zeros(3))
    with pytest.raises(QuestionError) as asked:
        open_volume(tmp_path / "a.npz")
    volume = open_volume(tmp_path / "a.npz", **asked.value.question.choices[1].options)
    np.testing.assert_array_equal(volume[::2, 3], voxels[::2, 3].astype(int) + 1)
    np.testing.assert_array_equal(volume[:], voxels.astype(int) + 1)
    if save is np.savez:
        assert isinstance(volume.voxels, np.memmap)


def test_arrays_in_either_order_with_channels(tmp_path: Path, voxels: Bytes) -> None:
    """A Fortran array is mapped as well; channels are asked about."""
    np.save(tmp_path / "a.npy", np.asfortranarray(voxels))
    volume = open_volume(tmp_path / "a.npy")
    assert isinstance(volume.voxels, np.memmap)
    np.testing.assert_array_equal(volume[1:, 2], voxels[1:, 2])
    np.save(tmp_path / "b.npy", np.stack([voxels, 255 - voxels]))
    with pytest.raises(QuestionError, match="2 volumes in one array"):
        open_volume(tmp_path / "b.npy")
    np.testing.assert_array_equal(open_volume(tmp_path / "b.npy", index="1")[:], 255 - voxels)


def test_an_archive_that_promises_more_than_it_holds(tmp_path: Path) -> None:
    """A header of a terabyte over a few bytes, and a member without one."""
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (10000, 10000, 10000)}"
    for name, content in (("big", header.ljust(127) + b"\n"), ("none", b"something")):
        with zipfile.ZipFile(tmp_path / f"{name}.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.npy", content)
        with pytest.raises(FileError, match=r"promises|cannot be read"):
            open_volume(tmp_path / f"{name}.npz").as_array()
