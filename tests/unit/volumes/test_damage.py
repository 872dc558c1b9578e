"""Damaged files: cut off, bits flipped, ranges zeroed. A file opens, or it is a sentence; no crash, no hang, no gluttony.

Every format is a line of `FORMATS`: a name, what writes a good file into a folder, the options to open it with. The files are
read in a process of their own, since what must not happen would take the tests with it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from microtome.errors import MicrotomeError
from microtome.volumes.read import describe, open_volume

Bytes = NDArray[np.uint8]
Writer = Callable[[Path, Bytes], Path]
SEED = 2018
MOST_SECONDS = 10.0
MOST_MEMORY = 2**30
_HEADER = 512
_ADDRESSES = 2**35  # bytes; what claims more shall fail, not fill the machine


@dataclass(frozen=True)
class Format:
    """A format whose damage is tried: `write(folder, voxels)` returns the good file; only its content is damaged."""

    name: str
    write: Writer
    options: dict[str, Any] = field(default_factory=dict)


def _tiff(**settings: Any) -> Writer:
    def write(folder: Path, voxels: Bytes) -> Path:
        path = folder / ("a.ome.tif" if settings.get("ome") else "a.tif")
        dtype = settings.get("dtype", "u1")
        more = {k: v for k, v in settings.items() if k != "dtype"}
        extra = {} if settings.get("imagej") or "photometric" in settings else {"photometric": "minisblack"}
        tifffile.imwrite(path, (voxels > 99) if dtype == "bool" else voxels.astype(dtype), **extra, **more)
        return path

    return write


def _fei(folder: Path, voxels: Bytes) -> Path:
    text = b"[Scan]\nPixelWidth=4e-9\nPixelHeight=4e-9\n[Image]\nResolutionX=24\nResolutionY=20\n"
    tifffile.imwrite(folder / "a.tif", voxels, metadata=None, extratags=[(34682, 7, len(text), text, True)])
    return folder / "a.tif"


def _colours(folder: Path, voxels: Bytes) -> Path:
    tifffile.imwrite(folder / "a.tif", np.stack([voxels] * 3, 1), photometric="rgb", planarconfig="separate", compression="lzw")
    return folder / "a.tif"


def _image(encode: Callable[[Bytes], bytes], ending: str) -> Writer:
    def write(folder: Path, voxels: Bytes) -> Path:
        (folder / f"a{ending}").write_bytes(encode(voxels[0]))
        return folder / f"a{ending}"

    return write


def _png(image: Bytes) -> bytes:
    return bytes(imagecodecs.png_encode(image))


def _bmp(image: Bytes) -> bytes:
    return bytes(imagecodecs.bmp_encode(image))


def _jpeg(image: Bytes) -> bytes:
    return bytes(imagecodecs.jpeg_encode(image))


def _palette(image: Bytes) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).quantize(16).save(out, "BMP")
    return out.getvalue()


def _hdf5(**settings: Any) -> Writer:
    def write(folder: Path, voxels: Bytes) -> Path:
        import h5py

        with h5py.File(folder / "a.h5", "w") as file:
            file.create_dataset("entry/data", data=voxels, **settings).attrs["element_size_um"] = (0.2, 0.1, 0.1)
        return folder / "a.h5"

    return write


def _matlab(**settings: Any) -> Writer:
    def write(folder: Path, voxels: Bytes) -> Path:
        import scipy.io

        scipy.io.savemat(folder / "a.mat", {"A": np.moveaxis(voxels, 0, 2)}, **settings)
        return folder / "a.mat"

    return write


def _mrc(folder: Path, voxels: Bytes) -> Path:
    header = bytearray(1024)
    struct.pack_into("<10i3f", header, 0, 24, 20, 6, 1, 0, 0, 0, 24, 20, 6, 240.0, 200.0, 120.0)
    struct.pack_into("<3i", header, 64, 1, 2, 3)
    header[208:216] = b"MAP \x44\x44\0\0"
    (folder / "a.mrc").write_bytes(bytes(header) + voxels.astype("<i2").tobytes())
    return folder / "a.mrc"


def _nrrd(encoding: str, encode: Callable[[bytes], bytes]) -> Writer:
    def write(folder: Path, voxels: Bytes) -> Path:
        text = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 24 20 6\nspacings: 1 1 2\n"
        text += f'units: "nm" "nm" "nm"\nencoding: {encoding}\n\n'
        (folder / "a.nrrd").write_bytes(text.encode() + encode(voxels.tobytes()))
        return folder / "a.nrrd"

    return write


def _metaimage(folder: Path, voxels: Bytes) -> Path:
    text = "NDims = 3\nDimSize = 24 20 6\nCompressedData = True\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    (folder / "a.mha").write_bytes(text.encode() + zlib.compress(voxels.tobytes()))
    return folder / "a.mha"


def _numpy(save: Callable[..., None], ending: str) -> Writer:
    def write(folder: Path, voxels: Bytes) -> Path:
        save(folder / f"a{ending}", voxels)
        return folder / f"a{ending}"

    return write


def _zarr_zip(folder: Path, voxels: Bytes) -> Path:
    import zarr

    store = zarr.storage.ZipStore(str(folder / "a.zarr.zip"), mode="w")
    zarr.create_array(store, data=voxels, chunks=(4, 16, 16))
    store.close()
    return folder / "a.zarr.zip"


def _ripple(folder: Path, voxels: Bytes) -> Path:
    words = {"width": 24, "height": 20, "depth": 6, "offset": 0, "data-length": 1, "data-type": "unsigned"}
    words |= {"byte-order": "dont-care", "record-by": "image"}
    (folder / "a.raw").write_bytes(voxels.tobytes())
    (folder / "a.rpl").write_text("key\tvalue\n" + "".join(f"{k}\t{v}\n" for k, v in words.items()))
    return folder / "a.rpl"


def _emd(folder: Path, voxels: Bytes) -> Path:
    import h5py

    with h5py.File(folder / "a.emd", "w") as file:
        file.attrs.update({"version_major": 0, "version_minor": 2})
        group = file.create_group("data/scan")
        group.attrs["emd_group_type"] = 1
        group["data"] = voxels
        for i, count in enumerate(voxels.shape):
            axis = group.create_dataset(f"dim{i + 1}", data=np.arange(count) * 2.0)
            axis.attrs.update({"name": "zyx"[i], "units": "nm"})
    return folder / "a.emd"


FORMATS = (
    Format("tiff in one piece", _tiff(metadata=None)),
    Format("tiff, bigtiff of float32", _tiff(bigtiff=True, dtype="f4")),
    Format("tiff, imagej big-endian uint16", _tiff(imagej=True, dtype=">u2", metadata={"axes": "ZYX", "unit": "nm"})),
    Format("tiff, ome", _tiff(ome=True, metadata={"axes": "ZYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1})),
    Format("tiff, deflate with predictor", _tiff(compression="zlib", predictor=True)),
    Format("tiff, lzw tiles of float32", _tiff(tile=(16, 16), compression="lzw", dtype="f4")),
    Format("tiff, packbits strips", _tiff(compression="packbits", rowsperstrip=3)),
    Format("tiff, zstd", _tiff(compression="zstd")),
    Format("tiff, jpeg", _tiff(compression="jpeg")),
    Format("tiff, 1 bit", _tiff(dtype="bool")),
    Format("tiff, planar colours", _colours),
    Format("tiff, fei", _fei),
    Format("png", _image(_png, ".png")),
    Format("bmp", _image(_bmp, ".bmp")),
    Format("bmp, palette", _image(_palette, ".bmp")),
    Format("jpeg", _image(_jpeg, ".jpg")),
    Format("hdf5", _hdf5()),
    Format("hdf5, deflate", _hdf5(chunks=(2, 10, 24), compression="gzip", shuffle=True, fletcher32=True)),
    Format("matlab", _matlab()),
    Format("matlab, compressed", _matlab(do_compression=True)),
    Format("mrc", _mrc),
    Format("nrrd", _nrrd("raw", bytes)),
    Format("nrrd, gzip", _nrrd("gzip", gzip.compress)),
    Format("nrrd, bzip2", _nrrd("bzip2", bz2.compress)),
    Format("metaimage", _metaimage),
    Format("npy", _numpy(np.save, ".npy")),
    Format("npz", _numpy(np.savez, ".npz")),
    Format("npz, compressed", _numpy(np.savez_compressed, ".npz")),
    Format("zarr in a zip file", _zarr_zip),
    Format("ripple", _ripple),
    Format("emd", _emd),
)


def mutated(whole: bytes, rng: np.random.Generator) -> bytes:
    """The bytes of a good file, damaged in one of five ways; the header is hit as often as all the rest."""
    data = bytearray(whole)
    at = int(rng.integers(min(_HEADER, len(data)) if rng.random() < 0.5 else len(data)))
    match int(rng.integers(5)):
        case 0:
            return bytes(data[:at])
        case 1:
            for place in rng.integers(0, len(data), int(rng.integers(1, 8))):
                data[place] ^= 1 << int(rng.integers(8))
        case 2:
            data[at : at + int(rng.integers(1, 200))] = bytes(int(rng.integers(1, 200)))
        case 3:
            data[at] = int(rng.integers(256))
        case _:
            length = int(rng.integers(1, 9))
            data[at : at + length] = b"\xff" * length
    return bytes(data)


def _one(path: Path, options: dict[str, Any]) -> str:
    """What came of a file: "opened" or "refused"; anything else is raised."""
    try:
        describe(path, **options)
        voxels = open_volume(path, **options).as_array()
        np.count_nonzero(voxels)  # every byte is touched
    except MicrotomeError as error:
        assert error.message
        return "refused"
    return "opened"


def damage(folder: Path, per_format: int) -> dict[str, Any]:
    """Damage every format's good file `per_format` times and read each: counts, the longest time (s), the memory (bytes).

    What is being read stands in `last.json`, for the case that the process does not live to tell.
    """
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    voxels = np.random.default_rng(5).integers(1, 255, (6, 20, 24)).astype(np.uint8)
    found: dict[str, Any] = {"opened": 0, "refused": 0, "longest": 0.0, "slowest": "", "formats": {}}
    for number, one in enumerate(FORMATS):
        here = folder / str(number)
        here.mkdir()
        good = one.write(here, voxels)
        whole = good.read_bytes()
        assert _one(good, one.options) == "opened", one.name
        refused = 0
        for i in range(per_format):
            good.write_bytes(mutated(whole, np.random.default_rng((SEED, number, i))))
            (folder / "last.json").write_text(json.dumps({"format": one.name, "number": i}))
            start = time.perf_counter()
            answer = _one(good, one.options)
            took = time.perf_counter() - start
            found[answer] += 1
            refused += answer == "refused"
            if took > found["longest"]:
                found |= {"longest": took, "slowest": f"{one.name}, number {i}"}
        found["formats"][one.name] = refused
    return found | {"memory": _peak()}


def _peak() -> int:
    """The most memory that this program kept, in bytes."""
    # Linux counts what the parent had before this program began into ru_maxrss, but not into the high-water mark.
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _run(folder: Path, per_format: int) -> dict[str, Any]:
    """`damage` in a process of its own, which is given the time that all files together may take at most."""
    limit = MOST_SECONDS * per_format * len(FORMATS)
    command = [sys.executable, "-W", "error", __file__, str(folder), str(per_format)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    last = (folder / "last.json").read_text() if (folder / "last.json").exists() else "the first file"
    assert done.returncode == 0, f"{last} ended the process ({done.returncode}):\n{done.stderr[-3000:]}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _check(found: dict[str, Any], count: int) -> None:
    assert found["opened"] + found["refused"] == count
    assert found["longest"] < MOST_SECONDS, found["slowest"]
    assert found["memory"] < MOST_MEMORY
    assert found["refused"] > count // 5
    assert found["opened"] > count // 20


@pytest.mark.parametrize("one", FORMATS, ids=lambda f: f.name)
def test_no_part_is_taken_for_the_whole(tmp_path: Path, voxels: Bytes, one: Format) -> None:
    """However many bytes are cut off, the file is refused, unless only words behind the voxels are gone."""
    good = one.write(tmp_path, voxels)
    whole = good.read_bytes()
    all_voxels = open_volume(good, **one.options).as_array().copy()
    for length in range(0, len(whole), max(1, len(whole) // 25)):
        good.write_bytes(whole[:length])
        try:
            found = open_volume(good, **one.options).as_array()
        except MicrotomeError:
            continue
        np.testing.assert_array_equal(found, all_voxels, err_msg=f"cut at {length}")


needs_limits = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limits of resources")


@needs_limits
def test_a_little_damage_is_never_more_than_a_sentence(tmp_path: Path) -> None:
    """About a hundred damaged files of all kinds."""
    _check(_run(tmp_path, 7), 7 * len(FORMATS))


@pytest.mark.slow
@needs_limits
def test_much_damage_is_never_more_than_a_sentence(tmp_path: Path) -> None:
    """More than two thousand damaged files: no crash, none over ten seconds, less than 1 GB of memory."""
    found = _run(tmp_path, 140)
    print(json.dumps(found, indent=1))
    _check(found, 140 * len(FORMATS))


if __name__ == "__main__":
    print(json.dumps(damage(Path(sys.argv[1]), int(sys.argv[2]))))
