"""Random slices of every class for the gallery, cut as an image set of the plan would cut them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from microtome.errors import MicrotomeError
from microtome.ui.sentences import said
from microtome.ui.slices_sources import Asked, Source, Superseded, looked_at, open_source, sources
from microtome.ui.views.picture import as_image, grey_levels, levels_of
from microtome.ui.views.slices.gallery import GalleryRow

if TYPE_CHECKING:
    from microtome.slices.blocks.split import Blocks
    from microtome.slices.geometry import Grid
    from microtome.slices.looking import Looked
    from microtome.slices.micrographs.arrange import Arrangement
    from microtome.slices.source import Preview
    from microtome.volumes.volume import Volume

_WHOLE = 3  # volumes of a class that are separated as wholes
_ORIENTATIONS, _MOST_FIT = 512, 0.5
_SQUARE = 1.001  # ratio of a pixel's edges
_blocks: WeakKeyDictionary[Volume, Blocks] = WeakKeyDictionary()  # what was found last


@dataclass(frozen=True, eq=False)
class Tile:
    """One slice: its values as the network sees them, and where it lies. Vectors are (z, y, x)."""

    class_name: str
    source: Source
    set_name: str
    values: NDArray[np.float32]  # (pixels, pixels), in colour (3, pixels, pixels)
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
    told: str = ""  # the number that its volume carries, where that counts and not the class

    @property
    def brightness(self) -> NDArray[np.float32]:
        """The values, or the brightness of those in colour (pixels, pixels)."""
        from microtome.slices.grey import luminance

        found: NDArray[np.float32] = luminance(self.values[None])[0]
        return found


@dataclass
class GalleryRead:
    """The rows of the gallery, and the slices in them."""

    rows: list[GalleryRow] = field(default_factory=list)
    tiles: list[list[Tile]] = field(default_factory=list)
    settled: bool = True  # False: cut from blocks of another plan, to be cut anew from its own
    ends: tuple[float, float] | None = None  # the smallest and the greatest number, where rows are volumes by their numbers


def read_gallery(asked: Asked, superseded: Superseded = lambda: False) -> GalleryRead | None:
    """Cut the slices (in a background thread); a class that cannot be cut says why in its row."""
    found: list[tuple[str, list[Tile], str]] = []
    reference = reference_of(asked)
    for label, (name, _) in enumerate(asked.classes):
        if superseded():
            return None
        try:
            group = sources(asked, label)
            # Together: whole groups of micrographs go to the sets, whichever class they are of.
            looked = looked_at(asked, superseded) if asked.has_images else None
            if looked is not None and looked.arrangement is not None:
                tiles = _arranged(asked, label, looked, looked.arrangement, reference)
            elif group[0].member.flat:
                tiles = [t for i in range(asked.count) for t in tiles_of(asked, _other(group, asked, i), 1, reference)]
            else:
                tiles = tiles_of(asked, group[asked.seed % len(group)], asked.count, reference)
            found.append((name, tiles, ""))
        except MicrotomeError as error:
            found.append((name, [], said(error)))
    every = [tile.values for _, tiles, _ in found for tile in tiles]
    # One contrast for all: what would tell classes apart by brightness is seen.
    levels = levels_of(np.concatenate(every), 0.5, 99.5) if every else (0.0, 1.0)
    read = GalleryRead(settled=not asked.quick)
    for name, tiles, problem in found:
        several = len({t.source.name for t in tiles}) > 1
        caption = "" if several or not tiles else tiles[0].source.name
        images = tuple(as_image(grey_levels(tile.values, levels)) for tile in tiles)
        strips = tuple(tile.set_name for tile in tiles)
        read.rows.append(GalleryRow(name=name, caption=caption, images=images, problem=problem, strips=strips))
        read.tiles.append([replace(tile, levels=levels) for tile in tiles])
    return read


def _other(group: list[Source], asked: Asked, i: int) -> Source:
    return group[(asked.seed * asked.count + i) % len(group)]


def reference_of(asked: Asked) -> tuple[float, ...]:
    """The histogram that all are matched to where the plan asks for that: of the first volume of each class."""
    from microtome.slices.colour import statistics_of
    from microtome.slices.grey import pooled

    if asked.plan.normalisation != "histogram":
        return ()
    groups = []
    for label in range(len(asked.classes)):
        try:
            first = sources(asked, label)[0]
            groups.append([statistics_of(open_source(asked.project, first), name=first.name)])
        except MicrotomeError:
            continue  # said in the class's row
    return pooled(groups) if groups else ()


def tiles_of(asked: Asked, source: Source, count: int, reference: tuple[float, ...]) -> list[Tile]:
    """Slices of one volume; raises what opening and cutting it raise."""
    from microtome.slices.planned import blocks_of
    from microtome.slices.source import grid_of, preview

    volume = open_source(asked.project, source)
    grid = grid_of(volume, asked.plan, name=source.name)
    blocks = _known(volume, grid, source) if asked.quick else None
    if blocks is None:
        _, blocks = blocks_of(volume, asked.plan, volumes=source.volumes, number=source.number, name=source.name)
        _blocks[volume] = blocks
    made = preview(volume, asked.plan, n=count, seed=asked.seed, reference=reference, blocks=blocks)
    return _as_tiles(asked, source, volume, grid, made)


def _arranged(asked: Asked, label: int, looked: Looked, arrangement: Arrangement, reference: tuple[float, ...]) -> list[Tile]:
    """Slices of micrographs that are tiled, brought to size or divided by groups: some of those that the set will hold."""
    from microtome.slices.blocks.split import whole
    from microtome.slices.colour import cut_colours, statistics_of
    from microtome.slices.grey import normalise
    from microtome.slices.micrographs.arrange import cut_places
    from microtome.slices.planes.sampler import Sampler
    from microtome.slices.source import Preview, preview

    numbers = [number for key, number in sorted(arrangement.shares) if key == label]
    tiles: list[Tile] = []
    for i in range(min(asked.count, sum(arrangement.shares[label, n].count for n in numbers))):
        number = numbers[(asked.seed * asked.count + i) % len(numbers)]
        share, one = arrangement.shares[label, number], looked.members[label][number]
        source = Source(one, None, asked.classes[label][0], label, number, len(looked.members[label]))
        volume = open_source(asked.project, source)
        blocks = whole(volume.shape, share.grid, asked.plan, share.set_name, name=one.name)
        if share.centres is None:
            made = preview(volume, asked.plan, n=1, seed=asked.seed + i, reference=reference, blocks=blocks)
        else:
            at = (asked.seed + i // len(numbers)) % len(share.centres)
            sampler = Sampler.of(volume, share.grid, asked.plan)
            cut = cut_places(sampler, share.centres[at : at + 1], name=one.name)
            grey = statistics_of(volume, name=one.name)
            images = normalise(
                cut_colours(sampler, cut.images, cut.centres, cut.axes), asked.plan.normalisation, grey, reference
            )
            sets = (share.set_name,)
            made = Preview(images=images, centres=cut.centres, axes=cut.axes, sets=sets, boxes=blocks.boxes, lost="")
        tiles += _as_tiles(asked, source, volume, share.grid, made)
    return tiles


def _as_tiles(asked: Asked, source: Source, volume: Volume, grid: Grid, made: Preview) -> list[Tile]:
    pixel, unit = pixel_of(volume, grid)
    box, box_unit = box_of(volume)
    z, y, x = (b / n for b, n in zip(box, volume.shape, strict=True))
    return [
        Tile(
            class_name=source.class_name,
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
            block=(made.boxes[set_name].low, made.boxes[set_name].high),
        )
        for image, centre, axes, set_name in zip(made.images, made.centres, made.axes, made.sets, strict=True)
    ]


def _known(volume: Volume, grid: Grid, source: Source) -> Blocks | None:
    """The blocks that were found last in a volume, if they hold the slices of a grid in most orientations and are as many."""
    from microtome.slices.blocks.split import reach_of

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


def pixel_of(volume: Volume, grid: Grid) -> tuple[float, str]:
    """The edge of a pixel: a length where voxel sizes are known and make pixels square, else in voxels."""
    axes = (1, 2) if volume.shape[0] == 1 else (0, 1, 2)
    size = volume.voxel_size
    if size is not None and volume.unit != "voxel":
        edges = [grid.spacing[a] * size[a] for a in axes]
        if max(edges) <= min(edges) * _SQUARE:
            return edges[-1], volume.unit
    return grid.spacing[2], "voxel"
