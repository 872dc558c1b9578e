"""Where a picture lies in a view: fitted, enlarged about a point, moved; lengths in the picture's unit against pixels."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSizeF

from microtome.ui.views.picture import Display

_MOST = 256.0


@dataclass
class Zoom:
    """How much larger than fitted a picture is shown (1: fitted), and which place of it (as shares) is in the middle.

    `scale` (pixels of the screen a unit) is what counts as fitted where several views share it.
    """

    factor: float = 1.0
    x: float = 0.5
    y: float = 0.5
    scale: float | None = None

    def fit(self) -> None:
        """Show the whole picture."""
        self.factor, self.x, self.y = 1.0, 0.5, 0.5

    def target(self, view: QSizeF, extent: tuple[float, float]) -> QRectF:
        """Where a picture of this extent (height, width) lies in the view; empty where either is."""
        height, width = extent
        if height <= 0 or width <= 0 or view.isEmpty():
            return QRectF()
        fitted = min(view.width() / width, view.height() / height)
        scale = self.factor * (fitted if self.scale is None else min(fitted, self.scale))
        w, h = width * scale, height * scale
        return QRectF(view.width() / 2 - self.x * w, view.height() / 2 - self.y * h, w, h)

    def about(self, at: QPointF, factor: float, view: QSizeF, extent: tuple[float, float]) -> None:
        """Enlarge by a factor; what lies under the point `at` stays there."""
        before = self.target(view, extent)
        if before.isEmpty():
            return
        self.factor = min(_MOST, max(1.0, self.factor * factor))
        x, y = (at.x() - before.left()) / before.width(), (at.y() - before.top()) / before.height()
        after = self.target(view, extent)
        self.x += (after.left() + x * after.width() - at.x()) / after.width()
        self.y += (after.top() + y * after.height() - at.y()) / after.height()
        if self.factor == 1.0:
            self.x = self.y = 0.5

    def move(self, by: QPointF, view: QSizeF, extent: tuple[float, float]) -> None:
        """Move the picture by so many pixels; its middle stays in it."""
        area = self.target(view, extent)
        if self.factor > 1.0 and not area.isEmpty():
            self.x = min(1.0, max(0.0, self.x - by.x() / area.width()))
            self.y = min(1.0, max(0.0, self.y - by.y() / area.height()))

    def display(self, view: QSizeF, extent: tuple[float, float], ratio: float) -> Display | None:
        """The part of the picture that is seen, and its size in pixels of the screen (`ratio` an edge of a view's pixel)."""
        area = self.target(view, extent)
        seen = area.intersected(QRectF(0, 0, view.width(), view.height()))
        if area.isEmpty() or seen.isEmpty():
            return None
        part = (
            (seen.left() - area.left()) / area.width(),
            (seen.top() - area.top()) / area.height(),
            (seen.right() - area.left()) / area.width(),
            (seen.bottom() - area.top()) / area.height(),
        )
        return Display(part, max(1, round(seen.width() * ratio)), max(1, round(seen.height() * ratio)))
