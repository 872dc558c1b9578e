"""The picture of the 3-D view: turned, moved and zoomed with the mouse, drawn quickly meanwhile and finely at rest."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from microtome.ui.desk import Desk
from microtome.ui.theme import GRID, current
from microtome.ui.views.scale_bar import paint_scale_bar, paint_words
from microtome.ui.views.space import overlay
from microtome.ui.views.space.camera import Camera
from microtome.ui.views.space.drawing import SpaceDrawing
from microtome.ui.views.space.handle import Pose, handles, hit, met, moved, turned
from microtome.ui.views.space.scene import SpaceScene

_DEGREES = 0.45  # a pixel
_BAR = 340.0  # pixels: the scale bar takes a third of it at most
_ROOM = 250  # pixels; a smaller view has no room for lengths beside the box
_STEP = 6.0  # degrees a key
_KEYS = {
    Qt.Key.Key_0: "corner",
    Qt.Key.Key_Home: "corner",
    Qt.Key.Key_1: "xy",
    Qt.Key.Key_2: "xz",
    Qt.Key.Key_3: "yz",
}
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class SpaceCanvas(QWidget):
    """Shows a SpaceScene. Dragging turns, right or Shift + dragging moves, the wheel zooms, a double click
    resets, Ctrl + a click picks a point of a plane."""

    posed = Signal(object)  # the free plane's Pose, while its handle is dragged
    picked = Signal(object)  # a point (z, y, x) of one of the three planes
    camera_changed = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.setMinimumSize(160, 140)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.scene: SpaceScene | None = None
        self.pose: Pose | None = None
        self.camera: Camera | None = None
        self.busy = ""
        self.show_box = True
        self.drawing = SpaceDrawing(desk, self)
        self._held, self._grip = "", QPointF()

    def show_scene(self, scene: SpaceScene | None, pose: Pose | None = None) -> None:
        """Show another scene; the camera stays while the box does. `pose`: where the free plane's handles are, if at all."""
        before = self.scene
        self.scene, self.pose = scene, pose
        if scene is not None and (self.camera is None or before is None or before.box != scene.box):
            self.camera = Camera.fitted(scene.box)
        self.update()

    def show_busy(self, words: str) -> None:
        """Say what is being waited for; nothing where there are no words."""
        self.busy = words
        self.update()

    def look_from(self, view: str = "corner") -> None:
        """One of the standard views: corner, xy, xz, yz, at a distance that shows the whole box."""
        if self.scene is not None:
            self._aim(Camera.fitted(self.scene.box, view=view))

    @property
    def settled(self) -> bool:
        """True once what is on the screen is the fine picture of the scene."""
        return self.drawing.settled(self.scene, self.camera)

    def sizeHint(self) -> QSize:
        """Roomy."""
        return QSize(560, 480)

    def render_image(self, scale: float = 2.0) -> QImage:
        """What is seen, finely drawn with all lines and words, `scale` times as many pixels as on the screen."""
        image = QImage(self.size() * scale, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(scale)
        painter = QPainter(image)
        self._compose(painter, self.drawing.fine_now(self.scene, self.camera, scale))
        painter.end()
        return image

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The picture, drawn anew where something changed, between the box's lines."""
        picture = self.drawing.now(self.scene, self.camera)
        painter = QPainter(self)
        self._compose(painter, picture)
        painter.end()

    def _compose(self, painter: QPainter, picture: QImage) -> None:
        area, look = QRectF(self.rect()), overlay.look_of(current())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        overlay.paint_background(painter, area, look)
        if self.scene is not None and self.camera is not None:
            scene, camera, size = self.scene, self.camera, self.size()
            if self.show_box:
                overlay.paint_edges(painter, scene, camera, look, size, before=False)
            painter.drawImage(area, picture)
            if self.show_box:
                overlay.paint_edges(painter, scene, camera, look, size, before=True)
                if min(size.width(), size.height()) >= _ROOM:
                    overlay.paint_lengths(painter, scene, camera, look, size)
            if self.pose is not None:
                overlay.paint_handles(painter, self.pose, scene.diagonal, camera, look, size, self._held)
            overlay.paint_triad(painter, camera, look, size)
            overlay.paint_legend(painter, scene, look)
            paint_scale_bar(
                painter,
                area.adjusted(max(0.0, area.width() - _BAR), 0, 0, 0),
                camera.pixel(self.width(), self.height()),
                scene.unit,
            )
        if self.busy:
            paint_words(painter, area.center(), self.busy, area.width() - 4 * GRID)

    def _aim(self, camera: Camera) -> None:
        if camera != self.camera:
            self.camera = camera
            self.update()
            self.camera_changed.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of a handle, or of the scene."""
        self._grip, at = event.position(), event.position()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._pick(at)
            return
        aside = event.button() != Qt.MouseButton.LeftButton or event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        self._held = "pan" if aside else (self._handle_at(at) or "orbit")
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Turn, move, or drag a handle."""
        at = event.position()
        if self.camera is None or self.scene is None:
            return
        if not self._held:
            self.setCursor(Qt.CursorShape.SizeAllCursor if self._handle_at(at) else Qt.CursorShape.ArrowCursor)
            return
        by, size = at - self._grip, (self.width(), self.height())
        if self._held == "orbit":
            self._aim(self.camera.orbited(by.x() * _DEGREES, by.y() * _DEGREES))
        elif self._held == "pan":
            self._aim(self.camera.panned(by.x(), by.y(), *size))
        elif self.pose is not None:
            here, there = (at.x(), at.y()), (self._grip.x(), self._grip.y())
            if self._held == "move":
                pose = moved(self.pose, there, here, self.camera, *size)
            else:
                pose = turned(self.pose, self.scene.diagonal, here, self.camera, *size)
            self.pose = pose.within(self.scene.box)
            self.posed.emit(self.pose)
        self._grip = at

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """Let go."""
        self._held = ""
        self.update()

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """The first view again."""
        self.look_from()

    def _handle_at(self, at: QPointF) -> str | None:
        if self.pose is None or self.scene is None or self.camera is None:
            return None
        where = handles(self.pose, self.scene.diagonal, self.camera, self.width(), self.height())
        return hit(where, at.x(), at.y())

    def _pick(self, at: QPointF) -> None:
        if self.scene is not None and self.camera is not None:
            point = met(self.scene.planes, self.camera, (at.x(), at.y()), self.width(), self.height())
            if point is not None:
                self.picked.emit(point)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Nearer or farther."""
        if self.camera is not None:
            self._aim(self.camera.zoomed(1.2 ** (event.angleDelta().y() / 120)))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """0 to 3 are the standard views, arrows turn (with Shift: move), + and - zoom."""
        key = Qt.Key(event.key())
        if self.camera is None:
            super().keyPressEvent(event)
        elif key in _KEYS:
            self.look_from(_KEYS[key])
        elif key in _ARROWS and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            right, down = _ARROWS[key]
            self._aim(self.camera.panned(4 * _STEP * right, 4 * _STEP * down, self.width(), self.height()))
        elif key in _ARROWS:
            right, down = _ARROWS[key]
            self._aim(self.camera.orbited(_STEP * right, _STEP * down))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self._aim(self.camera.zoomed(1 / 1.15 if key == Qt.Key.Key_Minus else 1.15))
        else:
            super().keyPressEvent(event)
