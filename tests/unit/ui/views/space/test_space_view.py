"""The 3-D view as a user has it: reads in the background, turns with the mouse, follows the theme, is saved as a picture."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from microtome.errors import FileError
from microtome.plugin import Structure
from microtome.session import Session
from microtome.ui import theme
from microtome.ui.desk import Desk
from microtome.ui.views.space import drawing
from microtome.ui.views.space.canvas import SpaceCanvas
from microtome.ui.views.space.frame import Frame, PainterLostError
from microtome.ui.views.space.handle import handles
from microtome.ui.views.space.painter import PlainPainter
from microtome.ui.views.space.scene import Panel, SpaceScene
from microtome.ui.views.space.view import SpaceView, save_picture
from microtome.volumes.volume import Volume

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
Settle = Callable[[], None]


def porous() -> Volume:
    z, y, x = np.meshgrid(*[np.arange(24.0)] * 3, indexing="ij")
    voxels = (127 + 120 * np.sin(z / 3) * np.sin(y / 4) * np.sin(x / 5)).astype(np.uint8)
    return Volume.from_array(voxels, (20.0, 10.0, 10.0), "nm")


def particles() -> Volume:
    rng = np.random.default_rng(0)
    structure = Structure(
        centres=rng.uniform(0, 200, (300, 3)), radii=rng.uniform(4, 9, 300), box=(200.0, 200.0, 200.0),
        types=rng.integers(0, 2, 300).astype(np.int32), names=("silica", "carbon"),
    )  # fmt: skip
    return Volume(voxels=np.zeros((20, 20, 20), np.uint8), voxel_size=(10.0, 10.0, 10.0), unit="nm", structure=structure)


@pytest.fixture
def desk(qapp: QApplication, qtbot: QtBot) -> Desk:
    return Desk(Session())


@pytest.fixture
def view(desk: Desk, qtbot: QtBot) -> SpaceView:
    made = SpaceView(desk)
    qtbot.addWidget(made)
    made.resize(420, 360)
    made.show()
    return made


@pytest.fixture
def settle(view: SpaceView, desk: Desk, qtbot: QtBot) -> Settle:
    def wait() -> None:
        qtbot.waitUntil(
            lambda: desk.tasks.pending() == 0 and view.canvas.scene is not None and view.canvas.settled, timeout=30_000
        )

    return wait


def pixels(view: SpaceView) -> np.ndarray:  # type: ignore[type-arg]
    image = view.canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)[..., :3].astype(int)


def drag(canvas: SpaceCanvas, start: QPoint, end: QPoint, *, key: Qt.KeyboardModifier = NONE) -> None:
    QTest.mousePress(canvas, LEFT, key, start)
    QTest.mouseMove(canvas, (start + end) / 2)
    QTest.mouseMove(canvas, end)
    QTest.mouseRelease(canvas, LEFT, key, end)


def test_a_volume_is_read_in_the_background_and_shown(view: SpaceView, settle: Settle) -> None:
    view.show_volume("a", porous)
    assert view.canvas.scene is None, "nothing waits in the window's thread"
    assert view.canvas.busy
    settle()
    scene = view.canvas.scene
    assert scene is not None
    assert scene.box == (480.0, 240.0, 240.0)
    assert len(scene.planes) == 3
    assert scene.surface is not None
    assert len(scene.surface.faces) > 100
    assert view.canvas.busy == ""
    assert not view.controls.shown["particles"].isVisible()
    assert view.controls.shown["level"].isVisible()


def test_turning_with_the_mouse_changes_the_picture_and_a_double_click_brings_it_back(view: SpaceView, settle: Settle) -> None:
    view.show_volume("a", particles)
    settle()
    first = pixels(view)
    drag(view.canvas, QPoint(210, 180), QPoint(300, 150))
    quick = pixels(view)
    assert np.abs(quick - first).mean() > 2
    settle()
    assert view.canvas.camera is not None
    assert view.canvas.camera.azimuth == pytest.approx(-32 + 90 * 0.45)
    QTest.mouseDClick(view.canvas, LEFT, NONE, QPoint(210, 180))
    settle()
    assert (pixels(view) == first).all()


def test_the_wheel_zooms_and_shift_drags_move(view: SpaceView, settle: Settle) -> None:
    view.show_volume("a", particles)
    settle()
    before = view.canvas.camera
    assert before is not None
    at = QPointF(200, 150)
    turn = (at, at, QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton, NONE, Qt.ScrollPhase.NoScrollPhase, False)
    view.canvas.wheelEvent(QWheelEvent(*turn))
    assert view.canvas.camera is not None
    assert view.canvas.camera.distance == pytest.approx(before.distance / 1.2)
    drag(view.canvas, QPoint(100, 100), QPoint(140, 100), key=Qt.KeyboardModifier.ShiftModifier)
    assert view.canvas.camera.target != before.target
    assert view.canvas.camera.azimuth == before.azimuth


@pytest.mark.parametrize(("key", "turn"), [(Qt.Key.Key_1, (0, 90)), (Qt.Key.Key_2, (0, 0)), (Qt.Key.Key_3, (90, 0))])
def test_keys_are_standard_views(view: SpaceView, settle: Settle, key: Qt.Key, turn: tuple[float, float]) -> None:
    view.show_volume("a", particles)
    settle()
    QTest.keyClick(view.canvas, key)
    assert view.canvas.camera is not None
    assert (view.canvas.camera.azimuth, view.canvas.camera.elevation) == turn
    QTest.keyClick(view.canvas, Qt.Key.Key_Right)
    assert view.canvas.camera.azimuth == turn[0] + 6


def test_dragging_the_free_planes_handle_moves_it_and_says_so(view: SpaceView, settle: Settle) -> None:
    view.show_volume("a", porous)
    settle()
    view.controls.buttons["oblique"].click()
    settle()
    canvas = view.canvas
    assert canvas.pose is not None
    assert canvas.scene is not None
    assert canvas.camera is not None
    assert canvas.scene.oblique is not None
    said: list[tuple[object, object]] = []
    view.oblique_moved.connect(lambda centre, axes: said.append((centre, axes)))
    before, picture = canvas.pose, canvas.scene.oblique.picture
    where = handles(before, canvas.scene.diagonal, canvas.camera, canvas.width(), canvas.height())
    foot, tip = (QPointF(*where[part]).toPoint() for part in ("move", "turn"))
    drag(canvas, foot, foot + 2 * (tip - foot) / 3)
    assert said
    shift = canvas.pose.centre - before.centre
    assert shift @ before.normal > 10
    assert np.linalg.norm(shift - (shift @ before.normal) * before.normal) < 1e-6
    assert canvas.scene.oblique.picture is not picture
    assert canvas.camera.azimuth == -32, "the scene stood still"
    where = handles(canvas.pose, canvas.scene.diagonal, canvas.camera, canvas.width(), canvas.height())
    tip = QPointF(*where["turn"]).toPoint()
    drag(canvas, tip, tip + QPoint(-25, 12))
    assert canvas.pose.normal @ before.normal < 0.999


def test_a_point_of_a_plane_is_picked(view: SpaceView, settle: Settle, qtbot: QtBot) -> None:
    view.show_volume("a", porous)
    settle()
    QTest.keyClick(view.canvas, Qt.Key.Key_1)
    with qtbot.waitSignal(view.place_wanted) as caught:
        QTest.mouseClick(view.canvas, LEFT, Qt.KeyboardModifier.ControlModifier, view.canvas.rect().center() + QPoint(20, 20))
    place = caught.args[0]
    settle()
    assert view.canvas.scene is not None
    assert view.canvas.scene.away[2][0][2] == pytest.approx((int(place[2] * 24) + 0.5) * 10)


def test_the_level_moves_the_surface(view: SpaceView, settle: Settle) -> None:
    view.show_volume("a", porous)
    settle()
    assert view.canvas.scene is not None
    before = view.canvas.scene.surface
    view.controls.level.setValue(450)
    settle()
    after = view.canvas.scene.surface
    assert before is not None
    assert after is not None
    assert len(after.faces) < len(before.faces)
    view.controls.buttons["surface"].click()
    assert view.canvas.scene.surface is None
    assert not view.controls.shown["level"].isVisible()


def test_a_newer_volume_wins_and_a_bad_one_says_why(view: SpaceView, settle: Settle, desk: Desk, qtbot: QtBot) -> None:
    def bad() -> Volume:
        raise FileError("gone.tif is not there any more.", "Look for it.")

    view.show_volume("a", porous)
    view.show_volume("b", particles)
    settle()
    assert view.canvas.scene is not None
    assert view.canvas.scene.particles is not None
    view.show_volume("c", bad)
    qtbot.waitUntil(lambda: bool(desk.messages))
    assert "gone.tif" in view.canvas.busy
    assert view.canvas.scene is None
    view.canvas.grab()
    view.show_volume("a", porous)
    settle()
    assert view.canvas.scene.surface is not None


def test_nothing_is_read_before_it_is_seen(desk: Desk, qtbot: QtBot) -> None:
    opened: list[int] = []

    def opener() -> Volume:
        opened.append(1)
        return particles()

    made = SpaceView(desk)
    qtbot.addWidget(made)
    made.show_volume("a", opener)
    assert desk.tasks.pending() == 0
    made.show()
    qtbot.waitUntil(lambda: bool(opened))
    qtbot.waitUntil(lambda: desk.tasks.pending() == 0)


def test_light_and_dark_at_once(view: SpaceView, settle: Settle, qapp: QApplication) -> None:
    view.show_volume("a", particles)
    settle()
    try:
        light = pixels(view)
        theme.apply(qapp, "dark")
        settle_after = pixels(view)
        assert light[5, 5].mean() > 200
        assert settle_after[5, 5].mean() < 60
    finally:
        theme.apply(qapp, "light")


def test_slices_of_another_page_are_shown_in_their_colours(desk: Desk, qtbot: QtBot) -> None:
    canvas = SpaceCanvas(desk)
    qtbot.addWidget(canvas)
    canvas.resize(300, 300)
    canvas.show()
    corner, down, right = (20.0, 0.0, 0.0), (0.0, 40.0, 0.0), (0.0, 0.0, 40.0)
    shown = []
    for colour in ("#ff0000", "#0000ff"):
        panel = Panel(corner=corner, down=down, right=right, colour=colour, fill=0.9)
        canvas.show_scene(SpaceScene(box=(40.0, 40.0, 40.0), unit="nm", rectangles=(panel,)))
        shown.append(canvas.render_image().convertToFormat(QImage.Format.Format_RGB888).pixelColor(canvas.rect().center() * 2))
    assert shown[0].red() > 2 * shown[0].blue()
    assert shown[1].blue() > 2 * shown[1].red()


def test_the_picture_is_saved_and_copied_finely(view: SpaceView, settle: Settle, tmp_path: Path) -> None:
    view.show_volume("a", particles)
    settle()
    view.controls.picture_wanted.emit("copy")
    copied = QGuiApplication.clipboard().image()
    assert copied.size() == view.canvas.size() * 2
    save_picture(copied, tmp_path / "3-d.png")
    assert QImage(str(tmp_path / "3-d.png")).size() == copied.size()
    with pytest.raises(FileError):
        save_picture(copied, tmp_path / "no" / "folder.png")


def test_a_painter_that_is_lost_is_replaced(view: SpaceView, settle: Settle, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[int] = []

    class Lost(PlainPainter):
        name, quick = "opengl", True

        def image(self, frame: Frame) -> QImage:
            raise PainterLostError("the driver was reset")

        def close(self) -> None:
            closed.append(1)

    monkeypatch.setattr(drawing, "make_painter", Lost)
    view.show_volume("a", particles)
    settle()
    assert view.canvas.drawing.painter.name == "plain"
    assert closed == [1]
    assert pixels(view)[100:250, 150:280].std() > 10


def test_a_view_that_goes_lets_go_of_its_painter(desk: Desk, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are built anew when the theme changes: what a card holds must not pile up."""
    closed: list[int] = []

    class Counted(PlainPainter):
        def close(self) -> None:
            closed.append(1)

    monkeypatch.setattr(drawing, "make_painter", Counted)
    for i in range(3):
        made = SpaceView(desk)
        made.canvas.show_scene(SpaceScene(box=(1.0, 1.0, 1.0)))
        made.show()
        made.grab()
        gone = weakref.ref(made.canvas.drawing.painter)
        made.close()
        made.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        assert len(closed) == i + 1
        del made
        gc.collect()
        assert gone() is None


HEAVY = """
import sys
from PySide6.QtWidgets import QApplication
app = QApplication([])
from microtome.session import Session
from microtome.ui.desk import Desk
from microtome.ui.views.space.view import SpaceView
view = SpaceView(Desk(Session()))
print(sorted({"numba", "skimage", "OpenGL", "PySide6.QtOpenGL"} & set(sys.modules)))
"""


def test_nothing_heavy_is_loaded_before_something_is_shown() -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    result = subprocess.run([sys.executable, "-c", HEAVY], env=environment, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr
