"""NRRD and MetaImage files written by hand: encodings, headers, axes, spacings."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from microtome.errors import MicrotomeError
from microtome.questions import QuestionError
from microtome.volumes.read import open_volume

SHAPE = (4, 5, 6)
VOXELS = np.arange(120, dtype=np.uint16).reshape(SHAPE) * 300
_PLAIN = "type: unsigned short\ndimension: 3\nsizes: 6 5 4\nendian: little\n"


def _nrrd(path: Path, header: str, data: bytes) -> Path:
    path.write_bytes(b"NRRD0005\n# a remark\n" + header.encode() + b"\n" + data)
    return path


def _text(data: bytes) -> bytes:
    return " ".join(str(n) for n in np.frombuffer(data, "<u2")).encode()


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("raw", bytes), ("gzip", gzip.compress), ("gz", gzip.compress), ("bzip2", bz2.compress), ("ascii", _text)],
)
def test_every_encoding_attached_and_detached(tmp_path: Path, encoding: str, encode: Callable[[bytes], bytes]) -> None:
    """Also behind bytes and lines to skip."""
    data, header = VOXELS.astype("<u2").tobytes(), f"{_PLAIN}encoding: {encoding}\n"
    np.testing.assert_array_equal(open_volume(_nrrd(tmp_path / "a.nrrd", header, encode(data)))[:], VOXELS)
    (tmp_path / "b.bin").write_bytes(b"one\ntwo\n" + encode(data))
    detached = _nrrd(tmp_path / "b.nhdr", f"{header}data file: b.bin\nline skip: 2\n", b"")
    np.testing.assert_array_equal(open_volume(detached)[1:, ::2], VOXELS[1:, ::2])
    if encoding != "ascii":
        skipped = _nrrd(tmp_path / "c.nrrd", f"{header}byte skip: 3\n", encode(b"xyz" + data))
        np.testing.assert_array_equal(open_volume(skipped)[:], VOXELS)


def test_big_endian_and_the_last_bytes(tmp_path: Path) -> None:
    """`byte skip: -1`: the voxels are the end of the file."""
    header = _PLAIN.replace("little", "big") + "encoding: raw\nbyte skip: -1\n"
    volume = open_volume(_nrrd(tmp_path / "a.nrrd", header, b"whatever" + VOXELS.astype(">u2").tobytes()))
    np.testing.assert_array_equal(volume.as_array(), VOXELS)


@pytest.mark.parametrize(
    ("lines", "size", "said"),
    [
        ('spacings: 1.5 2.5 3.5\nunits: "nm" "nm" "nm"\n', (3.5, 2.5, 1.5), ""),
        ('spacings: 1 2 3\nunits: "um" "mm" "um"\n', None, "several units"),
        ("spacings: 1 2 3\n", None, "no unit"),
        ("spacings: 1 1 1\n", None, ""),
        ("spacings: nan nan nan\n", None, ""),
        ('space directions: (0,0.3,0.4) (2,0,0) (0,0,3)\nspace units: "um" "um" "um"\n', (3000.0, 2000.0, 500.0), ""),
        ("space: left-posterior-superior\nspace directions: (1,0,0) (0,2,0) (0,0,3)\n", None, "no unit"),
        ('spacings: 1 -2 3\nunits: "nm" "nm" "nm"\n', None, "makes no sense"),
    ],
)
def test_spacings(tmp_path: Path, lines: str, size: tuple[float, float, float] | None, said: str) -> None:
    """Of axes or of directions in space, only with one unit."""
    header = f"{_PLAIN}encoding: raw\n{lines}"
    volume = open_volume(_nrrd(tmp_path / "a.nrrd", header, VOXELS.astype("<u2").tobytes()))
    assert volume.voxel_size == (None if size is None else pytest.approx(size, rel=1e-6))
    assert [said in f for f in volume.findings] == ([True] if said else [])


def test_an_axis_of_channels(tmp_path: Path) -> None:
    """The fastest axis, as colours have it, or the slowest; its spacing is none."""
    both = np.stack([VOXELS, VOXELS + 1])
    head = 'type: uint16\nendian: little\nencoding: raw\ndimension: 4\nspace units: "nm" "nm" "nm"\n'
    first = head + "sizes: 2 6 5 4\nkinds: vector space space space\nspace directions: none (1,0,0) (0,2,0) (0,0,3)\n"
    last = head + "sizes: 6 5 4 2\nkinds: space space space list\nspace directions: (1,0,0) (0,2,0) (0,0,3) none\n"
    for header, data in ((first, np.moveaxis(both, 0, 3)), (last, both)):
        path = _nrrd(tmp_path / "a.nrrd", header, data.astype("<u2").tobytes())
        with pytest.raises(QuestionError, match="2 channels"):
            open_volume(path)
        volume = open_volume(path, channel=1)
        np.testing.assert_array_equal(volume[:], VOXELS + 1)
        assert volume.voxel_size == pytest.approx((3.0, 2.0, 1.0), rel=1e-6)


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        (_PLAIN + "encoding: raw\n", b"abc", "incomplete"),
        (_PLAIN + "encoding: gzip\n", gzip.compress(bytes(99), mtime=0), "99 are there"),
        (_PLAIN + "encoding: gzip\n", b"no gzip" * 99, "cannot be unpacked"),
        (_PLAIN + "encoding: bzip2\n", b"no bzip" * 99, "cannot be unpacked"),
        (_PLAIN + "encoding: ascii\n", b"1 2 three", "not all numbers"),
        (_PLAIN + "encoding: ascii\n", b"1 2 3", "3 of 120"),
        (_PLAIN + "encoding: hex\n", b"", "encoded as"),
        (_PLAIN.replace("6 5 4", "6 0 4"), bytes(240), "its sizes"),
        (_PLAIN.replace("6 5 4", "6 5"), bytes(240), "its sizes"),
        (_PLAIN.replace("6 5 4", "6 five 4"), bytes(240), "its sizes"),
        (_PLAIN.replace("6 5 4", "600000 500000 40000") + "encoding: gzip\n", gzip.compress(bytes(99), mtime=0), "incomplete"),
        (_PLAIN.replace("unsigned short", "block"), bytes(240), "type “block”"),
        (_PLAIN.replace("endian: little\n", ""), bytes(240), "byte order"),
        (_PLAIN + "data file: gone.raw\n", b"", "not there"),
        (_PLAIN + "data file: LIST\n", b"", "several files"),
        (_PLAIN + "byte skip: -7\n", bytes(240), "byteskip"),
    ],
)
def test_damage_is_named(tmp_path: Path, header: str, data: bytes, words: str) -> None:
    """A sentence when it is opened, or when the packed voxels are read."""
    with pytest.raises(MicrotomeError, match=words):
        open_volume(_nrrd(tmp_path / "a.nrrd", header, data)).as_array()


def test_a_bomb_takes_no_more_than_it_promised(tmp_path: Path) -> None:
    """A stream of a hundred megabytes behind a header of 240 bytes is read as far as the voxels go."""
    volume = open_volume(_nrrd(tmp_path / "a.nrrd", _PLAIN + "encoding: gzip\n", gzip.compress(bytes(10**8), 9)))
    assert int(volume.as_array().max()) == 0


def test_a_flipped_bit_in_the_last_bytes_is_found(tmp_path: Path) -> None:
    """By the checksum of the stream."""
    packed = bytearray(gzip.compress(VOXELS.astype("<u2").tobytes()))
    packed[-6] ^= 1
    with pytest.raises(MicrotomeError, match="cannot be unpacked"):
        open_volume(_nrrd(tmp_path / "a.nrrd", _PLAIN + "encoding: gzip\n", bytes(packed))).as_array()


_META = "ObjectType = Image\nNDims = 3\nDimSize = 6 5 4\nElementType = MET_USHORT\n"


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_metaimages(tmp_path: Path, big: bool, packed: bool) -> None:
    """In one file and in two, raw and zlib, in both byte orders; the spacing x, y, z waits for its unit."""
    data = VOXELS.astype(">u2" if big else "<u2").tobytes()
    data = zlib.compress(data) if packed else data
    head = f"{_META}ElementByteOrderMSB = {big}\nCompressedData = {packed}\nElementSpacing = 1 2 3\n"
    (tmp_path / "a.mha").write_bytes(f"{head}ElementDataFile = LOCAL\n".encode() + data)
    (tmp_path / "b.raw").write_bytes(data)
    (tmp_path / "b.mhd").write_text(f"{head}ElementDataFile = b.raw\n")
    for name in ("a.mha", "b.mhd"):
        volume = open_volume(tmp_path / name, unit="um")
        np.testing.assert_array_equal(volume.as_array(), VOXELS)
        assert volume.voxel_size == (3000.0, 2000.0, 1000.0)
        assert "no unit" in open_volume(tmp_path / name).findings[0]


def test_a_header_in_front_of_the_voxels_of_a_metaimage(tmp_path: Path) -> None:
    """HeaderSize in bytes, or -1: whatever is in front of the last bytes."""
    (tmp_path / "b.raw").write_bytes(b"12345" + VOXELS.astype("<u2").tobytes())
    for size in (5, -1):
        (tmp_path / "b.mhd").write_text(f"{_META}HeaderSize = {size}\nElementDataFile = b.raw\n")
        np.testing.assert_array_equal(open_volume(tmp_path / "b.mhd").as_array(), VOXELS)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (_META, "no ElementDataFile"),
        (_META + "ElementDataFile = gone.raw\n", "not there"),
        (_META + "ElementDataFile = LIST\n", "several files"),
        (_META + "ElementDataFile = LOCAL\n", "incomplete"),
        (_META.replace("6 5 4", "6") + "ElementDataFile = LOCAL\n", "DimSize"),
        (_META.replace("USHORT", "STRING") + "ElementDataFile = LOCAL\n", "type “MET_STRING”"),
        ("", "0 bytes"),
    ],
)
def test_metaimages_that_are_refused(tmp_path: Path, header: str, words: str) -> None:
    """A sentence."""
    (tmp_path / "a.mha").write_text(header)
    with pytest.raises(MicrotomeError, match=words):
        open_volume(tmp_path / "a.mha")
