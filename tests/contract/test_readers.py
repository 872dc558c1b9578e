"""Every built-in reader keeps the readers' contract."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import h5py
import imagecodecs
import mrcfile
import nrrd
import numpy as np
import scipy.io
import tifffile
import zarr
from numpy.typing import NDArray

from microtome.contract import ParticleContract, ReaderContract
from microtome.plugin import Structure


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


class TestXyz(ParticleContract):
    """Extended XYZ, as its specification's example has it."""

    name = "xyz"
    wraps = (False, True, True)

    def write(self, folder: Path, structure: Structure) -> tuple[Path, dict[str, Any]]:
        """Rows of a name, a place and a radius below a comment line that names them."""
        z, y, x = structure.box
        comment = f'Lattice="{x} 0.0 0.0 0.0 {y} 0.0 0.0 0.0 {z}" unit=nm pbc="T T F" '
        comment += "Properties=species:S:1:pos:R:3:id:I:1:radius:R:1"
        rows = "".join(f"{n} {c[2]} {c[1]} {c[0]} {i} {r}\n" for i, (n, c, r) in enumerate(_particles(structure)))
        (folder / "a.xyz").write_text(f"{len(structure.radii)}\n{comment}\n{rows}")
        return folder / "a.xyz", {}


class TestPackedXyz(ParticleContract):
    """XYZ with its radii in a column without a name, and the box from the user; compressed."""

    name = "xyz"
    unit = "voxel"

    def write(self, folder: Path, structure: Structure) -> tuple[Path, dict[str, Any]]:
        """Five columns, gzip."""
        rows = "".join(f"{n}\t{c[2]}\t{c[1]}\t{c[0]}\t{r}\r\n" for n, c, r in _particles(structure))
        (folder / "a.xyz.gz").write_bytes(gzip.compress(f"{len(structure.radii)}\r\nmade\r\n{rows}".encode()))
        return folder / "a.xyz.gz", {"radius_column": 5, "box": list(structure.box)}


class TestLammpsData(ParticleContract):
    """LAMMPS's data files."""

    name = "lammps-data"
    names = ("1", "2")
    unit = "voxel"

    def write(self, folder: Path, structure: Structure) -> tuple[Path, dict[str, Any]]:
        """Atom style sphere with image flags, a box that begins below zero."""
        ends = "".join(f"{-edge / 2} {edge / 2} {a}lo {a}hi\n" for a, edge in zip("zyx", structure.box, strict=True))
        z, y, x = structure.box
        rows = "".join(
            f"{i} {n} {2 * r} 1.0 {c[2] - x / 2} {c[1] - y / 2} {c[0] - z / 2} 0 0 0\n"
            for i, (n, c, r) in enumerate(_particles(structure), 1)
        )
        head = f"LAMMPS data file\n\n{len(structure.radii)} atoms\n2 atom types\n\n{ends}"
        (folder / "data.filler").write_text(
            f"{head}\nMasses\n\n1 1.0\n2 1.0\n\nAtoms # sphere\n\n{rows}\nVelocities\n\n1 0 0 0\n"
        )
        return folder / "data.filler", {}


class TestLammpsDump(ParticleContract):
    """LAMMPS's text dumps."""

    name = "lammps-dump"
    names = ("1", "2")
    wraps = (False, True, True)

    def write(self, folder: Path, structure: Structure) -> tuple[Path, dict[str, Any]]:
        """Scaled places and diameters, units nano."""
        box = structure.box
        bounds = "".join(f"{-edge / 2} {edge / 2}\n" for edge in reversed(box))
        rows = "".join(
            f"{i} {n} {c[2] / box[2]!r} {c[1] / box[1]!r} {c[0] / box[0]!r} {2 * r}\n".replace("np.float64(", "").replace(
                ")", ""
            )
            for i, (n, c, r) in enumerate(_particles(structure), 1)
        )
        head = f"ITEM: UNITS\nnano\nITEM: TIMESTEP\n7\nITEM: NUMBER OF ATOMS\n{len(structure.radii)}\n"
        head += f"ITEM: BOX BOUNDS pp pp ff\n{bounds}"
        (folder / "a.lammpstrj").write_text(f"{head}ITEM: ATOMS id type xs ys zs diameter\n{rows}")
        return folder / "a.lammpstrj", {}


class TestTable(ParticleContract):
    """Tables of numbers."""

    name = "table"
    counts = False

    def write(self, folder: Path, structure: Structure) -> tuple[Path, dict[str, Any]]:
        """Columns in an order of their own, with units in their names and the box in a comment."""
        z, y, x = structure.box
        rows = "".join(f"{i},{n},{r},{c[0]},{c[1]},{c[2]}\n" for i, (n, c, r) in enumerate(_particles(structure)))
        head = f"# filler in a box of {x} {y} {z} nm, periodic: xyz\nid,type,R (nm),Z (nm),Y (nm),X (nm)\n"
        (folder / "a.csv").write_text(head + rows)
        return folder / "a.csv", {}


class TestGro(ParticleContract):
    """GROMACS's structures."""

    name = "gro"
    digits = 1e-6

    def write(self, folder: Path, structure: Structure) -> tuple[Path, dict[str, Any]]:
        """Fixed columns."""
        z, y, x = structure.box
        rows = "".join(
            f"{i:5d}FIL  {n:>5}{i:5d}{c[2]:8.3f}{c[1]:8.3f}{c[0]:8.3f}\n"
            for i, (n, c, _) in enumerate(_particles(structure), 1)
        )
        (folder / "a.gro").write_text(f"made\n{len(structure.radii):5d}\n{rows}{x:10.5f}{y:10.5f}{z:10.5f}\n")
        return folder / "a.gro", {"radii": "Si=7, C=5.5"}


class TestPdb(ParticleContract):
    """Protein Data Bank files."""

    name = "pdb"
    names = ("SI", "C")
    digits = 1e-6
    counts = False

    def lengths(self) -> float:
        """Å."""
        return 10.0

    def write(self, folder: Path, structure: Structure) -> tuple[Path, dict[str, Any]]:
        """Fixed columns."""
        cell = "CRYST1" + "".join(f"{10 * edge:9.3f}" for edge in reversed(structure.box))
        rows = "".join(
            f"HETATM{i:5d} {n:<4} FIL A{i:4d}    {10 * x:8.3f}{10 * y:8.3f}{10 * z:8.3f}  1.00  0.00          {n:>2}\n"
            for i, (n, (z, y, x), _) in enumerate(_particles(structure), 1)
        )
        (folder / "a.pdb").write_text(f"{cell}  90.00  90.00  90.00 P 1           1\n{rows}END\n")
        return folder / "a.pdb", {"radii": "SI=70, C=55"}


def _particles(structure: Structure) -> Iterator[tuple[str, list[float], float]]:
    """Name, place (z, y, x) and radius of each particle."""
    types = [] if structure.types is None else structure.types.tolist()
    return zip([structure.names[t] for t in types], structure.centres.tolist(), structure.radii.tolist(), strict=True)


class TestHdf5(ReaderContract):
    """One data set in a group, in chunks."""

    name = "hdf5"
    dtypes = ("uint8", "int16", "uint16", "float32", "float64")

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """h5py, big-endian and compressed."""
        with h5py.File(folder / "a.h5", "w") as file:
            kind = voxels.dtype.newbyteorder(">")
            file.create_dataset("entry/data", data=voxels.astype(kind), chunks=(2, 3, 4), compression="gzip", fletcher32=True)
        return folder / "a.h5", {}


class TestXdmf(ReaderContract):
    """A text that names a data set of an HDF5 file beside it."""

    name = "xdmf"
    dtypes = ("uint8",)

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """Without a geometry."""
        with h5py.File(folder / "a.h5", "w") as file:
            file["image"] = voxels
        size = " ".join(str(n) for n in voxels.shape)
        item = f'<DataItem Format="HDF" Dimensions="{size}" NumberType="UChar" Precision="1">a.h5:/image</DataItem>'
        grid = f'<Grid Name="G"><Attribute Name="A" Center="Cell">{item}</Attribute></Grid>'
        (folder / "a.xmf").write_text(f'<Xdmf Version="3.0"><Domain>{grid}</Domain></Xdmf>')
        return folder / "a.xmf", {}


class TestZarrFolder(ReaderContract):
    """A store of version 2, one file a chunk."""

    name = "zarr"
    dtypes = ("uint8", "int16", "uint16", "float32")

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """Compressed chunks that do not divide the shape."""
        zarr.create_array(str(folder / "a.zarr"), data=voxels, chunks=(2, 4, 4), zarr_format=2)
        return folder / "a.zarr", {}


class TestZarrZip(ReaderContract):
    """A store of version 3 in a zip file."""

    name = "zarr"

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """One array at the root."""
        store = zarr.storage.ZipStore(str(folder / "a.zarr.zip"), mode="w")
        zarr.create_array(store, data=voxels, chunks=(2, 4, 4))
        store.close()
        return folder / "a.zarr.zip", {}


class TestMrc(ReaderContract):
    """Maps of the modes 1, 2, 6 and 0."""

    name = "mrc"
    dtypes = ("int16", "uint16", "float32", "int8")

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """mrcfile."""
        if voxels.dtype == np.int8:
            voxels -= 100
        with mrcfile.new(str(folder / "a.mrc")) as file:
            file.set_data(voxels)
        return folder / "a.mrc", {}


class TestNrrd(ReaderContract):
    """Attached raw voxels."""

    name = "nrrd"
    dtypes = ("uint8", "int16", "uint16", "int32", "float32", "float64")

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """pynrrd."""
        nrrd.write(str(folder / "a.nrrd"), voxels, {"encoding": "raw"}, index_order="C")
        return folder / "a.nrrd", {}


class TestCompressedNrrd(ReaderContract):
    """Attached gzip."""

    name = "nrrd"

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """pynrrd."""
        nrrd.write(str(folder / "a.nrrd"), voxels, {"encoding": "gzip"}, index_order="C")
        return folder / "a.nrrd", {}


class TestMetaImage(ReaderContract):
    """One file, big-endian."""

    name = "metaimage"
    types: ClassVar[dict[str, str]] = {"uint8": "MET_UCHAR", "uint16": "MET_USHORT", "float32": "MET_FLOAT"}

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """The header as ITK writes it."""
        size = " ".join(str(n) for n in reversed(voxels.shape))
        text = f"ObjectType = Image\nNDims = 3\nBinaryData = True\nElementByteOrderMSB = True\nDimSize = {size}\n"
        text += f"ElementType = {self.types[voxels.dtype.name]}\nElementDataFile = LOCAL\n"
        (folder / "a.mha").write_bytes(text.encode() + voxels.astype(voxels.dtype.newbyteorder(">")).tobytes())
        return folder / "a.mha", {}


class TestMatlab(ReaderContract):
    """A(y, x, z), compressed as MATLAB does."""

    name = "mat"
    dtypes = ("uint8", "int16", "uint16", "float32", "float64")

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """scipy."""
        scipy.io.savemat(folder / "a.mat", {"A": np.moveaxis(voxels, 0, 2)}, do_compression=True)
        return folder / "a.mat", {}


class TestMatlab73(ReaderContract):
    """Version 7.3 is HDF5 behind 512 bytes of text, its axes the other way round."""

    name = "mat"
    dtypes = ("uint8", "uint16", "float64")

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """h5py with a user block."""
        path = folder / "a.mat"
        with h5py.File(path, "w", userblock_size=512) as file:
            file["A"] = np.moveaxis(voxels, 0, 2).T
        content = path.read_bytes()
        path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(128) + content[128:])
        return path, {}


class TestMicroscope(ReaderContract):
    """Berkeley's EMD, which calls its axes by their names."""

    name = "microscope"

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """h5py, without units."""
        with h5py.File(folder / "a.emd", "w") as file:
            file.attrs.update({"version_major": 0, "version_minor": 2})
            group = file.create_group("data/scan")
            group.attrs["emd_group_type"] = 1
            group["data"] = voxels
            for i, count in enumerate(voxels.shape):
                group.create_dataset(f"dim{i + 1}", data=np.arange(count)).attrs.update({"name": "zyx"[i], "units": ""})
        return folder / "a.emd", {}
