"""One plot in the theme's colours: lines by name, labelled axes, a legend that reads out the place under the mouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPen, QWheelEvent
from PySide6.QtWidgets import QFrame

from microtome.results.scores import LEAST_R2, Score
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID, app_font, current
from microtome.ui.views.legend import LegendEntry, LegendStrip
from microtome.ui.views.saving import Savers, Table
from microtome.ui.widgets import column, label, row

Array = NDArray[np.float64]
_AXIS_PIXELS = 11


def axis_font() -> QFont:
    """The font of numbers at an axis: the interface's, smaller, so that CJK and tabular figures are there too."""
    font = app_font()
    font.setPixelSize(_AXIS_PIXELS)
    return font


def faded(colour: str, alpha: int) -> QColor:
    """A theme colour, partly transparent (0 … 255)."""
    made = QColor(colour)
    made.setAlpha(alpha)
    return made


class Plot(pg.PlotWidget):  # type: ignore[misc]
    """Axes and lines. Ctrl + wheel zooms, drag moves, double click shows all; the plain wheel scrolls the page."""

    hovered = Signal(object)  # x under the mouse, None when it leaves
    picked = Signal(float, float)  # a click, in the axes' own units
    pointed = Signal(float, float)  # the place under the mouse, likewise

    def __init__(self, x: str, y: str, *, whole_x: bool = False) -> None:
        theme = current()
        super().__init__(background=theme.surface)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAntialiasing(True)
        self.setMinimumHeight(120)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        item = self.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        self._dress(item, x, y, whole_x)
        item.vb.setDefaultPadding(0.03)
        self.lines: dict[str, Any] = {}
        self._cursor = pg.InfiniteLine(angle=90, pen=pg.mkPen(theme.faint, width=1))
        self._cursor.setVisible(False)
        item.addItem(self._cursor, ignoreBounds=True)
        self._marks: dict[str, Any] = {}
        self.scene().sigMouseMoved.connect(self._moved)
        self.scene().sigMouseClicked.connect(self._clicked)

    def sizeHint(self) -> QSize:
        """Modest, since a scrolling page gives every view its hint; spare room is shared by stretches."""
        return QSize(260, 126)

    def _dress(self, item: Any, x: str, y: str, whole_x: bool) -> None:
        theme = current()
        for side, words in (("bottom", x), ("left", y)):
            axis = item.getAxis(side)
            axis.setPen(pg.mkPen(theme.line, width=1))
            axis.setTextPen(pg.mkPen(theme.muted))
            axis.setTickFont(axis_font())
            axis.setStyle(tickLength=-4, tickTextOffset=5, maxTickLevel=1)
            # No “(x1e-05)” beside the label: the numbers themselves say it.
            axis.enableAutoSIPrefix(False)
            axis.setLabel(words, **{"color": theme.muted, "font-size": f"{_AXIS_PIXELS}px"})
            axis.setTickPen(pg.mkPen(theme.grid, width=1))
            # The grid is the axis's: above the lines it would hide one that runs along it, at 100 % for one.
            axis.setZValue(-1000)
        item.getAxis("left").setWidth(54)
        item.getAxis("bottom").setHeight(38 if x else 22)
        if whole_x:
            item.getAxis("bottom").tickSpacing = _whole_spacing
        item.showGrid(x=False, y=True, alpha=1.0)

    def line(self, name: str, colour: str, style: Qt.PenStyle = Qt.PenStyle.SolidLine, width: float = 1.8) -> Any:
        """The line of a name, made once."""
        if name not in self.lines:
            made = pg.PlotDataItem(connect="finite", skipFiniteCheck=False)
            pen = QPen(QColor(colour), width, style)
            pen.setCosmetic(True)
            made.setPen(pen)
            self.addItem(made)
            self.lines[name] = made
        return self.lines[name]

    def drop_lines(self, keep: Sequence[str] = ()) -> None:
        """Remove every line but those."""
        for name in [n for n in self.lines if n not in keep]:
            self.removeItem(self.lines.pop(name))

    def mark(self, name: str, x: float | None, words: str = "", *, low: bool = False, colour: str = "") -> None:
        """A vertical line with words at x (at its lower end: where the curves are high); None takes it away."""
        theme = current()
        if name not in self._marks:
            if x is None:
                return
            colour = colour or theme.good
            made = pg.InfiniteLine(
                angle=90,
                pen=pg.mkPen(colour, width=1, style=Qt.PenStyle.DashLine),
                label=words,
                labelOpts={
                    "position": 0.08 if low else 0.92,
                    "color": QColor(colour),
                    "fill": faded(theme.surface, 160),
                    "movable": False,
                },
            )
            made.label.textItem.setFont(axis_font())
            self.getPlotItem().addItem(made, ignoreBounds=True)
            self._marks[name] = made
        line = self._marks[name]
        line.setVisible(x is not None)
        if x is not None:
            line.setValue(x)
            line.label.setFormat(words)

    def set_log(self, *, y: bool) -> None:
        """A logarithmic y axis, or a plain one."""
        self.setLogMode(x=False, y=y)

    def show_all(self) -> None:
        """Show all of the data, and follow them as they grow."""
        self.getPlotItem().enableAutoRange()

    def _inside(self, where: QPointF) -> QPointF | None:
        view = self.getPlotItem().vb
        return view.mapSceneToView(where) if view.sceneBoundingRect().contains(where) else None

    def _moved(self, where: QPointF) -> None:
        inside = self._inside(where)
        self.hovered.emit(None if inside is None else inside.x())
        if inside is not None:
            self.pointed.emit(inside.x(), inside.y())

    def _clicked(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        inside = self._inside(event.scenePos())
        if event.double():
            self.show_all()
        elif inside is not None:
            self.picked.emit(inside.x(), inside.y())

    def show_cursor(self, x: float | None) -> None:
        """A thin line at x, where the legend's numbers are read."""
        self._cursor.setVisible(x is not None)
        if x is not None:
            self._cursor.setValue(x)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom with Ctrl; else the page scrolls."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            super().wheelEvent(event)
        else:
            event.ignore()

    def leaveEvent(self, event: QEvent) -> None:
        """The mouse is gone: the legend shows the last values again."""
        super().leaveEvent(event)
        self.hovered.emit(None)


def _whole_spacing(low: float, high: float, size: float) -> list[tuple[float, float]]:
    """Tick distances for counts: 1, 2, 5, 10, … so that no tick lies between two epochs."""
    room = max(1.0, size / 48)
    span = max(1e-9, high - low)
    step = 1
    while span / step > room:
        digits = 10 ** (len(str(step)) - 1)
        step = {1: 2, 2: 5, 5: 10}[step // digits] * digits
    return [(float(step), 0.0)]


def show_score(plot: Plot, score: Score) -> None:
    """Let the vertical axis be of trials' values: its words, and of R² the part that matters."""
    item = plot.getPlotItem()
    item.setLabel("left", tr(score.title).lower() if score.kind == "share" else tr(score.title))
    item.vb.setLimits(yMin=LEAST_R2 if score.kind == "R²" else None, yMax=1.05 if score.kind == "R²" else None)


class PlotCard(QFrame):
    """A card: title and legend above, the plot below, the right-click menu of both."""

    def __init__(self, desk: Desk, title: str, plot: Plot, table: Callable[[], Table], name: str) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.setAccessibleName(title)
        self.plot = plot
        self.legend = LegendStrip()
        self.head = row(label(title, "heading"), None, gap=GRID)
        self.setLayout(column(self.head, self.legend, plot, margin=GRID + 4, gap=4))
        self.savers = Savers(desk, self, table, name)
        self.savers.extra.append((tr("Show all of it"), plot.show_all))
        # The plot swallows right clicks otherwise.
        plot.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)

    def bare(self) -> None:
        """Without frame and title, as a part of another card."""
        self.setProperty("role", "")
        inside = self.layout()
        assert inside is not None
        inside.setContentsMargins(0, 0, 0, 0)
        for i in range(self.head.count()):
            item = self.head.itemAt(i)
            if item is not None and (made := item.widget()) is not None:
                made.hide()

    def show_legend(self, entries: Sequence[LegendEntry]) -> None:
        """Names and values of the lines."""
        self.legend.show_entries(entries)
