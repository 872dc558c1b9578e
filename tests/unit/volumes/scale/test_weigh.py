"""Voxel sizes of microscopes, programs and the files beside an image, written by independent code and read to 1e-6."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from microtome.volumes.read import describe, open_volume
from microtome.volumes.scale.weigh import Reported, Scale, weigh

Bytes = NDArray[np.uint8]
TIGHT = 1e-6

FEI = """[User]\r\nDate=03/14/2022\r\n[System]\r\nSystemType=Helios NanoLab\r\n[Beam]\r\nHV=5000\r\nBeam=EBeam\r\nScan=EScan\r\n
[EBeam]\r\nHFW={hfw}\r\nVFW={vfw}\r\nTiltCorrectionIsOn={corrected}\r\nStageTa=0.90756\r\n[Scan]\r\n{scan}[Stage]\r\nStageT=0.907571\r\n
[Image]\r\nResolutionX={columns}\r\nResolutionY={rows}\r\n"""
ZEISS = "\r\n".join(["1", "2", "0", "{exact}", "4", "DP_IMAGE_STORE", "Store resolution = {store}"])


def _fei(scan: str = "PixelWidth={x}\r\nPixelHeight={y}\r\n", **words: Any) -> str:
    known = {"hfw": 0, "vfw": 0, "corrected": "yes", "columns": 24, "rows": 20} | words
    return FEI.format(scan=scan.format(**known), **known)


def _tagged(path: Path, data: Bytes, tag: int, text: str | bytes, **more: Any) -> Path:
    raw = text if isinstance(text, bytes) else text.encode("latin-1")
    tifffile.imwrite(path, data, photometric="minisblack", metadata=None, extratags=[(tag, 7, len(raw), raw, True)], **more)
    return path


# --- microscopes


@pytest.mark.parametrize("tag", [34682, 34680])
def test_fei_pixels_are_read_and_the_slice_distance_is_asked_for(tmp_path: Path, voxels: Bytes, tag: int) -> None:
    """PixelWidth and PixelHeight in m; a stack without its slice distance has a pixel size, and no voxel size."""
    path = _tagged(tmp_path / "a.tif", voxels, tag, _fei(x=2.5123456e-9, y=3.1876543e-9))
    volume = open_volume(path)
    assert volume.voxel_size is None
    assert volume.metadata["pixel_size"] == pytest.approx((3.1876543, 2.5123456), rel=TIGHT)
    assert volume.metadata["voxel_source"] == ("", "FEI tag", "FEI tag")
    assert "no distance between slices" in volume.findings[-1]
    found = describe(path)
    assert (found.voxel_size, found.pixel_size) == (None, volume.metadata["pixel_size"])
    assert found.to_json()["pixel_size"] == list(volume.metadata["pixel_size"])


def test_a_single_fei_image_has_its_pixel_as_voxel_size(tmp_path: Path, voxels: Bytes) -> None:
    """One slice needs no distance."""
    volume = open_volume(_tagged(tmp_path / "a.tif", voxels[0], 34682, _fei(x=2.5e-9, y=3e-9)))
    assert volume.voxel_size == pytest.approx((3.0, 3.0, 2.5), rel=TIGHT)
    assert volume.findings == ()


@pytest.mark.parametrize(("corrected", "meant"), [("yes", True), ("no", False), ("", None)])
def test_fei_tilt_is_kept(tmp_path: Path, voxels: Bytes, corrected: str, meant: bool | None) -> None:
    """Whether the microscope corrected it, and the stage's angle, which it writes in radians."""
    text = _fei(x=1e-9, y=1e-9, corrected=corrected)
    metadata = open_volume(_tagged(tmp_path / "a.tif", voxels, 34682, text)).metadata
    assert metadata.get("tilt_corrected") is meant
    assert metadata["stage_tilt"] == pytest.approx(52.0, abs=0.01)
    assert metadata["microscope"] == "Helios NanoLab"


def test_fei_field_of_view_stands_in_for_the_pixel(tmp_path: Path, voxels: Bytes) -> None:
    """Where the Scan section has no pixel."""
    text = _fei("Dwelltime=3e-6\r\n", hfw=2.4e-6, vfw=2.2e-6)
    volume = open_volume(_tagged(tmp_path / "a.tif", voxels[0], 34682, text))
    assert volume.voxel_size == pytest.approx((110, 110, 100), rel=TIGHT)


def test_a_data_bar_is_said_and_a_rescaled_image_has_no_scale(tmp_path: Path, voxels: Bytes) -> None:
    """More rows than the scan: the bar; other columns: the image was changed, and a wrong number is worse than none."""
    with_bar = open_volume(_tagged(tmp_path / "a.tif", voxels[0], 34682, _fei(x=1e-9, y=1e-9, rows=17)))
    assert with_bar.metadata["databar_rows"] == 3
    assert "data bar" in " ".join(with_bar.findings)
    other = open_volume(_tagged(tmp_path / "b.tif", voxels[0], 34682, _fei(x=1e-9, y=1e-9, columns=48)))
    assert other.voxel_size is None
    assert "48 pixels wide, this one has 24" in " ".join(other.findings)


def test_thermo_and_phenom_xml(tmp_path: Path, voxels: Bytes) -> None:
    """Tag 34683 in its two layouts."""
    thermo = (
        '<?xml version="1.0"?><Metadata xmlns="http://x"><BinaryResult><PixelSize><X unit="m">4.5e-9</X><Y unit="m">5e-9</Y>'
    )
    thermo += "</PixelSize></BinaryResult></Metadata>"
    phenom = '<FeiImage><pixelWidth unit="nm">4.5</pixelWidth><pixelHeight unit="nm">5</pixelHeight></FeiImage>'
    for i, text in enumerate((thermo, phenom)):
        volume = open_volume(_tagged(tmp_path / f"{i}.tif", voxels[0], 34683, text))
        assert volume.voxel_size == pytest.approx((5, 5, 4.5), rel=TIGHT)


@pytest.mark.parametrize(
    ("entries", "exact", "nm"),
    [
        ("AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 4.883 nm", 4.88312345e-9 * 24 / 1024, 4.88312345),  # the unnamed number
        ("AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 4.883 nm", 0, 4.883),
        ("AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 4.883 nm", 7e-9, 4.883),  # it contradicts: the named one
        ("AP_PIXEL_SIZE\r\nPixel Size = 1.250 µm", 0, 1250.0),
        ("AP_PIXEL_SIZE\r\nPixel Size = 1.250 ?m", 0, 1250.0),  # a micro sign that a program lost
        ("AP_PIXEL_SIZE\r\nPixel Size = 558.2 pm", 0, 0.5582),
        ("AP_WD\r\nWD = 5.6 mm", 3.3e-9 * 24 / 1024, 3.3),
    ],
)
def test_zeiss_pixels(tmp_path: Path, voxels: Bytes, entries: str, exact: float, nm: float) -> None:
    """The named entry and its unit, sharpened by the unnamed number where that agrees."""
    text = ZEISS.format(exact=repr(exact), store="24 * 20") + "\r\n" + entries
    text += "\r\nAP_STAGE_AT_T\r\nStage at T = 54.0 °\r\nDP_TILT_CORRECTION\r\nTilt Corrn. = Off\r\n"
    volume = open_volume(_tagged(tmp_path / "a.tif", voxels[0], 34118, text))
    assert volume.voxel_size == pytest.approx((nm, nm, nm), rel=TIGHT)
    assert (volume.metadata["stage_tilt"], volume.metadata["tilt_corrected"]) == (54.0, False)
    stored = ZEISS.format(exact="0", store="1024 * 768") + "\r\n" + entries + "\r\n"
    assert open_volume(_tagged(tmp_path / "b.tif", voxels[0], 34118, stored)).voxel_size is None


@pytest.mark.parametrize(("unit", "nm"), [("nm", 0.25), ("µm", 250.0), ("1/nm", None), ("eV", None)])
def test_gatan_pixels(tmp_path: Path, voxels: Bytes, unit: str, nm: float | None) -> None:
    """A step and a unit for each axis, beside a resolution of 72 dots an inch; a spectrum or a diffractogram has no length."""
    raw = unit.encode("latin-1") + b"\0"
    tags: list[Any] = [(number, 2, len(raw), raw, True) for number in (65003, 65004)]
    tags += [(number, 12, 1, step, True) for number, step in ((65009, 0.25), (65010, 0.5))]
    tifffile.imwrite(tmp_path / "a.tif", voxels[0], metadata=None, resolution=(72, 72), resolutionunit="inch", extratags=tags)
    found = open_volume(tmp_path / "a.tif").voxel_size
    assert found == (None if nm is None else pytest.approx((2 * nm, 2 * nm, nm), rel=TIGHT))


def test_fibics_pixels(tmp_path: Path, voxels: Bytes) -> None:
    """The vectors from pixel to pixel in µm; a field of view that contradicts them leaves none."""
    xml = (
        '<?xml version="1.0" encoding="iso-8859-1"?><Fibics version="1.2"><Image><Width>24</Width><Height>20</Height></Image>'
        '<Scan><FOV_X units="um">{fov}</FOV_X><Ux>0.003</Ux><Uy>0.004</Uy><Vx>0.004</Vx><Vy>-0.003</Vy></Scan></Fibics>'
    )
    good = open_volume(_tagged(tmp_path / "a.tif", voxels[0], 51023, xml.format(fov=0.005 * 24)))
    assert good.voxel_size == pytest.approx((5, 5, 5), rel=TIGHT)
    bad = open_volume(_tagged(tmp_path / "b.tif", voxels[0], 51023, xml.format(fov=1)))
    assert bad.voxel_size is None
    assert "contradicts itself" in " ".join(bad.findings)


@pytest.mark.parametrize("tag", [34680, 34682, 34683, 34118, 51023])
@pytest.mark.parametrize(
    "text", [b"", b"\0\xff" * 40, b"<a><b>", b"[Scan]\nPixelWidth=nan\nPixelHeight=-1\n", b"[Scan", b"1\n2\n"]
)
def test_a_damaged_microscope_tag_is_no_scale(tmp_path: Path, voxels: Bytes, tag: int, text: bytes) -> None:
    """The voxels are read all the same."""
    volume = open_volume(_tagged(tmp_path / "a.tif", voxels[0], tag, text or b"\0"))
    assert volume.voxel_size is None
    np.testing.assert_array_equal(volume[0], voxels[0])


def test_the_microscope_wins_over_imagej_and_both_are_shown(tmp_path: Path, voxels: Bytes) -> None:
    """ImageJ's numbers change with every rescaling; a header of the microscope is the measurement."""
    raw = _fei(x=4e-9, y=4e-9).encode()
    more: dict[str, Any] = {"resolution": (1 / 0.006, 1 / 0.006), "metadata": {"unit": "micron", "spacing": 0.02}}
    tifffile.imwrite(tmp_path / "a.tif", voxels, imagej=True, extratags=[(34682, 7, len(raw), raw, True)], **more)
    volume = open_volume(tmp_path / "a.tif")
    assert volume.voxel_size == pytest.approx((20, 4, 4), rel=TIGHT)
    assert volume.metadata["voxel_source"] == ("ImageJ header", "FEI tag", "FEI tag")
    said = " ".join(volume.findings)
    assert "4 nm" in said
    assert "6 nm" in said


# --- programs


@pytest.mark.parametrize(
    ("unit", "nm"), [("micron", 1e3), ("µm", 1e3), ("\\u00B5m", 1e3), ("nm", 1), ("inch", 2.54e7), ("cm", 1e7), ("pm", 1e-3)]
)
def test_imagej_units(tmp_path: Path, unit: str, nm: float) -> None:
    """As ImageJ writes them: a description, resolutions as fractions of 1,000,000 (written here byte by byte)."""
    y, x, z = 0.5, 0.4, 1.25
    text = f"ImageJ=1.53t\nimages=3\nslices=3\nunit={unit}\nspacing={z}\nloop=false\n".encode("latin-1") + b"\0"
    voxels = np.arange(3 * 4 * 5, dtype=np.uint8)
    entries = [
        (256, 4, 1, 5),
        (257, 4, 1, 4),
        (258, 3, 1, 8),
        (262, 3, 1, 1),
        (270, 2, len(text), 300),
        (273, 4, 1, 1000),
        (277, 3, 1, 1),
        (278, 3, 1, 4),
        (279, 4, 1, 20),
        (282, 5, 1, 200),
        (283, 5, 1, 208),
        (296, 3, 1, 1),
    ]
    head = b"MM\0*" + struct.pack(">IH", 8, len(entries))
    for tag, kind, count, value in entries:
        head += struct.pack(">HHI", tag, kind, count) + (
            struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value)
        )
    head = (head + b"\0" * 4).ljust(200, b"\0")
    head += struct.pack(">IIII", round(1e6 / x), 1_000_000, round(1e6 / y), 1_000_000)
    head = (head.ljust(300, b"\0") + text).ljust(1000, b"\0")
    (tmp_path / "a.tif").write_bytes(head + voxels.tobytes())
    volume = open_volume(tmp_path / "a.tif")
    assert volume.voxel_size == pytest.approx((z * nm, y * nm, x * nm), rel=TIGHT)
    np.testing.assert_array_equal(volume.as_array().ravel(), voxels)


def test_imagej_axes_may_have_units_of_their_own(tmp_path: Path, voxels: Bytes) -> None:
    """A slice distance in nm beside pixels in µm."""
    words = {"unit": "micron", "zunit": "nm", "spacing": 25.0}
    tifffile.imwrite(tmp_path / "a.tif", voxels, imagej=True, resolution=(250, 250), metadata=words)
    assert open_volume(tmp_path / "a.tif").voxel_size == pytest.approx((25, 4, 4), rel=TIGHT)


def test_ome_units_by_axis(tmp_path: Path, voxels: Bytes) -> None:
    """Each axis in a unit of its own, µm where none is written."""
    sizes = {
        "PhysicalSizeX": 41.23456,
        "PhysicalSizeXUnit": "Å",
        "PhysicalSizeY": 0.0052345678,
        "PhysicalSizeZ": 1.2345e-5,
        "PhysicalSizeZUnit": "mm",
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", voxels, ome=True, metadata={"axes": "ZYX", **sizes})
    assert open_volume(tmp_path / "a.ome.tif").voxel_size == pytest.approx((12.345, 5.2345678, 4.123456), rel=TIGHT)


def test_png_and_bmp_pixels_a_metre(tmp_path: Path, voxels: Bytes) -> None:
    """A micrograph's are taken, a screen's or a printer's (72, 96, 300 dpi) are not."""
    plain = imagecodecs.png_encode(voxels[0])
    bmp = bytearray(imagecodecs.bmp_encode(voxels[0]))
    for density, nm in ((200_000_000, 5.0), (2835, None), (3780, None), (11811, None), (0, None)):
        chunk = b"pHYs" + struct.pack(">IIB", density, density // 2, 1)
        framed = struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk))
        (tmp_path / "a.png").write_bytes(plain[:33] + framed + plain[33:])
        struct.pack_into("<ii", bmp, 38, density, density // 2)
        (tmp_path / "a.bmp").write_bytes(bmp)
        for name in ("a.png", "a.bmp"):
            volume = open_volume(tmp_path / name)
            assert volume.voxel_size == (None if nm is None else pytest.approx((2 * nm, 2 * nm, nm), rel=TIGHT))
            np.testing.assert_array_equal(volume[0], voxels[0])


# --- weighing


def test_a_number_that_is_no_length_is_not_taken() -> None:
    """Zero, negative, infinite, absurd."""
    for nonsense in (0.0, -1.0, float("inf"), float("nan"), 1e12):
        found = weigh(Reported(scales=(Scale(source="header", z=1, y=1, x=nonsense), Scale(source="log", x=2, y=1))), 4)
        assert found.voxel_size == (1, 1, 2)
        assert found.metadata["voxel_source"] == ("header", "header", "log")
        assert "makes no sense" in found.findings[0]


def test_what_agrees_within_a_hundredth_is_no_contradiction() -> None:
    """A scale bar is counted in whole pixels."""
    scales = (Scale(source="a", y=100, x=100), Scale(source="b", y=100.9, x=99.1), Scale(source="c", y=100, x=102))
    (said,) = weigh(Reported(scales=scales), 1).findings
    assert "x = 100 nm" in said
    assert "the c 102 nm" in said
