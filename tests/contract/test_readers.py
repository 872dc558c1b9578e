"""Every built-in reader keeps the readers' contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from microtome.contract import ReaderContract


class TestTiff(ReaderContract):
    """A plain multi-page TIFF, memory-mapped."""

    name = "tiff"
    dtypes = ("uint8", "int8", "uint16", "int16", "uint32", "float32", "float64")

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """One piece of voxels behind the header."""
        tifffile.imwrite(folder / "stack.tif", voxels, metadata=None, photometric="minisblack")
        return folder / "stack.tif", {}


class TestCompressedTiff(ReaderContract):
    """A compressed TIFF, read by pages."""

    name = "tiff"

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """Deflate with a predictor."""
        tifffile.imwrite(
            folder / "zip.tif", voxels, compression="zlib", predictor=True, metadata=None, photometric="minisblack"
        )
        return folder / "zip.tif", {}


class TestImageJTiff(ReaderContract):
    """ImageJ's big-endian stack with one directory."""

    name = "tiff"

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """As ImageJ writes it."""
        tifffile.imwrite(folder / "ij.tif", voxels, imagej=True, metadata={"axes": "ZYX"})
        return folder / "ij.tif", {}


class TestTiffFolder(ReaderContract):
    """A folder of single-page TIFFs."""

    name = "folder"

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """One file a slice, numbered without zeros in front."""
        target = folder / "slices"
        target.mkdir()
        for z, page in enumerate(voxels):
            tifffile.imwrite(target / f"{z}.tif", page, metadata=None)
        return target, {}


class TestPngFolder(ReaderContract):
    """A folder of PNGs."""

    name = "folder"
    dtypes = ("uint8", "uint16")
    shape = (12, 7, 11)

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """One file a slice, 0.png … 11.png."""
        target = folder / "slices"
        target.mkdir()
        for z, page in enumerate(voxels):
            (target / f"{z}.png").write_bytes(imagecodecs.png_encode(page))
        return target, {}


class TestBmp(ReaderContract):
    """One BMP is a volume of one slice."""

    name = "image"
    dtypes = ("uint8",)
    shape = (1, 8, 12)

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """One image."""
        (folder / "one.bmp").write_bytes(imagecodecs.bmp_encode(voxels[0]))
        return folder / "one.bmp", {}

    def test_reads_any_part(self, tmp_path: Path) -> None:
        """Slicing one slice."""
        voxels = self._voxels("uint8")
        path, _ = self.write(tmp_path, voxels)
        volume = self.plugin.call(path).voxels
        np.testing.assert_array_equal(volume[0, 2:4, -1], voxels[0, 2:4, -1])


class TestNpy(ReaderContract):
    """NumPy's single arrays."""

    name = "npy"
    dtypes = ("uint8", "int16", "float32", "float64")

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """numpy.save."""
        np.save(folder / "a.npy", voxels)
        return folder / "a.npy", {}


class TestNpz(ReaderContract):
    """NumPy's archives."""

    name = "npz"

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """Two arrays, of which one is a volume."""
        np.savez_compressed(folder / "a.npz", volume=voxels, other=np.arange(3))
        return folder / "a.npz", {}


class TestRaw(ReaderContract):
    """Headerless voxels whose shape and type the user gives."""

    name = "raw"
    dtypes = ("uint8", "uint16", "int32", "float32")

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """Big-endian behind a header of 3 bytes."""
        path = folder / "x.raw"
        path.write_bytes(b"abc" + voxels.astype(voxels.dtype.newbyteorder(">")).tobytes())
        return path, {"shape": list(voxels.shape), "dtype": voxels.dtype.name, "byte_order": "big", "offset": 3}
