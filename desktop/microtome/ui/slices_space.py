"""Planes of an image set as a 3-D scene: the volume's box, the block of each set, slices coloured by their set (no Qt)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from microtome.ui.slices_gallery import Tile, box_of
from microtome.ui.slices_sources import Asked, Source, Superseded, open_source, placed
from microtome.ui.views.picture import grey_levels
from microtome.ui.views.space.scene import Panel, SpaceScene, Triple

if TYPE_CHECKING:
    from microtome.slices.trust.coverage import Coverage

MOST = 400  # planes of a set that are drawn
_MOST_POINTS = 150_000_000  # of slices whose voxels are counted: a few seconds
_OVERVIEW = 2**21  # voxels
_FACES = ((0, 1, 2), (1, 0, 2), (2, 0, 1))


@dataclass(frozen=True, eq=False)
class CageRead:
    """The slices of one volume in space, by set."""

    source: Source
    box: Triple
    unit: str
    planes: dict[str, tuple[Panel, ...]]
    blocks: dict[str, tuple[Panel, ...]]
    counts: dict[str, int]  # slices of the image set; `planes` may hold fewer
    lost: str

    def scene(self, sets: frozenset[str], *, most: int, blocks: bool) -> SpaceScene:
        """The scene with these sets, the first `most` planes of each."""
        panels = [p for s in self.planes if s in sets for p in self.planes[s][:most]]
        panels += [p for s in self.blocks if blocks and s in sets for p in self.blocks[s]]
        return SpaceScene(box=self.box, unit=self.unit, rectangles=tuple(panels))


@dataclass(frozen=True, eq=False)
class CoverageRead:
    """What the slices of one volume read of it, and a coarse picture of the volume beneath."""

    source: Source
    coverage: Coverage
    overview: NDArray[np.uint8]  # (z, y, x) grey levels
    shares: dict[str, tuple[float, float]]  # set → of the volume, of its block
    counted: dict[str, int]  # slices
    counts: dict[str, int]  # slices of the image set
    box: Triple
    unit: str


def _triple(values: NDArray[np.float64]) -> Triple:
    return (float(values[0]), float(values[1]), float(values[2]))


def plane(centre: NDArray[np.float64], edges: NDArray[np.float64], voxel: NDArray[np.float64], colour: str) -> Panel:
    """A slice: its centre (3,) in voxels, its edges (2, 3) down and right in voxels; voxel (3,) edges in the scene's unit."""
    down, right = edges * voxel
    # Voxel 0 reaches from 0 to 1 edges of a voxel: its middle lies half an edge inside the box.
    corner = (centre + 0.5) * voxel - (down + right) / 2
    return Panel(corner=_triple(corner), down=_triple(down), right=_triple(right), colour=colour, fill=0.10, border=1.0)


def block(low: Triple, high: Triple, voxel: NDArray[np.float64], colour: str) -> tuple[Panel, ...]:
    """The six faces of a block from its first voxel to the one behind its last."""
    first, last = np.asarray(low) * voxel, np.asarray(high) * voxel
    panels = []
    for axis, rows, columns in _FACES:
        down, right = np.zeros(3), np.zeros(3)
        down[rows], right[columns] = (last - first)[rows], (last - first)[columns]
        for at in (first[axis], last[axis]):
            corner = first.copy()
            corner[axis] = at
            face = Panel(corner=_triple(corner), down=_triple(down), right=_triple(right), colour=colour, fill=0.04, border=1.5)
            panels.append(face)
    return tuple(panels)


def read_cage(asked: Asked, source: Source, colours: dict[str, str]) -> CageRead:
    """Place the slices of one volume (in a background thread); raises as cutting would."""
    from microtome.slices.blocks.split import SETS

    volume = open_source(asked.project, source)
    made = placed(volume, asked.plan, source, most=MOST)
    box, unit = box_of(volume)
    voxel = np.asarray(box) / volume.shape
    edges = made.grid.steps(made.axes) * made.grid.size
    planes = {
        s: tuple(plane(made.centres[i], edges[i], voxel, colours[s]) for i in np.flatnonzero(made.sets == SETS.index(s)))
        for s in made.counts
    }
    blocks = {s: block(b.low, b.high, voxel, colours[s]) for s, b in made.blocks.boxes.items()}
    return CageRead(source, box, unit, planes, blocks, made.counts, made.blocks.lost())


def tile_scene(tile: Tile, colour: str) -> SpaceScene:
    """One slice in its volume, with its picture and the block of its set."""
    voxel = np.asarray(tile.voxel)
    made = plane(tile.centre, tile.edges, voxel, colour)
    picture = np.maximum(grey_levels(tile.brightness, tile.levels), 1)
    shown = Panel(corner=made.corner, down=made.down, right=made.right, picture=picture, colour=colour, border=2.0)
    return SpaceScene(box=tile.box, unit=tile.box_unit, rectangles=(shown, *block(*tile.block, voxel, colour)))


def read_coverage(asked: Asked, source: Source, superseded: Superseded) -> CoverageRead | None:
    """Count the voxels that the slices of one volume read (in a background thread)."""
    from microtome.slices.blocks.split import SETS
    from microtome.slices.trust.coverage import coverage
    from microtome.volumes.copies.pyramid import thumbnail

    volume = open_source(asked.project, source)
    first = placed(volume, asked.plan, source, most=1)
    most = max(1, _MOST_POINTS // (len(first.counts) * first.grid.size**2))
    made = placed(volume, asked.plan, source, most=most)
    found = coverage(volume.shape, made.grid, made.centres, made.axes, made.sets, superseded=superseded)
    if found is None or superseded():
        return None
    voxels, _ = thumbnail(volume, _OVERVIEW)
    shares = {s: (found.share(s), found.share_of(s, made.blocks.boxes[s])) for s in made.counts}
    counted = {s: int((made.sets == SETS.index(s)).sum()) for s in made.counts}
    box, unit = box_of(volume)
    return CoverageRead(source, found, _overview(voxels), shares, counted, made.counts, box, unit)


def _overview(voxels: NDArray[np.generic]) -> NDArray[np.uint8]:
    from microtome.ui.views.picture import levels_of

    levels = levels_of(voxels.reshape(-1, voxels.shape[-1]))
    return np.stack([grey_levels(layer, levels) for layer in voxels])


def layer(read: CoverageRead, axis: int, index: int | None, colours: dict[str, tuple[int, int, int]]) -> NDArray[np.uint8]:
    """A picture (h, w, 3) of one layer of cells across `axis`, or of all (None): grey where nothing reads it, else the
    colour of its set, the stronger the more slices read it; of all layers, the stronger the more of them are read."""
    from microtome.slices.blocks.split import SETS

    counts = read.coverage.counts
    under = read.overview
    if index is None:
        height = counts.shape[axis + 1]
        strength = [(counts[k] > 0).sum(axis=axis) / height for k in range(len(SETS))]
        grey = under.mean(axis=axis)
    else:
        most = np.log1p(max(1.0, float(counts.max())))
        strength = [np.log1p(np.take(counts[k], index, axis=axis)) / most for k in range(len(SETS))]
        grey = np.take(under, min(under.shape[axis] - 1, index * under.shape[axis] // counts.shape[axis + 1]), axis=axis)
    shape = strength[0].shape
    rows = np.arange(shape[0]) * grey.shape[0] // shape[0]
    columns = np.arange(shape[1]) * grey.shape[1] // shape[1]
    picture = np.repeat(grey[rows[:, None], columns][..., None].astype(np.float64) * 0.55 + 50.0, 3, axis=2)
    for k, name in enumerate(SETS):
        alpha = np.where(strength[k] > 0, 0.25 + 0.6 * strength[k], 0.0)[..., None]
        picture = picture * (1 - alpha) + np.asarray(colours[name], dtype=np.float64) * alpha
    return np.ascontiguousarray(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
