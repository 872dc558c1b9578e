"""The viewer by real events: planes that follow the cross-hair, a free plane with handles, contrast, what is wrong, saving."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from microtome.ui.pages.volumes import VolumesPage
from microtome.ui.projects import new_project
from microtome.ui.views.pose import NAMED
from microtome.ui.views.viewer.slice_view import SliceView
from microtome.ui.views.viewer.viewer import VolumeViewer
from microtome.ui.volume_properties import VoxelSizeEdit
from microtome.ui.window import MainWindow
from microtome.volumes.read import describe, open_volume

Idle = Callable[[MainWindow], None]
SHAPE, SIZES = (24, 60, 48), (10.0, 4.0, 4.0)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A stack of flat voxels whose values tell where they lie."""
    z, y, x = np.indices(SHAPE)
    path = tmp_path / "stack.tif"
    options = {"imagej": True, "resolution": (1 / 4, 1 / 4), "metadata": {"spacing": 10.0, "unit": "nm", "axes": "ZYX"}}
    tifffile.imwrite(path, (z * 2500 + y * 40 + x).astype(np.uint16), **options)  # type: ignore[arg-type]
    return path


@pytest.fixture
def page(window: MainWindow, tmp_path: Path, stack: Path, idle: Idle) -> VolumesPage:
    new_project(window.desk, tmp_path / "project")
    window.desk.perform(lambda: window.desk.session.add_volume(describe(stack), "a"))
    window.desk.open_page("volumes")
    page = window.tabs.current()
    assert isinstance(page, VolumesPage)
    idle(window)
    assert page.viewer.facts is not None
    return page


def choose(page: VolumesPage, mode: str, window: MainWindow, idle: Idle) -> VolumeViewer:
    viewer = page.viewer
    made = viewer.head.modes.button(("one", "three", "oblique", "space").index(mode))
    QTest.mouseClick(made, Qt.MouseButton.LeftButton)
    idle(window)
    return viewer


def at(view: SliceView, row: float, column: float) -> QPoint:
    return view.point_of(row, column).toPoint()


def drag(view: SliceView, start: QPoint, end: QPoint) -> None:
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    for share in (0.3, 0.7, 1.0):
        middle = QPointF(start) + share * (QPointF(end) - QPointF(start))
        QTest.mouseMove(view, middle.toPoint())
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)


def test_a_click_moves_the_cross_hair_and_the_other_planes_follow(page: VolumesPage, window: MainWindow, idle: Idle) -> None:
    viewer = choose(page, "three", window, idle)
    views = viewer.planes.views
    QTest.mouseClick(views["xy"], Qt.MouseButton.LeftButton, pos=at(views["xy"], 11, 33))
    idle(window)
    z, y, x = viewer.place
    assert z == SHAPE[0] // 2 and abs(y - 11) <= 1 and abs(x - 33) <= 1
    for axis, plane in enumerate(("xy", "xz", "yz")):
        picture = views[plane].picture
        assert picture is not None
        whole = np.indices(SHAPE)
        values = whole[0] * 2500 + whole[1] * 40 + whole[2]
        assert picture.voxels.tolist() == np.take(values, viewer.place[axis], axis).tolist()
    QTest.keyClick(views["yz"], Qt.Key.Key_Home)
    QTest.keyClick(views["xy"], Qt.Key.Key_Right)
    assert viewer.place == (z, y, 1)


def test_planes_are_to_scale_and_share_their_zoom(page: VolumesPage, window: MainWindow, idle: Idle) -> None:
    viewer = choose(page, "three", window, idle)
    views = viewer.planes.views
    xy, xz, yz = (views[p].target() for p in ("xy", "xz", "yz"))
    assert xz.height() / xz.width() == pytest.approx(24 * 10 / (48 * 4), rel=1e-6), "flat voxels are drawn to scale"
    assert (xy.width(), xy.height()) == pytest.approx((xz.width(), yz.width())), "one scale for all planes"
    QTest.keyClick(views["xz"], Qt.Key.Key_Plus)
    assert views["xy"].zoom.factor == views["yz"].zoom.factor == views["xz"].zoom.factor > 1
    QTest.keyClick(views["yz"], Qt.Key.Key_F)
    assert views["xy"].zoom.factor == 1


def test_a_double_click_shows_one_field_alone_and_all_again(page: VolumesPage, window: MainWindow, idle: Idle) -> None:
    viewer = choose(page, "three", window, idle)
    view = viewer.planes.views["xz"]
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=view.rect().center())
    assert viewer.planes.seen_planes() == ["xz"] and viewer.space.isHidden()
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=view.rect().center())
    assert viewer.planes.seen_planes() == ["xy", "xz", "yz"] and not viewer.space.isHidden()


def test_handles_move_and_tilt_the_free_plane(page: VolumesPage, window: MainWindow, idle: Idle, qtbot: QtBot) -> None:
    viewer = choose(page, "oblique", window, idle)
    viewer.set_pose(NAMED["xz"], fine=True)
    idle(window)
    view, trace = viewer.planes.views["xy"], viewer.planes.traces["xy"]
    handles = trace.handles(view)
    assert handles is not None
    middle, left, right = (h.toPoint() for h in handles)
    assert middle.y() == left.y() == right.y(), "an xz plane is a level line in xy"
    down = at(view, 45, 24)
    drag(view, middle, QPoint(middle.x(), down.y()))
    moved = viewer.pose
    assert moved.normal == pytest.approx(NAMED["xz"].normal)
    assert -moved.offset == pytest.approx((45 - 29.5) * 4.0, abs=2 * 4.0), "its normal is −y"
    handles = trace.handles(view)
    assert handles is not None
    right, pivot = handles[2], handles[0]
    steep = pivot + QPointF((right - pivot).x(), (right - pivot).x())
    drag(view, right.toPoint(), steep.toPoint())
    slope = viewer.pose.axes[1]
    assert abs(slope[1] / slope[2]) == pytest.approx(1.0, abs=0.1), "tilted by 45 degrees after the mouse"
    again = trace.handles(view)
    assert again is not None
    assert (again[2] - again[0]).y() / (again[2] - again[0]).x() == pytest.approx(1.0, abs=0.1)
    qtbot.waitUntil(lambda: viewer.cut is not None and viewer.cut.pose == viewer.pose and not viewer.cut.coarse)
    idle(window)


def test_typed_angles_turn_the_plane(page: VolumesPage, window: MainWindow, idle: Idle, qtbot: QtBot) -> None:
    viewer = choose(page, "oblique", window, idle)
    line = viewer.oblique_controls.lines["elevation"]
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, "90")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert viewer.pose.elevation == 90
    qtbot.waitUntil(lambda: viewer.cut is not None and viewer.cut.pose == viewer.pose and not viewer.cut.coarse)
    assert viewer.cut is not None
    assert viewer.cut.picture.pixel == (4.0, 4.0)
    button = viewer.oblique_controls.random
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert viewer.pose.elevation != 90
    idle(window)


def test_limits_are_dragged_and_kept_for_the_volume(page: VolumesPage, window: MainWindow, idle: Idle) -> None:
    viewer, histogram = page.viewer, page.viewer.contrast.histogram
    assert histogram.statistics is not None
    own = viewer.reads["xy"].picture.contrast
    start = QPoint(round(histogram.x_of(own.low)), 10)
    QTest.mousePress(histogram, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(histogram, start + QPoint(40, 0))
    QTest.mouseRelease(histogram, Qt.MouseButton.LeftButton, pos=start + QPoint(40, 0))
    idle(window)
    shown = viewer.reads["xy"].picture.contrast
    assert shown.low > own.low and shown.high == own.high
    assert viewer.reads["xy"].picture.voxels.dtype == np.uint16, "the numbers stay as they are"
    QTest.mouseClick(viewer.contrast.invert, Qt.MouseButton.LeftButton)
    QTest.mouseClick(viewer.contrast.full, Qt.MouseButton.LeftButton)
    idle(window)
    full = viewer.reads["xy"].picture.contrast
    assert full.inverted and full.low < 100 and full.high > 2500 * 20
    kept = page.keep()
    again = VolumesPage(window.desk)
    again.restore(kept)
    assert next(iter(again.viewer.looks.values())) == viewer.look
    again.deleteLater()
    QTest.mouseClick(viewer.contrast.auto, Qt.MouseButton.LeftButton)
    idle(window)
    assert viewer.look.levels is None


def test_the_read_out_says_voxel_place_and_value(page: VolumesPage, window: MainWindow, idle: Idle) -> None:
    viewer = page.viewer
    view = viewer.view
    QTest.mouseMove(view, at(view, 20, 30))
    view.hovered.emit((20, 30, view.picture.value(20, 30)))  # type: ignore[union-attr]
    z = SHAPE[0] // 2
    assert viewer.readout.text() == f"z {z}  y 20  x 30   ({z * 10}, 80, 120) nm   =  {z * 2500 + 20 * 40 + 30}"
    assert "anisotropy 2.5" in viewer.about.text()
    assert viewer.controls.place.text().startswith(f"z = {z}  (0 … {SHAPE[0] - 1})"), "one count everywhere"


def test_the_read_out_follows_the_slice_under_a_resting_mouse(page: VolumesPage, window: MainWindow, idle: Idle) -> None:
    view, z = page.viewer.view, SHAPE[0] // 2
    QTest.mouseMove(view, at(view, 20, 30))
    QTest.mouseMove(view, at(view, 20, 31))
    before = page.viewer.readout.text()
    assert before.startswith(f"z {z} ")
    QTest.keyClick(view, Qt.Key.Key_Right)
    idle(window)
    now = page.viewer.readout.text()
    assert now.startswith(f"z {z + 1} ") and int(now.split("= ")[1]) == int(before.split("= ")[1]) + 2500


def test_a_vanished_file_is_said_in_the_viewer_and_found_again(
    page: VolumesPage, window: MainWindow, stack: Path, idle: Idle, qtbot: QtBot
) -> None:
    viewer = page.viewer
    moved = stack.with_name("moved.tif")
    stack.rename(moved)
    viewer.view.stepped.emit(2)
    qtbot.waitUntil(lambda: viewer.stack.currentWidget() is viewer.problem)
    assert "stack.tif" in viewer.problem.message.text().replace("\u200b", "")
    assert viewer.problem.search.text() == "Find the data…"
    session = window.desk.session
    entry = session.need_project().volumes[0]
    window.desk.perform(lambda: session.change_volume(entry.id, path=session.need_project().refer(moved)))
    qtbot.waitUntil(lambda: viewer.stack.currentWidget() is viewer.halves)
    idle(window)


def test_a_missing_voxel_size_leads_to_its_field(page: VolumesPage, window: MainWindow, idle: Idle) -> None:
    session = window.desk.session
    entry = session.need_project().volumes[0]
    assert page.viewer.strip.isHidden()
    window.desk.perform(lambda: session.change_volume(entry.id, voxel_size=None))
    idle(window)
    assert not page.viewer.strip.isHidden()
    page.viewer.strip.enter()
    edit = window.findChild(VoxelSizeEdit)
    assert isinstance(edit, VoxelSizeEdit)
    assert edit.lines[0] is window.focusWidget()


def test_shown_slices_are_saved_and_copied(page: VolumesPage, window: MainWindow, tmp_path: Path, idle: Idle) -> None:
    viewer = choose(page, "oblique", window, idle)
    viewer.set_pose(NAMED["yz"], fine=True)
    idle(window)
    menus = viewer.wiring.menus
    menus["xz"].save_slice(tmp_path / "plane.tif")
    menus["oblique"].save_slice(tmp_path / "cut.tif")
    idle(window)
    menus["oblique"].save_slice(tmp_path / "float.tif", as_float=True)
    idle(window)
    plane, cut, real = (open_volume(tmp_path / f"{name}.tif") for name in ("plane", "cut", "float"))
    assert plane[0].tolist() == viewer.reads["xz"].picture.voxels.tolist()
    assert plane.voxel_size is not None and plane.voxel_size[1:] == pytest.approx((10.0, 4.0), rel=1e-6)
    assert (cut.dtype, real.dtype) == (np.uint16, np.float32)
    assert cut.voxel_size is not None and cut.voxel_size[1:] == pytest.approx((4.0, 4.0), rel=1e-6)
    assert cut.shape == (1, 58, 60), "230 nm deep in pixels of 4 nm"
    with tifffile.TiffFile(tmp_path / "cut.tif") as file:
        info = file.imagej_metadata["Info"]
    assert "normal (z, y, x) = 0 0 1" in info
    assert "centre (z, y, x) / nm = 115 118 94" in info
    menus["xy"].copy_picture()
    assert not QGuiApplication.clipboard().image().isNull()
    menus["xy"].save_slice(tmp_path / "plane.tif" / "no.tif")
    idle(window)
    assert [m.level for m in window.desk.messages][-1] == "error"


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A folder of slices of which two cannot be read: slice 8, the middle one, and slice 4."""
    folder = tmp_path / "slices"
    folder.mkdir()
    for i in range(16):
        imageio.imwrite(folder / f"{i}.png", np.random.default_rng(i).integers(0, 255, (40, 50), dtype=np.uint8))
    for i in (4, 8):
        whole = (folder / f"{i}.png").read_bytes()
        (folder / f"{i}.png").write_bytes(whole[: len(whole) // 2])
    return folder


def test_a_damaged_slice_leaves_the_way_to_the_others(
    window: MainWindow, tmp_path: Path, damaged: Path, idle: Idle, qtbot: QtBot
) -> None:
    new_project(window.desk, tmp_path / "project")
    window.desk.perform(lambda: window.desk.session.add_volume(describe(damaged, voxel_size=(1, 1, 1), unit="nm"), "a"))
    window.desk.open_page("volumes")
    page = window.tabs.current()
    assert isinstance(page, VolumesPage)
    viewer, entry = page.viewer, window.desk.session.need_project().volumes[0]
    viewer.places[entry.id] = (5, 0, 0)  # as it was left
    viewer.show_source(viewer.source)
    idle(window)
    assert viewer.reads["xy"].index == 5, "the middle one, by which the contrast is chosen, is not needed"
    QTest.keyClick(viewer.view, Qt.Key.Key_Left)
    idle(window)
    assert viewer.stack.currentWidget() is viewer.halves
    assert viewer.view.picture is None and "4.png" in viewer.view.busy
    viewer.view.stepped.emit(-1)
    viewer.view.stepped.emit(-1)
    idle(window)
    assert viewer.reads["xy"].index == 2 and viewer.view.picture is not None and not viewer.view.busy
    assert viewer.contrast.histogram.statistics is not None, "of the slices that can be read"


def test_a_damaged_slice_that_was_left_last_is_no_trap(window: MainWindow, tmp_path: Path, damaged: Path, idle: Idle) -> None:
    (damaged / "8.png").write_bytes((damaged / "9.png").read_bytes())
    new_project(window.desk, tmp_path / "project")
    window.desk.perform(lambda: window.desk.session.add_volume(describe(damaged, voxel_size=(1, 1, 1), unit="nm"), "a"))
    window.desk.open_page("volumes")
    page = window.tabs.current()
    assert isinstance(page, VolumesPage)
    entry = window.desk.session.need_project().volumes[0]
    page.restore({"places": {entry.id: [4, 20, 20]}})
    idle(window)
    assert page.viewer.reads["xy"].index == 8
