"""Cut all slices of an image set: identify the data, draw poses, cut in chunks, write a folder that appears whole."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.slices.blocks.split import SETS, Blocks, counts_of, whole
from microtome.slices.colour import cut_colours, statistics_of
from microtome.slices.drawing import Drawn, draw
from microtome.slices.geometry import Array, Grid, normals
from microtome.slices.grey import Grey, Quantiles, grey_of, luminance, normalise, pooled
from microtome.slices.looking import look
from microtome.slices.micrographs.arrange import Arrangement, cut_places
from microtome.slices.plan import ClassSource, Micrographs, SimulatedSource, SlicePlan
from microtome.slices.planes.sampler import Sampler
from microtome.slices.planned import blocks_of, counts_by_volume, generators
from microtome.slices.source import Member
from microtome.slices.targets import value_of
from microtome.slices.trust import audit, verdict
from microtome.slices.trust.twins import Fingerprint
from microtome.store.atomic import explain, write_json
from microtome.volumes.volume import Volume

VERSION = 1  # of plan.json
_ALGORITHM = 2  # grows when the same plan gives other images: old sets are then not found again
_CHUNK_BYTES = 32 * 2**20
_PRINTS = 500  # volumes that are looked at for copies under other names
_COLUMNS = (
    *("number", "set", "class", "volume", "centre_z", "centre_y", "centre_x", "normal_z", "normal_y", "normal_x"),
    *("down_z", "down_y", "down_x", "right_z", "right_y", "right_x", "mean_grey", "value"),
)
Progress = Callable[[str, float, float, str], None]
Stop = Callable[[], bool]


class CuttingStoppedError(MicrotomeError):
    """Cutting was stopped on request; nothing was kept."""

    def __init__(self) -> None:
        super().__init__("Cutting was stopped; nothing of this image set was kept.", "Start again to cut it.")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be cut, identified by its data."""

    hash: str
    plan: SlicePlan
    classes: tuple[str, ...]
    members: tuple[tuple[Member, ...], ...]  # by class
    identities: tuple[tuple[str, ...], ...]
    said: tuple[str, ...] = ()  # of what was left out or guessed
    micrographs: Micrographs | None = None  # their settings, where there are any
    arrangement: Arrangement | None = None  # of micrographs that are not cut like small volumes
    channels: int = 1  # 3: in colour

    @property
    def total(self) -> int:
        """Images in all."""
        return self.arrangement.total if self.arrangement else len(self.classes) * sum(counts_of(self.plan).values())

    def counts(self, label: int) -> list[dict[str, int]]:
        """Images by set of each member of a class."""
        if self.arrangement is None:
            return counts_by_volume(self.plan, len(self.members[label]))
        shares = [self.arrangement.shares.get((label, number)) for number in range(len(self.members[label]))]
        return [{} if share is None else {share.set_name: share.count} for share in shares]


@dataclass(kw_only=True)
class Piece:
    """One volume's share of an image set."""

    label: int
    number: int  # of the volume in its class
    name: str
    volume: Volume
    grid: Grid
    blocks: Blocks
    counts: dict[str, int]  # images by set
    centres: Array | None = None  # (n, 3) of the images of a micrograph, which serves one set; None: drawn at random
    grey: Grey = field(default_factory=lambda: Grey(0.0, 0.0))
    value: float | None = None  # that the volume carries


@dataclass(kw_only=True)
class Tally:
    """What was found on the way."""

    volumes: list[dict[str, Any]] = field(default_factory=list)
    prints: list[Fingerprint | None] = field(default_factory=list)
    sets: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)  # the volume of each image
    centres: list[Array] = field(default_factory=list)
    axes: list[Array] = field(default_factory=list)
    means: list[tuple[float, float]] = field(default_factory=list)  # of the grey values as cut, and as kept
    redrawn: dict[str, int] = field(default_factory=dict)
    constant: dict[str, int] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)

    def count(self, what: dict[str, int], name: str, number: int) -> None:
        """Add to what was found in a volume."""
        if number:
            what[name] = what.get(name, 0) + number


def identify(classes: tuple[ClassSource, ...], plan: SlicePlan, progress: Progress, should_stop: Stop) -> Request:
    """Open all files and hash what determines the image set: plan, class names, voxels, voxel sizes, not paths.

    Checks what can be known before cutting: voxel sizes, and that slices fit into the files' blocks.
    """
    if not classes:
        raise InputError("There is no class to cut.", "Add a class with volumes.")

    def step(done: int, total: int) -> None:
        progress("opening volumes", done, total, "volumes")
        _check(should_stop)

    looked = look(classes, plan, step)
    names = tuple(c.name for c in classes)
    return Request(
        hash=digest_of(plan, names, looked.identities, looked.signature()),
        plan=plan,
        classes=names,
        members=tuple(tuple(group) for group in looked.members),
        identities=tuple(tuple(group) for group in looked.identities),
        said=tuple(looked.said),
        micrographs=next((c.micrographs for c, g in zip(classes, looked.members, strict=True) if any(m.flat for m in g)), None),
        arrangement=looked.arrangement,
        channels=looked.palette.channels,
    )


def digest_of(
    plan: SlicePlan, classes: Sequence[str], identities: Sequence[Sequence[str]], arranged: Sequence[Any] = ()
) -> str:
    """The hash of the image set of a plan: classes by name, data by what `identity` says, `arranged` by Looked.signature."""
    what = [_ALGORITHM, plan.to_json(), [[c, list(i)] for c, i in zip(classes, identities, strict=True)], *arranged]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def _check(should_stop: Stop) -> None:
    if should_stop():
        raise CuttingStoppedError


def cut_all(request: Request, target: Path, progress: Progress, should_stop: Stop) -> None:
    """Cut what was asked into the folder `target`, which appears when all is there."""
    plan = request.plan
    total = request.total
    tally, reference = Tally(), _reference(request, progress, should_stop)
    with _appearing(target) as part:
        with open(part / "images.npy", "wb") as images, open(part / "index.csv", "w", encoding="utf-8", newline="") as index:
            shape = (total, *([request.channels] if request.channels > 1 else []), plan.pixels, plan.pixels)
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(images, header)
            writer = csv.writer(index, lineterminator="\n")
            writer.writerow(_COLUMNS)
            for piece in _pieces(request, progress, should_stop):
                for chunk in _cut_piece(piece, plan, tally, reference, should_stop):
                    _write(chunk, images, writer, request.classes, tally)
                    progress("cutting slices", len(tally.labels), total, "images")
            for file in (images, index):
                file.flush()
                os.fsync(file.fileno())
        write_json(part / "plan.json", {**_summary(request, tally, part), "reference": list(reference)}, VERSION)


def _pieces(request: Request, progress: Progress, should_stop: Stop) -> Iterator[Piece]:
    """The volumes one after the other, so that only one is held in memory."""
    simulated = sum(isinstance(m.source, SimulatedSource) for group in request.members for m in group)
    done = 0
    for label, group in enumerate(request.members):
        counts = request.counts(label)
        for number, member in enumerate(group):
            if not any(counts[number].values()):
                continue
            _check(should_stop)
            if isinstance(member.source, SimulatedSource):
                progress("simulating structures", done, simulated, "structures")
                done += 1
            yield _piece(request, label, number, counts[number])


def _piece(request: Request, label: int, number: int, counts: dict[str, int]) -> Piece:
    group = request.members[label]
    member, plan = group[number], request.plan
    volume, name = member.open(), member.name
    centres: Array | None = None
    if request.arrangement is None:
        grid, blocks = blocks_of(volume, plan, volumes=len(group), number=number, name=name)
    else:
        share = request.arrangement.shares[label, number]
        grid, centres = share.grid, share.centres
        blocks = whole(volume.shape, grid, plan, share.set_name, name=name)
    return Piece(
        label=label,
        number=number,
        name=name,
        volume=volume,
        grid=grid,
        blocks=blocks,
        counts=counts,
        centres=centres,
        value=value_of(member, volume),
    )


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    piece: Piece
    set_name: str
    images: NDArray[np.float32]  # normalised, (n, h, w) or (n, 3, h, w)
    means: NDArray[np.float64]  # of the grey values before
    centres: Array
    axes: Array


def _reference(request: Request, progress: Progress, should_stop: Stop) -> Quantiles:
    """The pooled histogram of the volumes that training slices are cut from, where the plan matches histograms."""
    if request.plan.normalisation != "histogram":
        return ()
    groups: list[list[Grey]] = []
    for done, group in enumerate(request.members):
        progress("measuring grey values", done, len(request.members), "classes")
        counts = request.counts(done)
        groups.append([])
        for number, member in enumerate(group):
            _check(should_stop)
            if counts[number].get("train"):
                groups[-1].append(statistics_of(member.open(), name=member.name))
    return pooled(groups)


def _cut_piece(piece: Piece, plan: SlicePlan, tally: Tally, reference: Quantiles, should_stop: Stop) -> Iterator[_Chunk]:
    piece.grey = grey_of(piece.volume, name=piece.name)
    scale = statistics_of(piece.volume, name=piece.name)
    sampler = Sampler.of(piece.volume, piece.grid, plan)
    tally.volumes.append(_volume_record(piece))
    # What is simulated from different seeds is no copy; thousands of micrographs are compared by their images alone.
    compared = piece.volume.structure is None and len(tally.prints) < _PRINTS
    tally.prints.append(Fingerprint.of(piece.volume) if compared else None)
    size = max(1, _CHUNK_BYTES // (4 * piece.grid.size**2))
    for name in SETS:
        wanted = piece.counts.get(name, 0)
        for start in range(0, wanted, size):
            _check(should_stop)
            indices = range(start, min(start + size, wanted))
            drawn = _drawn(piece, sampler, name, indices, plan)
            tally.count(tally.redrawn, piece.name, drawn.nonfinite)
            tally.count(tally.empty, piece.name, drawn.empty)
            images = cut_colours(sampler, drawn.images, drawn.centres, drawn.axes)
            inside = tuple(range(1, images.ndim))
            tally.count(tally.constant, piece.name, int((np.ptp(images, axis=inside) == 0).sum()))
            yield _Chunk(
                piece=piece,
                set_name=name,
                images=normalise(images, plan.normalisation, scale, reference),
                means=drawn.images.mean(axis=(1, 2), dtype=np.float64),
                centres=drawn.centres,
                axes=drawn.axes,
            )


def _drawn(piece: Piece, sampler: Sampler, set_name: str, indices: range, plan: SlicePlan) -> Drawn:
    if piece.centres is not None:
        return cut_places(sampler, piece.centres[indices.start : indices.stop], name=piece.name)
    rngs = generators(plan, label=piece.label, number=piece.number, set_name=set_name, indices=indices)
    box, contrast = piece.blocks.boxes[set_name], plan.reject * piece.grey.deviation
    return draw(sampler, [box] * len(rngs), rngs, contrast=contrast, name=piece.name)


def _write(chunk: _Chunk, images: IO[bytes], writer: Any, classes: tuple[str, ...], tally: Tally) -> None:
    images.write(np.ascontiguousarray(chunk.images, dtype="<f4").data)
    first, volume = len(tally.labels), len(tally.volumes) - 1
    vectors = np.concatenate([chunk.centres, normals(chunk.axes), chunk.axes.reshape(-1, 6)], axis=1)
    for i, (row, mean) in enumerate(zip(vectors.tolist(), chunk.means.tolist(), strict=True)):
        writer.writerow([first + i, chunk.set_name, classes[chunk.piece.label], volume, *row, mean, chunk.piece.value])
    tally.labels += [chunk.piece.label] * len(chunk.images)
    tally.sets += [SETS.index(chunk.set_name)] * len(chunk.images)
    tally.places += [volume] * len(chunk.images)
    tally.centres.append(chunk.centres)
    tally.axes.append(chunk.axes)
    kept = luminance(chunk.images).mean(axis=(1, 2), dtype=np.float64)
    tally.means += list(zip(chunk.means.tolist(), kept.tolist(), strict=True))


def _volume_record(piece: Piece) -> dict[str, Any]:
    volume = piece.volume
    return {
        "name": piece.name,
        "label": piece.label,
        "path": str(volume.source),
        "shape": list(volume.shape),
        "dtype": str(volume.dtype),
        "simulated": volume.structure is not None,
        "voxel_size": None if volume.voxel_size is None else list(volume.voxel_size),
        "unit": volume.unit,
        "spacing": list(piece.grid.spacing),
        "grey": asdict(piece.grey),
        "value": piece.value,
        **piece.blocks.to_json(),
    }


def _trust(request: Request, tally: Tally, volumes: list[dict[str, Any]], part: Path) -> verdict.Trust:
    cut = verdict.Cut(
        images=np.load(part / "images.npy", mmap_mode="r"),
        labels=np.array(tally.labels, dtype=np.int64),
        sets=np.array(tally.sets, dtype=np.int64),
        volumes=np.array(tally.places, dtype=np.int64),
        centres=np.concatenate(tally.centres),
        axes=np.concatenate(tally.axes),
    )
    return verdict.assess(request.plan, volumes, cut, tally.prints)


def _pixel_size(request: Request, tally: Tally) -> tuple[float, str, list[str]]:
    arrangement = request.arrangement
    if arrangement is not None and arrangement.settings.fit in ("resize", "stretch"):
        return arrangement.pixel_size(tally.volumes)
    return *audit.pixel_size(request.plan, tally.volumes), []


def _summary(request: Request, tally: Tally, part: Path) -> dict[str, Any]:
    pixel_size, unit, more = _pixel_size(request, tally)
    volumes = [{**v, "class": request.classes[v["label"]]} for v in tally.volumes]
    warnings = [*request.said, *more, *audit.warnings(request.plan, request.classes, volumes)]
    warnings += audit.same_data(request.classes, request.identities, [[m.name for m in g] for g in request.members])
    warnings += audit.oddities(tally.redrawn, tally.constant)
    warnings += audit.rejected(tally.empty, Counter(volumes[k]["name"] for k in tally.places))
    warnings += verdict.content_warnings(volumes)
    found, arrangement = _trust(request, tally, volumes, part), request.arrangement
    warnings += [found.leak.words()] if found.leak.verdict != "independent" else []
    warnings += found.warnings
    warnings += audit.brightness(request.plan, request.classes, tally.sets, tally.labels, tally.means)
    return {
        "hash": request.hash,
        "plan": request.plan.to_json(),
        "classes": list(request.classes),
        "volumes": volumes,
        "pixel_size": pixel_size,
        "unit": unit,
        "independence": audit.independence(volumes) + ("" if arrangement is None else f" {arrangement.independence()}"),
        "micrographs": None if request.micrographs is None else asdict(request.micrographs),
        "leak": found.leak.to_json(),
        "shortcuts": list(found.shortcuts),
        "rejected": tally.empty,
        "warnings": warnings,
    }


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """A temporary sibling folder that takes its name at the end, or is removed; what killed processes left is removed too."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for stale in target.parent.glob("*.part"):
            pid = stale.name.split(".")[-2]
            if pid.isdigit() and (int(pid) == os.getpid() or not psutil.pid_exists(int(pid))):
                shutil.rmtree(stale, ignore_errors=True)
        part.mkdir()
        yield part
        if (target / "plan.json").is_file():  # another process was faster; it cut the same
            shutil.rmtree(part)
            return
        if target.exists():
            shutil.rmtree(target)
        os.replace(part, target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, FileError):
            raise
        raise explain(error, target, "write the image set") from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
