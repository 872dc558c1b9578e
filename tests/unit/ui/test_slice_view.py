"""One slice on the screen: contrast, scale bar, the value under the mouse, zoom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from pytestqt.qtbot import QtBot

from microtome.ui.views.gallery import Gallery, GalleryRow, to_images
from microtome.ui.views.slice_view import Picture, SliceView, grey_levels, levels_of, nice_length


@given(
    hnp.arrays(hnp.unsigned_integer_dtypes() | hnp.floating_dtypes(sizes=(32, 64)), hnp.array_shapes(min_dims=2, max_dims=2))
)
def test_any_slice_has_levels_and_becomes_grey(voxels: np.ndarray) -> None:  # type: ignore[type-arg]
    with np.errstate(all="ignore"):
        low, high = levels_of(voxels)
        grey = grey_levels(voxels, (low, high))
    assert low < high or low == high == pytest.approx(low)
    assert grey.shape == voxels.shape
    assert grey.dtype == np.uint8


def test_sixteen_bits_are_stretched_not_cut() -> None:
    voxels = np.linspace(1000, 9000, 10_000).astype(np.uint16).reshape(100, 100)
    grey = grey_levels(voxels, levels_of(voxels))
    assert len(np.unique(grey)) > 200
    assert (np.diff(grey.ravel().astype(int)) >= 0).all()


def test_nan_is_black_and_does_not_spoil_the_contrast() -> None:
    voxels = np.full((8, 8), np.nan, dtype=np.float32)
    assert levels_of(voxels) == (0.0, 1.0)
    voxels[0] = np.arange(8)
    assert levels_of(voxels)[1] == pytest.approx(7, abs=0.1)
    assert grey_levels(voxels, (0, 7))[4, 4] == 0


@given(st.floats(1e-6, 1e9))
def test_a_scale_bar_is_one_two_or_five(longest: float) -> None:
    nice = nice_length(longest)
    assert 0.39 * longest < nice <= longest * (1 + 1e-6)
    assert round(nice / 10 ** np.floor(np.log10(nice) + 1e-9), 6) in (1, 2, 5)


@pytest.fixture
def view(qtbot: QtBot) -> SliceView:
    view = SliceView()
    qtbot.addWidget(view)
    view.resize(400, 200)
    voxels = np.arange(100, dtype=np.uint16).reshape(10, 10)
    view.show_picture(Picture(voxels=voxels, grey=voxels.astype(np.uint8), pixel=(1.0, 1.0), unit="nm"))
    return view


def test_pixels_are_found_under_the_mouse(view: SliceView) -> None:
    area = view.target()
    assert (area.width(), area.height()) == (200, 200), "as large as fits, not distorted"
    assert view.pixel_at(QPointF(area.left() + 1, area.top() + 1)) == (0, 0)
    assert view.pixel_at(QPointF(area.right() - 1, area.bottom() - 1)) == (9, 9)
    assert view.pixel_at(QPointF(5, 5)) is None


def test_voxels_that_are_no_cubes_keep_their_aspect(view: SliceView) -> None:
    voxels = np.zeros((10, 10), dtype=np.uint8)
    view.show_picture(Picture(voxels=voxels, grey=voxels, pixel=(10.0, 20.0), unit="nm"))
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
