"""Zarr stores (versions 2 and 3, folders and zip files) and OME-Zarr: their arrays, axes and voxel sizes."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from microtome.errors import FileError, MicrotomeError
from microtome.plugin import RawVolume
from microtome.volumes.damage import reason
from microtome.volumes.formats.containers import Box, BoxArray, Found, Picked, is_numeric, named, one_of, pick, with_axes
from microtome.volumes.lazy import need_memory
from microtome.volumes.scale.attributes import meant, size_of

if TYPE_CHECKING:
    import zarr

MARKERS = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
"""The files that make a folder a Zarr store."""
DAMAGE = (
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    AssertionError,
    EOFError,
    ArithmeticError,
    UnicodeError,
    RecursionError,
    zipfile.BadZipFile,
)
"""What zarr and its codecs raise for damaged stores."""
_MOST = 1000  # arrays and groups that are looked at
_COUNTED = 20_000  # chunks; whether a larger array is whole is not looked up
_AGAIN = "Copy or export it again."
Size = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """An array of a store, with the scale an axis and its unit where OME metadata give them."""

    found: Found
    scale: tuple[float, ...] | None = None
    units: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


def is_zarr(path: Path) -> bool:
    """Whether a folder, or a zip file by its table of contents, is a Zarr store; raises nothing."""
    try:
        if path.is_dir():
            return any((path / m).is_file() for m in MARKERS)
        with zipfile.ZipFile(path) as archive:
            return any(m in archive.NameToInfo for m in MARKERS)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return False


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The array or group at the root of a store; whatever zarr raises becomes a FileError."""
    import zarr

    store: Any = str(path)
    try:
        if path.is_file():
            store = zarr.storage.ZipStore(str(path), mode="r")
        try:
            yield zarr.open(store=store, mode="r")
        finally:
            if path.is_file():
                store.close()
    except MicrotomeError:
        raise
    except DAMAGE as error:
        raise FileError(f"{path} cannot be read as Zarr ({reason(error)}).", _AGAIN) from error


def open_zarr(path: Path, *, dataset: str = "", channel: int = -1, time: int = -1, index: str = "") -> RawVolume:
    """An array of a Zarr store as a lazy volume; of an OME-Zarr pyramid the finest level, where none is named.

    Raises QuestionError where there are several volumes, channels or points in time, FileError for a damaged store.
    """
    with _opened(path) as root:
        seen = list(_arrays(root, ""))
        one = _named_level(root, dataset) if dataset else None
        if one is None:
            chosen = one_of([s.found for s in seen], dataset, path, what="array")
            one = next(s for s in seen if s.found is chosen)
        given = {"dataset": one.found.name} if dataset or len(seen) > 1 else {}
        picked = pick(one.found, path, channel=channel, time=time, index=index, given=given, channels=one.channels)
        array = _at(root, one.found.name)
        chunks = tuple(int(n) for n in array.chunks)
        block = math.prod(chunks) * one.found.dtype.itemsize
        need_memory(block, f"One chunk of {path}")
        findings = _unwritten(array, path)
        size, unit, more = _voxel_size(one, array, root, picked)
    if len(seen) > 1 and not dataset:
        findings = (f"Of {len(seen)} arrays {one.found.name} was taken.", *findings)
    return RawVolume(
        voxels=_lazy(path, one.found, picked, chunks),
        voxel_size=size,
        unit=unit,
        source=str(path),
        findings=(*findings, *more),
        metadata={"dataset": one.found.name},
    )


def _at(root: Any, name: str) -> Any:
    return root[name.strip("/")] if name.strip("/") else root


def _lazy(path: Path, one: Found, picked: Picked, chunks: tuple[int, ...]) -> BoxArray:
    def read(box: Box) -> Any:
        with _opened(path) as root:
            array = _at(root, one.name)
            if tuple(array.shape) != one.shape or array.dtype != one.dtype:
                raise FileError(f"{path} has changed: {one.name} is not what it was.", "Open it again.")
            part = np.asarray(array[picked.key(box)])
        return picked.arranged(part.view(np.uint8) if part.dtype == bool else part)

    dtype = np.dtype(np.uint8) if one.dtype == bool else one.dtype.newbyteorder("=")
    return BoxArray(shape=picked.shape, dtype=dtype, read=read, name=str(path), chunks=picked.of(chunks, 1))


def _arrays(node: Any, name: str, budget: list[int] | None = None) -> Iterator[_Seen]:
    """The arrays below a node that may be volumes; of each OME pyramid the finest level only."""
    import zarr

    budget = budget if budget is not None else [_MOST]
    budget[0] -= 1
    if isinstance(node, zarr.Array):
        one = _seen(node, name)
        if one is not None:
            yield one
        return
    finest = _finest(node, name)
    if finest is not None:
        yield finest
        return
    for key in sorted(node.keys()):
        if budget[0] > 0:
            yield from _arrays(node[key], f"{name}/{key}", budget)


def _seen(array: zarr.Array[Any], name: str) -> _Seen | None:
    dtype = np.dtype(array.dtype)
    shape = tuple(int(n) for n in array.shape)
    if not is_numeric(shape, dtype):
        return None
    labels = array.metadata.dimension_names if array.metadata.zarr_format == 3 else array.attrs.get("_ARRAY_DIMENSIONS")
    axes = named(list(labels)) if labels and all(labels) else ""
    return _Seen(found=with_axes(Found(name=name or "/", shape=shape, dtype=dtype), axes))


def _multiscale(node: Any) -> Mapping[str, Any] | None:
    """The first entry of an OME-Zarr group's multiscales (0.1 to 0.4: attributes; 0.5: below "ome")."""
    attributes = node.attrs.asdict()
    inner = attributes.get("ome", attributes)
    scales = inner.get("multiscales") if isinstance(inner, Mapping) else None
    first = scales[0] if isinstance(scales, list) and scales else None
    return first if isinstance(first, Mapping) and isinstance(first.get("datasets"), list) and first["datasets"] else None


def _finest(node: Any, name: str) -> _Seen | None:
    scales = _multiscale(node)
    return None if scales is None else _level(node, name, scales, scales["datasets"][0])


def _level(node: Any, name: str, scales: Mapping[str, Any], level: Any) -> _Seen | None:
    """One level of a pyramid: its array, axes, scale and units."""
    import zarr

    where = str(level.get("path", "")) if isinstance(level, Mapping) else ""
    array = node.get(where) if where else None
    one = _seen(array, f"{name}/{where}") if isinstance(array, zarr.Array) else None
    if one is None:
        return None
    rank = len(one.found.shape)
    axes = [a if isinstance(a, Mapping) else {"name": a} for a in scales.get("axes") or []]
    letters = named([a.get("name", "") for a in axes]) if len(axes) == rank else ("tczyx"[-rank:] if rank <= 5 else "")
    scale = [1.0] * rank
    given = False
    for part in (scales, level):
        for step in part.get("coordinateTransformations") or []:
            numbers = step.get("scale") if isinstance(step, Mapping) else None
            if isinstance(numbers, list) and len(numbers) == rank and all(isinstance(n, int | float) for n in numbers):
                scale = [a * b for a, b in zip(scale, numbers, strict=True)]
                given = True
    units = tuple(str(a.get("unit") or "") for a in axes)
    return _Seen(
        found=with_axes(one.found, letters),
        scale=tuple(scale) if given else None,
        units=units if len(units) == rank else ("",) * rank,
        channels=_channels(node),
    )


def _channels(node: Any) -> tuple[str, ...]:
    """The channels' names for a viewer (omero), where they are."""
    attributes = node.attrs.asdict()
    omero = attributes.get("ome", attributes).get("omero")
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    return tuple(str(c.get("label", "")) if isinstance(c, Mapping) else "" for c in channels or [])


def _named_level(root: Any, dataset: str) -> _Seen | None:
    """A level that is named although it is not the finest one, with its own scale."""
    import zarr

    parent, _, last = dataset.strip("/").rpartition("/")
    try:
        group = _at(root, parent)
        thing = _at(root, dataset)
    except (KeyError, ValueError, TypeError):
        return None
    if not isinstance(thing, zarr.Array):
        return None
    scales = _multiscale(group) if isinstance(group, zarr.Group) else None
    for level in scales["datasets"] if scales else []:
        if isinstance(level, Mapping) and level.get("path") == last and scales is not None:
            return _level(group, f"/{parent}" if parent else "", scales, level)
    return _seen(thing, "/" + dataset.strip("/"))


def _unwritten(array: zarr.Array[Any], path: Path) -> tuple[str, ...]:
    """A finding where chunks were never written (a store that was cut off looks like that too)."""
    if array.nchunks > _COUNTED or array.shards is not None:
        return ()
    written = int(array.nchunks_initialized)
    if written == 0:
        raise FileError(f"{path} holds no voxels: none of its {array.nchunks} chunks is there.", _AGAIN)
    if written < array.nchunks:
        missing = array.nchunks - written
        return (f"{missing} of {array.nchunks} chunks are not there; their voxels read as {array.fill_value}.",)
    return ()


def _voxel_size(one: _Seen, array: Any, root: Any, picked: Picked) -> tuple[Size | None, str, tuple[str, ...]]:
    """The voxel size by OME metadata, else by attributes of the array, its group or the root."""
    if one.scale is not None:
        units = {u for u in picked.of(one.units, "") if u}
        z, y, x = picked.of(one.scale, 0.0)
        if len(units) > 1 or (units and "" in [one.units[a] for a in picked.spatial]):
            return None, "nm", (f"The axes are given in several units ({', '.join(sorted(units))}); they were ignored.",)
        size, unit = meant((z or y, y, x), next(iter(units), ""))
        return size, unit, ()
    parent = one.found.name.strip("/").rpartition("/")[0]
    around = [array.attrs.asdict(), *([_at(root, parent).attrs.asdict()] if parent else []), root.attrs.asdict()]
    numbers, unit = size_of(around, len(one.found.shape))
    if numbers is None:
        return None, "nm", ()
    z, y, x = picked.of(numbers, numbers[-1])
    size, unit = meant((z, y, x), unit)
    return size, unit, ()
