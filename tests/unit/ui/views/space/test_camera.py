"""The camera, the free plane's handles and the scene of the 3-D view: golden projections, hits, drags, cuts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.plugin import Structure
from microtome.ui.views.space.camera import FIELD, VIEWS, Camera
from microtome.ui.views.space.handle import Pose, handles, hit, met, moved, turned
from microtome.ui.views.space.load import Loaded, oblique_panel, scene_of, with_planes, with_surface, with_voxels
from microtome.ui.views.space.scene import Panel, SpaceScene, axis_plane, quarter
from microtome.volumes.volume import Volume

BOX = (100.0, 200.0, 300.0)
SIZE = (640, 480)
ANGLES = st.tuples(st.floats(-180, 180), st.floats(-90, 90))


def corners(box: tuple[float, float, float]) -> np.ndarray:  # type: ignore[type-arg]
    return np.array([[z, y, x] for z in (0, box[0]) for y in (0, box[1]) for x in (0, box[2])], dtype=float)


@pytest.mark.parametrize(
    ("view", "right", "down"),
    [("xy", (0, 0, 1), (0, 1, 0)), ("xz", (0, 0, 1), (1, 0, 0)), ("yz", (0, 1, 0), (1, 0, 0))],
)
def test_standard_views_are_the_pictures_of_the_slice_view(view: str, right: tuple[int, ...], down: tuple[int, ...]) -> None:
    camera = Camera.fitted(BOX, view=view)
    assert camera.axes()[0] == pytest.approx(right, abs=1e-12)
    assert camera.axes()[1] == pytest.approx(down, abs=1e-12)
    middle = np.asarray(camera.target)
    at = camera.project(np.stack([middle, middle + 10 * np.array(right), middle + 10 * np.array(down)]), *SIZE)
    assert at[0] == pytest.approx((320, 240, camera.distance))
    step = 10 * camera.focal(*SIZE) / camera.distance
    assert at[1, :2] == pytest.approx((320 + step, 240))
    assert at[2, :2] == pytest.approx((320, 240 + step))


def test_a_golden_projection() -> None:
    camera = Camera(target=(0.0, 0.0, 0.0), distance=10.0, fitting=10.0, azimuth=90.0, elevation=30.0)
    # By hand: the eye is at x = -10 cos 30°, z = -10 sin 30°; a point at y = 1 is one to the right at the target's depth.
    assert camera.eye() == pytest.approx((-5.0, 0.0, -8.660254), abs=1e-6)
    focal = 240 / np.tan(np.radians(FIELD / 2))
    at = camera.project(np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]), *SIZE)
    assert at[0] == pytest.approx((320 + focal / 10, 240, 10))
    assert at[1] == pytest.approx((320, 240 + focal * 0.8660254 / 10.5, 10.5))


@given(ANGLES)
def test_the_view_is_never_mirrored_and_rays_meet_what_they_point_at(angles: tuple[float, float]) -> None:
    camera = Camera(target=(50.0, 100.0, 150.0), distance=900.0, fitting=900.0, azimuth=angles[0], elevation=angles[1])
    right, down, forward = (a[::-1] for a in camera.axes())  # as x, y, z
    assert np.cross(right, down) == pytest.approx(forward, abs=1e-9)
    point = np.array([20.0, 130.0, 260.0])
    at = camera.project(point[None], *SIZE)[0]
    along = (point - camera.eye()) / np.linalg.norm(point - camera.eye())
    assert camera.ray(at[0], at[1], *SIZE) == pytest.approx(along, abs=1e-9)
    assert camera.seen(point[None])[0, 2] == pytest.approx(at[2], rel=1e-4)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("box", [BOX, (1.0, 1.0, 1.0), (5.0, 4000.0, 30.0)])
def test_the_whole_box_is_seen_at_first(view: str, box: tuple[float, float, float]) -> None:
    at = Camera.fitted(box, view=view).project(corners(box), *SIZE)
    assert (at[:, 0] > 0).all()
    assert (at[:, 0] < SIZE[0]).all()
    assert (at[:, 1] > 0).all()
    assert (at[:, 1] < SIZE[1]).all()
    spread = at[:, :2].max(axis=0) - at[:, :2].min(axis=0)
    assert spread.max() > 0.6 * min(SIZE)


def test_what_is_in_front_follows_the_mouse() -> None:
    camera = Camera.fitted(BOX)
    near = corners(BOX)[np.argmin(camera.project(corners(BOX), *SIZE)[:, 2])][None]
    before = camera.project(near, *SIZE)[0]
    assert camera.orbited(10, 0).project(near, *SIZE)[0, 0] > before[0]
    assert camera.orbited(0, 10).project(near, *SIZE)[0, 1] > before[1]
    middle = np.asarray(camera.target)[None]
    assert camera.panned(30, -20, *SIZE).project(middle, *SIZE)[0, :2] == pytest.approx((350, 220))
    assert camera.zoomed(2).distance == camera.distance / 2
    assert camera.zoomed(1e9).distance > 0
    assert camera.orbited(0, 500).elevation == 90


def test_handles_are_hit_where_they_are_drawn() -> None:
    pose, camera = Pose.slanted(BOX), Camera.fitted(BOX)
    where = handles(pose, 374.0, camera, *SIZE)
    assert hit(where, where["move"][0] + 3, where["move"][1] - 3) == "move"
    assert hit(where, *where["turn"]) == "turn"
    assert hit(where, where["move"][0], where["move"][1] + 60) is None


def test_a_drag_along_the_normal_takes_the_plane_with_it() -> None:
    pose, camera = Pose.slanted(BOX), Camera.fitted(BOX)
    there = pose.centre + 25.0 * pose.normal
    at = camera.project(np.stack([pose.centre, there]), *SIZE)
    made = moved(pose, (at[0, 0], at[0, 1]), (at[1, 0], at[1, 1]), camera, *SIZE)
    assert made.centre == pytest.approx(there, abs=1e-6)
    assert made.axes == pytest.approx(pose.axes)
    assert (made.within((10.0, 10.0, 10.0)).centre <= 10).all()


@given(st.tuples(st.floats(0, 640), st.floats(0, 480)))
def test_a_turned_plane_stays_a_plane_and_its_arrow_is_under_the_mouse(at: tuple[float, float]) -> None:
    pose, camera = Pose.slanted(BOX), Camera.fitted(BOX)
    made = turned(pose, 374.0, at, camera, *SIZE)
    assert made.axes @ made.axes.T == pytest.approx(np.eye(2), abs=1e-9)
    assert np.abs(made.axes @ made.normal).max() < 1e-9
    middle = handles(made, 374.0, camera, *SIZE)
    if np.hypot(at[0] - middle["move"][0], at[1] - middle["move"][1]) < 40:
        assert middle["turn"] == pytest.approx(at, abs=0.5)


@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1))
def test_a_pose_faces_any_direction(direction: tuple[float, float, float]) -> None:
    made = Pose.slanted(BOX).facing(np.array(direction))
    assert made.normal == pytest.approx(np.array(direction) / np.linalg.norm(direction), abs=1e-5)


def test_the_mouse_meets_the_nearest_plane() -> None:
    camera = Camera.fitted(BOX, view="xy")
    planes = tuple(axis_plane(BOX, 0, at, None) for at in (80.0, 20.0))
    assert met(planes, camera, (320, 240), *SIZE) == pytest.approx((20.0, camera.target[1], camera.target[2]))
    assert met(planes, camera, (1, 1), *SIZE) is None


def stack() -> Volume:
    z = np.arange(20, dtype=np.uint8)[:, None, None] * 10
    return Volume.from_array(np.broadcast_to(z, (20, 30, 40)).copy(), (5.0, 2.0, 1.0), "nm")


def test_a_scene_of_an_anisotropic_stack_is_drawn_to_scale() -> None:
    volume = stack()
    loaded = with_surface(with_voxels(volume, Loaded(scene=scene_of(volume))), 95.0)
    scene = loaded.scene
    assert scene.box == (100.0, 60.0, 40.0)
    assert scene.unit == "nm"
    assert [p.picture.shape for p in scene.planes if p.picture is not None] == [(30, 40), (20, 40), (20, 30)]
    assert scene.planes[0].corner[0] == pytest.approx(52.5), "a slice lies in the middle of its voxels"
    assert scene.surface is not None
    assert scene.surface.vertices.max(axis=0) == pytest.approx(scene.box)
    rim = scene.surface.vertices[:, 0].min()
    assert rim == pytest.approx((95 / 10 + 0.5) * 5, abs=2.5), "half way between the slices whose values are around it"
    moved_planes = with_planes(volume, loaded, (0.0, 1.0, 0.3)).scene.planes
    assert [round(float(p.corner[k]), 3) for k, p in enumerate(moved_planes)] == [2.5, 59.0, 12.5]
    first = moved_planes[0].picture
    assert first is not None
    assert (first == first[0, 0]).all()


def test_particles_keep_their_box_even_without_a_unit() -> None:
    structure = Structure(
        centres=np.array([[1.0, 2.0, 3.0]]), radii=np.array([0.5]), box=(4.0, 4.0, 8.0), unit="",
        types=np.array([1], np.int32), names=("a", "b"),
    )  # fmt: skip
    scene = scene_of(Volume(voxels=np.zeros((8, 8, 16), np.uint8), structure=structure))
    assert scene.box == (8.0, 8.0, 16.0)
    assert scene.unit == "voxel"
    assert scene.particles is not None
    assert scene.particles.centres.tolist() == [[2.0, 4.0, 6.0]]
    assert scene.particles.radii.tolist() == [1.0]
    assert scene.particles.kinds is not None
    assert scene.particles.kinds.tolist() == [1]


def test_the_free_plane_shows_the_volume_where_it_is() -> None:
    volume = stack()
    loaded = with_voxels(volume, Loaded(scene=scene_of(volume)))
    assert loaded.view is not None
    upright = np.array([[1.0, 0, 0], [0, 0, 1.0]])
    panel = oblique_panel(loaded.view, (0.0, 190.0), np.array([50.0, 30.0, 20.0]), upright)
    assert panel.picture is not None
    assert panel.corner == pytest.approx((0.0, 30.0, 0.0))
    assert (panel.down, panel.right) == (pytest.approx((100.0, 0.0, 0.0)), pytest.approx((0.0, 0.0, 40.0)))
    inside = panel.picture[:, panel.picture.shape[1] // 2].astype(int)
    assert (np.diff(inside) >= 0).all()
    assert (inside[0], inside[-1]) == (1, 255), "level 0 is kept for what lies outside"
    slanted = Pose.slanted((100.0, 60.0, 40.0))
    tilted = oblique_panel(loaded.view, (0.0, 190.0), slanted.centre, slanted.axes)
    corners_of = np.asarray(tilted.corner) + np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) @ np.array([tilted.down, tilted.right])
    assert np.abs((corners_of - slanted.centre) @ slanted.normal).max() < 1e-9, "it lies in the plane"
    assert tilted.picture is not None
    assert 0.3 < (tilted.picture > 0).mean() < 1.0


def test_planes_end_where_the_corner_is_cut_away() -> None:
    volume = stack()
    loaded = with_surface(with_voxels(volume, Loaded(scene=scene_of(volume))), 95.0)
    cut = loaded.scene.only(frozenset(("planes", "surface")))
    assert len(cut.away) == 3
    across_y = cut.planes[1]
    assert across_y.picture is not None
    assert across_y.picture.shape == (11, 20), "above slice 10, right of column 20"
    assert across_y.corner == pytest.approx((0.0, 31.0, 20.0))
    assert loaded.scene.only(frozenset(("planes",))).away == ()
    assert loaded.scene.only(frozenset(("box",))).planes == ()
    whole = axis_plane(BOX, 0, 50.0, None)
    along = quarter(whole, (((50.0, 100.0, 150.0), (0.0, 1.0, 0.0)),))
    assert (along.corner, along.down, along.right) == ((50.0, 100.0, 0.0), (0.0, 100.0, 0.0), (0.0, 0.0, 300.0))


def test_before_a_free_plane_things_are_cut_away() -> None:
    scene = SpaceScene(box=BOX, oblique=Panel(corner=(0.0, 0.0, 0.0), down=(0.0, 1.0, 0.0), right=(0.0, 0.0, 1.0)))
    ((point, direction),) = scene.only(frozenset(("oblique",))).away
    assert point == (0.0, 0.5, 0.5)
    assert direction == pytest.approx((-1.0, 0.0, 0.0)), "the side from which the picture is seen upright"
