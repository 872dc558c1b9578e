"""Every legal but odd TIFF of another project's tests, against libtiff as an independent decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.questions import QuestionError
from microtome.volumes.read import open_volume

PRINT_COLOURS = {
    "cmyk-3c-16b.tiff",
    "cmyk-3c-32b-float.tiff",
    "cmyk-3c-8b.tiff",
    "cmyk-4c-8b.tiff",
    "logluv-3c-16b.tiff",
    "seq-4c-16b-cmyk-c6e52592.tiff",
    "seq-4c-8b-cmyk-352ac1da.tiff",
    "tiled-cmyk-i8.tif",
}
"""CMYK and LogLuv: refused, since they have no grey value."""
CHANNELS = {"seq-3c-i8-d7550ce4.tiff", "seq-3c-i16-f7fcf423.tiff"}
"""Three samples that their file does not call colours: which of them is asked."""
PALETTES = {"palette-1c-4b.tiff", "palette-1c-8b.tiff", "seq-1c-4b-palette-85108c5a.tiff", "seq-1c-8b-palette-89b39bc3.tiff"}
"""True colours behind numbers: the numbers are taken, and it is said."""
INVERTED = {
    "imagemagick_group4.tiff": 1,
    "miniswhite-1c-1b.tiff": 1,
    "miniswhite-1c-3b.tiff": 3,
    "miniswhite-1c-6b.tiff": 6,
    "miniswhite-1c-12b.tiff": 12,
    **{f"seq-1c-1b-{n}-71f6a21a.tiff": 1 for n in ("fax3", "fax3-fillbits", "fax3-lsb", "miniswhite")},
    "seq-1c-3b-miniswhite-ef237c07.tiff": 3,
    "seq-1c-4b-miniswhite-fb92dcae.tiff": 4,
    "seq-1c-5b-miniswhite-73098d17.tiff": 5,
    "seq-1c-6b-miniswhite-79cafbb6.tiff": 6,
    "seq-1c-7b-miniswhite-9c61ba70.tiff": 7,
    "seq-1c-10b-miniswhite-6d739fa2.tiff": 10,
    "seq-1c-12b-miniswhite-47c39b31.tiff": 12,
    "seq-1c-14b-miniswhite-e883657f.tiff": 14,
    "seq-1c-24b-miniswhite-072a9dc9.tiff": 24,
}
"""White is zero: libtiff gives the stored numbers, a volume larger is brighter; the bits."""


def _decoded(path: Path) -> NDArray[Any]:
    """The first page's samples (y, x) or (y, x, s), by libtiff."""
    found = imagecodecs.tiff_decode(path.read_bytes())
    found = found.astype(np.uint8) if found.dtype == bool else found
    return np.moveaxis(found, 0, -1) if found.ndim == 3 and found.shape[2] > 4 else found


def _expected(path: Path) -> NDArray[Any]:
    """What a grey volume shows of these samples."""
    stored = _decoded(path)
    if path.name == "palette-1c-1b.tiff":  # its two colours are black and white
        return stored * 255
    if path.name == "hpredict-1c-12b.tiff":  # libtiff leaves the differences of 12-bit samples as they are
        return np.cumsum(stored, axis=1)
    if stored.ndim == 2:
        return ((1 << INVERTED[path.name]) - 1) - stored if path.name in INVERTED else stored
    if stored.shape[2] == 2:
        return stored[..., 0]
    grey = stored[..., :3].astype(np.float64) @ [0.2126, 0.7152, 0.0722]
    return grey if stored.dtype.kind == "f" else np.rint(grey)


@pytest.mark.shared
def test_each_file_gives_libtiffs_voxels_or_is_refused(shared: Path) -> None:
    """To the bit where one sample is stored; colours to half a step of their brightness, JPEG colours to two."""
    refused, asked, with_table, opened = set(), set(), set(), 0
    for path in sorted((shared / "odd-tiff").rglob("*.tif*")):
        try:
            volume = open_volume(path)
        except QuestionError as error:
            asked.add(path.name)
            for choice, sample in zip(error.question.choices, np.moveaxis(_decoded(path), -1, 0), strict=True):
                np.testing.assert_array_equal(open_volume(path, **choice.options)[0], sample, err_msg=path.name)
            continue
        except InputError as error:
            assert "no grey value" in str(error)
            refused.add(path.name)
            continue
        opened += 1
        assert volume.shape[0] == (3 if "multipage" in path.name else 1)
        found, expected = volume[0], _expected(path)
        if _decoded(path).ndim == 2:
            np.testing.assert_array_equal(found, expected, err_msg=path.name)
            assert found.dtype == _decoded(path).dtype or path.name == "palette-1c-1b.tiff"
        else:
            wide = 2.0 if "jpeg" in path.name or "jpg" in path.name else 1e-6 * float(np.abs(expected).max()) + 1
            np.testing.assert_allclose(found.astype(np.float64), expected, atol=wide, rtol=1e-6, err_msg=path.name)
            assert volume.findings, path.name
        if any("colour table" in f for f in volume.findings):
            with_table.add(path.name)
    assert refused == PRINT_COLOURS
    assert asked == CHANNELS
    assert with_table == PALETTES
    assert opened == 134


@pytest.mark.shared
def test_the_one_bit_stack_of_two_phases_is_another_volume(shared: Path) -> None:
    """Raw uint8, raw uint16 and HDF5 are one volume; no reading of the 1-bit TIFF can be it.

    Turning, mirroring, shifting and another order of bits, rows or pages only choose among the ones that are stored. The three
    have 399,553 ones in a million voxels, the TIFF has 398,309 in all, padding included, and with white for black 601,691 or
    more: at least 1,244 voxels differ whatever way it is read. (Nor is it nearly the same: over the 48 orientations and all
    cyclic shifts the correlation stays below 0.04.) Its own bits are read right, which the comparison with the bytes shows.
    """
    import h5py

    folder, name = shared / "two-phase", "SampleData_2Phase_stack_3d_{}".format
    shape = [100, 100, 100]
    eight = open_volume(folder / name("uint8.raw"), shape=shape, dtype="uint8").as_array()
    sixteen = open_volume(folder / name("uint16le.raw"), shape=shape, dtype="uint16").as_array()
    with h5py.File(folder / "SampleData_2Phase_3d.hdf5") as file:
        np.testing.assert_array_equal(file["image"][:], eight)
    np.testing.assert_array_equal(sixteen, eight.astype(np.uint16) * 257)
    bits = open_volume(folder / name("1bit.tif"))[:]
    whole = np.fromfile(folder / name("1bit.tif"), np.uint8)
    with tifffile.TiffFile(folder / name("1bit.tif")) as file:
        starts = [page.dataoffsets[0] for page in file.pages]
    stored = np.stack([np.unpackbits(whole[at : at + 1300].reshape(100, 13), axis=1) for at in starts])
    np.testing.assert_array_equal(bits, stored[..., :100])
    assert int(stored[..., 100:].sum()) == 0
    assert (int(eight.sum()), int(bits.sum())) == (399_553, 398_309)
    assert int(bits.sum()) not in (399_553, 1_000_000 - 399_553)
