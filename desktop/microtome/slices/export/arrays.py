"""An image set as arrays for other programs: one NumPy archive, or one Zarr group of version 3."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.slices.imageset import ImageSet

_BLOCK = 4 * 2**20  # bytes of images at once, and of a chunk of Zarr
Blocks = Callable[[int], Iterator[tuple[int, NDArray[Any]]]]
"""blocks(size) → (number of the first image, images) in turn, `size` images each"""


def _size(image_set: ImageSet, dtype: np.dtype[Any]) -> int:
    pixels = int(np.prod(image_set.images.shape[1:]))
    return max(1, _BLOCK // (pixels * dtype.itemsize))


def _small(image_set: ImageSet, columns: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[Any]]:
    """The arrays (n,) beside the images: what each image is, and where it lies."""
    more = {name: values for name, values in columns.items() if name != "volume"}
    volumes = columns["volume"].astype(np.int64) if "volume" in columns else np.zeros(len(image_set), np.int64)
    return {"label": image_set.labels, "set": image_set.sets, "volume": volumes, **more}


def write_npz(
    path: Path,
    image_set: ImageSet,
    dtype: np.dtype[Any],
    blocks: Blocks,
    columns: Mapping[str, NDArray[np.float64]],
    said: Mapping[str, Any],
) -> None:
    """Write an archive that numpy.load reads without pickle, image by image: it never has to fit into memory.

    Besides the images, (n, h, w) or in colour (n, 3, h, w): label, set and volume index into the texts classes, sets and
    volumes; one array a column.
    """
    texts = {name: np.array(said[name], dtype=np.str_) for name in ("classes", "sets", "volumes")}
    numbers = {name: np.array(said[name]) for name in ("pixel_edge", "grey_low", "grey_step")}
    small = {**_small(image_set, columns), **texts, **numbers, "unit": np.array(said["unit"], dtype=np.str_)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        with archive.open("images.npy", "w", force_zip64=True) as file:
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": image_set.images.shape}
            np.lib.format.write_array_header_1_0(file, header)
            for _, images in blocks(_size(image_set, dtype)):
                file.write(np.ascontiguousarray(images, dtype=dtype).data)
        for name, values in small.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)


def write_zarr(
    path: Path,
    image_set: ImageSet,
    dtype: np.dtype[Any],
    blocks: Blocks,
    columns: Mapping[str, NDArray[np.float64]],
    said: Mapping[str, Any],
) -> None:
    """Write a group of version 3: images, label, set, volume and one array a column; all else as attributes."""
    import zarr

    root = zarr.open_group(str(path), mode="w", zarr_format=3)
    root.attrs.update(dict(said))
    size = _size(image_set, dtype)
    shape = image_set.images.shape
    images = root.create_array(
        name="images",
        shape=shape,
        chunks=(min(size, shape[0]), *shape[1:]),
        dtype=dtype,
        config={"write_empty_chunks": True},  # else a chunk of zeros would look like one that is lost
    )
    images.attrs.update({"pixel_size": [said["pixel_edge"]] * 2, "unit": said["unit"]})
    for first, block in blocks(size):
        images[first : first + len(block)] = block
    for name, values in _small(image_set, columns).items():
        array = root.create_array(name=name, shape=values.shape, dtype=values.dtype)
        array[:] = values
