"""When the 3-D picture is drawn: quickly while the camera moves, finely in the background once it rests."""

from __future__ import annotations

import logging
import threading
import time

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from microtome.ui.desk import Desk
from microtome.ui.theme import current
from microtome.ui.views.space.camera import Camera
from microtome.ui.views.space.frame import Frame, PainterLostError
from microtome.ui.views.space.overlay import look_of
from microtome.ui.views.space.painter import Painter, PlainPainter, as_premultiplied, make_painter
from microtome.ui.views.space.plain import draw
from microtome.ui.views.space.scene import SpaceScene

_log = logging.getLogger(__name__)
_REST_MS = 140
_LATE = 0.05  # seconds; where a quick picture takes longer, half the rows and columns are drawn while the camera moves
_BACK = 0.25  # of that time: what half the rows and columns must take at most for all of them to be drawn again


class SpaceDrawing(QObject):
    """Keeps the picture of a widget's scene up to date."""

    def __init__(self, desk: Desk, view: QWidget) -> None:
        super().__init__(view)
        self._desk, self._view = desk, view
        self._painter: Painter | None = None  # made when first needed: a start must not load it
        self._image = QImage()
        self._scene: SpaceScene | None = None
        self._camera: Camera | None = None
        self._drawn: tuple[object, ...] = ()
        self._fine = self._coarse = False
        self._over = threading.Event()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._refine)

    def settled(self, scene: SpaceScene | None, camera: Camera | None) -> bool:
        """True once the picture is the fine one of this scene."""
        return self._fine and (scene, camera) == (self._scene, self._camera) and self._key() == self._drawn

    @property
    def painter(self) -> Painter:
        """What draws here."""
        if self._painter is None:
            self._painter = make_painter()
            self.destroyed.connect(self._painter.close)
        return self._painter

    def now(self, scene: SpaceScene | None, camera: Camera | None) -> QImage:
        """The picture as good as it can be at once; a finer one follows by an update of the widget."""
        self._scene, self._camera = scene, camera
        if scene is None or camera is None:
            return QImage()
        key = self._key()
        if key != self._drawn:
            self._over.set()
            ratio = self._view.devicePixelRatioF() * (0.5 if self._coarse else 1.0)
            start = time.perf_counter()
            self._image = self._paint(self._frame(scene, camera, ratio, fine=False))
            seconds = time.perf_counter() - start
            # The first picture loads compiled code: it says nothing of the next ones.
            if self._drawn:
                self._coarse = seconds > (_LATE * _BACK if self._coarse else _LATE)
            self._drawn, self._fine = key, False
            self._rest.start()
        return self._image

    def fine_now(self, scene: SpaceScene | None, camera: Camera | None, scale: float) -> QImage:
        """The picture as good as it gets, with `scale` pixels for one of the widget's."""
        if scene is None or camera is None:
            return QImage()
        return self._paint(self._frame(scene, camera, scale, fine=True))

    def _paint(self, frame: Frame) -> QImage:
        try:
            return self.painter.image(frame)
        except PainterLostError as error:
            _log.warning("The 3-D view goes on without OpenGL: %s", error)
            self.painter.close()
            self._painter = PlainPainter()
            return self._painter.image(frame)

    def _frame(self, scene: SpaceScene, camera: Camera, ratio: float, *, fine: bool) -> Frame:
        width, height = max(1, round(self._view.width() * ratio)), max(1, round(self._view.height() * ratio))
        return Frame(scene, camera, width, height, look_of(current()), fine)

    def _key(self) -> tuple[object, ...]:
        # The scene itself, not its id: what is kept alive cannot be mistaken for what came after it.
        view = self._view
        return (self._scene, self._camera, view.width(), view.height(), view.devicePixelRatioF(), current().name)

    def _refine(self) -> None:
        if self._scene is None or self._camera is None or self._fine or self._key() != self._drawn:
            return
        frame, key = self._frame(self._scene, self._camera, self._view.devicePixelRatioF(), fine=True), self._drawn
        if self.painter.quick:
            self._land(key, self._paint(frame))
            return
        over = self._over = threading.Event()

        def work() -> QImage | None:
            made = draw(frame, over.is_set)
            return None if made is None else as_premultiplied(made)

        self._desk.tasks.request(self, "fine", work, lambda image: self._land(key, image))

    def _land(self, key: tuple[object, ...], image: QImage | None) -> None:
        if image is not None and key == self._key():
            self._image, self._fine = image, True
            self._view.update()
