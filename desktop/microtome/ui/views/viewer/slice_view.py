"""Paint one slice of a volume: fitted or zoomed, to scale, with what lies over it, and say what the mouse and keys want."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QEvent, QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from microtome.ui.theme import GRID, current
from microtome.ui.views.picture import Display, Picture, scaled
from microtome.ui.views.scale_bar import paint_scale_bar, paint_words
from microtome.ui.views.viewer.zoom import Zoom

_LARGE = 8192  # pixels of an edge, beyond which a saved picture is reduced
_ZOOM_STEP = 1.25
_KEYS: dict[int, tuple[str, int, int]] = {
    Qt.Key.Key_Up: ("nudged", -1, 0),
    Qt.Key.Key_Down: ("nudged", 1, 0),
    Qt.Key.Key_Left: ("nudged", 0, -1),
    Qt.Key.Key_Right: ("nudged", 0, 1),
    Qt.Key.Key_PageUp: ("stepped", 10, 0),
    Qt.Key.Key_PageDown: ("stepped", -10, 0),
    Qt.Key.Key_Home: ("stepped", -(2**30), 0),
    Qt.Key.Key_End: ("stepped", 2**30, 0),
    Qt.Key.Key_Plus: ("zoom", 1, 0),
    Qt.Key.Key_Equal: ("zoom", 1, 0),
    Qt.Key.Key_Minus: ("zoom", -1, 0),
    Qt.Key.Key_F: ("fit", 0, 0),
    Qt.Key.Key_1: ("plane", 0, 0),
    Qt.Key.Key_2: ("plane", 1, 0),
    Qt.Key.Key_3: ("plane", 2, 0),
}


class Overlay(Protocol):
    """Something over the picture that may be dragged."""

    def paint(self, painter: QPainter, view: PictureView) -> None:
        """Paint it."""

    def grip(self, at: QPointF, view: PictureView) -> bool:
        """The left button goes down: True takes the drag."""

    def drag(self, at: QPointF, view: PictureView) -> None:
        """The mouse moves with the button down."""

    def release(self) -> None:
        """The button goes up."""

    def cursor(self, at: QPointF, view: PictureView) -> Qt.CursorShape | None:
        """The mouse's shape over it."""


class PictureView(QWidget):
    """Shows a Picture to scale, with its overlays; what the mouse does is its heirs' matter."""

    def __init__(self, name: str = "", tint: str = "") -> None:
        super().__init__()
        self.setMinimumSize(96, 80)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(name)
        self.name, self.tint = name, tint  # words and colour in the corner, where there are several views
        self.picture: Picture | None = None
        self.busy = ""  # words over the picture while a newer one is read
        self.zoom = Zoom()
        self.overlays: list[Overlay] = []
        self._kept: tuple[int, Display, QImage] | None = None

    def show_picture(self, picture: Picture | None) -> None:
        """Paint another picture; zoom and place stay."""
        self.picture = picture
        self._kept = None
        self.busy = ""
        self.update()

    def show_busy(self, words: str) -> None:
        """Say what is being waited for."""
        self.busy = words
        self.update()

    def fit(self) -> None:
        """Show the whole picture."""
        self.zoom.fit()
        self.update()

    def target(self) -> QRectF:
        """Where the picture lies in the widget; its pixels have their physical aspect."""
        return self.zoom.target(QSizeF(self.size()), self.picture.extent) if self.picture is not None else QRectF()

    def display(self, extent: tuple[float, float] | None = None) -> Display | None:
        """What is seen of a picture of this extent (default: the one that is shown), to be scaled in the background."""
        if extent is None:
            extent = self.picture.extent if self.picture is not None else (0.0, 0.0)
        return self.zoom.display(QSizeF(self.size()), extent, self.devicePixelRatioF())

    def place_at(self, position: QPointF) -> tuple[float, float]:
        """Row and column of the picture under a point of the widget; the middle of the first pixel is (0, 0)."""
        area = self.target()
        if self.picture is None or area.isEmpty():
            return (0.0, 0.0)
        rows, columns = self.picture.shape
        y, x = (position.y() - area.top()) / area.height(), (position.x() - area.left()) / area.width()
        return (y * rows - 0.5, x * columns - 0.5)

    def point_of(self, row: float, column: float) -> QPointF:
        """The point of the widget at a place of the picture, as `place_at` counts."""
        area = self.target()
        if self.picture is None:
            return QPointF()
        rows, columns = self.picture.shape
        return QPointF(area.left() + (column + 0.5) / columns * area.width(), area.top() + (row + 0.5) / rows * area.height())

    def pixel_at(self, position: QPointF) -> tuple[int, int] | None:
        """Row and column of the picture under a point of the widget, or None beside it."""
        if self.picture is None or not self.target().contains(position):
            return None
        row, column = self.place_at(position)
        rows, columns = self.picture.shape
        return (min(max(round(row), 0), rows - 1), min(max(round(column), 0), columns - 1))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Picture, overlays, scale bar, words."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(current().sunken))
        self.paint_picture(painter)
        for overlay in self.overlays if self.picture is not None else ():
            painter.save()
            overlay.paint(painter, self)
            painter.restore()
        self._paint_frame(painter)
        if self.busy:
            paint_words(painter, QRectF(self.rect()).center(), self.busy, min(480.0, self.width() - 6.0 * GRID))
        painter.end()

    def paint_picture(self, painter: QPainter, *, fine: bool = False) -> None:
        """The picture with its scale bar; `fine`: from its voxels, for a painter finer than the screen."""
        area, display = self.target(), self.display()
        if self.picture is None or display is None:
            return
        seen = area.intersected(QRectF(self.rect()))
        if fine:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.picture.image.width() > _LARGE)
            painter.drawImage(seen, self.picture.image, self.picture.source(display.part))
        elif self.picture.display == display and not self.picture.shown.isNull():
            painter.drawImage(seen, self.picture.shown)
        elif not (reduced := self._reduced(display)).isNull():
            painter.drawImage(seen, reduced)
        else:
            # Voxels stay square where they are enlarged.
            painter.drawImage(seen, self.picture.image, self.picture.source(display.part))
        paint_scale_bar(painter, seen, self.picture.extent[1] / area.width(), self.picture.unit)

    def _reduced(self, display: Display) -> QImage:
        assert self.picture is not None
        key = id(self.picture)
        if self._kept is None or self._kept[:2] != (key, display):
            self._kept = (key, display, scaled(self.picture, display))
        return self._kept[2]

    def _paint_frame(self, painter: QPainter) -> None:
        if not self.tint:
            return
        painter.setPen(QPen(QColor(self.tint), 2 if self.hasFocus() else 1))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        metrics = painter.fontMetrics()
        plate = QRectF(1, 1, metrics.horizontalAdvance(self.name) + 1.5 * GRID, metrics.height() + 4)
        painter.fillRect(plate, QColor(self.tint))
        painter.setPen(QColor("white" if QColor(self.tint).lightnessF() < 0.6 else "black"))
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, self.name)


class SliceView(PictureView):
    """A PictureView to work with: the wheel asks for another slice, Ctrl + wheel zooms, dragging moves, a double click is told.

    Where an overlay takes the left button, the middle button or Shift moves the picture.
    """

    stepped = Signal(int)  # slices to go on (negative: back)
    nudged = Signal(int, int)  # rows and columns, by the arrow keys
    hovered = Signal(object)  # (row, column, value) or None
    zoomed = Signal()  # the user changed the zoom or moved the picture
    double_clicked = Signal()
    touched = Signal()  # clicked, or entered by the mouse
    plane_wanted = Signal(int)

    def __init__(self, name: str = "", tint: str = "") -> None:
        super().__init__(name, tint)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._drag: Overlay | None = None
        self._grip: QPointF | None = None
        self._mouse: QPointF | None = None

    def show_picture(self, picture: Picture | None) -> None:
        """Paint another picture, and tell what is under the mouse now."""
        super().show_picture(picture)
        if self._mouse is not None:
            self._hover(self._mouse)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Another slice, or with Ctrl another zoom about the mouse."""
        turns = event.angleDelta().y() / 120
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._zoom(event.position(), _ZOOM_STEP**turns)
        elif turns:
            self.stepped.emit(round(turns) or (1 if turns > 0 else -1))
        event.accept()

    def _zoom(self, at: QPointF, factor: float) -> None:
        if self.picture is not None:
            self.zoom.about(at, factor, QSizeF(self.size()), self.picture.extent)
            self.update()
            self.zoomed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Steps, nudges, zoom and planes by keys."""
        what, first, second = _KEYS.get(event.key(), ("", 0, 0))
        if what == "stepped":
            self.stepped.emit(first)
        elif what == "nudged":
            self.nudged.emit(first, second)
        elif what == "zoom":
            self._zoom(QPointF(self.rect().center()), _ZOOM_STEP**first)
        elif what == "fit":
            self.fit()
            self.zoomed.emit()
        elif what == "plane":
            self.plane_wanted.emit(first)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of an overlay, or of the picture."""
        self.touched.emit()
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.button() == Qt.MouseButton.LeftButton and not shift and self.picture is not None:
            self._drag = next((o for o in self.overlays if o.grip(event.position(), self)), None)
        if self._drag is None and event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self._grip = event.position()

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """Let go of it."""
        dragged, self._drag, self._grip = self._drag, None, None
        if dragged is not None:
            dragged.release()

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Told; what it means depends on how many views there are."""
        self.double_clicked.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move what is held, and tell what is under the mouse."""
        at = event.position()
        if self._drag is not None:
            self._drag.drag(at, self)
        elif self._grip is not None and self.picture is not None:
            self.zoom.move(at - self._grip, QSizeF(self.size()), self.picture.extent)
            self._grip = at
            self.update()
            self.zoomed.emit()
        shapes = (o.cursor(at, self) for o in self.overlays) if self.picture is not None else ()
        self.setCursor(next((s for s in shapes if s is not None), Qt.CursorShape.ArrowCursor))
        self._mouse = at
        self._hover(at)

    def _hover(self, at: QPointF) -> None:
        place = self.pixel_at(at)
        self.hovered.emit(None if place is None or self.picture is None else (*place, self.picture.value(*place)))

    def enterEvent(self, event: QEnterEvent) -> None:
        """The keys belong to the view under the mouse."""
        super().enterEvent(event)
        self.touched.emit()

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the mouse any more."""
        super().leaveEvent(event)
        self._mouse = None
        self.hovered.emit(None)
