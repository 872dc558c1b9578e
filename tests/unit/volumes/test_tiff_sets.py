"""OME-TIFF sets: one volume whose planes lie in several files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from microtome.errors import FileError
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
            f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" {sizes} {scale}>{planes}</Pixels></Image></OME>'
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
