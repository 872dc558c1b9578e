"""The voxels of a TIFF stack: memory-mapped where they lie in one piece, else pages that are decoded when they are needed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError
from microtome.plugin import LazyArray
from microtome.store.atomic import explain
from microtome.volumes.grey import GreyRule, to_grey
from microtome.volumes.lazy import PagedArray, need_memory
from microtome.volumes.mapped import mapped, mapped_pages, stamp_of, unchanged, view_of
from microtome.volumes.tiff.layout import Layout
from microtome.volumes.tiff.parser import opened

if TYPE_CHECKING:
    import tifffile


def tiff_voxels(path: Path, layout: Layout, rule: GreyRule, starts: Sequence[int] = ()) -> LazyArray:
    """The grey stack (z, y, x) of a layout, in the file's own dtype (1-bit: uint8 of 0 and 1).

    `starts`: where the voxels of each page begin, if they lie there as they are.
    """
    dtype = np.dtype("uint8") if layout.dtype == bool else layout.dtype.newbyteorder("=")
    stored = np.dtype(layout.order + layout.dtype.char)
    if layout.offset is not None and rule.plain and layout.dtype != bool:
        whole = mapped(path, stored, shape=(*layout.outer, *layout.shape[1:]), offset=layout.offset)
        return view_of(whole, layout.pick).reshape(layout.shape)
    if starts and rule.plain:
        evenly = mapped_pages(path, stored, shape=layout.shape, starts=starts)
        if evenly is not None:
            return evenly
        read = _by_place(path, layout, stored, starts)
    else:
        read = _by_pages(path, layout, rule) if layout.pages is not None else _as_whole(path, layout, rule)
    return PagedArray(shape=layout.shape, dtype=dtype, read=read, name=str(path))


def _by_place(path: Path, layout: Layout, stored: np.dtype[Any], starts: Sequence[int]) -> Any:
    """Reads pages at known places, without a walk along the chain of directories."""
    stamp = stamp_of(path)
    count = layout.shape[1] * layout.shape[2]

    def read(indices: Sequence[int]) -> Iterator[NDArray[Any]]:
        unchanged(path, stamp)
        try:
            with open(path, "rb") as file:
                for i in indices:
                    file.seek(starts[i])
                    page = np.fromfile(file, stored, count)
                    if page.size != count:
                        raise FileError(f"{path} has changed since it was opened.", "Open it again.")
                    yield page.reshape(layout.shape[1:])
        except OSError as error:
            if isinstance(error, FileError):
                raise
            raise explain(error, path, "read") from error

    return read


def _by_pages(path: Path, layout: Layout, rule: GreyRule) -> Any:
    pages = layout.pages or ()
    files = layout.files or (path,) * len(pages)
    stamps = {file: stamp_of(file) for file in files}

    def read(indices: Sequence[int]) -> Iterator[NDArray[Any]]:
        for name, run in itertools.groupby(indices, key=lambda i: files[i]):
            unchanged(name, stamps[name])
            with opened(name, alone=bool(layout.files)) as file:
                for i in run:
                    yield _page(name, file, pages[i], layout, rule)

    return read


def _page(path: Path, file: tifffile.TiffFile, index: int, layout: Layout, rule: GreyRule) -> NDArray[Any]:
    """One decoded slice."""
    page = file.pages[index]
    need_memory(int(np.prod(page.shape, dtype=np.int64)) * layout.dtype.itemsize, str(path))
    return _fitting(path, to_grey(page.asarray(), rule), layout.shape[1:])


def _as_whole(path: Path, layout: Layout, rule: GreyRule) -> Any:
    kept: list[NDArray[Any]] = []
    stamp = stamp_of(path)

    def read(indices: Sequence[int]) -> Iterator[NDArray[Any]]:
        if not kept:
            unchanged(path, stamp)
            with opened(path) as file:
                series = file.series[layout.series]
                need_memory(int(np.prod(series.shape, dtype=np.int64)) * layout.dtype.itemsize, str(path))
                picked = series.asarray()[layout.pick] if layout.pick else series.asarray()
            flat = picked.reshape(-1, *picked.shape[-(3 if rule.samples > 1 else 2) :])
            kept.append(np.stack([_fitting(path, to_grey(page, rule), layout.shape[1:]) for page in flat]))
        for i in indices:
            yield kept[0][i]

    return read


def _fitting(path: Path, page: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if page.shape != shape:
        raise FileError(f"{path} has changed, or is damaged: a slice is {page.shape}, not {shape}.", "Open it again.")
    return page
