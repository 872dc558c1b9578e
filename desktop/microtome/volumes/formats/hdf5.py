"""HDF5 files: the tree of their data sets, one of them as a lazy array, and what would be half-read in silence."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.plugin import RawVolume
from microtome.volumes.formats.containers import Box, BoxArray, Found, Picked, is_numeric, named, one_of, pick, with_axes
from microtome.volumes.scale.attributes import evenly_spaced, meant, size_of, text_of

if TYPE_CHECKING:
    import h5py

SIGNATURE = b"\x89HDF\r\n\x1a\n"
DAMAGE = (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError, UnicodeError)
"""What h5py raises for damaged files: the library's error codes come as many Python errors."""
_MOST = 2000  # data sets that are looked at
_AGAIN = "Copy or export it again."


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; whatever the library raises becomes a FileError with the reason."""
    import h5py

    if importlib.util.find_spec("hdf5plugin") is not None:
        importlib.import_module("hdf5plugin")  # registers its filters
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except MicrotomeError:
        raise
    except DAMAGE as error:
        raise FileError(f"{path} cannot be read as HDF5 ({_reason(error)}).", _AGAIN) from error


def _reason(error: BaseException) -> str:
    text = str(error.args[0]) if error.args else type(error).__name__
    return text.splitlines()[0][:160] if text else type(error).__name__


def data_sets(file: h5py.File, accept: Callable[[str, h5py.Dataset], bool] | None = None) -> tuple[list[Found], list[str]]:
    """The numeric arrays in the file (each once, whatever links lead to it; links to other files are not followed), and the
    paths of the other data sets."""
    import h5py

    found: list[Found] = []
    others: list[str] = []

    def look(name: str, thing: object) -> object:
        if not isinstance(thing, h5py.Dataset):
            return None
        if not is_numeric(thing.shape, thing.dtype) or (accept is not None and not accept(name, thing)):
            others.append("/" + name)
        else:
            one = Found(name="/" + name, shape=tuple(int(n) for n in thing.shape), dtype=thing.dtype)
            found.append(with_axes(one, _labels(thing)))
        return True if len(found) + len(others) >= _MOST else None

    file.visititems(look)
    return found, others


def _labels(data: h5py.Dataset) -> str:
    """The axes' letters where the file names them: dimension labels, ilastik's axistags, NeXus axes."""
    import json

    labels = [dim.label for dim in data.dims]
    if all(labels):
        return named(labels)
    tags = text_of(data.attrs.get("axistags"))
    if tags:
        try:
            return named([axis["key"] for axis in json.loads(tags)["axes"]])
        except (ValueError, KeyError, TypeError):
            return ""
    return ""


def open_hdf5(
    path: Path,
    *,
    dataset: str = "",
    channel: int = -1,
    time: int = -1,
    index: str = "",
    beside: tuple[tuple[float, float, float] | None, str] = (None, ""),
    name: str = "",
) -> RawVolume:
    """A data set of an HDF5 file as a lazy volume; `beside` is a voxel size that a file beside it gives, `name` what the volume
    is said to come from where it is not the file itself.

    Raises QuestionError where there are several volumes, channels or points in time, FileError for a damaged file or a
    missing filter, InputError for one without a volume.
    """
    with opened(path) as file:
        found, others = data_sets(file)
        _imaris(found)
        first = _default(file)
        found.sort(key=lambda f: f.name != first)
        one = _linked(file, dataset, path) if dataset and not any(f.name == _rooted(dataset) for f in found) else None
        one = one or one_of(found, dataset, path, others=others)
        data = file[one.name]
        given = {"dataset": one.name} if dataset or len(found) > 1 else {}
        picked = pick(one, path, channel=channel, time=time, index=index, given=given)
        findings = check_whole(data, path)
        size, unit = _voxel_size(file, data, picked)
        chunks = data.chunks
    if size is None and beside[0] is not None:
        size, unit = beside
    if len(found) > 1 and not dataset:
        findings = (f"Of {len(found)} data sets {one.name} was taken.", *findings)
    size, unit = meant(size, unit)
    return RawVolume(
        voxels=lazy(path, one, picked, chunks),
        voxel_size=size,
        unit=unit,
        source=name or str(path),
        findings=findings,
        metadata={"dataset": one.name},
    )


def lazy(path: Path, one: Found, picked: Picked, chunks: tuple[int, ...] | None) -> BoxArray:
    """The voxels of a data set; the file is open only while some of them are read."""

    def read(box: Box) -> Any:
        with opened(path) as file:
            data = file.get(one.name)
            if data is None or tuple(data.shape) != one.shape or data.dtype != one.dtype:
                raise FileError(f"{path} has changed: {one.name} is not what it was.", "Open it again.")
            part = np.asarray(data[picked.key(box)])
        return picked.arranged(part.view(np.uint8) if part.dtype == bool else part)

    dtype = np.dtype(np.uint8) if one.dtype == bool else one.dtype.newbyteorder("=")
    blocks = picked.of(chunks, 1) if chunks else (1, 1, 1)
    return BoxArray(shape=picked.shape, dtype=dtype, read=read, name=str(path), chunks=blocks)


def _rooted(name: str) -> str:
    return "/" + name.strip("/")


def _linked(file: h5py.File, dataset: str, path: Path) -> Found | None:
    """A data set that only a soft link leads to; links to other files are refused."""
    import h5py

    parts = dataset.strip("/").split("/")
    for i in range(1, len(parts) + 1):
        if isinstance(file.get("/".join(parts[:i]), getlink=True), h5py.ExternalLink):
            raise InputError(f"{dataset} of {path} lies in another file.", "Open that file itself.")
    data = file.get(dataset)
    if not isinstance(data, h5py.Dataset) or not is_numeric(data.shape, data.dtype):
        return None
    return with_axes(Found(name=data.name or _rooted(dataset), shape=tuple(data.shape), dtype=data.dtype), _labels(data))


def check_whole(data: h5py.Dataset, path: Path) -> tuple[str, ...]:
    """Findings for what was never written; FileError for a missing filter, or for parts in files that are not there."""
    from h5py import h5z

    plist = data.id.get_create_plist()
    for i in range(plist.get_nfilters()):
        code, _, _, name = plist.get_filter(i)
        if not h5z.filter_avail(code):
            words = name.decode("utf-8", "replace") if name else "without a name"
            raise FileError(
                f"{data.name} of {path} is compressed with the filter {words} (number {code}), which is not installed.",
                "Install the Python package hdf5plugin, or save the file without that compression.",
            )
    if data.is_virtual:
        for source in data.virtual_sources():
            if source.file_name != "." and not (path.parent / source.file_name).is_file():
                raise FileError(f"{data.name} of {path} lies in {source.file_name}, which is not there.", "Copy it beside.")
        return ()
    for name, _, _ in data.external or ():
        if not (path.parent / str(name)).is_file():
            raise FileError(f"{data.name} of {path} lies in {name}, which is not there.", "Copy it beside.")
    return _unwritten(data)


def _unwritten(data: h5py.Dataset) -> tuple[str, ...]:
    if data.chunks is None:
        if data.id.get_storage_size() == 0:
            return (f"The voxels of {data.name} were never written; they read as {data.fillvalue}.",)
        return ()
    promised = int(np.prod([-(-n // c) for n, c in zip(data.shape, data.chunks, strict=True)], dtype=np.int64))
    written = int(data.id.get_num_chunks())
    if written < promised:
        return (f"{promised - written} of {promised} chunks were never written; their voxels read as {data.fillvalue}.",)
    return ()


def _imaris(found: list[Found]) -> None:
    """Leave only the finest level of files that keep several (Imaris, BigDataViewer)."""
    levels = ("/DataSet/ResolutionLevel 0/", "/s00/", "/s0")
    for level in levels:
        if any(level in f.name or f.name.endswith(level) for f in found):
            coarser = [f for f in found if not (level in f.name or f.name.endswith(level)) and _is_level(f.name)]
            for one in coarser:
                found.remove(one)


def _is_level(name: str) -> bool:
    import re

    return re.search(r"/ResolutionLevel [1-9]\d*/|/s(?:0[1-9]|[1-9]\d?)(?:/|$)", name) is not None


def _default(file: h5py.File) -> str:
    """The path of the data set that NeXus attributes name as the one to plot."""
    import h5py

    here: Any = file
    for _ in range(4):
        name = text_of(here.attrs.get("default"))
        if not name or not isinstance(here.get(name), h5py.Group):
            break
        here = here[name]
    signal = text_of(here.attrs.get("signal"))
    thing = here.get(signal) if signal else None
    return str(thing.name) if isinstance(thing, h5py.Dataset) else ""


def _voxel_size(file: h5py.File, data: h5py.Dataset, picked: Picked) -> tuple[tuple[float, float, float] | None, str]:
    """The voxel size by attributes of the data set or of the groups around it, NeXus axes, DREAM.3D's or Imaris's tables."""
    around: list[Mapping[str, Any]] = [data.attrs]
    group = data.parent
    for _ in range(8):
        around.append(group.attrs)
        if group.name == "/":
            break
        group = group.parent
    numbers, unit = size_of([dict(a) for a in around], len(data.shape))
    if numbers is not None:
        first = picked.of(numbers, numbers[-1])
        return (first[0], first[1], first[2]), unit
    for more in (_nexus(data, picked), _dream3d(data), _imaris_size(file, picked)):
        if more[0] is not None:
            return more
    return None, ""


def _nexus(data: h5py.Dataset, picked: Picked) -> tuple[tuple[float, float, float] | None, str]:
    """NXdata: the attribute `axes` names one array of coordinates an axis, each with its units."""
    import h5py

    names = data.parent.attrs.get("axes")
    names = [text_of(n) for n in names.ravel().tolist()] if isinstance(names, np.ndarray) else []
    if len(names) != len(data.shape) or len(picked.spatial) != 3:
        return None, ""
    steps, units = [], set()
    for axis in picked.spatial:
        thing = data.parent.get(names[axis]) if names[axis] not in ("", ".") else None
        if not isinstance(thing, h5py.Dataset) or thing.shape != (data.shape[axis],):
            return None, ""
        step = evenly_spaced(thing[()])
        if step is None:
            return None, ""
        steps.append(step)
        units.add(text_of(thing.attrs.get("units")))
    return ((steps[0], steps[1], steps[2]), units.pop()) if len(units) == 1 else (None, "")


def _dream3d(data: h5py.Dataset) -> tuple[tuple[float, float, float] | None, str]:
    """DREAM.3D: SPACING (x, y, z) in the geometry beside the group of the data; its unit is not written."""
    import h5py

    above = data.parent.parent if data.parent is not None else None
    spacing = above.get("_SIMPL_GEOMETRY/SPACING") if above is not None else None
    if not isinstance(spacing, h5py.Dataset) or spacing.shape != (3,):
        return None, ""
    x, y, z = (float(v) for v in spacing[()])
    return (z, y, x), ""


def _imaris_size(file: h5py.File, picked: Picked) -> tuple[tuple[float, float, float] | None, str]:
    """Imaris: the limits of the image (ExtMin0 … ExtMax2: x, y, z) over its voxels (X, Y, Z), in `Unit`."""
    info = file.get("DataSetInfo/Image")
    if info is None:
        return None, ""
    words = {
        k: text_of(info.attrs.get(k)) for k in ("Unit", "X", "Y", "Z", *(f"Ext{m}{i}" for m in ("Min", "Max") for i in "012"))
    }
    try:
        lengths = [float(words[f"ExtMax{i}"]) - float(words[f"ExtMin{i}"]) for i in "210"]
        z, y, x = (length / int(words[a]) for length, a in zip(lengths, "ZYX", strict=True))
    except (ValueError, ZeroDivisionError):
        return None, ""
    return (z, y, x), words["Unit"]
