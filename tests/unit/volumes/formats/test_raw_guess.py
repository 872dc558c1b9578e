"""What is guessed of headerless voxels: names, sizes, types, byte orders, sidecars, and the picture of a guess."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.questions import QuestionError
from microtome.volumes.drop import examine_one
from microtome.volumes.formats.raw import guesses, raw_preview
from microtome.volumes.formats.rawname import name_says
from microtome.volumes.formats.sidecar import sidecar
from microtome.volumes.read import open_volume

Smooth = NDArray[np.float64]
SHAPE = (20, 24, 32)


@pytest.fixture
def scan() -> Smooth:
    """A smooth volume with a little noise, some of it below zero."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    noise = np.random.default_rng(3).normal(0, 2, SHAPE)
    return np.asarray(90 * np.sin(z / 4) * np.cos(y / 5 + x / 9) + noise)


def _raw(path: Path, voxels: NDArray[Any], dtype: str, header: bytes = b"") -> Path:
    path.write_bytes(header + voxels.astype(dtype).tobytes())
    return path


KINDS = {
    "u1": lambda v: v + 120,
    "<u2": lambda v: v * 200 + 30000,
    ">u2": lambda v: v * 200 + 30000,
    "<i2": lambda v: v * 200,
    ">i2": lambda v: v * 200,
    "<u4": lambda v: v * 2000 + 300000,
    "<f4": lambda v: v / 7,
    ">f4": lambda v: v / 7,
    "<f8": lambda v: v / 7,
}


@pytest.mark.parametrize("dtype", KINDS)
def test_the_first_guess_is_right_without_a_name(tmp_path: Path, scan: Smooth, dtype: str) -> None:
    """Shape, type and byte order from the size and the voxels alone; the other byte order is called noise."""
    path = _raw(tmp_path / "a.raw", KINDS[dtype](scan), dtype)
    found = guesses(path)
    best, kind = found[0], np.dtype(dtype)
    assert (best.shape, best.dtype, best.offset) == (SHAPE, kind.name, 0)
    assert best.byte_order == ("" if kind.itemsize == 1 else "big" if dtype[0] == ">" else "little")
    assert "alike" in best.detail
    np.testing.assert_array_equal(open_volume(path, **best.options)[:], KINDS[dtype](scan).astype(dtype))
    swapped = [g for g in found if (g.shape, g.dtype) == (best.shape, best.dtype) and g.byte_order not in ("", best.byte_order)]
    if kind.kind in "ui" and kind.itemsize == 2:
        assert "noise" in swapped[0].detail
    assert [g.score for g in found[:-1]] == sorted(g.score for g in found[:-1])


def test_a_header_in_front_is_guessed(tmp_path: Path) -> None:
    """Of a usual length, before square slices."""
    z, y, x = np.meshgrid(np.arange(20), np.arange(32), np.arange(32), indexing="ij")
    voxels = 3000 * np.sin(z / 4) * np.cos(y / 5 + x / 9)
    best = guesses(_raw(tmp_path / "a.raw", voxels, "<i2", bytes(512)))[0]
    assert (best.shape, best.dtype, best.byte_order, best.offset) == ((20, 32, 32), "int16", "little", 512)


def test_without_a_name_it_is_asked(tmp_path: Path, scan: Smooth) -> None:
    """The card gets choices, the command line one sentence with the likeliest."""
    path = _raw(tmp_path / "scan.raw", scan * 200 + 30000, ">u2")
    item = examine_one(path)
    assert item.question is not None
    assert item.question.kind == "raw"
    assert "Likely: 20 × 24 × 32 uint16, big endian (z, y, x)." in item.error
    first = item.question.choices[0]
    assert first.options == {"shape": [20, 24, 32], "dtype": "uint16", "byte_order": "big", "offset": 0}
    answered = examine_one(path, first.options)
    assert answered.description is not None
    assert (answered.description.shape, answered.description.findings) == (SHAPE, ())


def test_noise_is_called_noise(tmp_path: Path) -> None:
    """Every guess says so, none is called likely."""
    path = tmp_path / "a.raw"
    path.write_bytes(np.random.default_rng(0).bytes(32**3))
    assert all("noise" in g.detail for g in guesses(path))
    with pytest.raises(QuestionError) as asked:
        open_volume(path)
    assert "Likely" not in asked.value.hint


@pytest.mark.parametrize(
    ("name", "dtype", "shape"),
    [
        ("scan_w32_h24_d20_8bit.raw", "u1", SHAPE),
        ("scan_d20w32h24.raw", "u1", SHAPE),
        ("scan_x=32_y=24_z=20_ushort.raw", "<u2", SHAPE),
        ("scan_width32_height24_depth20_16bit_bigendian.raw", ">u2", SHAPE),
        ("scan_20_24_32_uint8.raw", "u1", SHAPE),
        ("scan_32_24_20.vol", "u1", SHAPE),
        ("2024-05-17_scan_20-24-32_float.raw", "<u2", SHAPE),
        ("scan-32x24x20-16-bit-unsigned.raw", "<u2", SHAPE),
        ("scan_20x24x32_16bit.raw", "<u2", SHAPE),
        ("scan_20x24x32_u16_le.raw", "<u2", SHAPE),
        ("scan_20x24x32_real32.raw", "<f4", SHAPE),
        ("scan_20x24x32_double.raw", "<f8", SHAPE),
    ],
)
def test_names(tmp_path: Path, scan: Smooth, name: str, dtype: str, shape: tuple[int, int, int]) -> None:
    """As programs and people write them; a date is no shape."""
    voxels = KINDS[dtype](scan) if dtype in KINDS else scan * 200 + 30000
    volume = open_volume(_raw(tmp_path / name, voxels, dtype))
    assert volume.shape == shape
    np.testing.assert_array_equal(volume[:], voxels.astype(dtype))
    assert "Taken from the name" in volume.findings[0]


def test_a_cube_in_a_name(tmp_path: Path) -> None:
    """^3."""
    voxels = np.arange(10**3, dtype=np.uint8).reshape(10, 10, 10)
    assert open_volume(_raw(tmp_path / "a_10^3_uint8.raw", voxels, "u1")).shape == (10, 10, 10)


def test_two_bytes_are_read_in_the_smoother_order(tmp_path: Path, scan: Smooth) -> None:
    """Where neither name nor user says which."""
    volume = open_volume(_raw(tmp_path / "a_20x24x32.raw", scan * 200 + 30000, ">u2"))
    np.testing.assert_array_equal(volume[:], (scan * 200 + 30000).astype(np.uint16))


@given(st.text(max_size=40))
def test_no_name_is_too_odd(name: str) -> None:
    """Whatever stands in it."""
    says = name_says(name)
    assert all(len(s) == 3 for s in (*says.shapes, *says.spaced))


@given(st.binary(min_size=1, max_size=3000))
def test_no_file_is_too_odd(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Every guess opens, and so does its picture."""
    path = tmp_path_factory.getbasetemp() / "odd.raw"
    path.write_bytes(content)
    for guess in guesses(path):
        assert raw_preview(path, guess.shape, guess.dtype, guess.byte_order, guess.offset).shape == guess.shape[1:]


def test_the_picture_of_a_guess(tmp_path: Path, scan: Smooth) -> None:
    """One slice in native order; what is not there is a sentence."""
    path = _raw(tmp_path / "a.raw", scan * 200 + 30000, ">u2", bytes(16))
    image = raw_preview(path, SHAPE, "uint16", "big", 16, 7)
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, (scan * 200 + 30000).astype(np.uint16)[7])
    with pytest.raises(FileError, match="too short"):
        raw_preview(path, (40, 24, 32), "uint16", "big", 16, 39)
    for shape, dtype, z in (((0, 4, 4), "uint8", 0), (SHAPE, "complex", 0), (SHAPE, "uint8", 20), (SHAPE, "uint8", -1)):
        with pytest.raises(InputError):
            raw_preview(path, shape, dtype, "", 0, z)
    with pytest.raises(FileError):
        raw_preview(tmp_path / "none.raw", SHAPE, "uint8")


SIDECARS = {
    "a.raw.info": "! PyHST VOLUME\nNUM_X =  32\nNUM_Y =  24\nNUM_Z =  20\nvoxelSize =  0.7\nBYTEORDER = HIGHBYTEFIRST\n",
    "a.json": json.dumps({"shape": SHAPE, "dtype": "uint16", "byte_order": "big", "voxel_size": 0.7, "unit": "um"}),
    "a.hdr": "ENVI\nsamples = 32\nlines = 24\nbands = 20\nheader offset = 0\ndata type = 12\nbyte order = 1\n",
    "a.vgi": "Size = 32 24 20\nDatatype = unsigned integer\nBitsPerElement = 16\nEndian = big\nResolution = 0.7\nUnit = um",
    "a.mhd": "DimSize = 32 24 20\nElementType = MET_USHORT\nElementByteOrderMSB = True\nElementSpacing = 0.7 0.7 0.7\n",
    "a.txt": "Width: 32\nHeight: 24\nDepth: 20\nType: uint16be\nVoxel size (um): 0.7\n",
    "a.pcr": "[VolumeData]\nVolume_SizeX=32\nVolume_SizeY=24\nVolume_SizeZ=20\nFormat=16bit unsigned\nbyte_order=big\n",
}


@pytest.mark.parametrize("name", SIDECARS)
def test_sidecars(tmp_path: Path, scan: Smooth, name: str) -> None:
    """Shape, type and byte order, and a voxel size where its unit is written."""
    path = _raw(tmp_path / "a.raw", scan * 200 + 30000, ">u2")
    (tmp_path / name).write_text(SIDECARS[name])
    volume = open_volume(path)
    np.testing.assert_array_equal(volume[:], (scan * 200 + 30000).astype(np.uint16))
    assert volume.findings[0] == f"Taken from {name}: 20 × 24 × 32 voxels of uint16."
    with_unit = name in ("a.json", "a.vgi", "a.txt")
    assert volume.voxel_size == (pytest.approx((700.0, 700.0, 700.0)) if with_unit else None)


def test_a_sidecar_that_does_not_fit(tmp_path: Path, scan: Smooth) -> None:
    """It is said, and the name is taken; one that fits goes before the name, and the difference is said."""
    path = _raw(tmp_path / "a_20x24x32.raw", scan + 120, "u1")
    (tmp_path / "a_20x24x32.raw.info").write_text("NUM_X = 320\nNUM_Y = 24\nNUM_Z = 20\n")
    assert "does not fit" in open_volume(path).findings[0]
    (tmp_path / "a_20x24x32.raw.info").write_text("NUM_X = 16\nNUM_Y = 48\nNUM_Z = 20\n")
    volume = open_volume(path)
    assert volume.shape == (20, 48, 16)
    assert "the latter was taken" in volume.findings[1]


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2]", '{"shape": [1, 2]}', '{"shape": [0, 1, 2]}', '{"shape": "abc"}', "NUM_X = one\n"]
)
def test_what_is_no_sidecar(tmp_path: Path, text: str) -> None:
    """It is passed over."""
    (tmp_path / "a.json").write_text(text)
    (tmp_path / "a.txt").write_text(text)
    assert sidecar(tmp_path / "a.raw") is None


def test_two_files_of_the_size_of_none(tmp_path: Path) -> None:
    """Nothing to guess from: no choices, still a sentence."""
    path = tmp_path / "a.raw"
    path.write_bytes(b"abc")
    with pytest.raises(QuestionError) as asked:
        open_volume(path)
    assert asked.value.question.choices == ()
    path.write_bytes(b"")
    with pytest.raises(MicrotomeError, match="0 bytes"):
        guesses(path)


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", ["bone_128x128x128", "cement_128x128x128", "NT_128x128x128", "fibers_150x150x150", "fly_150x256x256"]
)
@pytest.mark.parametrize("dtype", ["u1", ">u2", "<f4"])
def test_real_volumes_without_their_headers(tmp_path: Path, shared: Path, name: str, dtype: str) -> None:
    """The first guess is right."""
    voxels = tifffile.imread(shared / "qim3d" / f"{name}.tif")
    best = guesses(_raw(tmp_path / "a.raw", voxels.astype(float) * (100 if dtype == ">u2" else 1), dtype))[0]
    kind = np.dtype(dtype)
    assert (best.shape, best.dtype, best.byte_order == "big") == (voxels.shape, kind.name, dtype[0] == ">")
