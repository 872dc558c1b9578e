"""A confusion matrix: rows are the true classes, columns what the network said; a cell can be clicked."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from microtome.ui.i18n import tr
from microtome.ui.theme import GRID, current, mixed

Matrix = Sequence[Sequence[int]]
_LARGEST = 72
_HEAD = 20


class ConfusionView(QWidget):
    """The matrix with its row shares as shades; `picked` carries (true, predicted)."""

    picked = Signal(int, int)

    def __init__(self, *, clickable: bool = False) -> None:
        super().__init__()
        self.classes: Sequence[str] = ()
        self.counts: Matrix = ()
        self.shares, self._clickable = True, clickable
        self.chosen: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Confusion matrix"))
        if clickable:
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def show_matrix(self, classes: Sequence[str], counts: Matrix) -> None:
        """Show counts (k, k) of these classes."""
        if (tuple(classes), counts) != (tuple(self.classes), self.counts):
            self.classes, self.counts = tuple(classes), counts
            self.updateGeometry()
            self.update()

    def show_shares(self, on: bool) -> None:
        """Write row percentages, or counts, into the cells."""
        self.shares = on
        self.update()

    def choose(self, cell: tuple[int, int] | None) -> None:
        """Frame a cell."""
        self.chosen = cell
        self.update()

    def cell_text(self, true: int, said: int) -> str:
        """What is written in a cell."""
        count, total = self.counts[true][said], sum(self.counts[true])
        if not self.shares:
            return str(count)
        return f"{100 * count / total:.1f}" if total else "–"

    def _frame(self) -> tuple[QRectF, float, float]:
        """Where the cells lie, and the width and height of one."""
        k = max(1, len(self.classes))
        metrics = self.fontMetrics()
        widest = max((metrics.horizontalAdvance(c) for c in self.classes), default=0)
        names = min(widest + GRID, max(48, self.width() // 4))
        left = _HEAD + names
        top = _HEAD + 18
        high = max(8.0, min((self.height() - top - 2) / k, float(_LARGEST)))
        # Cells may be wider than high, so that the names above them fit.
        wide = max(8.0, min((self.width() - left - 2) / k, max(high, min(1.7 * high, widest + GRID))))
        high = min(high, wide)
        # The whole is centred: a small matrix must not hang in a corner.
        shift = max(0.0, (self.width() - left - wide * k) / 2)
        return QRectF(left + shift, top, wide * k, high * k), wide, high

    def sizeHint(self) -> QSize:
        """Room for readable cells."""
        k = max(2, len(self.classes))
        return QSize(_HEAD + 90 + k * 48, _HEAD + 18 + k * 48)

    def minimumSizeHint(self) -> QSize:
        """The smallest cells that can be read."""
        k = max(2, len(self.classes))
        return QSize(_HEAD + 64 + k * 26, _HEAD + 20 + k * 24)

    def cell_at(self, point: QPointF) -> tuple[int, int] | None:
        """(true, predicted) under a point of the widget."""
        frame, wide, high = self._frame()
        if not self.classes or not frame.contains(point):
            return None
        true, said = int((point.y() - frame.top()) / high), int((point.x() - frame.left()) / wide)
        return (true, said) if true < len(self.classes) and said < len(self.classes) else None

    def centre_of(self, true: int, said: int) -> QPointF:
        """The middle of a cell, in the widget."""
        frame, wide, high = self._frame()
        return QPointF(frame.left() + (said + 0.5) * wide, frame.top() + (true + 0.5) * high)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Names, cells, shades."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.classes and self.counts:
            frame, wide, high = self._frame()
            self._paint_names(painter, frame, wide, high)
            self._paint_cells(painter, frame, wide, high)
        painter.end()

    def _paint_names(self, painter: QPainter, frame: QRectF, wide: float, high: float) -> None:
        theme, metrics = current(), self.fontMetrics()
        painter.setPen(QColor(theme.muted))
        painter.drawText(QRectF(frame.left(), 0, frame.width(), _HEAD), Qt.AlignmentFlag.AlignCenter, tr("predicted class"))
        painter.save()
        names = min(max((metrics.horizontalAdvance(c) for c in self.classes), default=0) + GRID, max(48, self.width() // 4))
        painter.translate(frame.left() - names - _HEAD / 2, frame.center().y())
        painter.rotate(-90)
        painter.drawText(QRectF(-100, -_HEAD / 2, 200, _HEAD), Qt.AlignmentFlag.AlignCenter, tr("true class"))
        painter.restore()
        painter.setPen(QColor(theme.text))
        for i, name in enumerate(self.classes):
            beside = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, int(names - GRID))
            place = QRectF(frame.left() - names, frame.top() + i * high, names - 6, high)
            painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, beside)
            above = metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(wide - 2))
            painter.drawText(QRectF(frame.left() + i * wide, _HEAD, wide, 18), Qt.AlignmentFlag.AlignCenter, above)

    def _paint_cells(self, painter: QPainter, frame: QRectF, wide: float, high: float) -> None:
        theme = current()
        font = QFont(self.font())
        font.setPixelSize(max(8, min(14, int(min(wide / 3, high / 2.2)))))
        painter.setFont(font)
        for true, row in enumerate(self.counts):
            total = sum(row)
            for said, count in enumerate(row):
                share = count / total if total else 0.0
                full = theme.accent if true == said else theme.bad
                # The square root lets a few mistakes be seen beside many hits.
                shade = share if true == said else min(1.0, share) ** 0.5
                colour = mixed(theme.surface, full, 0.06 + 0.84 * shade) if count else QColor(theme.window)
                cell = QRectF(frame.left() + said * wide, frame.top() + true * high, wide, high).adjusted(1, 1, -1, -1)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(colour)
                painter.drawRoundedRect(cell, 3, 3)
                if (true, said) == self.chosen:
                    painter.setPen(QPen(QColor(theme.text), 2))
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    painter.drawRoundedRect(cell, 3, 3)
                dark = colour.lightnessF() < 0.55
                painter.setPen(QColor("#ffffff" if dark else "#15202a") if count else QColor(theme.faint))
                if wide >= 22 and high >= 12:
                    painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, self.cell_text(true, said))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say what the cell under the mouse holds."""
        cell = self.cell_at(event.position())
        if cell is None:
            self.unsetCursor()
            QToolTip.hideText()
            return
        if self._clickable:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        true, said = cell
        count, total = self.counts[true][said], sum(self.counts[true])
        words = tr(
            "{n} of {total} images of {true} were called {said}",
            n=count,
            total=total,
            true=self.classes[true],
            said=self.classes[said],
        )
        QToolTip.showText(event.globalPosition().toPoint(), words, self, QRect())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Pick the cell."""
        cell = self.cell_at(event.position())
        if self._clickable and cell is not None and event.button() == Qt.MouseButton.LeftButton:
            self._pick(*cell)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrow keys move the choice."""
        steps = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}
        step = steps.get(Qt.Key(event.key()))
        if step is None or not self._clickable or not self.classes:
            super().keyPressEvent(event)
            return
        true, said = self.chosen or (0, 0)
        last = len(self.classes) - 1
        self._pick(min(last, max(0, true + step[0])), min(last, max(0, said + step[1])))

    def _pick(self, true: int, said: int) -> None:
        self.choose((true, said))
        self.picked.emit(true, said)
