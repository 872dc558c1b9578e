"""TIFF in its many forms, the voxel sizes that it gives, and its traps."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.questions import QuestionError
from microtome.volumes.drop import examine_one
from microtome.volumes.read import describe, open_volume
from microtome.volumes.tiff.header import bones

Bytes = NDArray[np.uint8]


# --- forms


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float16", "float32", "float64"]
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_numbers_stay_what_they_are(tmp_path: Path, voxels: Bytes, dtype: str, order: str) -> None:
    """No dtype is made another one."""
    data = voxels.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", data, byteorder=order, photometric="minisblack")
    volume = open_volume(tmp_path / "a.tif")
    assert volume.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(volume.as_array(), data)


def test_a_plain_stack_is_mapped_a_compressed_one_read_by_pages(tmp_path: Path, voxels: Bytes) -> None:
    """What lies in one piece need not be loaded."""
    tifffile.imwrite(tmp_path / "a.tif", voxels, photometric="minisblack")
    tifffile.imwrite(tmp_path / "b.tif", voxels, photometric="minisblack", compression="lzw")
    assert isinstance(open_volume(tmp_path / "a.tif").as_array(), np.memmap)
    volume = open_volume(tmp_path / "b.tif")
    assert not isinstance(volume.voxels, np.ndarray)
    np.testing.assert_array_equal(volume[2:4, 3], voxels[2:4, 3])


@pytest.mark.parametrize("dtype", ["uint8", ">u2", "<f4"])
def test_pages_with_directories_between_them_are_mapped(tmp_path: Path, voxels: Bytes, dtype: str) -> None:
    """Where they follow at one distance; where one is out of place, each is read where it lies."""
    for name, gap in (("even.tif", 1), ("uneven.tif", 2)):
        with tifffile.TiffWriter(tmp_path / name, byteorder=">" if dtype == ">u2" else "<") as writer:
            for z, page in enumerate(voxels):
                words = "x" * (16 * gap if z == 3 else 16)
                settings: dict[str, Any] = {"metadata": None, "contiguous": False, "description": words}
                writer.write(page.astype(dtype), photometric="minisblack", **settings)
        volume = open_volume(tmp_path / name)
        assert isinstance(volume.voxels, np.memmap) is (gap == 1)
        np.testing.assert_array_equal(volume.as_array(), voxels.astype(dtype))
        np.testing.assert_array_equal(volume[4, 3:9, ::-2], voxels.astype(dtype)[4, 3:9, ::-2])
        np.testing.assert_array_equal(volume[:, 5], voxels.astype(dtype)[:, 5])


@pytest.mark.parametrize(
    "settings",
    [
        {"bigtiff": True},
        {"tile": (16, 16)},
        {"tile": (16, 16), "compression": "zlib", "bigtiff": True},
        {"compression": "packbits"},
        {"compression": "zstd"},
        {"rowsperstrip": 3, "compression": "lzw", "predictor": True},
        {"ome": True, "metadata": {"axes": "ZYX"}},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"metadata": None, "contiguous": False},
    ],
)
def test_every_layout_gives_the_same_voxels(tmp_path: Path, voxels: Bytes, settings: dict[str, Any]) -> None:
    """Strips, tiles, codecs, containers."""
    name = "a.ome.tif" if settings.get("ome") else "a.tif"
    extra = {} if settings.get("imagej") else {"photometric": "minisblack"}
    tifffile.imwrite(tmp_path / name, voxels, **extra, **settings)
    np.testing.assert_array_equal(open_volume(tmp_path / name).as_array(), voxels)


def test_one_bit_becomes_zero_and_one(tmp_path: Path, voxels: Bytes) -> None:
    """Segmented stacks are numbers as well."""
    tifffile.imwrite(tmp_path / "a.tif", voxels > 99, photometric="minisblack")
    volume = open_volume(tmp_path / "a.tif")
    assert volume.dtype == np.uint8
    np.testing.assert_array_equal(volume.as_array(), voxels > 99)


def test_white_is_zero_is_turned_round(tmp_path: Path, voxels: Bytes) -> None:
    """Larger is brighter, whatever the file's convention."""
    tifffile.imwrite(tmp_path / "a.tif", voxels, photometric="miniswhite")
    np.testing.assert_array_equal(open_volume(tmp_path / "a.tif").as_array(), 255 - voxels)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_grey_stored_as_colour_is_grey(tmp_path: Path, voxels: Bytes, planar: str) -> None:
    """Equal channels are one; true colours are their brightness; both are said."""
    axis = -1 if planar == "contig" else 1
    grey = np.stack([voxels] * 3, axis)
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric="rgb", planarconfig=planar)
    volume = open_volume(tmp_path / "a.tif")
    np.testing.assert_array_equal(volume.as_array(), voxels)
    assert "stored as colour" in volume.findings[0]
    green = np.stack([0 * voxels, voxels, 0 * voxels], axis)
    tifffile.imwrite(tmp_path / "b.tif", green, photometric="rgb", planarconfig=planar)
    volume = open_volume(tmp_path / "b.tif")
    np.testing.assert_allclose(volume.as_array(), 0.7152 * voxels, atol=0.51)
    assert "brightness" in volume.findings[0]


def test_channels_and_times_are_asked_for(tmp_path: Path, voxels: Bytes) -> None:
    """A hyperstack is not one volume until one of it is chosen."""
    data = np.stack([voxels, voxels // 2], axis=1)
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(InputError, match="2 channels") as refused:
        open_volume(tmp_path / "a.tif")
    assert "channel = 0 to 1" in refused.value.hint
    np.testing.assert_array_equal(open_volume(tmp_path / "a.tif", channel=1).as_array(), voxels // 2)
    with pytest.raises(InputError, match="no number 2"):
        open_volume(tmp_path / "a.tif", channel=2)


def test_slices_tagged_as_times_are_slices(tmp_path: Path, voxels: Bytes) -> None:
    """A frequent slip of programs; it is said."""
    tifffile.imwrite(tmp_path / "a.tif", voxels, imagej=True, metadata={"axes": "TYX"})
    volume = open_volume(tmp_path / "a.tif")
    assert volume.shape == voxels.shape
    assert "taken as slices" in volume.findings[0]


def test_one_page_is_an_image(tmp_path: Path, voxels: Bytes) -> None:
    """It opens as one slice, and is described as an image."""
    tifffile.imwrite(tmp_path / "a.tif", voxels[0])
    assert describe(tmp_path / "a.tif").kind == "image"
    assert open_volume(tmp_path / "a.tif").shape == (1, 20, 24)


# --- which of several


def _asked(path: Path, **options: Any) -> QuestionError:
    with pytest.raises(QuestionError) as refused:
        open_volume(path, **options)
    return refused.value


def test_channels_are_asked_for_by_name(tmp_path: Path, voxels: Bytes) -> None:
    """OME's names and ImageJ's labels stand in the choices, whose options open the volume."""
    data = np.stack([voxels, voxels // 2], axis=1)
    tifffile.imwrite(tmp_path / "a.ome.tif", data, ome=True, metadata={"axes": "ZCYX", "Channel": {"Name": ["SE", "BSE"]}})
    labels = [name for _ in range(len(voxels)) for name in ("SE", "BSE")]
    tifffile.imwrite(tmp_path / "b.tif", data, imagej=True, metadata={"axes": "ZCYX", "Labels": labels})
    for name in ("a.ome.tif", "b.tif"):
        asked = _asked(tmp_path / name)
        assert "2 channels (SE, BSE)" in asked.message
        assert [c.label for c in asked.question.choices] == ["channel 0 · SE", "channel 1 · BSE"]
        chosen = open_volume(tmp_path / name, **asked.question.choices[1].options)
        assert isinstance(chosen.voxels, np.memmap)
        np.testing.assert_array_equal(chosen[2:5], voxels[2:5] // 2)


def test_times_and_channels_are_asked_for_one_after_the_other(tmp_path: Path, voxels: Bytes) -> None:
    """Each answer leads to the next question, as a card asks them."""
    wide = voxels.astype(np.uint16)
    data = np.stack([np.stack([wide + 10 * t + c for c in range(2)], axis=1) for t in range(3)])
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "TZCYX"})
    item = examine_one(tmp_path / "a.tif")
    options: dict[str, Any] = {}
    while item.question is not None:
        assert item.description is None
        assert item.error
        options |= item.question.choices[-1].options
        item = examine_one(tmp_path / "a.tif", options)
    assert options == {"time": 2, "channel": 1}
    assert item.description is not None
    assert item.description.options == options
    np.testing.assert_array_equal(open_volume(tmp_path / "a.tif", **options).as_array(), wide + 21)


def test_arrays_of_four_axes_are_several_volumes(tmp_path: Path, voxels: Bytes) -> None:
    """What numpy users write, whose axes nobody named: the first counts volumes."""
    tifffile.imwrite(tmp_path / "a.tif", np.stack([voxels, voxels[::-1]]), photometric="minisblack")
    asked = _asked(tmp_path / "a.tif")
    assert [c.options for c in asked.question.choices] == [{"image": 0}, {"image": 1}]
    np.testing.assert_array_equal(open_volume(tmp_path / "a.tif", image=1).as_array(), voxels[::-1])


def test_slices_that_were_written_one_by_one_are_a_stack(tmp_path: Path, voxels: Bytes) -> None:
    """As a loop with tifffile leaves them: each page is described as an array of its own."""
    path = tmp_path / "loop.tif"
    for plane in voxels:
        tifffile.imwrite(path, plane, append=True)
    np.testing.assert_array_equal(open_volume(path)[:], voxels)


def test_images_of_several_sizes_are_asked_for(tmp_path: Path, voxels: Bytes) -> None:
    """A stack with an overview behind it; a number that is not there is refused."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in voxels:
            writer.write(page, metadata=None, photometric="minisblack")
        writer.write(np.ones((9, 9), np.uint16), metadata=None, photometric="minisblack")
    asked = _asked(tmp_path / "a.tif")
    assert [c.detail for c in asked.question.choices] == ["6 × 20 × 24 uint8", "9 × 9 uint16"]
    np.testing.assert_array_equal(open_volume(tmp_path / "a.tif", image=0).as_array(), voxels)
    np.testing.assert_array_equal(open_volume(tmp_path / "a.tif", image=1)[0], np.ones((9, 9)))
    with pytest.raises(InputError, match="no number 2"):
        open_volume(tmp_path / "a.tif", image=2)


def test_images_of_an_ome_file_have_names_and_scales_of_their_own(tmp_path: Path, voxels: Bytes) -> None:
    """Several fields of view in one file."""
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        for i, name in enumerate(("left", "right")):
            sizes = {f"PhysicalSize{a}": 0.01 * (i + 1) for a in "XYZ"}
            writer.write(voxels[: 4 + i], metadata={"axes": "ZYX", "Name": name, **sizes}, photometric="minisblack")
    asked = _asked(tmp_path / "a.ome.tif")
    assert [c.label for c in asked.question.choices] == ["image 0 · left", "image 1 · right"]
    volume = open_volume(tmp_path / "a.ome.tif", image=1)
    np.testing.assert_array_equal(volume.as_array(), voxels[:5])
    assert volume.voxel_size == pytest.approx((20, 20, 20))


def test_smaller_copies_and_masks_are_not_asked_about(tmp_path: Path, voxels: Bytes) -> None:
    """A pyramid in sub-IFDs, a thumbnail that says that it is one."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(voxels, subifds=1, photometric="minisblack", tile=(16, 16))
        writer.write(voxels[:, ::2, ::2], subfiletype=1, photometric="minisblack", tile=(16, 16))
    with tifffile.TiffWriter(tmp_path / "b.tif") as writer:
        writer.write(voxels, metadata=None, photometric="minisblack")
        writer.write(voxels[0, ::2, ::2], subfiletype=1, metadata=None, photometric="minisblack")
    for name in ("a.tif", "b.tif"):
        np.testing.assert_array_equal(open_volume(tmp_path / name).as_array(), voxels)


# --- voxel sizes


@pytest.mark.parametrize(
    ("unit", "nm"),
    [("nm", 1), ("micron", 1e3), ("um", 1e3), ("\\u00B5m", 1e3), ("mm", 1e6), ("inch", 2.54e7), ("angstrom", 0.1)],
)
def test_imagej_voxel_sizes(tmp_path: Path, voxels: Bytes, unit: str, nm: float) -> None:
    """Resolution tags and spacing, in ImageJ's units."""
    y, x, z = 0.004, 0.0041, 0.0103
    tifffile.imwrite(tmp_path / "a.tif", voxels, imagej=True, resolution=(1 / x, 1 / y), metadata={"unit": unit, "spacing": z})
    volume = open_volume(tmp_path / "a.tif")
    assert volume.voxel_size == pytest.approx((z * nm, y * nm, x * nm), rel=1e-6)
    assert volume.unit == "nm"


def test_ome_voxel_sizes(tmp_path: Path, voxels: Bytes) -> None:
    """Each axis with its own unit; µm where none is written."""
    sizes = {"PhysicalSizeX": 4.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.005, "PhysicalSizeZ": 0.01}
    tifffile.imwrite(tmp_path / "a.ome.tif", voxels, ome=True, metadata={"axes": "ZYX", **sizes})
    assert open_volume(tmp_path / "a.ome.tif").voxel_size == pytest.approx((10, 5, 4), rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"imagej": True, "resolution": (1, 1), "metadata": {"unit": "micrometer"}}, "no scale"),
        ({"imagej": True, "resolution": (2, 2), "metadata": {"unit": "", "spacing": 2.0}}, "no unit"),
        ({"imagej": True, "resolution": (2, 2), "metadata": {"unit": "furlong", "spacing": 2.0}}, "furlong"),
        ({"imagej": True, "resolution": (2, 2), "metadata": {"unit": "um"}}, "no distance between slices"),
    ],
)
def test_a_tag_of_no_use_is_no_voxel_size(tmp_path: Path, voxels: Bytes, settings: dict[str, Any], words: str) -> None:
    """The size stays unknown, and the reason is said."""
    tifffile.imwrite(tmp_path / "a.tif", voxels, **settings)
    volume = open_volume(tmp_path / "a.tif")
    assert (volume.voxel_size, volume.unit) == (None, "voxel")
    assert words in " ".join(volume.findings)


@pytest.mark.parametrize("dpi", [72, 300, 600])
def test_printers_dots_per_inch_are_no_voxel_size(tmp_path: Path, voxels: Bytes, dpi: int) -> None:
    """A default of image programs, not a measurement."""
    tifffile.imwrite(tmp_path / "a.tif", voxels[0], resolution=(dpi, dpi), resolutionunit="inch")
    assert open_volume(tmp_path / "a.tif").voxel_size is None


def test_pixels_per_centimetre_of_a_micrograph_are_kept(tmp_path: Path, voxels: Bytes) -> None:
    """Five million pixels a centimetre are 2 nm."""
    tifffile.imwrite(tmp_path / "a.tif", voxels[0], resolution=(5e6, 5e6), resolutionunit="centimeter")
    assert open_volume(tmp_path / "a.tif").voxel_size == pytest.approx((2, 2, 2))


# --- traps


def test_an_imagej_stack_cut_in_half_is_refused(tmp_path: Path) -> None:
    """tifffile opens it as one page, though its header promises 32."""
    tifffile.imwrite(tmp_path / "a.tif", np.ones((32, 16, 16), np.uint8), imagej=True)
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match="incomplete"):
        open_volume(tmp_path / "a.tif")


def test_pages_of_different_sizes_are_refused(tmp_path: Path) -> None:
    """They are no stack; the first page alone would be half a volume."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for edge in (16, 16, 8):
            writer.write(np.zeros((edge, edge), np.uint8), metadata=None)
    with pytest.raises(InputError, match="different sizes"):
        open_volume(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_any_truncation_is_refused(tmp_path: Path, voxels: Bytes, compression: str | None) -> None:
    """However many bytes are missing, no part of a stack is taken for the whole."""
    tifffile.imwrite(tmp_path / "a.tif", voxels, compression=compression, metadata=None, photometric="minisblack")
    whole = (tmp_path / "a.tif").read_bytes()
    for length in range(0, len(whole) - 1, max(1, len(whole) // 40)):
        (tmp_path / "b.tif").write_bytes(whole[:length])
        with pytest.raises(FileError):
            open_volume(tmp_path / "b.tif").as_array()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"%PDF-1.7 nothing", "not a TIFF"),
        (b"II*\0\0\0\0\0", "no image"),
        (b"II*\0\xff\0\0\0", "behind the end"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """With a sentence that names the file."""
    path = tmp_path / "x.tif"
    path.write_bytes(content)
    with pytest.raises(FileError, match=words) as refused:
        open_volume(path)
    assert str(path) in str(refused.value)


def test_print_colours_are_refused(tmp_path: Path) -> None:
    """CMYK has no grey value."""
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8, 4), np.uint8), photometric="separated")
    with pytest.raises(InputError, match="no grey value"):
        open_volume(tmp_path / "a.tif")


def test_pages_in_a_circle_end(tmp_path: Path, voxels: Bytes) -> None:
    """A directory that points to itself does not hang the reader."""
    tifffile.imwrite(tmp_path / "a.tif", voxels[0], metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    (tmp_path / "a.tif").write_bytes(bytes(data))
    assert "circle" in bones(tmp_path / "a.tif").broken
    with pytest.raises(FileError, match="circle"):
        open_volume(tmp_path / "a.tif")


def test_a_stack_that_changes_while_open_is_noticed(tmp_path: Path, voxels: Bytes) -> None:
    """A page that has become another is a sentence, a vanished file too."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, voxels, compression="zlib", photometric="minisblack")
    volume = open_volume(path)
    tifffile.imwrite(path, voxels[:, :10], compression="zlib", photometric="minisblack")
    with pytest.raises(MicrotomeError, match="changed"):
        volume[0]
    path.unlink()
    with pytest.raises(MicrotomeError):
        volume[0]


def _mutations(whole: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(whole)
    at = int(rng.integers(len(data)))
    match int(rng.integers(4)):
        case 0:
            return bytes(data[:at])
        case 1:
            for place in rng.integers(0, len(data), 4):
                data[place] ^= 1 << int(rng.integers(8))
        case 2:
            data[at : at + 100] = bytes(len(data[at : at + 100]))
        case _:
            data[int(rng.integers(min(400, len(data))))] = int(rng.integers(256))
    return bytes(data)


def test_no_damage_is_more_than_a_sentence(tmp_path: Path, voxels: Bytes) -> None:
    """Cut, flipped, zeroed: a file opens, or it is a MicrotomeError; nothing else is raised, warned or logged."""
    rng = np.random.default_rng(11)
    tifffile.imwrite(tmp_path / "plain.tif", voxels, photometric="minisblack", metadata=None)
    tifffile.imwrite(tmp_path / "zip.tif", voxels, compression="zlib", photometric="minisblack")
    tifffile.imwrite(tmp_path / "tile.tif", voxels.astype("f4"), tile=(16, 16), compression="lzw", photometric="minisblack")
    tifffile.imwrite(tmp_path / "ij.tif", voxels.astype("u2"), imagej=True, metadata={"axes": "ZYX", "unit": "nm"})
    refused = 0
    for name, _ in itertools.product(("plain.tif", "zip.tif", "tile.tif", "ij.tif"), range(120)):
        (tmp_path / "m.tif").write_bytes(_mutations((tmp_path / name).read_bytes(), rng))
        try:
            open_volume(tmp_path / "m.tif").as_array()
        except MicrotomeError as error:
            refused += 1
            assert error.message
    assert refused > 100


# --- real files


@pytest.mark.shared
def test_real_stacks_have_the_stated_shapes(shared: Path) -> None:
    """As the data's own description says; none of them has a voxel size."""
    shapes = {"cement": (128,) * 3, "bone": (128,) * 3, "NT": (128,) * 3, "fibers": (150,) * 3, "fly": (150, 256, 256)}
    for path in sorted((shared / "qim3d").glob("*.tif")):
        found = describe(path)
        assert found.shape == shapes.get(path.name.split("_")[0], (225, 128, 128))
        assert (found.dtype, found.voxel_size) == ("uint8", None)
