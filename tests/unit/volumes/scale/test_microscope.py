"""The microscopes' own formats: Digital Micrograph files written by hand, EMD, Ripple."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.questions import QuestionError
from microtome.volumes.read import open_volume

VOXELS = np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6) * 7
_IMAGE = {"uint8": 6, "uint16": 10, "int16": 1, "float32": 2}
_ELEMENT = {"uint8": 10, "uint16": 4, "int16": 2, "float32": 6}


def _tag(name: str, kind: int, body: bytes) -> bytes:
    return struct.pack(">Bh", kind, len(name)) + name.encode() + body


def _group(name: str, *tags: bytes) -> bytes:
    return _tag(name, 20, struct.pack(">BBi", 0, 0, len(tags)) + b"".join(tags))


def _number(name: str, kind: int, layout: str, value: float) -> bytes:
    return _tag(name, 21, b"%%%%" + struct.pack(">2i", 1, kind) + struct.pack(layout, value))


def _array(name: str, kind: int, count: int, data: bytes) -> bytes:
    return _tag(name, 21, b"%%%%" + struct.pack(">4i", 3, 20, kind, count) + data)


def _words(name: str, text: str) -> bytes:
    return _array(name, 4, len(text), text.encode("utf-16-le"))


def _dm3(path: Path, array: NDArray[Any], scales: tuple[float, ...], units: tuple[str, ...]) -> Path:
    """Digital Micrograph 3: a tree of big-endian tags around little-endian numbers; axes are counted x first."""

    def calibration(scale: float, unit: str) -> bytes:
        return _group("", _number("Origin", 6, "<f", 0), _number("Scale", 6, "<f", scale), _words("Units", unit))

    axes = [calibration(s, u) for s, u in zip(scales[::-1], units[::-1], strict=True)]
    brightness = _group("Brightness", _number("Origin", 6, "<f", 0), _number("Scale", 6, "<f", 1), _words("Units", ""))
    image = _group(
        "ImageData",
        _group("Calibrations", brightness, _group("Dimension", *axes)),
        _array("Data", _ELEMENT[array.dtype.name], array.size, array.tobytes()),
        _number("DataType", 5, "<I", _IMAGE[array.dtype.name]),
        _group("Dimensions", *(_number("", 5, "<I", n) for n in array.shape[::-1])),
        _number("PixelDepth", 5, "<I", array.itemsize),
    )
    tree = _group("ImageList", _group("", image, _group("ImageTags", _number("n", 3, "<i", 1)), _words("Name", "stack")))
    root = struct.pack(">BBi", 0, 0, 1) + tree
    path.write_bytes(struct.pack(">3i", 3, len(root) + 8, 1) + root + bytes(8))
    return path


@pytest.mark.parametrize("dtype", list(_IMAGE))
def test_a_stack_of_digital_micrograph(tmp_path: Path, dtype: str) -> None:
    """Every voxel of every type, any part of it, scales in nm."""
    voxels = VOXELS.astype(dtype)
    volume = open_volume(_dm3(tmp_path / "a.dm3", voxels, (3.0, 1.5, 1.25), ("nm", "nm", "nm")))
    np.testing.assert_array_equal(volume[:], voxels)
    np.testing.assert_array_equal(volume[::-1, 2, 1:4], voxels[::-1, 2, 1:4])
    assert (volume.shape, volume.dtype, volume.unit) == (voxels.shape, np.dtype(dtype), "nm")
    assert volume.voxel_size == pytest.approx((3.0, 1.5, 1.25), rel=1e-6)


@pytest.mark.parametrize(
    ("scales", "units", "size", "said"),
    [
        ((0.5, 0.25, 0.25), ("µm", "µm", "µm"), (500.0, 250.0, 250.0), ""),
        ((0.5, 250.0, 250.0), ("µm", "nm", "nm"), (500.0, 250.0, 250.0), ""),
        ((1.0, 2.0, 2.0), ("", "nm", "nm"), None, "no distance between slices"),
        ((1.0, 1.0, 1.0), ("", "", ""), None, ""),
    ],
)
def test_scales_and_units(tmp_path: Path, scales: Any, units: Any, size: tuple[float, float, float] | None, said: str) -> None:
    """Each axis has its own unit; without one there is no voxel size."""
    volume = open_volume(_dm3(tmp_path / "a.dm3", VOXELS, scales, units))
    assert volume.shape == VOXELS.shape
    assert volume.voxel_size == (None if size is None else pytest.approx(size, rel=1e-6))
    assert [said in f for f in volume.findings] == ([True] if said else [])


def test_one_image_keeps_its_pixel(tmp_path: Path) -> None:
    """As a volume of one slice."""
    volume = open_volume(_dm3(tmp_path / "a.dm3", VOXELS[0], (2.0, 1.0), ("nm", "nm")))
    assert (volume.shape, volume.voxel_size) == ((1, 5, 6), (2.0, 2.0, 1.0))


def test_series_and_spectra_are_asked_about(tmp_path: Path) -> None:
    """Points in time; energies of a map, which lie on the last axis."""
    series = _dm3(tmp_path / "a.dm3", VOXELS, (0.1, 2.0, 2.0), ("s", "nm", "nm"))
    with pytest.raises(QuestionError, match="4 points in time"):
        open_volume(series)
    np.testing.assert_array_equal(open_volume(series, time=2)[0], VOXELS[2])
    energies = _dm3(tmp_path / "b.dm3", VOXELS, (2.0, 2.0, 0.1), ("nm", "nm", "eV"))
    with pytest.raises(QuestionError, match="6 entries") as asked:
        open_volume(energies)
    volume = open_volume(energies, **asked.value.question.choices[3].options)
    np.testing.assert_array_equal(volume[0], VOXELS[..., 3])


def _emd(path: Path, *, units: str = "nm", **arrays: NDArray[Any]) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs.update({"version_major": 0, "version_minor": 2})
        for name, array in arrays.items():
            group = file.create_group(f"data/{name}")
            group.attrs["emd_group_type"] = 1
            group["data"] = array
            for i, (count, letter) in enumerate(zip(array.shape, "zyx"[-array.ndim :], strict=True)):
                axis = group.create_dataset(f"dim{i + 1}", data=np.arange(count) * (i + 2.0))
                axis.attrs.update({"name": letter, "units": units})
    return path


def test_emd_names_its_axes(tmp_path: Path) -> None:
    """z, y, x whatever the library makes of their order; an image beside the volume is said."""
    volume = open_volume(_emd(tmp_path / "a.emd", scan=VOXELS, survey=VOXELS[0]))
    np.testing.assert_array_equal(volume[:], VOXELS)
    assert volume.voxel_size == pytest.approx((2.0, 3.0, 4.0), rel=1e-9)
    assert volume.findings == ("Of 2 images in the file “scan” was taken.",)
    np.testing.assert_array_equal(open_volume(tmp_path / "a.emd", signal="survey")[0], VOXELS[0])


def test_several_signals_are_asked_about(tmp_path: Path) -> None:
    """By their titles."""
    path = _emd(tmp_path / "a.emd", one=VOXELS, two=VOXELS + 1)
    with pytest.raises(QuestionError, match="2 images") as asked:
        open_volume(path)
    assert asked.value.question.kind == "list"
    np.testing.assert_array_equal(open_volume(path, **asked.value.question.choices[1].options)[:], VOXELS + 1)
    with pytest.raises(InputError, match="no image “tow”"):
        open_volume(path, signal="tow")


def test_ripple(tmp_path: Path) -> None:
    """A text of fields beside raw numbers."""
    fields = {"width": 6, "height": 5, "depth": 4, "offset": 0, "data-length": 2, "data-type": "unsigned"}
    fields |= {"byte-order": "big-endian", "record-by": "image"}
    for name, scale in (("width", 1.25), ("height", 1.5), ("depth", 3)):
        fields |= {f"{name}-scale": scale, f"{name}-units": "nm"}
    (tmp_path / "a.rpl").write_text("key\tvalue\n" + "".join(f"{k}\t{v}\n" for k, v in fields.items()))
    (tmp_path / "a.raw").write_bytes(VOXELS.astype(">u2").tobytes())
    volume = open_volume(tmp_path / "a.rpl")
    np.testing.assert_array_equal(volume[1:3], VOXELS[1:3])
    assert volume.voxel_size == pytest.approx((3.0, 1.5, 1.25), rel=1e-6)


def test_a_file_that_changed_since_it_was_opened(tmp_path: Path) -> None:
    """Its map would read other voxels, or end the program."""
    path = _dm3(tmp_path / "a.dm3", VOXELS, (1.0, 1.0, 1.0), ("nm", "nm", "nm"))
    volume = open_volume(path)
    os.truncate(path, 500)
    with pytest.raises(FileError, match="has changed"):
        volume[0]


@pytest.mark.parametrize("ending", ["dm3", "dm4", "emd", "ser", "emi", "bcf", "blo", "sur", "mib", "rpl", "unf", "tvips"])
def test_what_is_no_such_file(tmp_path: Path, ending: str) -> None:
    """Nothing, a web page, zeros, noise: a sentence from every format."""
    path = tmp_path / f"a.{ending}"
    for content in (b"", b"<html></html>" * 300, bytes(5000), np.random.default_rng(0).bytes(5000)):
        path.write_bytes(content)
        with pytest.raises(MicrotomeError):
            open_volume(path).as_array()


def test_damaged_stacks_are_sentences(tmp_path: Path) -> None:
    """Cut off anywhere, and a byte changed anywhere in the tags or the voxels: it opens, or it is refused."""
    path = _dm3(tmp_path / "a.dm3", VOXELS, (3.0, 1.5, 1.25), ("nm", "nm", "nm"))
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for i in range(80):
        data = bytearray(whole)
        if i % 2:
            del data[int(rng.integers(len(data))) :]
        else:
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        path.write_bytes(bytes(data))
        try:
            open_volume(path).as_array()
        except MicrotomeError as error:
            assert error.message
            refused += 1
    assert 40 <= refused < 80
