"""The 3-D picture drawn by the processor alone, on any platform: a compiled loop a primitive, a thread a band of rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.ui.views.space.camera import NEAR, Camera
from microtome.ui.views.space.frame import SAMPLES, Frame, clip_planes, far_to_near, flat, frame_shares, haze_of, shadow_reach
from microtome.ui.views.space.scene import Look, Panel, SpaceScene

Array = NDArray[Any]
_BINS = 4096
_MOST_THREADS = 8


def _threads() -> int:
    return min(_MOST_THREADS, os.cpu_count() or 1)


@lru_cache(maxsize=2)
def _pool(fine: bool) -> ThreadPoolExecutor:
    # Two pools: a quick picture must not queue behind a fine one that is no longer wanted.
    return ThreadPoolExecutor(max_workers=_threads(), thread_name_prefix=f"microtome-3d-{'fine' if fine else 'quick'}")


def _bounds(panel: Panel, camera: Camera, width: int, height: int) -> Array:
    """Rows and columns that a panel may cover; all of them where a corner is behind the camera."""
    corner, down, right = (np.asarray(v) for v in (panel.corner, panel.down, panel.right))
    at = camera.project(np.stack([corner, corner + down, corner + right, corner + down + right]), width, height)
    if (at[:, 2] <= NEAR * camera.fitting).any():
        return np.array([0, height, 0, width], dtype=np.int64)
    at = np.clip(at, -1e6, 1e6)
    low, high = np.floor(at.min(axis=0)), np.ceil(at.max(axis=0))
    found = [max(0, low[1]), min(height, high[1] + 1), max(0, low[0]), min(width, high[0] + 1)]
    return np.array(found, dtype=np.int64)


@dataclass(eq=False)
class _Buffers:
    """The picture in the making."""

    depth: Array
    normal: Array
    colour: Array
    out: Array

    @classmethod
    def of(cls, width: int, height: int) -> _Buffers:
        return cls(
            np.full((height, width), np.inf, np.float32),
            np.zeros((height, width, 3), np.float32),
            np.zeros((height, width, 4), np.uint8),
            np.zeros((height, width, 4), np.uint8),
        )


def _never() -> bool:
    return False


def draw(frame: Frame, superseded: Callable[[], bool] = _never) -> NDArray[np.uint8] | None:
    """The picture (height, width, 4): red, green, blue, opacity, premultiplied; where nothing is it is clear.

    A fine one is drawn at twice the size with soft shadows; a quick one as it is, without. None where it was `superseded`.
    """
    from microtome.ui.views.space.light import halved

    scale = 2 if frame.fine else 1
    width, height = frame.width * scale, frame.height * scale
    buffers = _Buffers.of(width, height)
    steps = _steps(frame, width, height, scale)
    # Rows of unlike cost are shared out in more bands than there are threads; a fine picture is given up between two.
    edges = np.linspace(0, height, (6 if frame.fine else 2) * _threads() + 1).astype(int)
    for step in steps:
        list(_pool(frame.fine).map(partial(_band, step, buffers, superseded), pairwise(edges)))
        if superseded():
            return None
    if scale == 1:
        return buffers.out
    small = np.empty((frame.height, frame.width, 4), np.uint8)
    halved(buffers.out, small)
    return small


_Step = Callable[[_Buffers, int, int], None]


def _band(step: _Step, buffers: _Buffers, superseded: Callable[[], bool], edges: tuple[int, int]) -> None:
    if not superseded():
        step(buffers, int(edges[0]), int(edges[1]))


def _steps(frame: Frame, width: int, height: int, scale: int) -> list[_Step]:
    """Three passes over the bands, each of which needs the whole of the one before: shapes, light, glass."""
    scene, camera, look = frame.scene, frame.camera, frame.look
    focal = camera.focal(width, height)
    near = NEAR * camera.fitting
    clip = clip_planes(scene, camera)
    view = np.array([focal, width / 2, height / 2, 0.0, near])

    def at(first: int) -> Array:
        moved = view.copy()
        moved[3] = first
        return moved

    shapes = [
        *_pictures(frame, width, height, scale),
        *_particles(scene, camera, look, clip),
        *_surface(scene, camera, look, clip),
    ]

    def draw_shapes(buffers: _Buffers, first: int, end: int) -> None:
        for shape in shapes:
            shape(at(first), buffers.depth[first:end], buffers.normal[first:end], buffers.colour[first:end])

    haze, fog, reach = haze_of(scene, camera), np.array(look.bottom, np.float64), shadow_reach(scene)

    def light(buffers: _Buffers, first: int, end: int) -> None:
        from microtome.ui.views.space.light import shade

        rows = np.array([first, end], np.int64)
        samples = SAMPLES if frame.fine else 0
        shade(buffers.depth, buffers.normal, buffers.colour, haze, fog, view, reach, samples, rows, buffers.out)

    panes = [(p, *_panel(p, frame, width, height, scale)) for p in far_to_near(scene.glass, camera)]

    def glass(buffers: _Buffers, first: int, end: int) -> None:
        from microtome.ui.views.space.raster import lay_glass

        for panel, plane, border, rgb, bounds in panes:
            lay_glass(plane, border, rgb, panel.fill, at(first), bounds, buffers.depth[first:end], buffers.out[first:end])

    return [draw_shapes, light, glass] if panes else [draw_shapes, light]


_Shape = Callable[[Array, Array, Array, Array], None]


def _panel(panel: Panel, frame: Frame, width: int, height: int, scale: int) -> tuple[Array, Array, Array, Array]:
    camera = frame.camera
    rgb = np.array(frame.look.rgb(panel.colour), np.float64)
    return flat(panel, camera), frame_shares(panel, camera, width, height, scale), rgb, _bounds(panel, camera, width, height)


def _pictures(frame: Frame, width: int, height: int, scale: int) -> list[_Shape]:
    from microtome.ui.views.space.raster import draw_picture

    def shape(panel: Panel) -> _Shape:
        plane, border, rgb, bounds = _panel(panel, frame, width, height, scale)
        picture = np.ascontiguousarray(panel.picture)

        def drawn(view: Array, depth: Array, _normal: Array, colour: Array) -> None:
            draw_picture(picture, panel.masked, plane, border, rgb, view, bounds, depth, colour)

        return drawn

    return [shape(panel) for panel in frame.scene.pictures]


def _particles(scene: SpaceScene, camera: Camera, look: Look, clip: Array) -> list[_Shape]:
    from microtome.ui.views.space.raster import draw_spheres, order_of

    found = scene.particles
    if found is None or len(found.radii) == 0:
        return []
    seen = camera.seen(found.centres)
    order = order_of(seen[:, 2].copy(), _BINS)
    palette = look.palette(len(found.names))
    kinds = found.kinds if found.kinds is not None and len(palette) > 1 else np.zeros(len(found.radii), np.int32)

    def drawn(view: Array, depth: Array, normal: Array, colour: Array) -> None:
        draw_spheres(seen, found.radii, kinds, order, palette, view, clip, depth, normal, colour)

    return [drawn]


def _surface(scene: SpaceScene, camera: Camera, look: Look, clip: Array) -> list[_Shape]:
    from microtome.ui.views.space.raster import draw_triangles

    mesh = scene.surface
    if mesh is None or len(mesh.faces) == 0:
        return []
    seen = camera.seen(mesh.vertices)
    normals = np.ascontiguousarray(mesh.normals @ camera.axes().T.astype(np.float32))
    rgb = np.array(look.surface, np.uint8)

    def drawn(view: Array, depth: Array, normal: Array, colour: Array) -> None:
        draw_triangles(seen, normals, mesh.faces, rgb, view, clip, depth, normal, colour)

    return [drawn]
