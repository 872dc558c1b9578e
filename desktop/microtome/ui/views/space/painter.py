"""Which painter draws the 3-D picture: the graphics card where it can be trusted, else the processor."""

from __future__ import annotations

import logging
import os
from typing import Protocol

from PySide6.QtGui import QGuiApplication, QImage

from microtome.paths import cache_dir
from microtome.ui.theme import current
from microtome.ui.views.space.camera import Camera
from microtome.ui.views.space.frame import Frame, PainterLostError
from microtome.ui.views.space.overlay import look_of
from microtome.ui.views.space.plain import draw
from microtome.ui.views.space.scene import SpaceScene

PLAIN = "MICROTOME_PLAIN_3D"
"""The environment variable that keeps the 3-D view away from OpenGL."""
_log = logging.getLogger(__name__)


class Painter(Protocol):
    """Draws frames. `quick` says that fine frames are quick too, so that none is drawn in the background."""

    name: str
    quick: bool

    def image(self, frame: Frame) -> QImage:
        """The picture, transparent where nothing is; frame.width × frame.height pixels."""
        ...

    def close(self) -> None:
        """Let go of what the graphics card holds."""
        ...


class PlainPainter:
    """Draws without OpenGL."""

    name = "plain"
    quick = False

    def image(self, frame: Frame) -> QImage:
        """The picture."""
        made = draw(frame)
        assert made is not None
        return as_premultiplied(made)

    def close(self) -> None:
        """Nothing is held."""


def as_premultiplied(pixels: object) -> QImage:
    """Pixels (h, w, 4), premultiplied, as an image that owns them."""
    import numpy as np

    array = np.ascontiguousarray(pixels, dtype=np.uint8)
    height, width = array.shape[:2]
    return QImage(array.data, width, height, 4 * width, QImage.Format.Format_RGBA8888_Premultiplied).copy()


def make_painter() -> Painter:
    """A painter that works here. OpenGL is not asked where there is no screen, where it is switched off, where it only
    imitates a card (slower than our own loops), or where the last attempt ended the program (a broken driver)."""
    if os.environ.get(PLAIN) or QGuiApplication.platformName() in ("offscreen", "minimal", "vnc"):
        return PlainPainter()
    trace = cache_dir() / "opengl-attempt"
    if trace.exists():
        _log.warning("OpenGL ended the program last time; the 3-D view does without (delete %s to try again)", trace)
        return PlainPainter()
    from microtome.ui.views.space.gl import GlPainter

    try:
        trace.parent.mkdir(parents=True, exist_ok=True)
        trace.touch()
        painter: Painter = GlPainter()
        # A first picture before it counts: drivers fail in drawing, not in making a context.
        box = (1.0, 1.0, 1.0)
        painter.image(Frame(SpaceScene(box=box), Camera.fitted(box), 16, 16, look_of(current())))
    except (PainterLostError, OSError) as error:
        _log.info("The 3-D view does without OpenGL: %s", error)
        painter = PlainPainter()
    trace.unlink(missing_ok=True)
    return painter
