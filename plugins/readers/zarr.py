"""Reader of Zarr and OME-Zarr stores."""

from __future__ import annotations

from pathlib import Path

from microtome.plugin import Field, FileError, RawVolume, reader
from microtome.volumes.formats.zarrs import is_zarr, open_zarr


def _recognised(path: Path, head: bytes) -> bool:
    """A folder with Zarr's metadata, or a zip file whose table of contents begins with them."""
    return is_zarr(path) if not head or head.startswith(b"PK") else False


@reader("zarr", label="Zarr, OME-Zarr", extensions=(".zarr",), folders=True, recognises=_recognised, shared=(".zip", ".ozx"))
def zarr(
    path: Path,
    *,
    dataset: str = Field("", help="The array's path, as 0 or images/raw, where there are several volumes"),
    channel: int = Field(-1, -1, 4096, help="Which channel, from 0, of an array with several; -1: it has one"),
    time: int = Field(-1, -1, 10_000_000, help="Which point in time, from 0, of a series; -1: it has one"),
    index: str = Field("", help="Where further axes are cut, from 0, as 3 or 3x0"),
) -> RawVolume:
    """Zarr stores of versions 2 and 3 (folders, zip files) and OME-Zarr pyramids, read by chunks when they are needed."""
    if path.is_file() and path.stat().st_size == 0:
        raise FileError(f"{path} is empty (0 bytes).", "Copy or export it again.")
    if not is_zarr(path):
        raise FileError(f"{path} is no Zarr store: it has no zarr.json, .zgroup or .zarray.", "Copy or export it again.")
    return open_zarr(path, dataset=dataset, channel=channel, time=time, index=index)
