"""Reader of MetaImage volumes (.mhd with a raw file, .mha in one piece), as ITK and ImageJ write them."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from microtome.plugin import Field, FileError, InputError, RawVolume, reader
from microtome.volumes.formats.containers import BoxArray, Found, Picked, WholeArray, pick
from microtome.volumes.formats.sidecar import numbers, type_code
from microtome.volumes.formats.streams import check_promise, unpacked
from microtome.volumes.mapped import mapped
from microtome.volumes.scale.attributes import meant

_MOST = 2**16  # bytes of a header


@reader("metaimage", label="MetaImage", extensions=(".mhd", ".mha"))
def metaimage(
    path: Path,
    *,
    channel: int = Field(-1, -1, 4096, help="Which channel, from 0, of a volume with several; -1: it has one"),
    index: str = Field("", help="Where a fourth axis is cut, from 0"),
) -> RawVolume:
    """MetaImage volumes, raw (memory-mapped) or zlib; the header has no unit, so the voxel size waits for one."""
    words, behind = _header(path)
    sizes = [int(n) for n in words.get("DimSize", "").split() if n.isdigit()]
    code = type_code(words.get("ElementType", ""))
    if not 2 <= len(sizes) <= 5 or min(sizes) < 1:
        raise FileError(f"{path} is damaged: its DimSize is “{words.get('DimSize', '')[:60]}”.", "Export it again.")
    if not code:
        raise InputError(f"{path} holds numbers of the type “{words.get('ElementType', '')[:40]}”.", "Save whole numbers.")
    order = ">" if words.get("ElementByteOrderMSB", words.get("BinaryDataByteOrderMSB", "")).lower() == "true" else "<"
    samples = words.get("ElementNumberOfChannels", "1")
    channels = int(samples) if samples.isdigit() else 1
    shape = (*reversed(sizes), *((channels,) if channels > 1 else ()))
    axes = "abzyx"[-len(sizes) :] + ("c" if channels > 1 else "")
    found = Found(name="", shape=shape, dtype=np.dtype(order + code), axes=axes)
    picked = pick(found, path, channel=channel, index=index, given={})
    given = numbers(words.get("ElementSpacing", words.get("ElementSize", "")))
    size, unit = None, ""
    if len(given) == len(sizes):
        per_axis = (*reversed(given), *((1.0,) if channels > 1 else ()))
        size, unit = meant(picked.of(per_axis, given[0]), words.get("ElementSpacingUnit", ""))
    return RawVolume(voxels=_voxels(path, words, behind, found, picked), voxel_size=size, unit=unit, source=str(path))


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The fields, and where the header ends: behind ElementDataFile, which is the last."""
    with open(path, "rb") as file:
        head = file.read(_MOST)
    if not head:
        raise FileError(f"{path} is empty (0 bytes).", "Copy or export it again.")
    last = re.search(rb"^ElementDataFile[ \t]*=[^\n]*(\n|$)", head, re.MULTILINE)
    if last is None:
        raise FileError(f"{path} is no MetaImage: its header names no ElementDataFile.", "Copy or export it again.")
    words: dict[str, str] = {}
    for line in head[: last.end()].decode("utf-8", "replace").splitlines():
        key, equals, value = line.partition("=")
        if equals:
            words[key.strip()] = value.strip()
    return words, last.end()


def _voxels(path: Path, words: dict[str, str], behind: int, found: Found, picked: Picked) -> Any:
    name = words["ElementDataFile"]
    if name.upper().startswith("LIST") or "%" in name:
        raise InputError(f"The voxels of {path} are spread over several files.", "Save them in one file.")
    file = path if name.upper() == "LOCAL" else path.parent / name.replace("\\", "/")
    if not file.is_file():
        raise FileError(f"{file} is not there; {path.name} says that its voxels are.", "Copy it beside.")
    size, have = math.prod(found.shape) * found.dtype.itemsize, file.stat().st_size
    skip = words.get("HeaderSize", "0")
    offset = behind if file == path else have - size if skip == "-1" else int(skip) if skip.isdigit() else 0
    if words.get("CompressedData", "").lower() == "true":
        check_promise(path, size, have - offset, "zlib")
        everything = (slice(0, picked.shape[0], 1), slice(0, picked.shape[1], 1), slice(0, picked.shape[2], 1))
        return WholeArray(
            shape=picked.shape,
            dtype=found.dtype.newbyteorder("="),
            name=str(path),
            load=lambda: picked.arranged(unpacked(file, offset, "zlib", found.shape, found.dtype)[picked.key(everything)]),
        )
    if offset < 0:
        raise FileError(f"{file} is incomplete: {size} bytes are promised, {have} are there.", "Copy or export it again.")
    array = mapped(file, found.dtype, shape=found.shape, offset=offset)
    return BoxArray.of(array, picked, str(path))
