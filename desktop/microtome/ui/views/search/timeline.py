"""Who worked on what and when: a row a worker, a block a trial."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from microtome.results.fold import RunState, TrialState
from microtome.results.worker_use import WorkerUse
from microtome.ui.i18n import tr
from microtome.ui.numbers import span
from microtome.ui.theme import current
from microtome.ui.views.legend import LegendEntry
from microtome.ui.views.search.colours import bounds, by_value
from microtome.ui.words import mark_words, trial_words

_ROW = 22
_NAMES = 72
_AXIS = 20
_FAILED = ("failed", "crashed", "lost")


class Timeline(QWidget):
    """Blocks in the colours of their values; `picked` carries a trial's number."""

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.state = RunState()
        self._chosen: int | None = None
        self._blocks: list[tuple[QRectF, TrialState]] = []
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Worker timeline"))

    def show_run(self, state: RunState) -> None:
        """Draw the run so far."""
        rows = len(self._workers(state))
        if rows != len(self._workers(self.state)):
            self.updateGeometry()
        self.state = state
        self.updateGeometry()
        self.update()

    def choose(self, number: int | None) -> None:
        """Frame a trial's blocks."""
        self._chosen = number
        self.update()

    @staticmethod
    def _workers(state: RunState) -> list[int]:
        return sorted({worker for t in state.trials.values() for worker, _, _ in t.spans if worker > 0})

    def sizeHint(self) -> QSize:
        """A row a worker."""
        return QSize(300, _AXIS + 4 + _ROW * max(1, len(self._workers(self.state))))

    def minimumSizeHint(self) -> QSize:
        """As high as it must be."""
        return QSize(160, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Names, blocks, time axis."""
        painter = QPainter(self)
        workers, state = self._workers(self.state), self.state
        end = max(state.ended or state.updated, state.started + 1.0)
        width = max(1, self.width() - _NAMES - 8)
        scale = width / (end - state.started)
        theme = current()
        low, high = bounds([t.value for t in state.trials.values()])
        painter.setPen(QColor(theme.muted))
        for i, worker in enumerate(workers):
            place = QRect(0, i * _ROW, _NAMES - 8, _ROW)
            painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, tr("worker {n}", n=worker))
        self._blocks = []
        for trial in state.trials.values():
            colour = by_value(theme, trial.value, low, high)
            if trial.outcome in _FAILED:
                colour = QColor(theme.bad)
            for part, (worker, start, stop) in enumerate(trial.spans):
                if worker not in workers:  # 0: answered from an earlier run, no worker was needed
                    continue
                stop = end if stop < start else stop
                left = _NAMES + (start - state.started) * scale
                block = QRectF(left, workers.index(worker) * _ROW + 3, max(1.0, (stop - start) * scale - 1), _ROW - 6)
                self._paint_block(painter, block, trial, colour, part)
        self._paint_axis(painter, len(workers) * _ROW, end - state.started, width)
        painter.end()

    def _paint_block(self, painter: QPainter, block: QRectF, trial: TrialState, colour: QColor, part: int) -> None:
        theme = current()
        self._blocks.append((block, trial))
        painter.fillRect(block, colour)
        if trial.speculative:  # hatched; crossed out where it was dropped
            pattern = Qt.BrushStyle.DiagCrossPattern if trial.outcome == "dropped" else Qt.BrushStyle.BDiagPattern
            painter.fillRect(block, QBrush(QColor(theme.text if trial.outcome != "dropped" else theme.bad), pattern))
        if part and trial.promotions:  # it went on from its checkpoint
            painter.fillRect(QRectF(block.left(), block.top() - 2, min(block.width(), 3.0), block.height() + 4), theme.warn)
        if trial.outcome == "running":
            painter.setPen(QPen(QColor(theme.accent), 1, Qt.PenStyle.DashLine))
            painter.drawRect(block)
        if trial.number == self._chosen:
            painter.setPen(QPen(QColor(theme.text), 2))
            painter.drawRect(block)
        words = str(trial.number)
        if block.width() > painter.fontMetrics().horizontalAdvance(words) + 6:
            painter.setPen(QColor("#ffffff" if colour.lightnessF() < 0.55 else "#15202a"))
            painter.drawText(block, Qt.AlignmentFlag.AlignCenter, words)

    @staticmethod
    def _paint_axis(painter: QPainter, top: int, seconds: float, width: int) -> None:
        theme = current()
        painter.setPen(QColor(theme.line))
        painter.drawLine(_NAMES, top + 1, _NAMES + width, top + 1)
        painter.setPen(QColor(theme.muted))
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            x = _NAMES + round(width * share)
            place = QRect(x - 60, top + 2, 120, _AXIS)
            flag = Qt.AlignmentFlag.AlignHCenter
            if share in (0.0, 1.0):
                place = QRect(x, top + 2, 120, _AXIS) if share == 0.0 else QRect(x - 120, top + 2, 120, _AXIS)
                flag = Qt.AlignmentFlag.AlignLeft if share == 0.0 else Qt.AlignmentFlag.AlignRight
            painter.drawText(place, flag, span(seconds * share) if share else "0")

    def trial_at(self, point: QPointF) -> TrialState | None:
        """The trial whose block lies under a point."""
        return next((t for block, t in reversed(self._blocks) if block.adjusted(-1, -2, 1, 2).contains(point)), None)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say which trial it is."""
        trial = self.trial_at(event.position())
        if trial is None:
            QToolTip.hideText()
            return
        QToolTip.showText(event.globalPosition().toPoint(), trial_words(trial), self)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Pick the trial."""
        trial = self.trial_at(event.position())
        if trial is not None:
            self.picked.emit(trial.number)


def legend_entries(state: RunState) -> list[LegendEntry]:
    """What the blocks' colours and marks mean; of the marks only those that there are."""
    theme, trials = current(), list(state.trials.values())
    entries = []
    if any(t.value is not None for t in trials):
        entries += [
            LegendEntry(tr("low value"), theme.grey_curve, marker="block"),
            LegendEntry(tr("high value"), theme.accent, marker="block"),
        ]
    if any(t.outcome in _FAILED for t in trials):
        entries.append(LegendEntry(tr("failed"), theme.bad, marker="block", tip=tr("The table tells why, under Remark.")))
    if any(t.promotions for t in trials):
        entries.append(LegendEntry(tr("went on"), theme.warn, marker="bar", tip=mark_words("promoted")))
    if any(t.speculative for t in trials):
        entries.append(
            LegendEntry(tr("begun early"), theme.grey_curve, marker="hatched", over=theme.text, tip=mark_words("early"))
        )
    if any(t.outcome == "dropped" for t in trials):
        entries.append(
            LegendEntry(tr("dropped"), theme.grey_curve, marker="crossed", over=theme.bad, tip=mark_words("dropped"))
        )
    return entries


def use_words(use: WorkerUse) -> str:
    """How well the workers were used, in a sentence or two."""
    if not use.workers:
        return ""
    parts = [tr("{n} workers were busy {share} % of the time", n=use.workers, share=f"{100 * use.busy:.0f}")]
    parts.append(tr("longest gap {time}", time=span(use.longest_gap)))
    if use.promotions:
        parts.append(tr("{n} promotions", n=use.promotions))
    if use.reused:
        parts.append(tr("{n} answers from earlier runs", n=use.reused))
    if use.begun_early:
        words = tr("{n} begun early: {kept} kept ({saved} trained ahead), {dropped} dropped ({lost} spent in vain)")
        saved, lost = span(use.kept_seconds), span(use.dropped_seconds)
        parts.append(words.format(n=use.begun_early, kept=use.kept, saved=saved, dropped=use.dropped, lost=lost))
    return " · ".join(parts)
