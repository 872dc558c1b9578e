"""The trials as a table: only the parameters that differ, sorted and filtered in the model, quick at ten thousand rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QItemSelection, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from microtome.results.fold import RunState, TrialState
from microtome.results.scores import Score
from microtome.results.tables import Column, cell, columns, varied
from microtome.results.words import number
from microtome.ui.i18n import tr
from microtome.ui.sentences import said
from microtome.ui.theme import current
from microtome.ui.views.search.brushes import Numbers, keeps
from microtome.ui.words import state_word

Index = QModelIndex | QPersistentModelIndex
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_DOWN = Qt.SortOrder.DescendingOrder
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def cell_words(column: Column, value: Any) -> str:
    """What is written in a cell."""
    if value is None:
        return "–"
    match column.kind:
        case "word":
            return state_word(str(value))
        case "share":
            return f"{100 * value:.2f} %"
        case "r2":
            return f"{value:.3f}"
        case "figure":
            return f"{value:.4g}"
        case "seconds":
            return f"{value:.1f}"
        case "parameter":
            return tr(value) if isinstance(value, str) else number(value)
        case _:
            return str(value)


class TrialModel(QAbstractTableModel):
    """Trials in the order and with the filter of the user."""

    def __init__(self) -> None:
        super().__init__()
        self.columns: list[Column] = columns([])
        self.trials: list[TrialState] = []
        self._all: list[TrialState] = []
        self._sorted: list[TrialState] = []
        self._numbers: Numbers = np.zeros(0, dtype=np.int64)  # of the sorted ones
        self._sort = (0, Qt.SortOrder.AscendingOrder)
        self._filter: list[str] = []
        self.best: int | None = None
        self.pinned: list[int] = []  # numbers, in the order in which they were pinned
        self._kept: Numbers | None = None

    def show_run(self, state: RunState) -> None:
        """Take up the run's trials; the selection and the scroll position stay."""
        self.best = state.best_trial
        self._all = list(state.trials.values())
        wanted = columns(varied(self._all), Score.of(self._all))
        if wanted != self.columns:
            self.beginResetModel()
            key = self.columns[self._sort[0]].key
            self.columns = wanted
            # The sorted column may have moved, or gone.
            places = [i for i, c in enumerate(wanted) if c.key == key]
            self._sort = (places[0] if places else 0, self._sort[1])
            self._sort_all()
            self.trials = self._arranged()
            self.endResetModel()
            return
        self._sort_all()
        self._arrange()

    def set_filter(self, text: str) -> None:
        """Show only trials of which every word is found in some cell."""
        self._filter = text.lower().split()
        self._arrange()

    def restrict(self, kept: Numbers | None) -> None:
        """Show only these trials, and the pinned ones; None: all."""
        self._kept = kept
        self._arrange()

    def pin(self, number_: int) -> None:
        """Keep a trial at the top whatever the order and the filter; or let it go."""
        self.pinned = [n for n in self.pinned if n != number_] if number_ in self.pinned else [*self.pinned, number_]
        self._arrange()

    def _arrange(self) -> None:
        new = self._arranged()
        old = self.trials
        if len(new) == len(old) and all(a is b for a, b in zip(new, old, strict=True)):
            if new:
                self.dataChanged.emit(self.index(0, 0), self.index(len(new) - 1, len(self.columns) - 1))
            return
        if len(new) > len(old) and all(a is b for a, b in zip(new, old, strict=False)):
            # The usual case in a search that runs, sorted by number: only the end grows.
            self.beginInsertRows(QModelIndex(), len(old), len(new) - 1)
            self.trials = new
            self.endInsertRows()
            if old:
                self.dataChanged.emit(self.index(0, 0), self.index(len(old) - 1, len(self.columns) - 1))
            return
        self.layoutAboutToBeChanged.emit()
        held = [(index, self.trials[index.row()]) for index in self.persistentIndexList()]
        self.trials = new
        rows = {id(t): i for i, t in enumerate(new)} if held else {}
        for index, trial in held:
            row = rows.get(id(trial))
            self.changePersistentIndex(index, QModelIndex() if row is None else self.index(row, index.column()))
        self.layoutChanged.emit()

    def _arranged(self) -> list[TrialState]:
        rows = np.flatnonzero(keeps(self._kept, self._numbers) & ~np.isin(self._numbers, self.pinned))
        found = [self._sorted[i] for i in rows]
        found = [t for t in found if self._matches(t)] if self._filter else found
        if not self.pinned:
            return found
        pinned = (t for t in self._all if t.number in self.pinned)
        return [*sorted(pinned, key=lambda t: self.pinned.index(t.number)), *found]

    def _sort_all(self) -> None:
        """Keep every trial in its order, so that a brush only filters."""
        column, order = self.columns[self._sort[0]], self._sort[1]
        keyed = [(cell(t, column.key), t) for t in self._all]
        # What has no value yet comes last in either direction; mixed types are told apart by their kind.
        known = [(v, t) for v, t in keyed if v is not None]
        known.sort(key=lambda item: (isinstance(item[0], str), item[0], item[1].number), reverse=order == _DOWN)
        self._sorted = [*(t for _, t in known), *(t for v, t in keyed if v is None)]
        self._numbers = np.array([t.number for t in self._sorted], dtype=np.int64)

    def _matches(self, trial: TrialState) -> bool:
        words = " ".join(cell_words(c, cell(trial, c.key)) for c in self.columns).lower()
        return all(word in words for word in self._filter)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column."""
        if 0 <= column < len(self.columns):
            self._sort = (column, order)
            self._sort_all()
            self._arrange()
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self.columns) - 1)

    def rowCount(self, parent: Index | None = None) -> int:
        """Trials that pass the filter."""
        return 0 if parent is not None and parent.isValid() else len(self.trials)

    def columnCount(self, parent: Index | None = None) -> int:
        """Columns."""
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """A column's title."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            down = self._sort[1] == Qt.SortOrder.DescendingOrder
            return tr(column.title) + ((" ▾" if down else " ▴") if section == self._sort[0] else "")
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.key if column.kind == "parameter" else None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(_LEFT if column.kind in ("word", "text") else _RIGHT)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """A cell."""
        if not index.isValid() or index.row() >= len(self.trials):
            return None
        trial, column = self.trials[index.row()], self.columns[index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                words = cell_words(column, cell(trial, column.key))
                return f"▲ {words}" if column.key == "number" and trial.number in self.pinned else words
            case Qt.ItemDataRole.BackgroundRole if trial.number in self.pinned:
                return QColor(current().accent_soft)
            case Qt.ItemDataRole.TextAlignmentRole:
                return int(_LEFT if column.kind in ("word", "text") else _RIGHT)
            case Qt.ItemDataRole.ForegroundRole:
                return self._colour(trial, column)
            case Qt.ItemDataRole.FontRole if trial.number == self.best:
                font = QFont()
                font.setBold(True)
                return font
            case Qt.ItemDataRole.ToolTipRole if column.kind == "text":
                return said(trial.message) or None
        return None

    @staticmethod
    def _colour(trial: TrialState, column: Column) -> QColor | None:
        if column.kind == "word":
            return QColor(current().state_colour(trial.outcome))
        if trial.outcome in ("running", "waiting", "pruned", "cancelled") and column.kind == "share":
            return QColor(current().muted)
        return None

    def row_of(self, number_: int) -> int | None:
        """The row of a trial, None where the filter hides it."""
        return next((i for i, t in enumerate(self.trials) if t.number == number_), None)


class TrialTable(QTableView):
    """The view; `picked` carries a trial's number."""

    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._wanted: int | None = None
        self.shown = TrialModel()
        self.setModel(self.shown)
        self.setAccessibleName(tr("Trials"))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.setSortIndicator(0, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        # The title itself says it: Qt's arrow would lie on a right-aligned word.
        header.setSortIndicatorShown(False)
        self.selectionModel().selectionChanged.connect(self._selected)
        self.shown.modelReset.connect(self._fit)
        self._fit()

    def show_run(self, state: RunState) -> None:
        """Take up the run's trials."""
        self.shown.show_run(state)
        self.choose(self._wanted)

    def chosen(self) -> int | None:
        """The number of the selected trial."""
        rows = self.selectionModel().selectedRows()
        return self.shown.trials[rows[0].row()].number if rows else None

    def restrict(self, kept: Numbers | None) -> None:
        """Show only these trials, and the pinned ones; None: all."""
        self.shown.restrict(kept)

    def pin_chosen(self) -> None:
        """Pin the selected trial to the top, or let it go."""
        chosen = self.chosen()
        if chosen is not None:
            self.shown.pin(chosen)
            self.selectRow(self.shown.row_of(chosen) or 0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """P pins."""
        if event.key() == Qt.Key.Key_P and not event.modifiers():
            self.pin_chosen()
        else:
            super().keyPressEvent(event)

    def choose(self, number_: int | None) -> None:
        """Select a trial without saying so; one that is not there yet is selected when it comes."""
        self._wanted = number_
        row = self.shown.row_of(number_) if number_ is not None else None
        if row is None or self.chosen() == number_:
            return
        self.blockSignals(True)
        self.selectRow(row)
        self.scrollTo(self.shown.index(row, 0))
        self.blockSignals(False)

    def _selected(self, now: QItemSelection, before: QItemSelection) -> None:
        chosen = self.chosen()
        if chosen is not None and chosen != self._wanted and not self.signalsBlocked():
            self._wanted = chosen
            self.picked.emit(chosen)

    def _fit(self) -> None:
        metrics = self.fontMetrics()
        least: Sequence[tuple[str, int]] = (("word", 76), ("share", 76), ("whole", 56), ("seconds", 68), ("parameter", 84))
        for i, column in enumerate(self.shown.columns):
            title = metrics.horizontalAdvance(tr(column.title)) + 30
            self.setColumnWidth(i, max(title, dict(least).get(column.kind, 90)))
