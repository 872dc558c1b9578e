"""One slice on the screen: contrast, scale bar, the value under the mouse, zoom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PySide6.QtCore import QPoint, QPointF, QSizeF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from microtome.ui.colourmaps import NAMES, ramp
from microtome.ui.views.picture import Contrast, Display, Picture, colour_table, grey_levels, levels_of, shade
from microtome.ui.views.scale_bar import nice_length
from microtome.ui.views.slices.gallery import Gallery, GalleryRow, to_images
from microtome.ui.views.viewer.slice_view import SliceView
from microtome.ui.views.viewer.zoom import Zoom

ANY_SLICE = hnp.arrays(
    hnp.unsigned_integer_dtypes() | hnp.integer_dtypes() | hnp.floating_dtypes(sizes=(32, 64)),
    hnp.array_shapes(min_dims=2, max_dims=2),
)


@given(ANY_SLICE)
def test_any_slice_has_levels_and_becomes_grey(voxels: np.ndarray) -> None:  # type: ignore[type-arg]
    with np.errstate(all="ignore"):
        low, high = levels_of(voxels)
        grey = grey_levels(voxels, (low, high))
    assert low < high or low == high == pytest.approx(low)
    assert grey.shape == voxels.shape
    assert grey.dtype == np.uint8


@given(ANY_SLICE, st.sampled_from(NAMES), st.booleans())
def test_any_slice_becomes_a_picture_in_any_colours(voxels: np.ndarray, colours: str, inverted: bool) -> None:  # type: ignore[type-arg]
    with np.errstate(all="ignore"):
        picture = Picture.of(voxels, Contrast(*levels_of(voxels), colours, inverted))
    assert (picture.image.height(), picture.image.width()) == voxels.shape
    assert not picture.image.convertToFormat(picture.image.Format.Format_ARGB32).isNull()


def test_sixteen_bits_are_stretched_not_cut() -> None:
    voxels = np.linspace(1000, 9000, 10_000).astype(np.uint16).reshape(100, 100)
    grey = grey_levels(voxels, levels_of(voxels))
    assert len(np.unique(grey)) > 200
    assert (np.diff(grey.ravel().astype(int)) >= 0).all()


def test_large_offsets_keep_their_small_differences() -> None:
    for dtype in (np.int32, np.uint32, np.float64):
        voxels = (2**30 + np.arange(64).reshape(8, 8)).astype(dtype)
        assert len(np.unique(shade(voxels, Contrast(2**30, 2**30 + 63)))) == 64


def test_nan_is_black_and_does_not_spoil_the_contrast() -> None:
    voxels = np.full((8, 8), np.nan, dtype=np.float32)
    assert levels_of(voxels) == (0.0, 1.0)
    voxels[0] = np.arange(8)
    assert levels_of(voxels)[1] == pytest.approx(7, abs=0.1)
    assert grey_levels(voxels, (0, 7))[4, 4] == 0


def test_nan_is_transparent_and_infinities_are_ends() -> None:
    voxels = np.array([[np.nan, -np.inf, np.inf, 0.0]], dtype=np.float32)
    table = np.array(colour_table(Contrast(0, 1), raw=False))
    colours = table[shade(voxels, Contrast(0, 1))][0]
    assert [hex(c) for c in colours] == ["0x0", "0xff000000", "0xffffffff", "0xff000000"]


def test_labels_have_colours_of_their_own_and_nought_is_black() -> None:
    colours = ramp("labels")
    assert tuple(colours[0]) == (0, 0, 0)
    assert len({tuple(c) for c in colours}) == 256
    for dtype in (np.uint8, np.int16, np.int64, np.float32):
        voxels = np.array([[0, 1, 2, 200]], dtype=dtype)
        assert shade(voxels, Contrast(colours="labels")).tolist() == [[0, 1, 2, 200]]
    assert shade(np.array([[-1, 255, 256]], np.int32), Contrast(colours="labels")).min() > 0


@pytest.mark.parametrize("name", ["viridis", "magma"])
def test_ramps_are_the_published_ones(name: str) -> None:
    import pyqtgraph

    published = pyqtgraph.colormap.get(name).getLookupTable(0.0, 1.0, 256)[:, :3].astype(int)
    assert np.abs(ramp(name).astype(int) - published).max() <= 2


@pytest.mark.parametrize("name", ["grey", "viridis", "magma", "cividis"])
def test_ramps_grow_brighter(name: str) -> None:
    luminance = ramp(name) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luminance) > -0.8).all()
    assert luminance[-1] - luminance[0] > 150


@given(st.floats(1e-6, 1e9))
def test_a_scale_bar_is_one_two_or_five(longest: float) -> None:
    nice = nice_length(longest)
    assert 0.39 * longest < nice <= longest * (1 + 1e-6)
    assert round(nice / 10 ** np.floor(np.log10(nice) + 1e-9), 6) in (1, 2, 5)


@given(st.floats(0.1, 4.0), st.floats(0, 400), st.floats(0, 300), st.floats(1, 5000), st.floats(1, 5000))
def test_what_lies_under_the_mouse_stays_there(factor: float, x: float, y: float, height: float, width: float) -> None:
    zoom, view = Zoom(factor=3.0), QSizeF(400, 300)

    def share() -> tuple[float, float]:
        area = zoom.target(view, (height, width))
        return ((x - area.left()) / area.width(), (y - area.top()) / area.height())

    before = share()
    zoom.about(QPointF(x, y), factor, view, (height, width))
    if zoom.factor > 1.0:
        assert share() == pytest.approx(before, abs=1e-6)


@pytest.fixture
def view(qtbot: QtBot) -> SliceView:
    view = SliceView()
    qtbot.addWidget(view)
    view.resize(400, 200)
    voxels = np.arange(100, dtype=np.uint8).reshape(10, 10)
    view.show_picture(Picture.of(voxels, Contrast(0, 255), pixel=(1.0, 1.0), unit="nm"))
    return view


def test_pixels_are_found_under_the_mouse(view: SliceView) -> None:
    area = view.target()
    assert (area.width(), area.height()) == (200, 200), "as large as fits, not distorted"
    assert view.pixel_at(QPointF(area.left() + 1, area.top() + 1)) == (0, 0)
    assert view.pixel_at(QPointF(area.right() - 1, area.bottom() - 1)) == (9, 9)
    assert view.pixel_at(QPointF(5, 5)) is None
    assert view.place_at(view.point_of(3, 7)) == pytest.approx((3, 7))


def test_voxels_that_are_no_cubes_keep_their_aspect(view: SliceView) -> None:
    voxels = np.zeros((10, 10), dtype=np.uint8)
    view.show_picture(Picture.of(voxels, Contrast(), pixel=(10.0, 20.0), unit="nm"))
    assert view.target().width() == 2 * view.target().height()


def turn(view: SliceView, at: QPointF, turns: int, modifiers: Qt.KeyboardModifier) -> None:
    view.wheelEvent(
        QWheelEvent(
            *(at, at, QPoint(), QPoint(0, 120 * turns), Qt.MouseButton.NoButton, modifiers, Qt.ScrollPhase.NoScrollPhase, False)
        )
    )


def test_the_wheel_goes_through_the_slices(view: SliceView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(view.stepped) as stepped:
        turn(view, QPointF(200, 100), -1, Qt.KeyboardModifier.NoModifier)
    assert stepped.args == [-1]


@pytest.mark.parametrize(
    ("key", "signal", "arguments"),
    [
        (Qt.Key.Key_PageUp, "stepped", [10]),
        (Qt.Key.Key_PageDown, "stepped", [-10]),
        (Qt.Key.Key_Left, "nudged", [0, -1]),
        (Qt.Key.Key_Down, "nudged", [1, 0]),
        (Qt.Key.Key_3, "plane_wanted", [2]),
    ],
)
def test_keys_say_what_is_wanted(view: SliceView, qtbot: QtBot, key: Qt.Key, signal: str, arguments: list[int]) -> None:
    with qtbot.waitSignal(getattr(view, signal)) as got:
        QTest.keyClick(view, key)
    assert got.args == arguments


def test_zooming_keeps_the_place_under_the_mouse(view: SliceView) -> None:
    at = QPointF(187, 74)
    before = view.pixel_at(at)
    for _ in range(6):
        turn(view, at, 1, Qt.KeyboardModifier.ControlModifier)
    assert view.target().width() > 600
    assert view.pixel_at(at) == before
    view.fit()
    assert view.target().width() == 200


def test_it_paints_grey_as_it_is(view: SliceView) -> None:
    image = view.grab().toImage()
    area = view.target()
    for i, j in ((0, 0), (4, 7), (9, 1)):
        colour = image.pixelColor(int(area.left() + (j + 0.5) * 20), int(area.top() + (i + 0.5) * 20))
        assert colour.red() == colour.blue() == 10 * i + j


def test_a_coarse_picture_lies_where_the_fine_one_does(view: SliceView) -> None:
    fine = np.zeros((100, 90), np.uint8)
    fine[48:, 40:] = 200
    view.show_picture(Picture.of(fine[::8, ::8], Contrast(0, 255), shape=(100, 90), stride=(8, 8)))
    assert view.picture is not None and view.picture.value(99, 89) == 200 and view.picture.value(0, 0) == 0
    coarse = view.grab().toImage()
    view.show_picture(Picture.of(fine, Contrast(0, 255)))
    sharp = view.grab().toImage()
    area = view.target()
    for row, column in ((20, 20), (20, 70), (70, 20), (70, 70), (45, 37), (50, 42)):
        at = view.point_of(row, column).toPoint()
        assert coarse.pixelColor(at).red() == pytest.approx(sharp.pixelColor(at).red(), abs=2), (row, column, area)


def test_a_reduced_picture_is_the_mean_of_its_voxels() -> None:
    voxels = np.indices((512, 512)).sum(axis=0).astype(np.uint8) % 2 * 200
    shown = Picture.of(voxels, Contrast(0, 255), display=Display((0, 0, 1, 1), 128, 128)).shown
    assert (shown.width(), shown.height()) == (128, 128)
    reds = {shown.pixelColor(x, y).red() for x in range(4, 120, 7) for y in range(4, 120, 7)}
    assert min(reds) > 90 and max(reds) < 110, "a chequered pattern is grey from afar, not a moiré"


def test_a_gallery_gives_every_class_a_row(qtbot: QtBot) -> None:
    gallery = Gallery()
    qtbot.addWidget(gallery)
    images = to_images(np.random.default_rng(0).normal(size=(8, 16, 16)).astype(np.float32))
    gallery.show_rows([GalleryRow("a", images=images), GalleryRow("b", problem="The field of view is larger than b.tif.")])
    for width in (120, 300, 345, 700, 1500):
        columns, tile = gallery.columns(width), gallery.tile(width)
        assert columns * tile <= width
        assert 8 % columns == 0 or columns > 4
        assert gallery.heightForWidth(width) > tile
    gallery.resize(345, gallery.heightForWidth(345))
    shades = {gallery.grab().toImage().pixelColor(x, 60).name() for x in range(0, 300, 3)}
    assert len(shades) > 10


def test_slices_of_a_gallery_share_one_contrast() -> None:
    stack = np.stack([np.zeros((8, 8)), np.ones((8, 8))]).astype(np.float32)
    dark, bright = to_images(stack)
    assert dark.pixelColor(3, 3).red() == 0
    assert bright.pixelColor(3, 3).red() == 255
    assert to_images(np.zeros((0, 8, 8), dtype=np.float32)) == ()
