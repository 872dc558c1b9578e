"""What pages read of volumes in background threads: one slice ready to paint, slices of every class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from microtome.errors import MicrotomeError
from microtome.slices.plan import SlicePlan
from microtome.store.project import Project, VolumeEntry
from microtome.ui.i18n import tr
from microtome.ui.numbers import length
from microtome.ui.opened import count_images, identity, opened
from microtome.ui.views.gallery import GalleryRow, to_images
from microtome.ui.views.slice_view import Picture, grey_levels, levels_of

PLANES = ("xy", "xz", "yz")
_KEPT_LEVELS: dict[str, tuple[float, float]] = {}


@dataclass(frozen=True)
class SliceRequest:
    """Which slice of which volume to read; index None: the middle one; levels None: the volume's own."""

    project: Project
    entry: VolumeEntry
    plane: str = "xy"
    index: int | None = None
    levels: tuple[float, float] | None = None


@dataclass(frozen=True)
class SliceRead:
    """A slice that was read, and what is known of its volume by then."""

    picture: Picture
    index: int
    shape: tuple[int, int, int]
    dtype: str
    voxel_size: tuple[float, float, float] | None
    unit: str
    findings: tuple[str, ...]


def read_slice(request: SliceRequest) -> SliceRead:
    """Open the volume where needed and read one slice (in a background thread); of a folder of images, one image."""
    if request.entry.images:
        return _read_image(request)
    volume = opened(request.project, request.entry)
    axis = PLANES.index(request.plane)
    length = volume.shape[axis]
    index = length // 2 if request.index is None else max(0, min(length - 1, request.index))
    key: list[slice | int] = [slice(None)] * 3
    key[axis] = index
    voxels: NDArray[Any] = volume[tuple(key)]
    name = identity(request.project, request.entry)
    if name not in _KEPT_LEVELS:
        # One contrast for the whole volume, or slices would flicker while one scrolls.
        _KEPT_LEVELS[name] = levels_of(volume[volume.shape[0] // 2])
    levels = request.levels or _KEPT_LEVELS[name]
    sizes = volume.voxel_size or (1.0, 1.0, 1.0)
    pixel = {0: (sizes[1], sizes[2]), 1: (sizes[0], sizes[2]), 2: (sizes[0], sizes[1])}[axis]
    unit = volume.unit if volume.voxel_size is not None else "voxel"
    picture = Picture(voxels=voxels, grey=grey_levels(voxels, levels), pixel=pixel, unit=unit, levels=levels)
    return SliceRead(picture, index, volume.shape, volume.dtype.name, volume.voxel_size, volume.unit, volume.findings)


def _read_image(request: SliceRequest) -> SliceRead:
    count = count_images(request.project, request.entry)
    index = 0 if request.index is None else max(0, min(count - 1, request.index))
    volume = opened(request.project, request.entry, index)
    voxels = volume[0]
    levels = request.levels or levels_of(voxels)
    pixel = volume.voxel_size[1:] if volume.voxel_size is not None else (1.0, 1.0)
    unit = volume.unit if volume.voxel_size is not None else "voxel"
    picture = Picture(voxels=voxels, grey=grey_levels(voxels, levels), pixel=pixel, unit=unit, levels=levels)
    return SliceRead(picture, index, (count, *volume.shape[1:]), volume.dtype.name, None, unit, volume.findings)


@dataclass(frozen=True)
class GalleryRequest:
    """Random slices of every class under a plan."""

    project: Project
    classes: tuple[tuple[str, tuple[VolumeEntry, ...]], ...]
    plan: SlicePlan
    count: int
    seed: int


@dataclass
class GalleryRead:
    """The rows of the gallery, and how the sets are separated, in words."""

    rows: list[GalleryRow] = field(default_factory=list)
    independence: dict[str, list[str]] = field(default_factory=dict)  # sentence → classes
    warnings: list[str] = field(default_factory=list)


def read_gallery(request: GalleryRequest) -> GalleryRead:
    """Cut the slices (in a background thread); a class that cannot be cut says why in its row."""
    from microtome.slices.source import grid_of, preview
    from microtome.slices.split import separate

    read = GalleryRead()
    for name, entries in request.classes:
        entry = entries[request.seed % len(entries)]
        try:
            volume = opened(request.project, entry)
            cut = preview(volume, request.plan, n=request.count, seed=request.seed)
            blocks = separate(volume.shape, grid_of(volume, request.plan, name=entry.name), request.plan, name=entry.name)
        except MicrotomeError as error:
            read.rows.append(GalleryRow(name=name, problem=str(error)))
            continue
        read.rows.append(GalleryRow(name=name, caption=entry.name, images=to_images(cut.images)))
        if len(entries) < 3 and (lost := blocks.lost()):
            read.warnings.append(f"{name}: {lost}")
        if len(entries) >= 3:
            sentence = tr("Whole volumes go to different sets.")
        else:
            gap = length(blocks.gap or 0, "voxel")
            sentence = tr("Training, validation and evaluation share no voxel; at least {gap} lies between them.", gap=gap)
        read.independence.setdefault(sentence, []).append(name)
    return read
