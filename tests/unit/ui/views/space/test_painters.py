"""The painters of the 3-D view: true sizes, what is nearer hides what is farther, and both draw the same picture."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from microtome.ui import theme
from microtome.ui.views.space import plain
from microtome.ui.views.space.camera import Camera
from microtome.ui.views.space.frame import Frame
from microtome.ui.views.space.overlay import edges_of, look_of
from microtome.ui.views.space.plain import draw
from microtome.ui.views.space.scene import Mesh, Panel, Particles, SpaceScene, axis_plane

BOX = (100.0, 100.0, 100.0)
LOOK = look_of(theme.load("light"))
CAMERA = Camera.fitted(BOX, view="xy")


def spheres(*balls: tuple[float, float, float, float], kinds: list[int] | None = None) -> SpaceScene:
    data = np.array(balls, np.float32).reshape(-1, 4)
    particles = Particles(
        centres=data[:, :3].copy(),
        radii=data[:, 3].copy(),
        kinds=None if kinds is None else np.array(kinds, np.int32),
        names=tuple("abc"[: max(kinds) + 1]) if kinds else (),
    )
    return SpaceScene(box=BOX, particles=particles, grain=1.0)


def picture(
    scene: SpaceScene, *, fine: bool = False, camera: Camera = CAMERA, size: tuple[int, int] = (400, 300)
) -> NDArray[np.uint8]:
    made = draw(Frame(scene, camera, *size, LOOK, fine))
    assert made is not None
    assert made.shape == (size[1], size[0], 4)
    return made


def nearest_kind(pixel: NDArray[np.uint8]) -> int:
    shares = pixel[:3] / max(1.0, float(pixel[:3].sum()))
    colours = np.array(LOOK.kinds, float)
    return int(np.argmin(np.abs(colours / colours.sum(axis=1, keepdims=True) - shares).sum(axis=1)))


@pytest.mark.parametrize("fine", [False, True])
def test_a_sphere_covers_the_area_of_its_disc(fine: bool) -> None:
    radius = 30.0
    made = picture(spheres((50, 50, 50, radius)), fine=fine, size=(800, 600))
    # Seen from the distance d a sphere's outline has the half angle asin(r / d).
    pixels = CAMERA.focal(800, 600) * np.tan(np.arcsin(radius / CAMERA.distance))
    assert made[..., 3].sum() / 255 == pytest.approx(np.pi * pixels**2, rel=0.02)
    rows, columns = np.nonzero(made[..., 3] > 127)
    assert np.ptp(rows) + 1 == pytest.approx(2 * pixels, abs=1.5)
    assert (rows.mean() + 0.5, columns.mean() + 0.5) == pytest.approx((300, 400), abs=0.5)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_is_nearer_hides_what_is_farther(order: tuple[int, int]) -> None:
    balls = [(20.0, 50.0, 50.0, 10.0), (80.0, 50.0, 50.0, 10.0)]
    made = picture(spheres(*(balls[i] for i in order), kinds=list(order)))
    assert nearest_kind(made[150, 200]) == 0, "z runs away from who looks along it"
    assert picture(spheres(*balls, kinds=[0, 1]), camera=replace(CAMERA, elevation=-90.0))[150, 200, 3] == 255


def test_spheres_that_meet_part_where_they_do() -> None:
    made = picture(spheres((50, 50, 42, 20), (50, 50, 58, 20), kinds=[0, 1]))
    assert nearest_kind(made[150, 197]) == 0
    assert nearest_kind(made[150, 203]) == 1


def test_the_bands_and_the_skipping_of_what_is_hidden_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    balls = np.column_stack([rng.uniform(0, 100, (3000, 3)), rng.uniform(1, 5, 3000)])
    scene = spheres(*(tuple(b) for b in balls.tolist()))
    camera = Camera.fitted(BOX)
    whole = picture(scene, camera=camera)
    one = scene.particles
    assert one is not None
    # A reference without order, blocks and bands: every sphere by itself, the nearest of each pixel kept.
    column, row = np.meshgrid(np.arange(400) + 0.5, np.arange(300) + 0.5)
    focal = camera.focal(400, 300)
    dx, dy = (column - 200) / focal, (row - 150) / focal
    depth = np.full((300, 400), np.inf)
    for c, r in zip(camera.seen(one.centres).astype(float), one.radii.astype(float), strict=True):
        a, b = 1 + dx**2 + dy**2, dx * c[0] + dy * c[1] + c[2]
        inside = b**2 - a * (c @ c - r * r)
        t = np.where(inside > 0, (b - np.sqrt(np.maximum(inside, 0))) / a, np.inf)
        depth = np.minimum(depth, t)
    assert ((whole[..., 3] > 0) == np.isfinite(depth)).mean() > 0.9999
    monkeypatch.setattr(plain, "_threads", lambda: 5)
    assert (picture(scene, camera=camera) == whole).all()


def square(z: float, colour: str | int = 0, grey: int | None = 200) -> Panel:
    made = axis_plane(BOX, 0, z, None if grey is None else np.full((4, 4), grey, np.uint8), colour)
    return replace(made, fill=0.5)


def test_planes_show_their_grey_levels_unchanged_and_cut_each_other() -> None:
    ramp = np.arange(16, dtype=np.uint8).reshape(4, 4) * 16
    scene = SpaceScene(box=BOX, planes=(replace(square(50.0), picture=ramp),))
    made = picture(scene)
    at = CAMERA.project(np.array([[50.0, 12.5, 12.5], [50.0, 87.5, 87.5], [50.0, 12.5, 87.5]]), 400, 300)
    assert [int(made[int(r), int(c), 0]) for c, r, _ in at] == pytest.approx([0, 240, 48], abs=3)
    crossed = SpaceScene(
        box=BOX, planes=(square(50.0, grey=50), replace(axis_plane(BOX, 1, 50.0, np.full((4, 4), 250, np.uint8))))
    )
    seen = picture(crossed, camera=replace(CAMERA, elevation=45.0))
    assert {50, 250} <= set(np.unique(seen[..., 0]).tolist())


def test_what_is_masked_is_clear() -> None:
    half = np.full((4, 4), 200, np.uint8)
    half[:, :2] = 0
    scene = SpaceScene(box=BOX, planes=(replace(square(50.0), picture=half, masked=True),))
    made = picture(scene)
    assert made[150, 180, 3] == 0
    assert made[150, 250, :].tolist() == [200, 200, 200, 255]


def test_glass_lets_through_what_is_behind_and_nothing_that_is_before() -> None:
    behind = SpaceScene(box=BOX, planes=(square(80.0, grey=200),), rectangles=(square(20.0, colour="#ff0000", grey=None),))
    red, green, _, _ = picture(behind)[150, 200]
    assert (int(red), int(green)) == pytest.approx((228, 100), abs=2)
    before = SpaceScene(box=BOX, planes=(square(20.0, grey=200),), rectangles=(square(80.0, colour="#ff0000", grey=None),))
    assert picture(before)[150, 200].tolist() == [200, 200, 200, 255]
    alone = picture(SpaceScene(box=BOX, rectangles=(square(20.0, colour="#ff0000", grey=None),)))[150, 200]
    assert alone.tolist() == pytest.approx([128, 0, 0, 128], abs=1), "premultiplied"


def test_a_corner_that_is_cut_away_is_gone_exactly() -> None:
    away = (((50.0, 50.0, 50.0), (0.0, 0.0, 1.0)),)
    made = picture(replace(spheres((50, 50, 50, 30)), away=away))
    columns = np.nonzero(made[150, :, 3])[0]
    assert columns.max() == 199, "at the plane, to the pixel"
    assert columns.min() < 150


def test_a_mesh_is_lit_from_both_sides_and_closed() -> None:
    vertices = np.array([[50, 20, 20], [50, 80, 20], [50, 20, 80], [50, 80, 80]], np.float32)
    faces = np.array([[0, 1, 2], [2, 1, 3]], np.int32)
    normals = np.tile(np.array([1, 0, 0], np.float32), (4, 1))
    mesh = Mesh(vertices=vertices, faces=faces, normals=normals)
    made = picture(SpaceScene(box=BOX, surface=mesh))
    size = 60 * CAMERA.focal(400, 300) / float(CAMERA.project(vertices, 400, 300)[0, 2])
    assert (made[..., 3] > 0).sum() == pytest.approx(size**2, rel=0.03), "no pixel between two triangles is missed"
    other = picture(SpaceScene(box=BOX, surface=replace(mesh, normals=-normals)))
    assert (made == other).all()


def test_nothing_that_is_behind_or_around_the_camera_does_harm() -> None:
    inside = replace(CAMERA, distance=1.0)
    rng = np.random.default_rng(0)
    balls = [tuple(b) for b in np.column_stack([rng.uniform(-50, 150, (500, 3)), rng.uniform(0.001, 60, 500)]).tolist()]
    scene = replace(spheres(*balls), planes=(square(50.0), square(49.2)), rectangles=(square(20.0, grey=None),))
    for azimuth in (0.0, 90.0, 217.0):
        picture(scene, camera=replace(inside, azimuth=azimuth, elevation=10.0), size=(120, 90))
    empty = Particles(centres=np.zeros((0, 3), np.float32), radii=np.zeros(0, np.float32))
    assert not picture(SpaceScene(box=BOX, particles=empty), size=(3, 1)).any()


def test_a_speck_far_away_still_shows() -> None:
    made = picture(spheres((50, 50, 50, 0.01)))
    assert (made[..., 3] > 0).sum() == 1


def test_a_picture_that_is_no_longer_wanted_is_given_up() -> None:
    assert draw(Frame(spheres((50, 50, 50, 30)), CAMERA, 40, 30, LOOK), lambda: True) is None


def test_edges_of_the_box_are_behind_beside_or_before_what_it_holds() -> None:
    layers = [layer for *_, layer in edges_of(BOX, Camera.fitted(BOX))]
    assert sorted(layers) == [0] * 3 + [1] * 6 + [2] * 3
    inside = replace(CAMERA, distance=1.0)
    assert {layer for *_, layer in edges_of(BOX, inside)} == {0}


COMPARE = """
import sys
import numpy as np
from PySide6.QtWidgets import QApplication
from microtome.ui import theme
from microtome.ui.views.space.camera import Camera
from microtome.ui.views.space.frame import Frame
from microtome.ui.views.space.gl import GlPainter
from microtome.ui.views.space.load import Loaded, scene_of, with_surface, with_voxels, oblique_panel
from microtome.ui.views.space.overlay import look_of
from microtome.ui.views.space.painter import PLAIN, PlainPainter, make_painter
from microtome.ui.views.space.scene import Panel, Particles, SpaceScene
from microtome.volumes.volume import Volume
from dataclasses import replace

app = QApplication([])
painter = GlPainter(software=True)
rng = np.random.default_rng(0)
z, y, x = np.meshgrid(*[np.arange(48.0)] * 3, indexing="ij")
voxels = (127 + 120 * np.sin(z / 5) * np.sin(y / 6) * np.sin(x / 7)).astype(np.uint8)
volume = Volume.from_array(voxels, (2.0, 1.0, 1.0), "nm")
loaded = with_surface(with_voxels(volume, Loaded(scene=scene_of(volume))), None)
particles = Particles(
    centres=rng.uniform(0, 48, (400, 3)).astype(np.float32), radii=rng.uniform(0.5, 3, 400).astype(np.float32),
    kinds=rng.integers(0, 3, 400).astype(np.int32), names=("a", "b", "c"),
)
glass = (Panel(corner=(5.0, -5.0, -5.0), down=(0.0, 40.0, 10.0), right=(30.0, 0.0, 60.0), colour=1, fill=0.3),)
scene = replace(loaded.scene, particles=particles, rectangles=glass)
look = look_of(theme.load("dark"))
for shown in (scene.only(frozenset(("planes", "surface", "particles", "rectangles"))), scene.only(frozenset(("planes",)))):
    for fine in (False, True):
        frame = Frame(shown, Camera.fitted(scene.box), 320, 240, look, fine)
        pictures = []
        for drawn in (painter, PlainPainter()):
            image = drawn.image(frame)
            pictures.append(np.frombuffer(image.constBits(), np.uint8).reshape(240, 320, 4).astype(int))
        apart = np.abs(pictures[0] - pictures[1]).max(axis=-1)
        assert pictures[0][..., 3].any()
        assert (apart > 24).mean() < 0.004, ((apart > 24).mean(), fine)
        assert apart.mean() < 0.6, (apart.mean(), fine)
assert make_painter().name == ("plain" if painter.software else "opengl")
painter.close()
try:
    painter.image(frame)
except RuntimeError:
    print("same")
"""


@pytest.mark.slow
def test_the_graphics_card_draws_the_same_picture() -> None:
    """In a process with a display of its own; Mesa's software renderer stands in for a card."""
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("there is no Xvfb to open an OpenGL window on")
    read, write = os.pipe()
    display = subprocess.Popen(
        [server, "-displayfd", str(write), "-screen", "0", "640x480x24", "+extension", "GLX"], pass_fds=(write,)
    )
    try:
        os.close(write)
        number = os.read(read, 16).decode().strip()
        environment = {**os.environ, "DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
        result = subprocess.run([sys.executable, "-c", COMPARE], env=environment, capture_output=True, text=True, timeout=150)
    finally:
        display.terminate()
        display.wait()
        os.close(read)
    if "no context can be made" in result.stderr or "could not load the Qt platform plugin" in result.stderr.lower():
        pytest.skip("OpenGL does not work here")
    assert result.stdout.strip() == "same", result.stderr
