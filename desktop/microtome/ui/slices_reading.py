"""What the slices page reads in the background: random slices of every class, and what an image set of this plan would be."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from microtome.errors import MicrotomeError
from microtome.slices.plan import SlicePlan
from microtome.store.atomic import read_json
from microtome.store.project import Project, VolumeEntry
from microtome.ui.i18n import tr
from microtome.ui.numbers import length
from microtome.ui.opened import count_images, member, opened, reading_key
from microtome.ui.views.gallery import GalleryRow
from microtome.ui.views.picture import as_image, grey_levels, levels_of

if TYPE_CHECKING:
    from microtome.slices.geometry import Grid
    from microtome.slices.planned import Planned
    from microtome.slices.split import Blocks
    from microtome.volumes.volume import Volume

Superseded = Callable[[], bool]
_WHOLE = 3  # volumes of a class that are separated as wholes
_ORIENTATIONS, _MOST_FIT = 512, 0.5
_RATE_SLICES = 48
_MOST_HASHED = 400  # volumes and images; the set of more is looked up when it is cut
_identities: OrderedDict[str, str] = OrderedDict()
_blocks: WeakKeyDictionary[Volume, Blocks] = WeakKeyDictionary()  # what was found last


@dataclass(frozen=True)
class Asked:
    """The classes with their entries, in the order of the image set, and the plan."""

    project: Project
    classes: tuple[tuple[str, tuple[VolumeEntry, ...]], ...]
    plan: SlicePlan
    count: int = 8
    seed: int = 0
    quick: bool = False  # from the blocks that were found last, where those of this plan would have to be looked for


@dataclass(frozen=True)
class Source:
    """One volume or image as the image set counts it: `number` of the `volumes` of the class `label`."""

    entry: VolumeEntry
    index: int  # of the image in a folder of images
    label: int
    number: int
    volumes: int

    @property
    def name(self) -> str:
        """What it is called."""
        return self.entry.name if self.volumes == 1 or not self.entry.images else f"{self.entry.name} · {self.index + 1}"


@dataclass(frozen=True, eq=False)
class Tile:
    """One slice: its values as the network sees them, and where it lies. Vectors are (z, y, x)."""

    class_name: str
    source: Source
    set_name: str
    values: NDArray[np.float32]  # (pixels, pixels)
    levels: tuple[float, float]  # black and white
    centre: NDArray[np.float64]  # (3,) voxels
    axes: NDArray[np.float64]  # (2, 3) unit vectors in physical space
    edges: NDArray[np.float64]  # (2, 3) from border to border, down and right, in voxels
    pixel: float  # in `unit`
    unit: str
    voxel: tuple[float, float, float]  # edges in `box_unit`
    box: tuple[float, float, float]  # of the volume
    box_unit: str
    block: tuple[tuple[int, int, int], tuple[int, int, int]]  # of its set: first voxel, and the one behind the last


@dataclass
class GalleryRead:
    """The rows of the gallery, and the slices in them."""

    rows: list[GalleryRow] = field(default_factory=list)
    tiles: list[list[Tile]] = field(default_factory=list)
    settled: bool = True  # False: cut from blocks of another plan, to be cut anew from its own


@dataclass
class Outlook:
    """What an image set of the plan would be: how its sets are separated, what is lost, how long it takes, its hash."""

    sources: list[list[Source]] = field(default_factory=list)  # by class
    separation: list[tuple[str, str]] = field(default_factory=list)  # class, and how far its sets are apart
    lost: list[str] = field(default_factory=list)
    seconds: float | None = None  # of cutting alone
    rate: float = 0.0  # slices a second, of all classes together
    simulated: int = 0  # structures to be made first
    hash: str = ""  # "" where it is not known


def sources(project: Project, entries: tuple[VolumeEntry, ...], label: int) -> list[Source]:
    """The volumes and images of a class, in the order in which an image set numbers them."""
    kinds = [[e for e in entries if e.simulate is None and not e.images], [e for e in entries if e.simulate is not None]]
    flat = [(e, 0) for kind in kinds for e in kind]
    flat += [(e, i) for e in entries if e.images for i in range(count_images(project, e))]
    return [Source(e, i, label, number, len(flat)) for number, (e, i) in enumerate(flat)]


def read_gallery(asked: Asked, superseded: Superseded = lambda: False) -> GalleryRead | None:
    """Cut the slices (in a background thread); a class that cannot be cut says why in its row."""
    found: list[tuple[str, list[Tile], str]] = []
    reference = _reference(asked)
    for label, (name, entries) in enumerate(asked.classes):
        if superseded():
            return None
        try:
            members = sources(asked.project, entries, label)
            source = members[asked.seed % len(members)]
            found.append((name, _tiles(asked, name, source, reference), ""))
        except MicrotomeError as error:
            found.append((name, [], str(error)))
    every = [tile.values for _, tiles, _ in found for tile in tiles]
    # One contrast for all: what would tell classes apart by brightness is seen.
    levels = levels_of(np.concatenate(every), 0.5, 99.5) if every else (0.0, 1.0)
    read = GalleryRead(settled=not asked.quick)
    for name, tiles, problem in found:
        caption = tiles[0].source.name if tiles else ""
        images = tuple(as_image(grey_levels(tile.values, levels)) for tile in tiles)
        strips = tuple(tile.set_name for tile in tiles)
        read.rows.append(GalleryRow(name=name, caption=caption, images=images, problem=problem, strips=strips))
        read.tiles.append([_with_levels(tile, levels) for tile in tiles])
    return read


def _with_levels(tile: Tile, levels: tuple[float, float]) -> Tile:
    return Tile(**{**tile.__dict__, "levels": levels})


def _reference(asked: Asked) -> tuple[float, ...]:
    """The histogram that all are matched to where the plan asks for that: of the first volume of each class."""
    from microtome.slices.grey import grey_of, pooled

    if asked.plan.normalisation != "histogram":
        return ()
    groups = []
    for label, (_, entries) in enumerate(asked.classes):
        try:
            source = sources(asked.project, entries, label)[0]
            groups.append([grey_of(opened(asked.project, source.entry, source.index))])
        except MicrotomeError:
            continue  # said in the class's row
    return pooled(groups) if groups else ()


def _tiles(asked: Asked, name: str, source: Source, reference: tuple[float, ...]) -> list[Tile]:
    from microtome.slices.planned import blocks_of
    from microtome.slices.source import grid_of, preview

    volume = opened(asked.project, source.entry, source.index)
    grid = grid_of(volume, asked.plan, name=source.entry.name)
    blocks = _known(volume, grid, source) if asked.quick else None
    if blocks is None:
        _, blocks = blocks_of(volume, asked.plan, volumes=source.volumes, number=source.number, name=source.entry.name)
        _blocks[volume] = blocks
    made = preview(volume, asked.plan, n=asked.count, seed=asked.seed, reference=reference, blocks=blocks)
    pixel, unit = pixel_of(volume, asked.plan)
    box, box_unit = box_of(volume)
    z, y, x = (b / n for b, n in zip(box, volume.shape, strict=True))
    return [
        Tile(
            class_name=name,
            source=source,
            set_name=set_name,
            values=image,
            levels=(0.0, 1.0),
            centre=centre,
            axes=axes,
            edges=grid.steps(axes[None])[0] * grid.size,
            pixel=pixel,
            unit=unit,
            voxel=(z, y, x),
            box=box,
            box_unit=box_unit,
            block=(blocks.boxes[set_name].low, blocks.boxes[set_name].high),
        )
        for image, centre, axes, set_name in zip(made.images, made.centres, made.axes, made.sets, strict=True)
    ]


def _known(volume: Volume, grid: Grid, source: Source) -> Blocks | None:
    """The blocks that were found last in a volume, if they hold the slices of a grid in most orientations and are as many."""
    from microtome.slices.split import reach_of

    blocks = _blocks.get(volume)
    if blocks is None or (len(blocks.boxes) == 1) != (source.volumes >= _WHOLE):
        return None
    reach = reach_of(grid, _ORIENTATIONS)
    fits = [(np.asarray(b.shape) - 1 - 2 * reach >= 0).all(axis=1).mean() for b in blocks.boxes.values()]
    return blocks if min(fits) > _MOST_FIT else None


def box_of(volume: Volume) -> tuple[tuple[float, float, float], str]:
    """The edges of a volume (z, y, x) and their unit."""
    size = volume.physical_size
    if size is not None:
        return size, volume.unit
    z, y, x = volume.shape
    return (float(z), float(y), float(x)), "voxel"


def pixel_of(volume: Volume, plan: SlicePlan) -> tuple[float, str]:
    """The edge of a pixel: a length where the plan gives one, or where the voxels are known cubes; else in voxels."""
    pixel = plan.field_of_view / plan.pixels
    if plan.unit != "voxel":
        return pixel, plan.unit
    size = volume.voxel_size
    used = () if size is None else size[1:] if volume.shape[0] == 1 else size
    if not used or volume.unit == "voxel" or max(used) > min(used) * 1.001:
        return pixel, "voxel"
    return pixel * used[-1], volume.unit


def read_outlook(asked: Asked, superseded: Superseded) -> Outlook | None:
    """Look at what the plan would make (in a background thread): blocks, the speed of cutting, the set's hash."""
    from microtome.slices.planned import blocks_of

    look = Outlook()
    seconds, images = 0.0, 0
    groups = []
    for label, (name, entries) in enumerate(asked.classes):
        if superseded():
            return None
        try:
            group = sources(asked.project, entries, label)
            source = group[0]
            volume = opened(asked.project, source.entry, source.index)
            _, blocks = blocks_of(volume, asked.plan, volumes=len(group), number=0, name=source.entry.name)
            if lost := blocks.lost():
                look.lost.append(f"{name}: {lost}")
            look.separation.append((name, _separation(blocks, volume)))
            each = asked.plan.train + asked.plan.validation + asked.plan.evaluation
            seconds += each * _seconds_a_slice(volume, asked.plan, source)
            images += each
            groups.append(group)
        except MicrotomeError:
            continue  # said in the class's row of the gallery
    look.sources = groups
    look.simulated = sum(s.entry.simulate is not None for g in groups for s in g)
    if groups and len(groups) == len(asked.classes):
        look.seconds, look.rate = seconds, images / max(seconds, 1e-9)
        look.hash = _hash(asked, groups, superseded)
    return None if superseded() else look


def _separation(blocks: Blocks, volume: Volume) -> str:
    if blocks.gap is None:
        return tr("Whole volumes go to different sets.")
    words = tr("{gap} between the blocks", gap=length(blocks.gap, "voxel"))
    size = volume.voxel_size
    if size is not None and volume.unit != "voxel":
        words += f" ({length(blocks.gap * min(size), volume.unit)})"
    if blocks.correlation is not None:
        reach = max(blocks.correlation.length)
        words += tr("; grey values are alike over {reach}", reach=length(float(f"{reach:.2g}"), "voxel"))
    return words


def placed(volume: Volume, plan: SlicePlan, source: Source, *, most: int | None = None) -> Planned:
    """Where the first `most` slices of each set lie in a volume."""
    from microtome.slices.planned import planned

    name = source.entry.name
    return planned(volume, plan, label=source.label, number=source.number, volumes=source.volumes, name=name, most=most)


def _seconds_a_slice(volume: Volume, plan: SlicePlan, source: Source) -> float:
    """Measured on slices that the set would hold."""
    from microtome.slices.sampler import Sampler

    made = placed(volume, plan, source, most=_RATE_SLICES // 2)
    sampler = Sampler.of(volume, made.grid, plan)
    n = min(_RATE_SLICES, len(made.centres))
    sampler.cut(made.centres[:1], made.axes[:1])  # what is compiled or laid out once is no part of the speed
    begun = time.perf_counter()
    sampler.cut(made.centres[:n], made.axes[:n])
    return (time.perf_counter() - begun) / max(1, n)


def _hash(asked: Asked, groups: list[list[Source]], superseded: Superseded) -> str:
    """The hash of the image set as cutting would find it; "" where there are too many files to look at now."""
    from microtome.slices.cutting import digest_of

    if sum(map(len, groups)) > _MOST_HASHED:
        return ""
    identities = []
    for group in groups:
        found = []
        for source in group:
            if superseded():
                return ""
            found.append(_identity(asked.project, source))
        identities.append(found)
    return digest_of(asked.plan, [name for name, _ in asked.classes], identities)


def _identity(project: Project, source: Source) -> str:
    from microtome.slices.source import identity

    key = f"{reading_key(project, source.entry)} {source.index}"
    if key not in _identities:
        which = member(project, source.entry, source.index)
        volume = None if source.entry.simulate is not None else opened(project, source.entry, source.index)
        _identities[key] = identity(which, volume)
        while len(_identities) > 4 * _MOST_HASHED:
            _identities.popitem(last=False)
    return _identities[key]


class _Opened(Sequence["Volume"]):
    """The volumes of a class, each opened when it is asked for: a preview looks at a few."""

    def __init__(self, project: Project, group: list[Source]) -> None:
        self._project, self._group = project, group

    def __len__(self) -> int:
        return len(self._group)

    @overload
    def __getitem__(self, index: int) -> Volume: ...

    @overload
    def __getitem__(self, index: slice) -> list[Volume]: ...

    def __getitem__(self, index: int | slice) -> Volume | list[Volume]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        source = self._group[index]
        return opened(self._project, source.entry, source.index)


@dataclass(frozen=True)
class TrustRead:
    """Leak meter and shortcut audit as plan.json holds them; `previewed`: of a few slices of a set that is not cut."""

    leak: dict[str, Any] | None = None
    shortcuts: tuple[dict[str, Any], ...] = ()
    advice: tuple[str, ...] = ()
    previewed: bool = True


def read_trust(asked: Asked, hash_: str) -> TrustRead:
    """What is known of the cut image set, or measured on a preview (in a background thread, seconds)."""
    folder = asked.project.imagesets / hash_ if hash_ else None
    if folder is not None and (folder / "plan.json").is_file():
        data = read_json(folder / "plan.json")
        if data.get("leak"):
            advice = tuple(map(str, data.get("warnings", ())))
            return TrustRead(data["leak"], tuple(data.get("shortcuts", ())), advice, previewed=False)
    from microtome.slices.trust_preview import preview_trust

    groups = [(name, sources(asked.project, entries, label)) for label, (name, entries) in enumerate(asked.classes)]
    volumes = {name: _Opened(asked.project, group) for name, group in groups}
    found = preview_trust(volumes, asked.plan)
    return TrustRead(found.leak.to_json(), tuple(found.shortcuts), tuple(found.warnings))
