"""Export an image set for other programs: folders of calibrated TIFF or PNG, NumPy arrays or Zarr, each with an index.

TARGET/index.csv     one row an image: file, class, set, volume, pixel size, unit, pose in voxels
TARGET/export.json   the same for programs: the image set, its classes, what the stored grey values mean
TARGET/README.txt    the same for people
TARGET/train/A/…     the pictures by set and class; or images.npz, images.zarr
"""

from __future__ import annotations

import csv
import math
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError, UnknownNameError, nearest
from microtome.slices.blocks.split import SETS
from microtome.slices.export import arrays
from microtome.slices.export.pictures import Calibration, png_bytes, tiff_bytes
from microtome.slices.imageset import ImageSet, Progress
from microtome.store.atomic import write_json, write_text
from microtome.store.folders import appearing, safe_names
from microtome.volumes.units import VOXEL

VERSION = 1  # of export.json
FORMATS = ("tiff", "png", "npz", "zarr")
DEPTHS = ("float32", "uint16", "uint8")
_ENDING = {"tiff": ".tif", "png": ".png"}
_CHANNELS = {"npz": " lie one behind the other", "zarr": " lie one behind the other"}  # (n, 3, y, x)
_BATCH = 64  # pictures a task of a thread
_CHUNK = 4 * 2**20  # bytes of an array at once
_OVERHEAD = 4096  # bytes of a picture beside its pixels: header, text, a half-filled block of the disk
_OWN = ("number", "set", "class", "volume")  # columns of the set's index that are written in words here


class ExportStoppedError(MicrotomeError):
    """The export was stopped on request; nothing was kept."""

    def __init__(self) -> None:
        super().__init__("The export was stopped; nothing of it was kept.", "Start again to export.")


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was exported; grey value = low + step × what is stored."""

    path: Path
    format: str
    depth: str
    images: int
    low: float
    step: float


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One export under way."""

    image_set: ImageSet
    part: Path
    format: str
    depth: str
    calibration: Calibration
    files: list[str]  # of each image, relative and with /; "" where all are in one file
    progress: Progress
    should_stop: Callable[[], bool]

    def stored(self, first: int, end: int) -> NDArray[Any]:
        """The images first … end as they are written."""
        images = np.asarray(self.image_set.images[first:end])
        if self.depth == "float32":
            return images
        scaled = (images.astype(np.float64) - self.calibration.low) / self.calibration.step
        return np.rint(scaled).clip(0, np.iinfo(self.depth).max).astype(self.depth)

    def check(self) -> None:
        """Raise where the export is to stop."""
        if self.should_stop():
            raise ExportStoppedError


def export_set(
    image_set: ImageSet,
    target: Path,
    *,
    format: str = "tiff",
    depth: str = "",
    progress: Progress = lambda name, done, total, unit: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Exported:
    """Write an image set into the new folder `target` as "tiff", "png", "npz" or "zarr"; it appears whole or not at all.

    depth: "float32" (TIFF and arrays: bit by bit what a network sees, the default), "uint16" (the default of PNG) or "uint8".
    Whole numbers that fit are kept; anything else is stretched from the smallest to the largest value of the whole set, alike
    for all classes, and the scale is said in the files. progress(phase, done, total, unit) is called often; where
    should_stop() is true ExportStoppedError is raised and nothing is left. Raises InputError for a target that is there
    already or a depth that the format has not, FileError where the disk refuses or is too small.
    """
    target = Path(target).absolute()
    depth = _depth_of(format, depth)
    _need_room(image_set, target, format, depth)
    with appearing(target, "export to") as part:
        low, step = _scale(image_set, depth, progress, should_stop)
        calibration = Calibration(pixel_size=image_set.pixel_size, unit=image_set.unit, low=low, step=step)
        job = _Job(
            image_set=image_set,
            part=part,
            format=format,
            depth=depth,
            calibration=calibration,
            files=_files(image_set, format),
            progress=progress,
            should_stop=should_stop,
        )
        columns = _write_index(job)
        if format in _ENDING:
            _write_pictures(job)
        else:
            blocks = partial(_blocks, job)
            if format == "npz":
                arrays.write_npz(part / "images.npz", image_set, np.dtype(depth), blocks, columns, _said(job))
            else:
                arrays.write_zarr(part / "images.zarr", image_set, np.dtype(depth), blocks, columns, _said(job))
        write_json(part / "export.json", _said(job), VERSION)
        write_text(part / "README.txt", _readme(job))
    return Exported(path=target, format=format, depth=depth, images=len(image_set), low=low, step=step)


def _depth_of(format: str, depth: str) -> str:
    if format not in FORMATS:
        raise UnknownNameError(f"There is no format “{format}”.", nearest(format, FORMATS))
    depth = depth or ("uint16" if format == "png" else "float32")
    if depth not in DEPTHS:
        raise UnknownNameError(f"There is no depth “{depth}”.", nearest(depth, DEPTHS))
    if format == "png" and depth == "float32":
        raise InputError("A PNG holds whole numbers only.", "Choose uint16 or uint8, or TIFF.")
    return depth


def _need_room(image_set: ImageSet, target: Path, format: str, depth: str) -> None:
    """Raise FileError where the disk is too small for certain; PNG and Zarr compress, so half is taken for enough."""
    raw = image_set.images.size * np.dtype(depth).itemsize
    need = raw + len(image_set) * _OVERHEAD if format in _ENDING else raw
    need = need // 2 if format in ("png", "zarr") else need
    there = next(p for p in (target, *target.parents) if p.exists())
    free = shutil.disk_usage(there).free
    if need > free:
        raise FileError(
            f"The export to {target} takes {need / 2**20:,.0f} MB, and {free / 2**20:,.0f} MB are free.",
            "Free some space, or choose another disk or fewer bits.",
        )


def _scale(image_set: ImageSet, depth: str, progress: Progress, should_stop: Callable[[], bool]) -> tuple[float, float]:
    """(low, step) of grey value = low + step × stored: (0, 1) where the values are kept as they are."""
    if depth == "float32":
        return 0.0, 1.0
    low, high, whole = math.inf, -math.inf, True
    size = max(1, _CHUNK // max(1, image_set.images[0].nbytes)) if len(image_set) else 1
    for start in range(0, len(image_set), size):
        if should_stop():
            raise ExportStoppedError
        progress("measuring grey values", start, len(image_set), "images")
        images = np.asarray(image_set.images[start : start + size])
        low, high = min(low, float(images.min())), max(high, float(images.max()))
        whole = whole and bool((images == np.rint(images)).all())
    if not math.isfinite(low + high):
        raise InputError("The image set holds values that are not finite.", "Export it as float32.")
    most = int(np.iinfo(depth).max)
    if whole and low >= 0 and high <= most:
        return 0.0, 1.0
    return low, (high - low) / most if high > low else 1.0


def _files(image_set: ImageSet, format: str) -> list[str]:
    """The file of each image: set/class/number, numbers of one width so that every system sorts them alike."""
    if format not in _ENDING:
        return [""] * len(image_set)
    folders = safe_names(image_set.classes)
    width = max(4, len(str(len(image_set) - 1)))
    names = zip(image_set.sets.tolist(), image_set.labels.tolist(), strict=True)
    return [f"{SETS[s]}/{folders[image_set.classes[k]]}/{i:0{width}d}{_ENDING[format]}" for i, (s, k) in enumerate(names)]


def _rows(image_set: ImageSet) -> Iterator[dict[str, str]]:
    with open(image_set.path / "index.csv", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _write_index(job: _Job) -> dict[str, NDArray[np.float64]]:
    """Write index.csv; return its numeric columns where arrays are to hold them too."""
    image_set, names = job.image_set, volume_names(job.image_set)
    columns: dict[str, list[float]] = {}
    with open(job.part / "index.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for number, row in enumerate(_rows(image_set)):
            rest = {k: v for k, v in row.items() if k not in _OWN}
            if number == 0:
                writer.writerow(["number", "file", "class", "set", "volume", "pixel_size", "unit", *rest])
                columns = {k: [] for k, v in rest.items() if _is_number(v)} if job.format not in _ENDING else {}
            size = [image_set.pixel_size, image_set.unit]
            writer.writerow(
                [number, job.files[number], row["class"], row["set"], names[int(row["volume"])], *size, *rest.values()]
            )
            for name, values in columns.items():
                values.append(float(rest[name] or "nan"))
    found = {name: np.array(values, dtype=np.float64) for name, values in columns.items()}
    if columns:
        found["volume"] = np.array([float(row["volume"]) for row in _rows(image_set)])
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def volume_names(image_set: ImageSet) -> list[str]:
    """The names of the volumes of a set, made distinct where two files have one name."""
    names = [str(v["name"]) for v in image_set.volumes]
    total, seen = Counter(names), Counter[str]()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if total[name] == 1 else f"{name} ({seen[name]})")
    return found


def _write_pictures(job: _Job) -> None:
    """Write all pictures by some threads: the codecs and the disk let them work side by side."""
    for folder in {os.path.dirname(f) for f in job.files}:  # noqa: PTH120 - relative, with /, as in the index
        (job.part / folder).mkdir(parents=True, exist_ok=True)
    texts = _texts(job)
    total = len(job.files)
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="export")
    try:
        tasks = [pool.submit(_write_some, job, start, texts[start : start + _BATCH]) for start in range(0, total, _BATCH)]
        for done, task in enumerate(as_completed(tasks)):
            task.result()
            job.check()
            job.progress("exporting images", min(total, (done + 1) * _BATCH), total, "images")
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _write_some(job: _Job, first: int, texts: list[str]) -> None:
    encode = tiff_bytes if job.format == "tiff" else png_bytes
    for i, (image, text) in enumerate(zip(job.stored(first, first + len(texts)), texts, strict=True), start=first):
        with open(job.part / job.files[i], "wb") as file:
            file.write(encode(image, job.calibration, text))


def _texts(job: _Job) -> list[str]:
    """What each picture says of itself: one “name = value” a line."""
    image_set, names = job.image_set, volume_names(job.image_set)
    shared = {"pixel_size": image_set.pixel_size, "unit": image_set.unit, "image_set": image_set.hash}
    if job.depth != "float32":
        shared |= {"grey_low": job.calibration.low, "grey_step": job.calibration.step}
    tail = "".join(f"{k} = {v}\n" for k, v in shared.items())
    texts: list[str] = []
    for row in _rows(image_set):
        words = {"class": row["class"], "set": row["set"], "volume": names[int(row["volume"])]}
        words |= {k: v for k, v in row.items() if k not in _OWN}
        texts.append("".join(f"{k} = {v}\n" for k, v in words.items()) + tail)
    return texts


def _blocks(job: _Job, size: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """(first, images) in blocks of `size` images, as they are stored."""
    total = len(job.image_set)
    for start in range(0, total, size):
        job.check()
        yield start, job.stored(start, min(start + size, total))
        job.progress("exporting images", min(start + size, total), total, "images")


def _said(job: _Job) -> dict[str, Any]:
    """What export.json, and the attributes of arrays, say."""
    image_set = job.image_set
    return {
        "image_set": image_set.hash,
        "stored_as": job.format,
        "depth": job.depth,
        "grey_low": job.calibration.low,
        "grey_step": job.calibration.step,
        "pixel_edge": image_set.pixel_size,
        "unit": image_set.unit,
        "classes": list(image_set.classes),
        "sets": list(SETS),
        "volumes": volume_names(image_set),
        "channels": image_set.channels,
        "counts": image_set.counts(),
        "independence": image_set.independence,
        "warnings": list(image_set.warnings),
        "plan": asdict(image_set.plan),
    }


def _readme(job: _Job) -> str:
    image_set, scale = job.image_set, job.calibration
    height, width = image_set.images.shape[-2:]
    where = {
        "tiff": "TIFF files in folders by set and class (ImageJ reads their scale)",
        "png": "PNG files in folders by set and class",
        "npz": "images.npz (numpy.load): images, label, set, volume and the columns of index.csv",
        "zarr": "images.zarr (Zarr version 3): images, label, set, volume and the columns of index.csv",
    }[job.format]
    edge = f"{image_set.pixel_size:g} {image_set.unit}" + (" (no length is known)" if image_set.unit == VOXEL else "")
    grey = "The grey values are stored as they are."
    if (scale.low, scale.step) != (0.0, 1.0):
        grey = f"Grey value = {scale.low!r} + {scale.step!r} × stored value; one scale for all images."
    if image_set.channels > 1:
        grey = f"In colour: red, green and blue{_CHANNELS.get(job.format, '')}. {grey}"
    counts = "\n".join(
        f"  {name:12}" + ", ".join(f"{c}: {n}" for c, n in by_class.items()) for name, by_class in image_set.counts().items()
    )
    warnings = "".join(f"\nNote: {w}" for w in image_set.warnings)
    return f"""An image set of Microtome, {image_set.hash}: {len(image_set)} images of {width} × {height} pixels.

{where}.
index.csv has a row an image: its class, set, volume, pixel size and pose (centre in voxels; normal, down and right as unit
vectors; all z, y, x). export.json says the same as this text for programs.

Pixel edge: {edge}.
Values: {job.depth}, normalised by “{image_set.plan.normalisation}”. {grey}
Images:
{counts}

{image_set.independence}{warnings}
"""
