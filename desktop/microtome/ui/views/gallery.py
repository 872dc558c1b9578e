"""A gallery of slices: one row a class, tiles as large as fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from microtome.ui.theme import GRID, current
from microtome.ui.views.picture import as_image, grey_levels, levels_of

_LEAST_TILE, _LARGEST_TILE = 68, 144
_GAP = GRID // 2
_HEAD = 24


@dataclass(frozen=True)
class GalleryRow:
    """A class's slices; `problem` instead of them where they could not be cut."""

    name: str
    caption: str = ""
    images: tuple[QImage, ...] = ()
    problem: str = ""
    colour: int | None = None  # the class's place in the colours; None: the row's own


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
                self._paint_tiles(painter, row, y + _HEAD)
            y += self._row_height(row, self.width())
        painter.end()

    def _paint_head(self, painter: QPainter, row: GalleryRow, index: int, y: int) -> None:
        theme = current()
        painter.fillRect(QRectF(0, y + 5, 4, 14), QColor(theme.class_colour(index if row.colour is None else row.colour)))
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

    def _paint_tiles(self, painter: QPainter, row: GalleryRow, y: int) -> None:
        edge, columns = self.tile(self.width()), self.columns(self.width())
        for i, image in enumerate(row.images):
            line, column = divmod(i, columns)
            area = QRectF(column * (edge + _GAP), y + line * (edge + _GAP), edge, edge)
            painter.drawImage(area, image)
