"""The free plane's handles in the 3-D view: where they are, which one the mouse is on, and where a drag takes the plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from microtome.ui.views.space.camera import Camera
from microtome.ui.views.space.scene import Panel, Triple

Part = Literal["move", "turn"]
_ARM = 0.2  # of the box's diagonal: the length of the arrow along the normal
_GRIP = 11.0  # pixels


@dataclass(frozen=True, eq=False)
class Pose:
    """A plane: its middle (z, y, x), and the unit vectors (2, 3) that run down and right in its picture."""

    centre: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def slanted(cls, box: Triple) -> Pose:
        """Through the middle of a box, facing the corner that the first view looks at."""
        toward = np.array([-0.45, 0.62, 0.64])
        return cls(np.asarray(box, dtype=np.float64) / 2, np.array([[1.0, 0, 0], [0, 0, 1.0]])).facing(toward)

    @property
    def normal(self) -> NDArray[np.float64]:
        """The unit normal, towards whoever sees the picture upright."""
        (dz, dy, dx), (rz, ry, rx) = self.axes
        away = np.array([rx * dy - ry * dx, rz * dx - rx * dz, ry * dz - rz * dy])
        return np.asarray(-away / np.linalg.norm(away))

    def within(self, box: Triple) -> Pose:
        """With its middle no farther out than the box's faces."""
        return Pose(np.clip(self.centre, 0.0, np.asarray(box, dtype=np.float64)), self.axes)

    def facing(self, direction: NDArray[Any]) -> Pose:
        """Turned the shortest way so that the normal points in `direction` (Rodrigues' rotation)."""
        old, new = self.normal, np.asarray(direction, dtype=np.float64) / np.linalg.norm(direction)
        cosine = float(old @ new)
        if cosine < -0.999999:
            return Pose(self.centre, np.stack([self.axes[0], -self.axes[1]]))
        across = np.cross(old, new)
        turned = [a + np.cross(across, a) + np.cross(across, np.cross(across, a)) / (1 + cosine) for a in self.axes]
        down = turned[0] / np.linalg.norm(turned[0])
        right = turned[1] - (turned[1] @ down) * down
        return Pose(self.centre, np.stack([down, right / np.linalg.norm(right)]))


def handles(pose: Pose, diagonal: float, camera: Camera, width: int, height: int) -> dict[Part, tuple[float, float]]:
    """Where the two handles are on the picture: the middle moves the plane, the tip of the arrow turns it."""
    tip = pose.centre + _ARM * diagonal * pose.normal
    at = camera.project(np.stack([pose.centre, tip]), width, height)
    return {"move": (float(at[0, 0]), float(at[0, 1])), "turn": (float(at[1, 0]), float(at[1, 1]))}


def hit(where: dict[Part, tuple[float, float]], column: float, row: float) -> Part | None:
    """The handle under the mouse; the arrow's tip where both are."""
    for part in ("turn", "move"):
        x, y = where[part]
        if np.hypot(column - x, row - y) <= _GRIP:
            return part
    return None


def moved(pose: Pose, grabbed: tuple[float, float], at: tuple[float, float], camera: Camera, width: int, height: int) -> Pose:
    """Shifted along its normal by as much as the mouse went from `grabbed` to `at` along the normal's line on the picture."""
    shift = _along(pose, at, camera, width, height) - _along(pose, grabbed, camera, width, height)
    limit = 2 * camera.fitting
    return Pose(pose.centre + float(np.clip(shift, -limit, limit)) * pose.normal, pose.axes)


def _along(pose: Pose, at: tuple[float, float], camera: Camera, width: int, height: int) -> float:
    """The place on the normal's line that comes nearest to the mouse's ray, from the plane's middle."""
    ray, normal = camera.ray(*at, width, height), pose.normal
    gap = pose.centre - camera.eye()
    # Seen along the normal every place is as near as any other: the angle is kept from vanishing.
    slant = max(1.0 - float(ray @ normal) ** 2, 0.02)
    return float((ray @ normal) * (ray @ gap) - normal @ gap) / slant


def turned(pose: Pose, diagonal: float, at: tuple[float, float], camera: Camera, width: int, height: int) -> Pose:
    """Turned so that the arrow's tip follows the mouse on its sphere around the plane's middle, on the side where it is."""
    radius = _ARM * diagonal
    ray, eye = camera.ray(*at, width, height), camera.eye()
    gap = pose.centre - eye
    nearest = float(ray @ gap)
    beside = ray * nearest - gap  # from the middle to the ray
    inside = radius**2 - float(beside @ beside)
    before = float(pose.normal @ camera.axes()[2]) <= 0
    depth = np.sqrt(max(inside, 0.0))
    tip = beside + ray * (-depth if before else depth)
    return pose.facing(tip) if np.linalg.norm(tip) > 0 else pose


def met(panels: tuple[Panel, ...], camera: Camera, at: tuple[float, float], width: int, height: int) -> Triple | None:
    """The nearest point (z, y, x) at which the mouse's ray meets one of the panels, or None beside them."""
    eye, ray = camera.eye(), camera.ray(*at, width, height)
    found: list[tuple[float, Triple]] = []
    for panel in panels:
        slant = float(panel.normal @ ray)
        if abs(slant) < 1e-9:
            continue
        away = float(panel.normal @ (np.asarray(panel.corner) - eye)) / slant
        point = eye + away * ray
        beside = point - np.asarray(panel.corner)
        shares = [float(beside @ np.asarray(e)) / float(np.dot(e, e)) for e in (panel.down, panel.right)]
        if away > 0 and all(0 <= s <= 1 for s in shares):
            found.append((away, (float(point[0]), float(point[1]), float(point[2]))))
    return min(found)[1] if found else None
