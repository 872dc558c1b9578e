"""From a class's sources to volumes, their grids and a quick preview of their slices."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome import __version__
from microtome.errors import InputError
from microtome.plugin import Structure
from microtome.registry import registry
from microtome.slices.blocks.content import content_of
from microtome.slices.blocks.correlation import correlation_of
from microtome.slices.blocks.split import SETS, Blocks, Box, separate
from microtome.slices.colour import as_colours, cut_colours, statistics_of
from microtome.slices.drawing import draw
from microtome.slices.geometry import Array, Grid, spacing_in_voxels
from microtome.slices.grey import Grey, Quantiles, grey_of, normalise
from microtome.slices.micrographs.databar import bar_height
from microtome.slices.micrographs.flat import image_files as image_files
from microtome.slices.micrographs.flat import micrographs_of
from microtome.slices.plan import ClassSource, SimulatedSource, SlicePlan, VolumeSource
from microtome.slices.planes.sampler import Sampler
from microtome.volumes.images.colours import read_colours
from microtome.volumes.particles.simulate import simulate, voxelise
from microtome.volumes.read import open_volume
from microtome.volumes.units import VOXEL
from microtome.volumes.volume import Volume

_WHOLE = 256 * 2**20  # bytes: smaller volumes are identified by all their voxels, larger ones by every few planes
_PLANES = 64
DATA_BAR = "data bar"
"""The key in a volume's metadata of how many rows were left out."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One volume of a class before it is opened; `flat`: a micrograph, cut in its own plane only.

    Of a micrograph `data_bar` rows at the bottom are left out (−1: those that are found); `groups` and `set_name` say with
    what it must stay together, and its set where a table gives it.
    """

    name: str
    source: VolumeSource | SimulatedSource
    flat: bool = False
    data_bar: int = 0
    groups: tuple[str, ...] = ()
    set_name: str = ""
    value: float | None = None  # the number that a network shall tell of it
    colour: bool = False  # of a micrograph: whether it is opened with its colours, if it has any

    def open(self) -> Volume:
        """Open the file (its header), or simulate the structure (seconds)."""
        source = self.source
        if isinstance(source, SimulatedSource):
            structure = _simulated(source.kind, source.seed, json.dumps(source.parameters, sort_keys=True, default=str))
            return voxelise(structure, source.voxel_size)
        size: dict[str, Any] = {} if source.voxel_size is None else {"voxel_size": source.voxel_size}
        unit = {"unit": source.unit} if source.unit else {}
        volume = open_volume(Path(source.path), **source.options, **size, **unit)
        if self.flat and volume.shape[0] != 1:
            raise InputError(
                f"{self.name} holds {volume.shape[0]} pages; a micrograph is one image.",
                "List it under volumes, or save each page as a file of its own.",
            )
        if self.flat and self.colour:
            stored = read_colours(Path(source.path))
            volume = replace(volume, colours=as_colours(volume[0]) if stored is None else stored)
        return without_bar(volume, self.data_bar, name=self.name) if self.flat else volume


@lru_cache(maxsize=8)
def _simulated(kind: str, seed: int, parameters: str) -> Structure:
    """A structure, kept: a driver that cuts one image set after another from it (fresh slices) makes it once."""
    return simulate(kind, seed=seed, parameters=json.loads(parameters))


def without_bar(volume: Volume, data_bar: int, *, name: str) -> Volume:
    """A volume of one plane without so many rows at the bottom (−1: those of the bar that is found, if any; 0: as it is).

    Raises InputError naming the image where nothing would remain.
    """
    image = volume[0] if data_bar else None
    rows = 0 if image is None else bar_height(image, data_bar, name=name)
    if image is None or not rows:
        return volume
    return replace(
        volume,
        voxels=np.ascontiguousarray(image[None, :-rows]),
        colours=None if volume.colours is None else np.ascontiguousarray(volume.colours[:, :-rows]),
        findings=(*volume.findings, f"A data bar of {rows} px at the bottom was left out."),
        metadata={**volume.metadata, DATA_BAR: rows},
        _kept=None,
    )


def members(source: ClassSource) -> list[Member]:
    """The volumes, structures and micrographs of a class, not opened; InputError where there are none."""
    return gathered(source)[0]


def gathered(source: ClassSource) -> tuple[list[Member], list[str]]:
    """`members`, and what was left out or guessed on the way, in words."""
    found = [Member(name=Path(v.path).name or v.path, source=v, value=v.value) for v in source.volumes]
    found += [Member(name=f"{s.kind}, seed {s.seed}", source=s, value=s.value) for s in source.simulated]
    flat, said = micrographs_of(source)
    for one in flat:
        size = None if one.pixel_size is None else (one.pixel_size,) * 3
        found.append(
            Member(
                name=one.path.name,
                source=VolumeSource(path=str(one.path), voxel_size=size, unit=one.unit),
                flat=True,
                data_bar=source.micrographs.data_bar,
                groups=one.groups,
                set_name=one.set_name,
                value=source.value,
            )
        )
    if not found:
        raise InputError(f"Class “{source.name}” has no volumes.", "Give it a volume, images or a structure to simulate.")
    return found, said


def open_class(source: ClassSource) -> list[Volume]:
    """Open all volumes of a class: files by their header, structures by simulating them."""
    return [member.open() for member in members(source)]


def identity(member: Member, volume: Volume | None) -> str:
    """What a member's data are, wherever they lie: a hash of voxels, shape and voxel size, or of how it is simulated."""
    if isinstance(member.source, SimulatedSource):
        plugin = registry().get("generator", member.source.kind)
        how = {k: v for k, v in asdict(member.source).items() if k not in ("value", "property")}
        what = [how, plugin.source_hash, plugin.version, __version__]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
    assert volume is not None
    size = None if volume.voxel_size is None else [float(v) for v in volume.voxel_size]
    digest = hashlib.sha256(repr((tuple(volume.shape), volume.dtype.str, size, volume.unit)).encode())
    depth = volume.shape[0]
    plane = max(1, volume.shape[1] * volume.shape[2] * volume.dtype.itemsize)
    if plane * depth <= _WHOLE:
        starts, thick = range(0, depth, max(1, 2**24 // plane)), max(1, 2**24 // plane)
    else:
        starts, thick = range(0, depth, max(1, depth // _PLANES)), 1
    for z in starts:
        digest.update(np.ascontiguousarray(volume[z : z + thick]).data)
    if volume.colours is not None:
        digest.update(np.ascontiguousarray(volume.colours).data)
    return digest.hexdigest()[:24]


def grid_of(volume: Volume, plan: SlicePlan, *, name: str) -> Grid:
    """The pixels of the plan in a volume; InputError naming the volume where its voxel size is needed and unknown.

    A volume of one plane is cut in that plane, whatever the plan's orientation.
    """
    if plan.unit != VOXEL and volume.voxel_size is None:
        raise InputError(
            f"The voxel size of {name} is not known, and the field of view is given in {plan.unit}.",
            "Enter its voxel size, or give the field of view in voxels.",
        )
    spacing = spacing_in_voxels(plan.field_of_view / plan.pixels, plan.unit, volume.voxel_size, volume.unit)
    if volume.shape[0] > 1:
        slab = plan.thickness / plan.field_of_view * plan.pixels
        cone = plan.cone if plan.orientation == "cone" else 0.0
        return Grid(spacing, plan.pixels, plan.orientation, cone=cone, slab=slab, period=_period(volume, plan))
    return Grid((spacing[1], *spacing[1:]), plan.pixels, "xy")


def _period(volume: Volume, plan: SlicePlan) -> tuple[int, int, int]:
    if plan.positions == "inside" or volume.structure is None:
        return (0, 0, 0)
    z, y, x = (n if wraps else 0 for n, wraps in zip(volume.shape, volume.structure.wraps, strict=True))
    return (z, y, x)


def separated(volume: Volume, grid: Grid, plan: SlicePlan, *, name: str) -> Blocks:
    """The blocks of a volume for three sets: of like content, as far apart as its grey values are alike or the plan says.

    Raises InputError, with the largest field of view that fits, where there is no room for them.
    """
    return separate(volume.shape, grid, plan, name=name, correlation=correlation_of(volume), content=content_of(volume))


@dataclass(frozen=True, kw_only=True)
class Preview:
    """Slices of a volume as the image set would hold them, with where they lie."""

    images: NDArray[np.float32]  # (n, pixels, pixels), or (n, 3, pixels, pixels) in colour
    centres: Array  # (n, 3) voxels
    axes: Array  # (n, 2, 3) down and right, unit vectors in physical space
    sets: tuple[str, ...]  # the set of each
    boxes: dict[str, Box]  # the block of each set
    lost: str  # what orientations do not fit, in words; empty where all do


def preview(
    volume: Volume, plan: SlicePlan, *, n: int, seed: int, reference: Quantiles = (), blocks: Blocks | None = None
) -> Preview:
    """Cut n slices at random, in turn from the blocks of training, validation and evaluation; fast enough for a live view.

    `reference`: the histogram of all training volumes, where the plan matches histograms; the volume's own where it is empty.
    `blocks`: those of the volume where they are known, or where it serves one set alone.

    Raises InputError as cutting the image set would.
    """
    name = Path(volume.source).name if volume.source else "the volume"
    grid = grid_of(volume, plan, name=name)
    blocks = blocks or separated(volume, grid, plan, name=name)
    served = [s for s in SETS if s in blocks.boxes]
    sets = tuple(served[i % len(served)] for i in range(n))
    needed = plan.reject > 0 or plan.normalisation in ("volume", "volume-percentile", "histogram") or volume.dtype.kind == "f"
    # Else nothing hangs on it, and large volumes take seconds.
    grey = grey_of(volume, name=name) if needed else Grey(0.0, 0.0)
    rngs = [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,))) for i in range(n)]
    sampler = Sampler.of(volume, grid, plan)
    drawn = draw(
        sampler,
        [blocks.boxes[s] for s in sets],
        rngs,
        contrast=plan.reject * grey.deviation,
        name=name,
    )
    images = cut_colours(sampler, drawn.images, drawn.centres, drawn.axes)
    return Preview(
        images=normalise(images, plan.normalisation, statistics_of(volume, name=name) if needed else grey, reference),
        centres=drawn.centres,
        axes=drawn.axes,
        sets=sets,
        boxes=blocks.boxes,
        lost=blocks.lost(),
    )
