"""A free plane through a volume: its pose in four numbers, what of it lies in the box, and its traces on other planes.

All vectors are (z, y, x) in a length unit, measured from the middle of the volume.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from microtome.slices.geometry import random_axes

Vector = NDArray[np.float64]
_POLE = 1e-9
_CORNERS = np.array([[z, y, x] for z in (-0.5, 0.5) for y in (-0.5, 0.5) for x in (-0.5, 0.5)])
_EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if np.count_nonzero(_CORNERS[a] != _CORNERS[b]) == 1]


@dataclass(frozen=True)
class Pose:
    """A plane: its normal's azimuth (in the xy plane, from x to y) and elevation (from there towards z), in degrees; how far
    its picture is turned about the normal; and its distance from the middle of the volume along the normal."""

    azimuth: float = -60.0
    elevation: float = 35.0
    rotation: float = 0.0
    offset: float = 0.0

    @property
    def normal(self) -> Vector:
        """The unit normal."""
        a, e = math.radians(self.azimuth), math.radians(self.elevation)
        return np.array([math.sin(e), math.cos(e) * math.sin(a), math.cos(e) * math.cos(a)])

    @property
    def axes(self) -> Vector:
        """The picture's down and right directions (2, 3): right lies in the xy plane where the rotation is 0."""
        down, right = self._upright()
        r = math.radians(self.rotation)
        return np.stack([math.cos(r) * down - math.sin(r) * right, math.cos(r) * right + math.sin(r) * down])

    def _upright(self) -> tuple[Vector, Vector]:
        a = math.radians(self.azimuth)
        right = np.array([0.0, math.cos(a), -math.sin(a)])
        return np.cross(right, self.normal), right

    @classmethod
    def of(cls, axes: Vector, offset: float, azimuth: float = -90.0) -> Pose:
        """The pose of a picture's axes (2, 3); `azimuth` stands where the normal is z and has none of its own."""
        down, right = axes
        normal = np.cross(down, right)
        elevation = math.degrees(math.asin(min(1.0, max(-1.0, float(normal[0])))))
        if math.hypot(normal[1], normal[2]) > _POLE:
            azimuth = math.degrees(math.atan2(normal[1], normal[2]))
        bare = cls(azimuth, elevation, 0.0, offset)
        below, beside = bare._upright()
        turned = math.degrees(math.atan2(float(right @ below), float(right @ beside)))
        return replace(bare, rotation=turned)

    def through(self, point: Vector) -> Pose:
        """The parallel plane through a point."""
        return replace(self, offset=float(self.normal @ point))

    def tilted(self, axis: Vector, degrees: float, pivot: Vector) -> Pose:
        """Turned about an axis (a unit vector) through a point of the plane, which stays on it (Rodrigues' formula)."""
        angle = math.radians(degrees)

        def turn(v: Vector) -> Vector:
            return np.asarray(
                v * math.cos(angle) + np.cross(axis, v) * math.sin(angle) + axis * (axis @ v) * (1 - math.cos(angle))
            )

        made = Pose.of(np.stack([turn(v) for v in self.axes]), 0.0, self.azimuth)
        return made.through(pivot)


NAMED = {"xy": Pose(-90.0, 90.0), "xz": Pose(-90.0, 0.0), "yz": Pose(0.0, 0.0)}
"""The poses whose pictures are those of the fixed planes."""


def random_pose(rng: np.random.Generator, offset: float = 0.0) -> Pose:
    """A pose of any orientation, all equally likely."""
    return Pose.of(random_axes(rng, 1)[0], offset)


def section(pose: Pose, edges: Vector) -> tuple[Vector, tuple[float, float]] | None:
    """The smallest upright rectangle about the plane's section of a box: its centre and (height, width); None beside the box.

    `edges` (3,) are the box's; the section's corners lie on them.
    """
    corners = _CORNERS * edges
    heights = corners @ pose.normal - pose.offset
    # A face counts as cut, though its distance is rounded.
    heights[np.abs(heights) < 1e-9 * float(np.max(edges))] = 0.0
    found = list(corners[heights == 0.0])
    for a, b in _EDGES:
        if heights[a] * heights[b] < 0:
            share = heights[a] / (heights[a] - heights[b])
            found.append(corners[a] + share * (corners[b] - corners[a]))
    if not found:
        return None
    flat = np.array(found) @ pose.axes.T
    low, high = flat.min(axis=0), flat.max(axis=0)
    centre = pose.normal * pose.offset + (low + high) / 2 @ pose.axes
    return centre, (float(high[0] - low[0]), float(high[1] - low[1]))


def trace(pose: Pose, axis: int, place: float, edges: Vector) -> tuple[Vector, Vector] | None:
    """The ends (3,) of the line in which the plane cuts a fixed one (normal `axis`, at `place`) inside the box, if it does."""
    rest = [a for a in range(3) if a != axis]
    normal = pose.normal
    flat = normal[rest]
    size = float(np.hypot(*flat))
    if size < 1e-6:
        return None
    half = edges[rest] / 2
    foot = flat / size**2 * (pose.offset - normal[axis] * place)
    along = np.array([-flat[1], flat[0]]) / size
    low, high = -np.inf, np.inf
    for k in range(2):
        if abs(along[k]) < 1e-12:
            if abs(foot[k]) > half[k]:
                return None
            continue
        first, second = sorted(((-half[k] - foot[k]) / along[k], (half[k] - foot[k]) / along[k]))
        low, high = max(low, first), min(high, second)
    if low >= high:
        return None
    ends = []
    for t in (low, high):
        end = np.zeros(3)
        end[axis] = place
        end[rest] = foot + t * along
        ends.append(end)
    return ends[0], ends[1]
