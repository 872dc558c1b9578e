"""What pages read of volumes in background threads: random slices of every class."""

from __future__ import annotations

from dataclasses import dataclass, field

from microtome.errors import MicrotomeError
from microtome.slices.plan import SlicePlan
from microtome.store.project import Project, VolumeEntry
from microtome.ui.i18n import tr
from microtome.ui.numbers import length
from microtome.ui.opened import opened
from microtome.ui.views.gallery import GalleryRow, to_images


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
    from microtome.slices.source import grid_of, preview, separated

    read = GalleryRead()
    for name, entries in request.classes:
        entry = entries[request.seed % len(entries)]
        try:
            volume = opened(request.project, entry)
            cut = preview(volume, request.plan, n=request.count, seed=request.seed)
            blocks = separated(volume, grid_of(volume, request.plan, name=entry.name), request.plan, name=entry.name)
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
