"""One slice before and after a correction: under a divider that is dragged, or beside each other with one zoom."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from microtome.ui.i18n import tr
from microtome.ui.theme import GRID, current
from microtome.ui.views.picture import Picture

_MOST_ZOOM = 64.0
_GRIP = 9  # pixels about the divider that take hold of it
_GAP = 2
_ALIKE = 0.002


class BeforeAfter(QWidget):
    """Two pictures of the same place. Dragging the divider compares, dragging the picture moves it, Ctrl + wheel zooms both."""

    stepped = Signal(int)  # slices to go on (negative: back)

    def __init__(self) -> None:
        super().__init__()
        self.setMouseTracking(True)
        self.setMinimumSize(200, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr("Before and after"))
        self.asked_beside = False
        self.split = 0.5  # of the width, where the divider is
        self.busy = ""
        self._pictures: tuple[Picture, Picture] | None = None
        self._zoom, self._middle = 1.0, QPointF(0.5, 0.5)
        self._grip: QPointF | None = None
        self._on_divider = False

    @property
    def pictures(self) -> tuple[Picture, Picture] | None:
        """What is shown: before, after."""
        return self._pictures

    def show_pictures(self, before: Picture | None, after: Picture | None) -> None:
        """Show another pair; divider, zoom and place stay."""
        self._pictures = None if before is None or after is None else (before, after)
        self.busy = ""
        self.update()

    def show_busy(self, words: str) -> None:
        """Say what is being waited for, over the pictures."""
        self.busy = words
        self.update()

    def set_beside(self, on: bool) -> None:
        """Beside each other, or under a divider."""
        self.asked_beside = on
        self.update()

    @property
    def beside(self) -> bool:
        """Whether they are seen beside each other: as asked, and where a divider would part pictures of unlike extent."""
        if self.asked_beside or self._pictures is None:
            return self.asked_beside
        (h, w), (height, width) = (p.extent for p in self._pictures)
        return abs(h - height) > _ALIKE * h or abs(w - width) > _ALIKE * w

    def fit(self) -> None:
        """Show all of both."""
        self._zoom, self._middle = 1.0, QPointF(0.5, 0.5)
        self.update()

    def panes(self) -> tuple[QRectF, QRectF]:
        """The parts of the widget that show before and after."""
        whole = QRectF(self.rect())
        if self.beside:
            half = (whole.width() - _GAP) / 2
            return QRectF(0, 0, half, whole.height()), QRectF(half + _GAP, 0, half, whole.height())
        at = self.split * whole.width()
        return QRectF(0, 0, at, whole.height()), QRectF(at, 0, whole.width() - at, whole.height())

    def target(self, side: int) -> QRectF:
        """Where a picture lies; pixels have their physical aspect, and both pictures one scale."""
        if self._pictures is None:
            return QRectF()
        frame = self.panes()[side] if self.beside else QRectF(self.rect())
        sizes = [p.extent for p in self._pictures]
        scale = self._zoom * min(frame.width() / max(w for _, w in sizes), frame.height() / max(h for h, _ in sizes))
        height, width = sizes[side][0] * scale, sizes[side][1] * scale
        centre = frame.center()
        return QRectF(centre.x() - self._middle.x() * width, centre.y() - self._middle.y() * height, width, height)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Both pictures, the divider, their names."""
        theme, painter = current(), QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.sunken))
        if self._pictures is not None:
            words = (tr("Before"), tr("After"))
            for side, pane in enumerate(self.panes()):
                area = self.target(side)
                painter.setClipRect(pane)
                smooth = area.width() < self._pictures[side].image.width()
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
                painter.drawImage(area, self._pictures[side].image)
                self._paint_plate(painter, words[side], pane, at_left=side == 0)
            painter.setClipping(False)
            self._paint_divider(painter)
        if self.busy:
            self._paint_plate(painter, self.busy, QRectF(self.rect()), at_left=None)
        painter.end()

    def _paint_divider(self, painter: QPainter) -> None:
        at = self.panes()[1].left()
        if self.beside:
            painter.fillRect(QRectF(at - _GAP, 0, _GAP, self.height()), QColor(current().line))
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(QPen(QColor(0, 0, 0, 130), 4))
        painter.drawLine(QPointF(at, 0), QPointF(at, self.height()))
        painter.setPen(QPen(QColor("white"), 2))
        painter.drawLine(QPointF(at, 0), QPointF(at, self.height()))
        painter.setBrush(QColor(current().accent))
        painter.drawEllipse(QPointF(at, self.height() / 2), GRID, GRID)

    def _paint_plate(self, painter: QPainter, words: str, pane: QRectF, *, at_left: bool | None) -> None:
        metrics = painter.fontMetrics()
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        room = pane.adjusted(2 * GRID, GRID, -2 * GRID, -GRID).toRect()
        plate = QRectF(metrics.boundingRect(room, flags, words)).adjusted(-GRID, -GRID / 4, GRID, GRID / 4)
        if at_left is None:
            plate.moveCenter(pane.center())
        elif at_left:
            plate.moveTopLeft(pane.topLeft() + QPointF(GRID, GRID))
        else:
            plate.moveTopRight(pane.topRight() + QPointF(-GRID, GRID))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 160))
        painter.drawRoundedRect(plate, 4, 4)
        painter.setPen(QColor("white"))
        painter.drawText(plate, flags, words)

    def _near_divider(self, at: QPointF) -> bool:
        return not self.beside and abs(at.x() - self.split * self.width()) <= _GRIP

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the divider or of the pictures."""
        self._grip = event.position()
        self._on_divider = self._near_divider(event.position()) or (not self.beside and self._zoom == 1.0)
        if self._on_divider:
            self._move_divider(event.position())

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """Let go."""
        self._grip, self._on_divider = None, False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move what is held."""
        self.setCursor(Qt.CursorShape.SplitHCursor if self._near_divider(event.position()) else Qt.CursorShape.ArrowCursor)
        if self._grip is None:
            return
        if self._on_divider:
            self._move_divider(event.position())
        elif self._zoom > 1.0 and self._pictures is not None:
            area = self.target(0)
            moved = event.position() - self._grip
            self._middle -= QPointF(moved.x() / area.width(), moved.y() / area.height())
            self._grip = event.position()
            self.update()

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Show all of both."""
        self.fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right move the divider."""
        step = {int(Qt.Key.Key_Left): -0.05, int(Qt.Key.Key_Right): 0.05}.get(event.key())
        if step is None or self.beside:
            super().keyPressEvent(event)
            return
        self.split = min(1.0, max(0.0, self.split + step))
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Another slice, or with Ctrl another zoom."""
        turns = event.angleDelta().y() / 120
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._zoom = min(_MOST_ZOOM, max(1.0, self._zoom * 1.25**turns))
            if self._zoom == 1.0:
                self._middle = QPointF(0.5, 0.5)
            self.update()
        elif turns:
            self.stepped.emit(round(turns) or (1 if turns > 0 else -1))
        event.accept()

    def _move_divider(self, at: QPointF) -> None:
        self.split = min(1.0, max(0.0, at.x() / max(1, self.width())))
        self.update()
