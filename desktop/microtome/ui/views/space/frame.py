"""One picture to be drawn, and the geometry and light that both painters of the 3-D view take from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.ui.views.space.camera import Camera
from microtome.ui.views.space.scene import Look, Panel, SpaceScene

Array = NDArray[Any]
SAMPLES = 16  # of soft shadows, a pixel


class PainterLostError(RuntimeError):
    """A painter that cannot draw here, or no longer; says why. Another one takes its place."""


@dataclass(frozen=True)
class Frame:
    """One picture to be drawn: what, from where, how large, in which colours, and whether quickly or well."""

    scene: SpaceScene
    camera: Camera
    width: int
    height: int
    look: Look
    fine: bool = True


def flat(panel: Panel, camera: Camera) -> Array:
    """(3, 4): a panel in the camera's frame, for rays through the pixels: normal and its product with the corner, then
    the rows that give the shares along `down` and `right` of a point."""
    axes, eye = camera.axes(), camera.eye()
    corner = axes @ (np.asarray(panel.corner) - eye)
    down, right = axes @ np.asarray(panel.down), axes @ np.asarray(panel.right)
    normal = np.cross(down, right)
    made = np.zeros((3, 4))
    made[0, :3], made[0, 3] = normal, normal @ corner
    for k, edge in ((1, down), (2, right)):
        along = edge / max(float(edge @ edge), 1e-300)
        made[k, :3], made[k, 3] = along, -(along @ corner)
    return made


def frame_shares(panel: Panel, camera: Camera, width: int, height: int, scale: float) -> Array:
    """The width of a panel's border as shares of its edges (down, right)."""
    depth = max(float((panel.centre - camera.eye()) @ camera.axes()[2]), 1e-12)
    one = panel.border * scale * depth / camera.focal(width, height)
    edges = [max(float(np.linalg.norm(e)), 1e-300) for e in (panel.down, panel.right)]
    return np.array([one / edges[0], one / edges[1]])


def clip_planes(scene: SpaceScene, camera: Camera) -> Array:
    """(n, 4): the half spaces, in the camera's frame, whose common part is cut away."""
    axes, eye = camera.axes(), camera.eye()
    made = np.zeros((len(scene.away), 4))
    for k, (point, direction) in enumerate(scene.away):
        made[k, :3] = axes @ np.asarray(direction)
        made[k, 3] = (eye - np.asarray(point)) @ np.asarray(direction)
    return made


def haze_of(scene: SpaceScene, camera: Camera) -> Array:
    """The depths of the box's nearest and farthest corner."""
    corners = np.array([[z, y, x] for z in (0, scene.box[0]) for y in (0, scene.box[1]) for x in (0, scene.box[2])])
    depths = camera.seen(corners)[:, 2]
    return np.array([float(depths.min()), max(float(depths.max()), float(depths.min()) + 1e-9)])


def shadow_reach(scene: SpaceScene) -> float:
    """How far soft shadows reach: a few grains, and no less than a little of the box."""
    return max(4.0 * scene.grain, 0.012 * scene.diagonal)


def far_to_near(panels: tuple[Panel, ...], camera: Camera) -> list[Panel]:
    """Panels in the order in which translucent ones are laid."""
    forward = camera.axes()[2]
    return sorted(panels, key=lambda p: -float(p.centre @ forward))
