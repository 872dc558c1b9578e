"""Icons: one family of line drawings in resources/icons, painted in a colour of the theme."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from microtome.paths import resources
from microtome.ui.theme import current

_SIZES = (16, 20, 32, 48, 64)


@lru_cache(maxsize=256)
def _pixmap(name: str, colour: str, size: int) -> QPixmap:
    text = (resources() / "icons" / f"{name}.svg").read_text(encoding="utf-8").replace("currentColor", colour)
    pixmap = QPixmap(QSize(size, size))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(text.encode())).render(painter)
    painter.end()
    return pixmap


def pixmap(name: str, size: int = 20, colour: str = "") -> QPixmap:
    """One drawing, `size` pixels square; the theme's second-rank text colour unless told."""
    return _pixmap(name, colour or current().muted, size)


@lru_cache(maxsize=256)
def _icon(name: str, colour: str, disabled: str) -> QIcon:
    made = QIcon()
    for size in _SIZES[:3]:
        made.addPixmap(_pixmap(name, colour, size))
        made.addPixmap(_pixmap(name, disabled, size), QIcon.Mode.Disabled)
    return made


def icon(name: str, colour: str = "") -> QIcon:
    """A drawing as an icon, paler where its button is disabled."""
    theme = current()
    return _icon(name, colour or theme.muted, theme.faint)


def app_icon() -> QIcon:
    """The program's own icon."""
    made = QIcon()
    for size in _SIZES:
        made.addPixmap(_pixmap("microtome", "", size))
    return made
