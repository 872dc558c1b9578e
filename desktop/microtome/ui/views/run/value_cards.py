"""Of a network that tells a number: R² by epoch, and what it tells of every volume against the volume's own value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt

from microtome.results.scores import LEAST_R2
from microtome.results.tables import POINT_COLUMNS, point_rows
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.theme import current
from microtome.ui.views.legend import LegendEntry
from microtome.ui.views.plots import Plot, PlotCard
from microtome.ui.views.run.curves import CurveCard, Line

Point = tuple[float, float, float, int]


def r2_card(desk: Desk, name: str) -> CurveCard:
    """R² of the training and of the validation set."""
    theme = current()
    lines = (
        Line(tr("Training"), theme.muted, Qt.PenStyle.DashLine, lambda e: e.train_accuracy),
        Line(tr("Validation"), theme.accent, Qt.PenStyle.SolidLine, lambda e: e.r2),
    )
    made = CurveCard(desk, "R²", lines, unit="R²", write=lambda v: f"{v:.3f}", name=f"{name}-r2")
    made.plot.getPlotItem().vb.setLimits(yMin=LEAST_R2, yMax=1.05)
    return made


class ScatterCard(PlotCard):
    """A dot a volume: its value across, the mean of what is told of its slices upwards, with their standard deviation."""

    def __init__(self, desk: Desk, name: str, title: str) -> None:
        theme = current()
        self._points: tuple[Point, ...] = ()
        self._unit = ""
        super().__init__(desk, title, Plot(tr("value of the volume"), tr("told by the network")), self._table, f"{name}-values")
        self.line = self.plot.line("right", theme.muted, Qt.PenStyle.DashLine, width=1.2)
        self.bars = pg.ErrorBarItem(pen=pg.mkPen(theme.accent, width=1.2), beam=0.0)
        self.dots = pg.ScatterPlotItem(size=9, pen=pg.mkPen(theme.surface, width=1), brush=pg.mkBrush(theme.accent))
        self.dots.opts["hoverable"] = True
        self.dots.opts["tip"] = self._tip
        for item in (self.bars, self.dots):
            self.plot.addItem(item)

    @property
    def points(self) -> tuple[Point, ...]:
        """What is shown."""
        return self._points

    def show_points(self, points: Sequence[Point], unit: str = "") -> None:
        """Show the volumes' points (value, mean, standard deviation, images), all in `unit`."""
        self._points, self._unit = tuple(points), unit
        if not points:
            return
        true, mean, deviation = (np.array([p[k] for p in points]) for k in range(3))
        count = sum(p[3] for p in points)
        self.dots.setData(x=true, y=mean, data=list(points))
        self.bars.setData(x=true, y=mean, height=2 * deviation)
        ends = np.array([min(true.min(), mean.min()), max(true.max(), mean.max())])
        self.line.setData(ends, ends)
        item, style = self.plot.getPlotItem(), {"color": current().muted, "font-size": "11px"}
        within = f" ({unit})" if unit else ""
        item.getAxis("bottom").setLabel(tr("value of the volume") + within, **style)
        item.getAxis("left").setLabel(tr("told by the network") + within, **style)
        words = tr(
            "{volumes} volumes, {n} slices: mean ± standard deviation of a volume's slices", volumes=len(points), n=count
        )
        self.show_legend(
            [
                LegendEntry(words, current().accent, marker="dot"),
                LegendEntry(tr("told rightly"), current().muted, Qt.PenStyle.DashLine),
            ]
        )

    def _tip(self, x: float, y: float, data: Point) -> str:
        true, mean, deviation, count = data
        words = tr(
            "value {true}; told {mean} ± {deviation}, n = {n}",
            true=f"{true:.4g}",
            mean=f"{mean:.4g}",
            deviation=f"{deviation:.2g}",
            n=count,
        )
        return f"{words} {self._unit}".rstrip()

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[object]]]:
        return POINT_COLUMNS, point_rows(self._points)
