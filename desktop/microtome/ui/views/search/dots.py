"""A plot of dots, a trial each: a click picks the nearest, the chosen one is ringed, brushes show some of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QToolTip

from microtome.results.fold import RunState
from microtome.ui.desk import Desk
from microtome.ui.theme import current, mixed
from microtome.ui.views.plots import Plot, PlotCard
from microtome.ui.views.saving import Table
from microtome.ui.views.search.brushes import Numbers, keeps
from microtome.ui.words import trial_words

Places = NDArray[np.float64]
SHADES = 24  # from grey to the accent
_REACH = 0.03  # of the visible width and height: how close a click must be to a dot


class DotCard(PlotCard):
    """`picked` carries a trial's number. Brushing changes which dots are seen, never where they lie."""

    picked = Signal(int)
    state: RunState

    def __init__(self, desk: Desk, title: str, plot: Plot, table: Callable[[], Table], name: str) -> None:
        super().__init__(desk, title, plot, table, name)
        self.numbers: Numbers = np.zeros(0, dtype=np.int64)
        self.places: Places = np.zeros((0, 2))
        self.seen: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._kept: Numbers | None = None
        self._chosen: int | None = None
        self._groups: list[tuple[Any, NDArray[np.intp]]] = []
        self._ring = pg.ScatterPlotItem(size=14, pen=pg.mkPen(current().text, width=2), brush=None)
        self._ring.setZValue(10)
        plot.addItem(self._ring)
        plot.picked.connect(self._clicked)
        plot.pointed.connect(self._pointed)

    def dots(self, size: float, **look: Any) -> Any:
        """A new kind of dots."""
        made = pg.ScatterPlotItem(size=size, **look)
        self.plot.addItem(made)
        return made

    def show_dots(self, numbers: Numbers, places: Places, groups: list[tuple[Any, NDArray[np.bool_]]]) -> None:
        """Trials by their numbers at `places` (n, 2); each kind of dots draws those of its mask (n,)."""
        self.numbers, self.places = numbers, places.reshape(-1, 2)
        self._groups = [(item, np.flatnonzero(mask)) for item, mask in groups]
        for item, rows in self._groups:
            item.setData(pos=self.places[rows])
        self.show_kept()

    def restrict(self, kept: Numbers | None) -> None:
        """Show only these trials; None: all."""
        self._kept = kept
        self.show_kept()

    def show_kept(self) -> None:
        """Show what the brushes keep."""
        self.seen = keeps(self._kept, self.numbers)
        for item, rows in self._groups:
            show_spots(item, self.seen[rows])
        self.choose(self._chosen)

    def choose(self, number: int | None) -> None:
        """Ring the dot of a trial, where it is shown."""
        self._chosen = number
        self._ring.setData(pos=self.places[self.seen & (self.numbers == (-1 if number is None else number))])

    def trial_at(self, x: float, y: float) -> int | None:
        """The number of the trial whose dot lies near a place; None where none is shown there."""
        (left, right), (low, high) = self.plot.getPlotItem().vb.viewRange()
        size = np.maximum([right - left, high - low], 1e-12)
        away = np.where(self.seen, (((self.places - [x, y]) / size) ** 2).sum(axis=1), np.inf)
        return int(self.numbers[away.argmin()]) if len(away) and away.min() < _REACH**2 else None

    def _clicked(self, x: float, y: float) -> None:
        found = self.trial_at(x, y)
        if found is not None:
            self.picked.emit(found)

    def _pointed(self, x: float, y: float) -> None:
        """Say which trial a dot is."""
        trial = self.state.trials.get(self.trial_at(x, y) or 0)
        QToolTip.showText(QCursor.pos(), "" if trial is None else trial_words(trial), self.plot)


def show_spots(item: Any, mask: NDArray[np.bool_]) -> None:
    """Show the spots of a scatter plot that a mask says; its own method lays out every symbol anew, which takes far longer."""
    if len(item.data):
        item.data["visible"] = mask
        item.invalidate()


def shade_dots(item: Any, shares: NDArray[np.float64]) -> None:
    """Colour each spot of a scatter plot from grey (0) to the accent (1)."""
    theme = current()
    brushes = [pg.mkBrush(mixed(theme.grey_curve, theme.accent, k / (SHADES - 1))) for k in range(SHADES)]
    if len(item.data):
        item.setBrush([brushes[k] for k in np.minimum(SHADES - 1, shares * SHADES).astype(int)])
