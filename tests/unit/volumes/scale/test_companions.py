"""Files beside an image or a folder of slices that tell its scale."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from microtome.volumes.read import describe, open_volume
from microtome.volumes.scale.companions import image_companions
from microtome.volumes.scale.weigh import weigh

Bytes = NDArray[np.uint8]
TIGHT = 1e-6
FEI = "[Scan]\nPixelWidth={x}\nPixelHeight={y}\n[Image]\nResolutionX=24\nResolutionY=20\n"


def _fei(path: Path, image: Bytes, text: str) -> None:
    raw = text.encode()
    tifffile.imwrite(path, image, photometric="minisblack", metadata=None, extratags=[(34682, 7, len(raw), raw, True)])


@pytest.mark.parametrize(
    ("name", "text", "nm"),
    [
        ("a.txt", "$CM_FORMAT JEOL/SEM\n$CM_FULL_SIZE 24 20\n$$SM_MICRON_BAR 180\n$$SM_MICRON_MARKER 5um\n", 5000 / 180),
        ("a.txt", "[SemImageFile]\r\nPixelSize=24.8125\r\nDataSize=24x20\r\n", 24.8125),
        ("a.txt", "\ufeff[SemImageFile]\r\nPixelSize=24.8125\r\n", 24.8125),
        ("a-tif.hdr", "[MAIN]\nPixelSizeX=4.5e-9\nPixelSizeY=4.5e-9\n[SEM]\nStageTilt=52\n", 4.5),
        ("a.json", '{"pixel_size": [4.5, 4.5], "unit": "nm"}', 4.5),
        ("a.xml", '<OME><Image><Pixels PhysicalSizeX="0.0045" PhysicalSizeY="0.0045"/></Image></OME>', 4.5),
    ],
)
def test_companions_of_an_image(tmp_path: Path, voxels: Bytes, name: str, text: str, nm: float) -> None:
    """JEOL, Hitachi (also UTF-16), TESCAN, and what people write themselves."""
    encoding = "utf-16-le" if text.startswith("\ufeff") else "utf-8"
    tifffile.imwrite(tmp_path / "a.tif", voxels[0], resolution=(72, 72), resolutionunit="inch")
    (tmp_path / name).write_bytes(text.encode(encoding))
    volume = open_volume(tmp_path / "a.tif")
    assert volume.voxel_size == pytest.approx((nm, nm, nm), rel=TIGHT)
    assert name in volume.metadata["voxel_source"][1]


@pytest.mark.parametrize(
    "text",
    ["$CM_FULL_SIZE 1280 960\n$$SM_MICRON_BAR 180\n$$SM_MICRON_MARKER 5um\n", "[SemImageFile]\nPixelSize=5\nDataSize=99x9\n"],
)
def test_a_companion_of_another_image_size_is_not_taken(tmp_path: Path, voxels: Bytes, text: str) -> None:
    """The image was scaled since, or it belongs to another one."""
    tifffile.imwrite(tmp_path / "a.tif", voxels[0])
    (tmp_path / "a.txt").write_text(text)
    volume = open_volume(tmp_path / "a.tif")
    assert volume.voxel_size is None
    assert "pixels wide" in " ".join(volume.findings)


@pytest.mark.parametrize(
    "content", [b"", b"\0\xff\xfe" * 99, b"{", b'{"voxel_size": "big"}', b'{"voxel_size": [1, 2]}', b"[" * 9999]
)
def test_a_companion_that_says_nothing_changes_nothing(tmp_path: Path, voxels: Bytes, content: bytes) -> None:
    """Notes, damage, other people's files."""
    tifffile.imwrite(tmp_path / "a.tif", voxels, photometric="minisblack")
    for ending in (".txt", ".json", ".xml", ".info", ".hdr", ".log"):
        (tmp_path / f"a{ending}").write_bytes(content)
    volume = open_volume(tmp_path / "a.tif")
    assert (volume.voxel_size, volume.findings) == (None, ())


@pytest.mark.parametrize("content", [b"\n" * 2**20, b" " * 2**20, b"PixelSize" * 2**17, b"= \n" * 2**18])
def test_a_companion_cannot_hang_the_reader(tmp_path: Path, voxels: Bytes, content: bytes) -> None:
    """A pattern that goes back and forth over a megabyte of blanks would take hours."""
    tifffile.imwrite(tmp_path / "a.tif", voxels[0])
    (tmp_path / "a.txt").write_bytes(b"[SemImageFile]" + content)
    assert open_volume(tmp_path / "a.tif").voxel_size is None


WORDS = [
    "PixelSize",
    "=",
    "$$SM_MICRON_BAR",
    "$$SM_MICRON_MARKER",
    "1um",
    "0",
    "-3e9",
    "1e999",
    "[SemImageFile]",
    "\n",
    "{",
    "NUM_X",
]


@given(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join) | st.text(max_size=80))
def test_no_words_of_a_companion_are_an_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """It gives a sensible length or none."""
    folder = tmp_path_factory.mktemp("c")
    for ending in (".txt", ".json", ".xml"):
        (folder / f"a{ending}").write_text(text, encoding="utf-8")
    found = weigh(image_companions(folder / "a.tif", 24), 1)
    assert found.voxel_size is None or all(0 < edge < 1e10 for edge in found.voxel_size)


def test_a_contradiction_between_header_and_companion_shows_both(tmp_path: Path, voxels: Bytes) -> None:
    """The header of the microscope is taken."""
    _fei(tmp_path / "a.tif", voxels[0], FEI.format(x=4e-9, y=4e-9))
    (tmp_path / "a.json").write_text(json.dumps({"pixel_size": 9, "unit": "nm"}))
    volume = open_volume(tmp_path / "a.tif")
    assert volume.voxel_size == pytest.approx((4, 4, 4))
    (said,) = volume.findings
    assert "FEI tag gives y = 4 nm" in said
    assert "a.json 9 nm" in said


def _folder(folder: Path, voxels: Bytes, text: str = "") -> Path:
    folder.mkdir(parents=True)
    for z, page in enumerate(voxels):
        if text:
            _fei(folder / f"s{z}.tif", page, text)
        else:
            tifffile.imwrite(folder / f"s{z}.tif", page)
    return folder


def test_a_folder_of_fei_slices_takes_the_thickness_of_its_project(tmp_path: Path, voxels: Bytes) -> None:
    """Auto Slice & View keeps it beside the slices, for each site; without it z is asked for."""
    text = FEI.format(x=4e-9, y=5e-9)
    folder = _folder(tmp_path / "project/Site 2/Step 1/Acquired", voxels, text)
    assert describe(folder).pixel_size == pytest.approx((5, 4))
    assert describe(folder).voxel_size is None
    sites = [
        {"Properties": {"Name": n}, "Context": {"Slicing": {"SliceThickness": t}}}
        for n, t in (("Site 1", 9e-9), ("Site 2", 1.2e-8))
    ]
    (tmp_path / "project/Project.AsvProject").write_text(json.dumps({"Name": "P", "Sites": sites}))
    volume = open_volume(folder)
    assert volume.voxel_size == pytest.approx((12, 5, 4), rel=TIGHT)
    assert volume.metadata["voxel_source"][0] == "slice thickness in Project.AsvProject"
    _folder(tmp_path / "project/elsewhere", voxels, text)
    assert open_volume(tmp_path / "project/elsewhere").voxel_size is None  # which site is not clear


def test_a_folder_of_a_skyscan_reconstruction(tmp_path: Path, voxels: Bytes) -> None:
    """Cubic voxels of its log, times the step of saved sections."""
    folder = _folder(tmp_path / "rec", voxels)
    log = "[System]\nScanner=SkyScan1272\n[Reconstruction]\nSection to Section Step=2\nResult Image Width (pixels)=24\n"
    (folder / "bone_rec.log").write_text(log + "Pixel Size (um)=7.00082\n")
    assert open_volume(folder).voxel_size == pytest.approx((14001.64, 7000.82, 7000.82), rel=TIGHT)


def test_slices_of_several_scales_are_said(tmp_path: Path, voxels: Bytes) -> None:
    """A magnification that was changed half-way."""
    folder = _folder(tmp_path / "s", voxels, FEI.format(x=4e-9, y=4e-9))
    _fei(folder / "s5.tif", voxels[5], FEI.format(x=8e-9, y=8e-9))
    assert "not taken at one scale" in " ".join(open_volume(folder).findings)
