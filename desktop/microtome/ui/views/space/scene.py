"""What the 3-D view shows: box, planes, surface, particles and rectangles as plain data; nothing here paints or knows Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

RGB = tuple[int, int, int]
Triple = tuple[float, float, float]
#: "#rrggbb", a name of `Look.named`, or the index of a class colour.
Colour = str | int


@dataclass(frozen=True, kw_only=True, eq=False)
class Particles:
    """Spheres: centres (n, 3) as (z, y, x) and radii (n,) in the scene's unit; `kinds` (n,) index into `names`."""

    centres: NDArray[np.float32]
    radii: NDArray[np.float32]
    kinds: NDArray[np.int32] | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """Triangles: vertices (n, 3) and unit normals (n, 3) as (z, y, x) in the scene's unit, faces (m, 3) of vertex indices."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    normals: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """A flat rectangle: one corner and its two edges (z, y, x); a picture (h, w) of grey levels is laid on it, rows along
    `down`. Without a picture it is filled with `fill` (0 … 1) of its colour; `border` is the width of its frame in pixels."""

    corner: Triple
    down: Triple
    right: Triple
    picture: NDArray[np.uint8] | None = None
    colour: Colour = "line"
    fill: float = 0.15
    border: float = 1.5
    masked: bool = False  # pixels of the level 0 are left out
    name: str = ""

    @property
    def centre(self) -> NDArray[np.float64]:
        """The middle of the rectangle."""
        return np.asarray(np.asarray(self.corner) + (np.asarray(self.down) + np.asarray(self.right)) / 2)

    @property
    def normal(self) -> NDArray[np.float64]:
        """The unit normal: rows × columns, as (z, y, x) of a right-handed x, y, z."""
        dz, dy, dx = self.down
        rz, ry, rx = self.right
        # (right × down) in x, y, z, written as (z, y, x): it points away from whoever sees the picture upright.
        made = np.array([rx * dy - ry * dx, rz * dx - rx * dz, ry * dz - rz * dy], dtype=np.float64)
        return np.asarray(made / max(float(np.linalg.norm(made)), 1e-300))


@dataclass(frozen=True, kw_only=True, eq=False)
class SpaceScene:
    """All that is seen at once, in lengths of `unit` from the box's corner (0, 0, 0) to `box` (z, y, x).

    `away` is cut away from surface and particles, so that the planes are seen: half spaces (a point, a direction into it) whose
    common part is left out. `grain` is the size of the smallest feature (a particle's radius, a voxel), which shadows follow.
    """

    box: Triple
    unit: str = "voxel"
    planes: tuple[Panel, ...] = ()
    oblique: Panel | None = None
    surface: Mesh | None = None
    particles: Particles | None = None
    rectangles: tuple[Panel, ...] = ()
    away: tuple[tuple[Triple, Triple], ...] = ()
    grain: float = 0.0

    @property
    def diagonal(self) -> float:
        """The length of the box's diagonal."""
        return float(np.linalg.norm(self.box))

    def only(self, parts: frozenset[str]) -> SpaceScene:
        """The scene with the other parts left out.

        Where something solid is shown, a corner of it is cut away before the three planes, which end there; without them
        what is before the free plane is cut away.
        """
        solid = bool(parts & {"surface", "particles"}) and (self.surface is not None or self.particles is not None)
        away = self.away if solid and "planes" in parts and self.planes else ()
        planes = tuple(quarter(p, away) for p in self.planes) if away else self.planes
        if not away and self.oblique is not None and "oblique" in parts:
            z, y, x = (float(v) for v in self.oblique.centre)
            nz, ny, nx = (float(v) for v in -self.oblique.normal)
            away = (((z, y, x), (nz, ny, nx)),)
        return replace(
            self,
            planes=planes if "planes" in parts else (),
            oblique=self.oblique if "oblique" in parts else None,
            surface=self.surface if "surface" in parts else None,
            particles=self.particles if "particles" in parts else None,
            rectangles=self.rectangles if "rectangles" in parts else (),
            away=away,
        )

    @property
    def pictures(self) -> tuple[Panel, ...]:
        """Every panel with a picture: drawn opaque."""
        panels = (*self.planes, *((self.oblique,) if self.oblique is not None else ()), *self.rectangles)
        return tuple(p for p in panels if p.picture is not None)

    @property
    def glass(self) -> tuple[Panel, ...]:
        """Every panel without a picture: drawn translucent, after all else."""
        panels = (*self.planes, *((self.oblique,) if self.oblique is not None else ()), *self.rectangles)
        return tuple(p for p in panels if p.picture is None)


@dataclass(frozen=True, kw_only=True)
class Look:
    """The colours of a 3-D picture."""

    top: RGB
    bottom: RGB
    line: RGB
    text: RGB
    surface: RGB
    particle: RGB
    kinds: tuple[RGB, ...]
    named: dict[str, RGB] = field(default_factory=dict)

    def rgb(self, colour: Colour) -> RGB:
        """The colour of a panel."""
        if isinstance(colour, int):
            return self.kinds[colour % len(self.kinds)]
        if colour.startswith("#"):
            return hex_rgb(colour)
        return self.named.get(colour, self.line)

    def palette(self, count: int) -> NDArray[np.uint8]:
        """The colours of particles of `count` kinds, (n, 3)."""
        if count <= 1:
            return np.array([self.particle], dtype=np.uint8)
        return np.array([self.kinds[i % len(self.kinds)] for i in range(count)], dtype=np.uint8)


def hex_rgb(text: str) -> RGB:
    """Red, green, blue of "#rrggbb"."""
    return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))


def axis_plane(box: Triple, axis: int, at: float, picture: NDArray[np.uint8] | None, colour: Colour = "line") -> Panel:
    """The plane across `axis` (0 z, 1 y, 2 x) at the length `at`, with a slice of the volume as its picture."""
    corner, down, right = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    rows, columns = [a for a in range(3) if a != axis]
    corner[axis], down[rows], right[columns] = at, box[rows], box[columns]
    return Panel(
        corner=(corner[0], corner[1], corner[2]),
        down=(down[0], down[1], down[2]),
        right=(right[0], right[1], right[2]),
        picture=picture,
        colour=colour,
        name="zyx"[axis],
    )


def quarter(panel: Panel, away: tuple[tuple[Triple, Triple], ...]) -> Panel:
    """The part of a plane along the axes that bounds a corner that is cut away; whole pixels of its picture, none too few."""
    corner, picture = np.asarray(panel.corner, dtype=np.float64), panel.picture
    edges = [np.asarray(panel.down, dtype=np.float64), np.asarray(panel.right, dtype=np.float64)]
    for k, edge in enumerate(edges):
        length = float(np.linalg.norm(edge))
        for point, direction in away:
            facing = float(np.dot(edge, direction)) / length
            if abs(facing) < 0.5:
                continue
            pixels = picture.shape[k] if picture is not None else 4096
            at = float(np.dot(np.asarray(point) - corner, edge)) / length**2 * pixels
            first, last = (math.floor(at), pixels) if facing > 0 else (0, math.ceil(at))
            first, last = min(max(first, 0), pixels - 1), max(min(last, pixels), 1)
            corner, edges[k] = corner + edge * (first / pixels), edge * ((last - first) / pixels)
            if picture is not None:
                picture = picture[first:last] if k == 0 else picture[:, first:last]
    made = [(float(z), float(y), float(x)) for z, y, x in (corner, *edges)]
    return replace(panel, corner=made[0], down=made[1], right=made[2], picture=picture)
