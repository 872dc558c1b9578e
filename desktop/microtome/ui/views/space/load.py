"""What the 3-D view reads of a volume, in background threads only: particles, an overview, pictures of planes, a surface."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microtome.ui.views.space.scene import Mesh, Panel, Particles, SpaceScene, Triple, axis_plane

if TYPE_CHECKING:
    from microtome.volumes.surface import Overview
    from microtome.volumes.volume import Volume

_MOST_PIXELS = 512  # of a plane's picture, along an edge
_OBLIQUE_PIXELS = 320
_READ_FULLY = 2**28  # bytes; the planes along z of a larger volume are taken from its overview
#: The corner that is cut away to show the planes: the one that the first view looks at (z up, y and x towards the viewer).
_CORNER: tuple[Triple, ...] = ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """A volume as the 3-D view keeps it: what is seen, the overview that is cut and meshed, and its grey levels."""

    scene: SpaceScene
    view: Overview | None = None
    levels: tuple[float, float] = (0.0, 1.0)
    level: float | None = None  # of the surface
    place: Triple = (0.5, 0.5, 0.5)  # where the three planes cross, as shares of the box


def scene_of(volume: Volume) -> SpaceScene:
    """The box of a volume and its particles, where it has some; reads no voxel."""
    from microtome.volumes.surface import extent_of

    box, unit = extent_of(volume)
    pitch = min(b / n for b, n in zip(box, volume.shape, strict=True))
    scene = SpaceScene(box=box, unit=unit, grain=pitch)
    found = volume.structure
    if found is None or len(found.radii) == 0:
        return scene
    # The voxels' box is the structure's box, whatever its unit is called.
    scale = np.asarray(box) / np.asarray(found.box, dtype=np.float64)
    particles = Particles(
        centres=np.ascontiguousarray(found.centres * scale, dtype=np.float32),
        radii=np.ascontiguousarray(found.radii * float(np.cbrt(scale.prod())), dtype=np.float32),
        kinds=None if found.types is None else np.ascontiguousarray(found.types, dtype=np.int32),
        names=found.names,
    )
    return replace(scene, particles=particles, grain=float(np.median(particles.radii)))


def with_voxels(volume: Volume, loaded: Loaded) -> Loaded:
    """With an overview read, the picture planes through the middle, and the free plane."""
    from microtome.volumes.surface import overview

    view = loaded.view or overview(volume)
    made = replace(loaded, view=view, levels=view.levels())
    return with_planes(volume, made, loaded.place)


def with_planes(volume: Volume, loaded: Loaded, place: Triple) -> Loaded:
    """With the three planes at a place, given as shares (z, y, x) of the box."""
    assert loaded.view is not None
    box = loaded.scene.box
    panels = []
    at = []
    for axis in range(3):
        index = min(volume.shape[axis] - 1, max(0, int(place[axis] * volume.shape[axis])))
        # The picture shows the voxels of a slice: it lies in their middle.
        at.append((index + 0.5) / volume.shape[axis] * box[axis])
        picture = _grey(_plane(volume, loaded.view, axis, index), loaded.levels)
        panels.append(axis_plane(box, axis, at[-1], picture, "line"))
    crossing = (at[0], at[1], at[2])
    scene = replace(loaded.scene, planes=tuple(panels), away=tuple((crossing, side) for side in _CORNER))
    return replace(loaded, scene=scene, place=place)


def with_surface(loaded: Loaded, level: float | None) -> Loaded:
    """With the surface at a grey level (None: the level that separates the two kinds of voxels best)."""
    from microtome.volumes.surface import isosurface

    assert loaded.view is not None
    made = isosurface(loaded.view, level)
    mesh = Mesh(vertices=made.vertices, faces=made.faces, normals=made.normals)
    return replace(loaded, scene=replace(loaded.scene, surface=mesh), level=made.level)


def oblique_panel(view: Overview, levels: tuple[float, float], centre: NDArray[Any], axes: NDArray[Any]) -> Panel:
    """The free plane through `centre` along `axes` (2, 3: unit vectors down and right; lengths as in the scene), as large
    as what it cuts of the box, from the overview; what lies outside the volume is left out."""
    from scipy.ndimage import map_coordinates

    low, high = _bounds(view.box, centre, axes)
    corner, edges = centre + low @ axes, high - low
    rows, columns = (max(2, round(_OBLIQUE_PIXELS * e / edges.max())) for e in edges)
    down, right = edges[0] * axes[0], edges[1] * axes[1]
    v, u = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    points = corner + v[:, None, None] * down + u[None, :, None] * right
    cut = map_coordinates(view.voxels, np.moveaxis(points / view.pitch - 0.5, -1, 0), order=1, mode="nearest")
    picture = np.maximum(_grey(cut, levels), np.uint8(1))
    slack = 1e-9 * np.asarray(view.box)
    picture[((points < -slack) | (points > np.asarray(view.box) + slack)).any(axis=-1)] = 0
    return Panel(
        corner=_triple(corner),
        down=_triple(down),
        right=_triple(right),
        picture=picture,
        colour="accent",
        border=2.0,
        masked=True,
        name="oblique",
    )


def _bounds(box: Triple, centre: NDArray[Any], axes: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rectangle (down, right; from `centre`) around what a plane cuts of a box: where it meets the box's edges."""
    corners = np.array(list(product(*((0.0, edge) for edge in box)))) - centre
    height = corners @ np.cross(axes[0], axes[1])
    pairs = [(i, i | 4 >> axis) for axis in range(3) for i in range(8) if not i & 4 >> axis]
    met = [corners[i] for i in range(8) if height[i] == 0.0]
    for i, k in pairs:
        if height[i] * height[k] < 0:
            met.append(corners[i] + (corners[k] - corners[i]) * (height[i] / (height[i] - height[k])))
    # A plane beside the box, or one that only touches it, still has some size.
    spread = np.array(met or [np.zeros(3)]) @ axes.T
    least = 0.05 * float(np.linalg.norm(box))
    low, high = spread.min(axis=0), spread.max(axis=0)
    thin = np.maximum(least - (high - low), 0.0) / 2
    return np.asarray(low - thin), np.asarray(high + thin)


def _triple(values: NDArray[Any]) -> Triple:
    return (float(values[0]), float(values[1]), float(values[2]))


def _plane(volume: Volume, view: Overview, axis: int, index: int) -> NDArray[Any]:
    """One slice of at most 512 pixels an edge; of a large volume only slices across z are read, the rest is the overview."""
    key: list[int | slice] = [slice(None, None, max(1, n // _MOST_PIXELS)) for n in volume.shape]
    if axis == 0 or volume.memory_bytes <= _READ_FULLY:
        key[axis] = index
        return np.asarray(volume[tuple(key)])
    coarse: list[int | slice] = [slice(None)] * 3
    coarse[axis] = index * view.voxels.shape[axis] // volume.shape[axis]
    return view.voxels[tuple(coarse)]


def _grey(voxels: NDArray[Any], levels: tuple[float, float]) -> NDArray[np.uint8]:
    from microtome.ui.views.picture import grey_levels

    return grey_levels(voxels, levels)
