"""TIFFs whose planes lie in several files (OME sets), or several channels in one pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.questions import QuestionError
from microtome.volumes.drop import examine
from microtome.volumes.read import open_volume

Bytes = NDArray[np.uint8]


def _set(folder: Path, voxels: Bytes, compression: str | None) -> list[Path]:
    """One plane a file; each file's header names all of them."""
    folder.mkdir()
    names = [f"part{z}.ome.tif" for z in range(len(voxels))]
    uuids = [f"urn:uuid:0000000{z}-0000-0000-0000-000000000000" for z in range(len(voxels))]
    planes = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{name}">{uuid}</UUID></TiffData>'
        for z, (name, uuid) in enumerate(zip(names, uuids, strict=True))
    )
    sizes = f'SizeX="24" SizeY="20" SizeZ="{len(voxels)}" SizeC="1" SizeT="1"'
    scale = 'PhysicalSizeX="0.01" PhysicalSizeY="0.01" PhysicalSizeZ="0.02"'
    for page, name, uuid in zip(voxels, names, uuids, strict=True):
        xml = (
            f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuid}">'
            f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" {sizes} {scale}>'
            f"{planes}</Pixels></Image></OME>"
        )
        tifffile.imwrite(folder / name, page, description=xml, metadata=None, compression=compression)
    return [folder / name for name in names]


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_every_file_of_a_set_opens_the_whole_volume(tmp_path: Path, voxels: Bytes, compression: str | None) -> None:
    """Each slice comes from its own file, whichever of them was dropped."""
    files = _set(tmp_path / "s", voxels, compression)
    for file in (files[0], files[3]):
        volume = open_volume(file)
        np.testing.assert_array_equal(volume.as_array(), voxels)
        np.testing.assert_array_equal(volume[4, 2:5], voxels[4, 2:5])
        assert volume.voxel_size == pytest.approx((20, 10, 10))


def test_the_folder_of_a_set_is_that_volume_too(tmp_path: Path, voxels: Bytes) -> None:
    """Its files are slices."""
    _set(tmp_path / "s", voxels, "zlib")
    (item,) = examine([tmp_path / "s"])
    assert item.description is not None
    assert (item.description.kind, item.description.shape) == ("volume", voxels.shape)
    volume = open_volume(tmp_path / "s")
    np.testing.assert_array_equal(volume.as_array(), voxels)
    assert volume.voxel_size == pytest.approx((20, 10, 10))


def test_a_set_with_a_missing_file_is_refused(tmp_path: Path, voxels: Bytes) -> None:
    """A part is not taken for the whole; one that goes away later is named."""
    files = _set(tmp_path / "s", voxels, "zlib")
    volume = open_volume(files[0])
    files[2].unlink()
    with pytest.raises(FileError, match=r"part2\.ome\.tif"):
        volume[2]
    np.testing.assert_array_equal(volume[1], voxels[1])
    with pytest.raises(FileError, match="only a part"):
        open_volume(files[0])


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("samples", [3, 5])
def test_channels_stored_as_samples_are_asked_for(tmp_path: Path, voxels: Bytes, planar: str, samples: int) -> None:
    """Element maps, several detectors: no colours, so no brightness is made of them."""
    data = np.stack([voxels // (n + 1) for n in range(samples)], -1 if planar == "contig" else 1)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack", planarconfig=planar, metadata=None)
    with pytest.raises(QuestionError, match=f"{samples} channels") as asked:
        open_volume(tmp_path / "a.tif")
    assert [c.options for c in asked.value.question.choices] == [{"channel": i} for i in range(samples)]
    np.testing.assert_array_equal(open_volume(tmp_path / "a.tif", channel=2).as_array(), voxels // 3)
    with pytest.raises(InputError, match="no number 9"):
        open_volume(tmp_path / "a.tif", channel=9)


def test_samples_behind_the_colours_are_dropped_and_said(tmp_path: Path, voxels: Bytes) -> None:
    """RGB with two more."""
    data = np.stack([voxels] * 3 + [voxels // 2] * 2, -1)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", metadata=None)
    volume = open_volume(tmp_path / "a.tif")
    np.testing.assert_array_equal(volume.as_array(), voxels)
    assert "The 2 samples behind its colours were dropped." in volume.findings
