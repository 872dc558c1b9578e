"""One slice as a network would be given it, and how large it is: of a volume, a structure or a micrograph."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.slices.plan import ClassSource, Micrographs, SlicePlan
from microtome.store.project import Project, VolumeEntry
from microtome.ui.i18n import tr
from microtome.ui.opened import identity, opened
from microtome.ui.slices_gallery import pixel_of

_TRIED = 8  # images of a folder, until one is large enough


@dataclass(frozen=True, kw_only=True)
class SeenAsked:
    """Of which entry of the project the slice is wanted, and by which settings."""

    project: Project
    entry: VolumeEntry
    plan: SlicePlan
    micrographs: Micrographs
    channels: int = 1  # 3: in colour

    @property
    def key(self) -> str:
        """What the slice depends on."""
        return repr((identity(self.project, self.entry), self.plan, self.micrographs, self.channels))

    @property
    def field(self) -> tuple[float, str] | None:
        """The edge of every slice and its unit, where the plan says it: an image that is brought to size has its own."""
        whole = self.entry.images and self.micrographs.fit in ("resize", "stretch")
        return None if whole else (self.plan.field_of_view, self.plan.unit)


@dataclass(frozen=True, kw_only=True)
class SeenSlice:
    """The slice and what is known of the structure in it."""

    image: NDArray[np.float32]  # (h, w), in colour (3, h, w)
    field: tuple[float, str]  # the slice's edge, and its unit
    diameter: float | None = None  # of the particles, mean, in that unit; None: not known


def read_seen(asked: SeenAsked) -> SeenSlice:
    """Cut one slice as the plan would (in a background thread). Raises what opening and cutting raise."""
    return _of_micrograph(asked) if asked.entry.images else _of_volume(asked)


def _of_volume(asked: SeenAsked) -> SeenSlice:
    from microtome.slices.source import preview

    plan = asked.plan
    volume = opened(asked.project, asked.entry)
    image = preview(volume, plan, n=1, seed=plan.seed).images[0]
    structure = volume.structure
    diameter = None
    if structure is not None and structure.unit == plan.unit and len(structure.radii):
        diameter = 2 * float(structure.radii.mean())
    return SeenSlice(image=image, field=(plan.field_of_view, plan.unit), diameter=diameter)


def _of_micrograph(asked: SeenAsked) -> SeenSlice:
    """The middle of the first image that is large enough."""
    from microtome.slices.colour import cut_colours
    from microtome.slices.micrographs.arrange import Seen, cut_places, places_of
    from microtome.slices.planes.sampler import Sampler
    from microtome.slices.source import grid_of, members
    from microtome.volumes.units import VOXEL

    name, settings = asked.entry.class_name, asked.micrographs
    source = ClassSource(name=name, images=(str(asked.project.resolve(asked.entry)),), micrographs=settings)
    # An image that is taken as a whole needs no pixel size.
    plan = asked.plan if asked.field is not None else replace(asked.plan, unit=VOXEL)
    for number, member in enumerate(members(source)[:_TRIED]):
        volume = replace(member, colour=asked.channels > 1).open()
        one = Seen(label=0, number=number, name=member.name, shape=volume.shape, grid=grid_of(volume, plan, name=member.name))
        grid, centres, _ = places_of(one, settings)
        if len(centres):
            sampler = Sampler.of(volume, grid, plan)
            cut = cut_places(sampler, centres[len(centres) // 2][None], name=member.name)
            image = cut_colours(sampler, cut.images, cut.centres, cut.axes)[0]
            pixel, unit = pixel_of(volume, grid)
            return SeenSlice(image=image, field=asked.field or (pixel * plan.pixels, unit))
    raise InputError(
        tr("The images of {name} are smaller than the field of view.", name=asked.entry.name),
        tr("Choose a smaller field of view, or bring whole images to size, on the slices page."),
    )
