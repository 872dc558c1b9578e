"""A gallery of slices: one row a class, tiles as large as fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QHelpEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from microtome.ui.i18n import tr
from microtome.ui.theme import GRID, current
from microtome.ui.views.picture import as_image, grey_levels, levels_of

_LEAST_TILE, _LARGEST_TILE = 68, 144
_GAP = GRID // 2
_HEAD = 24
_STRIP = 3.0  # pixels of a tile in the colour of its set
_ORDER = ("train", "validation", "evaluation")
_STEPS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}


def set_words(set_name: str) -> str:
    """A set's name in the language in use."""
    return {"train": tr("Training"), "validation": tr("Validation"), "evaluation": tr("Evaluation")}[set_name]


def set_colour(set_name: str) -> str:
    """A set's colour in the theme in use."""
    return current().sets[_ORDER.index(set_name)]


@dataclass(frozen=True)
class GalleryRow:
    """A class's slices; `problem` instead of them where they could not be cut."""

    name: str
    caption: str = ""
    images: tuple[QImage, ...] = ()
    problem: str = ""
    colour: int | None = None  # the class's place in the colours; None: the row's own
    strips: tuple[str, ...] = ()  # the set of each image, where that is to be seen
    shade: str = ""  # a colour of its own (#rrggbb), as of a number on a scale


def to_images(stack: NDArray[np.float32]) -> tuple[QImage, ...]:
    """Slices (n, h, w) as grey images under one contrast, so that brightness differences stay visible."""
    if not len(stack):
        return ()
    levels = levels_of(stack.reshape(-1, stack.shape[-1]), 0.5, 99.5)
    return tuple(as_image(grey_levels(image, levels)) for image in stack)


class Gallery(QWidget):
    """Paints rows; it is as tall as they need."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[GalleryRow] = []
        self._at: tuple[int, int] | None = None  # row and number of the tile that is framed
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def show_rows(self, rows: list[GalleryRow]) -> None:
        """Paint other rows."""
        self.rows = rows
        self.updateGeometry()
        self.setMinimumHeight(self.heightForWidth(self.width()))
        self.update()

    def columns(self, width: int) -> int:
        """Tiles beside each other: the whole row, or an even part of it where tiles would be too small."""
        most = max((len(row.images) for row in self.rows), default=1) or 1
        parts = [-(-most // lines) for lines in range(1, most + 1)]
        return next((n for n in parts if (width - (n - 1) * _GAP) // n >= _LEAST_TILE), 1)

    def tile(self, width: int) -> int:
        """The edge of a tile."""
        n = self.columns(width)
        return max(1, min(_LARGEST_TILE, (width - (n - 1) * _GAP) // n))

    def _row_height(self, row: GalleryRow, width: int) -> int:
        if row.problem:
            return _HEAD + self._problem_height(row.problem, width) + GRID
        lines = -(-len(row.images) // self.columns(width))
        return _HEAD + lines * (self.tile(width) + _GAP) + GRID

    def _problem_height(self, text: str, width: int) -> int:
        flags = Qt.TextFlag.TextWordWrap
        return self.fontMetrics().boundingRect(0, 0, max(40, width), 10_000, flags, text).height()

    def heightForWidth(self, width: int) -> int:
        """The height of all rows."""
        return sum(self._row_height(row, width) for row in self.rows)

    def hasHeightForWidth(self) -> bool:
        """It depends on how many tiles fit beside each other."""
        return True

    def sizeHint(self) -> QSize:
        """For the width it has."""
        width = max(self.width(), 320)
        return QSize(width, self.heightForWidth(width))

    def tile_area(self, row: int, tile: int) -> QRectF:
        """Where a tile is painted."""
        y = sum(self._row_height(r, self.width()) for r in self.rows[:row]) + _HEAD
        edge = self.tile(self.width())
        line, place = divmod(tile, self.columns(self.width()))
        return QRectF(place * (edge + _GAP), y + line * (edge + _GAP), edge, edge)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """All rows."""
        theme, painter = current(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        y = 0
        for index, row in enumerate(self.rows):
            self._paint_head(painter, row, index, y)
            if row.problem:
                painter.setPen(QColor(theme.bad))
                area = QRectF(0, y + _HEAD, self.width(), self._problem_height(row.problem, self.width()))
                painter.drawText(area, int(Qt.TextFlag.TextWordWrap), row.problem)
            else:
                self._paint_tiles(painter, row, index)
            y += self._row_height(row, self.width())
        painter.end()

    def _paint_head(self, painter: QPainter, row: GalleryRow, index: int, y: int) -> None:
        theme = current()
        mark = row.shade or theme.class_colour(index if row.colour is None else row.colour)
        painter.fillRect(QRectF(0, y + 5, 4, 14), QColor(mark))
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(theme.text))
        wide = painter.fontMetrics().horizontalAdvance(row.name)
        painter.drawText(QRectF(GRID + 2, y, self.width(), _HEAD), Qt.AlignmentFlag.AlignVCenter, row.name)
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(QColor(theme.muted))
        area = QRectF(2 * GRID + 4 + wide, y, max(0, self.width() - wide - 3 * GRID), _HEAD)
        caption = painter.fontMetrics().elidedText(row.caption, Qt.TextElideMode.ElideRight, int(area.width()))
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, caption)

    def _paint_tiles(self, painter: QPainter, row: GalleryRow, index: int) -> None:
        for i, image in enumerate(row.images):
            area = self.tile_area(index, i)
            painter.drawImage(area, image)
            if row.strips:
                strip = QRectF(area.left(), area.bottom() - _STRIP, area.width(), _STRIP)
                painter.fillRect(strip, QColor(set_colour(row.strips[i])))
            if self._at == (index, i):
                painter.setPen(QPen(QColor(current().accent), 2))
                painter.drawRect(area.adjusted(1, 1, -1, -1))


class LiveGallery(Gallery):
    """A gallery whose tiles can be chosen by mouse or keys."""

    chosen = Signal(int, int)  # row and tile

    def __init__(self) -> None:
        super().__init__()
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr("Random slices"))
        self.setAccessibleDescription(tr("Arrow keys choose a slice, Enter opens it"))

    def tile_at(self, position: QPointF) -> tuple[int, int] | None:
        """Row and number of the tile under a point of the widget."""
        for r, row in enumerate(self.rows):
            for i in range(len(row.images)):
                if self.tile_area(r, i).contains(position):
                    return (r, i)
        return None

    def _point(self, at: tuple[int, int] | None) -> None:
        if at != self._at:
            self._at = at
            self.setCursor(Qt.CursorShape.PointingHandCursor if at is not None else Qt.CursorShape.ArrowCursor)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Frame the tile under the mouse."""
        self._point(self.tile_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        """Frame none."""
        super().leaveEvent(event)
        self._point(None)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Frame none."""
        super().focusOutEvent(event)
        self._point(None)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Choose the tile."""
        at = self.tile_at(event.position()) if event.button() == Qt.MouseButton.LeftButton else None
        if at is not None:
            self.chosen.emit(*at)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from tile to tile; Enter or the space bar chooses."""
        known = [(r, i) for r, row in enumerate(self.rows) for i in range(len(row.images))]
        if known and event.key() in _STEPS:
            self._point(known[0] if self._at not in known else self._beside(known, _STEPS[Qt.Key(event.key())]))
        elif self._at in known and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(*self._at)
        else:
            super().keyPressEvent(event)

    def _beside(self, known: list[tuple[int, int]], step: tuple[int, int]) -> tuple[int, int]:
        assert self._at is not None
        if step[0] == 0:
            return known[min(max(known.index(self._at) + step[1], 0), len(known) - 1)]
        here = self.tile_area(*self._at).center()
        there = [k for k in known if (self.tile_area(*k).center().y() - here.y()) * step[0] > 1]
        return min(there, key=lambda k: (self.tile_area(*k).center() - here).manhattanLength(), default=self._at)

    def event(self, event: QEvent) -> bool:
        """Say the set of a tile."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            at = self.tile_at(QPointF(event.pos()))
            strips = self.rows[at[0]].strips if at is not None else ()
            words = (
                tr("From the block of {name}: click to see it large", name=set_words(strips[at[1]])) if at and strips else ""
            )
            QToolTip.showText(event.globalPos(), words, self)
            return True
        return super().event(event)
