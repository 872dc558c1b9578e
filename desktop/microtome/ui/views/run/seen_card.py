"""What the network sees: the images of a batch as they come out of the augmentation, with their classes and a scale bar."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QFrame, QSizePolicy, QWidget

from microtome.results.words import with_unit
from microtome.training.seen import Seen, read_seen
from microtome.ui.colourmaps import shade_of
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import length
from microtome.ui.theme import GRID, current
from microtome.ui.views.picture import as_image, grey_levels, levels_of
from microtome.ui.views.plots import axis_font
from microtome.ui.views.saving import Savers
from microtome.ui.views.scale_bar import nice_length
from microtome.ui.widgets import column, label, row

_GAP = GRID // 2
_WISHED, _SMALL, _LARGEST = 96, 128, 256  # screen pixels an image
_ROWS = 3  # of images that are not small
_HALF = 0.995  # of a label, below which its parts are named


class ContactSheet(QWidget):
    """Images side by side, each pixel a whole number of screen pixels where they fit, the class below; a scale bar at last."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Seen | None = None
        self._images: list[QImage] = []
        self._pixel, self._unit = 0.0, ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("What the network sees"))

    def show_seen(self, seen: Seen, pixel: float, unit: str) -> None:
        """Show these; `pixel` is the edge of an image's pixel in `unit` (0: not known)."""
        self.seen, self._pixel, self._unit = seen, pixel, unit
        stack = seen.images.astype(np.float32)
        # All under one contrast, so that changes of brightness stay to be seen.
        levels = levels_of(stack.reshape(-1, stack.shape[-1]), 0.5, 99.5)
        self._images = [as_image(grey_levels(image, levels)) for image in stack]
        self.setFixedHeight(self.height_at(self.width()))
        self.update()

    def label_of(self, index: int) -> str:
        """An image's class; its parts where images are mixed."""
        if self.seen is None:
            return ""
        if self.seen.values is not None:
            return with_unit(float(self.seen.values[index]), self.seen.unit)
        shares: NDArray[Any] = self.seen.shares[index].astype(np.float64)
        order = np.argsort(-shares, kind="stable")
        parts = [i for i in order if shares[i] > 0.005]
        if len(parts) < 2 or shares[parts[0]] >= _HALF:
            return self.seen.classes[int(order[0])]
        return " + ".join(f"{100 * shares[i]:.0f} % {self.seen.classes[int(i)]}" for i in parts[:2])

    def colour_of(self, index: int) -> str:
        """Of its class, or of its number between the smallest and the greatest shown."""
        if self.seen is None or self.seen.values is None:
            return current().class_colour(0 if self.seen is None else int(self.seen.labels[index]))
        values = self.seen.values
        return shade_of(float(values[index]), (float(values.min()), float(values.max())))

    def edge(self) -> int:
        """Screen pixels of an image's edge: a whole multiple of its own pixels, unless it is too large for that."""
        pixels = self._images[0].width() if self._images else 1
        return min(_LARGEST, max(1, round(_WISHED / pixels)) * pixels)

    def count(self, width: int) -> int:
        """How many images are shown: large ones are, in a few rows."""
        rows = len(self._images) if self.edge() <= _SMALL else _ROWS
        return min(len(self._images), rows * self.columns(width))

    def columns(self, width: int) -> int:
        """Images beside each other."""
        return max(1, (width + _GAP) // (self.edge() + _GAP))

    def _line(self) -> int:
        return QFontMetrics(axis_font()).height() + 2

    def height_at(self, width: int) -> int:
        """All images, and the bar."""
        if not self._images:
            return 40
        lines = -(-self.count(width) // self.columns(width))
        return lines * (self.edge() + self._line() + _GAP) + self._line() + GRID

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As high as the images are at this width."""
        super().resizeEvent(event)
        self.setFixedHeight(self.height_at(self.width()))

    def sizeHint(self) -> QSize:
        """For the width that it has."""
        return QSize(320, self.height_at(max(self.width(), 320)))

    def minimumSizeHint(self) -> QSize:
        """Two images beside each other."""
        return QSize(2 * self.edge(), 40)

    def place(self, index: int) -> QRectF:
        """Where an image is painted."""
        line, at = divmod(index, self.columns(self.width()))
        return QRectF(at * (self.edge() + _GAP), line * (self.edge() + self._line() + _GAP), self.edge(), self.edge())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Images with their labels, and the bar below the last one."""
        if self.seen is None:
            return
        theme, painter = current(), QPainter(self)
        painter.setFont(axis_font())
        flag = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        for index, image in enumerate(self._images[: self.count(self.width())]):
            area = self.place(index)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, image.width() > area.width())
            painter.drawImage(area, image)
            strip = QRectF(area.left(), area.bottom() + 1, area.width(), self._line())
            painter.fillRect(
                QRectF(strip.left(), strip.top() + 4, 4, strip.height() - 8),
                QColor(self.colour_of(index)),
            )
            painter.setPen(QColor(theme.muted))
            inside = strip.adjusted(8, 0, 0, 0)
            words = painter.fontMetrics().elidedText(self.label_of(index), Qt.TextElideMode.ElideRight, int(inside.width()))
            painter.drawText(inside, flag, words)
        self._paint_bar(painter)
        painter.end()

    def _paint_bar(self, painter: QPainter) -> None:
        pixels = self._images[0].width() if self._images else 0
        if not pixels or self._pixel <= 0:
            return
        per_screen = self._pixel * pixels / self.edge()
        nice = nice_length(self.edge() * per_screen)
        if nice <= 0:
            return
        theme, width = current(), nice / per_screen
        y = self.height() - self._line() / 2 - 2
        painter.setPen(QPen(QColor(theme.text), 2))
        painter.drawLine(1, round(y), round(width), round(y))
        painter.setPen(QColor(theme.text))
        words = QRectF(width + GRID, y - self._line() / 2, 200, self._line())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, length(nice, self._unit))


class SeenCard(QFrame):
    """Reads the trial's newest batch in the background, once an epoch at most; hidden until there is one."""

    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__()
        self.desk = desk
        self.setProperty("role", "card")
        self.sheet = ContactSheet()
        self.words = label("", "muted", wrap=True)
        self.epoch = label("", "muted")
        head = row(label(tr("What the network sees"), "heading"), None, self.epoch, gap=GRID)
        self.setLayout(column(head, self.words, self.sheet, None, margin=GRID + 4, gap=GRID))
        self.savers = Savers(desk, self, self._table, f"{name}-batch")
        self._asked: tuple[Path, int] | None = None
        self._pixel: tuple[float, str] = (0.0, "")
        self._drawn = 0
        self.hide()

    def follow(self, folder: Path, epochs: int, *, pixel: float, unit: str) -> None:
        """Look into a trial's folder, where it has trained another epoch since."""
        self._pixel = (pixel, unit)
        if self._asked == (folder, epochs):
            return
        self._asked = (folder, epochs)
        self.desk.tasks.request(self, "seen", lambda: read_seen(folder), self._landed)

    def show_sampling(self, candidates: int) -> None:
        """Say that each image was drawn among so many candidates (below 2: that it was not)."""
        self._drawn = candidates

    def _landed(self, seen: Seen | None) -> None:
        if seen is None or not len(seen.images):
            return
        self.setVisible(True)
        self.epoch.setText(tr("epoch {n}", n=seen.epoch + 1))
        parts = [
            tr("{n} images of the first batch of the epoch, behind all augmentations, under one contrast.", n=len(seen.images))
        ]
        if self._drawn > 1:
            parts.append(
                tr("Importance sampling is on: each was drawn among {n} candidates, hard ones more often.", n=self._drawn)
            )
        if (seen.shares.max(axis=1) < _HALF).any():
            parts.append(tr("Images are mixed, and so are their labels."))
        self.words.setText(" ".join(parts))
        self.sheet.show_seen(seen, *self._pixel)

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        seen = self.sheet.seen
        if seen is None:
            return ("image",), ()
        if seen.values is not None:
            told = zip(seen.values.tolist(), seen.images.astype(np.float32), strict=True)
            return ["image", "value", "mean", "deviation"], [
                [i + 1, value, float(x.mean()), float(x.std())] for i, (value, x) in enumerate(told)
            ]
        header = ["image", "class", *(f"share_{c}" for c in seen.classes), "mean", "deviation"]
        rows = [
            [
                i + 1,
                seen.classes[int(seen.labels[i])],
                *(round(float(s), 4) for s in seen.shares[i]),
                float(x.mean()),
                float(x.std()),
            ]
            for i, x in enumerate(seen.images.astype(np.float32))
        ]
        return header, rows
